//! The change of basis in front of the butterflies, and its two transposes.
//!
//! Takes a polynomial over GF(2) from the monomials x^i to the basis X_i(x)·s_l(x)^j, i < 2^l,
//! where X_i is the product of the vanishing polynomials s_t over the set bits t of i (the basis of
//! Lin, Chung and Han, FOCS 2014). As s_h(y) = y^(2^h) + y for h a power of two, and s_{h+t} =
//! s_t∘s_h, everything is division by two-term polynomials (Gao and Mateer, IEEE Trans. Inf. Theory
//! 56, 6265 (2010); Chen et al., arXiv:1708.09746, algorithm 2): nothing but additions of shifted
//! parts.

use super::lanes::Lanes;

/// Division of every aligned run of 2·D coefficients by x^D + x^d: the coefficient at index i ≥ D
/// is added to the one at i − D + d, from the highest i down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// D and d are whole words.
    Words { divisor: usize, lower: usize },
    /// D is whole words, d is 1 to 32 bits.
    Bits { divisor: usize, lower: u32 },
}

/// The divisions of one size of transform.
pub(super) struct Levels {
    /// Those that end with the powers of s_l(x): over bits, 64 coefficients to a word.
    powers: Vec<Level>,
    /// Those that end with the X_i: on indices below 2^l alone, so that they are done when there
    /// is one word to each such index, and every one of them is on whole words.
    products: Vec<Level>,
}

/// Which of the three linear maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    /// From monomials to the basis.
    Forward,
    /// Its transpose.
    Transposed,
    /// The inverse of its transpose.
    InverseTransposed,
}

/// Words of a stretch that stays in the first-level cache.
const STRETCH_WORDS: usize = 2048;

impl Levels {
    /// The divisions for `log_points` = l ≥ 8 and 2^(l + 6) coefficients.
    pub(super) fn new(log_points: u32) -> Self {
        let mut levels = Levels {
            powers: Vec::new(),
            products: Vec::new(),
        };
        levels.powers_of(log_points, 0, log_points + 6);
        levels
    }

    /// The map's part on bits, in place. It comes before [`apply_products`](Self::apply_products),
    /// but after it where transposed.
    #[inline(always)]
    pub(super) fn apply_powers<V: Lanes>(&self, words: &mut [u64], map: Map) {
        apply::<V>(words, &self.powers, map);
    }

    /// The map's part on words, in place.
    #[inline(always)]
    pub(super) fn apply_products<V: Lanes>(&self, words: &mut [u64], map: Map) {
        apply::<V>(words, &self.products, map);
    }

    /// Polynomials in y with 2^`width` coefficients, each 2^`low` bits: to powers of s_order(y), with
    /// the basis X_i(y) below.
    fn powers_of(&mut self, order: u32, low: u32, width: u32) {
        if order == 0 {
            return;
        }
        let step = 1 << order.ilog2();
        self.powers
            .extend(expand(low, width, step).map(|(divisor, lower)| {
                // As l ≥ 8, the first division has D ≥ 2⁸, and those that follow have more.
                let divisor = 1 << (divisor - 6);
                match lower.checked_sub(6) {
                    Some(lower) => Level::Words {
                        divisor,
                        lower: 1 << lower,
                    },
                    None => Level::Bits {
                        divisor,
                        lower: 1 << lower,
                    },
                }
            }));
        self.products_of(low, step);
        self.powers_of(order - step, low + step, width - step);
    }

    /// Polynomials in y with 2^`width` coefficients: to the basis X_i(y).
    fn products_of(&mut self, low: u32, width: u32) {
        if width <= 1 {
            return;
        }
        let step = 1 << (width - 1).ilog2();
        self.products.extend(
            expand(low, width, step).map(|(divisor, lower)| Level::Words {
                divisor: 1 << divisor,
                lower: 1 << lower,
            }),
        );
        self.products_of(low, step);
        self.products_of(low + step, width - step);
    }
}

/// Polynomials in y to powers of y^(2^step) + y with coefficients of degree below 2^step: log₂ of D
/// and of d.
fn expand(low: u32, width: u32, step: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..width - step)
        .rev()
        .map(move |power| (low + step + power, low + power))
}

impl Level {
    fn fits_a_stretch(&self) -> bool {
        match *self {
            Level::Words { divisor, .. } | Level::Bits { divisor, .. } => {
                2 * divisor <= STRETCH_WORDS
            }
        }
    }
}

/// Applies the map of `levels`; levels that fit go through one stretch after the other.
#[inline(always)]
fn apply<V: Lanes>(words: &mut [u64], levels: &[Level], map: Map) {
    let mut runs = levels.chunk_by(|a, b| a.fits_a_stretch() && b.fits_a_stretch());
    loop {
        let run = match map {
            Map::Forward | Map::InverseTransposed => runs.next(),
            Map::Transposed => runs.next_back(),
        };
        let Some(run) = run else { return };
        let stretch = if run[0].fits_a_stretch() {
            STRETCH_WORDS.min(words.len())
        } else {
            words.len()
        };
        for words in words.chunks_exact_mut(stretch) {
            for i in 0..run.len() {
                match map {
                    Map::Forward | Map::InverseTransposed => divide::<V>(words, run[i], map),
                    Map::Transposed => divide::<V>(words, run[run.len() - 1 - i], map),
                }
            }
        }
    }
}

