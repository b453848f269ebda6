//! What the checker is told of the two stores, and who fetches keys.

use qkd_keystore::invariants::{Event, Refusal, SeenKey};
use qkd_keystore::{DeliveredKey, KeyId, MemoryStorage, RequestError, Side, Snapshot, Step};
use sha2::{Digest, Sha256};

use super::{World, fetch, sae};

impl World {
    pub fn fetch(
        &mut self,
        side: Side,
        caller: &str,
        ids: &[KeyId],
    ) -> Result<Vec<Vec<u8>>, RequestError> {
        let result = self.node(side).store.fetch(&fetch(caller, ids));
        let (caller, key_ids) = (sae(caller), ids.to_vec());
        let keys = match result {
            Ok(keys) => keys,
            Err(error) => {
                let refused = |refusal| Event::FetchRefused {
                    side,
                    caller: caller.clone(),
                    key_ids: key_ids.clone(),
                    refusal,
                };
                let event = if error == RequestError::NotFound {
                    refused(Refusal::NotFound)
                } else if matches!(error, RequestError::NotNamedAsSlave { .. }) {
                    refused(Refusal::NotNamed)
                } else if error == RequestError::Sealed {
                    // The tombstone may be durable.
                    Event::FetchUnanswered {
                        side,
                        caller,
                        key_ids,
                    }
                } else {
                    refused(Refusal::Unavailable)
                };
                self.see(event);
                return Err(error);
            }
        };
        self.fetchable.retain(|(_, id)| !ids.contains(id));
        let seen = self.leave(side, &keys);
        self.see(Event::Fetched {
            side,
            caller,
            keys: seen,
        });
        let bytes = keys.iter().map(|key| key.key.expose().to_vec());
        Ok(bytes.collect())
    }

    /// Fetches one key that an owner answered, as whoever may. It must be there, unless the disk
    /// fails now or did so before; and when it came, the same words again bring nothing.
    pub fn fetch_one(&mut self, index: usize) {
        let (owner, key_id) = self.fetchable[index];
        let side = owner.peer();
        match self.fetch(side, "slave", &[key_id]) {
            Ok(_) => {
                self.steps.insert(Step::Tombstone);
                self.gone.push((owner, key_id));
                let before = digest(&self.node(side).disk);
                let again = self.fetch(side, "slave", &[key_id]);
                assert_eq!(again, Err(RequestError::NotFound));
                let after = digest(&self.node(side).disk);
                self.see(Event::Replayed {
                    side,
                    before,
                    after,
                });
            }
            Err(RequestError::Sealed) => self.restart_if_sealed(side),
            // The checker knows whether it may be burnt.
            Err(RequestError::NotFound) => {
                self.gone.push((owner, key_id));
                self.fetchable.swap_remove(index);
            }
            Err(error) => panic!("key {key_id} of {owner}: {error}"),
        }
    }

    /// A master got keys, which slaves can fetch from now on.
    pub(super) fn answered(
        &mut self,
        owner: Side,
        ticket: u64,
        keys: Vec<DeliveredKey>,
    ) -> Vec<KeyId> {
        let slaves = self.slaves.remove(&(owner, ticket)).unwrap_or_default();
        let ids: Vec<KeyId> = keys.iter().map(|key| key.key_id).collect();
        self.fetchable.extend(ids.iter().map(|id| (owner, *id)));
        let keys = self.leave(owner, &keys);
        self.see(Event::Answered {
            owner,
            slaves,
            keys,
        });
        ids
    }

    /// Keys leave a side.
    fn leave(&mut self, side: Side, keys: &[DeliveredKey]) -> Vec<SeenKey> {
        let mut seen = Vec::new();
        for key in keys {
            let bytes = key.key.expose();
            seen.push(SeenKey::new(key.key_id, bytes));
            self.node(side).delivered.insert(key.key_id, bytes.to_vec());
        }
        seen
    }

    /// What was seen breaks the test when it breaks an invariant.
    pub fn see(&mut self, event: Event) {
        self.checker.see(event);
        if let Some(violation) = self.checker.violations().first() {
            panic!("{violation}");
        }
    }

    /// Keys that wait now may be gone from now on: their time is over, or a test takes them itself.
    pub fn forgive(&mut self) {
        self.fetchable.clear();
        let key_ids = self.checker.owed().into_iter().map(|owed| owed.key_id);
        let key_ids = key_ids.collect();
        self.see(Event::Expired { key_ids });
    }

    /// A disk is put back to an earlier state.
    pub fn restore(&mut self, side: Side, snapshot: &Snapshot) {
        self.node(side).disk.restore(snapshot);
        self.see(Event::Tampered { side });
    }

    /// Every block is wrapped under a nonce of its own, across all restarts.
    pub(super) fn see_nonces(&mut self) {
        for side in [Side::Alice, Side::Bob] {
            let snapshot = self.node(side).disk.snapshot();
            for (key, value) in snapshot.records() {
                // A record of material begins with its format and the nonce.
                let nonce = value.get(1..13).and_then(|nonce| nonce.try_into().ok());
                let (b'm', Some(nonce)) = (key[0], nonce) else {
                    continue;
                };
                if self.node(side).nonces.insert(key.clone(), nonce) == Some(nonce) {
                    continue;
                }
                let number = nonce
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u128::from(*byte));
                self.see(Event::Used {
                    side,
                    scope: format!("nonces of the wrapping key of {side}"),
                    first: number,
                    count: 1,
                });
            }
        }
    }
}

/// A digest of all that a disk holds.
fn digest(disk: &MemoryStorage) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (key, value) in disk.snapshot().records() {
        for bytes in [key, value] {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
    }
    hash.finalize().into()
}
