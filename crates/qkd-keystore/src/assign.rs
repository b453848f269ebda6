//! The owner's half of an assignment: from a request to its answer.

use std::collections::BTreeSet;

use crate::accept::TOO_MANY_UNFETCHED;
use crate::material::Block;
use crate::record::{AssignmentRecord, Place};
use crate::store::{KeyStore, Link, Unsettled, WORDS_MAX};
use crate::{
    AssignedKey, Assignment, BlockId, DeliveredKey, Error, KeyId, KeyRange, KeyRequest, Output,
    RequestError, SaeId, Step, StoreMessage,
};

impl KeyStore {
    /// An application asks for keys of this side's share.
    pub(crate) fn request(&mut self, ticket: u64, request: KeyRequest, outputs: &mut Vec<Output>) {
        if let Err(error) = self.check_request(&request) {
            outputs.push(Output::Answer {
                ticket,
                result: Err(error),
            });
            return;
        }
        self.ledger.last_assigned += 1;
        let id = self.ledger.last_assigned;
        let keys = (0..request.number)
            .map(|_| AssignedKey {
                key_id: KeyId::random(&mut self.rng),
                ranges: self.allocate(request.size_bits / 8),
            })
            .collect();
        let assignment = Assignment {
            id,
            master: request.master,
            slaves: each_once(request.slaves),
            keys,
        };
        let record = AssignmentRecord {
            void: false,
            assignment,
        };
        let put = Place::Assignment(id).put(&self.vault, record.encode());
        self.steps.push(Step::Assign);
        self.changes.push(put);
        let assignment = record.assignment;
        outputs.push(Output::Send(StoreMessage::Assign(assignment.clone())));
        self.unsettled.insert(
            id,
            Unsettled {
                ticket: Some(ticket),
                assignment,
            },
        );
    }

    /// The peer has the assignment durably: the keys leave this side, once.
    pub(crate) fn peer_accepted(
        &mut self,
        id: u64,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let unsettled = self.unsettled.get(&id).ok_or(Error::PeerMisbehaved {
            message: "AssignAccepted",
            rule: "no such assignment waits for an answer",
        })?;
        // It became void while the peer took it; the peer's next message is about that.
        let Some(ticket) = unsettled.ticket else {
            return Ok(());
        };
        let Some(Unsettled { assignment, .. }) = self.unsettled.remove(&id) else {
            return Ok(());
        };
        let keys = assignment
            .keys
            .iter()
            .map(|key| DeliveredKey {
                key_id: key.key_id,
                key: self.take_key(&key.ranges),
            })
            .collect();
        self.retire_blocks_of(&assignment);
        self.ledger.last_confirmed = self.ledger.last_confirmed.max(id);
        self.steps.push(Step::Settle);
        self.changes.push(Place::Assignment(id).delete());
        outputs.push(Output::Answer {
            ticket,
            result: Ok(keys),
        });
        Ok(())
    }

    /// Nobody waits for an answer any more. The bits are burnt, and the peer drops the keys: they would
    /// wait there for slaves that nobody told of them.
    pub(crate) fn abandoned(&mut self, ticket: u64, outputs: &mut Vec<Output>) {
        let mut waiting = self.unsettled.iter();
        let Some((&id, unsettled)) = waiting.find(|(_, one)| one.ticket == Some(ticket)) else {
            return;
        };
        let assignment = unsettled.assignment.clone();
        self.void(id, RequestError::PeerUnavailable, outputs);
        outputs.push(Output::Send(StoreMessage::Void(assignment)));
    }

