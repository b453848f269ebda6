//! What a pair has spent of its failure budget: ε of all runs of the protocol together.

use crate::SecurityParameters;

/// The failure probabilities of all runs that a pair has begun, added up.
///
/// **Every run counts that was begun, whatever became of it.** It begins when Alice has the whole
/// announcement of Bob's detections. The theorems bound, for one run from there to its key or its
/// abort, the distance of what came out from what an ideal run gives: ½‖ρ − ρ_ideal‖₁ ≤ ε_sec +
/// ε_cor. An abort looks alike in both, so this distance is the
/// probability of acceptance times the distance of an accepted key. How large either factor is
/// nobody knows: given that it was accepted, a key may be further from ideal than ε. The bound is
/// the *run's*, made before its outcome is known, and a run that aborts has had its chance to
/// deceive like any other. Runs put together add their distances (Portmann and Renner, Rev. Mod.
/// Phys. 94, 025008 (2022), section III): the keys of the first N runs are together within N ε of
/// N ideal ones. To count accepted runs alone would allow an adversary who lets only the runs pass
/// that suit her.
///
/// **A block cut short before its announcement was whole is not counted, and need not be.** The
/// theorems are conditional: they hold for every way in which the announced detections can come
/// about, Eve choosing which, as long as Alice's bases and intensities are secret, and until Alice
/// answers she has said nothing of bases, intensities or bits. What was cut short has therefore
/// told nothing about any key, never gives one, and differs from an ideal run in nothing.
///
/// Authentication by HMAC is computational and has no part in these sums: the distances hold
/// against everybody who cannot forge a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Runs of the protocol that were begun (their announcement was whole), with a key or without.
    pub runs: u64,
    /// Sum of their ε_sec.
    pub secrecy: f64,
    /// Sum of their ε_cor.
    pub correctness: f64,
}

impl Spent {
    /// Runs are counted up to this, 2⁴⁸: a thousand in every second of 8,900 years.
    pub const RUNS_MAX: u64 = 1 << 48;

    /// What one run spends.
    pub fn one_run(parameters: &SecurityParameters) -> Self {
        Self {
            runs: 1,
            secrecy: parameters.secrecy,
            correctness: parameters.correctness,
        }
    }

    /// Both together; [possible](Self::is_possible) if both are.
    pub fn plus(self, other: Self) -> Self {
        let runs = self.runs.saturating_add(other.runs).min(Self::RUNS_MAX);
        Self {
            runs,
            secrecy: (self.secrecy + other.secrecy).min(runs as f64),
            correctness: (self.correctness + other.correctness).min(runs as f64),
        }
    }

    /// Whether up to [`RUNS_MAX`](Self::RUNS_MAX) runs can have added up to this: a run has an
    /// ε_sec and an ε_cor from 0 to 1, so neither sum exceeds the number of runs.
    pub fn is_possible(&self) -> bool {
        let sums = 0.0..=self.runs as f64;
        self.runs <= Self::RUNS_MAX
            && sums.contains(&self.secrecy)
            && sums.contains(&self.correctness)
    }

    /// The larger of each sum: what two accounts of one pair agree on, since sums only grow. An
    /// account that says more than happened is a larger bound, and holds all the same.
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

    #[test]
    fn an_account_stays_possible_however_much_is_added_and_an_impossible_one_is_told() {
        let all = Spent {
            runs: Spent::RUNS_MAX,
            secrecy: Spent::RUNS_MAX as f64,
            correctness: 0.5,
        };
        assert!(Spent::default().is_possible() && all.is_possible());
        let more = all.plus(all).plus(all);
        assert!(more.is_possible());
        assert_eq!((more.runs, more.secrecy), (all.runs, all.secrecy));
        let spent = |runs, secrecy, correctness| Spent {
            runs,
            secrecy,
            correctness,
        };
        for impossible in [
            spent(Spent::RUNS_MAX + 1, 0.0, 0.0),
            spent(0, 1e-300, 0.0),
            spent(3, 3.1, 0.0),
            spent(3, 0.0, f64::MAX),
            spent(3, f64::NAN, 0.0),
            spent(3, 0.0, -1e-12),
        ] {
            assert!(!impossible.is_possible(), "{impossible:?}");
        }
    }
}
