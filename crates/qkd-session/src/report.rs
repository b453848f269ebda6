//! What became of one block, with every number that decided it.

use std::fmt;

use qkd_distill::Disclosed;
use qkd_security::{KeyLength, Leakage, Statistics, binary_entropy};

use crate::Abort;

/// How a block ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// A key of so many bits for applications.
    Key {
        /// Length in bits, after the check value and the authentication refresh were paid.
        secret_length_bits: u64,
    },
    /// No key.
    Aborted(Abort),
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
    /// Error rate: of the key basis once the block was reconciled, before that of the test basis.
    pub qber: Option<f64>,
    /// What was disclosed, and what the theorem charges.
    pub leakage: Leakage,
    /// Bits the theorem charges for the disclosure.
    pub leaked_bits: u64,
    /// Alice's parities over n·h(QBER).
    pub reconciliation_inefficiency: Option<f64>,
    /// Counts and errors, once known.
    pub statistics: Option<Statistics>,
    /// Bounds and length the theorem gave, once it was asked.
    pub key_length: Option<KeyLength>,
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
    pub(crate) fn new(block: u64, first_slot: u64, end_slot: u64) -> Self {
        Self(BlockReport {
            block,
            first_slot,
            end_slot,
            detections: 0,
            sifted_bits: 0,
            qber: None,
            leakage: Leakage::default(),
            leaked_bits: 0,
            reconciliation_inefficiency: None,
            statistics: None,
            key_length: None,
            // Replaced by `close`, the only way to get the report out.
            outcome: Outcome::Key {
                secret_length_bits: 0,
            },
        })
    }

    pub(crate) fn block(&self) -> u64 {
        self.0.block
    }

    pub(crate) fn announced(&mut self, detections: u64) {
        self.0.detections = detections;
    }

    pub(crate) fn detections(&self) -> u64 {
        self.0.detections
    }

    pub(crate) fn sifted(&mut self, bits: u64) {
        self.0.sifted_bits = bits;
    }

    pub(crate) fn test_qber(&mut self, qber: Option<f64>) {
        self.0.qber = qber;
    }

    pub(crate) fn leaked(&mut self, leakage: Leakage) {
        self.0.leakage = leakage;
        self.0.leaked_bits = leakage.from_alice_bits
            + leakage.verification_tag_bits
            + leakage.verification_outcome_bits;
    }

    pub(crate) fn statistics(&mut self, statistics: Statistics, leakage: Leakage) {
        let qber = statistics.key.qber();
        self.leaked(leakage);
        self.0.qber = Some(qber);
        self.0.statistics = Some(statistics);
        let shannon = statistics.key.total_counts() as f64 * binary_entropy(qber);
        self.0.reconciliation_inefficiency =
            (shannon > 0.0).then(|| leakage.from_alice_bits as f64 / shannon);
    }

    pub(crate) fn key_length(&mut self, length: &KeyLength) {
        self.0.leaked_bits = length.charged_leakage_bits.ceil() as u64;
        self.0.key_length = Some(*length);
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
