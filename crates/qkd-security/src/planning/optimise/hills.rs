//! The highest of several hills.
//!
//! Bounds with a "smaller of" or a clip in them give a rate several hills that touch, where one
//! climb ends on the one it began. So climbs begin in several regions, and from around the best.

use crate::maximisation::simplex::{Corner, Effort, climb};

/// A climb that finds the right hill.
const CLIMB: Effort = Effort {
    step: 0.4,
    argument_tolerance: 0.02,
    value_tolerance: 1e-4,
    evaluations_max: 300,
};

/// A climb that finishes: the rate is flat at its maximum, so that arguments right to 0.2 % make it
/// right to some 1e-6.
const POLISH: Effort = Effort {
    step: POLISH_STEPS[0],
    argument_tolerance: 2e-3,
    value_tolerance: 1e-7,
    evaluations_max: 300,
};

/// Edges of the simplices that polish. To the other side each time: one that lies along a ridge
/// cannot climb it.
const POLISH_STEPS: [f64; 6] = [0.05, -0.2, 0.1, -0.05, 0.2, -0.1];

/// How far around the best the neighbouring hills are looked for.
const NEIGHBOURHOOD: f64 = 0.6;

/// Share of the rate that more effort must gain to be worth still more.
const GAIN_MIN: f64 = 1e-4;

/// The best point found when climbing from the best of each region and from around the best of all.
///
/// A hill that ends below `hopeless` is not looked at any further. Regions without a point do not
/// count; without any there is no result.
pub(super) fn highest<const N: usize>(
    regions: &[Vec<[f64; N]>],
    hopeless: f64,
    value: impl Fn(&[f64; N]) -> f64,
) -> Option<Corner<N>> {
    let at = |argument: &[f64; N]| Corner {
        argument: *argument,
        value: value(argument),
    };
    let climbed = |from: Corner<N>| climb(from.argument, &CLIMB, &value);
    let region = |starts: &Vec<[f64; N]>| starts.iter().map(at).reduce(higher).map(climbed);
    let mut best = regions.iter().filter_map(region).reduce(higher)?;
    if best.value < hopeless {
        return Some(best);
    }
    best = polished(best, &value);
    let neighbours = (0..N).flat_map(|i| [(i, NEIGHBOURHOOD), (i, -NEIGHBOURHOOD)]);
    let neighbour = |(i, away): (usize, f64)| {
        let mut argument = best.argument;
        argument[i] += away;
        climb(argument, &CLIMB, &value)
    };
    let next = neighbours.map(neighbour).reduce(higher)?;
    if next.value > best.value {
        best = polished(next, &value);
    }
    Some(best)
}

fn higher<const N: usize>(a: Corner<N>, b: Corner<N>) -> Corner<N> {
    if b.value > a.value { b } else { a }
}

/// Climbs on from `hill` until fresh simplices gain next to nothing.
fn polished<const N: usize>(hill: Corner<N>, value: impl Fn(&[f64; N]) -> f64) -> Corner<N> {
    let mut best = hill;
    for (round, step) in POLISH_STEPS.into_iter().enumerate() {
        let next = climb(best.argument, &Effort { step, ..POLISH }, &value);
        let gain = next.value - best.value;
        best = next;
        if round > 0 && gain <= GAIN_MIN * best.value.abs() {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_of_two_hills_that_touch_is_found() {
        // Two cones; the start is on the lower one, the neighbourhood reaches the other.
        let cone = |x: &[f64; 2], at: [f64; 2], height: f64| {
            height - (x[0] - at[0]).abs() - 3.0 * (x[1] - at[1]).abs()
        };
        let value = |x: &[f64; 2]| cone(x, [0.0, 0.0], 2.0).max(cone(x, [1.0, 0.2], 2.1));
        let found = highest(&[vec![[-0.1, 0.0]]], 0.0, value).unwrap();
        assert!((found.value - 2.1).abs() < 1e-2, "{found:?}");
        assert_eq!(highest(&[], 0.0, value), None);
    }
}
