//! The thread that writes the mailboxes' file.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use qkd_keystore::{SaeId, StorageError};
use qkd_wire::link::{RelayOutcome, RelayedMessage};
use tokio::sync::{oneshot, watch};

use super::records::{Records, Tallies};
use super::{AcknowledgeFault, Bell};
use crate::fail_point::{FailPoints, MailStep, Moment};
use crate::room::RoomCheck;
use crate::status::StatusBoard;

/// Time between two attempts to open the file after a failure.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Distance of two looks at a disk that is nearly full.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What an operator is told meanwhile.
pub(super) const NO_ROOM: &str =
    "messages: the disk is nearly full: none are taken in until it has room";

/// What is to be made durable, and who is to learn of it.
pub(super) enum Task {
    /// A message has arrived.
    Put {
        message: RelayedMessage,
        done: Box<dyn FnOnce(RelayOutcome) + Send>,
    },
    /// An application has its messages up to `number`.
    Acknowledge {
        sae: SaeId,
        number: u64,
        done: oneshot::Sender<Result<u64, AcknowledgeFault>>,
    },
}

/// Why a task was not done.
#[derive(Debug, Clone, Copy)]
pub(super) enum NotDone {
    /// Too many wait already.
    Congested,
    /// It is not known to be on disk.
    StorageFailed,
}

impl Task {
    /// Tells whoever waits that it was not done.
    pub(super) fn refuse(self, why: NotDone) {
        match self {
            Task::Put { done, .. } => done(match why {
                NotDone::Congested => RelayOutcome::MailboxFull,
                NotDone::StorageFailed => RelayOutcome::StorageFailed,
            }),
            Task::Acknowledge { done, .. } => {
                // Who has gone away will acknowledge again.
                let _gone = done.send(Err(match why {
                    NotDone::Congested => AcknowledgeFault::Congested,
                    NotDone::StorageFailed => AcknowledgeFault::StorageFailed,
                }));
            }
        }
    }
}

/// What became of a task.
enum Done {
    Put(RelayOutcome),
    Acknowledge(Result<u64, AcknowledgeFault>),
}

/// The thread's own.
pub(super) struct Writer {
    records: Arc<Records>,
    tallies: Tallies,
    bells: Arc<HashMap<SaeId, watch::Sender<Bell>>>,
    bytes_max: u64,
    room: RoomCheck,
    has_room: bool,
    board: StatusBoard,
    /// When a write failed last, while the file is closed since.
    failed: Option<Instant>,
    fail_points: FailPoints,
}

impl Writer {
    pub(super) fn new(
        records: Arc<Records>,
        tallies: Tallies,
        bells: Arc<HashMap<SaeId, watch::Sender<Bell>>>,
        (bytes_max, room): (u64, RoomCheck),
        board: StatusBoard,
    ) -> Self {
        Self {
            records,
            tallies,
            bells,
            bytes_max,
            room,
            has_room: true,
            board,
            failed: None,
            fail_points: FailPoints::default(),
        }
    }

    /// With points at which this thread kills the process.
    pub(super) fn with(self, fail_points: FailPoints) -> Self {
        Self {
            fail_points,
            ..self
        }
    }

    /// Does tasks in order until nobody can give one, all that wait in one go: a commit takes as
    /// long for many as for one.
    pub(super) fn run(mut self, tasks: &Receiver<Task>) {
        loop {
            let first = match self.has_room {
                true => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => tasks.recv_timeout(LOOK_EVERY),
            };
            self.look_at_the_disk();
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let batch: Vec<Task> = std::iter::once(first).chain(tasks.try_iter()).collect();
            let steps = self.steps(&batch);
            self.fail_points.reach(Moment::Before, &steps);
            let result = self.open_again().and_then(|()| self.write(&batch));
            self.fail_points.reach(Moment::After, &steps);
            match result {
                Ok(done) => {
                    self.ring();
                    answer(batch, done);
                }
                Err(error) => {
                    self.fail(&error);
                    for task in batch {
                        task.refuse(NotDone::StorageFailed);
                    }
                }
            }
            self.fail_points.reach(Moment::Said, &steps);
        }
    }

