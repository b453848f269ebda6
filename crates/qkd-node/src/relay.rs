//! Application messages on their way to the other node, until it says what became of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qkd_wire::link::{LinkMessage, RelayOutcome, RelayedMessage};
use tokio::sync::oneshot;

use crate::link::LinkHandle;

/// Messages that may be on their way at once.
const IN_FLIGHT_MAX: usize = 32;

/// Time for the other node to say what became of a message. A block is distilled in one piece on
/// the thread that the message has to pass, at both ends.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Why nobody knows what became of a message, in words for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayFault {
    /// There is no link.
    #[error("the link to the other side is down; send the message again")]
    NoLink,
    /// Too much is on its way already: this message is not.
    #[error("messages come in faster than the network takes them; wait and send again")]
    Congested,
    /// The link broke while the message was on its way.
    #[error(
        "the link broke before the other side answered: the message is not known to be stored; \
         send the very same message again"
    )]
    Cut,
    /// No answer came.
    #[error(
        "the other side did not answer within {} s: the message is not known to be stored; send \
         the very same message again",
        ANSWER_TIME_MAX.as_secs()
    )]
    NoAnswer,
}

/// The messages that are on their way, and the link that carries them.
///
/// No method waits for a disk or holds its lock for long.
pub struct Relay {
    inner: Mutex<Inner>,
    answer_time_max: Duration,
}

#[derive(Default)]
struct Inner {
    link: Option<LinkHandle>,
    waiting: HashMap<u64, oneshot::Sender<RelayOutcome>>,
    next_number: u64,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            answer_time_max: ANSWER_TIME_MAX,
        }
    }
}

impl Relay {
    /// A link has come up.
    pub fn connect(&self, link: LinkHandle) {
        self.lock().link = Some(link);
    }

    /// The link has gone down: nobody will answer any more.
    pub fn disconnect(&self) {
        let mut inner = self.lock();
        inner.link = None;
        inner.waiting.clear();
    }

    /// The other node says what became of a message.
    pub fn answered(&self, number: u64, outcome: RelayOutcome) {
        match self.lock().waiting.remove(&number) {
            Some(waiting) => {
                // A caller that has gone away learns it when it sends the message again.
                let _gone = waiting.send(outcome);
            }
            None => tracing::debug!(number, ?outcome, "an answer that nobody waits for any more"),
        }
    }

    /// Sends a message to the other node, and returns what became of it there. Messages leave in
    /// the order of these calls.
    ///
    /// # Errors
    /// [`RelayFault`] when nobody knows.
    pub async fn send(&self, message: RelayedMessage) -> Result<RelayOutcome, RelayFault> {
        let (number, answer) = self.depart(message)?;
        let _forget = Forget {
            relay: self,
            number,
        };
        match tokio::time::timeout(self.answer_time_max, answer).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_dropped)) => Err(RelayFault::Cut),
            Err(_elapsed) => Err(RelayFault::NoAnswer),
        }
    }

    fn depart(
        &self,
        message: RelayedMessage,
    ) -> Result<(u64, oneshot::Receiver<RelayOutcome>), RelayFault> {
        let mut inner = self.lock();
        let link = inner.link.as_ref().ok_or(RelayFault::NoLink)?;
        if inner.waiting.len() >= IN_FLIGHT_MAX {
            return Err(RelayFault::Congested);
        }
        let number = inner.next_number;
        // The link's thread takes it up under this lock, so numbers leave in order.
        if !link.relay(LinkMessage::Relay { number, message }) {
            return Err(RelayFault::Congested);
        }
        let (answer, receiver) = oneshot::channel();
        inner.waiting.insert(number, answer);
        inner.next_number += 1;
        Ok((number, receiver))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller that waits no longer takes no place among those in flight.
struct Forget<'r> {
    relay: &'r Relay,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.relay.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use qkd_keystore::SaeId;
    use qkd_messaging::SealedMessage;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::link::{Listener, Queued, frames};

    fn message() -> RelayedMessage {
        RelayedMessage {
            from: SaeId::new("sae-alice").unwrap(),
            to: SaeId::new("sae-bob").unwrap(),
            sealed: SealedMessage {
                key_id: [1; 16],
                sender: 1,
                sequence: 0,
                ciphertext: vec![2; 20],
            },
        }
    }

    /// A relay with a link, and what the link is told.
    fn linked() -> (Arc<Relay>, Listener<Queued>) {
        let relay = Arc::new(Relay::default());
        let (outgoing, _frames) = frames(1 << 20);
        let (link, events) = LinkHandle::new(outgoing);
        relay.connect(link);
        (relay, events)
    }

    /// Waits until the link is told something.
    async fn told(link: &mut Listener<Queued>) {
        while link.try_next().is_none() {
            tokio::task::yield_now().await;
        }
    }

    type Sending = JoinHandle<Result<RelayOutcome, RelayFault>>;

    fn send(relay: &Arc<Relay>) -> Sending {
        let relay = relay.clone();
        tokio::spawn(async move { relay.send(message()).await })
    }

    #[tokio::test]
    async fn each_sender_gets_the_answer_to_its_own_message() {
        let (relay, mut link) = linked();
        let first = send(&relay);
        told(&mut link).await;
        let second = send(&relay);
        told(&mut link).await;
        relay.answered(7, RelayOutcome::StorageFailed);
        relay.answered(1, RelayOutcome::MailboxFull);
        relay.answered(1, RelayOutcome::StorageFailed);
        relay.answered(0, RelayOutcome::Stored);
        assert_eq!(first.await.unwrap(), Ok(RelayOutcome::Stored));
        assert_eq!(second.await.unwrap(), Ok(RelayOutcome::MailboxFull));
    }

    #[tokio::test]
    async fn without_a_link_or_with_a_broken_one_nobody_knows() {
        let (relay, mut link) = linked();
        let sending = send(&relay);
        told(&mut link).await;
        relay.disconnect();
        assert_eq!(sending.await.unwrap(), Err(RelayFault::Cut));
        assert_eq!(relay.send(message()).await, Err(RelayFault::NoLink));
    }

    #[tokio::test]
    async fn a_silent_peer_is_not_waited_for_for_ever() {
        let (outgoing, _frames) = frames(1 << 20);
        let (link, _events) = LinkHandle::new(outgoing);
        let relay = Relay {
            inner: Mutex::default(),
            answer_time_max: Duration::from_millis(10),
        };
        relay.connect(link);
        assert_eq!(relay.send(message()).await, Err(RelayFault::NoAnswer));
        assert!(relay.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn only_so_many_are_on_their_way_and_who_gives_up_makes_room() {
        let (relay, mut link) = linked();
        let mut sending = Vec::new();
        for _ in 0..IN_FLIGHT_MAX {
            sending.push(send(&relay));
            told(&mut link).await;
        }
        assert_eq!(relay.send(message()).await, Err(RelayFault::Congested));
        let first = sending.swap_remove(0);
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let another = send(&relay);
        told(&mut link).await;
        relay.answered(IN_FLIGHT_MAX as u64, RelayOutcome::Stored);
        assert_eq!(another.await.unwrap(), Ok(RelayOutcome::Stored));
    }
}
