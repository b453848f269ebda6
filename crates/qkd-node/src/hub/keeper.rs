//! The thread that owns the key store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use qkd_keystore::{Error, Input, KeyFetch, KeyRequest, KeyStore, Output, RequestError, Step};
use qkd_security::SecurityParameters;
use qkd_wire::link::LinkMessage;
use tokio::sync::oneshot;

use super::{KeyAnswer, RoomCheck, Seen};
use crate::fail_point::{FailPoints, Moment};
use crate::link::{LinkEvent, LinkHandle};
use crate::status::StatusBoard;

/// Inputs that share one commit at most: the more there are, the later the first one is answered.
const BATCH_MAX: usize = 256;

/// Distance of two looks at the clock and at the room on the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the store is to be told.
pub(super) enum Task {
    /// A link has come up.
    Connect(LinkHandle),
    /// It has gone down.
    Disconnect(SyncSender<()>),
    /// A run of the protocol has begun.
    Begun {
        budget: SecurityParameters,
        done: SyncSender<()>,
    },
    /// A block was distilled, or the peer said something.
    Input(Input),
    /// A master asks.
    Request {
        request: KeyRequest,
        answer: oneshot::Sender<KeyAnswer>,
    },
    /// A slave asks.
    Fetch {
        fetch: KeyFetch,
        answer: oneshot::Sender<KeyAnswer>,
    },
}

impl Task {
    /// Tells whoever waits for keys that there are none.
    pub(super) fn refuse(self, why: RequestError) {
        match self {
            Task::Request { answer, .. } | Task::Fetch { answer, .. } => {
                // Who has gone away needs no answer.
                let _gone = answer.send(Err(why));
            }
            Task::Connect(_) | Task::Disconnect(_) | Task::Begun { .. } | Task::Input(_) => {}
        }
    }
}

/// Who waits for keys.
enum Waiting {
    Master(oneshot::Sender<KeyAnswer>),
    Slave(oneshot::Sender<KeyAnswer>),
}

impl Waiting {
    fn has_gone(&self) -> bool {
        match self {
            Waiting::Master(answer) | Waiting::Slave(answer) => answer.is_closed(),
        }
    }
}

/// The thread's own.
pub(super) struct Keeper {
    store: KeyStore,
    room: RoomCheck,
    has_room: bool,
    board: StatusBoard,
    seen: Arc<Seen>,
    /// When this thread began, by a clock that only goes forward, and by the one on the wall.
    began: Instant,
    began_unix_s: u64,
    link: Option<LinkHandle>,
    waiting: HashMap<u64, Waiting>,
    next_ticket: u64,
    /// Who waits for no more than that the next commit is durable.
    witnesses: Vec<SyncSender<()>>,
    /// What the store refused since the last commit.
    refused: Vec<Error>,
    fail_points: FailPoints,
}

impl Keeper {
    pub(super) fn new(
        store: KeyStore,
        room: RoomCheck,
        board: StatusBoard,
        seen: Arc<Seen>,
    ) -> Self {
        Self {
            store,
            room,
            has_room: true,
            board,
            seen,
            began: Instant::now(),
            began_unix_s: unix_s(),
            link: None,
            waiting: HashMap::new(),
            next_ticket: 0,
            witnesses: Vec::new(),
            refused: Vec::new(),
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

    /// Takes tasks in order until nobody can give one, all that wait in one go: a commit takes about
    /// as long for many as for one.
    pub(super) fn run(mut self, tasks: &Receiver<Task>) {
        let _ends_by_force = EndsByForce;
        let mut looked: Option<Instant> = None;
        loop {
            let first = match tasks.recv_timeout(LOOK_EVERY) {
                Ok(task) => Some(task),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
                looked = Some(Instant::now());
                self.look_at_the_clock();
                self.look_at_the_disk();
            }
            self.look_for_who_has_gone();
            let batch = first.into_iter().chain(tasks.try_iter());
            for task in batch.take(BATCH_MAX) {
                self.take(task);
            }
            self.commit();
        }
    }

    /// The clock on the wall was read once, at the beginning: what is done to it later says nothing
    /// of how long a key has waited.
    fn look_at_the_clock(&mut self) {
        let unix_s = self.began_unix_s + self.began.elapsed().as_secs();
        self.stage(Input::Time { unix_s });
    }

    /// A full disk is noticed before a write fails on it, because after that the store is sealed.
    fn look_at_the_disk(&mut self) {
        let is_there = (self.room)();
        if is_there == self.has_room {
            return;
        }
        self.has_room = is_there;
        self.stage(Input::Room { is_there });
        let alarm = "key store: the disk is nearly full: no keys are taken in until it has room";
        if is_there {
            tracing::info!("the disk has room again: keys are taken in");
            self.board.withdraw(alarm);
        } else {
            tracing::error!("{alarm}");
            self.board.alarm(alarm.to_owned());
        }
    }

    fn take(&mut self, task: Task) {
        match task {
            // What was said before belongs to the link before.
            Task::Connect(link) => {
                self.commit();
                self.link = Some(link);
                self.stage(Input::Connected);
            }
            Task::Disconnect(done) => {
                self.commit();
                self.stage(Input::Disconnected);
                self.commit();
                self.link = None;
                // Who does not wait any more need not be told.
                let _gone = done.send(());
            }
            Task::Begun { budget, done } => {
                self.stage(Input::Begun { budget });
                // Most runs spend what was written down ahead.
                if self.store.is_spending_durable() {
                    // Who does not wait any more need not be told.
                    let _gone = done.send(());
                } else {
                    self.witnesses.push(done);
                }
            }
            Task::Input(input) => self.stage(input),
            // Keys that nobody would get are not burnt.
            Task::Request { answer, .. } | Task::Fetch { answer, .. } if answer.is_closed() => {}
            Task::Request { request, answer } => {
                let ticket = self.ticket(Waiting::Master(answer));
                self.stage(Input::Request { ticket, request });
            }
            Task::Fetch { fetch, answer } => {
                let ticket = self.ticket(Waiting::Slave(answer));
                self.stage(Input::Fetch { ticket, fetch });
            }
        }
    }

    /// Whoever has gone while the peer was asked is given no keys.
    fn look_for_who_has_gone(&mut self) {
        let waiting = self.waiting.iter();
        let gone = waiting.filter(|(_, who)| who.has_gone());
        let gone: Vec<u64> = gone.map(|(&ticket, _)| ticket).collect();
        for ticket in gone {
            self.waiting.remove(&ticket);
            self.stage(Input::Abandoned { ticket });
        }
    }

    fn ticket(&mut self, who: Waiting) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, who);
        ticket
    }

