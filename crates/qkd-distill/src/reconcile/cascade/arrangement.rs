//! One side's key as every pass reads it: the secret half of Cascade.

use std::ops::Range;

use qkd_bits::{BitString, SecretBits};
use zeroize::Zeroizing;

use super::instructions::{Instructions, Work};
use super::packed::Packer;
use super::parities::{Parities, put_each};
use super::schedule::{CHECKS, Leaf, Pass, SUBSET_WORDS, Schedule};
use crate::SiftedKey;

/// The key in the order of each pass opened so far.
pub(super) struct Arrangement {
    orders: Vec<Parities>,
    key_bits: usize,
    /// Words of the key and the fill.
    key_words: usize,
    instructions: Instructions,
}

impl Arrangement {
    pub(super) fn new(key: SiftedKey, schedule: &Schedule, instructions: Instructions) -> Self {
        let key_bits = key.len();
        let key_words = schedule.layout().words();
        let words = schedule
            .passes()
            .iter()
            .map(|pass| pass.leaves.blocks().words());
        let words = words.fold(key_words, usize::max);
        // Room for the fill from the start: growing would leave a copy of the key behind.
        let mut filled = Zeroizing::new(Vec::with_capacity(words));
        filled.extend_from_slice(key.0.expose().words());
        filled.resize(words, 0);
        Self {
            orders: vec![instructions.run(Sum(filled))],
            key_bits,
            key_words,
            instructions,
        }
    }

    /// Reads the key in the orders of passes opened since the last call.
    pub(super) fn open_passes(&mut self, schedule: &Schedule) {
        for pass in &schedule.passes()[self.orders.len()..] {
            let key = &self.orders[0].words()[..self.key_words];
            let parities = self.instructions.run(Read(pass, key));
            self.orders.push(parities);
        }
    }

    /// The parities that the schedule asks for now, in its order.
    pub(super) fn parities(&self, schedule: &Schedule) -> BitString {
        self.instructions.run(Answer(self, schedule))
    }

    /// Inverts the bits at these places of each pass.
    pub(super) fn flip(&mut self, wrong: &[Vec<u32>]) {
        self.instructions.run(Flip(self, wrong));
    }

    /// The key itself, without the fill.
    pub(super) fn into_bits(mut self) -> SecretBits {
        let mut words = self.orders.swap_remove(0).into_words();
        words.truncate(self.key_bits.div_ceil(64));
        SecretBits::from(BitString::from_words(words, self.key_bits))
    }

    /// The words of the key.
    fn key(&self) -> &[u64] {
        &self.orders[0].words()[..self.key_bits.div_ceil(64)]
    }

    /// The parity of the key in every subset, the first in the lowest bit.
    #[inline(always)]
    fn subset_parities(&self, subsets: &[u64]) -> u64 {
        let mut sums = [0; CHECKS];
        for words in self.key().chunks(SUBSET_WORDS) {
            for (word, subsets) in words.iter().zip(subsets.windows(CHECKS)) {
                for (sum, subset) in sums.iter_mut().zip(subsets) {
                    *sum ^= word & subset;
                }
            }
        }
        (0..).zip(sums).fold(0, |all, (i, sum)| {
            all | u64::from(sum.count_ones() % 2) << i
        })
    }

    /// Parity of those bits of the key in `range`, which is not empty, that are in subset `check`.
    #[inline(always)]
    fn subset_parity(&self, subsets: &[u64], check: u32, range: Range<usize>) -> u64 {
        let key = self.key();
        let (first, last) = (range.start / 64, (range.end - 1) / 64);
        let low = u64::MAX << (range.start % 64);
        let high = u64::MAX >> (63 - (range.end - 1) % 64);
        let both = |i: usize| key[i] & subsets[i % SUBSET_WORDS + check as usize];
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
struct Read<'a>(&'a Pass, &'a [u64]);

impl Work for Read<'_> {
    type Outcome = Parities;

    #[inline(always)]
    fn run(self) -> Parities {
        let Self(pass, key) = self;
        Parities::new(pass.order.read(key, pass.leaves.blocks()))
    }
}

/// Inverts bits.
struct Flip<'a>(&'a mut Arrangement, &'a [Vec<u32>]);

impl Work for Flip<'_> {
    type Outcome = ();

    #[inline(always)]
    fn run(self) {
        for (bits, places) in self.0.orders.iter_mut().zip(self.1) {
            bits.flip_all(places);
        }
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
        if let Some(descent) = schedule.descent() {
            descent.ask(&key.orders[descent.pass()], &mut parities);
            return parities.finish();
        }
        for (bits, pass) in key.orders.iter().zip(schedule.passes()) {
            parts(bits, &pass.asked, schedule.levels(), &mut parities);
        }
        if let Some(opened) = schedule.opens() {
            for region in schedule.passes()[opened].leaves.blocks().regions() {
                key.orders[opened].blocks(region, key.instructions, &mut parities);
            }
        }
        if schedule.checks_now() {
            parities.put(key.subset_parities(schedule.subsets()), CHECKS);
        }
        if let Some(hunt) = schedule.hunt() {
            for part in 0..hunt.parts(schedule.levels()) - 1 {
                let range = hunt.part(part, schedule.levels());
                parities.put(key.subset_parity(schedule.subsets(), hunt.check, range), 1);
            }
        }
        parities.finish()
    }
}

/// The parities of all parts of leaves but the last of each, halved `levels` times.
#[inline(always)]
fn parts(bits: &Parities, leaves: &[Leaf], levels: u32, parities: &mut Packer) {
    if levels == 1 {
        put_each(leaves, parities, |leaf| {
            bits.between(leaf.start, leaf.start + (1 << (leaf.size_log2 - 1)))
        });
        return;
    }
    for leaf in leaves {
        let size_log2 = leaf.size_log2 - leaf.levels(levels);
        for part in 0..(1 << leaf.levels(levels)) - 1 {
            let start = leaf.start + (part << size_log2);
            parities.put(bits.between(start, start + (1 << size_log2)), 1);
        }
    }
}
