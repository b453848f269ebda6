//! What Alice did in the slots that held no light.

use std::ops::Range;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use qkd_bits::SecretRng;
use zeroize::Zeroizing;

use crate::Basis;
use crate::light::State;
use crate::sampling::threshold;
use crate::source::Label;

/// Alice's choices in empty slots: a keyed function of the slot, AES-128 under a fresh key of this
/// transmitter (which serves one epoch of one session), so that any slot can be looked up at any
/// time without being stored and always has the same answer.
pub(super) struct EmptySlots {
    choices: Aes128,
    totals: Aes128,
    /// P(class | empty), adding up to 1.
    law: Vec<f64>,
    /// Upper ends of the classes' shares of 64 bits; whatever is above the last is the last class.
    ends: Vec<u64>,
    key_basis_probability: f64,
}

impl EmptySlots {
    /// `weights` are p_k e^(−μ_k η), not normalised; the keys come from `secret`.
    pub fn new(weights: &[f64], key_basis_probability: f64, secret: &mut SecretRng) -> Self {
        let mut key = || {
            let bytes = Zeroizing::new(secret.array::<16>());
            Aes128::new(&Array::from(*bytes))
        };
        let (choices, totals) = (key(), key());
        let total: f64 = weights.iter().sum();
        let law: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let mut sum = 0.0;
        let ends = law
            .iter()
            .map(|p| {
                sum += p;
                threshold(sum)
            })
            .collect();
        Self {
            choices,
            totals,
            law,
            ends,
            key_basis_probability,
        }
    }

    /// P(class | empty).
    pub fn law(&self) -> &[f64] {
        &self.law
    }

    /// The choice in an empty slot.
    pub fn label_at(&self, slot: u64) -> Label {
        let [for_class, for_state] = encrypt(&self.choices, [slot, 0]);
        let last = self.ends.len() - 1;
        let class = self.ends[..last]
            .iter()
            .position(|&end| for_class < end)
            .unwrap_or(last);
        // The basis takes the high 53 bits, the bit the lowest: independent.
        let uniform = (for_state >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        let basis = if uniform < self.key_basis_probability {
            Basis::Z
        } else {
            Basis::X
        };
        Label::new(State::new(basis, for_state & 1 == 1), class as u8)
    }

    /// The generator that closes the totals of a range: the same for the same range.
    pub fn totals_rng(&self, slots: &Range<u64>) -> SecretRng {
        let [a, b] = encrypt(&self.totals, [slots.start, slots.end]);
        let [c, d] = encrypt(&self.totals, [a ^ 1, b]);
        let mut seed = Zeroizing::new([0; 32]);
        for (bytes, word) in seed.chunks_exact_mut(8).zip([a, b, c, d]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        SecretRng::from_seed(*seed)
    }
}

fn encrypt(cipher: &Aes128, words: [u64; 2]) -> [u64; 2] {
    let packed = u128::from(words[0]) | u128::from(words[1]) << 64;
    let mut block = Array::from(packed.to_le_bytes());
    cipher.encrypt_block(&mut block);
    let packed = u128::from_le_bytes(block.into());
    [packed as u64, (packed >> 64) as u64]
}
