//! The engine: inputs in, one durable commit for all of them, outputs out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qkd_bits::{SecretBytes, SecretRng};
use qkd_security::Spent;

use crate::compare::Comparisons;
use crate::expiry::Clock;
use crate::id::Names;
use crate::material::Block;
use crate::pool::Pool;
use crate::record::{AbandonedRecord, KeyRecord, Ledger, Place};
use crate::wrap::Vault;
use crate::{
    Alarm, Assignment, BlockId, Change, CheckValue, Error, Health, Input, KeyId, Output,
    RequestError, SaeId, Side, Step, Storage, StorageError, StoreLimits, StoreMessage, StoreStatus,
};

/// Discarded blocks that are remembered, so that a late half of one finds no partner.
const REFUSED_MAX: usize = 1024;

/// Runs that are written down together, before the first of them: a process that is killed has
/// counted fewer than so many too many.
pub(crate) const RUNS_RESERVED: u64 = 64;

/// Characters of a peer's words that are repeated in an error or kept.
pub(crate) const WORDS_MAX: usize = 200;

/// One side's keys and their life.
///
/// Inputs change memory first ([`stage`](Self::stage)), then storage, all of them in one commit, and
/// only then are their outputs returned ([`commit`](Self::commit)). When the commit fails the store
/// seals itself: what memory holds is never used again, and opening the store reads what storage
/// kept: all of those inputs or none.
pub struct KeyStore {
    pub(crate) side: Side,
    pub(crate) limits: StoreLimits,
    pub(crate) rng: SecretRng,
    pub(crate) vault: Vault,
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) health: Health,
    pub(crate) link: Link,
    pub(crate) ledger: Ledger,
    pub(crate) stored_ledger: Ledger,
    /// What the pair has spent; in the ledger stands this and what Alice has reserved ahead.
    pub(crate) spent: Spent,
    /// What the next commit makes durable, besides the ledger and the blocks that changed.
    pub(crate) changes: Vec<Change>,
    /// What may be said and done once that commit is durable.
    pub(crate) staged: Vec<Output>,
    /// The kinds of change that it makes durable.
    pub(crate) steps: Vec<Step>,
    /// Chain values that the peer may still stand at, by number of commits (Alice).
    pub(crate) chain: BTreeMap<u64, [u8; 32]>,
    /// Committed blocks that still hold material.
    pub(crate) pool: Pool,
    /// Durable and in doubt (Bob), or distilled and waiting for Bob (Alice, in memory only).
    pub(crate) undecided: BTreeMap<BlockId, Block>,
    /// Prepared at Bob and not yet distilled here (Alice).
    pub(crate) prepared_at_peer: BTreeMap<BlockId, CheckValue>,
    pub(crate) refused: VecDeque<BlockId>,
    /// Blocks that Bob's operator gave up, until both sides know.
    pub(crate) abandoned: BTreeMap<BlockId, AbandonedRecord>,
    /// Assignments made here that the peer has not settled.
    pub(crate) unsettled: BTreeMap<u64, Unsettled>,
    /// Keys of the peer's share that wait here for their slave application.
    pub(crate) keys: BTreeMap<KeyId, KeyRecord>,
    /// How many of them each master has.
    pub(crate) unfetched: BTreeMap<SaeId, u32>,
    /// The names of applications that these have.
    pub(crate) names: Names,
    /// The same keys by the time at which they came.
    pub(crate) waiting_since: BTreeSet<(u64, KeyId)>,
    /// The time, as far as it was told.
    pub(crate) clock: Clock,
    /// Whether it was, since this store was opened.
    pub(crate) is_clock_told: bool,
    /// Keys that nobody fetched in time, since this store was opened.
    pub(crate) expired: u64,
    /// Whether the disk has room for more.
    pub(crate) has_room: bool,
    /// Blocks of which this side gave its share up, until it hears that the peer has it.
    pub(crate) giving: BTreeSet<BlockId>,
    /// How far comparing with the peer's store has come.
    pub(crate) comparisons: Comparisons,
    /// Commits that storage made durable, since this store was opened.
    pub(crate) durable_commits: u64,
}

/// The connection to the peer's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is none.
    Down,
    /// Ours is said, the peer's [`Resume`](crate::Resume) is awaited.
    Resuming,
    /// Both histories agree.
    Ready,
}

/// An assignment made here.
pub(crate) struct Unsettled {
    /// Who waits for the answer; nobody when the assignment is void.
    pub(crate) ticket: Option<u64>,
    pub(crate) assignment: Assignment,
}

