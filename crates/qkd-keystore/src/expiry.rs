//! Keys that nobody fetches do not wait for ever.
//!
//! Only the side that holds a key for its slaves drops it: the owner gave its copy away when it
//! answered, so nothing has to be agreed with the peer.

use crate::store::KeyStore;
use crate::{KeyId, StoreLimits};

/// Keys dropped by one input at most: a store in which a million of them grow old at once still
/// answers in between.
const EXPIRED_PER_INPUT_MAX: usize = 4096;

impl KeyStore {
    /// It is `unix_s` now. A clock that was put back stands still until it has caught up.
    pub(crate) fn time(&mut self, unix_s: u64) {
        if self.now_s == 0 {
            self.date_undated(unix_s);
        }
        self.now_s = self.now_s.max(unix_s);
        let StoreLimits {
            unfetched_age_max_s,
            ..
        } = self.limits;
        let is_old = |since_s: u64| since_s.saturating_add(unfetched_age_max_s) < self.now_s;
        let expired: Vec<KeyId> = self
            .waiting_since
            .iter()
            .take(EXPIRED_PER_INPUT_MAX)
            .take_while(|(since_s, _)| is_old(*since_s))
            .map(|&(_, key_id)| key_id)
            .collect();
        self.expired += expired.len() as u64;
        for key_id in expired {
            // Taken only to be wiped.
            drop(self.remove_key(key_id));
        }
    }

    /// Keys taken in before this store knew the time count from now on, as do those that a version
    /// wrote which did not write the time down.
    fn date_undated(&mut self, unix_s: u64) {
        let dated = self
            .waiting_since
            .split_off(&(1, KeyId::from_bytes([0; 16])));
        for (_, key_id) in std::mem::replace(&mut self.waiting_since, dated) {
            if let Some(record) = self.keys.get_mut(&key_id) {
                record.since_s = unix_s;
                self.waiting_since.insert((unix_s, key_id));
            }
        }
    }
}
