//! How far counts stray over many slots: the central limit of the detections' renewals.

use super::LinkModel;
use super::trapped::{Mark, Trapped};
use crate::Statistics;

/// Variances per slot of what a link registers in a long run of slots: N slots give a count of mean
/// N·rate and variance N·(what stands here), the more normal the longer.
///
/// Detections are no Poisson process: dead time spaces them out, afterpulses bunch them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Of all registered detections.
    pub registered: f64,
    /// Of the sifted counts and errors.
    pub statistics: Statistics<f64>,
}

/// One mark among a fixed number N of registered detections: its count has mean N·`share` and
/// variance N·`variance`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShareSpread {
    /// Share of the detections that bear the mark.
    pub share: f64,
    /// Variance per detection: share·(1 − share) where detections are independent of each other,
    /// more or less where a trapped charge ties them together.
    pub variance: f64,
}

impl LinkModel {
    /// Variance per slot of every count that [`expected`](Self::expected) predicts.
    ///
    /// Each registered detection adds Y = 1 if it bears the mark, minus what the slots since the
    /// last one are expected to bring. The sum of N slots' Y has the variance N/μ (Var Y₀ +
    /// 2 Σ Cov(Y₀, Y_i)), μ being the mean cycle: the central limit theorem of a Markov renewal
    /// reward process (Asmussen, Applied Probability and Queues, 2nd ed., section VI.3). The
    /// covariances come from the charges trapped in the detectors alone. (Where these are too many
    /// to be followed, their number is taken as constant, and the bunching is left out.)
    pub fn spread(&self) -> Spread {
        let chain = self.chain();
        Spread {
            registered: chain.registered_variance_per_slot(),
            statistics: self.marks().map(|mark| chain.variance_per_slot(mark)),
        }
    }

    /// Variance of the slots that N registered detections take, divided by N: the cycles of
    /// [`spread`](Self::spread), counted the other way round (Asmussen, theorem VI.3.1).
    pub(crate) fn slots_variance_per_detection(&self) -> f64 {
        let chain = self.chain();
        let variance_per_slot = chain.registered_variance_per_slot();
        variance_per_slot * chain.cycle_mean * chain.cycle_mean * chain.cycle_mean
    }

    /// How the sifted counts and errors of a fixed number of registered detections stray: as
    /// [`spread`](Self::spread), the chain being counted in detections instead of slots.
    pub(crate) fn spread_of_detections(&self) -> Statistics<ShareSpread> {
        let chain = self.chain();
        self.marks().map(|mark| chain.share_spread(mark))
    }

    fn chain(&self) -> Chain {
        Chain::new(self.trapped(), self.dead_time_slots as f64)
    }
}

/// Registered detections as steps of the Markov chain of the charges pending.
struct Chain {
    trapped: Trapped,
    /// L(n) = k + 1/c(n): expected slots up to and with the next detection.
    cycle: Vec<f64>,
    cycle_mean: f64,
    /// P(n → m) by row.
    steps: Vec<Vec<f64>>,
}

impl Chain {
    fn new(trapped: Trapped, dead_time_slots: f64) -> Self {
        let slots = |n: f64| dead_time_slots + 1.0 / trapped.live_click(n);
        let mut chain = Chain {
            cycle: trapped.law.iter().map(|(n, _)| slots(*n)).collect(),
            cycle_mean: trapped.mean(slots),
            steps: Vec::new(),
            trapped,
        };
        chain.steps = chain.marked_steps(Mark::click(chain.trapped.click_probability));
        chain
    }

    /// Probabilities that a detection from state n bears the mark and leads to state m.
    fn marked_steps(&self, mark: Mark) -> Vec<Vec<f64>> {
        let (trapped, states) = (&self.trapped, self.trapped.law.len());
        if states == 1 {
            let (n, _) = trapped.law[0];
            return vec![vec![trapped.in_live_slot(mark, n) / trapped.live_click(n)]];
        }
        let new = trapped.memory.afterpulse_probability;
        let row = |n: usize| {
            let mut row = vec![0.0; states];
            for left in 0..=n {
                let p = trapped.leaving(mark, n, left) / trapped.live_click(n as f64);
                row[left] += (1.0 - new) * p;
                // What would lead out of the law is too rare to matter.
                row[(left + 1).min(states - 1)] += new * p;
            }
            row
        };
        (0..states).map(row).collect()
    }

    fn registered_variance_per_slot(&self) -> f64 {
        self.variance_per_slot(Mark::click(self.trapped.click_probability))
    }

    fn variance_per_slot(&self, mark: Mark) -> f64 {
        let marked = self.marked_steps(mark);
        let rate = dot(&self.law(), &sums(&marked)) / self.cycle_mean;
        let waiting = |n: usize| {
            let click = self.trapped.live_click(self.trapped.law[n].0);
            rate * rate * (1.0 - click) / (click * click)
        };
        let centre: Vec<f64> = self.cycle.iter().map(|cycle| rate * cycle).collect();
        self.variance_per_detection(&marked, &centre, waiting) / self.cycle_mean
    }

    fn share_spread(&self, mark: Mark) -> ShareSpread {
        let marked = self.marked_steps(mark);
        let share = dot(&self.law(), &sums(&marked));
        let centre = vec![share; marked.len()];
        ShareSpread {
            share,
            variance: self.variance_per_detection(&marked, &centre, |_| 0.0),
        }
    }

    /// Var Y₀ + 2 Σ Cov(Y₀, Y_i), Y being 1 for a marked detection less what is expected of it:
    /// `centre(n)` on average from state n, with the variance `centre_variance(n)`.
    fn variance_per_detection(
        &self,
        marked: &[Vec<f64>],
        centre: &[f64],
        centre_variance: impl Fn(usize) -> f64,
    ) -> f64 {
        let (law, share) = (self.law(), sums(marked));
        let states = law.len();
        let excess: Vec<f64> = (0..states).map(|n| share[n] - centre[n]).collect();
        let mut variance = 0.0;
        // E[Y₀; state after it], whose sum is zero.
        let mut after = vec![0.0; states];
        for n in 0..states {
            let own = share[n] * (1.0 - share[n]) + centre_variance(n);
            variance += law[n] * (own + excess[n] * excess[n]);
            for m in 0..states {
                after[m] += law[n] * (marked[n][m] - centre[n] * self.steps[n][m]);
            }
        }
        // Charges decay, so the memory does; the bound only guards against a fault of rounding.
        for _ in 0..1_000_000 {
            variance += 2.0 * dot(&after, &excess);
            if after.iter().map(|v| v.abs()).sum::<f64>() < 1e-13 {
                break;
            }
            after = (0..states)
                .map(|m| (0..states).map(|n| after[n] * self.steps[n][m]).sum())
                .collect();
        }
        variance
    }

    /// Probability of each state.
    fn law(&self) -> Vec<f64> {
        self.trapped.law.iter().map(|(_, weight)| *weight).collect()
    }
}

/// Sum of each row.
fn sums(rows: &[Vec<f64>]) -> Vec<f64> {
    rows.iter().map(|row| row.iter().sum()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
