//! The intensities, their probabilities and the basis probability with the highest rate.

mod hills;

use super::{Frame, Outcome, PlanInput, PlanTheorem, Setting};
use crate::Error;
use crate::mathematics::{exp, ln};
use crate::maximisation::{Interval, maximise};
use hills::highest;

/// The brightest pulse that is tried. Two photons and more are Eve's, so the best are below one.
const INTENSITY_MAX: f64 = 3.0;

/// The darkest signal that is tried where one is enough: without decoys and dark counts the best is
/// about the transmittance.
const INTENSITY_MIN: f64 = 1e-9;

/// Mean photon numbers between which the search is fast.
const INTENSITIES_USUAL: [f64; 2] = [1e-3, INTENSITY_MAX];

/// Where a block misses so large a share of itself to have any key, no choice will help.
const HOPELESS: f64 = 0.02;

/// `input` with the choices that give the most secret bits per slot, to 0.1 % of what can be had.
///
/// `start` is a good guess, such as the best choices of a neighbouring distance. The search begins
/// there only where it finds no key otherwise: a row of a table must not depend on the rows before
/// it.
///
/// Varied are, for blocks of finite length, the intensities, their probabilities and the basis
/// probability; with two decoys the darkest intensity stays as it is, because the best is as dark as
/// the modulator can make it. For infinitely many pulses only the signal is varied: decoys would
/// best be as dark and as rare as one likes, and the test basis as rare.
///
/// Never worse than `input`. Where nothing gives a key, it is `input` as it was. The same on every
/// machine.
///
/// # Errors
/// [`Error::OutOfRange`] for a figure of `input` or `start` outside its range.
pub fn optimise(input: &PlanInput, start: Option<&PlanInput>) -> Result<PlanInput, Error> {
    let exact = Frame::new(input)?;
    let own = Setting::of(input)?;
    let start = match start {
        Some(start) => Some(Setting::of(start)?),
        None => None,
    };
    let frame = Frame {
        channel: exact.channel.tabulated(INTENSITIES_USUAL),
        ..exact.clone()
    };
    let search = Search {
        frame: &frame,
        own: &own,
    };
    let found = match input.theorem {
        PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => search.one_decoy(start.as_ref()),
        PlanTheorem::Lim2014 => search.two_decoys(start.as_ref()),
        PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite => search.signal(0.0)?,
        PlanTheorem::GllpVacuumWeak => search.signal(own.intensities[1] + own.intensities[2])?,
    };
    let mut best = input.clone();
    let exact = Search {
        frame: &exact,
        own: &own,
    };
    if exact.value(&found) > exact.value(&own).max(0.0) {
        let used = input.theorem.intensities_used();
        best.link.intensities[..used].copy_from_slice(&found.intensities[..used]);
        best.link.key_basis_probability = found.key_basis_probability;
        if input.theorem.is_finite() {
            best.link.intensity_probabilities = found.probabilities[..used].to_vec();
        }
    }
    Ok(best)
}

/// What is searched, and what the configuration chose.
struct Search<'a> {
    frame: &'a Frame,
    own: &'a Setting,
}

