//! Charges trapped in the detectors, as a Markov chain: dead time and afterpulses, exactly.
//!
//! A registered click leaves a charge with probability `a`. Counted from the end of the dead time,
//! the charge fires in each slot with probability h = 1 − x, x = e^(−1/T): its delay is the floor of
//! an exponential of mean T, which is geometric and forgets its age. A later click does not remove
//! it, but its dead time discards what fires in it. So the number n of charges that are still
//! pending when the detectors come alive is all that the past leaves behind:
//!
//! - a slot stays silent with probability (1−p) xⁿ, so the next registered click comes after
//!   1/c(n) slots on average, c(n) = 1 − (1−p) xⁿ, whatever happens in it;
//! - in the slot of the click every charge fires or not, and light clicks or not, independently: an
//!   afterpulse can coincide with light, with another afterpulse, or come alone;
//! - of the charges left, each outlives the k slots of the dead time with probability y = x^k, and
//!   with probability a there is a new one.
//!
//! n grows by at most one per click, so its stationary law follows from cuts between n and n + 1,
//! in sums of positive terms. Registered detections are the renewals of this chain.

use crate::mathematics::{exp, exp_m1, ln_1p};

/// A flow below this share is none.
const NO_FLOW: f64 = 1e-100;

/// Most pending charges that are followed one by one. Where more are likely, afterpulses are many,
/// rare and old, and their number is replaced by its mean: see [`Trapped::new`].
const PENDING_MAX: usize = 96;

/// What the detectors do after a click, in slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Slots after a registered click in which both detectors are blind.
    pub dead_time_slots: f64,
    /// a: probability that a registered click leaves a charge.
    pub afterpulse_probability: f64,
    /// T: mean delay of an afterpulse after the dead time.
    pub afterpulse_decay_slots: f64,
}

/// A property that a registered click can have (a class of intensity, an error), as its probability
/// in a live slot with n pending charges, and jointly with which of them are left:
///
/// `fired` P(a charge fires) + `one_silent` P(a charge fires, none of them in a given detector)
/// + `light` P(no charge fires).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(super) fired: f64,
    pub(super) one_silent: f64,
    pub(super) light: f64,
}

impl Mark {
    /// The three probabilities, one at a time: every mark is a sum of these.
    pub const PARTS: [Mark; 3] = [
        Mark {
            fired: 1.0,
            one_silent: 0.0,
            light: 0.0,
        },
        Mark {
            fired: 0.0,
            one_silent: 1.0,
            light: 0.0,
        },
        Mark {
            fired: 0.0,
            one_silent: 0.0,
            light: 1.0,
        },
    ];

    /// Clicks that light or darkness make with probability `gain`.
    pub fn click(gain: f64) -> Self {
        Mark {
            fired: 1.0,
            one_silent: 0.0,
            light: gain,
        }
    }

    /// Errors where light or darkness alone make one with probability `error_gain`, `wrong` fires
    /// the detector of the wrong bit and `right` the other.
    ///
    /// An error is a click of the wrong detector alone, or of both and a coin. With the silences
    /// R, W of the two that is (1 − W)(1 + R)/2; charges sit in either detector with probability
    /// ½, which of them is the wrong one is Alice's random bit, and what is the product of two
    /// silences takes all charges together. (Charges of one cascade sit in the same detector.
    /// Taking them as independent leaves less than a²/8 of the light's share out of the error rate,
    /// where two of them fire in one slot with light.)
    pub fn error(error_gain: f64, wrong: f64, right: f64) -> Self {
        Mark {
            fired: 0.5,
            one_silent: (wrong - right) / 2.0,
            light: error_gain,
        }
    }

    /// Clicks with an afterpulse in them.
    pub fn afterpulse() -> Self {
        Mark {
            fired: 1.0,
            one_silent: 0.0,
            light: 0.0,
        }
    }

    /// Only those of the clicks that are chosen with `probability`, independently of them.
    pub fn thinned(self, probability: f64) -> Self {
        Mark {
            fired: self.fired * probability,
            one_silent: self.one_silent * probability,
            light: self.light * probability,
        }
    }
}

/// Stationary law of the charges that are pending when the detectors come alive.
#[derive(Clone, Debug)]
pub(super) struct Trapped {
    pub memory: Memory,
    /// p: probability that a slot clicks without an afterpulse.
    pub click_probability: f64,
    /// Pending charges and the probability of so many. One single entry, with a number that is not
    /// whole, stands for the mean of a law too wide to follow.
    pub law: Vec<(f64, f64)>,
}

impl Trapped {
    /// Solves the chain for detectors that click with `click_probability` without afterpulses.
    ///
    /// Where more than [`PENDING_MAX`] charges are pending with a probability above 1e-15, their
    /// number is taken as constant, n h (k + 1/c(n)) = a, and the registered rate is off by less
    /// than a²/100 of itself.
    pub fn new(memory: Memory, click_probability: f64) -> Self {
        let mut trapped = Trapped {
            memory,
            click_probability,
            law: vec![(0.0, 1.0)],
        };
        // Detectors that never click trap nothing.
        if memory.afterpulse_probability > 0.0 && click_probability > 0.0 {
            trapped.law = trapped.solve();
        }
        trapped
    }

