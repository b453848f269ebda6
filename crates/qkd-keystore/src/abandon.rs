//! Blocks that were in doubt at Bob until his operator gave them up.
//!
//! A block in doubt waits for Alice's decision and for nothing else. When she is gone for good the
//! operator may have its key thrown away ([`abandon`](crate::abandon)). That decides nothing: Bob goes on
//! saying, on every connection, that he gave it up, and keeps its check value. Should Alice come back with
//! a commit of it, no key of it has left her, since every assignment waits for Bob and he refuses those of
//! a block that is not committed here. She throws the key away durably, keeps its place in the
//! chain, and sends the commit; Bob takes the place without a key. The two chains stay one chain, and at
//! no moment can either side deliver what the other has not. An Alice that never committed it discards it,
//! as any other block that she does not know.

use qkd_security::Spent;

use crate::record::{AbandonedRecord, Place};
use crate::store::KeyStore;
use crate::{
    Alarm, BlockId, DiscardReason, Error, InDoubt, Output, Resume, Side, Step, StoreMessage,
};

impl KeyStore {
    /// What Alice has to be told was given up (Bob).
    pub(crate) fn abandoned_unsettled(&self) -> Vec<BlockId> {
        match self.side {
            Side::Alice => Vec::new(),
            Side::Bob => self.abandoned.keys().copied().collect(),
        }
    }

    /// Whether Bob can have given up what he says (Alice).
    pub(crate) fn check_abandoned(&self, theirs: &Resume) -> Result<(), Error> {
        let misbehaved = |rule| {
            Err(Error::PeerMisbehaved {
                message: "Resume",
                rule,
            })
        };
        for id in &theirs.abandoned {
            let is_this = |doubt: &InDoubt| doubt.block == *id;
            if theirs.in_doubt.iter().any(is_this) {
                return misbehaved("a block that was abandoned is not in doubt any more");
            }
            let Some(block) = self.pool.get(id) else {
                continue;
            };
            if block.record().index <= theirs.commits || block.is_used() {
                return misbehaved("only a block in doubt can be abandoned");
            }
        }
        Ok(())
    }

    /// Throws away what Bob gave up (Alice). What she committed keeps its place in the chain.
    pub(crate) fn void_abandoned(&mut self, blocks: &[BlockId], outputs: &mut Vec<Output>) {
        for &id in blocks {
            if self.abandoned.contains_key(&id) {
                continue;
            }
            if let Some(block) = self.pool.remove(&id) {
                let record = AbandonedRecord {
                    check: block.record().check,
                    index: block.record().index,
                };
                self.giving.remove(&id);
                self.changes.push(Place::Material(id).delete());
                self.changes.push(Place::Block(id).delete());
                let put = Place::Abandoned(id).put(&self.vault, record.encode());
                self.changes.push(put);
                self.abandoned.insert(id, record);
                outputs.push(Output::Alarm(Alarm::BlockAbandoned { block: id }));
                continue;
            }
            let reason = DiscardReason::Interrupted;
            if self.undecided.remove(&id).is_some() {
                outputs.push(Output::Discarded { block: id, reason });
            }
            self.refuse(id, reason, outputs);
        }
    }

    /// Alice had committed what was given up here (Bob): it takes its place without a key.
    pub(crate) fn decided_abandoned(
        &mut self,
        id: BlockId,
        place: (u64, [u8; 32]),
        spent: Spent,
        outputs: &mut Vec<Output>,
    ) {
        let Some(record) = self.abandoned.get(&id).copied() else {
            return;
        };
        if !self.follow_chain(id, &record.check, place, outputs) {
            return;
        }
        self.account_told(spent);
        self.steps.push(Step::Commit);
        self.drop_abandoned(id);
        outputs.push(Output::Send(StoreMessage::Committed {
            block: id,
            index: place.0,
        }));
    }

    /// Alice has no commit of it: nothing is left to be told (Bob).
    pub(crate) fn forget_abandoned(&mut self, id: BlockId) {
        if self.side == Side::Bob && self.abandoned.contains_key(&id) {
            self.drop_abandoned(id);
        }
    }

    /// Bob is beyond commit number `index` (Alice).
    pub(crate) fn forget_abandoned_until(&mut self, index: u64) {
        let old = self.abandoned.iter();
        let old = old.filter(|(_, record)| record.index <= index);
        let old: Vec<BlockId> = old.map(|(id, _)| *id).collect();
        for id in old {
            self.drop_abandoned(id);
        }
    }

    fn drop_abandoned(&mut self, id: BlockId) {
        self.abandoned.remove(&id);
        self.changes.push(Place::Abandoned(id).delete());
    }
}
