//! What a pair has spent of its failure budget: ε of all runs of the protocol together.

use crate::SecurityParameters;

/// The failure probabilities of all runs that a pair has begun, added up.
///
/// **Every run counts that was begun, whatever became of it.** The theorems bound, for one run from
/// its first pulse to its key or its abort, the distance of what came out from what an ideal run
/// gives: ½‖ρ − ρ_ideal‖₁ ≤ ε_sec + ε_cor. An abort looks alike in both, so this distance is the
/// probability of acceptance times the distance of an accepted key. How large either factor is
/// nobody knows: given that it was accepted, a key may be further from ideal than ε. The bound is
/// the *run's*, made before its outcome is known, and a run that aborts has had its chance to
/// deceive like any other. Runs put together add their distances (Portmann and Renner, Rev. Mod.
/// Phys. 94, 025008 (2022), section III): the keys of the first N runs are together within N ε of
/// N ideal ones. To count accepted runs alone would allow an adversary who lets only the runs pass
/// that suit her.
///
/// Authentication by HMAC is computational and has no part in these sums: the distances hold
/// against everybody who cannot forge a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Runs of the protocol that were begun, with a key or without.
    pub runs: u64,
    /// Sum of their ε_sec.
    pub secrecy: f64,
    /// Sum of their ε_cor.
    pub correctness: f64,
}

impl Spent {
    /// What one run spends.
    pub fn one_run(parameters: &SecurityParameters) -> Self {
        Self {
            runs: 1,
            secrecy: parameters.secrecy,
            correctness: parameters.correctness,
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            runs: self.runs.saturating_add(other.runs),
            secrecy: self.secrecy + other.secrecy,
            correctness: self.correctness + other.correctness,
        }
    }

    /// The larger of each sum: what two accounts of one pair agree on, since sums only grow.
    pub fn or_more(self, other: Self) -> Self {
        Self {
            runs: self.runs.max(other.runs),
            secrecy: self.secrecy.max(other.secrecy),
            correctness: self.correctness.max(other.correctness),
        }
    }

    /// ε_total: at most this far from ideal are all keys of the pair together. Says nothing from 1
    /// on.
    pub fn total(&self) -> f64 {
        self.secrecy + self.correctness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_runs_spend_a_million_budgets_and_the_larger_account_wins() {
        let run = Spent::one_run(&SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        });
        let mut spent = Spent::default();
        for _ in 0..1_000_000 {
            spent = spent.plus(run);
        }
        assert_eq!(spent.runs, 1_000_000);
        assert!((spent.total() / 1.000_01e-4 - 1.0).abs() < 1e-9);
        let more = spent.plus(run);
        assert_eq!(spent.or_more(more), more);
        assert_eq!(more.or_more(spent), more);
    }
}
