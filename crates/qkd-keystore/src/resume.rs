//! Every connection begins with a comparison of the two histories.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{AssignmentRecord, Place, chain_start};
use crate::store::{KeyStore, Link};
use crate::{
    BlockId, DiscardReason, Error, InDoubt, Output, RequestError, Resume, Side, Step, StoreMessage,
};

/// Blocks in doubt that a peer may name. Not a limit of the store's own: Bob may have been opened
/// with a lower one since.
const IN_DOUBT_MAX: usize = 1 << 16;

impl KeyStore {
    /// A link begins: say where this store stands.
    pub(crate) fn connected(&mut self, outputs: &mut Vec<Output>) -> Result<(), Error> {
        if self.link != Link::Down {
            return Err(Error::Link(
                "a second connection began before the first ended",
            ));
        }
        self.link = Link::Resuming;
        let in_doubt = match self.side {
            Side::Alice => Vec::new(),
            Side::Bob => self
                .undecided
                .iter()
                .map(|(&block, state)| InDoubt {
                    block,
                    check: state.record().check,
                })
                .collect(),
        };
        let resume = Resume {
            boot_epoch: self.ledger.boot_epoch,
            boot_id: self.ledger.boot_id,
            commits: self.ledger.commits,
            chain: self.ledger.chain,
            spent: self.spent,
            last_assigned: self.ledger.last_assigned,
            last_confirmed: self.ledger.last_confirmed,
            last_accepted: self.ledger.last_accepted,
            in_doubt,
            abandoned: self.abandoned_unsettled(),
        };
        outputs.push(Output::Send(StoreMessage::Resume(Box::new(resume))));
        Ok(())
    }

    /// The link ended: whoever waits for the peer is told, and the bits are burnt.
    pub(crate) fn disconnected(&mut self, outputs: &mut Vec<Output>) {
        self.link = Link::Down;
        self.release_reserved();
        self.prepared_at_peer.clear();
        self.comparisons.interrupted();
        let pending: Vec<u64> = self
            .unsettled
            .iter()
            .filter(|(_, unsettled)| unsettled.ticket.is_some())
            .map(|(&id, _)| id)
            .collect();
        for id in pending {
            self.void(id, RequestError::PeerUnavailable, outputs);
        }
    }

    /// The peer says where it stands.
    pub(crate) fn resume(
        &mut self,
        theirs: &Resume,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        if theirs.in_doubt.len().max(theirs.abandoned.len()) > IN_DOUBT_MAX {
            return Err(Error::PeerMisbehaved {
                message: "Resume",
                rule: "it names more than 65,536 blocks in doubt or abandoned",
            });
        }
        if self.side == Side::Alice {
            self.check_abandoned(theirs)?;
        }
        let contradiction = self
            .contradiction(theirs)
            .or_else(|| self.chain_contradiction(theirs));
        if let Some(reason) = contradiction {
            self.quarantine(reason.to_owned(), outputs);
            return Ok(());
        }
        self.ledger.peer_boot_epoch = theirs.boot_epoch;
        self.ledger.peer_boot_id = theirs.boot_id;
        self.steps.push(Step::Resume);
        self.account_told(theirs.spent);
        self.link = Link::Ready;
        match self.side {
            Side::Alice => self.resolve(theirs, outputs),
            Side::Bob => {}
        }
        let voids = self.unsettled.values().map(|u| u.assignment.clone());
        outputs.extend(voids.map(|void| Output::Send(StoreMessage::Void(void))));
        let gives = self.giving.iter();
        outputs.extend(gives.map(|&block| Output::Send(StoreMessage::Give { block })));
        Ok(())
    }

    /// Turns a pending assignment into a void one and answers whoever waits for it.
    pub(crate) fn void(&mut self, id: u64, error: RequestError, outputs: &mut Vec<Output>) {
        let Some(unsettled) = self.unsettled.get_mut(&id) else {
            return;
        };
        let ticket = unsettled.ticket.take();
        let assignment = unsettled.assignment.clone();
        for key in &assignment.keys {
            // Taken only to be wiped.
            drop(self.take_key(&key.ranges));
        }
        self.retire_blocks_of(&assignment);
        let record = AssignmentRecord {
            void: true,
            assignment,
        };
        let put = Place::Assignment(id).put(&self.vault, record.encode());
        self.steps.push(Step::Void);
        self.changes.push(put);
        outputs.extend(ticket.map(|ticket| Output::Answer {
            ticket,
            result: Err(error),
        }));
    }

