//! The key store as the whole daemon shares it: one lock, one order of messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use qkd_bits::SecretBits;
use qkd_delivery::FetchRequest;
use qkd_keystore::{
    BlockId, DeliveredKey, Health, Input, KeyRequest, KeyStore, Output, RequestError, StoreMessage,
    StoreStatus,
};
use qkd_security::SecurityParameters;
use qkd_wire::link::LinkMessage;
use tokio::sync::{oneshot, watch};

use crate::link::{LinkEvent, LinkHandle};
use crate::status::StatusBoard;

/// The answer to a request for keys.
pub type KeyAnswer = Result<Vec<DeliveredKey>, RequestError>;

/// The key store, the link it talks through, and the requests that wait for the peer.
///
/// Every method may wait for the disk: call them from plain threads or `spawn_blocking` only.
pub struct KeyHub {
    inner: Mutex<Inner>,
    board: StatusBoard,
    key_bits_max: u64,
    changes: watch::Sender<()>,
    to_masters: AtomicU64,
    to_slaves: AtomicU64,
}

struct Inner {
    store: KeyStore,
    link: Option<LinkHandle>,
    waiting: HashMap<u64, oneshot::Sender<KeyAnswer>>,
    next_ticket: u64,
}

impl KeyHub {
    /// Shares `store`. Light is wanted as long as it holds less than `key_bits_max` bits.
    pub fn new(store: KeyStore, key_bits_max: u64, board: StatusBoard) -> Self {
        Self {
            inner: Mutex::new(Inner {
                store,
                link: None,
                waiting: HashMap::new(),
                next_ticket: 0,
            }),
            board,
            key_bits_max,
            changes: watch::Sender::new(()),
            to_masters: AtomicU64::new(0),
            to_slaves: AtomicU64::new(0),
        }
    }

    /// A link has come up: from now on the store talks through it.
    pub fn connect(&self, link: LinkHandle) {
        let mut inner = self.lock();
        inner.link = Some(link);
        self.handle(&mut inner, Input::Connected);
    }

    /// The link has gone down.
    pub fn disconnect(&self) {
        let mut inner = self.lock();
        self.handle(&mut inner, Input::Disconnected);
        inner.link = None;
    }

    /// A run of the protocol has begun at Alice: it spends `budget`, whatever becomes of it.
    pub fn begun(&self, budget: SecurityParameters) {
        self.handle(&mut self.lock(), Input::Begun { budget });
    }

    /// A block was distilled on this side.
    pub fn distilled(&self, block: BlockId, key: SecretBits, check: [u8; 8]) {
        self.handle(&mut self.lock(), Input::Distilled { block, key, check });
    }

    /// The peer's store said something.
    pub fn message(&self, message: StoreMessage) {
        self.handle(&mut self.lock(), Input::Message(message));
    }

    /// An application asks for keys of this side's share. The answer comes when the peer has
    /// acknowledged, or the link breaks.
    pub fn request(&self, request: KeyRequest) -> oneshot::Receiver<KeyAnswer> {
        let (answer, receiver) = oneshot::channel();
        let mut inner = self.lock();
        let ticket = inner.next_ticket;
        inner.next_ticket += 1;
        inner.waiting.insert(ticket, answer);
        self.handle(&mut inner, Input::Request { ticket, request });
        receiver
    }

    /// An application fetches keys that its partner `master` was given at the other side.
    ///
    /// # Errors
    /// As [`KeyStore::fetch_from`].
    pub fn fetch(&self, request: &FetchRequest) -> KeyAnswer {
        let FetchRequest {
            caller,
            master,
            key_ids,
        } = request;
        let answer = self.lock().store.fetch_from(caller, master, key_ids);
        count(&self.to_slaves, &answer);
        self.changes.send_replace(());
        answer
    }

    /// Keys handed out since the daemon started: to masters, and to slaves.
    pub fn delivered(&self) -> (u64, u64) {
        let keys = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (keys(&self.to_masters), keys(&self.to_slaves))
    }

    /// Changes whenever the store may have.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// What the store holds.
    pub fn status(&self) -> StoreStatus {
        self.lock().store.status()
    }

    /// Whether more keys are wanted.
    pub fn demand(&self) -> bool {
        let status = self.status();
        let stored = status.available_bits + status.peer_available_bits;
        status.health == Health::Sound && stored < self.key_bits_max
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|_poisoned| {
            // A thread panicked in the middle of a change: memory may be ahead of what is durable,
            // and a key could leave twice. Only opening the store again makes the two agree.
            tracing::error!("the key store broke down in the middle of a change: ending by force");
            std::process::exit(1)
        })
    }

    /// Messages leave in the order the store made them, because they are queued under its lock.
    fn handle(&self, inner: &mut Inner, input: Input) {
        let handled = inner.store.handle(input);
        self.changes.send_replace(());
        let outputs = match handled {
            Ok(outputs) => outputs,
            Err(error) => {
                tracing::error!(%error, "the key store refused an input");
                self.board.alarm(format!("key store: {error}"));
                if let Some(link) = &inner.link {
                    link.end(format!("the key store refused an input: {error}"));
                }
                return;
            }
        };
        for output in outputs {
            match output {
                Output::Send(message) => {
                    inner.tell_link(LinkEvent::Outgoing(LinkMessage::Store(message)));
                }
                Output::Committed {
                    block,
                    key_bits,
                    spent,
                } => {
                    tracing::info!(%block, key_bits, "block committed on this side");
                    inner.tell_link(LinkEvent::Committed { block, spent });
                }
                Output::Discarded { block, reason } => {
                    tracing::warn!(%block, %reason, "block discarded");
                    inner.tell_link(LinkEvent::Discarded { block, reason });
                }
                Output::Answer { ticket, result } => {
                    count(&self.to_masters, &result);
                    if let Some(waiting) = inner.waiting.remove(&ticket) {
                        // A caller that has gone away burns its keys: they are never given twice.
                        let _gone = waiting.send(result);
                    }
                }
                Output::Alarm(alarm) => {
                    tracing::error!(%alarm, "key store alarm");
                    self.board.alarm(format!("key store: {alarm}"));
                }
            }
        }
    }
}

fn count(delivered: &AtomicU64, answer: &KeyAnswer) {
    if let Ok(keys) = answer {
        delivered.fetch_add(keys.len() as u64, Ordering::Relaxed);
    }
}

impl Inner {
    fn tell_link(&self, event: LinkEvent) {
        if let Some(link) = &self.link {
            link.tell(event);
        }
    }
}
