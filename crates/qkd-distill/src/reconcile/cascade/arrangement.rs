//! One side's key as every pass reads it: the secret half of Cascade.

use std::ops::Range;

use qkd_bits::{BitString, SecretBits};
use zeroize::Zeroizing;

use super::instructions::{Instructions, Work};
use super::layout::Order;
use super::packed::Packer;
use super::parities::Parities;
use super::schedule::{CHECKS, Found, Leaf, Pass, Schedule};
use crate::SiftedKey;

/// The key in the order of each pass opened so far.
pub(super) struct Arrangement {
    orders: Vec<Parities>,
    key_bits: usize,
    instructions: Instructions,
}

impl Arrangement {
    pub(super) fn new(key: SiftedKey, schedule: &Schedule, instructions: Instructions) -> Self {
        let key_bits = key.len();
        let words = schedule.layout().words();
        // Room for the fill from the start: growing would leave a copy of the key behind.
        let mut filled = Zeroizing::new(Vec::with_capacity(words + Parities::SPARE_WORDS));
        filled.extend_from_slice(key.0.expose().words());
        filled.resize(words, 0);
        Self {
            orders: vec![instructions.run(Sum(filled))],
            key_bits,
            instructions,
        }
    }

    /// Reads the key in the orders of passes opened since the last call.
    pub(super) fn open_passes(&mut self, schedule: &Schedule) {
        for pass in &schedule.passes()[self.orders.len()..] {
            let key = self.orders[0].words();
            let parities = self.instructions.run(Read(&pass.order, key));
            self.orders.push(parities);
        }
    }

    /// The parities that the schedule asks for now, in its order.
    pub(super) fn parities(&self, schedule: &Schedule) -> BitString {
        self.instructions.run(Answer(self, schedule))
    }

    /// Inverts these bits, each in the order of its pass.
    pub(super) fn flip(&mut self, wrong: &[Found]) {
        for found in wrong {
            self.orders[found.pass as usize].flip(found.place);
        }
    }

    /// The key itself, without the fill.
    pub(super) fn into_bits(mut self) -> SecretBits {
        let words = self.orders.swap_remove(0).into_words();
        SecretBits::from(BitString::from_words(words, self.key_bits))
    }

    /// The parity of the key in every subset, the first in the lowest bit.
    #[inline(always)]
    fn subset_parities(&self, subsets: &[u64]) -> u64 {
        let mut sums = [0; CHECKS];
        for (word, subsets) in self.orders[0].words().iter().zip(subsets.windows(CHECKS)) {
            for (sum, subset) in sums.iter_mut().zip(subsets) {
                *sum ^= word & subset;
            }
        }
        (0..).zip(sums).fold(0, |all, (i, sum)| {
            all | u64::from(sum.count_ones() % 2) << i
        })
    }

    /// Parity of those bits of the key in `range`, which is not empty, that are in the subset.
    #[inline(always)]
    fn subset_parity(&self, subset: &[u64], range: Range<usize>) -> u64 {
        let key = self.orders[0].words();
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
        u64::from(folded.count_ones() % 2)
    }
}

/// Puts the sums to a string.
struct Sum(Zeroizing<Vec<u64>>);

impl Work for Sum {
    type Outcome = Parities;

    #[inline(always)]
    fn run(self) -> Parities {
        Parities::new(self.0)
    }
}

/// Reads the key in an order.
struct Read<'a>(&'a Order, &'a [u64]);

impl Work for Read<'_> {
    type Outcome = Parities;

    #[inline(always)]
    fn run(self) -> Parities {
        Parities::new(self.0.read(self.1, Parities::SPARE_WORDS))
    }
}

/// Tells the parities that are due.
struct Answer<'a>(&'a Arrangement, &'a Schedule);

impl Work for Answer<'_> {
    type Outcome = BitString;

    #[inline(always)]
    fn run(self) -> BitString {
        let Self(key, schedule) = self;
        let mut parities = Packer::new(schedule.questions());
        for (bits, pass) in key.orders.iter().zip(schedule.passes()) {
            if schedule.parts() == 2 {
                halves(bits, &pass.asked, &mut parities);
            } else {
                parts(bits, &pass.asked, schedule.parts(), &mut parities);
            }
        }
        if let Some(opened) = schedule.opens() {
            blocks(
                &key.orders[opened],
                &schedule.passes()[opened],
                &mut parities,
            );
        }
        if schedule.checks_now() {
            parities.put(key.subset_parities(schedule.subsets()), CHECKS);
        }
        if let Some(hunt) = schedule.hunt() {
            let subset = schedule.subset(hunt.check);
            for part in 0..hunt.parts(schedule.parts()) - 1 {
                let range = hunt.part(part, schedule.parts());
                parities.put(key.subset_parity(subset, range), 1);
            }
        }
        parities.finish()
    }
}

/// The parities of all blocks of a pass.
#[inline(always)]
fn blocks(bits: &Parities, pass: &Pass, parities: &mut Packer) {
    let blocks = pass.leaves.blocks();
    for index in 0..blocks.count() {
        let (start, end) = blocks.block(index);
        parities.put(bits.between(start, end), 1);
    }
}

/// The parities of the first halves of leaves.
#[inline(always)]
fn halves(bits: &Parities, leaves: &[Leaf], parities: &mut Packer) {
    for leaves in leaves.chunks(64) {
        let mut word = 0;
        for (i, leaf) in leaves.iter().enumerate() {
            word |= bits.between(leaf.start, leaf.middle()) << i;
        }
        parities.put(word, leaves.len());
    }
}

/// The parities of all parts of leaves but the last of each.
#[inline(always)]
fn parts(bits: &Parities, leaves: &[Leaf], parts: u32, parities: &mut Packer) {
    for leaf in leaves {
        let mut start = leaf.start;
        for part in 1..leaf.parts(parts) {
            let end = leaf.cut(part, parts);
            parities.put(bits.between(start, end), 1);
            start = end;
        }
    }
}
