//! A block's way into both stores, or into none.
//!
//! Bob: distilled → durable, *in doubt* → `Prepared`. Alice: distilled and prepared with equal
//! check values → durable COMMIT, **the decision** → `Commit`. Bob: durable commit → `Committed`.
//! A block that Alice has no commit of is discarded (presumed abort).

use qkd_bits::{SecretBits, SecretBytes};
use qkd_security::{SecurityParameters, Spent};

use crate::material::Block;
use crate::record::{AbandonedRecord, Place, chain_next};
use crate::store::{KeyStore, Link, RUNS_RESERVED};
use crate::{Alarm, BlockId, CheckValue, DiscardReason, Error, Output, Side, Step, StoreMessage};

impl KeyStore {
    /// Distillation finished here.
    pub(crate) fn distilled(
        &mut self,
        id: BlockId,
        key: SecretBits,
        check: CheckValue,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let is_known = self.pool.contains(&id)
            || self.undecided.contains_key(&id)
            || self.abandoned.contains_key(&id);
        if is_known {
            return Err(Error::DuplicateBlock { block: id });
        }
        if self.refused.contains(&id) {
            outputs.push(Output::Discarded {
                block: id,
                reason: DiscardReason::Interrupted,
            });
            return Ok(());
        }
        let bytes = key.len() / 8;
        if bytes < 2 {
            // Both sides see this alike and need not tell each other.
            outputs.push(Output::Discarded {
                block: id,
                reason: DiscardReason::TooSmall,
            });
            return Ok(());
        }
        let is_full = !self.has_room
            || self.material_bytes() + bytes as u64 > self.limits.material_bytes_max
            || self.undecided.len() >= self.limits.blocks_undecided_max as usize;
        if is_full {
            self.prepared_at_peer.remove(&id);
            self.refuse(id, DiscardReason::StoreFull, outputs);
            outputs.push(Output::Discarded {
                block: id,
                reason: DiscardReason::StoreFull,
            });
            return Ok(());
        }
        let block = Block::new(check, 0, whole_bytes(key, bytes));
        match self.side {
            Side::Alice => {
                self.undecided.insert(id, block);
                if let Some(theirs) = self.prepared_at_peer.remove(&id) {
                    self.decide(id, theirs, outputs);
                }
            }
            Side::Bob => {
                self.steps.push(Step::Prepare);
                self.store_material(id, &block);
                self.undecided.insert(id, block);
                if self.link != Link::Down {
                    outputs.push(Output::Send(StoreMessage::Prepared { block: id, check }));
                }
            }
        }
        Ok(())
    }

    /// Bob has the block durably, in doubt.
    pub(crate) fn peer_prepared(
        &mut self,
        id: BlockId,
        check: CheckValue,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        if self.pool.contains(&id) || self.prepared_at_peer.contains_key(&id) {
            return Err(Error::PeerMisbehaved {
                message: "Prepared",
                rule: "a block is prepared once and before it is committed",
            });
        }
        if self.refused.contains(&id) {
            self.refuse(id, DiscardReason::Interrupted, outputs);
        } else if self.undecided.contains_key(&id) {
            self.decide(id, check, outputs);
        } else if self.prepared_at_peer.len() >= self.limits.blocks_undecided_max as usize {
            self.refuse(id, DiscardReason::StoreFull, outputs);
        } else {
            self.prepared_at_peer.insert(id, check);
        }
        Ok(())
    }

    /// Alice's decision about a block that both sides distilled.
    pub(crate) fn decide(&mut self, id: BlockId, theirs: CheckValue, outputs: &mut Vec<Output>) {
        let Some(mut block) = self.undecided.remove(&id) else {
            return;
        };
        let ours = block.record().check;
        // Check values are public, so an ordinary comparison does.
        if ours != theirs {
            let reason = DiscardReason::CheckMismatch;
            self.refuse(id, reason, outputs);
            outputs.push(Output::Discarded { block: id, reason });
            outputs.push(Output::Alarm(Alarm::CheckMismatch { block: id }));
            return;
        }
        let (index, chain) = self.next_in_chain(id, &ours);
        (self.ledger.commits, self.ledger.chain) = (index, chain);
        block.set_index(index);
        self.chain.insert(index, chain);
        self.steps.push(Step::Decide);
        let put = Place::Chain(index).put(&self.vault, chain.to_vec());
        self.changes.push(put);
        self.store_material(id, &block);
        outputs.push(Output::Send(StoreMessage::Commit {
            block: id,
            index,
            chain,
            spent: self.spent,
        }));
        self.accept(id, block, outputs);
    }

    /// Alice has committed the block.
    pub(crate) fn peer_decided(
        &mut self,
        id: BlockId,
        (index, chain): (u64, [u8; 32]),
        spent: Spent,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        // Said twice, it contradicts nothing: no reason to seal a store for good.
        if self.pool.contains(&id) {
            return Err(Error::PeerMisbehaved {
                message: "Commit",
                rule: "a block is committed once",
            });
        }
        let Some(mut block) = self.undecided.remove(&id) else {
            if self.abandoned.contains_key(&id) {
                self.decided_abandoned(id, (index, chain), spent, outputs);
                return Ok(());
            }
            let reason = format!("Alice committed block {id}, which is not prepared here");
            self.quarantine(reason, outputs);
            return Ok(());
        };
        let check = block.record().check;
        if !self.follow_chain(id, &check, (index, chain), outputs) {
            // What is durable stays in doubt.
            self.undecided.insert(id, block);
            return Ok(());
        }
        self.account_told(spent);
        block.set_index(index);
        self.steps.push(Step::Commit);
        outputs.push(Output::Send(StoreMessage::Committed { block: id, index }));
        self.accept(id, block, outputs);
        self.pool.mark(id);
        Ok(())
    }

