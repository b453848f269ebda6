//! What became of one block, with every number that decided it.

mod figures;

use std::fmt;
use std::ops::Range;

use qkd_distill::Disclosed;
use qkd_optics::Alarm;
use qkd_protocols::{Protocol, SiftedCounts};
use qkd_security::{
    KeyLength, Leakage, SecurityParameters, Spent, Statistics, Theorem, binary_entropy,
};

use crate::Abort;

/// How a block ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// A key of so many bits for applications.
    Key {
        /// Net length in bits: what the check value and the authentication refresh cost is paid.
        secret_length_bits: u64,
    },
    /// No key.
    Aborted(Abort),
}

/// What sifting counts, per intensity \[signal, decoy\].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiftedReport {
    /// Detections in the key basis.
    pub key_counts: [u64; 2],
    /// Detections in the test basis.
    pub test_counts: [u64; 2],
    /// Errors in the test basis; Bob alone can count them before the keys are verified.
    pub test_errors: Option<[u64; 2]>,
}

/// The account of one block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockReport {
    /// Block number in its session.
    pub block: u64,
    /// First slot of the block.
    pub first_slot: u64,
    /// First slot after the block.
    pub end_slot: u64,
    /// Registered detections that Bob announced.
    pub detections: u64,
    /// Sifted key-basis bits; zero when the block ended before sifting.
    pub sifted_bits: u64,
    /// What sifting counted, once it has.
    pub sifted: Option<SiftedReport>,
    /// Error rate: of the key basis once the block was reconciled, before that of the test basis.
    pub qber: Option<f64>,
    /// What was disclosed, and what the theorem charges.
    pub leakage: Leakage,
    /// Bits the theorem charges for the disclosure.
    pub leaked_bits: u64,
    /// Messages of parities that error correction took, each with an answer; once it is over.
    pub rounds: Option<u32>,
    /// Alice's parities over n·h(QBER).
    pub reconciliation_inefficiency: Option<f64>,
    /// Counts and errors of both bases, once the errors of the key basis were found.
    pub statistics: Option<Statistics>,
    /// Bounds and length the theorem gave for them, also where the block was refused.
    pub key_length: Option<KeyLength>,
    /// The theorem.
    pub theorem: Theorem,
    /// What the block spent of the failure budget, with a key or without.
    pub parameters: SecurityParameters,
    /// ℓ as fixed before the block began: what every accepted block is amplified to, its check
    /// value and the authentication refresh included.
    pub fixed_length_bits: u64,
    /// What the pair had spent when both stores had committed the key; nothing without one.
    pub spent: Option<Spent>,
    /// What monitors of this side said about it, whatever became of it then.
    pub alarms: Vec<Alarm>,
    /// How the block ended.
    pub outcome: Outcome,
}

impl BlockReport {
    /// Upper bound on the phase error rate, once the theorem was asked.
    pub fn phase_error_rate(&self) -> Option<f64> {
        self.key_length
            .as_ref()
            .map(|length| length.phase_error_rate)
    }

    /// Length of the delivered key in bits; zero when there is none.
    pub fn secret_length_bits(&self) -> u64 {
        match self.outcome {
            Outcome::Key { secret_length_bits } => secret_length_bits,
            Outcome::Aborted(_) => 0,
        }
    }
}

/// Collects the account of a block while it is under way.
pub(crate) struct Ledger(BlockReport);

impl Ledger {
    pub(crate) fn new(block: u64, slots: Range<u64>, protocol: &dyn Protocol) -> Self {
        Self(BlockReport {
            block,
            first_slot: slots.start,
            end_slot: slots.end,
            detections: 0,
            sifted_bits: 0,
            sifted: None,
            qber: None,
            leakage: Leakage::default(),
            leaked_bits: 0,
            rounds: None,
            reconciliation_inefficiency: None,
            statistics: None,
            key_length: None,
            theorem: protocol.theorem(),
            parameters: protocol.parameters(),
            fixed_length_bits: protocol.plan().acceptance.secret_length_bits,
            spent: None,
            alarms: Vec::new(),
            // Replaced by `close`, the only way to get the report out.
            outcome: Outcome::Key {
                secret_length_bits: 0,
            },
        })
    }

