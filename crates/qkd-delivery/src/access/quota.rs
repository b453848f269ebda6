//! How much one application may take: counts, with the time as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use qkd_keystore::SaeId;

/// A key, in the unit in which buckets are counted: exact at any rate of whole keys a second.
const KEY: i128 = 1_000_000_000;

/// A day that keys are counted over. It begins with the first key of it.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What one application may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaeQuota {
    /// Keys a second in the long run, asked for as master or as slave; any number when absent.
    pub keys_per_second_max: Option<NonZeroU32>,
    /// Keys at once, after a time in which fewer were asked for. A request for more passes when
    /// nothing was taken for long enough, and is paid for afterwards.
    pub keys_burst_max: NonZeroU32,
    /// Keys within 24 hours; any number when absent.
    pub keys_per_day_max: Option<u64>,
    /// Requests under way at once, those that wait for their turn included.
    pub requests_open_max: u32,
}

impl Default for SaeQuota {
    /// 256 requests at once, and as many keys as there are.
    fn default() -> Self {
        Self {
            keys_per_second_max: None,
            keys_burst_max: NonZeroU32::MIN.saturating_add(1023),
            keys_per_day_max: None,
            requests_open_max: 256,
        }
    }
}

/// Which part of a quota a request is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverQuota {
    /// [`SaeQuota::keys_per_second_max`].
    KeysPerSecond {
        /// The limit.
        max: u32,
    },
    /// [`SaeQuota::keys_per_day_max`].
    KeysPerDay {
        /// The limit.
        max: u64,
    },
    /// [`SaeQuota::requests_open_max`].
    RequestsOpen {
        /// The limit.
        max: u32,
    },
    /// The other side holds as many keys of this master as it may, and nobody fetches them.
    Unfetched,
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OverQuota::KeysPerSecond { max } => {
                write!(f, "at most {max} keys a second (keys_per_second_max)")
            }
            OverQuota::KeysPerDay { max } => {
                write!(f, "at most {max} keys in 24 hours (keys_per_day_max)")
            }
            OverQuota::RequestsOpen { max } => {
                write!(f, "at most {max} requests at once (requests_open_max)")
            }
            OverQuota::Unfetched => f.write_str(
                "its slaves have to fetch keys of earlier requests first (unfetched_share_max)",
            ),
        }
    }
}

/// What applications took lately. Callers are known applications, so their number is bounded.
#[derive(Debug)]
pub(super) struct Quotas {
    everybody: SaeQuota,
    of: BTreeMap<SaeId, SaeQuota>,
    taken: BTreeMap<SaeId, Taken>,
}

/// What one application took.
#[derive(Debug)]
struct Taken {
    /// What is left in the bucket, in [`KEY`]s; below nothing after a request for more.
    left: i128,
    /// When that was so.
    at: Duration,
    day_began: Duration,
    day_keys: u64,
    open: u32,
}

impl Quotas {
    /// Those `of` a name where there are some, and those of `everybody` else.
    pub(super) fn new(everybody: SaeQuota, of: BTreeMap<SaeId, SaeQuota>) -> Self {
        Self {
            everybody,
            of,
            taken: BTreeMap::new(),
        }
    }

    /// Replaces the limits, and nothing of what was taken.
    pub(super) fn set(&mut self, everybody: SaeQuota, of: BTreeMap<SaeId, SaeQuota>) {
        self.everybody = everybody;
        self.of = of;
    }

    /// The quota of `sae`.
    pub(super) fn quota(&self, sae: &SaeId) -> SaeQuota {
        self.of.get(sae).copied().unwrap_or(self.everybody)
    }

    /// Counts a request of `sae` that is under way until [`leave`](Self::leave).
    pub(super) fn enter(&mut self, sae: &SaeId, now: Duration) -> Result<(), OverQuota> {
        let max = self.quota(sae).requests_open_max;
        let taken = self.taken(sae, now);
        if taken.open >= max {
            return Err(OverQuota::RequestsOpen { max });
        }
        taken.open += 1;
        Ok(())
    }

    /// A request of `sae` is over.
    pub(super) fn leave(&mut self, sae: &SaeId) {
        if let Some(taken) = self.taken.get_mut(sae) {
            taken.open = taken.open.saturating_sub(1);
        }
    }

    /// Counts `number` keys that `sae` asks for at `now`, whatever becomes of the request: somebody
    /// who guesses identities is slowed down as well. The error says when to come again.
    pub(super) fn take(
        &mut self,
        sae: &SaeId,
        number: u32,
        now: Duration,
    ) -> Result<(), (OverQuota, Duration)> {
        let quota = self.quota(sae);
        let taken = self.taken(sae, now);
        if now.saturating_sub(taken.day_began) >= DAY {
            taken.day_began = now;
            taken.day_keys = 0;
        }
        if let Some(max) = quota.keys_per_day_max
            && taken.day_keys.saturating_add(u64::from(number)) > max
        {
            let over = (taken.day_began + DAY).saturating_sub(now);
            return Err((OverQuota::KeysPerDay { max }, over));
        }
        if let Some(rate) = quota.keys_per_second_max {
            let wanted = number.min(quota.keys_burst_max.get());
            taken.refill(quota.keys_burst_max, rate, now);
            let missing = i128::from(wanted) * KEY - taken.left;
            if missing > 0 {
                // A whole nanosecond too late rather than a part of one too early.
                let nanoseconds = missing.unsigned_abs().div_ceil(u128::from(rate.get()));
                let wait = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
                return Err((OverQuota::KeysPerSecond { max: rate.get() }, wait));
            }
            taken.left -= i128::from(number) * KEY;
        }
        taken.day_keys = taken.day_keys.saturating_add(u64::from(number));
        Ok(())
    }

