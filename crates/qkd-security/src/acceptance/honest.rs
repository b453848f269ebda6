//! How often a link that is exactly what it is expected to be is refused all the same.

use std::fmt;

use super::chance::{deviation_by_chance, normal_tail_above};
use super::plan::{VERIFICATION_BITS, parities};
use crate::channel::ShareSpread;
use crate::concentration::{Trials, binomial_tail_above, binomial_tail_below};
use crate::error::require;
use crate::{
    BlockPlan, Error, IntensityClass, Leakage, LinkModel, SecurityParameters, Statistics,
    TestedBasis, Theorem,
};

/// Most trials of a binomial tail.
const TRIALS_MAX: f64 = 1e12;

/// What a block must meet to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Full before its slots have passed.
    Detections,
    /// At least so many sifted detections.
    CountsMin(TestedBasis, IntensityClass),
    /// At most so many errors.
    ErrorsMax(TestedBasis, IntensityClass),
    /// At most so many bits from Alice in error correction.
    LeakedBitsMax,
    /// A length by the theorem of at least ℓ, and an ℓ above 0.
    SecretLength,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requirement::Detections => f.write_str("not full before its slots have passed"),
            Requirement::CountsMin(basis, class) => {
                write!(f, "too few {class} detections in the {basis}")
            }
            Requirement::ErrorsMax(basis, class) => {
                write!(f, "too many {class} errors in the {basis}")
            }
            Requirement::LeakedBitsMax => f.write_str("error correction said too much"),
            Requirement::SecretLength => {
                f.write_str("the theorem gives less than the fixed length")
            }
        }
    }
}

/// The probability that an honest block fails one requirement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RefusalChance {
    /// What is not met.
    pub requirement: Requirement,
    /// How often that happens by chance.
    pub probability: f64,
}

/// How often honest blocks are refused, requirement by requirement.
#[derive(Clone, Debug, PartialEq)]
pub struct HonestBlock {
    /// Every requirement once.
    pub refusals: Vec<RefusalChance>,
}

impl HonestBlock {
    /// Probability that a block is refused for any reason: at most the sum over the requirements
    /// (the union bound), and at most 1.
    pub fn total(&self) -> f64 {
        let sum: f64 = self.refusals.iter().map(|one| one.probability).sum();
        sum.min(1.0)
    }

    /// Probability that `requirement` is not met.
    pub fn of(&self, requirement: Requirement) -> f64 {
        let found = self.refusals.iter();
        found
            .filter(|one| one.requirement == requirement)
            .map(|one| one.probability)
            .sum()
    }
}

impl BlockPlan {
    /// How often a block of this plan is refused on a link that is exactly `link`, with error
    /// correction of the inefficiency f that is given; `self.acceptance` may be derived or written
    /// by hand.
    ///
    /// - Counts and errors: binomial tails, the number of detections being fixed. Detections are
    ///   independent of each other unless charges are trapped; then the number of trials is
    ///   divided by the factor by which that raises the variance.
    /// - Slots: the same, for detections in as many slots as a block may take, with the variance
    ///   of [`LinkModel::spread`].
    /// - Leakage and length: normal laws around the value at the expected counts, with the
    ///   deviation to first order in the counts. The leakage is f n h(Q) of the counts of the
    ///   block; that error correction itself is luckier in one block than in another is left out.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a figure of `link` or `parameters` outside its range, and for an
    /// inefficiency below 1.
    pub fn honest_block(
        &self,
        link: &LinkModel,
        theorem: Theorem,
        parameters: &SecurityParameters,
        reconciliation_inefficiency: f64,
    ) -> Result<HonestBlock, Error> {
        let link = link.checked()?;
        let parameters = parameters.checked()?;
        let f = reconciliation_inefficiency;
        let holds = (1.0..=100.0).contains(&f);
        require(
            "reconciliation_inefficiency",
            f,
            holds,
            "a number from 1 to 100",
        )?;
        let mut refusals = vec![RefusalChance {
            requirement: Requirement::Detections,
            probability: self.not_full(&link),
        }];
        refusals.extend(self.limits_crossed(&link));
        let block = Honest {
            plan: self,
            link: &link,
            theorem,
            parameters: &parameters,
            reconciliation_inefficiency: f,
        };
        refusals.push(block.leaks_too_much());
        refusals.push(block.is_too_short());
        Ok(HonestBlock { refusals })
    }

    fn not_full(&self, link: &LinkModel) -> f64 {
        let detections = ShareSpread {
            share: link.expected().registered_probability,
            variance: link.spread().registered,
        };
        below(self.detections, self.slots_max, detections)
    }

