//! What Alice did in the slots that held no light.

use std::collections::VecDeque;
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
    /// At least one; each holds from its first slot to that of the next.
    laws: VecDeque<Law>,
    key_basis_probability: f64,
}

/// What the intensities of empty slots follow, from a slot on.
struct Law {
    from_slot: u64,
    /// P(class | empty), adding up to 1.
    shares: Vec<f64>,
    /// Upper ends of the classes' shares of 64 bits; whatever is above the last is the last class.
    ends: Vec<u64>,
}

impl Law {
    /// `weights` are p_k e^(−μ_k η), not normalised.
    fn new(from_slot: u64, weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let mut sum = 0.0;
        let ends = shares
            .iter()
            .map(|p| {
                sum += p;
                threshold(sum)
            })
            .collect();
        Self {
            from_slot,
            shares,
            ends,
        }
    }
}

impl EmptySlots {
    /// `weights` are p_k e^(−μ_k η), not normalised; the keys come from `secret`.
    pub fn new(weights: &[f64], key_basis_probability: f64, secret: &mut SecretRng) -> Self {
        let mut key = || {
            let bytes = Zeroizing::new(secret.array::<16>());
            Aes128::new(&Array::from(*bytes))
        };
        let (choices, totals) = (key(), key());
        Self {
            choices,
            totals,
            laws: VecDeque::from([Law::new(0, weights)]),
            key_basis_probability,
        }
    }

    /// Another law from a slot on that lies behind the beginning of the present one, or at it.
    pub fn change(&mut self, from_slot: u64, weights: &[f64]) {
        if self
            .laws
            .back()
            .is_some_and(|law| law.from_slot == from_slot)
        {
            self.laws.pop_back();
        }
        self.laws.push_back(Law::new(from_slot, weights));
    }

    /// Bytes of what is remembered of the laws, of which there is one for each change of the light.
    pub fn bytes(&self) -> u64 {
        let of = |law: &Law| {
            size_of::<Law>() + size_of_val(law.shares.as_slice()) + size_of_val(law.ends.as_slice())
        };
        self.laws.iter().map(of).sum::<usize>() as u64
    }

    /// Nobody asks for slots before this one any more.
    pub fn forget_before(&mut self, slot: u64) {
        let begun = self.laws.partition_point(|law| law.from_slot <= slot);
        self.laws.drain(..begun.saturating_sub(1));
    }

    /// A range cut where the law changes: each piece with its P(class | empty).
    pub fn pieces(&self, slots: &Range<u64>) -> impl Iterator<Item = (Range<u64>, &[f64])> {
        let Range { start, end } = *slots;
        let nexts = self.laws.iter().skip(1).map(|law| law.from_slot);
        let pieces = self.laws.iter().zip(nexts.chain([u64::MAX]));
        pieces.filter_map(move |(law, next)| {
            let piece = start.max(law.from_slot)..end.min(next);
            (!piece.is_empty()).then_some((piece, law.shares.as_slice()))
        })
    }

    /// The law of a slot. A forgotten slot has that of the first one that is known: nobody asks.
    fn law_at(&self, slot: u64) -> &Law {
        let begun = match self.laws.len() {
            1 => 1,
            _ => self.laws.partition_point(|law| law.from_slot <= slot),
        };
        &self.laws[begun.saturating_sub(1)]
    }

    /// The choice in an empty slot.
    pub fn label_at(&self, slot: u64) -> Label {
        let [for_class, for_state] = encrypt(&self.choices, [slot, 0]);
        let ends = &self.law_at(slot).ends;
        let last = ends.len() - 1;
        let class = ends[..last]
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
