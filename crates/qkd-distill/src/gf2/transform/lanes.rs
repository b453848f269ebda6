//! Several words side by side in a register, with carry-less products: what the layers of the
//! transform are written in, and the portable twin of the processor's registers.

use super::cantor::{Factor, INVERSE_LOW, MODULUS_LOW};
use crate::gf2::clmul::multiply;

/// Words in a register, in lanes of two.
pub(super) trait Lanes: Copy {
    /// Words that a register holds: 2 or 4.
    const WORDS: usize;

    /// The first [`WORDS`](Self::WORDS) of `words`.
    fn load(words: &[u64]) -> Self;
    /// Overwrites the first words of `words`.
    fn store(self, words: &mut [u64]);
    fn splat(word: u64) -> Self;
    fn xor(self, other: Self) -> Self;
    /// In each lane, the product of the first words.
    fn product_first(self, other: Self) -> Self;
    /// In each lane, the product of the second words.
    fn product_second(self, other: Self) -> Self;
    /// In each lane, the product of this second word and the other first one.
    fn product_crossed(self, other: Self) -> Self;
    /// In each lane, both first words.
    fn firsts(self, other: Self) -> Self;
    /// In each lane, both second words.
    fn seconds(self, other: Self) -> Self;

    /// From runs of `half` < [`WORDS`](Self::WORDS) words in two registers: the even runs and the
    /// odd ones. Its own inverse.
    fn unzip(self, other: Self, half: usize) -> (Self, Self);
    /// The words of `table` that belong to the places of [`unzip`](Self::unzip), where each run
    /// has one.
    fn of_runs(table: &[u64], half: usize) -> Self;
}

/// Both words of a product that was not reduced yet, for the first words and the second ones.
#[derive(Clone, Copy)]
pub(super) struct Unreduced<V>(V, V);

impl<V: Lanes> Unreduced<V> {
    #[inline(always)]
    pub(super) fn zero() -> Self {
        Unreduced(V::splat(0), V::splat(0))
    }

    #[inline(always)]
    pub(super) fn add_product(self, a: V, b: V) -> Self {
        Unreduced(
            self.0.xor(a.product_first(b)),
            self.1.xor(a.product_second(b)),
        )
    }

    /// Barrett's reduction, exact over GF(2): the quotient is the high half times ⌊z¹²⁸/M⌋.
    #[inline(always)]
    pub(super) fn reduced(self) -> V {
        reduced_first(self.0).firsts(reduced_first(self.1))
    }
}

/// The residues of double words, in the first words.
#[inline(always)]
fn reduced_first<V: Lanes>(double: V) -> V {
    let quotient = double.xor(double.product_crossed(V::splat(INVERSE_LOW)));
    double.xor(quotient.product_crossed(V::splat(MODULUS_LOW)))
}

/// A [`Factor`] for every word of a register.
#[derive(Clone, Copy)]
pub(super) struct Factors<V> {
    value: V,
    quotient: V,
}

impl<V: Lanes> Factors<V> {
    #[inline(always)]
    pub(super) fn splat(factor: Factor) -> Self {
        Factors {
            value: V::splat(factor.value),
            quotient: V::splat(factor.quotient),
        }
    }

    #[inline(always)]
    pub(super) fn of_runs(values: &[u64], quotients: &[u64], half: usize) -> Self {
        Factors {
            value: V::of_runs(values, half),
            quotient: V::of_runs(quotients, half),
        }
    }

    #[inline(always)]
    pub(super) fn plus(self, other: Self) -> Self {
        Factors {
            value: self.value.xor(other.value),
            quotient: self.quotient.xor(other.quotient),
        }
    }

    /// The products in the field.
    #[inline(always)]
    pub(super) fn times(self, words: V) -> V {
        let modulus = V::splat(MODULUS_LOW);
        let first = words.product_first(self.quotient).product_crossed(modulus);
        let second = words.product_second(self.quotient).product_crossed(modulus);
        words
            .product_first(self.value)
            .xor(first)
            .firsts(words.product_second(self.value).xor(second))
    }
}

/// `words` + ⌊`words`·`factor` / z⁶⁴⌋: one step into the coordinates of the transposed maps
/// (factor [`MODULUS_LOW`]) or out of them ([`INVERSE_LOW`]).
#[inline(always)]
pub(super) fn add_high_product<V: Lanes>(words: V, factor: u64) -> V {
    let factor = V::splat(factor);
    words.xor(
        words
            .product_first(factor)
            .seconds(words.product_second(factor)),
    )
}

/// The portable register.
#[derive(Clone, Copy)]
pub(super) struct Pair([u64; 2]);

impl Pair {
    fn halves(product: u128) -> Self {
        Pair([product as u64, (product >> 64) as u64])
    }
}

impl Lanes for Pair {
    const WORDS: usize = 2;

    fn load(words: &[u64]) -> Self {
        Pair([words[0], words[1]])
    }

    fn store(self, words: &mut [u64]) {
        words[..2].copy_from_slice(&self.0);
    }

    fn splat(word: u64) -> Self {
        Pair([word; 2])
    }

    fn xor(self, other: Self) -> Self {
        Pair([self.0[0] ^ other.0[0], self.0[1] ^ other.0[1]])
    }

    fn product_first(self, other: Self) -> Self {
        Pair::halves(multiply(self.0[0], other.0[0]))
    }

    fn product_second(self, other: Self) -> Self {
        Pair::halves(multiply(self.0[1], other.0[1]))
    }

    fn product_crossed(self, other: Self) -> Self {
        Pair::halves(multiply(self.0[1], other.0[0]))
    }

    fn firsts(self, other: Self) -> Self {
        Pair([self.0[0], other.0[0]])
    }

    fn seconds(self, other: Self) -> Self {
        Pair([self.0[1], other.0[1]])
    }

    fn unzip(self, other: Self, _half: usize) -> (Self, Self) {
        (self.firsts(other), self.seconds(other))
    }

    fn of_runs(table: &[u64], _half: usize) -> Self {
        Pair::load(table)
    }
}
