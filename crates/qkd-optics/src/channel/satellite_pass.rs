//! A satellite that rises, culminates and sets.

use super::free_space::{Beam, LineOfSight, check_elevation, sine_of_degrees};
use super::{Channel, Conditions};
use crate::Error;
use crate::mathematics::sin_cos;

/// Mean radius of the Earth, km.
const EARTH_RADIUS_KM: f64 = 6371.0;
/// The Earth's gravity times its mass, km³/s².
const EARTH_GRAVITY_KM3_PER_S2: f64 = 398_600.441_8;

/// One pass of a satellite on a circular orbit over a ground station.
///
/// With ψ the angle at the Earth's centre between station and satellite, cos ψ = cos ψ₀ cos ωt
/// around the culmination, ω = √(GM/r³). The Earth's rotation during the few minutes of a pass is
/// left out (it changes ω by at most 7 %). Slot 0 is the moment in which the satellite rises above
/// `elevation_min_deg`; once it has set, no light arrives any more. Geometry as in Liao et al.,
/// Nature 549, 43 (2017), of which the tests take their figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SatellitePass {
    /// Height of the orbit above the ground, km.
    pub altitude_km: f64,
    /// Elevation at culmination, degrees.
    pub elevation_max_deg: f64,
    /// Elevation at which the link begins and ends, degrees.
    pub elevation_min_deg: f64,
    /// Time for which the transmittance is taken as constant, ms.
    pub step_ms: f64,
    /// The beam from satellite to ground.
    pub beam: Beam,
}

impl SatellitePass {
    /// Refuses what no pass can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        if !(100.0..=50_000.0).contains(&self.altitude_km) {
            return Err(Error::OutOfRange {
                name: "altitude_km",
                value: self.altitude_km,
                expected: "100 to 50000 km",
            });
        }
        check_elevation("elevation_max_deg", self.elevation_max_deg)?;
        check_elevation("elevation_min_deg", self.elevation_min_deg)?;
        if self.elevation_min_deg >= self.elevation_max_deg {
            return Err(Error::OutOfRange {
                name: "elevation_min_deg",
                value: self.elevation_min_deg,
                expected: "below elevation_max_deg",
            });
        }
        if !(0.1..=10_000.0).contains(&self.step_ms) {
            return Err(Error::OutOfRange {
                name: "step_ms",
                value: self.step_ms,
                expected: "0.1 to 10000 ms",
            });
        }
        self.beam.check()
    }

    /// Time from rising to setting, s.
    pub fn duration_s(&self) -> f64 {
        let edge = self.cosine_at_elevation(self.elevation_min_deg);
        let culmination = self.cosine_at_elevation(self.elevation_max_deg);
        let target = edge / culmination;
        // The cosine falls from 1 to below any elevation's within a quarter turn.
        let (mut below, mut above) = (0.0, std::f64::consts::FRAC_PI_2);
        for _ in 0..60 {
            let middle = 0.5 * (below + above);
            if sin_cos(middle).1 > target {
                below = middle;
            } else {
                above = middle;
            }
        }
        2.0 * below / self.angular_velocity()
    }

    /// Distance of the satellite, km, at a time from culmination, s.
    pub fn range_km(&self, seconds_from_culmination: f64) -> f64 {
        self.sight(seconds_from_culmination).range_km
    }

    /// Transmittance at a time from culmination, s.
    pub fn transmittance(&self, seconds_from_culmination: f64) -> f64 {
        self.beam
            .transmittance(self.sight(seconds_from_culmination))
    }

    /// Transmittance at culmination: the best moment.
    pub fn best_transmittance(&self) -> f64 {
        self.transmittance(0.0)
    }

    /// Mean transmittance from rising to setting.
    pub fn mean_transmittance(&self) -> f64 {
        let half = 0.5 * self.duration_s();
        let steps = 1000;
        let at = |step: i32| self.transmittance(half * (f64::from(step) + 0.5) / f64::from(steps));
        (0..steps).map(at).sum::<f64>() / f64::from(steps)
    }

    /// The pass at a clock of `clock_hz`.
    pub(super) fn pass(&self, clock_hz: f64) -> Pass {
        Pass {
            pass: *self,
            duration_s: self.duration_s(),
            step_slots: ((self.step_ms * 1e-3 * clock_hz) as u64).max(1),
            clock_hz,
        }
    }

    fn orbit_radius_km(&self) -> f64 {
        EARTH_RADIUS_KM + self.altitude_km
    }

    /// ω, rad/s.
    fn angular_velocity(&self) -> f64 {
        let r = self.orbit_radius_km();
        (EARTH_GRAVITY_KM3_PER_S2 / (r * r * r)).sqrt()
    }

    /// cos ψ of the satellite at an elevation.
    fn cosine_at_elevation(&self, elevation_deg: f64) -> f64 {
        let (r, sine) = (self.orbit_radius_km(), sine_of_degrees(elevation_deg));
        let up = EARTH_RADIUS_KM * sine;
        let range = (up * up + r * r - EARTH_RADIUS_KM * EARTH_RADIUS_KM).sqrt() - up;
        (EARTH_RADIUS_KM + range * sine) / r
    }

    fn sight(&self, seconds_from_culmination: f64) -> LineOfSight {
        let r = self.orbit_radius_km();
        let culmination = self.cosine_at_elevation(self.elevation_max_deg);
        let (_, turned) = sin_cos(self.angular_velocity() * seconds_from_culmination);
        let cosine = culmination * turned;
        let square = EARTH_RADIUS_KM * EARTH_RADIUS_KM + r * r - 2.0 * EARTH_RADIUS_KM * r * cosine;
        let range_km = square.sqrt();
        LineOfSight {
            range_km,
            sine_of_elevation: (r * cosine - EARTH_RADIUS_KM) / range_km,
        }
    }
}

