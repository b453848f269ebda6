//! What differs between QKD protocols and nothing else, one file per protocol.
//!
//! A protocol is a value that answers questions about labels and bits. It keeps no block, sends no
//! message, corrects no error and draws no randomness; the session does.

#![forbid(unsafe_code)]

mod bb84;
mod setup;
mod undisturbed;

use qkd_bits::{BitString, SecretBits};
use qkd_optics::{Choices, Detections, Source};
use qkd_security::{
    Accepted, BasisStatistics, BlockPlan, KeyLength, Leakage, Refusal, SecurityParameters,
    Statistics, Theorem,
};

pub use bb84::DecoyBb84;
pub use setup::{Hardware, LinkSetup};
pub use undisturbed::Undisturbed;

/// Everything that makes one QKD protocol different from another.
///
/// Bob speaks first: his announcement of slots and bases commits him. Alice then discloses what
/// the protocol lets her, both sift, and Bob, who can count errors, tallies.
pub trait Protocol: Send + Sync {
    /// The name in configurations and reports.
    fn name(&self) -> &'static str;

    /// What Alice's transmitter may send: alphabet and probabilities.
    fn source(&self) -> &Source;

    /// The block both sides fixed before the quantum phase: its size and its acceptance limits.
    fn plan(&self) -> &BlockPlan;

    /// The theorem that key lengths come from.
    fn theorem(&self) -> Theorem;

    /// What one block may spend of the failure budget.
    fn parameters(&self) -> SecurityParameters;

    /// Alice's answer to an announcement of `announced_bases`, slot by slot in `record`'s order.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] when the announcement and the record are not of one length.
    fn disclose(
        &self,
        record: &AliceRecord,
        announced_bases: &BitString,
    ) -> Result<Disclosed, Error>;

    /// Alice's sifted key.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] when the announcement and the record are not of one length.
    fn sift_alice(&self, record: AliceRecord, announced_bases: &BitString)
    -> Result<Sifted, Error>;

    /// Bob's sifted key, with the errors of the test basis counted.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] when Alice disclosed more or less than Bob announced.
    fn sift_bob(&self, record: BobRecord, disclosed: &Disclosed) -> Result<Sifted, Error>;

    /// The statistics of a reconciled block: the sifted counts with the key-basis errors that
    /// reconciliation found.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] when `errors`, set where the key was wrong, is not as long as it.
    fn tally(&self, sifted: &SiftedCounts, errors: &BitString) -> Result<Statistics, Error>;

    /// What the theorem makes of a block's statistics, whether the block is accepted or not.
    fn key_length(&self, statistics: &Statistics, leakage: &Leakage) -> KeyLength;

    /// The acceptance test on a block's statistics, and the key length when it passes.
    ///
    /// # Errors
    /// The first limit that the block violates.
    fn accept(&self, statistics: &Statistics, leakage: &Leakage) -> Result<Accepted, Refusal>;

    /// Whether the disclosed part of a block already forbids a key, before anything is spent on
    /// error correction.
    ///
    /// # Errors
    /// The limit that the test basis or the counts violate.
    fn accept_test_basis(&self, counts: &SiftedCounts) -> Result<(), Refusal>;
}

/// The protocol called `name` on the link that `setup` describes.
///
/// # Errors
/// [`Error::UnknownProtocol`] lists the names there are.
pub fn by_name(name: &str, setup: LinkSetup) -> Result<Box<dyn Protocol>, Error> {
    match name {
        "bb84" => Ok(Box::new(DecoyBb84::new(setup))),
        unknown => Err(Error::UnknownProtocol {
            name: unknown.to_owned(),
        }),
    }
}

/// The names [`by_name`] knows.
pub const PROTOCOL_NAMES: [&str; 1] = ["bb84"];

/// What Alice remembers of the announced slots of a block, in their order. Secret.
pub struct AliceRecord {
    bases: BitString,
    decoys: BitString,
    bits: SecretBits,
}

impl AliceRecord {
    /// Takes over the transmitter's choices.
    pub fn new(choices: Choices) -> Self {
        let Choices {
            bases,
            decoys,
            bits,
        } = choices;
        Self {
            bases,
            decoys,
            bits,
        }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    /// Whether no slot was announced.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }
}

/// What Bob remembers of the detections of a block, in slot order. The bits are secret.
pub struct BobRecord {
    bases: BitString,
    bits: SecretBits,
}

impl BobRecord {
    /// Takes over the receiver's detections.
    pub fn new(detections: Detections) -> Self {
        let (bases, bits) = detections.into_bases_and_bits();
        Self { bases, bits }
    }

    /// A record of nothing yet, with room for so many detections: while it holds no more, it never
    /// moves.
    pub fn with_capacity(detections: usize) -> Self {
        Self::new(Detections::with_capacity(detections))
    }

    /// Adds detections, later than those before.
    pub fn append(&mut self, detections: &Detections) {
        self.bases.append(detections.bases());
        self.bits.append(detections.bits());
    }

    /// Bob's basis per detection, for the announcement: set for X.
    pub fn bases(&self) -> &BitString {
        &self.bases
    }
}

/// What Alice says in public about the announced slots.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Disclosed {
    /// Her basis per announced slot: set for X.
    pub bases: BitString,
    /// Her intensity class per announced slot: set for the decoy.
    pub decoys: BitString,
    /// Her bit for each slot in which both used the test basis.
    pub test_bits: BitString,
}

/// A sifted block: the secret bits, and what is public about them.
pub struct Sifted {
    /// The sifted key-basis bits.
    pub key: SecretBits,
    /// What both sides may know.
    pub counts: SiftedCounts,
}

/// The public side of a sifted block.
#[derive(Debug, Clone, PartialEq)]
pub struct SiftedCounts {
    /// Intensity class per sifted key bit: set for the decoy.
    pub key_decoys: BitString,
    /// Counts per intensity in the test basis; errors only where this side can count them.
    pub test: BasisStatistics,
}

impl SiftedCounts {
    /// Key-basis counts per intensity class.
    pub fn key_counts(&self) -> [u64; 2] {
        let decoys = self.key_decoys.count_ones();
        [(self.key_decoys.len() - decoys) as u64, decoys as u64]
    }

    /// Error rate of the test basis over both intensities, when there is anything to count.
    pub fn test_qber(&self) -> Option<f64> {
        let total: u64 = self.test.counts.iter().sum();
        (total > 0).then(|| self.test.errors.iter().sum::<u64>() as f64 / total as f64)
    }
}

/// Why a protocol refuses what it is given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The peer's message does not fit what was announced.
    #[error("{what}: expected {expected} entries, the peer sent {given}")]
    LengthMismatch {
        /// Which list.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it has.
        given: usize,
    },
    /// The caller names a protocol that does not exist.
    #[error("unknown protocol `{name}`: expected one of {PROTOCOL_NAMES:?}")]
    UnknownProtocol {
        /// The name given.
        name: String,
    },
}
