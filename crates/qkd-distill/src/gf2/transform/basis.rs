//! The change of basis in front of the butterflies, and its two transposes.
//!
//! Takes a polynomial over GF(2) from the monomials x^i to the basis X_i(x)·s_l(x)^j, i < 2^l,
//! where X_i is the product of the vanishing polynomials s_t over the set bits t of i (the basis of
//! Lin, Chung and Han, FOCS 2014). As s_h(y) = y^(2^h) + y for h a power of two, and s_{h+t} = s_t∘s_h,
//! everything is division by two-term polynomials (Gao and Mateer, IEEE Trans. Inf. Theory 56, 6265
//! (2010); Chen et al., arXiv:1708.09746, algorithm 2): nothing but additions of shifted parts.

/// Division of every aligned run of 2·D coefficients by x^D + x^d: the coefficient at index i ≥ D
/// is added to the one at i − D + d, from the highest i down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    log_divisor: u32,
    log_lower: u32,
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

/// The divisions for `log_points` = l and 2^(l + 6) coefficients, first to last.
pub(super) fn levels(log_points: u32) -> Vec<Level> {
    let mut levels = Vec::new();
    powers_of(log_points, 0, log_points + 6, &mut levels);
    levels
}

/// Polynomials in y with 2^`width` coefficients, each 2^`low` bits: to powers of s_order(y), with
/// the basis X_i(y) below.
fn powers_of(order: u32, low: u32, width: u32, levels: &mut Vec<Level>) {
    if order == 0 {
        return;
    }
    let step = 1 << order.ilog2();
    expand(low, width, step, levels);
    to_products(low, step, levels);
    powers_of(order - step, low + step, width - step, levels);
}

/// Polynomials in y with 2^`width` coefficients: to the basis X_i(y).
fn to_products(low: u32, width: u32, levels: &mut Vec<Level>) {
    if width <= 1 {
        return;
    }
    let step = 1 << (width - 1).ilog2();
    expand(low, width, step, levels);
    to_products(low, step, levels);
    to_products(low + step, width - step, levels);
}

/// Polynomials in y: to powers of y^(2^step) + y with coefficients of degree below 2^step.
fn expand(low: u32, width: u32, step: u32, levels: &mut Vec<Level>) {
    for power in (0..width - step).rev() {
        levels.push(Level {
            log_divisor: low + step + power,
            log_lower: low + power,
        });
    }
}

/// Applies the map to 64·`words.len()` coefficients in place.
#[inline(always)]
pub(super) fn apply(words: &mut [u64], levels: &[Level], map: Map) {
    let fits = |level: &Level| 2usize << level.log_divisor <= 64 * STRETCH_WORDS;
    let mut runs = levels.chunk_by(|a, b| fits(a) && fits(b));
    let mut next = || match map {
        Map::Forward | Map::InverseTransposed => runs.next(),
        Map::Transposed => runs.next_back(),
    };
    while let Some(run) = next() {
        let stretch = if fits(&run[0]) {
            STRETCH_WORDS.min(words.len())
        } else {
            words.len()
        };
        for words in words.chunks_exact_mut(stretch) {
            match map {
                Map::Forward => run.iter().for_each(|&l| forward(words, l)),
                Map::Transposed => run.iter().rev().for_each(|&l| transposed(words, l)),
                Map::InverseTransposed => {
                    run.iter().for_each(|&l| inverse_transposed(words, l));
                }
            }
        }
    }
}

/// The bits of the target of a division inside a word that are `from..to` of every 2·D.
#[inline(always)]
fn mask(level: Level, from: u64, to: u64) -> u64 {
    let period = 2u64 << level.log_divisor;
    (0..64)
        .filter(|bit| (from..to).contains(&(bit % period)))
        .fold(0, |mask, bit| mask | 1 << bit)
}

#[inline(always)]
fn add(to: &mut [u64], from: &[u64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

#[inline(always)]
fn forward(words: &mut [u64], level: Level) {
    let (divisor, lower) = (1u64 << level.log_divisor, 1u64 << level.log_lower);
    if level.log_divisor < 6 {
        let shift = divisor - lower;
        let (first, second) = (
            mask(level, divisor, divisor + lower),
            mask(level, lower, divisor),
        );
        for word in words {
            *word ^= *word >> shift & first;
            *word ^= *word >> shift & second;
        }
        return;
    }
    let half = divisor as usize / 64;
    for block in words.chunks_exact_mut(2 * half) {
        let (low, high) = block.split_at_mut(half);
        if level.log_lower >= 6 {
            let lower = lower as usize / 64;
            let (start, end) = high.split_at_mut(half - lower);
            add(start, end);
            add(&mut low[lower..], start);
        } else {
            high[0] ^= high[half - 1] >> (64 - lower);
            low[0] ^= high[0] << lower;
            for (to, from) in low[1..].iter_mut().zip(high.windows(2)) {
                *to ^= from[1] << lower | from[0] >> (64 - lower);
            }
        }
    }
}

#[inline(always)]
fn transposed(words: &mut [u64], level: Level) {
    let (divisor, lower) = (1u64 << level.log_divisor, 1u64 << level.log_lower);
    if level.log_divisor < 6 {
        let shift = divisor - lower;
        let (first, second) = (
            mask(level, divisor, 2 * divisor - lower),
            mask(level, 2 * divisor - lower, 2 * divisor),
        );
        for word in words {
            *word ^= *word << shift & first;
            *word ^= *word << shift & second;
        }
        return;
    }
    let half = divisor as usize / 64;
    for block in words.chunks_exact_mut(2 * half) {
        let (low, high) = block.split_at_mut(half);
        if level.log_lower >= 6 {
            let lower = lower as usize / 64;
            let (start, end) = high.split_at_mut(half - lower);
            add(start, &low[lower..]);
            add(end, start);
        } else {
            add_lowered(high, low, lower);
            high[half - 1] ^= high[0] << (64 - lower);
        }
    }
}

#[inline(always)]
fn inverse_transposed(words: &mut [u64], level: Level) {
    let (divisor, lower) = (1u64 << level.log_divisor, 1u64 << level.log_lower);
    if level.log_divisor < 6 {
        let shift = divisor - lower;
        let (first, second) = (
            mask(level, 2 * divisor - lower, 2 * divisor),
            mask(level, divisor, 2 * divisor - lower),
        );
        for word in words {
            *word ^= *word << shift & first;
            *word ^= *word << shift & second;
        }
        return;
    }
    let half = divisor as usize / 64;
    for block in words.chunks_exact_mut(2 * half) {
        let (low, high) = block.split_at_mut(half);
        if level.log_lower >= 6 {
            let lower = lower as usize / 64;
            let (start, end) = high.split_at_mut(half - lower);
            add(end, start);
            add(start, &low[lower..]);
        } else {
            high[half - 1] ^= high[0] << (64 - lower);
            add_lowered(high, low, lower);
        }
    }
}

/// Adds `from`, shifted down by `shift` bits (1 to 63), to `to`.
#[inline(always)]
fn add_lowered(to: &mut [u64], from: &[u64], shift: u64) {
    let last = from.len() - 1;
    for (to, from) in to.iter_mut().zip(from.windows(2)) {
        *to ^= from[0] >> shift | from[1] << (64 - shift);
    }
    to[last] ^= from[last] >> shift;
}
