//! Keys that nobody fetches do not wait for ever.
//!
//! Only the side that holds a key for its slaves drops it: the owner gave its copy away when it
//! answered, so nothing has to be agreed with the peer.
//!
//! A clock on the wall that is wrong must not cost keys. Ages are therefore told by a clock of the
//! store's own: it goes on while the store is open, and for the time between two openings if the
//! clock on the wall says that this was short. It never goes back.

use crate::store::KeyStore;
use crate::{KeyId, Step};

/// Keys dropped by one input at most: a store in which a million of them grow old at once still
/// answers in between.
const EXPIRED_PER_INPUT_MAX: usize = 4096;

/// The clock is written down when so much time has gone by, and with everything that is accepted.
const WRITTEN_EVERY_S: u64 = 3600;

/// Time between two openings counts up to this part of the age at which keys are dropped; when the
/// clock on the wall says that it was longer, nothing of it counts. So a clock that was set in
/// between, however far, drops no key that had not used up the rest of its time.
const COUNTED_WHILE_SHUT: u64 = 4;

/// What time it is, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// By the store's own clock, from which ages are told; 0 before it was ever told the time.
    pub(crate) store_s: u64,
    /// By the clock on the wall at that moment.
    pub(crate) wall_s: u64,
}

impl Clock {
    /// It is `wall_s` by the clock on the wall, told for the first time since the store was opened.
    /// The time since the clock was written down counts if it is at most `counted_max_s`.
    fn begun(self, wall_s: u64, counted_max_s: u64) -> Self {
        let shut_s = match wall_s.checked_sub(self.wall_s) {
            Some(shut_s) if shut_s <= counted_max_s => shut_s,
            Some(_) | None => 0,
        };
        let store_s = match self.store_s {
            0 => wall_s,
            store_s => store_s.saturating_add(shut_s),
        };
        Self { store_s, wall_s }
    }

    /// Time went on to `wall_s`. What was put back stands still until it has caught up.
    fn advanced(self, wall_s: u64) -> Self {
        Self {
            store_s: (self.store_s).saturating_add(wall_s.saturating_sub(self.wall_s)),
            wall_s: wall_s.max(self.wall_s),
        }
    }

    /// Whether it should be written down again, `self` being what stands there.
    pub(crate) fn is_outdated(self, now: Self) -> bool {
        now.store_s >= self.store_s.saturating_add(WRITTEN_EVERY_S)
    }
}

impl KeyStore {
    /// It is `unix_s` now.
    pub(crate) fn time(&mut self, unix_s: u64) {
        let age_max_s = self.limits.unfetched_age_max_s;
        if self.is_clock_told {
            self.clock = self.clock.advanced(unix_s);
        } else {
            self.is_clock_told = true;
            self.clock = self.clock.begun(unix_s, age_max_s / COUNTED_WHILE_SHUT);
            self.date_undated();
        }
        let now_s = self.clock.store_s;
        let is_old = |since_s: u64| since_s.saturating_add(age_max_s) < now_s;
        let expired: Vec<KeyId> = self
            .waiting_since
            .iter()
            .take(EXPIRED_PER_INPUT_MAX)
            .take_while(|(since_s, _)| is_old(*since_s))
            .map(|&(_, key_id)| key_id)
            .collect();
        self.expired += expired.len() as u64;
        if !expired.is_empty() {
            self.steps.push(Step::Expire);
        }
        for key_id in expired {
            // Taken only to be wiped.
            drop(self.remove_key(key_id));
        }
    }

    /// A store whose clock was not written down, by a version that told ages from the clock on the
    /// wall, stands at the newest date that it holds.
    pub(crate) fn adopt_clock(&mut self) {
        self.clock = self.ledger.clock;
        let newest_s = self.waiting_since.last().map_or(0, |&(since_s, _)| since_s);
        if self.clock.store_s == 0 {
            self.clock = Clock {
                store_s: newest_s,
                wall_s: newest_s,
            };
        }
    }

    /// Keys taken in before this store was ever told the time count from now on, as do those that a
    /// version wrote which did not write the time down.
    fn date_undated(&mut self) {
        let unix_s = self.clock.store_s;
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

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: Clock = Clock {
        store_s: 1_000_000,
        wall_s: 2_000_000,
    };

    #[test]
    fn of_the_time_between_two_openings_only_a_short_one_counts() {
        for (later_s, counted_s) in [(0, 0), (1, 1), (100, 100), (101, 0), (u64::MAX >> 1, 0)] {
            let begun = WRITTEN.begun(WRITTEN.wall_s + later_s, 100);
            assert_eq!(begun.store_s, WRITTEN.store_s + counted_s, "{later_s} s");
        }
        // A clock that was put back, to 1970 at worst, goes on from there.
        let begun = WRITTEN.begun(5, 100);
        assert_eq!(begun.advanced(65).store_s, WRITTEN.store_s + 60);
    }

    #[test]
    fn the_clock_never_goes_back_and_counts_no_second_twice() {
        let back = WRITTEN.advanced(WRITTEN.wall_s - 50);
        assert_eq!(back, WRITTEN);
        let ahead = back.advanced(WRITTEN.wall_s + 7);
        assert_eq!(ahead.store_s, WRITTEN.store_s + 7);
        assert_eq!(Clock::default().begun(9, 100).store_s, 9);
    }
}
