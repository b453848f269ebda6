//! Sealed messages that wait for their applications, on disk until these acknowledge them.
//!
//! One thread writes: what came while it was at the disk goes there together, in order of arrival.
//! Nothing is ever dropped: a message is on disk and answered so, or refused.

mod records;
mod writer;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use qkd_keystore::{SaeId, StorageError};
use qkd_wire::link::{RelayOutcome, RelayedMessage};
use tokio::sync::{oneshot, watch};

use crate::fail_point::FailPoints;
use crate::room::RoomCheck;
use crate::status::StatusBoard;
use records::Records;
use writer::{NotDone, Task, Writer};

/// Messages and acknowledgements that may wait for the disk.
const TASKS_MAX: usize = 64;

/// Why an application cannot acknowledge, in words for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeFault {
    /// It has no mailbox here.
    #[error("`{0}` has no mailbox at this node")]
    NoMailbox(SaeId),
    /// It cannot have that message yet.
    #[error("message {number} is not there yet: the last one has number {last}")]
    Ahead {
        /// The number it acknowledged.
        number: u64,
        /// The number of its last message.
        last: u64,
    },
    /// The disk is slow: try again.
    #[error("messages come in faster than the disk takes them; acknowledge again")]
    Congested,
    /// The disk failed: try again.
    #[error("the acknowledgement is not known to be on disk; acknowledge again")]
    StorageFailed,
}

/// Why an application receives no further message.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveFault {
    /// The same application receives elsewhere.
    #[error("another receiver of the same application has taken over")]
    TakenOver,
    /// The messages cannot be read.
    #[error("the messages cannot be read: {0}")]
    Storage(#[from] StorageError),
}

/// The mailboxes of the applications at this node.
///
/// No method waits for the disk on the caller's thread.
pub struct Mailboxes {
    /// Whom to tell that something arrived, for each application.
    bells: Arc<HashMap<SaeId, watch::Sender<Bell>>>,
    records: Arc<Records>,
    /// Closed to end the writer.
    tasks: Option<SyncSender<Task>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What a receiver has to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bell {
    /// Number of the last message in the mailbox.
    last_number: u64,
    /// How many receivers there have been: only the last of them goes on.
    receivers: u64,
}

impl Mailboxes {
    /// Opens the file `path`, or makes it when there is none, with a mailbox for each application
    /// of `local`, which holds up to `bytes_max` bytes as long as `room` says that the disk has room.
    /// What goes wrong later is on the board.
    ///
    /// # Errors
    /// When the file cannot be used; the message says what to do.
    pub fn open(
        path: PathBuf,
        local: impl IntoIterator<Item = SaeId>,
        (bytes_max, room): (u64, RoomCheck),
        board: StatusBoard,
    ) -> Result<Self, StorageError> {
        let fail_points = FailPoints::default();
        Self::with_fail_points(path, local, (bytes_max, room), (board, fail_points))
    }

