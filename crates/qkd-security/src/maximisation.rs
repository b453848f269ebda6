//! Finding the argument that makes a smooth rate largest, the same on every machine.
//!
//! Never differentiates and draws nothing at random: a coarse geometric grid finds the hill, the
//! golden section climbs it (Kiefer, Proc. Am. Math. Soc. 4, 502 (1953)).

pub(crate) mod simplex;

use crate::Error;
use crate::mathematics::{exp, ln};
use crate::range::require;

/// Points of the grid that is laid before the golden section starts.
const GRID: u32 = 24;
/// (√5 − 1)/2: every step keeps this share of the interval.
const KEPT: f64 = 0.618_033_988_749_894_9;
/// Golden steps. Eight would follow each decimal digit; near a maximum only half of a double's
/// digits can be told apart, and 40 steps of two grid cells reach them.
const STEPS: u32 = 40;

/// Where to look for a maximum: 0 < from < to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The smallest argument, above 0, in the unit of the argument.
    pub from: f64,
    /// The largest argument, in the same unit.
    pub to: f64,
}

impl Interval {
    /// The same interval when 0 < from < to < ∞.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the end that is wrong.
    pub fn checked(self) -> Result<Self, Error> {
        let Interval { from, to } = self;
        let holds = from > 0.0 && from.is_finite();
        require(
            "from (start of the search)",
            from,
            holds,
            "a number above 0",
        )?;
        let holds = to > from && to.is_finite();
        require("to (end of the search)", to, holds, "a number above `from`")?;
        Ok(self)
    }
}

/// The largest value found and where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Maximum {
    /// The argument, right to about eight digits.
    pub argument: f64,
    /// The objective there.
    pub value: f64,
}

/// Maximises `objective` over `interval`, ends included; 66 evaluations.
///
/// Right when the objective has one hill wider than 1/12 of the logarithm of the interval; NaN
/// counts as lower than anything.
///
/// # Errors
/// [`Error::OutOfRange`] unless 0 < from < to.
pub fn maximise(
    interval: Interval,
    mut objective: impl FnMut(f64) -> f64,
) -> Result<Maximum, Error> {
    let Interval { from, to } = interval.checked()?;
    let cell = (ln(to) - ln(from)) / f64::from(GRID - 1);
    let point = |i: u32| match i {
        0 => from,
        _ if i >= GRID - 1 => to,
        _ => from * exp(cell * f64::from(i)),
    };
    let mut best = Maximum {
        argument: from,
        value: f64::NEG_INFINITY,
    };
    let mut summit = 0;
    for i in 0..GRID {
        let argument = point(i);
        let value = objective(argument);
        if value > best.value {
            best = Maximum { argument, value };
            summit = i;
        }
    }
    let (mut low, mut high) = (point(summit.saturating_sub(1)), point(summit + 1));
    let mut left = high - KEPT * (high - low);
    let mut right = low + KEPT * (high - low);
    let (mut at_left, mut at_right) = (objective(left), objective(right));
    for _ in 0..STEPS {
        if at_left > at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - KEPT * (high - low);
            at_left = objective(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + KEPT * (high - low);
            at_right = objective(right);
        }
        for (argument, value) in [(left, at_left), (right, at_right)] {
            if value > best.value {
                best = Maximum { argument, value };
            }
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Interval = Interval {
        from: 0.01,
        to: 10.0,
    };

    #[test]
    fn a_hill_inside_is_found() {
        let found = maximise(INTERVAL, |x| x * exp(-2.0 * x)).unwrap();
        assert!((found.argument - 0.5).abs() < 1e-7, "{found:?}");
        assert!((found.value - 0.5 * exp(-1.0)).abs() < 1e-15, "{found:?}");
    }

    #[test]
    fn a_hill_at_an_end_is_found() {
        assert_eq!(maximise(INTERVAL, |x| x).unwrap().argument, 10.0);
        assert_eq!(maximise(INTERVAL, |x| -x).unwrap().argument, 0.01);
    }

    #[test]
    fn an_objective_without_values_gives_no_number() {
        let found = maximise(INTERVAL, |_| f64::NAN).unwrap();
        assert_eq!(found.value, f64::NEG_INFINITY);
    }

    #[test]
    fn an_interval_that_is_none_is_refused() {
        for (from, to) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (f64::NAN, 1.0),
            (1.0, f64::INFINITY),
        ] {
            assert!(
                maximise(Interval { from, to }, |x| x).is_err(),
                "{from} {to}"
            );
        }
    }
}