/// One pass on the clock's slots.
pub(super) struct Pass {
    pass: SatellitePass,
    duration_s: f64,
    step_slots: u64,
    clock_hz: f64,
}

impl Channel for Pass {
    fn conditions(&mut self, slot: u64) -> (Conditions, u64) {
        let step = slot / self.step_slots;
        // The middle of the step stands for all of it.
        let seconds = (step as f64 + 0.5) * self.step_slots as f64 / self.clock_hz;
        let has_set = Conditions {
            transmittance: 0.0,
            ..Conditions::STILL
        };
        if seconds >= self.duration_s {
            return (has_set, u64::MAX);
        }
        let now = self.pass.transmittance(seconds - 0.5 * self.duration_s);
        let conditions = Conditions {
            transmittance: (now / self.pass.best_transmittance()).min(1.0),
            ..Conditions::STILL
        };
        (conditions, (step + 1).saturating_mul(self.step_slots))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Micius: 500 km high, 10 µrad full angle, 1.2 µrad pointing, 1 m telescope.
    fn micius() -> SatellitePass {
        SatellitePass {
            altitude_km: 500.0,
            elevation_max_deg: 49.0,
            elevation_min_deg: 20.0,
            step_ms: 10.0,
            beam: Beam {
                divergence_urad: 5.0,
                pointing_jitter_urad: 1.2,
                receiver_diameter_m: 1.0,
                zenith_transmittance: 0.7,
                telescope_transmittance: 1.0,
            },
        }
    }

    fn decibel(transmittance: f64) -> f64 {
        -10.0 * transmittance.log10()
    }

    /// The paper's pass: from 1200 km over 645 km to 1200 km in 273 s, and 22 dB of diffraction at
    /// 1200 km (18.6 dB for a perfect Gaussian beam of that angle).
    #[test]
    fn a_pass_of_micius_has_the_published_ranges_duration_and_loss() {
        let pass = micius();
        let half = 0.5 * pass.duration_s();
        assert!(
            (pass.range_km(0.0) - 645.0).abs() < 10.0,
            "{}",
            pass.range_km(0.0)
        );
        assert!(
            (pass.range_km(half) - 1193.0).abs() < 10.0,
            "{}",
            pass.range_km(half)
        );
        assert!(
            (pass.duration_s() / 273.0 - 1.0).abs() < 0.07,
            "{}",
            pass.duration_s()
        );
        let diffraction = decibel(pass.beam.geometric(1200.0));
        assert!((18.0..22.0).contains(&diffraction), "{diffraction} dB");
        // Sifted key fell from 12 to 1 kbit/s between the two: 10.8 dB, air and Gaussian beam alone
        // are about 7.
        let fall = decibel(pass.transmittance(half)) - decibel(pass.best_transmittance());
        assert!((6.0..9.0).contains(&fall), "{fall} dB");
    }

    #[test]
    fn a_pass_is_symmetric_about_its_culmination_and_best_there() {
        let pass = SatellitePass {
            elevation_max_deg: 90.0,
            elevation_min_deg: 10.0,
            ..micius()
        };
        // Overhead the range is the altitude, and at 10° it is 1694.6 km.
        assert!((pass.range_km(0.0) - 500.0).abs() < 1e-6);
        let half = 0.5 * pass.duration_s();
        assert!(
            (pass.range_km(half) - 1_694.6).abs() < 1.0,
            "{}",
            pass.range_km(half)
        );
        let mut before = pass.best_transmittance();
        for second in 1..half as i32 {
            let after = pass.transmittance(second.into());
            assert_eq!(after, pass.transmittance((-second).into()));
            assert!(after < before);
            before = after;
        }
        let mean = pass.mean_transmittance();
        assert!(mean < pass.best_transmittance() && mean > pass.transmittance(half));
    }

    #[test]
    fn conditions_follow_the_pass_in_steps_and_end_in_darkness() {
        let pass = micius();
        let clock_hz = 1e8;
        let mut channel = pass.pass(clock_hz);
        let (mut slot, mut sum, mut steps, mut best) = (0, 0.0, 0u32, 0.0f64);
        loop {
            let (conditions, next) = channel.conditions(slot);
            if next == u64::MAX {
                assert_eq!(conditions.transmittance, 0.0);
                break;
            }
            assert_eq!(next - slot, 1_000_000);
            assert_eq!(conditions.check(), Ok(()));
            sum += conditions.transmittance;
            best = best.max(conditions.transmittance);
            steps += 1;
            slot = next;
        }
        assert!((slot as f64 / clock_hz - pass.duration_s()).abs() < 0.011);
        assert!(best > 0.999_999);
        let mean = sum / f64::from(steps) * pass.best_transmittance();
        assert!(
            (mean / pass.mean_transmittance() - 1.0).abs() < 1e-4,
            "{mean}"
        );
    }
}
