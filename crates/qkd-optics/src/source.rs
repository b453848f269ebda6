//! The parameters of Alice's source.

mod effects;
mod extinction;
mod heralded_pairs;
mod intensity_noise;
mod law;
mod photon_statistics;
mod preparation_error;
mod single_photon;

pub use effects::SourceEffects;
pub use extinction::Extinction;
pub use heralded_pairs::HeraldedPairs;
pub use intensity_noise::IntensityNoise;
pub use photon_statistics::PhotonStatistics;
pub use preparation_error::PreparationError;
pub use single_photon::SinglePhoton;

pub(crate) use law::{Emission, EmissionLaw, Label};

use crate::Error;

/// Most intensity classes that a source can have.
pub const INTENSITIES_MAX: usize = 8;
/// Largest mean photon number of a pulse.
pub const INTENSITY_MAX: f64 = 16.0;

/// A source with decoy intensities, BB84 states and one clock; a weak coherent one unless its effects
/// say otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Slots per second.
    pub clock_hz: f64,
    /// Mean photon number μ of each class at the source, 0 first: the signal.
    pub intensities: Vec<f64>,
    /// Probability of each class, in the order of `intensities`; they add up to 1.
    pub intensity_probabilities: Vec<f64>,
    /// Probability of preparing in basis Z.
    pub key_basis_probability: f64,
    /// What it does beside what it should; nothing by default.
    pub effects: SourceEffects,
}

impl Source {
    /// Refuses parameters that no source can have.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        if !(self.clock_hz.is_finite() && self.clock_hz > 0.0) {
            return Err(Error::OutOfRange {
                name: "clock_hz",
                value: self.clock_hz,
                expected: "a positive number",
            });
        }
        if self.intensities.is_empty() || self.intensities.len() > INTENSITIES_MAX {
            return Err(Error::OutOfRange {
                name: "number of intensities",
                value: self.intensities.len() as f64,
                expected: "1 to 8",
            });
        }
        for &intensity in &self.intensities {
            if !(0.0..=INTENSITY_MAX).contains(&intensity) {
                return Err(Error::OutOfRange {
                    name: "intensities",
                    value: intensity,
                    expected: "0 to 16 photons on average",
                });
            }
        }
        if self.intensity_probabilities.len() != self.intensities.len() {
            return Err(Error::OutOfRange {
                name: "number of intensity_probabilities",
                value: self.intensity_probabilities.len() as f64,
                expected: "one for each intensity",
            });
        }
        for &probability in &self.intensity_probabilities {
            check_probability("intensity_probabilities", probability)?;
        }
        let total: f64 = self.intensity_probabilities.iter().sum();
        if (total - 1.0).abs() > 1e-9 {
            return Err(Error::OutOfRange {
                name: "sum of intensity_probabilities",
                value: total,
                expected: "1",
            });
        }
        check_probability("key_basis_probability", self.key_basis_probability)?;
        self.effects.check(self)
    }

    /// Mean photon number that each class really has, in the order of `intensities`: that of the
    /// modulator's finite extinction. What a theorem must be told.
    pub fn real_intensities(&self) -> Vec<f64> {
        let brightest = self.intensities.iter().copied().fold(0.0, f64::max);
        let real = |&intensity| match &self.effects.extinction {
            Some(extinction) => extinction.leaked(intensity, brightest),
            None => intensity,
        };
        self.intensities.iter().map(real).collect()
    }

    /// Mean photon number of all pulses, as they are set.
    pub fn mean_intensity(&self) -> f64 {
        let classes = self.intensities.iter().zip(&self.intensity_probabilities);
        classes.map(|(intensity, share)| intensity * share).sum()
    }

    /// The same source with every pulse `times` as bright, 1 or more. No class gets brighter than
    /// [`INTENSITY_MAX`], and all keep their proportions: a laser saturates.
    #[must_use]
    pub fn brightened(&self, times: f64) -> Self {
        let times = self.saturated(times);
        let intensities = self.intensities.iter();
        Self {
            // The product of the brightest may round to just above the limit.
            intensities: intensities
                .map(|intensity| (intensity * times).min(INTENSITY_MAX))
                .collect(),
            ..self.clone()
        }
    }

    /// How many times as bright the laser gets that should get so many times as bright.
    pub(crate) fn saturated(&self, times: f64) -> f64 {
        let brightest = self.intensities.iter().copied().fold(0.0, f64::max);
        if brightest == 0.0 {
            return 1.0;
        }
        times.min((INTENSITY_MAX / brightest).max(1.0))
    }

    /// P(n) for n = 0, 1, … of a pulse with a [real intensity](Self::real_intensities) after a
    /// `transmittance` in [0, 1], intensity noise included.
    pub(crate) fn photon_law(&self, real_intensity: f64, transmittance: f64) -> Vec<f64> {
        let statistics = &self.effects.photon_statistics;
        let Some(noise) = &self.effects.intensity_noise else {
            return statistics.law(real_intensity, transmittance);
        };
        let mut mixed = Vec::new();
        for (intensity, weight) in noise.mixture(real_intensity) {
            let law = statistics.law(intensity, transmittance);
            mixed.resize(law.len(), 0.0);
            for (mixed, probability) in mixed.iter_mut().zip(law) {
                *mixed += weight * probability;
            }
        }
        mixed
    }
}

/// Refuses what is no probability.
pub(crate) fn check_probability(name: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::OutOfRange {
            name,
            value,
            expected: "0 to 1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn source() -> Source {
        Source {
            clock_hz: 1e9,
            intensities: vec![0.5, 0.1],
            intensity_probabilities: vec![0.9, 0.1],
            key_basis_probability: 0.9,
            effects: SourceEffects::default(),
        }
    }

    #[test]
    fn every_impossible_parameter_is_refused_by_name() {
        assert_eq!(source().check(), Ok(()));
        type Spoil = fn(&mut Source);
        let cases: [(&str, Spoil); 8] = [
            ("clock_hz", |s| s.clock_hz = 0.0),
            ("clock_hz", |s| s.clock_hz = f64::NAN),
            ("number of intensities", |s| s.intensities.clear()),
            ("intensities", |s| s.intensities[1] = -0.1),
            ("number of intensity_probabilities", |s| {
                s.intensity_probabilities.push(0.0);
            }),
            ("intensity_probabilities", |s| {
                s.intensity_probabilities = vec![1.1, -0.1];
            }),
            ("sum of intensity_probabilities", |s| {
                s.intensity_probabilities = vec![0.5, 0.4];
            }),
            ("key_basis_probability", |s| s.key_basis_probability = 1.5),
        ];
        for (expected, spoil) in cases {
            let mut source = source();
            spoil(&mut source);
            match source.check() {
                Err(Error::OutOfRange { name, .. }) => assert_eq!(name, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