    /// Mean of `value` over the charges pending.
    pub fn mean(&self, value: impl Fn(f64) -> f64) -> f64 {
        self.law.iter().map(|(n, weight)| weight * value(*n)).sum()
    }

    /// c(n): probability that a live slot clicks with `pending` charges.
    pub fn live_click(&self, pending: f64) -> f64 {
        self.in_live_slot(Mark::click(self.click_probability), pending)
    }

    /// Probability that a live slot with `pending` charges clicks and the click bears the mark.
    pub fn in_live_slot(&self, mark: Mark, pending: f64) -> f64 {
        let silent = self.decay(pending);
        let fired = -exp_m1(self.exponent(pending));
        // (1 − h/2)ⁿ − xⁿ
        let other_silent = exp(pending * ln_1p(-self.firing() / 2.0)) - silent;
        mark.fired * fired + mark.one_silent * other_silent + mark.light * silent
    }

    /// Probability that a live slot with `pending` charges bears the mark, and `left` of them
    /// outlive the slot and the dead time after it.
    pub fn leaving(&self, mark: Mark, pending: usize, left: usize) -> f64 {
        let gone = pending - left;
        let dead = self.memory.dead_time_slots;
        let outlives = binomial(pending, left) * power(self.decay(dead + 1.0), left);
        // A charge that does not fire in the slot, but in the dead time.
        let discarded = self.decay(1.0) * -exp_m1(self.exponent(dead));
        let firing = self.firing();
        outlives
            * (mark.fired * power_step(discarded, firing, gone)
                + mark.one_silent * power_step(discarded, firing / 2.0, gone)
                + mark.light * power(discarded, gone))
    }

    fn solve(&self) -> Vec<(f64, f64)> {
        let mut most = 4;
        loop {
            let law = self.law_up_to(most);
            if law.last().is_none_or(|(_, weight)| *weight < 1e-15) {
                return law;
            }
            if most >= PENDING_MAX {
                return vec![(self.mean_pending(), 1.0)];
            }
            most *= 2;
        }
    }

    /// The law with what would lead beyond `most` left out; ends early where no more can be pending.
    fn law_up_to(&self, most: usize) -> Vec<(f64, f64)> {
        let a = self.memory.afterpulse_probability;
        let any = Mark::click(self.click_probability);
        let up: Vec<f64> = (0..=most)
            .map(|n| a * self.leaving(any, n, n) / self.live_click(n as f64))
            .collect();
        let end = up.iter().position(|up| *up < NO_FLOW);
        let most = end.unwrap_or(most);
        // P(m → at most n), n < m, by m and n.
        let down: Vec<Vec<f64>> = (0..=most)
            .map(|m| {
                let (click, mut below) = (self.live_click(m as f64), 0.0);
                let flow = |left| {
                    let at = self.leaving(any, m, left) / click;
                    let flow = below + (1.0 - a) * at;
                    below += at;
                    flow
                };
                (0..m).map(flow).collect()
            })
            .collect();
        let mut weights = vec![0.0; most + 1];
        weights[most] = 1.0;
        for n in (0..most).rev() {
            let flow: f64 = (n + 1..=most).map(|m| weights[m] * down[m][n]).sum();
            weights[n] = flow / up[n];
            if weights[n] > 1e100 {
                weights.iter_mut().for_each(|weight| *weight *= 1e-100);
            }
        }
        let total: f64 = weights.iter().sum();
        let mut law: Vec<(f64, f64)> = (0..=most).map(|n| (n as f64, weights[n] / total)).collect();
        if end.is_some() {
            // An empty state at the end says that the law is complete.
            law.push((most as f64 + 1.0, 0.0));
        }
        law
    }

    /// n h (k + 1/c(n)) = a by bisection; the left side grows with n.
    fn mean_pending(&self) -> f64 {
        let (firing, dead) = (self.firing(), self.memory.dead_time_slots);
        let (mut low, mut high) = (0.0, self.memory.afterpulse_probability / firing);
        for _ in 0..200 {
            let n = 0.5 * (low + high);
            let lost = n * firing * (dead + 1.0 / self.live_click(n));
            if lost < self.memory.afterpulse_probability {
                low = n;
            } else {
                high = n;
            }
        }
        0.5 * (low + high)
    }

    /// h: probability that a charge fires in a slot.
    fn firing(&self) -> f64 {
        -exp_m1(self.exponent(1.0))
    }

    /// Probability that none of so many charges fires in so many slots, for their product `times`.
    fn decay(&self, times: f64) -> f64 {
        exp(self.exponent(times))
    }

    fn exponent(&self, times: f64) -> f64 {
        if times == 0.0 {
            0.0
        } else {
            -times / self.memory.afterpulse_decay_slots
        }
    }
}

/// (u + s)^m − u^m as a sum of positive terms.
fn power_step(u: f64, s: f64, m: usize) -> f64 {
    let (mut sum, mut power) = (0.0, 1.0);
    for _ in 0..m {
        sum = sum * u + power;
        power *= u + s;
    }
    s * sum
}

fn power(base: f64, exponent: usize) -> f64 {
    (0..exponent).fold(1.0, |product, _| product * base)
}

fn binomial(n: usize, k: usize) -> f64 {
    (1..=k.min(n - k)).fold(1.0, |product, i| product * (n + 1 - i) as f64 / i as f64)
}

#[cfg(test)]
mod tests;
