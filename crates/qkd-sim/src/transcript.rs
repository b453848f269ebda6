//! A fingerprint of everything that was said and detected.

use std::hash::{DefaultHasher, Hash, Hasher};

use qkd_session::Message;

/// Condenses the public transcript of a run into one number, for comparing runs.
#[derive(Debug, Default)]
pub struct Transcript {
    messages: u64,
    digest: u64,
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
        self.messages += 1;
        self.digest = hasher.finish();
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
