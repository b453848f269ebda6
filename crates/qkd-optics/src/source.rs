//! The parameters of a phase-randomised weak coherent source.

mod law;

use crate::Error;

pub(crate) use law::{Emission, EmissionLaw, Label};

/// Most intensity classes that a source can have.
pub const INTENSITIES_MAX: usize = 8;
/// Largest mean photon number of a pulse.
pub const INTENSITY_MAX: f64 = 16.0;

/// A weak coherent source with decoy intensities, BB84 states and one clock.
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
        check_probability("key_basis_probability", self.key_basis_probability)
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

    fn source() -> Source {
        Source {
            clock_hz: 1e9,
            intensities: vec![0.5, 0.1],
            intensity_probabilities: vec![0.9, 0.1],
            key_basis_probability: 0.9,
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
