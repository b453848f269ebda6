//! Stopping in good order: everybody hears of it once, and nobody outlives the grace period.

mod listener;

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::signal::unix::SignalKind;
use tokio::sync::watch;

pub use listener::SignalListener;

/// A daemon that has not stopped so long after it was asked to is ended by force.
pub const GRACE: Duration = Duration::from_secs(5);

/// How much sooner than [`GRACE`] the daemon ends itself, so that an observer with the same clock
/// sees it keep its word.
const MARGIN: Duration = Duration::from_millis(500);

/// Why the daemon stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM: the service manager, or the laboratory.
    Terminate,
    /// The program itself, for instance a test.
    Requested,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopReason::Interrupt => "interrupted (SIGINT)",
            StopReason::Terminate => "asked to terminate (SIGTERM)",
            StopReason::Requested => "asked to stop",
        })
    }
}

/// Tells everybody who holds a [`Shutdown`] to stop. Dropping it does so as well.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<Option<StopReason>>);

/// Hears when it is time to stop. Cheap to clone, one for every task and thread.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<Option<StopReason>>);

/// A trigger and its listener.
pub fn channel() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(None);
    (ShutdownTrigger(sender), Shutdown(receiver))
}

impl ShutdownTrigger {
    /// Tells everybody to stop. Only the first reason counts.
    pub fn stop(&self, reason: StopReason) {
        self.0.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        });
    }
}

impl Shutdown {
    /// Listens to SIGINT and SIGTERM from now on. The first one starts the shutdown; a second one,
    /// or [`GRACE`], ends the process with exit status 1.
    ///
    /// Must be called on a Tokio runtime with signals and time enabled, once per process.
    ///
    /// # Errors
    /// When the operating system refuses a signal handler.
    pub fn on_signals() -> io::Result<Self> {
        let (trigger, shutdown) = channel();
        let mut interrupt = SignalListener::new(SignalKind::interrupt())?;
        let mut terminate = SignalListener::new(SignalKind::terminate())?;
        tokio::spawn(async move {
            let reason = tokio::select! {
                () = interrupt.recv() => StopReason::Interrupt,
                () = terminate.recv() => StopReason::Terminate,
            };
            tracing::info!(%reason, "stopping");
            // On a thread of its own: it must work even if the runtime is stuck.
            std::thread::spawn(|| {
                std::thread::sleep(GRACE - MARGIN);
                give_up("did not stop in time");
            });
            trigger.stop(reason);
            tokio::select! {
                () = interrupt.recv() => {}
                () = terminate.recv() => {}
            }
            give_up("asked to stop twice");
        });
        Ok(shutdown)
    }

    /// Waits until it is time to stop.
    pub async fn wait(&mut self) -> StopReason {
        match self.0.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(StopReason::Requested),
            // The trigger is gone: whoever could have asked us to stop has stopped.
            Err(_) => StopReason::Requested,
        }
    }

    /// As [`wait`](Self::wait), from a shared reference.
    pub async fn requested(&self) {
        self.clone().wait().await;
    }

    /// As [`wait`](Self::wait), but owned: the shape that a server's shutdown future has.
    pub async fn waited(mut self) {
        self.wait().await;
    }

    /// Whether it is time to stop; for threads, which cannot wait for it.
    pub fn is_requested(&self) -> bool {
        self.0.borrow().is_some() || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
impl Shutdown {
    /// Nobody ever asks for it.
    pub(crate) fn never() -> Self {
        let (trigger, shutdown) = channel();
        std::mem::forget(trigger);
        shutdown
    }
}

fn give_up(why: &str) -> ! {
    tracing::error!(why, "ending by force");
    std::process::exit(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_the_first_reason() {
        let (trigger, shutdown) = channel();
        let (mut first, mut second) = (shutdown.clone(), shutdown.clone());
        assert!(!shutdown.is_requested());
        let waiting = tokio::spawn(async move { first.wait().await });
        trigger.stop(StopReason::Terminate);
        trigger.stop(StopReason::Interrupt);
        assert_eq!(waiting.await.unwrap(), StopReason::Terminate);
        assert_eq!(second.wait().await, StopReason::Terminate);
        assert!(shutdown.is_requested());
        assert!(
            shutdown.clone().is_requested(),
            "a late listener hears it too"
        );
    }

    #[tokio::test]
    async fn a_lost_trigger_stops_everybody() {
        let (trigger, mut shutdown) = channel();
        drop(trigger);
        assert!(shutdown.is_requested());
        assert_eq!(shutdown.wait().await, StopReason::Requested);
    }
}
