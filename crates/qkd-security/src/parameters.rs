use crate::concentration::FailureProbability;
use crate::error::require;
use crate::mathematics::exp;
use crate::{Error, Exposure, SideChannels};
use std::fmt;

/// The failure budget: ε_total = ε_sec + ε_cor for each block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SecurityParameters {
    /// ε_sec: trace distance of the key from an ideal one, times the probability of acceptance.
    pub secrecy: f64,
    /// ε_cor: probability that the keys differ and nobody notices.
    pub correctness: f64,
}

impl SecurityParameters {
    /// The same parameters when both lie strictly between 0 and 1.
    pub fn checked(self) -> Result<Self, Error> {
        let expected = "a probability strictly between 0 and 1";
        for (what, value) in [("secrecy", self.secrecy), ("correctness", self.correctness)] {
            require(what, value, value > 0.0 && value < 1.0, expected)?;
        }
        Ok(self)
    }

    /// ε_sec divided evenly among `parts` statements that may each fail.
    pub(crate) fn secrecy_share(self, parts: f64) -> FailureProbability {
        FailureProbability(self.secrecy / parts)
    }
}

/// Which of the two mean photon numbers a slot was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntensityClass {
    /// The larger intensity, index 0.
    Signal,
    /// The smaller intensity, index 1.
    Decoy,
}

impl IntensityClass {
    /// Both classes, in the order of the indices.
    pub const ALL: [IntensityClass; 2] = [IntensityClass::Signal, IntensityClass::Decoy];

    /// Position in every pair of this crate: 0 for the signal, 1 for the decoy.
    pub fn index(self) -> usize {
        match self {
            IntensityClass::Signal => 0,
            IntensityClass::Decoy => 1,
        }
    }
}

impl fmt::Display for IntensityClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IntensityClass::Signal => "signal",
            IntensityClass::Decoy => "decoy",
        })
    }
}

/// Which basis a count belongs to, by what the basis is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestedBasis {
    /// Z, whose bits become the key.
    Key,
    /// X, whose bits are disclosed.
    Test,
}

impl fmt::Display for TestedBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TestedBasis::Key => "key basis",
            TestedBasis::Test => "test basis",
        })
    }
}

/// A phase-randomised weak coherent source with a signal and one decoy, and what is stated of light that
/// leaves the laboratories on other ways than the link's.
///
/// Holds 0 < ν < μ and probabilities that add up to one; there is no other way to build one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecoySource {
    intensities: [f64; 2],
    probabilities: [f64; 2],
    side_channels: SideChannels,
    exposure: Option<Exposure>,
}

impl DecoySource {
    /// A source without side channels, of `intensities` \[μ, ν\] (mean photons per pulse) chosen with `probabilities`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless 0 < ν < μ ≤ 10, both probabilities are positive and they add
    /// up to 1 within 1e-9.
    pub fn new(intensities: [f64; 2], probabilities: [f64; 2]) -> Result<Self, Error> {
        let [signal, decoy] = intensities;
        require(
            "the signal intensity (intensities[0])",
            signal,
            signal > 0.0 && signal <= 10.0,
            "a mean photon number above 0 and at most 10",
        )?;
        require(
            "the decoy intensity (intensities[1])",
            decoy,
            decoy > 0.0 && decoy < signal,
            "a mean photon number above 0 and below intensities[0]",
        )?;
        for probability in probabilities {
            require(
                "an entry of intensity_probabilities",
                probability,
                probability > 0.0 && probability < 1.0,
                "a probability strictly between 0 and 1",
            )?;
        }
        let sum: f64 = probabilities.iter().sum();
        require(
            "the sum of intensity_probabilities",
            sum,
            (sum - 1.0).abs() <= 1e-9,
            "1",
        )?;
        Ok(DecoySource {
            intensities,
            probabilities,
            side_channels: SideChannels::NONE,
            exposure: None,
        })
    }

    /// The same source in laboratories that leak so much. Where light may come back there is no key
    /// before [`exposed`](Self::exposed) says for how long.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] as [`SideChannels::checked`].
    pub fn with_side_channels(self, side_channels: SideChannels) -> Result<Self, Error> {
        Ok(DecoySource {
            side_channels: side_channels.checked()?,
            ..self
        })
    }

    /// The same source in a block that lasts no longer than this.
    pub fn exposed(self, exposure: Exposure) -> Self {
        DecoySource {
            exposure: Some(exposure),
            ..self
        }
    }

    /// What the laboratories may leak.
    pub fn side_channels(&self) -> SideChannels {
        self.side_channels
    }

    /// How long a block lasts at most, where that is known.
    pub(crate) fn exposure(&self) -> Option<Exposure> {
        self.exposure
    }

    /// \[μ, ν\]: mean photon numbers of signal and decoy.
    pub fn intensities(&self) -> [f64; 2] {
        self.intensities
    }

    /// How often signal and decoy are chosen.
    pub fn probabilities(&self) -> [f64; 2] {
        self.probabilities
    }

    /// τ₀: probability that a pulse of unknown class holds no photon.
    pub fn vacuum_probability(&self) -> f64 {
        self.average(|intensity| exp(-intensity))
    }

    /// τ₁: probability that a pulse of unknown class holds exactly one photon.
    pub fn single_photon_probability(&self) -> f64 {
        self.average(|intensity| exp(-intensity) * intensity)
    }

    /// Mean of `value` over the classes, weighted by how often each is sent.
    pub(crate) fn average(&self, value: impl Fn(f64) -> f64) -> f64 {
        IntensityClass::ALL
            .iter()
            .map(|class| self.probabilities[class.index()] * value(self.intensities[class.index()]))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photon_number_probabilities_follow_poisson() {
        let source = DecoySource::new([0.5, 0.1], [0.7, 0.3]).unwrap();
        let vacuum = 0.7 * (-0.5_f64).exp() + 0.3 * (-0.1_f64).exp();
        assert!((source.vacuum_probability() - vacuum).abs() < 1e-15);
        let single = 0.35 * (-0.5_f64).exp() + 0.03 * (-0.1_f64).exp();
        assert!((source.single_photon_probability() - single).abs() < 1e-15);
    }

    #[test]
    fn a_decoy_as_bright_as_the_signal_is_rejected_by_name() {
        let error = DecoySource::new([0.5, 0.5], [0.5, 0.5]).unwrap_err();
        assert!(error.to_string().contains("intensities[1]"), "{error}");
    }

    #[test]
    fn numbers_outside_their_range_are_rejected() {
        for (intensities, probabilities) in [
            ([0.0, -0.1], [0.5, 0.5]),
            ([0.5, 0.0], [0.5, 0.5]),
            ([f64::NAN, 0.1], [0.5, 0.5]),
            ([f64::INFINITY, 0.1], [0.5, 0.5]),
            ([0.5, f64::NAN], [0.5, 0.5]),
            ([0.5, 0.1], [1.0, 0.0]),
            ([0.5, 0.1], [0.6, 0.6]),
            ([0.5, 0.1], [f64::NAN, 0.5]),
        ] {
            assert!(
                DecoySource::new(intensities, probabilities).is_err(),
                "{intensities:?} {probabilities:?}"
            );
        }
        for (secrecy, correctness) in [(0.0, 0.1), (0.1, 1.0), (f64::NAN, 0.1)] {
            let parameters = SecurityParameters {
                secrecy,
                correctness,
            };
            assert!(parameters.checked().is_err(), "{parameters:?}");
        }
    }
}
