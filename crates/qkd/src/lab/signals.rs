//! What may end a laboratory early.

use std::io;

use qkd_node::shutdown::SignalListener;
use tokio::signal::unix::SignalKind;

use crate::exit::Exit;

/// The signals that end a laboratory.
pub struct Signals {
    interrupt: SignalListener,
    terminate: SignalListener,
    hangup: SignalListener,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: SignalListener::new(SignalKind::interrupt())?,
            terminate: SignalListener::new(SignalKind::terminate())?,
            hangup: SignalListener::new(SignalKind::hangup())?,
        })
    }

    /// Waits for one, and says what the process ends with.
    pub async fn heard(&mut self) -> Exit {
        tokio::select! {
            () = self.interrupt.recv() => Exit::Interrupted,
            () = self.terminate.recv() => Exit::Terminated,
            () = self.hangup.recv() => Exit::Terminated,
        }
    }
}
