//! Hears a signal of the operating system, from the very first one on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// One kind of signal. Those that come in quick succession count as one.
///
/// Tokio first takes a kind of signal from the operating system and then begins to listen: one that
/// comes between the two ends nobody and is heard by nobody. So a flag that the signal itself raises
/// stands behind Tokio's stream.
#[derive(Debug)]
pub struct SignalListener {
    stream: Signal,
    came: Arc<AtomicBool>,
}

impl SignalListener {
    /// Hears signals of `kind` from now on; they do what they do by default no more. Must be called
    /// on a Tokio runtime with signals enabled.
    ///
    /// # Errors
    /// When the operating system refuses a handler for it.
    pub fn new(kind: SignalKind) -> io::Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        // Handlers run in the order of their registration: whoever is woken by the stream finds the
        // flag raised.
        signal_hook::flag::register(kind.as_raw_value(), came.clone())?;
        Ok(Self {
            stream: signal(kind)?,
            came,
        })
    }

    /// Waits for the next signal. Nothing is lost when this is dropped before it is done.
    pub async fn recv(&mut self) {
        while !self.came.swap(false, Ordering::SeqCst) {
            // Without a runtime that listens nobody would be here to wait.
            if self.stream.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A signal that nobody else here listens to.
    fn kind() -> SignalKind {
        SignalKind::window_change()
    }

    fn send() {
        let me = rustix::process::getpid();
        rustix::process::kill_process(me, rustix::process::Signal::WINCH).unwrap();
    }

    #[tokio::test]
    async fn a_signal_is_heard_even_when_tokio_told_it_to_nobody_and_only_once() {
        let mut listener = SignalListener::new(kind()).unwrap();
        send();
        listener.recv().await;
        // As when it came after Tokio had taken the signal and before it listened.
        listener.came.store(true, Ordering::SeqCst);
        listener.recv().await;
        let again = tokio::time::timeout(Duration::from_millis(50), listener.recv()).await;
        assert!(again.is_err());
        send();
        listener.recv().await;
    }
}
