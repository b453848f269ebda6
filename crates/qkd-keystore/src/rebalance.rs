//! Key material that changes owner when one direction runs dry and the other is full.
//!
//! The full side gives: whole shares of which nothing was assigned, each once at most. It gives a
//! share up durably before it says so, the peer takes it durably before it answers, so at no moment
//! may both assign from it; for one round trip nobody may.

use crate::material::Holder;
use crate::store::{KeyStore, Link};
use crate::{BlockId, Error, Health, Output, Step, StoreMessage};

/// A direction is dry when it has less than this part of what the other has.
const DRY: u64 = 4;

/// Shares given at once at most.
const GIVEN_AT_ONCE_MAX: usize = 64;

/// Blocks looked at for an untouched share at most.
const LOOKED_AT_MAX: usize = 256;

impl KeyStore {
    /// Gives some of what this side may assign to a peer that has nearly nothing left.
    pub(crate) fn rebalance(&mut self, outputs: &mut Vec<Output>) {
        let mut ours = self.pool.free_bytes(self.side);
        let mut theirs = self.pool.free_bytes(self.side.peer());
        // One round at a time: what is on its way is in neither sum.
        let may_give = self.health == Health::Sound && self.link == Link::Ready;
        if !may_give || !self.giving.is_empty() || theirs * DRY >= ours {
            return;
        }
        let mut given = Vec::new();
        for (id, block) in self.pool.newest_open(self.side).take(LOOKED_AT_MAX) {
            let Some(bytes) = block.untouched(self.side).map(u64::from) else {
                continue;
            };
            if given.len() == GIVEN_AT_ONCE_MAX {
                break;
            }
            // Whoever gives keeps at least as much as the other has then, so nothing goes to and fro.
            // An older share may be smaller.
            if ours - bytes < theirs + bytes {
                continue;
            }
            ours -= bytes;
            theirs += bytes;
            given.push(id);
        }
        for block in given {
            self.pool.set_holder(block, self.side, Holder::Nobody);
            self.giving.insert(block);
            self.steps.push(Step::Give);
            outputs.push(Output::Send(StoreMessage::Give { block }));
        }
    }

    /// The peer gave its share of a block up: it is this side's.
    pub(crate) fn peer_gave(
        &mut self,
        block: BlockId,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let first = self.side.peer();
        if self.undecided.contains_key(&block) {
            return Err(Error::PeerMisbehaved {
                message: "Give",
                rule: "a block that is not committed has no shares",
            });
        }
        // A block that is not here any more was taken before, and used up since.
        if let Some(held) = self.pool.get(&block) {
            match (held.holder(first), held.untouched(first)) {
                (Holder::First, Some(_)) => {
                    self.steps.push(Step::Take);
                    self.pool.set_holder(block, first, Holder::Other);
                }
                (Holder::First, None) => {
                    return Err(Error::PeerMisbehaved {
                        message: "Give",
                        rule: "a share changes hands before anything of it is assigned",
                    });
                }
                // Its answer was lost with a connection.
                (Holder::Other | Holder::Nobody, _) => {}
            }
        }
        outputs.push(Output::Send(StoreMessage::Taken { block }));
        Ok(())
    }

    /// The peer has a share that was given to it.
    pub(crate) fn peer_took(&mut self, block: BlockId) -> Result<(), Error> {
        if !self.giving.remove(&block) {
            return Err(Error::PeerMisbehaved {
                message: "Taken",
                rule: "no share of that block was given",
            });
        }
        // It may have been used up before the answer came.
        self.steps.push(Step::Given);
        self.pool.set_holder(block, self.side, Holder::Other);
        Ok(())
    }
}