impl Search<'_> {
    /// Secret bits per slot where there is a key. Where there is none, something below zero that
    /// grows towards one.
    fn value(&self, setting: &Setting) -> f64 {
        let outcome = setting
            .checked(self.frame.theorem)
            .and_then(|setting| self.frame.outcome(&setting));
        match outcome {
            Ok(Outcome::Block { slots, bounds, .. }) => {
                let length = bounds.length_unclamped();
                if length >= 1.0 {
                    length / slots
                } else {
                    length - 1.0
                }
            }
            Ok(Outcome::Limit { rate, .. }) => rate.secret_bits_per_pulse_unclamped,
            Err(_) => f64::NEG_INFINITY,
        }
    }

    /// The best signal for infinitely many pulses, brighter than `decoys` together.
    fn signal(&self, decoys: f64) -> Result<Setting, Error> {
        let with = |intensity: f64| {
            let mut setting = *self.own;
            setting.intensities[0] = intensity;
            setting
        };
        let interval = Interval {
            from: (decoys * 1.001).max(INTENSITY_MIN),
            to: INTENSITY_MAX.max(decoys * 3.0),
        };
        let best = maximise(interval, |intensity| self.value(&with(intensity)))?;
        Ok(with(best.argument))
    }

    fn one_decoy(&self, start: Option<&Setting>) -> Setting {
        self.best(
            start,
            one_decoy_regions(),
            Coordinates {
                read: |setting: &Setting| {
                    let [signal, decoy, _] = setting.intensities;
                    [
                        ln(signal),
                        logit(decoy / signal),
                        logit(setting.probabilities[0]),
                        logit(setting.key_basis_probability),
                    ]
                },
                write: |x: &[f64; 4], _: &Setting| {
                    let signal = exp(x[0]);
                    let p = logistic(x[2]);
                    Setting {
                        intensities: [signal, signal * logistic(x[1]), 0.0],
                        probabilities: [p, 1.0 - p, 0.0],
                        key_basis_probability: logistic(x[3]),
                    }
                },
            },
        )
    }

    fn two_decoys(&self, start: Option<&Setting>) -> Setting {
        self.best(
            start,
            two_decoys_regions(),
            Coordinates {
                read: |setting: &Setting| {
                    let [signal, weak, dim] = setting.intensities;
                    let [p_signal, p_weak, _] = setting.probabilities;
                    [
                        ln(signal - 2.0 * dim),
                        logit((weak - dim) / (signal - 2.0 * dim)),
                        logit(p_signal),
                        logit(p_weak / (1.0 - p_signal)),
                        logit(setting.key_basis_probability),
                    ]
                },
                write: |x: &[f64; 5], own: &Setting| {
                    // 2ν₂ + (0, ∞) for the signal, and between ν₂ and μ − ν₂ for the weak decoy.
                    let dim = own.intensities[2];
                    let above = exp(x[0]);
                    let p_signal = logistic(x[2]);
                    let p_weak = (1.0 - p_signal) * logistic(x[3]);
                    Setting {
                        intensities: [2.0 * dim + above, dim + above * logistic(x[1]), dim],
                        probabilities: [p_signal, p_weak, 1.0 - p_signal - p_weak],
                        key_basis_probability: logistic(x[4]),
                    }
                },
            },
        )
    }

    /// The best choices found when starting from the regions and from the configuration's own
    /// choices; where these give no key, from `start`.
    fn best<const N: usize>(
        &self,
        start: Option<&Setting>,
        mut regions: Vec<Vec<[f64; N]>>,
        coordinates: Coordinates<N>,
    ) -> Setting {
        let write = |x: &[f64; N]| (coordinates.write)(x, self.own);
        let hopeless = -HOPELESS * self.frame.block_bits;
        let from = |regions: &[Vec<[f64; N]>]| {
            highest(regions, hopeless, |x| self.value(&write(x))).filter(|hill| hill.value > 0.0)
        };
        regions.push(vec![(coordinates.read)(self.own)]);
        let found = from(&regions).or_else(|| from(&[vec![(coordinates.read)(start?)]]));
        found.map_or(*self.own, |hill| write(&hill.argument))
    }
}

/// Choices as numbers without bounds, and back.
struct Coordinates<const N: usize> {
    read: fn(&Setting) -> [f64; N],
    write: fn(&[f64; N], &Setting) -> Setting,
}

/// One region for each share of signals and each darkness of the decoy, because these decide which
/// of two bounds on the vacuum holds.
fn one_decoy_regions() -> Vec<Vec<[f64; 4]>> {
    let mut regions = Vec::new();
    for p in [0.25, 0.75] {
        for share in [0.08, 0.22, 0.45] {
            let mut starts = Vec::new();
            for signal in [0.15, 0.35, 0.6] {
                for z in [0.5, 0.75, 0.9, 0.97] {
                    starts.push([ln(signal), logit(share), logit(p), logit(z)]);
                }
            }
            regions.push(starts);
        }
    }
    regions
}

/// The same; the clip of lowered counts takes the place of the second bound on the vacuum.
fn two_decoys_regions() -> Vec<Vec<[f64; 5]>> {
    let mut regions = Vec::new();
    for (p, rest) in [(0.08, 0.55), (0.25, 0.7), (0.5, 0.7), (0.85, 0.7)] {
        for share in [0.15, 0.35] {
            let mut starts = Vec::new();
            for signal in [0.25, 0.6] {
                for z in [0.5, 0.75, 0.9, 0.97] {
                    starts.push([ln(signal), logit(share), logit(p), logit(rest), logit(z)]);
                }
            }
            regions.push(starts);
        }
    }
    regions
}

fn logit(p: f64) -> f64 {
    ln(p / (1.0 - p))
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}
