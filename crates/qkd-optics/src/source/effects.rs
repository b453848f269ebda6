//! What a real source does beside what it should.

use super::extinction::Extinction;
use super::intensity_noise::IntensityNoise;
use super::photon_statistics::PhotonStatistics;
use super::preparation_error::PreparationError;
use crate::{Error, Source};

/// Imperfections of a source, and the kind of light it makes. The default is an ideal, attenuated,
/// phase-randomised laser.
///
/// Every effect is independent from slot to slot and is folded into the joint law of what a slot
/// holds, so that sampling it costs nothing and stays exact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceEffects {
    /// What photon numbers follow.
    pub photon_statistics: PhotonStatistics,
    /// Light that the intensity modulator lets through when it should not; an ideal modulator when
    /// absent.
    pub extinction: Option<Extinction>,
    /// Fluctuation of the intensity from pulse to pulse; none when absent.
    pub intensity_noise: Option<IntensityNoise>,
    /// How often the orthogonal state is made.
    pub preparation_error: PreparationError,
}

impl SourceEffects {
    /// Refuses effects that no source can have, or not with the intensities of `source`.
    pub(crate) fn check(&self, source: &Source) -> Result<(), Error> {
        if let Some(extinction) = &self.extinction {
            extinction.check()?;
        }
        let mut deviation = 0.0;
        if let Some(noise) = &self.intensity_noise {
            noise.check()?;
            deviation = noise.deviation_max();
        }
        self.preparation_error.check()?;
        let brightest = source.intensities.iter().copied().fold(0.0, f64::max);
        self.photon_statistics.check(brightest * (1.0 + deviation))
    }
}
