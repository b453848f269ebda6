//! One measured stage, for one role where the roles differ.

use qkd_security::concentration::{
    FailureProbability, Trials, clopper_pearson_max, clopper_pearson_min,
};
use serde::Serialize;

use super::args::{Case, Stage};
use super::pipeline::Whole;
use super::sample::Samples;
use crate::words::{grouped, metric, percent};

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Her key is the truth.
    Alice,
    /// He corrects his.
    Bob,
}

impl Role {
    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Role::Alice => "alice",
            Role::Bob => "bob",
        }
    }
}

/// A figure that a stage does not have is `null` in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub stage: Stage,
    /// Who; `None` where both do the same.
    pub role: Option<Role>,
    /// Error rate of the sifted key.
    pub qber: Option<f64>,
    /// Input bits of a block, or of a message.
    pub block_bits: usize,
    /// Blocks measured.
    pub blocks: u64,
    /// Input bits per second of one core, CPU time of this role.
    pub throughput_bps: f64,
    /// Nanoseconds of CPU time of this role per input bit.
    pub ns_per_bit: f64,
    /// Output bits per block of privacy amplification.
    pub output_bits: Option<usize>,
    /// f ≥ 1: Alice's parities ÷ (n·h(errors made ÷ n)), over all blocks.
    pub reconciliation_inefficiency: Option<f64>,
    /// Parities that Alice sent, bits per block.
    pub alice_leaked_bits: Option<f64>,
    /// Comparisons that Bob sent, bits per block.
    pub bob_leaked_bits: Option<f64>,
    /// Blocks that verification refused.
    pub failures: Option<u64>,
    /// The same over all blocks.
    pub failure_rate: Option<f64>,
    /// Lower end of the 95 % interval of the failure rate (Clopper and Pearson).
    pub failure_rate_low: Option<f64>,
    /// Its upper end.
    pub failure_rate_high: Option<f64>,
    /// Messages from Alice with an answer from Bob, per block.
    pub rounds: Option<f64>,
    /// How envelopes are tagged; of `authenticate` and `pipeline`.
    pub authentication: Option<&'static str>,
    /// Throughput over that of the bare hash of as many bytes.
    pub ratio_to_hash: Option<f64>,
    /// Secret bits per second of one core, CPU time of this role; of the whole pipeline.
    pub secret_bps: Option<f64>,
    /// What else there is of the whole pipeline, its fields among the others.
    #[serde(flatten)]
    pub whole: Option<Whole>,
}

impl Row {
    /// A row of what every stage has.
    pub fn new(case: &Case, blocks: u64, samples: &Samples) -> Self {
        Self::of(
            case.stage,
            case.block_bits,
            blocks,
            samples.median_ns_per_bit(),
        )
    }

    /// The same where nothing was timed block by block.
    pub fn of(stage: Stage, block_bits: usize, blocks: u64, ns_per_bit: f64) -> Self {
        Self {
            stage,
            role: None,
            qber: None,
            block_bits,
            blocks,
            throughput_bps: 1e9 / ns_per_bit,
            ns_per_bit,
            output_bits: None,
            reconciliation_inefficiency: None,
            alice_leaked_bits: None,
            bob_leaked_bits: None,
            failures: None,
            failure_rate: None,
            failure_rate_low: None,
            failure_rate_high: None,
            rounds: None,
            authentication: None,
            ratio_to_hash: None,
            secret_bps: None,
            whole: None,
        }
    }

    /// The same with so many of its blocks failed, and the interval of the rate.
    #[must_use]
    pub fn with_failures(mut self, failures: u64) -> Self {
        let seen = Trials {
            successes: failures,
            trials: self.blocks,
        };
        self.failures = Some(failures);
        self.failure_rate = Some(failures as f64 / self.blocks as f64);
        self.failure_rate_low = Some(clopper_pearson_min(seen, EACH_SIDE));
        self.failure_rate_high = Some(clopper_pearson_max(seen, EACH_SIDE));
        self
    }

    /// What matters, in one line.
    pub fn line(&self) -> String {
        let mut words = vec![self.stage.name().to_owned()];
        words.extend(self.authentication.map(str::to_owned));
        words.extend(self.role.map(|role| role.name().to_owned()));
        words.extend(self.qber.map(percent));
        let bits = grouped(self.block_bits as u64);
        let speed = metric(self.throughput_bps, "b/s");
        let what = words.join(" ");
        match self.reconciliation_inefficiency {
            Some(f) if self.whole.is_some() => {
                let secret = metric(self.secret_bps.unwrap_or(0.0), "b/s");
                format!("{what} {bits} bits: {speed}, secret {secret}, f {f:.4}")
            }
            Some(f) => format!("{what} {bits} bits: {speed}, f {f:.4}"),
            None => format!("{what} {bits} bits: {speed}"),
        }
    }
}

/// What each side of an interval of 95 % leaves out.
const EACH_SIDE: FailureProbability = FailureProbability(0.025);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::distill::args::Effort;

    #[test]
    fn failures_come_with_the_interval_of_clopper_and_pearson() {
        let case = Case {
            stage: Stage::Cascade,
            block_bits: 1000,
            qber: 0.01,
            ratio: 0.5,
            effort: Effort::Blocks(10_000),
            seed: 1,
        };
        let mut samples = Samples::default();
        samples.add(1000, Duration::from_micros(2));
        let row = Row::new(&case, 10_000, &samples);
        assert!((row.throughput_bps - 5e8).abs() < 1.0, "{row:?}");
        // (0.025)^(1/10000) = 1 − 3.688e-4.
        let none = row.clone().with_failures(0);
        assert_eq!(none.failure_rate_low, Some(0.0));
        assert!((none.failure_rate_high.unwrap() - 3.688e-4).abs() < 1e-7);
        let three = row.with_failures(3);
        assert_eq!(three.failure_rate, Some(3e-4));
        let (low, high) = (three.failure_rate_low, three.failure_rate_high);
        // Half the 2.5 % and 97.5 % points of χ² with 6 and 8 degrees of freedom, by 10,000 trials.
        assert!((low.unwrap() - 6.187e-5).abs() < 1e-7, "{low:?}");
        assert!((high.unwrap() - 8.765e-4).abs() < 3e-7, "{high:?}");
    }
}