    fn taken(&mut self, sae: &SaeId, now: Duration) -> &mut Taken {
        let full = i128::from(self.quota(sae).keys_burst_max.get()) * KEY;
        self.taken.entry(sae.clone()).or_insert(Taken {
            left: full,
            at: now,
            day_began: now,
            day_keys: 0,
            open: 0,
        })
    }
}

impl Taken {
    fn refill(&mut self, burst: NonZeroU32, rate: NonZeroU32, now: Duration) {
        let nanoseconds = now.saturating_sub(self.at).as_nanos();
        let came = i128::try_from(nanoseconds)
            .unwrap_or(i128::MAX)
            .saturating_mul(i128::from(rate.get()));
        self.left = (self.left.saturating_add(came)).min(i128::from(burst.get()) * KEY);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sae(name: &str) -> SaeId {
        SaeId::new(name).unwrap()
    }

    fn quotas(rate: u32, burst: u32) -> Quotas {
        let everybody = SaeQuota {
            keys_per_second_max: NonZeroU32::new(rate),
            keys_burst_max: NonZeroU32::new(burst).unwrap(),
            ..SaeQuota::default()
        };
        Quotas::new(everybody, BTreeMap::new())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_then_exactly_the_rate() {
        let mut quotas = quotas(10, 20);
        let a = sae("a");
        assert_eq!(quotas.take(&a, 20, SECOND), Ok(()));
        let (over, wait) = quotas.take(&a, 1, SECOND).unwrap_err();
        assert_eq!(over, OverQuota::KeysPerSecond { max: 10 });
        assert_eq!(wait, SECOND / 10);
        // What was refused is not paid for, and whoever waits as long as he is told gets his key.
        assert_eq!(quotas.take(&a, 1, SECOND + wait), Ok(()));
        let mut passed = 0;
        for ms in 0..10_000 {
            let now = 2 * SECOND + Duration::from_millis(ms);
            passed += u32::from(quotas.take(&a, 1, now).is_ok());
        }
        // 9 s were needed to fill it with what 10 s bring, of which the first 0.9 s were there.
        assert!((100..=110).contains(&passed), "{passed} keys in 10 s");
        assert_eq!(quotas.take(&sae("b"), 20, SECOND), Ok(()), "its own bucket");
    }

    #[test]
    fn more_than_a_burst_passes_once_and_is_paid_for_afterwards() {
        let mut quotas = quotas(1, 10);
        let a = sae("a");
        assert_eq!(quotas.take(&a, 100, Duration::ZERO), Ok(()));
        let (_, wait) = quotas.take(&a, 1, Duration::ZERO).unwrap_err();
        assert_eq!(wait, 91 * SECOND);
    }

    #[test]
    fn a_day_has_so_many_keys_and_the_next_one_too() {
        let everybody = SaeQuota {
            keys_per_day_max: Some(5),
            ..SaeQuota::default()
        };
        let special = SaeQuota {
            keys_per_day_max: Some(50),
            ..SaeQuota::default()
        };
        let mut quotas = Quotas::new(everybody, BTreeMap::from([(sae("b"), special)]));
        assert_eq!(quotas.take(&sae("a"), 5, SECOND), Ok(()));
        let (over, wait) = quotas.take(&sae("a"), 1, 2 * SECOND).unwrap_err();
        assert_eq!(
            (over, wait),
            (OverQuota::KeysPerDay { max: 5 }, DAY - SECOND)
        );
        assert_eq!(quotas.take(&sae("a"), 5, SECOND + DAY), Ok(()));
        assert_eq!(quotas.take(&sae("b"), 50, SECOND), Ok(()));
    }

    #[test]
    fn so_many_requests_are_open_and_a_clock_that_goes_back_gives_nothing() {
        let everybody = SaeQuota {
            requests_open_max: 2,
            ..SaeQuota::default()
        };
        let mut quotas = Quotas::new(everybody, BTreeMap::new());
        let a = sae("a");
        assert_eq!(quotas.enter(&a, SECOND), Ok(()));
        assert_eq!(quotas.enter(&a, SECOND), Ok(()));
        let over = Err(OverQuota::RequestsOpen { max: 2 });
        assert_eq!(quotas.enter(&a, Duration::ZERO), over);
        quotas.leave(&a);
        assert_eq!(quotas.enter(&a, Duration::ZERO), Ok(()));
        let mut quotas = self::quotas(1, 1);
        assert_eq!(quotas.take(&a, 1, 9 * SECOND), Ok(()));
        assert!(quotas.take(&a, 1, SECOND).is_err());
        assert!(quotas.take(&a, 1, 9 * SECOND).is_err());
        assert_eq!(quotas.take(&a, 1, 10 * SECOND), Ok(()));
    }
}