#[inline(always)]
fn divide<V: Lanes>(words: &mut [u64], level: Level, map: Map) {
    match level {
        // Widths that the compiler knows are unrolled.
        Level::Words { divisor, lower } => match (divisor, lower) {
            (2, 1) => divide_narrow(words, 2, 1, map),
            (4, 1) => divide_narrow(words, 4, 1, map),
            (8, 2) => divide_narrow(words, 8, 2, map),
            (8, 4) => divide_narrow(words, 8, 4, map),
            (16, 1) => divide_narrow(words, 16, 1, map),
            (32, 2) => divide_narrow(words, 32, 2, map),
            (divisor, lower) => divide_words::<V>(words, divisor, lower, map),
        },
        Level::Bits { divisor, lower } => match (divisor, lower) {
            (4, 1) => divide_bits(words, 4, 1, map),
            (8, 2) => divide_bits(words, 8, 2, map),
            (16, 4) => divide_bits(words, 16, 4, map),
            (divisor, lower) => divide_bits(words, divisor, lower, map),
        },
    }
}

#[inline(always)]
fn divide_words<V: Lanes>(words: &mut [u64], divisor: usize, lower: usize, map: Map) {
    for block in words.chunks_exact_mut(2 * divisor) {
        let (low, high) = block.split_at_mut(divisor);
        let low = &mut low[lower..];
        let (start, end) = high.split_at_mut(divisor - lower);
        match map {
            Map::Forward => {
                add::<V>(start, end);
                add::<V>(low, start);
            }
            Map::Transposed => {
                add::<V>(start, low);
                add::<V>(end, start);
            }
            Map::InverseTransposed => {
                add::<V>(end, start);
                add::<V>(start, low);
            }
        }
    }
}

/// The same straight from the definition, for widths that the compiler knows.
#[inline(always)]
fn divide_narrow(words: &mut [u64], divisor: usize, lower: usize, map: Map) {
    let down = divisor - lower;
    for block in words.chunks_exact_mut(2 * divisor) {
        match map {
            Map::Forward => {
                for i in (divisor..2 * divisor).rev() {
                    block[i - down] ^= block[i];
                }
            }
            Map::Transposed => {
                for i in divisor..2 * divisor {
                    block[i] ^= block[i - down];
                }
            }
            Map::InverseTransposed => {
                for i in (divisor..2 * divisor).rev() {
                    block[i] ^= block[i - down];
                }
            }
        }
    }
}

#[inline(always)]
fn divide_bits(words: &mut [u64], divisor: usize, lower: u32, map: Map) {
    let last = divisor - 1;
    for block in words.chunks_exact_mut(2 * divisor) {
        let (low, high) = block.split_at_mut(divisor);
        match map {
            Map::Forward => {
                high[0] ^= high[last] >> (64 - lower);
                low[0] ^= high[0] << lower;
                add_funnelled(&mut low[1..], &high[..last], 64 - lower, &high[1..]);
            }
            Map::Transposed => {
                add_funnelled(&mut high[..last], &low[..last], lower, &low[1..]);
                high[last] ^= low[last] >> lower;
                high[last] ^= high[0] << (64 - lower);
            }
            Map::InverseTransposed => {
                high[last] ^= high[0] << (64 - lower);
                add_funnelled(&mut high[..last], &low[..last], lower, &low[1..]);
                high[last] ^= low[last] >> lower;
            }
        }
    }
}

/// Adds the common part of `from` to `to`.
///
/// Here and in [`add_funnelled`] no iterators are zipped: their constructors are not compiled into
/// functions that enable processor features.
#[inline(always)]
fn add<V: Lanes>(to: &mut [u64], from: &[u64]) {
    let words = to.len().min(from.len());
    let (to, from) = (&mut to[..words], &from[..words]);
    let whole = words - words % V::WORDS;
    for i in (0..whole).step_by(V::WORDS) {
        let to = &mut to[i..i + V::WORDS];
        V::load(to).xor(V::load(&from[i..i + V::WORDS])).store(to);
    }
    for i in whole..words {
        to[i] ^= from[i];
    }
}

/// Adds `low` >> `shift` | `high` << (64 − `shift`) to `to`, word by word, all of one length.
#[inline(always)]
fn add_funnelled(to: &mut [u64], low: &[u64], shift: u32, high: &[u64]) {
    let (to, to_rest) = to.as_chunks_mut::<4>();
    let (low, low_rest) = low.as_chunks::<4>();
    let (high, high_rest) = high.as_chunks::<4>();
    for i in 0..to.len().min(low.len()).min(high.len()) {
        for k in 0..4 {
            to[i][k] ^= low[i][k] >> shift | high[i][k] << (64 - shift);
        }
    }
    for i in 0..to_rest.len().min(low_rest.len()).min(high_rest.len()) {
        to_rest[i] ^= low_rest[i] >> shift | high_rest[i] << (64 - shift);
    }
}
