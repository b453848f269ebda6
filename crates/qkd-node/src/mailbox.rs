//! Sealed messages that wait for their applications.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use qkd_keystore::SaeId;
use qkd_wire::link::RelayedMessage;
use tokio::sync::Notify;

/// Messages that may wait for one application. Later ones are dropped: they are ciphertext, and
/// their sender's sequence numbers show the gap.
const WAITING_MAX: usize = 1024;

/// Bytes of ciphertext that may wait for one application.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// One queue for each application at this node, in memory only.
pub struct Mailboxes {
    boxes: HashMap<SaeId, Mailbox>,
}

#[derive(Default)]
struct Mailbox {
    waiting: Mutex<VecDeque<RelayedMessage>>,
    arrived: Notify,
}

impl Mailboxes {
    /// Empty queues for the applications that sit here.
    pub fn new(local: impl IntoIterator<Item = SaeId>) -> Self {
        let boxes = local
            .into_iter()
            .map(|sae| (sae, Mailbox::default()))
            .collect();
        Self { boxes }
    }

    /// Puts a message into its receiver's queue.
    pub fn put(&self, message: RelayedMessage) {
        let Some(mailbox) = self.boxes.get(&message.to) else {
            tracing::warn!(to = %message.to, "message for an application that does not sit here");
            return;
        };
        let mut waiting = mailbox
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bytes = |message: &RelayedMessage| message.sealed.ciphertext.len();
        let waiting_bytes: usize = waiting.iter().map(bytes).sum();
        if waiting.len() < WAITING_MAX && waiting_bytes + bytes(&message) <= WAITING_BYTES_MAX {
            waiting.push_back(message);
            mailbox.arrived.notify_one();
        } else {
            tracing::warn!(to = %message.to, "mailbox full: message dropped");
        }
    }

    /// The next message for `sae`, waiting for one. `None` when it does not sit here.
    pub async fn take(&self, sae: &SaeId) -> Option<RelayedMessage> {
        let mailbox = self.boxes.get(sae)?;
        loop {
            let arrived = mailbox.arrived.notified();
            if let Some(message) = mailbox.pop() {
                return Some(message);
            }
            arrived.await;
        }
    }
}

impl Mailbox {
    fn pop(&self) -> Option<RelayedMessage> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}
