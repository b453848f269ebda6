//! One side's key as every pass reads it: the secret half of Cascade.

use qkd_bits::{BitString, SecretBits};

use super::schedule::{Round, Schedule};
use crate::SiftedKey;

/// The key in the order of each pass opened so far.
pub(super) struct Arrangement {
    orders: Vec<SecretBits>,
    key_bits: usize,
}

impl Arrangement {
    pub(super) fn new(key: SiftedKey, schedule: &Schedule) -> Self {
        let key_bits = key.len();
        let filled = key.0.expose().words().to_vec();
        let filled = BitString::from_words(filled, schedule.layout().total());
        Self {
            orders: vec![SecretBits::from(filled)],
            key_bits,
        }
    }

    /// Reads the key in the orders of passes opened since the last call.
    pub(super) fn open_passes(&mut self, schedule: &Schedule) {
        let layout = schedule.layout();
        for pass in &schedule.passes()[self.orders.len()..] {
            let words = pass.order.read(layout, self.orders[0].expose().words());
            let bits = BitString::from_words(words, layout.total());
            self.orders.push(SecretBits::from(bits));
        }
    }

    /// The parities that the schedule asks for now, in its order.
    pub(super) fn parities(&self, schedule: &Schedule) -> BitString {
        match schedule.round() {
            Round::Open { pass } => {
                let leaves = &schedule.passes()[*pass].leaves;
                let bits = self.orders[*pass].expose();
                leaves
                    .iter()
                    .map(|start| bits.parity(start..leaves.end_of(start)))
                    .collect()
            }
            Round::Split { splits } => splits
                .iter()
                .map(|split| {
                    self.orders[split.pass as usize]
                        .expose()
                        .parity(split.start as usize..split.middle as usize)
                })
                .collect(),
            Round::Checks => schedule
                .checks()
                .iter()
                .map(|check| self.subset_parity(&check.subset, 0, schedule.layout().total()))
                .collect(),
            Round::Hunt {
                check,
                start,
                middle,
                ..
            } => {
                let subset = &schedule.checks()[*check].subset;
                [self.subset_parity(subset, *start, *middle)]
                    .into_iter()
                    .collect()
            }
            Round::Finished => BitString::new(),
        }
    }

    /// Inverts the key's bit `position` in every order.
    pub(super) fn flip(&mut self, position: u32, schedule: &Schedule) {
        for (bits, pass) in self.orders.iter_mut().zip(schedule.passes()) {
            let place = pass.order.place(schedule.layout(), position as usize);
            bits.expose_mut().flip(place);
        }
    }

    /// The key itself, without the fill.
    pub(super) fn into_bits(mut self) -> SecretBits {
        let mut key = std::mem::take(&mut self.orders[0]);
        drop(key.split_off(self.key_bits));
        key
    }

    fn subset_parity(&self, subset: &BitString, start: usize, end: usize) -> bool {
        let (key, subset) = (self.orders[0].expose().words(), subset.words());
        let (first, last) = (start / 64, (end - 1) / 64);
        let low = u64::MAX << (start % 64);
        let high = u64::MAX >> (63 - (end - 1) % 64);
        let mut folded = 0;
        for i in first..=last {
            let mut word = key[i] & subset[i];
            if i == first {
                word &= low;
            }
            if i == last {
                word &= high;
            }
            folded ^= word;
        }
        folded.count_ones() % 2 == 1
    }
}
