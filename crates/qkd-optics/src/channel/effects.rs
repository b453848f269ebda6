//! Everything a channel does beside its fixed loss, at once.

use qkd_bits::PhysicsRng;

use super::{
    Background, Channel, Conditions, FreeSpace, PolarisationDrift, SatellitePass, Turbulence,
};
use crate::Error;
use crate::mathematics::exp_m1;

/// The effects of a channel; none by default.
///
/// Loss that changes is split in two: Alice's segment carries that of the best moment
/// ([`segment_transmittance`](Self::segment_transmittance)), so that her light is as sparse as it
/// can be, and the conditions at Bob's entrance carry the rest. Thinning twice is thinning once by
/// the product, so the split changes nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChannelEffects {
    /// Background light; a dark channel when absent.
    pub background: Option<Background>,
    /// Drifting polarisation.
    pub polarisation_drift: Option<PolarisationDrift>,
    /// A fixed path between telescopes.
    pub free_space: Option<FreeSpace>,
    /// A satellite's pass instead of a fixed path.
    pub satellite_pass: Option<SatellitePass>,
    /// Turbulent air on either.
    pub turbulence: Option<Turbulence>,
}

impl ChannelEffects {
    /// Refuses effects that no channel can have, or not together.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        if let Some(background) = &self.background {
            background.check()?;
        }
        if let Some(drift) = &self.polarisation_drift {
            drift.check()?;
        }
        if let Some(path) = &self.free_space {
            path.check()?;
        }
        if let Some(pass) = &self.satellite_pass {
            pass.check()?;
        }
        if let Some(turbulence) = &self.turbulence {
            turbulence.check()?;
        }
        if self.free_space.is_some() && self.satellite_pass.is_some() {
            return Err(Error::OutOfRange {
                name: "number of free-space paths",
                value: 2.0,
                expected: "a fixed path or a satellite's pass",
            });
        }
        let best = self.best_transmittance();
        if best > 1.0 {
            return Err(Error::OutOfRange {
                name: "transmittance of the best moment",
                value: best,
                expected: "at most 1: turbulence needs a path that loses light",
            });
        }
        Ok(())
    }

    /// Transmittance that Alice's segment carries, for a channel with a fibre of
    /// `fibre_transmittance` in it: that of the best moment.
    pub fn segment_transmittance(&self, fibre_transmittance: f64) -> f64 {
        fibre_transmittance * self.best_transmittance()
    }

    /// Transmittance on average over time, what a link is planned with. A link on which it changes
    /// gives more at some times and less at others.
    pub fn mean_transmittance(&self, fibre_transmittance: f64) -> f64 {
        let path = self.free_space.map_or(1.0, |path| path.transmittance());
        let pass = self
            .satellite_pass
            .map_or(1.0, |pass| pass.mean_transmittance());
        // Turbulence has mean 1.
        fibre_transmittance * path * pass
    }

    /// Mean error rate that rotations add in either basis, before any other error.
    pub fn rotation_error(&self) -> f64 {
        self.polarisation_drift
            .map_or(0.0, |drift| drift.mean_error())
    }

    /// Mean background photons per slot at Bob's entrance.
    pub fn background_photons(&self) -> f64 {
        self.background
            .map_or(0.0, |background| background.photons())
    }

    /// Probability per slot that background light makes one of two detectors click, when a photon at
    /// the entrance reaches and fires them with probability `survival`: 1 − e^(−survival·N/2), half
    /// of the light for each. To a protocol these are dark counts.
    pub fn background_click_probability(&self, survival: f64) -> f64 {
        -exp_m1(-0.5 * survival * self.background_photons())
    }

    /// The channel at Bob's entrance, at a clock of `clock_hz`; nothing when nothing happens there.
    /// `physics` picks the realisation of what is random.
    pub fn channel(
        &self,
        clock_hz: f64,
        mut physics: PhysicsRng,
    ) -> Option<Box<dyn Channel + Send>> {
        let mut parts: Vec<Box<dyn Channel + Send>> = Vec::new();
        // One seed each, whether used or not: an effect more leaves the others as they were.
        let (for_drift, for_fading) = (physics.next_u64(), physics.next_u64());
        let background_photons = self.background_photons();
        if background_photons > 0.0 {
            parts.push(Box::new(Conditions {
                background_photons,
                ..Conditions::STILL
            }));
        }
        if let Some(drift) = &self.polarisation_drift {
            parts.push(Box::new(drift.walk(clock_hz, for_drift)));
        }
        if let Some(pass) = &self.satellite_pass {
            parts.push(Box::new(pass.pass(clock_hz)));
        }
        if let Some(turbulence) = &self.turbulence {
            parts.push(Box::new(turbulence.fading(clock_hz, for_fading)));
        }
        if parts.is_empty() {
            return None;
        }
        Some(Box::new(Together(parts)))
    }

    fn best_transmittance(&self) -> f64 {
        let path = self.free_space.map_or(1.0, |path| path.transmittance());
        let pass = self
            .satellite_pass
            .map_or(1.0, |pass| pass.best_transmittance());
        path * pass * self.turbulence.map_or(1.0, |turbulence| turbulence.best())
    }
}