impl KeyStore {
    /// Takes one input, makes what it changed durable, and returns what is to be done about it, in
    /// order: [`stage`](Self::stage) and [`commit`](Self::commit).
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    pub fn handle(&mut self, input: Input) -> Result<Vec<Output>, Error> {
        self.stage(input)?;
        Ok(self.commit())
    }

    /// Takes one input without making it durable: until [`commit`](Self::commit) has, nothing that
    /// comes of it is told to anybody.
    ///
    /// # Errors
    /// When the peer or the caller broke a rule ([`Error`]); this input changed nothing then, and
    /// those staged before it are as they were.
    pub fn stage(&mut self, input: Input) -> Result<(), Error> {
        let mut outputs = Vec::new();
        if self.health != Health::Sound {
            self.stage_sealed(input, &mut outputs)?;
            self.staged.append(&mut outputs);
            return Ok(());
        }
        match input {
            Input::Connected => self.connected(&mut outputs)?,
            Input::Disconnected => {
                self.forget_unsaid();
                self.disconnected(&mut outputs);
            }
            Input::Begun { budget } => self.begun(&budget),
            Input::Time { unix_s } => self.time(unix_s),
            Input::Room { is_there } => self.has_room = is_there,
            Input::Distilled { block, key, check } => {
                self.distilled(block, key, check, &mut outputs)?;
            }
            Input::Message(message) => self.receive(message, &mut outputs)?,
            Input::Request { ticket, request } => self.request(ticket, request, &mut outputs),
            Input::Abandoned { ticket } => self.abandoned(ticket, &mut outputs),
            Input::Fetch { ticket, fetch } => {
                let result = self.stage_fetch(&fetch);
                outputs.push(Output::Answer { ticket, result });
            }
        }
        self.rebalance(&mut outputs);
        self.compare(&mut outputs);
        self.staged.append(&mut outputs);
        Ok(())
    }

    /// What the next [`commit`](Self::commit) makes durable, by name and in order. For tests that kill
    /// a process before or after it.
    pub fn staged_steps(&self) -> &[Step] {
        &self.steps
    }

    /// Makes everything staged durable at once and returns what is to be done about it, in order.
    ///
    /// A failing storage seals the store: of all that was staged nothing is done, this call returns
    /// [`Alarm::StorageFailed`] and refuses every open request; later inputs are [`Error::Sealed`].
    pub fn commit(&mut self) -> Vec<Output> {
        let staged = std::mem::take(&mut self.staged);
        match self.make_durable() {
            Ok(()) => staged,
            Err(error) => self.refuse_open_requests(error, staged),
        }
    }

    /// What the store holds.
    pub fn status(&self) -> StoreStatus {
        let free = |side| self.pool.free_bytes(side) * 8;
        let pending = self.unsettled.values().filter(|u| u.ticket.is_some());
        let deliverable_bits = match self.health {
            Health::Sound => free(self.side),
            // Memory may hold what never became durable; none of it leaves.
            Health::Sealed | Health::Quarantined { .. } => 0,
        };
        StoreStatus {
            side: self.side,
            health: self.health.clone(),
            peer_ready: self.link == Link::Ready,
            boot_epoch: self.ledger.boot_epoch,
            commits: self.ledger.commits,
            spent: self.spent,
            commits_uncounted: self.ledger.commits_uncounted,
            committed_blocks: self.pool.len(),
            undecided_blocks: self.undecided.len() as u64,
            available_bits: free(self.side),
            peer_available_bits: free(self.side.peer()),
            stored_key_count: deliverable_bits / u64::from(self.limits.key_size_bits),
            assigned_count: self.keys.len() as u64,
            expired_count: self.expired,
            compared_bytes: self.comparisons.equal_bytes,
            differing_blocks: self.comparisons.differing_blocks,
            pending_requests: pending.count() as u64,
            has_room: self.has_room,
            durable_commits: self.durable_commits,
        }
    }

    /// Whether all that runs have spent is durable already: then nobody who began one need wait for
    /// the next commit.
    pub fn is_spending_durable(&self) -> bool {
        self.ledger.spent_max == self.stored_ledger.spent_max
    }

