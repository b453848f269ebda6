//! A fingerprint of everything that was said and detected.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use qkd_session::Message;

/// Condenses the public transcript of a run into one number, for comparing runs.
#[derive(Debug, Default)]
pub struct Transcript {
    messages: u64,
    digest: u64,
    told: BTreeMap<u64, Told>,
}

/// Bits about the sifted key that went over the wire for one block, counted in the messages
/// themselves and by nobody else.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Parities of Alice's.
    pub parity_bits: u64,
    /// Comparisons of Bob's.
    pub comparison_bits: u64,
    /// Universal hashes of the key.
    pub tag_bits: u64,
    /// Verdicts on them, each one bit whichever message brings it.
    pub verdict_bits: u64,
}

impl Transcript {
    pub(crate) fn add(&mut self, from_alice: bool, message: &Message) {
        let mut hasher = DefaultHasher::new();
        (self.digest, from_alice, message.name(), message.block()).hash(&mut hasher);
        match message {
            Message::Transmission { wanted } => wanted.hash(&mut hasher),
            Message::Clock { emitted_slots } => emitted_slots.hash(&mut hasher),
            Message::Announcement { gaps, bases, .. } => {
                (gaps, bases.words()).hash(&mut hasher);
            }
            Message::Disclosure {
                bases,
                decoys,
                test_bits,
                ..
            } => {
                (bases.words(), decoys.words(), test_bits.words()).hash(&mut hasher);
            }
            Message::ReconciliationPlan {
                key_bits,
                prior_qber,
                seed,
                ..
            } => {
                (key_bits, prior_qber.to_bits(), seed).hash(&mut hasher);
            }
            Message::Parities { bits, .. } | Message::Comparison { bits, .. } => {
                bits.words().hash(&mut hasher);
            }
            Message::Verification { hash_key, tag, .. } => (hash_key, tag).hash(&mut hasher),
            Message::Verified { statistics, .. } => {
                (statistics.key.counts, statistics.key.errors).hash(&mut hasher);
                (statistics.test.counts, statistics.test.errors).hash(&mut hasher);
            }
            Message::Amplification {
                seed,
                confirmation_point,
                ..
            } => {
                (seed.words(), confirmation_point).hash(&mut hasher);
            }
            Message::Abort { abort, .. } => abort.reason.name().hash(&mut hasher),
        }
        self.count(from_alice, message);
        self.messages += 1;
        self.digest = hasher.finish();
    }

    /// Sorts every message by what it tells about the bits of the sifted key.
    fn count(&mut self, from_alice: bool, message: &Message) {
        let Some(block) = message.block() else { return };
        let told = self.told.entry(block).or_default();
        match message {
            Message::Parities { bits, .. } => told.parity_bits += bits.len() as u64,
            Message::Comparison { bits, .. } => told.comparison_bits += bits.len() as u64,
            Message::Verification { tag, .. } => told.tag_bits += 8 * tag.len() as u64,
            Message::Verified { .. } => told.verdict_bits += 1,
            // Before the tag an abort is about the test basis, and after Bob's verdict it is about
            // counts: neither tells a bit of the key. In between it is the verdict.
            Message::Abort { .. } => {
                let is_verdict = !from_alice && told.tag_bits > 0 && told.verdict_bits == 0;
                told.verdict_bits += u64::from(is_verdict);
            }
            // Labels, and bits of the test basis, which are in no key.
            Message::Transmission { .. }
            | Message::Clock { .. }
            | Message::Announcement { .. }
            | Message::Disclosure { .. } => {}
            // Drawn afresh, independent of the key.
            Message::ReconciliationPlan { .. } | Message::Amplification { .. } => {}
        }
    }

    /// What was told about the key of each block that anything was said about.
    pub fn told(&self) -> &BTreeMap<u64, Told> {
        &self.told
    }

    /// Number of messages in both directions.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The fingerprint. Two runs that said the same have the same.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}
