//! The key store as the whole daemon shares it: one thread, one order of messages, one commit for
//! everything that waits.
//!
//! The thread owns the store. What came while it was at the disk goes there together, and nobody is
//! answered before it is durable; who only wants to know what the store holds never waits for the
//! disk.

mod keeper;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use qkd_bits::SecretBits;
use qkd_delivery::FetchRequest;
use qkd_keystore::{
    BlockId, DeliveredKey, Health, Input, KeyFetch, KeyRequest, KeyStore, RequestError,
    StoreMessage, StoreStatus,
};
use qkd_security::SecurityParameters;
use tokio::sync::{oneshot, watch};

use crate::fail_point::FailPoints;
use crate::link::LinkHandle;
pub use crate::room::RoomCheck;
use crate::status::StatusBoard;
use keeper::{Keeper, Task};

/// Inputs that may wait for the disk. The link waits when there are more; applications are refused.
const TASKS_MAX: usize = 1024;

/// The answer to a request for keys.
pub type KeyAnswer = Result<Vec<DeliveredKey>, RequestError>;

/// The way to the key store, to the link it talks through, and to the keys that wait for the peer.
pub struct KeyHub {
    /// Gone only while the hub is dropped.
    tasks: Option<SyncSender<Task>>,
    keeper: Option<JoinHandle<()>>,
    seen: Arc<Seen>,
    key_bits_max: u64,
}

/// What the thread shows of itself.
struct Seen {
    /// What the store held after the last commit.
    status: Mutex<StoreStatus>,
    changes: watch::Sender<()>,
    to_masters: AtomicU64,
    to_slaves: AtomicU64,
}

impl KeyHub {
    /// Shares `store`. Light is wanted as long as it holds less than `key_bits_max` bits, or one
    /// direction less than an eighth of that, and the disk has room, which `room` is asked once a
    /// second.
    ///
    /// # Errors
    /// When its thread does not start.
    pub fn new(
        store: KeyStore,
        key_bits_max: u64,
        room: RoomCheck,
        board: StatusBoard,
    ) -> std::io::Result<Self> {
        Self::with_fail_points(store, key_bits_max, (room, board), FailPoints::default())
    }

    /// As [`new`](Self::new), with points at which the store's thread kills the process.
    pub(crate) fn with_fail_points(
        store: KeyStore,
        key_bits_max: u64,
        (room, board): (RoomCheck, StatusBoard),
        fail_points: FailPoints,
    ) -> std::io::Result<Self> {
        let seen = Arc::new(Seen {
            status: Mutex::new(store.status()),
            changes: watch::Sender::new(()),
            to_masters: AtomicU64::new(0),
            to_slaves: AtomicU64::new(0),
        });
        let (tasks, receiver) = sync_channel(TASKS_MAX);
        let keeper = Keeper::new(store, room, board, seen.clone()).with(fail_points);
        let keeper = std::thread::Builder::new()
            .name("key store".into())
            .spawn(move || keeper.run(&receiver))?;
        Ok(Self {
            tasks: Some(tasks),
            keeper: Some(keeper),
            seen,
            key_bits_max,
        })
    }

    /// A link has come up: from now on the store talks through it. Waits while the queue is full.
    pub fn connect(&self, link: LinkHandle) {
        self.give(Task::Connect(link));
    }

    /// The link has gone down. Waits until the store knows.
    pub fn disconnect(&self) {
        self.give_and_wait(Task::Disconnect);
    }

    /// A run of the protocol has begun at Alice: it spends `budget`, whatever becomes of it. Waits
    /// until that is durable.
    pub fn begun(&self, budget: SecurityParameters) {
        self.give_and_wait(|done| Task::Begun { budget, done });
    }

    /// A block was distilled on this side. Waits while the queue is full.
    pub fn distilled(&self, block: BlockId, key: SecretBits, check: [u8; 8]) {
        self.give(Task::Input(Input::Distilled { block, key, check }));
    }

    /// The peer's store said something. Waits while the queue is full, and with it the link.
    pub fn message(&self, message: StoreMessage) {
        self.give(Task::Input(Input::Message(message)));
    }

    /// An application asks for keys of this side's share. The answer comes when the peer has
    /// acknowledged, or the link breaks. Waits for nothing.
    pub fn request(&self, request: KeyRequest) -> oneshot::Receiver<KeyAnswer> {
        self.ask(|answer| Task::Request { request, answer })
    }

    /// An application fetches keys that its partner `master` was given at the other side. The answer
    /// comes when it is durable that they are gone, with errors as of [`KeyStore::fetch`]. Waits for
    /// nothing.
    pub fn fetch(&self, request: FetchRequest) -> oneshot::Receiver<KeyAnswer> {
        let FetchRequest {
            caller,
            master,
            key_ids,
        } = request;
        let fetch = KeyFetch {
            caller,
            master: Some(master),
            key_ids,
        };
        self.ask(|answer| Task::Fetch { fetch, answer })
    }

    /// Keys handed out since the daemon started: to masters, and to slaves.
    pub fn delivered(&self) -> (u64, u64) {
        let keys = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (keys(&self.seen.to_masters), keys(&self.seen.to_slaves))
    }

    /// Changes whenever the store may have.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.seen.changes.subscribe()
    }

    /// What the store held after its last commit. Waits for nothing.
    pub fn status(&self) -> StoreStatus {
        // A status is replaced whole, so a panic cannot leave half of one.
        let status = self.seen.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether more keys are wanted.
    pub fn demand(&self) -> bool {
        wants_light(&self.status(), self.key_bits_max)
    }

    fn ask(&self, task: impl FnOnce(oneshot::Sender<KeyAnswer>) -> Task) -> Asked {
        let (answer, receiver) = oneshot::channel();
        let Some(tasks) = &self.tasks else {
            return receiver;
        };
        match tasks.try_send(task(answer)) {
            // The thread only ends with the hub, or with the process.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(task)) => task.refuse(RequestError::TooManyRequests),
        }
        receiver
    }

    fn give(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // The thread only ends with the hub, or with the process.
            let _gone = tasks.send(task);
        }
    }

    fn give_and_wait(&self, task: impl FnOnce(SyncSender<()>) -> Task) {
        let (done, receiver) = sync_channel(1);
        self.give(task(done));
        let _gone = receiver.recv();
    }
}

/// Whether a store that is to hold `key_bits_max` bits wants more: when it holds less, or when one
/// direction has less than a quarter of its half. Shares change hands as wholes only, so the other
/// direction cannot always help out.
fn wants_light(status: &StoreStatus, key_bits_max: u64) -> bool {
    let directions = [status.available_bits, status.peer_available_bits];
    let stored: u64 = directions.iter().sum();
    let is_low = |bits: &u64| *bits < key_bits_max / 2 / 4;
    status.health == Health::Sound
        && status.has_room
        && (stored < key_bits_max || directions.iter().any(is_low))
}

/// Where an answer comes.
type Asked = oneshot::Receiver<KeyAnswer>;

impl Drop for KeyHub {
    /// What was handed in becomes durable, and the store's file is closed.
    fn drop(&mut self) {
        drop(self.tasks.take());
        if let Some(keeper) = self.keeper.take() {
            // A panic in there has ended the process.
            let _panicked = keeper.join();
        }
    }
}

#[cfg(test)]
mod tests;
