//! From what a laboratory has measured to a key: every intermediate, the length and the rate.
//!
//! [`Measured`] holds one kind of measurement, [`Measured::evaluate`] applies the theorem for it.
//! Nothing is fitted and nothing assumed in silence: what a file did not say and a formula needs is
//! a note of the [`Evaluation`].

mod bell;
mod counts;
mod gaussian;
mod link;
mod relay;
mod summary;
#[cfg(test)]
mod tests;

pub use bell::{MeasuredBell, Outcomes};
pub use counts::{BlockTheorem, Counts, DecoyBlock, Disclosed, MeasuredCounts};
pub use gaussian::{FiniteLine, MeasuredGaussian};
pub use link::Link;
pub use relay::MeasuredRelay;
pub use summary::{DecoySummary, MeasuredSummary, SummarySource};

use crate::theorem::whole_bits;
use crate::{Error, Figure, Standing};

/// One kind of measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// Detections and errors of decoy-state BB84, per basis and intensity.
    Counts(MeasuredCounts),
    /// The figures that a paper's table gives of a block of BB84 or BBM92.
    Summary(MeasuredSummary),
    /// A Gaussian-modulated continuous-variable link.
    Gaussian(MeasuredGaussian),
    /// Gains and errors of measurement-device-independent QKD.
    Relay(MeasuredRelay),
    /// A test of Bell's inequality.
    Bell(MeasuredBell),
}

impl Measured {
    /// Applies the theorem to the measurement.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn evaluate(&self) -> Result<Evaluation, Error> {
        match self {
            Measured::Counts(counts) => counts.evaluate(),
            Measured::Summary(summary) => summary.evaluate(),
            Measured::Gaussian(gaussian) => gaussian.evaluate(),
            Measured::Relay(relay) => relay.evaluate(),
            Measured::Bell(bell) => bell.evaluate(),
        }
    }
}

/// What a measurement is worth as a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The theorem or formula, by the name that configurations use.
    pub theorem: &'static str,
    /// What its figures are worth.
    pub standing: Standing,
    /// Every intermediate, in the order in which the result is made of them.
    pub figures: Vec<Figure>,
    /// ℓ; `None` where the formula knows no block.
    pub secret_length_bits: Option<u64>,
    /// ℓ divided by the sifted bits, or the share that an asymptotic formula gives, at least 0;
    /// `None` where nothing is sifted.
    pub secret_fraction: Option<f64>,
    /// Secret bits per slot of the clock, at least 0: per symbol (continuous variables), pulse or
    /// pair of pulses, whether sifting keeps it or not, so that times the clock it is the rate.
    /// `None` where the measurement does not say how many were sent.
    pub secret_bits_per_pulse: Option<f64>,
    /// Secret bits per second; `None` where the measurement knows no time.
    pub secret_key_rate_bps: Option<f64>,
    /// What was assumed, and what does not fit together: whole sentences.
    pub notes: Vec<String>,
}

impl Evaluation {
    fn new(theorem: &'static str, standing: Standing, figures: Vec<Figure>) -> Self {
        Evaluation {
            theorem,
            standing,
            figures,
            secret_length_bits: None,
            secret_fraction: None,
            secret_bits_per_pulse: None,
            secret_key_rate_bps: None,
            notes: Vec::new(),
        }
    }

    /// The value of the figure with this name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let found = self.figures.iter().find(|figure| figure.name == name);
        found.map(|figure| figure.value)
    }

    /// A block of `block_bits` sifted bits with the length that a theorem gives.
    fn with_length(mut self, length_unclamped: f64, block_bits: f64) -> Self {
        let length = whole_bits(length_unclamped);
        self.secret_length_bits = Some(length);
        // A block without bits holds no secret ones either.
        self.secret_fraction = Some(if block_bits > 0.0 {
            length as f64 / block_bits
        } else {
            0.0
        });
        self
    }

    fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }
}
