//! How chance moves a function of a block's counts: the eight kinds of sifted detection (correct
//! and wrong, by class and basis) that a block of a fixed number of detections is made of.

use crate::mathematics::erfc;
use crate::{IntensityClass, Statistics, TestedBasis};

/// One of the kinds of detection that exclude each other.
#[derive(Clone, Copy)]
struct Kind {
    basis: TestedBasis,
    class: IntensityClass,
    wrong: bool,
}

impl Kind {
    fn all() -> impl Iterator<Item = Kind> {
        [TestedBasis::Key, TestedBasis::Test]
            .into_iter()
            .flat_map(|basis| IntensityClass::ALL.map(|class| (basis, class)))
            .flat_map(|(basis, class)| {
                [false, true].map(|wrong| Kind {
                    basis,
                    class,
                    wrong,
                })
            })
    }

    fn count(self, of: &Statistics<f64>) -> f64 {
        let (basis, i) = (of.basis(self.basis), self.class.index());
        if self.wrong {
            basis.errors[i]
        } else {
            basis.counts[i] - basis.errors[i]
        }
    }

    /// `statistics` with `step` more of this kind.
    fn moved(self, mut statistics: Statistics<f64>, step: f64) -> Statistics<f64> {
        let basis = match self.basis {
            TestedBasis::Key => &mut statistics.key,
            TestedBasis::Test => &mut statistics.test,
        };
        let i = self.class.index();
        basis.counts[i] += step;
        if self.wrong {
            basis.errors[i] += step;
        }
        statistics
    }
}

/// Root of the summed squares of the worst that each kind of count does to `length` within
/// `deviations` standard deviations.
///
/// Kinds are taken as independent Poisson counts. They are parts of a fixed total, whose negative
/// correlations only make the spread of any function smaller to first order.
pub(super) fn drop_by_chance(
    mean: &Statistics<f64>,
    deviations: f64,
    length: impl Fn(Statistics<f64>) -> f64,
) -> f64 {
    let here = length(*mean);
    let squares = Kind::all().map(|kind| {
        let count = kind.count(mean);
        let drop_towards = |step: f64| {
            let step = (step * count.sqrt()).max(-count);
            here - length(kind.moved(*mean, step))
        };
        let drop = drop_towards(deviations).max(drop_towards(-deviations));
        drop.max(0.0).powi(2)
    });
    squares.sum::<f64>().sqrt()
}

/// One standard deviation of `value` over blocks of `detections` detections with the expected
/// statistics `mean`, to first order: the slopes are those across one standard deviation to either
/// side, and the kinds are parts of a fixed total (a multinomial law).
///
/// Left out: that trapped charges tie detections together, which changes the variance of a count by
/// less than a part in a hundred on the links of the presets.
pub(super) fn deviation_by_chance(
    mean: &Statistics<f64>,
    detections: f64,
    value: impl Fn(Statistics<f64>) -> f64,
) -> f64 {
    let (mut squares, mut total) = (0.0, 0.0);
    for kind in Kind::all() {
        let count = kind.count(mean);
        let up = count.sqrt();
        let down = up.min(count);
        if count > 0.0 {
            let rise = value(kind.moved(*mean, up)) - value(kind.moved(*mean, -down));
            let slope = rise / (up + down);
            squares += slope * slope * count;
            total += slope * count;
        }
    }
    (squares - total * total / detections).max(0.0).sqrt()
}

/// P(X ≥ `deviations`) of a normal X in units of its standard deviation.
pub(super) fn normal_tail_above(deviations: f64) -> f64 {
    0.5 * erfc(deviations * std::f64::consts::FRAC_1_SQRT_2)
}
