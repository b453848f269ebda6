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
        let chain = Chain::new(self.trapped(), self.dead_time_slots as f64);
        Spread {
            registered: chain.variance_per_slot(Mark::click(chain.trapped.click_probability)),
            statistics: self.marks().map(|mark| chain.variance_per_slot(mark)),
        }
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

    fn variance_per_slot(&self, mark: Mark) -> f64 {
        let marked = self.marked_steps(mark);
        let share: Vec<f64> = marked.iter().map(|row| row.iter().sum()).collect();
        let law: Vec<f64> = self.trapped.law.iter().map(|(_, weight)| *weight).collect();
        let rate = dot(&law, &share) / self.cycle_mean;
        let states = law.len();
        let excess: Vec<f64> = (0..states)
            .map(|n| share[n] - rate * self.cycle[n])
            .collect();
        let mut variance = 0.0;
        // E[Y₀; state after it], whose sum is zero.
        let mut after = vec![0.0; states];
        for n in 0..states {
            let click = self.trapped.live_click(self.trapped.law[n].0);
            let waiting = rate * rate * (1.0 - click) / (click * click);
            variance += law[n] * (share[n] * (1.0 - share[n]) + waiting + excess[n] * excess[n]);
            for m in 0..states {
                after[m] += law[n] * (marked[n][m] - rate * self.cycle[n] * self.steps[n][m]);
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
        variance / self.cycle_mean
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
