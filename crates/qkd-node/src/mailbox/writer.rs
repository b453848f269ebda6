//! The thread that writes the mailboxes' file.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use qkd_keystore::{SaeId, StorageError};
use qkd_wire::link::{RelayOutcome, RelayedMessage};
use tokio::sync::{oneshot, watch};

use super::records::{Records, Tallies};
use super::{AcknowledgeFault, Bell};
use crate::status::StatusBoard;

/// Time between two attempts to open the file after a failure.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    board: StatusBoard,
    /// When a write failed last, while the file is closed since.
    failed: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        records: Arc<Records>,
        tallies: Tallies,
        bells: Arc<HashMap<SaeId, watch::Sender<Bell>>>,
        bytes_max: u64,
        board: StatusBoard,
    ) -> Self {
        Self {
            records,
            tallies,
            bells,
            bytes_max,
            board,
            failed: None,
        }
    }

    /// Does tasks in order until nobody can give one, all that wait in one go: a commit takes as
    /// long for many as for one.
    pub(super) fn run(mut self, tasks: &Receiver<Task>) {
        while let Ok(first) = tasks.recv() {
            let batch: Vec<Task> = std::iter::once(first).chain(tasks.try_iter()).collect();
            let result = self.open_again().and_then(|()| self.write(&batch));
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
        }
    }

    fn write(&mut self, batch: &[Task]) -> Result<Vec<Done>, StorageError> {
        let mut tallies = self.tallies.clone();
        let bytes_max = self.bytes_max;
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