    pub(crate) fn block(&self) -> u64 {
        self.0.block
    }

    /// The range of slots of the block.
    pub(crate) fn slots(&self) -> Range<u64> {
        self.0.first_slot..self.0.end_slot
    }

    pub(crate) fn announced(&mut self, detections: u64) {
        self.0.detections = detections;
    }

    pub(crate) fn detections(&self) -> u64 {
        self.0.detections
    }

    /// Alice's sifting: she does not know the errors of the test basis.
    pub(crate) fn sifted_by_alice(&mut self, counts: &SiftedCounts) {
        self.sifted(counts, None);
    }

    /// Bob's sifting, in which he counted the errors of the test basis.
    pub(crate) fn sifted_by_bob(&mut self, counts: &SiftedCounts) {
        self.sifted(counts, Some(counts.test.errors));
        self.0.qber = counts.test_qber();
    }

    fn sifted(&mut self, counts: &SiftedCounts, test_errors: Option<[u64; 2]>) {
        self.0.sifted_bits = counts.key_decoys.len() as u64;
        self.0.sifted = Some(SiftedReport {
            key_counts: counts.key_counts(),
            test_counts: counts.test.counts,
            test_errors,
        });
    }

    /// Error correction is over with the answer to its round number `last`, counted from zero.
    pub(crate) fn reconciled(&mut self, last: u32) {
        self.0.rounds = Some(last + 1);
    }

    pub(crate) fn leaked(&mut self, leakage: Leakage) {
        self.0.leakage = leakage;
        self.0.leaked_bits = leakage.from_alice_bits
            + leakage.verification_tag_bits
            + leakage.verification_outcome_bits;
    }

    /// The block is verified: all counts are known, and so is what the theorem makes of them.
    pub(crate) fn verified(
        &mut self,
        statistics: Statistics,
        leakage: Leakage,
        protocol: &dyn Protocol,
    ) {
        let qber = statistics.key.qber();
        self.leaked(leakage);
        self.0.qber = Some(qber);
        self.0.statistics = Some(statistics);
        let shannon = statistics.key.total_counts() as f64 * binary_entropy(qber);
        self.0.reconciliation_inefficiency =
            (shannon > 0.0).then(|| leakage.from_alice_bits as f64 / shannon);
        let length = protocol.key_length(&statistics, &leakage);
        self.0.leaked_bits = length.charged_leakage_bits.ceil() as u64;
        self.0.key_length = Some(length);
    }

    /// A monitor of this side is not content.
    pub(crate) fn alarmed(&mut self, alarms: impl IntoIterator<Item = Alarm>) {
        self.0.alarms.extend(alarms);
    }

    pub(crate) fn alarms(&self) -> &[Alarm] {
        &self.0.alarms
    }

    pub(crate) fn close(&self, outcome: Outcome) -> BlockReport {
        BlockReport {
            outcome,
            ..self.0.clone()
        }
    }
}

/// What a theorem may charge for the bits a block disclosed. The peer's verdict on the tag is one
/// more bit that Eve hears.
pub(crate) fn leakage(disclosed: Disclosed) -> Leakage {
    Leakage {
        from_alice_bits: disclosed.from_alice_bits,
        from_bob_bits: disclosed.from_bob_bits,
        verification_tag_bits: disclosed.verification_bits,
        verification_outcome_bits: 1,
    }
}

impl fmt::Display for BlockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Key { secret_length_bits } => write!(
                f,
                "{secret_length_bits} secret bits from {} sifted bits",
                self.sifted_bits
            ),
            Outcome::Aborted(abort) => abort.fmt(f),
        }
    }
}