    /// The limits this store was opened with.
    pub fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    fn stage_sealed(&mut self, input: Input, outputs: &mut Vec<Output>) -> Result<(), Error> {
        match input {
            Input::Request { ticket, .. } | Input::Fetch { ticket, .. } => {
                outputs.push(Output::Answer {
                    ticket,
                    result: Err(RequestError::Sealed),
                });
            }
            // The owner need not wait for a store that will not answer.
            Input::Message(StoreMessage::Assign(assignment)) => {
                outputs.push(Output::Send(StoreMessage::AssignRefused {
                    id: assignment.id,
                    reason: RequestError::Sealed.to_string(),
                }));
            }
            Input::Disconnected => {
                self.forget_unsaid();
                self.link = Link::Down;
            }
            // A peer that missed it must hear it: its own store may be the restored one.
            Input::Connected if !self.ledger.quarantine.is_empty() => {
                let reason = self.ledger.quarantine.clone();
                outputs.push(Output::Send(StoreMessage::Quarantine { reason }));
            }
            // No key comes of it, for certain: that is as ideal as can be, and spends nothing.
            Input::Begun { .. } | Input::Time { .. } | Input::Room { .. } => {}
            // Whoever waited was answered when the store was sealed.
            Input::Abandoned { .. } => {}
            Input::Connected | Input::Distilled { .. } | Input::Message(_) => {
                return Err(Error::Sealed);
            }
        }
        Ok(())
    }

    /// A link has ended before what was staged for it could be said. It must not be said on the next.
    fn forget_unsaid(&mut self) {
        self.staged.retain(|output| match output {
            Output::Send(_) => false,
            Output::Committed { .. }
            | Output::Discarded { .. }
            | Output::Answer { .. }
            | Output::Alarm(_) => true,
        });
    }

    /// Refuses all requests that wait for the peer. Their assignments stay recorded and become
    /// void when the store is opened again.
    fn answer_waiting_sealed(&mut self) -> Vec<Output> {
        let waiting = self.unsettled.values_mut().filter_map(|u| u.ticket.take());
        let answer = |ticket| Output::Answer {
            ticket,
            result: Err(RequestError::Sealed),
        };
        waiting.map(answer).collect()
    }

    fn receive(&mut self, message: StoreMessage, outputs: &mut Vec<Output>) -> Result<(), Error> {
        let misbehaved = |message, rule| Err(Error::PeerMisbehaved { message, rule });
        match (self.link, &message) {
            (Link::Down, _) => {
                return Err(Error::Link("a message came while no peer was connected"));
            }
            (Link::Resuming, StoreMessage::Resume(_) | StoreMessage::Quarantine { .. }) => {}
            (Link::Resuming, _) => {
                return misbehaved(
                    message.name(),
                    "Resume is the first message of a connection",
                );
            }
            (Link::Ready, StoreMessage::Resume(_)) => {
                return misbehaved("Resume", "it is sent once per connection");
            }
            (Link::Ready, _) => {}
        }
        match (self.side, message) {
            (_, StoreMessage::Resume(resume)) => self.resume(&resume, outputs),
            (Side::Alice, StoreMessage::Prepared { block, check }) => {
                self.peer_prepared(block, check, outputs)
            }
            (Side::Alice, StoreMessage::Committed { index, .. }) => self.peer_committed(index),
            (
                Side::Bob,
                StoreMessage::Commit {
                    block,
                    index,
                    chain,
                    spent,
                },
            ) => self.peer_decided(block, (index, chain), spent, outputs),
            (Side::Alice, StoreMessage::Commit { .. }) => {
                misbehaved("Commit", "only Alice decides")
            }
            (Side::Bob, StoreMessage::Prepared { .. }) => {
                misbehaved("Prepared", "only Bob prepares")
            }
            (Side::Bob, StoreMessage::Committed { .. }) => {
                misbehaved("Committed", "only Bob acknowledges a commit")
            }
            (_, StoreMessage::Discard { block, reason }) => {
                self.peer_discarded(block, reason, outputs)
            }
            (_, StoreMessage::Assign(assignment)) => {
                self.peer_assigned(assignment, outputs);
                Ok(())
            }
            (_, StoreMessage::AssignAccepted { id }) => self.peer_accepted(id, outputs),
            (_, StoreMessage::AssignRefused { id, reason }) => {
                self.peer_refused(id, &reason, outputs)
            }
            (_, StoreMessage::Void(assignment)) => self.peer_voided(&assignment, outputs),
            (_, StoreMessage::VoidAccepted { id }) => self.peer_accepted_void(id),
            (_, StoreMessage::Give { block }) => self.peer_gave(block, outputs),
            (_, StoreMessage::Taken { block }) => self.peer_took(block),
            (_, StoreMessage::Compare(comparison)) => self.peer_compares(&comparison, outputs),
            (_, StoreMessage::Compared { id, is_equal }) => {
                self.peer_compared(id, is_equal, outputs)
            }
            (_, StoreMessage::Quarantine { reason }) => {
                let words: String = reason.chars().take(WORDS_MAX).collect();
                self.quarantine(format!("the peer found: {words}"), outputs);
                Ok(())
            }
        }
    }