    /// What is about to be made durable; nobody asks where no fail-point is armed.
    fn steps(&self, batch: &[Task]) -> Vec<MailStep> {
        if self.fail_points.is_empty() {
            return Vec::new();
        }
        let step = |task: &Task| match task {
            Task::Put { .. } => MailStep::Take,
            Task::Acknowledge { .. } => MailStep::Acknowledge,
        };
        batch.iter().map(step).collect()
    }

    /// A full disk is noticed before a write fails on it: then the file would be closed, and messages
    /// that wait could not be read either.
    fn look_at_the_disk(&mut self) {
        let has_room = (self.room)();
        if has_room == self.has_room {
            return;
        }
        self.has_room = has_room;
        if has_room {
            tracing::info!("the disk has room again: messages are taken in");
            self.board.withdraw(NO_ROOM);
        } else {
            tracing::error!("{NO_ROOM}");
            self.board.alarm(NO_ROOM.to_owned());
        }
    }

    fn write(&mut self, batch: &[Task]) -> Result<Vec<Done>, StorageError> {
        let mut tallies = self.tallies.clone();
        // What comes again is answered as it was, room or not.
        let bytes_max = if self.has_room { self.bytes_max } else { 0 };
        let done = self.records.change(|changes| {
            let each = batch.iter().map(|task| match task {
                Task::Put { message, .. } => {
                    changes.put(message, &mut tallies, bytes_max).map(Done::Put)
                }
                Task::Acknowledge { sae, number, .. } => changes
                    .acknowledge(sae, *number, &mut tallies)
                    .map(Done::Acknowledge),
            });
            each.collect()
        })?;
        self.tallies = tallies;
        Ok(done)
    }

    /// Opens the file again, when it was closed some time ago.
    fn open_again(&mut self) -> Result<(), StorageError> {
        let Some(failed) = self.failed else {
            return Ok(());
        };
        if failed.elapsed() < OPEN_AGAIN_AFTER {
            return Err(StorageError {
                message: "the message store is closed since a write failed".to_owned(),
            });
        }
        let local: Vec<SaeId> = self.bells.keys().cloned().collect();
        self.tallies = self.records.open_again(&local)?;
        self.failed = None;
        tracing::info!("the message store is open again");
        Ok(())
    }

    /// Whether a write that failed is on disk only the disk knows: it is asked at the next opening.
    fn fail(&mut self, error: &StorageError) {
        let early = self
            .failed
            .is_some_and(|at| at.elapsed() < OPEN_AGAIN_AFTER);
        if early {
            return;
        }
        self.records.close();
        self.failed = Some(Instant::now());
        tracing::error!(%error, "the message store failed");
        self.board.alarm(format!("messages: {error}"));
    }

    /// Tells the receivers what has come.
    fn ring(&self) {
        for (sae, last_number) in self.tallies.last_numbers() {
            if let Some(bell) = self.bells.get(sae) {
                bell.send_if_modified(|bell| {
                    let has_come = bell.last_number != last_number;
                    bell.last_number = last_number;
                    has_come
                });
            }
        }
    }
}

fn answer(batch: Vec<Task>, done: Vec<Done>) {
    for (task, done) in batch.into_iter().zip(done) {
        match (task, done) {
            (Task::Put { done, .. }, Done::Put(outcome)) => done(outcome),
            (Task::Acknowledge { done, .. }, Done::Acknowledge(result)) => {
                // Who has gone away will acknowledge again.
                let _gone = done.send(result);
            }
            // Each task has the outcome of its kind: `write` makes them in order.
            (Task::Put { .. }, Done::Acknowledge(_)) | (Task::Acknowledge { .. }, Done::Put(_)) => {
            }
        }
    }
}