    fn limits_crossed(&self, link: &LinkModel) -> Vec<RefusalChance> {
        let shares = link.spread_of_detections();
        let limits = &self.acceptance;
        let mut refusals = Vec::new();
        for (basis, counts_min, errors_max) in [
            (
                TestedBasis::Key,
                limits.key_counts_min,
                limits.key_errors_max,
            ),
            (
                TestedBasis::Test,
                limits.test_counts_min,
                limits.test_errors_max,
            ),
        ] {
            let shares = shares.basis(basis);
            for class in IntensityClass::ALL {
                let i = class.index();
                refusals.push(RefusalChance {
                    requirement: Requirement::CountsMin(basis, class),
                    probability: below(counts_min[i], self.detections, shares.counts[i]),
                });
                refusals.push(RefusalChance {
                    requirement: Requirement::ErrorsMax(basis, class),
                    probability: above(errors_max[i], self.detections, shares.errors[i]),
                });
            }
        }
        refusals
    }
}

/// A plan, the link it meets, and what is to be found out about both.
struct Honest<'a> {
    plan: &'a BlockPlan,
    link: &'a LinkModel,
    theorem: Theorem,
    parameters: &'a SecurityParameters,
    reconciliation_inefficiency: f64,
}

impl Honest<'_> {
    fn leaks_too_much(&self) -> RefusalChance {
        let cap = self.plan.acceptance.leaked_bits_max as f64;
        let room = |statistics: Statistics<f64>| {
            cap - parities(&statistics, self.reconciliation_inefficiency)
        };
        RefusalChance {
            requirement: Requirement::LeakedBitsMax,
            probability: self.falls_below_zero(room),
        }
    }

    fn is_too_short(&self) -> RefusalChance {
        let fixed = self.plan.acceptance.secret_length_bits;
        let probability = if fixed == 0 {
            1.0
        } else {
            self.falls_below_zero(|statistics| self.length(statistics) - fixed as f64)
        };
        RefusalChance {
            requirement: Requirement::SecretLength,
            probability,
        }
    }

    fn length(&self, statistics: Statistics<f64>) -> f64 {
        let leakage = Leakage {
            from_alice_bits: parities(&statistics, self.reconciliation_inefficiency).ceil() as u64,
            verification_tag_bits: VERIFICATION_BITS,
            ..Leakage::default()
        };
        let source = &self.plan.source;
        let length = self
            .theorem
            .secret_length(statistics, source, &leakage, self.parameters);
        length.length_unclamped
    }

    /// P(`value` < 0) over honest blocks.
    fn falls_below_zero(&self, value: impl Fn(Statistics<f64>) -> f64) -> f64 {
        let detections = self.plan.detections as f64;
        let expected = self.link.expected().per_detection.scaled(detections);
        let deviation = deviation_by_chance(&expected, detections, &value);
        let mean = value(expected);
        if deviation > 0.0 {
            normal_tail_above(mean / deviation)
        } else if mean < 0.0 {
            1.0
        } else {
            0.0
        }
    }
}

/// P(X < `limit`) of the marked among `trials`.
fn below(limit: u64, trials: u64, spread: ShareSpread) -> f64 {
    let Some(fewer) = limit.checked_sub(1) else {
        return 0.0;
    };
    if fewer >= trials {
        return 1.0;
    }
    let (of, share) = independent(fewer as f64, trials as f64, spread);
    binomial_tail_below(of, share)
}

/// P(X > `limit`) of the marked among `trials`.
fn above(limit: u64, trials: u64, spread: ShareSpread) -> f64 {
    if limit >= trials {
        return 0.0;
    }
    let (of, share) = independent(limit as f64 + 1.0, trials as f64, spread);
    binomial_tail_above(of, share)
}

/// As many independent trials as make a count with the mean and the relative spread of this one.
fn independent(successes: f64, trials: f64, spread: ShareSpread) -> (Trials, f64) {
    let ShareSpread { share, variance } = spread;
    let factor = variance / (share * (1.0 - share));
    // Rounding must not touch detections that are independent but for the last bit.
    let factor = if (factor - 1.0).abs() < 1e-9 || !factor.is_finite() {
        1.0
    } else {
        factor
    };
    let (successes, trials) = (successes / factor, trials / factor);
    // More trials than the tails are computed for: as many as they are, of a larger share.
    let fewer = (trials / TRIALS_MAX).max(1.0);
    let of = Trials {
        successes: successes.round() as u64,
        trials: (trials / fewer).round() as u64,
    };
    (of, (share * fewer).min(1.0))
}

#[cfg(test)]
mod tests;
