//! How often the same may be written down: what strangers cause must not fill a disk.

use std::collections::BTreeMap;
use std::time::Duration;

/// Lines of one kind at once.
const BURST: u64 = 16;

/// Time after which there may be one more.
const ONE_MORE_AFTER: Duration = Duration::from_secs(2);

/// Kinds that are told apart; further ones share one count.
const KINDS_MAX: usize = 512;

/// Lines by kind, with the time as a value.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    kinds: BTreeMap<String, Kind>,
}

#[derive(Debug)]
struct Kind {
    left: u64,
    /// When `left` was counted.
    at: Duration,
    suppressed: u64,
}

impl Kind {
    fn refill(&mut self, now: Duration) {
        let came = now.saturating_sub(self.at).as_nanos() / ONE_MORE_AFTER.as_nanos();
        let came = u32::try_from(came).unwrap_or(u32::MAX);
        self.left = (self.left + u64::from(came)).min(BURST);
        self.at += ONE_MORE_AFTER * came;
    }
}

impl Throttle {
    /// Whether a line of this kind may be written; one that may not is counted.
    pub(super) fn passes(&mut self, kind: &str, now: Duration) -> bool {
        let kind = match self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(kind) {
            true => "many",
            false => kind,
        };
        let kind = self.kinds.entry(kind.to_owned()).or_insert(Kind {
            left: BURST,
            at: now,
            suppressed: 0,
        });
        kind.refill(now);
        if kind.left == 0 {
            kind.suppressed += 1;
            return false;
        }
        kind.left -= 1;
        true
    }

    /// Kinds of which lines were suppressed, with their number, once there may be one about it; kinds
    /// of which there was nothing for long are forgotten.
    pub(super) fn due(&mut self, now: Duration) -> Vec<(String, u64)> {
        let mut due = Vec::new();
        self.kinds.retain(|name, kind| {
            kind.refill(now);
            if kind.suppressed > 0 && kind.left > 0 {
                kind.left -= 1;
                due.push((name.clone(), std::mem::take(&mut kind.suppressed)));
            }
            kind.suppressed > 0 || kind.left < BURST
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_makes_few_lines_that_count_the_rest() {
        let mut throttle = Throttle::default();
        let (mut lines, mut told) = (0, 0);
        for ms in 0..60_000 {
            let now = Duration::from_millis(ms);
            lines += u64::from(throttle.passes("flood", now));
            if ms % 1000 == 0 {
                told += throttle
                    .due(now)
                    .iter()
                    .map(|(_, count)| count)
                    .sum::<u64>();
            }
        }
        assert!((16..=46).contains(&lines), "{lines} lines in a minute");
        assert!(throttle.passes("calm", Duration::ZERO));
        let rest = throttle.due(Duration::from_secs(100));
        told += rest.iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(lines + told, 60_000, "every line is counted");
        assert!(throttle.due(Duration::from_secs(1000)).is_empty());
        assert!(throttle.kinds.is_empty(), "nothing is remembered for ever");
    }

    #[test]
    fn kinds_without_end_share_a_count() {
        let mut throttle = Throttle::default();
        let passed = (0..10_000).filter(|n| throttle.passes(&n.to_string(), Duration::ZERO));
        assert_eq!(passed.count(), KINDS_MAX + BURST as usize);
        assert!(throttle.kinds.len() <= KINDS_MAX + 1);
    }
}
