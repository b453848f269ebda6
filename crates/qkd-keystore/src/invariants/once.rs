//! Numbers that must never repeat.

use std::collections::{BTreeMap, HashMap};

/// Which numbers were used, scope by scope.
#[derive(Default)]
pub(super) struct Once {
    /// First number of each run of numbers, and the one after its last.
    used: HashMap<String, BTreeMap<u128, u128>>,
}

impl Once {
    /// Marks `count` numbers from `first` on as used; the lowest of them that was used before, if
    /// there is one.
    pub(super) fn take(&mut self, scope: String, first: u128, count: u128) -> Option<u128> {
        let end = first.saturating_add(count);
        let runs = self.used.entry(scope).or_default();
        let before = runs.range(..=first).next_back();
        let from_before = before.filter(|(_, used)| **used > first).map(|_| first);
        let repeated = from_before.or_else(|| runs.range(first..end).next().map(|(&n, _)| n));
        // Runs that touch or overlap become one, so counters take no room.
        let (mut first, mut end) = (first, end);
        while let Some((&from, &to)) = runs.range(..=end).next_back() {
            if to < first {
                break;
            }
            (first, end) = (first.min(from), end.max(to));
            runs.remove(&from);
        }
        if end > first {
            runs.insert(first, end);
        }
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_overlap_is_noticed_whichever_run_came_first() {
        for (first, count, repeated) in [
            (0, 10, None),
            (9, 1, None),
            (10, 5, Some(10)),
            (12, 1, Some(12)),
            (8, 4, Some(10)),
            (19, 5, Some(19)),
            (20, 5, None),
            (0, 100, Some(10)),
        ] {
            let mut once = Once::default();
            assert_eq!(once.take("key".into(), 10, 10), None);
            assert_eq!(once.take("other key".into(), first, count), None);
            let found = once.take("key".into(), first, count);
            assert_eq!(found, repeated, "{count} from {first}");
        }
    }

    #[test]
    fn counters_in_a_row_are_one_run() {
        let mut once = Once::default();
        for number in 0..1000 {
            assert_eq!(once.take("key".into(), number, 1), None);
        }
        assert_eq!(once.used["key"].len(), 1);
        assert_eq!(once.take("key".into(), 500, 1), Some(500));
    }
}
