//! What is the same for every frame of an epoch.

use super::PAYLOAD_BYTES;
use super::format::{PhotonBits, WordBits, WordFormat};
use crate::Error;
use crate::mathematics::{exp, ln_1p};
use crate::source::check_probability;

/// Longest span of a train in slots.
const SPAN_MAX: f64 = 1e9;
/// Most frames that a train is meant to fill: three such trains fit one call of generic segmentation
/// offload (64 KiB).
const FRAMES_MAX: u32 = 15;
/// Standard deviations above the mean that still fit the frames that a train is meant to fill: a
/// smaller margin costs more in further frames than it saves in padding.
const MARGIN_SIGMA: f64 = 2.0;

/// Whom a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAddress {
    /// Pairing of Alice and Bob.
    pub session: u64,
    /// Piece of the quantum link.
    pub link: u16,
    /// Changes whenever clock, loss, intensities or word format change.
    pub epoch: u32,
}

/// How much light there is in a slot: what frames are sized for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LightDensity {
    /// Probability that a slot holds light.
    pub occupied_probability: f64,
    /// Probability that it holds two or three photons.
    pub few_photons_probability: f64,
    /// Probability that it holds four photons or more.
    pub many_photons_probability: f64,
}

/// What all frames of an epoch have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameShape {
    /// Pairing of Alice and Bob.
    pub session: u64,
    /// Piece of the quantum link.
    pub link: u16,
    /// Changes whenever clock, loss, intensities or word format change.
    pub epoch: u32,
    /// How words divide their bits.
    pub format: WordFormat,
    /// Slots of a train, which is cut into frames where they are full.
    pub span: u32,
}

impl FrameShape {
    /// The shape that takes the fewest bytes: the cheapest format, and the span up to `span_max`
    /// slots (and 10⁹) that fills a whole number of frames, fifteen at most, to 97 % or more.
    /// `span_max` bounds how long light waits for its train to end.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when a probability is none or `span_max` is 0.
    pub fn for_density(
        address: FrameAddress,
        density: LightDensity,
        span_max: u32,
    ) -> Result<Self, Error> {
        density.check()?;
        if span_max == 0 {
            return Err(Error::OutOfRange {
                name: "span_max",
                value: 0.0,
                expected: "at least one slot",
            });
        }
        let bytes = |format: &WordFormat| {
            Words::of(&density, *format).mean * format.word_bits.bytes() as f64
        };
        let cheapest = WordFormat::all().min_by(|a, b| bytes(a).total_cmp(&bytes(b)));
        let format = cheapest.unwrap_or(WordFormat {
            word_bits: WordBits::ThirtyTwo,
            photon_bits: PhotonBits::Two,
        });
        let words = Words::of(&density, format);
        let span_max = f64::from(span_max).min(SPAN_MAX);
        let spans = (1..=FRAMES_MAX).map(|frames| words.span(frames, format));
        let span = spans.take_while(|&span| span <= span_max).last();
        Ok(Self {
            session: address.session,
            link: address.link,
            epoch: address.epoch,
            format,
            span: (span.unwrap_or(span_max) as u32).max(1),
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

impl LightDensity {
    fn check(&self) -> Result<(), Error> {
        check_probability("occupied_probability", self.occupied_probability)?;
        check_probability("few_photons_probability", self.few_photons_probability)?;
        check_probability("many_photons_probability", self.many_photons_probability)?;
        let multiple = self.few_photons_probability + self.many_photons_probability;
        if multiple > self.occupied_probability * (1.0 + 1e-9) {
            return Err(Error::OutOfRange {
                name: "probability of two photons or more",
                value: multiple,
                expected: "at most occupied_probability",
            });
        }
        Ok(())
    }
}

/// Words that a slot takes on average, and their variance per slot.
struct Words {
    mean: f64,
    variance: f64,
}

impl Words {
    /// Advances and events follow each other as independent steps, each of so many slots and so
    /// many words: the mean is that of a renewal-reward process, E[words] / E[slots], and the
    /// variance Var[words − mean·slots] / E[slots] (Ross, *Stochastic Processes*, 1996, 3.6).
    fn of(density: &LightDensity, format: WordFormat) -> Self {
        let p = density.occupied_probability.clamp(1e-300, 1.0 - 1e-12);
        let advance = f64::from(format.advance());
        let ln_q = ln_1p(-p);
        // The chance that a step is an advance. Steps are min(gap + 1, advance) slots long.
        let long = exp(ln_q * advance);
        let small = p * advance < 1e-4;
        let slots = if small { advance } else { (1.0 - long) / p };
        let slots_squared = if small {
            advance * advance
        } else {
            // Σ (2j + 1) qʲ for j below the advance.
            let weighted = (1.0 - p) * (1.0 - long) / (p * p) - advance * long / p;
            slots + 2.0 * weighted
        };
        let few = density.few_photons_probability / p;
        let many = density.many_photons_probability / p;
        // Words of an event beyond the first: mean and mean square.
        let (extra, extra_squared) = match format.photon_bits {
            PhotonBits::Two => (many, many),
            PhotonBits::None => (few + 2.0 * many, few + 4.0 * many),
        };
        let words = 1.0 + extra * (1.0 - long);
        let words_squared = 1.0 + (2.0 * extra + extra_squared) * (1.0 - long);
        let words_slots = slots + extra * (slots - advance * long);
        let mean = words / slots;
        let square = words_squared - 2.0 * mean * words_slots + mean * mean * slots_squared;
        Self {
            mean,
            variance: square.max(0.0) / slots,
        }
    }

    /// The span S for which the mean and [`MARGIN_SIGMA`] standard deviations of its words fill so
    /// many frames.
    fn span(&self, frames: u32, format: WordFormat) -> f64 {
        let words_max = PAYLOAD_BYTES / format.word_bits.bytes();
        // A frame may end as soon as the longest event would not fit any more.
        let filled = words_max + 1 - format.event_words_max();
        let room = f64::from(frames) * filled as f64;
        let spread = MARGIN_SIGMA * self.variance.sqrt();
        let root = ((spread * spread + 4.0 * self.mean * room).sqrt() - spread) / (2.0 * self.mean);
        (root * root).floor()
    }
}