    /// As [`open`](Self::open), with points at which the mailboxes' thread kills the process.
    pub(crate) fn with_fail_points(
        path: PathBuf,
        local: impl IntoIterator<Item = SaeId>,
        limits: (u64, RoomCheck),
        (board, fail_points): (StatusBoard, FailPoints),
    ) -> Result<Self, StorageError> {
        let local: Vec<SaeId> = local.into_iter().collect();
        let (records, tallies) = Records::open(path, &local)?;
        let records = Arc::new(records);
        let bell = |(sae, last_number): (&SaeId, u64)| {
            let bell = Bell {
                last_number,
                receivers: 0,
            };
            (sae.clone(), watch::Sender::new(bell))
        };
        let bells: HashMap<_, _> = tallies.last_numbers().map(bell).collect();
        let bells = Arc::new(bells);
        let (tasks, receiver) = sync_channel(TASKS_MAX);
        let writer = Writer::new(records.clone(), tallies, bells.clone(), limits, board);
        let writer = writer.with(fail_points);
        let writer = std::thread::Builder::new()
            .name("mailboxes".into())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| StorageError {
                message: format!("the mailboxes' thread does not start: {error}"),
            })?;
        Ok(Self {
            bells,
            records,
            tasks: Some(tasks),
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Puts a message into its receiver's mailbox. `done` learns what became of it once it is on
    /// disk, or refused.
    pub fn put(&self, message: RelayedMessage, done: impl FnOnce(RelayOutcome) + Send + 'static) {
        let done = Box::new(done);
        self.queue(Task::Put { message, done });
    }

    /// Forgets the messages of `sae` up to and including `number`, durably, and returns how many
    /// are left.
    ///
    /// # Errors
    /// [`AcknowledgeFault`]; nothing is known to be forgotten then.
    pub async fn acknowledge(&self, sae: &SaeId, number: u64) -> Result<u64, AcknowledgeFault> {
        let (done, answer) = oneshot::channel();
        let task = Task::Acknowledge {
            sae: sae.clone(),
            number,
            done,
        };
        self.queue(task);
        answer.await.unwrap_or(Err(AcknowledgeFault::StorageFailed))
    }

    /// The messages of `sae` that it has not acknowledged, from the first one on. Whoever received
    /// them before does so no longer. `None` when it has no mailbox here.
    pub fn receive(&self, sae: &SaeId) -> Option<Receiver> {
        let bell = self.bells.get(sae)?;
        let mut turn = 0;
        bell.send_modify(|bell| {
            bell.receivers += 1;
            turn = bell.receivers;
        });
        Some(Receiver {
            sae: sae.clone(),
            records: self.records.clone(),
            bell: bell.subscribe(),
            turn,
            after: 0,
        })
    }

    /// Gives a task to the writer, or refuses it at once.
    fn queue(&self, task: Task) {
        let Some(tasks) = &self.tasks else {
            return task.refuse(NotDone::StorageFailed);
        };
        match tasks.try_send(task) {
            Ok(()) => {}
            Err(TrySendError::Full(task)) => task.refuse(NotDone::Congested),
            Err(TrySendError::Disconnected(task)) => task.refuse(NotDone::StorageFailed),
        }
    }
}

/// The file is closed when this returns.
impl Drop for Mailboxes {
    fn drop(&mut self) {
        drop(self.tasks.take());
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            // A panic in there has been printed.
            let _panicked = writer.join();
        }
    }
}

/// One application's messages, one after another.
pub struct Receiver {
    sae: SaeId,
    records: Arc<Records>,
    bell: watch::Receiver<Bell>,
    /// Which of its application's receivers it is.
    turn: u64,
    /// Number of the message it returned last.
    after: u64,
}

impl Receiver {
    /// The next message and its number, waiting for one.
    ///
    /// # Errors
    /// [`ReceiveFault`]; there is no further message then.
    pub async fn next(&mut self) -> Result<(u64, RelayedMessage), ReceiveFault> {
        loop {
            let (turn, after) = (self.turn, self.after);
            let notable = |bell: &Bell| bell.receivers != turn || bell.last_number > after;
            let Ok(bell) = self.bell.wait_for(notable).await.map(|bell| *bell) else {
                return Err(ReceiveFault::TakenOver);
            };
            if bell.receivers != self.turn {
                return Err(ReceiveFault::TakenOver);
            }
            match self.read().await? {
                Some((number, message)) => {
                    self.after = number;
                    return Ok((number, message));
                }
                // All of them have been acknowledged in the meantime.
                None => self.after = bell.last_number,
            }
        }
    }

    /// Ends when another receiver of the same application has begun.
    pub async fn taken_over(&self) {
        let turn = self.turn;
        // Mailboxes that are gone have no receiver either.
        let mut bell = self.bell.clone();
        let _gone = bell.wait_for(|bell| bell.receivers != turn).await;
    }

    async fn read(&self) -> Result<Option<(u64, RelayedMessage)>, StorageError> {
        let (records, sae, after) = (self.records.clone(), self.sae.clone(), self.after);
        let reading = tokio::task::spawn_blocking(move || records.next(&sae, after));
        reading.await.unwrap_or_else(|panicked| {
            Err(StorageError {
                message: format!("reading broke down: {panicked}"),
            })
        })
    }
}

#[cfg(test)]
mod tests;
