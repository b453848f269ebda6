//! Keys leaving at the peer: the tombstone is durable first, then the key is answered.

use std::collections::BTreeSet;

use qkd_bits::SecretBytes;

use crate::record::{KeyRecord, Place};
use crate::store::KeyStore;
use crate::{DeliveredKey, Health, KeyFetch, KeyId, KeyRange, RequestError, SaeId, Step};

impl KeyStore {
    /// Hands out keys that the peer's application asked to be shared with `caller`, each once and
    /// for ever (ETSI GS QKD 014 "Get key with key IDs"). All of them or none. Of several named
    /// slaves each is given a key once; the last one takes it with it.
    ///
    /// That they are gone is durable before this returns: a lost answer burns the key. So is
    /// everything that was staged; its outputs are those of the next [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`RequestError::BadNumber`], [`DuplicateKeyId`](RequestError::DuplicateKeyId),
    /// [`NotFound`](RequestError::NotFound), [`NotNamedAsSlave`](RequestError::NotNamedAsSlave)
    /// or [`Sealed`](RequestError::Sealed).
    pub fn fetch(&mut self, fetch: &KeyFetch) -> Result<Vec<DeliveredKey>, RequestError> {
        if self.health != Health::Sound {
            return Err(RequestError::Sealed);
        }
        let delivered = self.stage_fetch(fetch)?;
        match self.make_durable() {
            Ok(()) => Ok(delivered),
            Err(error) => {
                // The keys are dropped, and so wiped, unless their removal is durable.
                let staged = std::mem::take(&mut self.staged);
                self.staged = self.refuse_open_requests(error, staged);
                Err(RequestError::Sealed)
            }
        }
    }

    /// Takes keys out of the store; the answer may be given once that is durable.
    pub(crate) fn stage_fetch(
        &mut self,
        fetch: &KeyFetch,
    ) -> Result<Vec<DeliveredKey>, RequestError> {
        self.check_fetch(fetch)?;
        let mut delivered = Vec::with_capacity(fetch.key_ids.len());
        self.steps.push(Step::Tombstone);
        for &key_id in &fetch.key_ids {
            let record = self.keys.get_mut(&key_id).ok_or(RequestError::NotFound)?;
            record.slaves.retain(|slave| *slave != fetch.caller);
            let key = if record.slaves.is_empty() {
                self.remove_key(key_id)
            } else {
                record.served.push(fetch.caller.clone());
                let put = Place::Key(key_id).put(&self.vault, record.encode());
                self.changes.push(put);
                let ranges = record.ranges.clone();
                self.copy_key(&ranges)
            };
            delivered.push(DeliveredKey { key_id, key });
        }
        Ok(delivered)
    }

    /// Keeps a key of the peer's share for its slaves.
    pub(crate) fn hold_key(&mut self, key_id: KeyId, record: KeyRecord) {
        self.count_unfetched(&record.master);
        self.keys.insert(key_id, record);
    }

    /// One more key of `master` waits here.
    pub(crate) fn count_unfetched(&mut self, master: &SaeId) {
        match self.unfetched.get_mut(master) {
            Some(count) => *count += 1,
            None => {
                self.unfetched.insert(master.clone(), 1);
            }
        }
    }

    /// Takes a key that waits here out of the store for good; none has no bytes.
    pub(crate) fn remove_key(&mut self, key_id: KeyId) -> SecretBytes {
        let Some(record) = self.keys.remove(&key_id) else {
            return SecretBytes::from(Vec::new());
        };
        if let Some(count) = self.unfetched.get_mut(&record.master) {
            *count -= 1;
            if *count == 0 {
                self.unfetched.remove(&record.master);
            }
        }
        self.waiting_since.remove(&(record.since_s, key_id));
        let key = self.take_key(&record.ranges);
        self.changes.push(Place::Key(key_id).delete());
        for range in &record.ranges {
            self.retire_if_exhausted(range.block);
        }
        key
    }

    /// The blocks' material under `ranges`, joined, for one of several slaves.
    fn copy_key(&self, ranges: &[KeyRange]) -> SecretBytes {
        let bytes: usize = ranges.iter().map(|range| range.bytes as usize).sum();
        let mut key = SecretBytes::from(vec![0; bytes]);
        let mut rest = key.expose_mut();
        for range in ranges {
            let (piece, tail) = rest.split_at_mut(range.bytes as usize);
            rest = tail;
            // A range of a live key holds its block, which therefore exists.
            if let Some(block) = self.pool.get(&range.block) {
                block.copy(range, piece);
            }
        }
        key
    }

    fn check_fetch(&self, fetch: &KeyFetch) -> Result<(), RequestError> {
        let KeyFetch {
            caller,
            master,
            key_ids,
        } = fetch;
        let max = self.limits.keys_per_request_max;
        if key_ids.is_empty() || key_ids.len() > max as usize {
            return Err(RequestError::BadNumber {
                number: u32::try_from(key_ids.len()).unwrap_or(u32::MAX),
                max,
            });
        }
        if key_ids.iter().collect::<BTreeSet<_>>().len() < key_ids.len() {
            return Err(RequestError::DuplicateKeyId);
        }
        for key_id in key_ids {
            let record = self.keys.get(key_id).ok_or(RequestError::NotFound)?;
            if record.served.contains(caller) {
                return Err(RequestError::NotFound);
            }
            if !record.slaves.contains(caller) {
                return Err(RequestError::NotNamedAsSlave {
                    caller: caller.clone(),
                });
            }
            if master.as_ref().is_some_and(|name| *name != record.master) {
                return Err(RequestError::NotFound);
            }
        }
        Ok(())
    }
}
