//! One side's key as every pass reads it: the secret half of Cascade.

use std::ops::Range;

use qkd_bits::{BitString, SecretBits};

use super::schedule::{CHECKS, Round, Schedule};
use crate::SiftedKey;

/// The key in the order of each pass opened so far.
pub(super) struct Arrangement {
    orders: Vec<SecretBits>,
    key_bits: usize,
}

impl Arrangement {
    pub(super) fn new(key: SiftedKey, schedule: &Schedule) -> Self {
        let key_bits = key.len();
        let total = schedule.layout().total();
        // Room for the fill from the start: growing would leave a copy of the key behind.
        let mut filled = Vec::with_capacity(total.div_ceil(64));
        filled.extend_from_slice(key.0.expose().words());
        let filled = BitString::from_words(filled, total);
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
            Round::Leaves { opens, splits } => {
                let mut parities = BitString::with_capacity(schedule.questions());
                if let Some(pass) = *opens {
                    let leaves = &schedule.passes()[pass].leaves;
                    let bits = self.orders[pass].expose();
                    for start in leaves.iter() {
                        parities.push(bits.parity(start..leaves.end_of(start)));
                    }
                }
                for split in splits {
                    let bits = self.orders[split.pass as usize].expose();
                    parities.push(bits.parity(split.start as usize..split.middle as usize));
                }
                parities
            }
            Round::Checks => (0..CHECKS)
                .map(|check| {
                    self.subset_parity(schedule.subset(check), 0..schedule.layout().total())
                })
                .collect(),
            Round::Hunt(hunt) => {
                let subset = schedule.subset(hunt.check);
                let parity = self.subset_parity(subset, hunt.start..hunt.middle());
                std::iter::once(parity).collect()
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

    /// Parity of those bits of the key in `range`, which is not empty, that are in the subset.
    fn subset_parity(&self, subset: &[u64], range: Range<usize>) -> bool {
        let key = self.orders[0].expose().words();
        let (first, last) = (range.start / 64, (range.end - 1) / 64);
        let low = u64::MAX << (range.start % 64);
        let high = u64::MAX >> (63 - (range.end - 1) % 64);
        let both = |i: usize| key[i] & subset[i];
        let folded = if first == last {
            both(first) & low & high
        } else {
            (first + 1..last).fold((both(first) & low) ^ (both(last) & high), |sum, i| {
                sum ^ both(i)
            })
        };
        folded.count_ones() % 2 == 1
    }
}