    /// Makes all collected changes durable at once.
    pub(crate) fn make_durable(&mut self) -> Result<(), StorageError> {
        let vault = &self.vault;
        let states = self.pool.take_dirty();
        let puts = states.map(|(id, block)| Place::Block(id).put(vault, block.record().encode()));
        self.changes.extend(puts);
        if self.ledger != self.stored_ledger || self.stored_ledger.clock.is_outdated(self.clock) {
            self.ledger.clock = self.clock;
            let put = Place::Ledger.put(&self.vault, self.ledger.encode());
            self.changes.push(put);
            self.stored_ledger = self.ledger.clone();
        }
        let changes = std::mem::take(&mut self.changes);
        self.steps.clear();
        if changes.is_empty() {
            return Ok(());
        }
        // A second attempt on the same handle could succeed without making the first one's pages
        // durable, so there is none.
        self.storage
            .commit(&changes)
            .inspect_err(|_| self.health = Health::Sealed)?;
        self.durable_commits += 1;
        Ok(())
    }

    /// After a failed commit nothing that relied on it may leave, least of all a key.
    pub(crate) fn refuse_open_requests(
        &mut self,
        error: StorageError,
        outputs: Vec<Output>,
    ) -> Vec<Output> {
        let mut refused = vec![Output::Alarm(Alarm::StorageFailed(error))];
        for output in outputs {
            match output {
                Output::Answer { ticket, .. } => refused.push(Output::Answer {
                    ticket,
                    result: Err(RequestError::Sealed),
                }),
                Output::Send(_)
                | Output::Committed { .. }
                | Output::Discarded { .. }
                | Output::Alarm(_) => {}
            }
        }
        refused.extend(self.answer_waiting_sealed());
        refused
    }

    /// Seals the store for good: the two histories contradict each other. The way out is an
    /// operator's: [`begin_history`](crate::begin_history) on both sides.
    pub(crate) fn quarantine(&mut self, reason: String, outputs: &mut Vec<Output>) {
        self.ledger.quarantine.clone_from(&reason);
        self.steps.push(Step::Quarantine);
        self.health = Health::Quarantined {
            reason: reason.clone(),
        };
        outputs.push(Output::Send(StoreMessage::Quarantine {
            reason: reason.clone(),
        }));
        outputs.push(Output::Alarm(Alarm::Quarantined { reason }));
        outputs.extend(self.answer_waiting_sealed());
    }

    /// Remembers that a block came to nothing.
    pub(crate) fn remember_refused(&mut self, block: BlockId) {
        if self.refused.len() == REFUSED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back(block);
    }

    /// Removes a block when nothing of it is needed any more; its wrapped data key goes with it.
    pub(crate) fn retire_if_exhausted(&mut self, id: BlockId) {
        if self.pool.retire(&id) {
            self.changes.push(Place::Material(id).delete());
            self.changes.push(Place::Block(id).delete());
        }
    }

    /// Bytes of material here, decided or not.
    pub(crate) fn material_bytes(&self) -> u64 {
        // Few blocks are undecided at any time, by a limit.
        let undecided = self.undecided.values();
        let undecided: u64 = undecided.map(|block| block.material().len() as u64).sum();
        self.pool.material_bytes() + undecided
    }

    /// The blocks' material under `ranges`, joined and wiped from the blocks, which are released.
    pub(crate) fn take_key(&mut self, ranges: &[crate::KeyRange]) -> SecretBytes {
        let bytes: usize = ranges.iter().map(|range| range.bytes as usize).sum();
        let mut key = SecretBytes::from(vec![0; bytes]);
        let mut rest = key.expose_mut();
        for range in ranges {
            let (piece, tail) = rest.split_at_mut(range.bytes as usize);
            rest = tail;
            // A range of a live key holds its block, which therefore exists.
            self.pool.change(&range.block, |block| {
                block.take(range, piece);
                block.release();
            });
        }
        key
    }
}
