//! The count of what went over the public channel about one block.

/// Bits about one key block that were sent in public, per direction. Both sides arrive at the same
/// numbers, because they count the same transcript.
///
/// Which of them a key-length theorem charges is the theorem's business: both directions, unless
/// its proof hands Eve the whole error pattern (Tupkary and Lütkenhaus, arXiv:2307.00576), and
/// then Alice's alone. The tag is always charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disclosed {
    /// Parity (or syndrome) bits that Alice sent.
    pub from_alice_bits: u64,
    /// Comparison bits that Bob sent.
    pub from_bob_bits: u64,
    /// Bits of verification tags sent, in either direction.
    pub verification_bits: u64,
}

impl Disclosed {
    /// What Alice's side told Eve: parities and tags.
    pub fn from_alice_and_tags(&self) -> u64 {
        self.from_alice_bits.saturating_add(self.verification_bits)
    }

    /// Everything sent in either direction.
    pub fn total(&self) -> u64 {
        self.from_alice_and_tags()
            .saturating_add(self.from_bob_bits)
    }

    /// The inefficiency f ≥ 1: Alice's parities ÷ (n·h(`qber`)), for a key of `key_bits` bits.
    /// Infinite when there is nothing to correct.
    pub fn reconciliation_inefficiency(&self, key_bits: usize, qber: f64) -> f64 {
        let entropy = -qber * qber.log2() - (1.0 - qber) * (1.0 - qber).log2();
        if qber > 0.0 && qber < 1.0 {
            self.from_alice_bits as f64 / (key_bits as f64 * entropy)
        } else {
            f64::INFINITY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inefficiency_counts_alices_parities_alone() {
        let disclosed = Disclosed {
            from_alice_bits: 500,
            from_bob_bits: 500,
            verification_bits: 128,
        };
        // h(0.11) = 0.499915958… (binary entropy at the BB84 threshold).
        let f = disclosed.reconciliation_inefficiency(1000, 0.11);
        assert!((f - 0.5 / 0.499_915_958).abs() < 1e-8, "{f}");
        assert_eq!(disclosed.total(), 1128);
        assert!(
            disclosed
                .reconciliation_inefficiency(1000, 0.0)
                .is_infinite()
        );
    }
}
