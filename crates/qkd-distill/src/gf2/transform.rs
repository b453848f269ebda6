//! An additive Fourier transform of polynomials over GF(2), and its transposes.
//!
//! A polynomial f of 64·2^l bits is given by its values in GF(2⁶⁴) at the 2^l points of v₃₂₊ₗ + W_l,
//! W_l = span(v₀ … v_{l−1}) of the Cantor basis: one point of each orbit of the Frobenius map suffices
//! (van der Hoeven and Larrieu, ISSAC 2017; Chen et al., arXiv:1803.11301), so that no bit of the
//! transform is wasted. Written to the base s_l(x) (s_l: the vanishing polynomial of W_l), f = Σ f_j(x)·
//! s_l(x)^j with 64 f_j of degree below 2^l. At all these points s_l has one value, β = v₃₂. With the
//! field's elements written as polynomials in that β, Σ f_j·β^j is no computation at all: a word is
//! made of one bit of each f_j ([`pack`]). What remains is the change of basis ([`basis`]) and l layers
//! of butterflies ([`layers`]) in the manner of Lin, Chung and Han (FOCS 2014).
//!
//! **The transposes.** [`Transform::correlate`] needs the transpose of the product with a fixed
//! polynomial a, which is F⁻¹·diag(F a)·F, that is Fᵀ·diag(F a)ᵀ·F⁻ᵀ. Over bits the transpose of a
//! product with c is, in other coordinates, the product with c: the bits u_j are Tr(h·βʲ/M′(β)) of an
//! element h, and by Euler's formula Σ Tr(h·βʲ/M′(β))·z^(−j−1) = h(z)/M(z), so that going from bits
//! to h or back is one carry-less product. The butterflies' matrices are transposed as they stand.
//!
//! Time depends on the lengths alone: no branch and no address comes from the data.

mod basis;
mod cantor;
mod lanes;
mod layers;
mod pack;
#[cfg(target_arch = "x86_64")]
mod x86;

use basis::Levels;
use lanes::{Lanes, Pair};

/// Fewest and most layers: 2¹⁴ to 2²³ bits.
pub(crate) const LAYERS: std::ops::RangeInclusive<u32> =
    pack::WORDS_MIN.ilog2()..=cantor::LAYERS_MAX;

/// Which registers the layers run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Engine(Registers);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registers {
    Portable,
    #[cfg(target_arch = "x86_64")]
    X86(x86::Proof),
}

impl Engine {
    /// Every engine of this machine, the fastest first, the portable one last.
    pub(crate) fn all() -> impl Iterator<Item = Engine> {
        let portable = std::iter::once(Engine(Registers::Portable));
        #[cfg(target_arch = "x86_64")]
        return x86::Proof::look()
            .map(|proof| Engine(Registers::X86(proof)))
            .chain(portable);
        #[cfg(not(target_arch = "x86_64"))]
        portable
    }

    /// The fastest; the standard library remembers the answer.
    pub(crate) fn best() -> Engine {
        Engine::all().next().unwrap_or(Engine(Registers::Portable))
    }
}

/// One of the four steps, for the registers to run.
enum Job<'a> {
    Values(&'a mut [u64], &'a mut [u64], &'a Levels),
    DualValues(&'a mut [u64], &'a mut [u64], &'a Levels),
    TransposedValues(&'a mut [u64], &'a mut [u64], &'a Levels),
    Correlate {
        tails: &'a [u64],
        seeds: &'a mut [u64],
        points: usize,
    },
}

#[inline(always)]
fn run<V: Lanes>(job: Job<'_>) {
    match job {
        Job::Values(words, values, levels) => layers::values::<V>(words, values, levels),
        Job::DualValues(words, values, levels) => layers::dual_values::<V>(words, values, levels),
        Job::TransposedValues(values, words, levels) => {
            layers::transposed_values::<V>(values, words, levels);
        }
        Job::Correlate {
            tails,
            seeds,
            points,
        } => layers::correlate::<V>(tails, seeds, points),
    }
}

/// The transform F of one size.
pub(crate) struct Transform {
    engine: Engine,
    words: usize,
    levels: Levels,
}

impl Transform {
    /// The transform of 64·2^`layers` bits; `layers` must be one of [`LAYERS`].
    pub(crate) fn new(engine: Engine, layers: u32) -> Self {
        assert!(LAYERS.contains(&layers), "transform of {layers} layers");
        Self {
            engine,
            words: 1 << layers,
            levels: Levels::new(layers),
        }
    }

    /// Words of an operand, which is also the number of points.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Words from the beginning of one operand of [`correlate`](Self::correlate) to the next: more
    /// than it has, or all would fall into the same sets of the cache.
    pub(crate) fn stride(&self) -> usize {
        self.words + layers::TILE_WORDS
    }

    /// `values` = F `coefficients`, which are overwritten.
    pub(crate) fn values(&self, coefficients: &mut [u64], values: &mut [u64]) {
        self.check(coefficients, values);
        self.run(Job::Values(coefficients, values, &self.levels));
    }

    /// `values` = F⁻ᵀ `coefficients`, which are overwritten.
    pub(crate) fn dual_values(&self, coefficients: &mut [u64], values: &mut [u64]) {
        self.check(coefficients, values);
        self.run(Job::DualValues(coefficients, values, &self.levels));
    }

    /// `coefficients` = Fᵀ `values`, which are overwritten.
    pub(crate) fn transposed_values(&self, values: &mut [u64], coefficients: &mut [u64]) {
        self.check(coefficients, values);
        self.run(Job::TransposedValues(values, coefficients, &self.levels));
    }

    /// Σ_q `tails[q]`·`seeds[p + q]` point by point, in the place of `seeds[p]`, for every p for which
    /// there are as many seeds as tails. The seeds beyond stay.
    pub(crate) fn correlate(&self, tails: &[u64], seeds: &mut [u64]) {
        assert_eq!(tails.len() % self.stride(), 0, "tails");
        assert_eq!(seeds.len() % self.stride(), 0, "seeds");
        self.run(Job::Correlate {
            tails,
            seeds,
            points: self.words,
        });
    }

    fn check(&self, coefficients: &[u64], values: &[u64]) {
        assert_eq!(coefficients.len(), self.words, "coefficients");
        assert_eq!(values.len(), self.words, "values");
    }

    fn run(&self, job: Job<'_>) {
        match self.engine.0 {
            Registers::Portable => run::<Pair>(job),
            #[cfg(target_arch = "x86_64")]
            Registers::X86(proof) => proof.run(job),
        }
    }
}
