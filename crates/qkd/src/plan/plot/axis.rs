//! The two axes: decades of a rate, and round steps of a distance or loss.

use std::ops::Range;

use super::text::raised;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use qkd_security::mathematics::{log10, pow};

/// More decades than this cannot be told apart on one page; the lowest are left out.
const DECADES_MAX: i32 = 12;

/// Up to this many decades the grid shows the steps inside a decade as well.
const DECADES_WITH_STEPS_MAX: i32 = 8;

/// No link is longer than this, in km or in dB; a point beyond it is not drawn.
const DISTANCE_MAX: f64 = 1e5;

/// The points that have a place on a page: a finite distance and a finite rate.
pub(super) fn drawable(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> + '_ {
    points
        .iter()
        .copied()
        .filter(|(x, y)| x.abs() <= DISTANCE_MAX && y.is_finite())
}

/// The logarithmic axis: whole decades, values are powers of ten.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decades {
    lowest: i32,
    highest: i32,
}

impl Decades {
    /// The decades around these rates, with room above the largest and below the smallest.
    pub(super) fn around(rates: impl Iterator<Item = f64>) -> Self {
        let (smallest, largest) = rates
            .filter(|rate| *rate > 0.0 && rate.is_finite())
            .map(log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), power| {
                (low.min(power), high.max(power))
            });
        if smallest > largest {
            return Self {
                lowest: -8,
                highest: 0,
            };
        }
        // A double lies between 1e−324 and 1e309, so the casts are exact; a value on a line of the
        // grid gets the next decade as well.
        let highest = largest.floor() as i32 + 1;
        let lowest = smallest.ceil() as i32 - 1;
        Self {
            lowest: lowest.max(highest - DECADES_MAX),
            highest,
        }
    }

    /// The power of ten of a rate, when it lies on the axis.
    pub(super) fn power(&self, rate: f64) -> Option<f64> {
        let power = log10(rate);
        (rate > 0.0 && power >= f64::from(self.lowest) && power <= f64::from(self.highest))
            .then_some(power)
    }

    /// How far up the axis a power lies, from 0 to 1.
    pub(super) fn share(&self, power: f64) -> f64 {
        (power - f64::from(self.lowest)) / f64::from(self.highest - self.lowest)
    }

    /// `10⁻³`, and `2×10³` between two decades.
    pub(super) fn label(power: f64) -> String {
        let decade = power.floor();
        let digit = pow(10.0, power - decade).round();
        let exponent = raised(&format!("{decade:.0}"));
        if digit > 1.0 {
            format!("{digit:.0}×10{exponent}")
        } else {
            format!("10{exponent}")
        }
    }

    fn steps(&self, digits: &[f64]) -> Vec<f64> {
        (self.lowest..self.highest)
            .flat_map(|decade| {
                digits
                    .iter()
                    .map(move |digit| log10(*digit) + f64::from(decade))
            })
            .chain([f64::from(self.highest)])
            .collect()
    }
}

impl Ranged for Decades {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        place(self.share(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let decades = self.highest - self.lowest;
        match (hint.weight().allow_light_points(), decades) {
            // Within one decade its two ends would be the only numbers.
            (false, 1) => self.steps(&[1.0, 2.0, 5.0]),
            (true, 1..=DECADES_WITH_STEPS_MAX) => {
                self.steps(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
            }
            (_, _) => self.steps(&[1.0]),
        }
    }

    fn range(&self) -> Range<f64> {
        f64::from(self.lowest)..f64::from(self.highest)
    }
}

/// The linear axis of a distance in km or a loss in dB.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Distances {
    start: f64,
    end: f64,
    step: f64,
}

impl Distances {
    /// The smallest axis that holds these distances; around a single one, half a unit on each side.
    pub(super) fn around(distances: impl Iterator<Item = f64>) -> Self {
        let (start, end) = distances.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        let (start, end) = if start > end {
            (0.0, 1.0)
        } else if end - start < 1e-9 * end.abs().max(1.0) {
            let room = 0.5 * end.abs().max(1.0);
            (start - room, end + room)
        } else {
            (start, end)
        };
        Self {
            start,
            end,
            step: round_step((end - start) / 10.0),
        }
    }

    /// How far along the axis a distance lies, from 0 to 1.
    pub(super) fn share(&self, distance: f64) -> f64 {
        (distance - self.start) / (self.end - self.start)
    }

    /// A distance with as many digits as the steps of the axis need.
    pub(super) fn label(&self, distance: f64) -> String {
        let digits = (-log10(self.step).floor()).max(0.0) as usize;
        let label = format!("{distance:.digits$}");
        // A step next to zero may come out as −0.
        match label.strip_prefix('-') {
            Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
            Some(rest) => format!("−{rest}"),
            None => label,
        }
    }
}

/// The smallest of 1, 2, 5, 10, … times a power of ten that is no smaller than this.
fn round_step(least: f64) -> f64 {
    let unit = pow(10.0, log10(least).floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * unit)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * unit)
}

impl Ranged for Distances {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        place(self.share(*value), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let first = (self.start / self.step - 1e-6).ceil();
        (0..=20)
            .map(|index| (first + f64::from(index)) * self.step)
            .take_while(|value| *value <= self.end + 1e-6 * self.step)
            .collect()
    }

    fn range(&self) -> Range<f64> {
        self.start..self.end
    }
}

/// A share of an axis in the units of the page.
fn place(share: f64, (start, end): (i32, i32)) -> i32 {
    start + (share * f64::from(end - start)).round() as i32
}
