//! Finding where a condition stops to hold, to the last bit and the same on every machine.

use std::ops::RangeInclusive;

/// The largest double in `range` at which `holds`, if it holds up to some point and not after it;
/// `None` when it does not hold at the start. At most 66 evaluations.
///
/// `range` lies in \[0, ∞). Halves the number of doubles, not the distance, so a root at 1e-20 is
/// found to as many digits as one at 1.
pub fn last_holding(range: RangeInclusive<f64>, mut holds: impl FnMut(f64) -> bool) -> Option<f64> {
    let (start, end) = (*range.start(), *range.end());
    if !holds(start) {
        return None;
    }
    if holds(end) {
        return Some(end);
    }
    // Doubles that are not negative have the order of their bits (−0 is made +0).
    let (mut yes, mut no) = ((start + 0.0).to_bits(), end.to_bits());
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if holds(f64::from_bits(middle)) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    Some(f64::from_bits(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_double_is_found_at_any_size() {
        for bound in [1e-300, 1e-20, 0.3, 1.0, 1e9] {
            assert_eq!(last_holding(0.0..=1e10, |x| x <= bound), Some(bound));
        }
    }

    #[test]
    fn a_condition_that_always_or_never_holds_gives_an_end_or_nothing() {
        assert_eq!(last_holding(0.0..=2.0, |_| true), Some(2.0));
        assert_eq!(last_holding(0.0..=2.0, |_| false), None);
        assert_eq!(last_holding(-0.0..=2.0, |x| x == 0.0), Some(0.0));
    }
}