    /// What can only be explained by a store that was restored, copied or altered.
    fn contradiction(&self, theirs: &Resume) -> Option<&'static str> {
        let ours = &self.ledger;
        let same_boot = theirs.boot_epoch == ours.peer_boot_epoch;
        let cases = [
            (
                theirs.boot_epoch < ours.peer_boot_epoch,
                "the peer's boot epoch went back: its store was restored from an older copy",
            ),
            (
                same_boot && theirs.boot_id != ours.peer_boot_id,
                "the peer's boot epoch came twice: its store was copied or restored",
            ),
            (
                theirs.last_accepted < ours.last_confirmed,
                "the peer has forgotten keys that it had accepted",
            ),
            (
                theirs.last_assigned < ours.last_accepted,
                "the peer has forgotten keys that it had assigned",
            ),
            (
                theirs.last_accepted > ours.last_assigned,
                "the peer accepted keys that were never assigned here: this store was restored",
            ),
            (
                theirs.last_confirmed > ours.last_accepted,
                "the peer delivered keys that were never accepted here: this store was restored",
            ),
        ];
        cases.into_iter().find_map(|(is, why)| is.then_some(why))
    }

    fn chain_contradiction(&self, theirs: &Resume) -> Option<&'static str> {
        if theirs.commits == self.ledger.commits {
            return (theirs.chain != self.ledger.chain).then_some(match theirs.commits {
                0 => "the keys of one side were discarded, and not those of the other: both begin the same history",
                _ => "the two sides committed different blocks",
            });
        }
        match self.side {
            Side::Bob if theirs.commits < self.ledger.commits => {
                Some("Alice has forgotten blocks that she had committed")
            }
            Side::Bob => {
                let prepared = self.undecided.len() + self.abandoned.len();
                (theirs.commits - self.ledger.commits > prepared as u64)
                    .then_some("Alice committed blocks that are not prepared here")
            }
            Side::Alice if theirs.commits > self.ledger.commits => {
                Some("Bob committed blocks that were never committed here")
            }
            Side::Alice => {
                let expected = match theirs.commits {
                    0 => Some(chain_start(self.ledger.history)),
                    commits => self.chain.get(&commits).copied(),
                };
                if expected != Some(theirs.chain) {
                    return Some("Bob stands at a commit that is not one of ours");
                }
                let prepared: BTreeSet<BlockId> = (theirs.in_doubt.iter())
                    .map(|doubt| doubt.block)
                    .chain(theirs.abandoned.iter().copied())
                    .collect();
                let unconfirmed: BTreeMap<u64, BlockId> = self.unconfirmed(theirs.commits);
                let is_missing = |index| {
                    let block = unconfirmed.get(&index);
                    block.is_none_or(|block| !prepared.contains(block))
                };
                (theirs.commits + 1..=self.ledger.commits)
                    .any(is_missing)
                    .then_some("Bob has forgotten blocks that he had prepared or committed")
            }
        }
    }

    /// Alice: commits that Bob has not confirmed, abandoned ones too.
    fn unconfirmed(&self, confirmed: u64) -> BTreeMap<u64, BlockId> {
        let abandoned = self
            .abandoned
            .iter()
            .map(|(&id, record)| (record.index, id));
        let abandoned = abandoned.filter(|&(index, _)| index > confirmed);
        self.pool.after(confirmed).chain(abandoned).collect()
    }

    /// Alice: every block in doubt gets its decision, and every block that only one side has is
    /// discarded.
    fn resolve(&mut self, theirs: &Resume, outputs: &mut Vec<Output>) {
        self.forget_chain_before(theirs.commits);
        self.forget_abandoned_until(theirs.commits);
        self.void_abandoned(&theirs.abandoned, outputs);
        for (index, block) in self.unconfirmed(theirs.commits) {
            // Present for every commit that Bob has not confirmed.
            if let Some(&chain) = self.chain.get(&index) {
                outputs.push(Output::Send(StoreMessage::Commit {
                    block,
                    index,
                    chain,
                    spent: self.spent,
                }));
            }
        }
        let in_doubt: BTreeSet<BlockId> = theirs.in_doubt.iter().map(|doubt| doubt.block).collect();
        let reason = DiscardReason::Interrupted;
        for &InDoubt { block, check } in &theirs.in_doubt {
            if self.undecided.contains_key(&block) {
                self.decide(block, check, outputs);
            } else if !self.pool.contains(&block) {
                self.refuse(block, reason, outputs);
            }
        }
        let alone: Vec<BlockId> = self
            .undecided
            .keys()
            .filter(|block| !in_doubt.contains(block))
            .copied()
            .collect();
        for block in alone {
            self.undecided.remove(&block);
            self.refuse(block, reason, outputs);
            outputs.push(Output::Discarded { block, reason });
        }
    }
}