    fn stage(&mut self, input: Input) {
        if let Err(error) = self.store.stage(input) {
            self.refused.push(error);
        }
    }

    /// Makes durable what was staged, and only then does what comes of it.
    fn commit(&mut self) {
        let steps = self.steps();
        self.fail_points.reach(Moment::Before, &steps);
        let outputs = self.store.commit();
        if self.fail_points.reach(Moment::After, &steps) {
            self.store.alter();
        }
        let status = self.store.status();
        *(self.seen.status.lock()).unwrap_or_else(PoisonError::into_inner) = status;
        for output in outputs {
            self.perform(output);
        }
        for error in std::mem::take(&mut self.refused) {
            tracing::error!(%error, "the key store refused an input");
            self.board.alarm(format!("key store: {error}"));
            if let Some(link) = &self.link {
                link.end(format!("the key store refused an input: {error}"));
            }
        }
        for witness in self.witnesses.drain(..) {
            // Who does not wait any more need not be told.
            let _gone = witness.send(());
        }
        self.seen.changes.send_replace(());
        self.fail_points.reach(Moment::Said, &steps);
    }

    /// What the next commit makes durable; nobody asks where no fail-point is armed.
    fn steps(&self) -> Vec<Step> {
        if self.fail_points.is_empty() {
            return Vec::new();
        }
        self.store.staged_steps().to_vec()
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send(message) => {
                self.tell_link(LinkEvent::Outgoing(LinkMessage::Store(message)));
            }
            Output::Committed {
                block,
                key_bits,
                spent,
            } => {
                tracing::info!(%block, key_bits, "block committed on this side");
                self.tell_link(LinkEvent::Committed { block, spent });
            }
            Output::Discarded { block, reason } => {
                tracing::warn!(%block, %reason, "block discarded");
                self.tell_link(LinkEvent::Discarded { block, reason });
            }
            Output::Answer { ticket, result } => self.answer(ticket, result),
            Output::Alarm(alarm) => {
                tracing::error!(%alarm, "key store alarm");
                self.board.alarm(format!("key store: {alarm}"));
            }
        }
    }

    /// A caller that has gone away burns its keys: they are never given twice.
    fn answer(&mut self, ticket: u64, result: KeyAnswer) {
        let (counter, answer) = match self.waiting.remove(&ticket) {
            Some(Waiting::Master(answer)) => (&self.seen.to_masters, answer),
            Some(Waiting::Slave(answer)) => (&self.seen.to_slaves, answer),
            None => return,
        };
        count(counter, &result);
        let _gone = answer.send(result);
    }

    fn tell_link(&self, event: LinkEvent) {
        if let Some(link) = &self.link {
            link.tell(event);
        }
    }
}

/// Seconds since 1970 by the clock on the wall; 0 when it stands before.
fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn count(delivered: &AtomicU64, answer: &KeyAnswer) {
    if let Ok(keys) = answer {
        delivered.fetch_add(keys.len() as u64, Ordering::Relaxed);
    }
}

/// A thread that panics in the middle of a change leaves memory ahead of what is durable, and a key
/// could leave twice. Only opening the store again makes the two agree.
struct EndsByForce;

impl Drop for EndsByForce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the key store broke down in the middle of a change: ending by force");
            std::process::exit(1);
        }
    }
}

#[cfg(test)]
mod tests;
