//! What is the same for every frame of an epoch.

use super::{EVENT_BITS, PAYLOAD_BYTES};
use crate::Error;
use crate::mathematics::{exp, ln_1p};
use crate::source::check_probability;

/// Longest span of a frame in slots.
const SPAN_MAX: u32 = 1_000_000_000;

/// Width of the words in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordBits {
    /// For dense light, from about 4.5 % occupied slots on.
    Eight,
    /// For light in between.
    Sixteen,
    /// For sparse light, below about 1.7·10⁻⁴.
    ThirtyTwo,
}

impl WordBits {
    const ALL: [WordBits; 3] = [WordBits::Eight, WordBits::Sixteen, WordBits::ThirtyTwo];

    /// The width in bits.
    pub fn bits(self) -> u32 {
        match self {
            WordBits::Eight => 8,
            WordBits::Sixteen => 16,
            WordBits::ThirtyTwo => 32,
        }
    }

    pub(super) fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.bits() == u32::from(bits))
    }

    /// The all-ones gap: an advance by this many slots without an event.
    pub(super) fn advance(self) -> u32 {
        u32::MAX >> (32 - (self.bits() - EVENT_BITS))
    }
}

/// Whom a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAddress {
    /// Pairing of Alice and Bob.
    pub session: u64,
    /// Piece of the quantum link.
    pub link: u16,
    /// Changes whenever clock, loss, intensities or word width change.
    pub epoch: u32,
}

/// What all frames of an epoch have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameShape {
    /// Pairing of Alice and Bob.
    pub session: u64,
    /// Piece of the quantum link.
    pub link: u16,
    /// Changes whenever clock, loss, intensities or word width change.
    pub epoch: u32,
    /// Width of a word.
    pub word_bits: WordBits,
    /// Slots per frame.
    pub span: u32,
}

impl FrameShape {
    /// The shape with the longest span, up to `span_max` slots (and 10⁹), whose pulses fit one
    /// frame up to ten standard deviations above the mean when each slot holds light with
    /// `occupied_probability`. `span_max` bounds how long light waits for its frame to fill.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the probability is none or `span_max` is 0.
    pub fn for_density(
        address: FrameAddress,
        occupied_probability: f64,
        span_max: u32,
    ) -> Result<Self, Error> {
        check_probability("occupied_probability", occupied_probability)?;
        if span_max == 0 {
            return Err(Error::OutOfRange {
                name: "span_max",
                value: 0.0,
                expected: "at least one slot",
            });
        }
        let mut best = (WordBits::ThirtyTwo, 0.0);
        // From wide to narrow: of two that reach the limit, the narrower writes fewer bytes.
        for word_bits in WordBits::ALL.into_iter().rev() {
            let span = fitting_span(occupied_probability, word_bits).min(f64::from(SPAN_MAX));
            if span.min(f64::from(span_max)) >= best.1 {
                best = (word_bits, span.min(f64::from(span_max)));
            }
        }
        Ok(Self {
            session: address.session,
            link: address.link,
            epoch: address.epoch,
            word_bits: best.0,
            span: (best.1 as u32).max(1),
        })
    }

    /// Whom its frames belong to.
    pub fn address(&self) -> FrameAddress {
        FrameAddress {
            session: self.session,
            link: self.link,
            epoch: self.epoch,
        }
    }
}

/// The span S for which r S + 10 √(v S) words fill the payload, with r the mean and v the variance
/// of the words that a slot needs.
fn fitting_span(occupied_probability: f64, word_bits: WordBits) -> f64 {
    if occupied_probability <= 0.0 {
        return f64::INFINITY;
    }
    let p = occupied_probability.min(1.0 - 1e-12);
    let words_max = (PAYLOAD_BYTES / word_bits.bytes()) as f64;
    // The chance of four or more photons at twice the intensity that p suggests.
    let mean = -2.0 * ln_1p(-p);
    let up_to_three = exp(-mean) * (1.0 + mean + mean * mean / 2.0 + mean * mean * mean / 6.0);
    let extended = (1.0 - up_to_three).clamp(0.0, 1.0);
    // A gap needs a geometric number of advances, each with the chance that it is that long.
    let long = exp(ln_1p(-p) * f64::from(word_bits.advance())).min(1.0 - 1e-9);
    let advances = long / (1.0 - long);
    let words = 1.0 + extended + advances;
    let spread = extended + advances * (1.0 + advances);
    let (r, v) = (p * words, p * (words * words + spread));
    let root = ((100.0 * v + 4.0 * r * words_max).sqrt() - 10.0 * v.sqrt()) / (2.0 * r);
    (root * root).floor()
}
