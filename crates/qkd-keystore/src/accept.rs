//! The peer's half of an assignment: taking over what the owner assigned, or dropping it.

use std::collections::{BTreeMap, BTreeSet};

use crate::material::Block;
use crate::record::{KeyRecord, Place};
use crate::store::KeyStore;
use crate::{Assignment, BlockId, Error, KeyId, KeyRange, Output, SaeId, Side, Step, StoreMessage};

/// What the owner is told when one master has too many keys here. It tells this from other reasons by
/// these words: they are part of the protocol.
pub(crate) const TOO_MANY_UNFETCHED: &str = "too many keys of this master wait to be fetched";

impl KeyStore {
    /// The owner assigned keys: they become fetchable here, or none of them does.
    pub(crate) fn peer_assigned(&mut self, assignment: Assignment, outputs: &mut Vec<Output>) {
        let id = assignment.id;
        if let Err(reason) = self.check_assignment(&assignment) {
            let reason = reason.to_owned();
            outputs.push(Output::Send(StoreMessage::AssignRefused { id, reason }));
            return;
        }
        let master = self.names.same(assignment.master);
        let slaves = assignment.slaves.into_iter();
        let slaves: Vec<SaeId> = slaves.map(|name| self.names.same(name)).collect();
        for key in assignment.keys {
            for range in &key.ranges {
                self.pool.advance(range);
                self.pool.change(&range.block, Block::hold);
            }
            let record = KeyRecord {
                assignment: id,
                master: master.clone(),
                slaves: slaves.clone(),
                served: Vec::new(),
                since_s: self.clock.store_s,
                ranges: key.ranges,
            };
            let put = Place::Key(key.key_id).put(&self.vault, record.encode());
            self.changes.push(put);
            self.waiting_since.insert((self.clock.store_s, key.key_id));
            self.hold_key(key.key_id, record);
        }
        self.ledger.last_accepted = id;
        self.steps.push(Step::Accept);
        outputs.push(Output::Send(StoreMessage::AssignAccepted { id }));
    }

    /// The owner never answered the assignment: its keys are dropped, its bits are burnt.
    pub(crate) fn peer_voided(
        &mut self,
        void: &Assignment,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let owner = self.side.peer();
        let ranges = || void.keys.iter().flat_map(|key| &key.ranges);
        // A block that is gone here had nothing left to burn.
        let is_foreign = |range: &KeyRange| {
            let block = self.pool.get(&range.block);
            block.is_some_and(|block| !block.contains(owner, range))
        };
        if ranges().any(is_foreign) {
            return Err(Error::PeerMisbehaved {
                message: "Void",
                rule: "an owner voids bits of its own share only",
            });
        }
        for key in &void.keys {
            self.drop_key(key.key_id, void.id);
        }
        for range in ranges() {
            self.pool.advance(range);
        }
        self.retire_blocks_of(void);
        self.ledger.last_accepted = self.ledger.last_accepted.max(void.id);
        self.steps.push(Step::Drop);
        outputs.push(Output::Send(StoreMessage::VoidAccepted { id: void.id }));
        Ok(())
    }

    /// Drops a key if it is of this assignment and still here.
    fn drop_key(&mut self, key_id: KeyId, assignment: u64) {
        if self
            .keys
            .get(&key_id)
            .is_some_and(|record| record.assignment == assignment)
        {
            // Taken only to be wiped.
            drop(self.remove_key(key_id));
        }
    }

    fn check_assignment(&self, assignment: &Assignment) -> Result<(), &'static str> {
        let limits = &self.limits;
        if assignment.id <= self.ledger.last_accepted {
            return Err("the assignment is older than one accepted before");
        }
        let number = assignment.keys.len();
        if number == 0 || number > limits.keys_per_request_max as usize {
            return Err("the number of keys is out of range");
        }
        if self.keys.len() + number > limits.key_count_max as usize {
            return Err("too many keys wait to be fetched");
        }
        let of_master = self.unfetched.get(&assignment.master).copied();
        if of_master.unwrap_or(0) as usize + number > limits.unfetched_each_max as usize {
            return Err(TOO_MANY_UNFETCHED);
        }
        let slaves = assignment.slaves.len();
        if slaves == 0 || slaves > limits.slaves_per_request_max as usize {
            return Err("the number of slave SAEs is out of range");
        }
        if assignment.slaves.iter().collect::<BTreeSet<_>>().len() < slaves {
            return Err("a slave SAE is named twice");
        }
        let sizes = u64::from(limits.key_size_min_bits)..=u64::from(limits.key_size_max_bits);
        if assignment
            .keys
            .iter()
            .any(|key| !sizes.contains(&(key.bytes() * 8)))
        {
            return Err("the key size is out of range");
        }
        let ids: BTreeSet<KeyId> = assignment.keys.iter().map(|key| key.key_id).collect();
        if ids.len() < number || ids.iter().any(|id| self.keys.contains_key(id)) {
            return Err("a key_ID came twice");
        }
        self.check_ranges(assignment)
    }

    /// Each range lies in the owner's share of a committed block, beyond all that came before.
    fn check_ranges(&self, assignment: &Assignment) -> Result<(), &'static str> {
        let owner = self.side.peer();
        let mut used: BTreeMap<(BlockId, Option<Side>), u32> = BTreeMap::new();
        for range in assignment.keys.iter().flat_map(|key| &key.ranges) {
            let block = self
                .pool
                .get(&range.block)
                .ok_or("a block is not committed here")?;
            let used = used.entry((range.block, block.cut_for(range))).or_default();
            if !block.is_free(owner, range) || range.offset < *used {
                return Err("bits are not the owner's or were assigned before");
            }
            *used = range.offset + range.bytes;
        }
        Ok(())
    }
}
