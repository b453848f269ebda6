//! Keys leaving at the peer: the tombstone is durable first, then the key is answered.

use std::collections::BTreeSet;

use crate::record::Place;
use crate::store::KeyStore;
use crate::{DeliveredKey, Health, KeyId, RequestError, SaeId};

impl KeyStore {
    /// Hands out keys that the peer's application asked to be shared with `caller`, each once
    /// and for ever (ETSI GS QKD 014 "Get key with key IDs"). All of them or none.
    ///
    /// The removal is durable before this returns: a lost answer burns the key.
    ///
    /// # Errors
    /// [`RequestError::BadNumber`], [`DuplicateKeyId`](RequestError::DuplicateKeyId),
    /// [`NotFound`](RequestError::NotFound), [`NotNamedAsSlave`](RequestError::NotNamedAsSlave)
    /// or [`Sealed`](RequestError::Sealed).
    pub fn fetch(
        &mut self,
        caller: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<Vec<DeliveredKey>, RequestError> {
        self.fetch_checked(caller, None, key_ids)
    }

    /// Like [`fetch`](Self::fetch), for keys that `master` asked for; other keys are not found.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_from(
        &mut self,
        caller: &SaeId,
        master: &SaeId,
        key_ids: &[KeyId],
    ) -> Result<Vec<DeliveredKey>, RequestError> {
        self.fetch_checked(caller, Some(master), key_ids)
    }

    fn fetch_checked(
        &mut self,
        caller: &SaeId,
        master: Option<&SaeId>,
        key_ids: &[KeyId],
    ) -> Result<Vec<DeliveredKey>, RequestError> {
        if self.health != Health::Sound {
            return Err(RequestError::Sealed);
        }
        self.check_fetch(caller, master, key_ids)?;
        let mut delivered = Vec::with_capacity(key_ids.len());
        for &key_id in key_ids {
            let record = self.keys.remove(&key_id).ok_or(RequestError::NotFound)?;
            delivered.push(DeliveredKey {
                key_id,
                key: self.take_key(&record.ranges),
            });
            self.changes.push(Place::Key(key_id).delete());
            for range in &record.ranges {
                self.retire_if_exhausted(range.block);
            }
        }
        // The keys are dropped, and so wiped, unless their removal is durable.
        self.commit().map_err(|_| RequestError::Sealed)?;
        Ok(delivered)
    }

    fn check_fetch(
        &self,
        caller: &SaeId,
        master: Option<&SaeId>,
        key_ids: &[KeyId],
    ) -> Result<(), RequestError> {
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
            if !record.slaves.contains(caller) {
                return Err(RequestError::NotNamedAsSlave {
                    caller: caller.clone(),
                });
            }
            if master.is_some_and(|master| *master != record.master) {
                return Err(RequestError::NotFound);
            }
        }
        Ok(())
    }
}