/// Several channels one behind the other.
struct Together(Vec<Box<dyn Channel + Send>>);

impl Channel for Together {
    fn conditions(&mut self, slot: u64) -> (Conditions, u64) {
        let mut all = (Conditions::STILL, u64::MAX);
        for part in &mut self.0 {
            let (conditions, next) = part.conditions(slot);
            all = (all.0.and(conditions), all.1.min(next));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Beam;

    fn path(range_km: f64) -> FreeSpace {
        FreeSpace {
            range_km,
            elevation_deg: 90.0,
            beam: Beam {
                divergence_urad: 20.0,
                pointing_jitter_urad: 5.0,
                receiver_diameter_m: 0.4,
                zenith_transmittance: 0.6,
                telescope_transmittance: 0.5,
            },
        }
    }

    #[test]
    fn a_channel_without_effects_does_not_exist() {
        let none = ChannelEffects::default();
        assert_eq!(none.check(), Ok(()));
        assert!(none.channel(1e9, PhysicsRng::from_seed(1)).is_none());
        assert_eq!(none.segment_transmittance(0.3), 0.3);
        assert_eq!(none.mean_transmittance(0.3), 0.3);
        // A fixed path is loss and nothing else.
        let fixed = ChannelEffects {
            free_space: Some(path(10.0)),
            ..none
        };
        assert!(fixed.channel(1e9, PhysicsRng::from_seed(1)).is_none());
        let loss = path(10.0).transmittance();
        assert_eq!(fixed.segment_transmittance(0.5), 0.5 * loss);
    }

    /// Segment times conditions averages to the mean transmittance, and conditions change where the
    /// first of the effects changes.
    #[test]
    fn effects_combine_and_their_losses_multiply_to_the_mean() {
        let effects = ChannelEffects {
            background: Some(Background {
                photons_per_slot: 1e-6,
                ..Background::default()
            }),
            polarisation_drift: Some(PolarisationDrift {
                drift_rad_per_sqrt_s: 0.1,
                compensation_interval_s: 0.64,
                residual_rad: 0.0,
            }),
            free_space: Some(path(10.0)),
            turbulence: Some(Turbulence {
                scintillation_index: 0.1,
                coherence_time_ms: 4.0,
            }),
            ..ChannelEffects::default()
        };
        assert_eq!(effects.check(), Ok(()));
        let channel = effects.channel(1e6, PhysicsRng::from_seed(3));
        let mut channel = channel.expect("effects");
        let (mut slot, mut sum) = (0, 0.0);
        let end = 40_000_000u64;
        let mut rotations = std::collections::BTreeSet::new();
        while slot < end {
            let (conditions, next) = channel.conditions(slot);
            // Steps of 10 ms and of 4 ms.
            let first = ((slot / 10_000 + 1) * 10_000).min((slot / 4_000 + 1) * 4_000);
            assert_eq!(next, first);
            assert_eq!(conditions.background_photons, 1e-6);
            sum += conditions.transmittance * (next - slot) as f64;
            rotations.insert(conditions.rotation_rad.to_bits());
            slot = next;
        }
        assert!(rotations.len() > 3_900, "{} rotations", rotations.len());
        let mean = sum / end as f64 * effects.segment_transmittance(1.0);
        let ratio = mean / effects.mean_transmittance(1.0);
        assert!((ratio - 1.0).abs() < 0.016, "4.9 sigma are 0.016: {ratio}");
    }

    #[test]
    fn contradictions_are_refused() {
        let bright = ChannelEffects {
            turbulence: Some(Turbulence {
                scintillation_index: 0.1,
                coherence_time_ms: 1.0,
            }),
            ..ChannelEffects::default()
        };
        assert!(bright.check().is_err(), "fading that amplifies");
    }
}
