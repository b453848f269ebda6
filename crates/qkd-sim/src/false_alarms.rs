//! How often monitors of an undisturbed link raise an alarm.

use qkd_security::concentration::{FailureProbability, Trials, clopper_pearson_max};
use qkd_session::{Action, Actions, Alarm};

use crate::{Error, Link};

/// Blocks of one run: what a run says in public is kept until it ends.
const BLOCKS_PER_RUN: u64 = 50;
/// Sifted bits of one run, so that a run of large blocks ends, too.
const BITS_PER_RUN: u64 = 2_000_000;

/// What monitors said about undisturbed blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct FalseAlarms {
    /// Blocks that were watched.
    pub blocks: u64,
    /// Those with an alarm.
    pub alarmed: u64,
    /// Every alarm.
    pub alarms: Vec<Alarm>,
}

impl FalseAlarms {
    /// Largest rate of blocks with an alarm that agrees with what was seen, at 95 % confidence
    /// (Clopper and Pearson, one-sided).
    pub fn rate_max(&self) -> f64 {
        let seen = Trials {
            successes: self.alarmed,
            trials: self.blocks,
        };
        clopper_pearson_max(seen, FailureProbability(0.05))
    }
}

impl Link {
    /// Runs so many blocks without Eve, in sessions of up to fifty blocks, each with all monitors
    /// looking; after each session `progress` gets what was seen so far.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn false_alarms(
        &self,
        blocks: u64,
        mut progress: impl FnMut(&FalseAlarms),
    ) -> Result<FalseAlarms, Error> {
        let per_run = (BITS_PER_RUN / self.block_bits.max(1)).clamp(1, BLOCKS_PER_RUN);
        let mut seen = FalseAlarms {
            blocks: 0,
            alarmed: 0,
            alarms: Vec::new(),
        };
        while seen.blocks < blocks {
            let link = Link {
                attack: None,
                monitors: Some(Actions::all(Action::Report)),
                blocks: per_run.min(blocks - seen.blocks),
                seed: self.seed + seen.blocks,
                ..self.clone()
            };
            for report in link.run()?.bob {
                seen.blocks += 1;
                seen.alarmed += u64::from(!report.alarms.is_empty());
                seen.alarms.extend(report.alarms);
            }
            progress(&seen);
        }
        Ok(seen)
    }
}