    /// Bob goes on along Alice's chain; false, and quarantined, when it is not the one from here.
    pub(crate) fn follow_chain(
        &mut self,
        id: BlockId,
        check: &CheckValue,
        (index, chain): (u64, [u8; 32]),
        outputs: &mut Vec<Output>,
    ) -> bool {
        let (expected, ours) = self.next_in_chain(id, check);
        if (index, chain) == (expected, ours) {
            (self.ledger.commits, self.ledger.chain) = (index, chain);
            return true;
        }
        let reason = format!(
            "Alice committed block {id} as number {index} with another chain value than number \
             {expected} has here"
        );
        self.quarantine(reason, outputs);
        false
    }

    /// Bob has the commit durably, and with it all before it.
    pub(crate) fn peer_committed(&mut self, index: u64) -> Result<(), Error> {
        if index > self.ledger.commits {
            return Err(Error::PeerMisbehaved {
                message: "Committed",
                rule: "no block was committed under that number",
            });
        }
        self.forget_chain_before(index);
        self.forget_abandoned_until(index);
        Ok(())
    }

    /// The peer has thrown the block away.
    pub(crate) fn peer_discarded(
        &mut self,
        id: BlockId,
        reason: DiscardReason,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let was_committed = |record: &AbandonedRecord| record.index > 0;
        if self.pool.contains(&id) || self.abandoned.get(&id).is_some_and(was_committed) {
            return Err(Error::PeerMisbehaved {
                message: "Discard",
                rule: "a committed block cannot be discarded",
            });
        }
        self.prepared_at_peer.remove(&id);
        self.forget_abandoned(id);
        if !self.refused.contains(&id) {
            self.remember_refused(id);
        }
        if self.undecided.remove(&id).is_some() {
            if self.side == Side::Bob {
                self.steps.push(Step::Discard);
                self.changes.push(Place::Material(id).delete());
                self.changes.push(Place::Block(id).delete());
            }
            outputs.push(Output::Discarded { block: id, reason });
            if reason == DiscardReason::CheckMismatch {
                outputs.push(Output::Alarm(Alarm::CheckMismatch { block: id }));
            }
        }
        Ok(())
    }

    /// Tells the peer, if it can be told, that the block comes to nothing, and remembers it. A
    /// peer that cannot be told learns it when both resume.
    pub(crate) fn refuse(&mut self, id: BlockId, reason: DiscardReason, outputs: &mut Vec<Output>) {
        if !self.refused.contains(&id) {
            self.remember_refused(id);
        }
        if self.link != Link::Down {
            outputs.push(Output::Send(StoreMessage::Discard { block: id, reason }));
        }
    }

    /// Chain values that Bob is beyond are of no use any more; the one he stands at is.
    pub(crate) fn forget_chain_before(&mut self, index: u64) {
        let kept = self.chain.split_off(&index);
        for (old, _) in std::mem::replace(&mut self.chain, kept) {
            self.steps.push(Step::Acknowledge);
            self.changes.push(Place::Chain(old).delete());
        }
    }

    /// A run of the protocol begins. It and the next ones are durable as spent before anything is
    /// told of it, so that a process that is killed has written down too many and never too few.
    pub(crate) fn begun(&mut self, budget: &SecurityParameters) {
        let run = Spent::one_run(budget);
        self.spent = self.spent.plus(run);
        if self.ledger.spent_max.or_more(self.spent) != self.ledger.spent_max {
            self.steps.push(Step::Reserve);
            // Added up as the runs themselves will be: the 64th is equal to it, bit for bit.
            self.ledger.spent_max = (1..RUNS_RESERVED).fold(self.spent, |sum, _| sum.plus(run));
        }
    }

    /// The link has ended, and with it every run on it: what was reserved is given back.
    pub(crate) fn release_reserved(&mut self) {
        if self.ledger.spent_max != self.spent {
            self.steps.push(Step::Release);
            self.ledger.spent_max = self.spent;
        }
    }

    /// The peer's account. The larger one holds for both: a peer that tells more runs than there
    /// were makes the bound useless, which it could do in many ways, but never too small.
    pub(crate) fn account_told(&mut self, theirs: Spent) {
        self.spent = self.spent.or_more(theirs);
        self.ledger.spent_max = self.ledger.spent_max.or_more(self.spent);
    }

    fn accept(&mut self, id: BlockId, block: Block, outputs: &mut Vec<Output>) {
        outputs.push(Output::Committed {
            block: id,
            key_bits: block.material().len() as u64 * 8,
            spent: self.spent,
        });
        // The index was the next one, so its place is free.
        self.pool.insert(id, block);
    }

    /// Number and chain value of the commit that comes next, were it of this block.
    pub(crate) fn next_in_chain(&self, id: BlockId, check: &CheckValue) -> (u64, [u8; 32]) {
        let chain = chain_next(&self.ledger.chain, id, check);
        (self.ledger.commits + 1, chain)
    }

    fn store_material(&mut self, id: BlockId, block: &Block) {
        let wrapped = self.vault.wrap(id, block.material(), &mut self.rng);
        let material = Place::Material(id).put(&self.vault, wrapped);
        let state = Place::Block(id).put(&self.vault, block.record().encode());
        self.changes.extend([material, state]);
    }
}

/// The first `bytes` bytes of a key; a last partial byte is thrown away on both sides alike.
fn whole_bytes(mut key: SecretBits, bytes: usize) -> SecretBytes {
    drop(key.split_off(bytes * 8));
    key.to_secret_bytes()
}