    /// The peer does not take the assignment: the bits are burnt.
    pub(crate) fn peer_refused(
        &mut self,
        id: u64,
        reason: &str,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Error> {
        let unsettled = self.unsettled.get(&id).ok_or(Error::PeerMisbehaved {
            message: "AssignRefused",
            rule: "no such assignment waits for an answer",
        })?;
        // It is void already, and the peer was told.
        if unsettled.ticket.is_none() {
            return Ok(());
        }
        let assignment = unsettled.assignment.clone();
        let refused = match reason {
            TOO_MANY_UNFETCHED => RequestError::TooManyUnfetched,
            other => RequestError::PeerRefused {
                reason: other.chars().take(WORDS_MAX).collect(),
            },
        };
        self.void(id, refused, outputs);
        outputs.push(Output::Send(StoreMessage::Void(assignment)));
        Ok(())
    }

    /// The peer has the void durably: nothing is left to be told.
    pub(crate) fn peer_accepted_void(&mut self, id: u64) -> Result<(), Error> {
        let is_void = |unsettled: &Unsettled| unsettled.ticket.is_none();
        if !self.unsettled.get(&id).is_some_and(is_void) {
            return Err(Error::PeerMisbehaved {
                message: "VoidAccepted",
                rule: "no such assignment is void",
            });
        }
        self.unsettled.remove(&id);
        self.steps.push(Step::Forget);
        self.changes.push(Place::Assignment(id).delete());
        Ok(())
    }

    /// Removes blocks that nothing is needed of once an assignment is out of the way.
    pub(crate) fn retire_blocks_of(&mut self, assignment: &Assignment) {
        let blocks: BTreeSet<BlockId> = assignment
            .keys
            .iter()
            .flat_map(|key| key.ranges.iter().map(|range| range.block))
            .collect();
        for block in blocks {
            self.retire_if_exhausted(block);
        }
    }

    fn check_request(&self, request: &KeyRequest) -> Result<(), RequestError> {
        let limits = &self.limits;
        let KeyRequest {
            number, size_bits, ..
        } = *request;
        if number == 0 || number > limits.keys_per_request_max {
            return Err(RequestError::BadNumber {
                number,
                max: limits.keys_per_request_max,
            });
        }
        if !size_bits.is_multiple_of(8) {
            return Err(RequestError::SizeNotBytes { size_bits });
        }
        if !(limits.key_size_min_bits..=limits.key_size_max_bits).contains(&size_bits) {
            return Err(RequestError::BadSize {
                size_bits,
                min_bits: limits.key_size_min_bits,
                max_bits: limits.key_size_max_bits,
            });
        }
        if request.slaves.is_empty()
            || request.slaves.len() > limits.slaves_per_request_max as usize
        {
            return Err(RequestError::BadSlaves {
                number: request.slaves.len() as u32,
                max: limits.slaves_per_request_max,
            });
        }
        if self.link != Link::Ready {
            return Err(RequestError::PeerUnavailable);
        }
        if self.unsettled.len() >= limits.requests_pending_max as usize {
            return Err(RequestError::TooManyRequests);
        }
        let available = self.pool.free_bytes(self.side) / u64::from(size_bits / 8);
        if available < u64::from(number) {
            return Err(RequestError::TooFewKeys {
                available,
                wanted: u64::from(number),
            });
        }
        Ok(())
    }

    /// The next `bytes` free bytes of this side's share, oldest block first. The caller has
    /// checked that there are as many.
    fn allocate(&mut self, bytes: u32) -> Vec<KeyRange> {
        let side = self.side;
        let mut ranges = Vec::new();
        let mut missing = bytes;
        while missing > 0
            && let Some(id) = self.pool.first_open(side)
            && let Some(block) = self.pool.get(&id)
            && let Some((offset, bytes)) = block.next_free(side)
        {
            let range = KeyRange {
                block: id,
                offset,
                bytes: bytes.min(missing),
            };
            self.pool.advance(&range);
            self.pool.change(&id, Block::hold);
            missing -= range.bytes;
            ranges.push(range);
        }
        ranges
    }
}

/// Every name once, in the order of its first appearance: each named slave is given a key once.
fn each_once(names: Vec<SaeId>) -> Vec<SaeId> {
    let mut seen = BTreeSet::new();
    names
        .into_iter()
        .filter(|name| seen.insert(name.clone()))
        .collect()
}
