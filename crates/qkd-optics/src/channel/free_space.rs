//! A beam from telescope to telescope.

use crate::Error;
use crate::mathematics::{exp, exp_m1, ln, sin_cos};

/// The optics at both ends and the air between them.
///
/// η = η_geo · η_atm^(1/sin elevation) · η_point · η_rx. The receiver catches
/// η_geo = 1 − e^(−D²/(2w²)) of a Gaussian beam of radius w = θR (1/e² of the intensity, far field)
/// with an aperture of diameter D in its middle. Air of a plane atmosphere is crossed 1/sin(elevation)
/// times as in the zenith, which holds above some 10°. A pointing error, normal on both axes, costs
/// η_point = 1/(1 + 4σ²/θ²) on average, the mean of e^(−2φ²/θ²); it is taken as faster than anything
/// else that changes. (Bonato, Tomaello, Da Deppo, Naletto, Villoresi, New J. Phys. 11, 045017
/// (2009); Bourgoin et al., New J. Phys. 15, 023006 (2013).)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beam {
    /// Half angle θ of the beam where its intensity has fallen to 1/e², µrad.
    pub divergence_urad: f64,
    /// Standard deviation σ of the pointing error per axis, µrad.
    pub pointing_jitter_urad: f64,
    /// Diameter of the receiving telescope, m.
    pub receiver_diameter_m: f64,
    /// Transmittance of the air in the direction of the zenith (η_atm); of the whole path for a
    /// link that is not between ground and space.
    pub zenith_transmittance: f64,
    /// Transmittance of both telescopes' optics (η_rx).
    pub telescope_transmittance: f64,
}

/// Which way the beam goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LineOfSight {
    pub range_km: f64,
    /// Above 0.
    pub sine_of_elevation: f64,
}

impl Beam {
    pub(super) fn check(&self) -> Result<(), Error> {
        for (name, value) in [
            ("divergence_urad", self.divergence_urad),
            ("receiver_diameter_m", self.receiver_diameter_m),
            ("zenith_transmittance", self.zenith_transmittance),
            ("telescope_transmittance", self.telescope_transmittance),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "a number above 0",
                });
            }
        }
        for (name, value) in [
            ("zenith_transmittance", self.zenith_transmittance),
            ("telescope_transmittance", self.telescope_transmittance),
        ] {
            if value > 1.0 {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "at most 1",
                });
            }
        }
        if !(self.pointing_jitter_urad >= 0.0 && self.pointing_jitter_urad.is_finite()) {
            return Err(Error::OutOfRange {
                name: "pointing_jitter_urad",
                value: self.pointing_jitter_urad,
                expected: "zero or more",
            });
        }
        Ok(())
    }

    /// η_geo at a range.
    pub(super) fn geometric(&self, range_km: f64) -> f64 {
        let radius_m = self.divergence_urad * 1e-6 * range_km * 1e3;
        if radius_m == 0.0 {
            return 1.0;
        }
        let ratio = self.receiver_diameter_m / radius_m;
        -exp_m1(-0.5 * ratio * ratio)
    }

    /// The whole η.
    pub(super) fn transmittance(&self, sight: LineOfSight) -> f64 {
        let air = exp(ln(self.zenith_transmittance) / sight.sine_of_elevation);
        let jitter = self.pointing_jitter_urad / self.divergence_urad;
        let pointing = 1.0 / (1.0 + 4.0 * jitter * jitter);
        self.geometric(sight.range_km) * air * pointing * self.telescope_transmittance
    }
}

/// A free-space link between two places that do not move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeSpace {
    /// Distance between the telescopes, km.
    pub range_km: f64,
    /// Elevation of the path, degrees: 90 for a path whose own transmittance is given.
    pub elevation_deg: f64,
    /// The beam.
    pub beam: Beam,
}

impl FreeSpace {
    /// Refuses what no link can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        if !(0.0..=1e6).contains(&self.range_km) {
            return Err(Error::OutOfRange {
                name: "range_km",
                value: self.range_km,
                expected: "0 to 1e6 km",
            });
        }
        check_elevation("elevation_deg", self.elevation_deg)?;
        self.beam.check()
    }

    /// Transmittance of the link.
    pub fn transmittance(&self) -> f64 {
        self.beam.transmittance(LineOfSight {
            range_km: self.range_km,
            sine_of_elevation: sine_of_degrees(self.elevation_deg),
        })
    }
}

/// The air of a plane atmosphere never ends at the horizon.
pub(super) fn check_elevation(name: &'static str, value: f64) -> Result<(), Error> {
    if (5.0..=90.0).contains(&value) {
        return Ok(());
    }
    Err(Error::OutOfRange {
        name,
        value,
        expected: "5 to 90 degrees",
    })
}

pub(super) fn sine_of_degrees(degrees: f64) -> f64 {
    sin_cos(degrees * (std::f64::consts::PI / 180.0)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAM: Beam = Beam {
        divergence_urad: 5.0,
        pointing_jitter_urad: 1.2,
        receiver_diameter_m: 1.0,
        zenith_transmittance: 0.7,
        telescope_transmittance: 0.5,
    };

    #[test]
    fn a_beam_spreads_with_the_square_of_the_distance_once_it_is_wide() {
        // At 0.01 km the beam is 50 µm wide and the telescope takes it all.
        assert_eq!(BEAM.geometric(0.01), 1.0);
        assert_eq!(BEAM.geometric(0.0), 1.0);
        let ratio = BEAM.geometric(2000.0) / BEAM.geometric(4000.0);
        assert!((ratio - 4.0).abs() < 0.02, "{ratio}");
        // w = 6 m at 1200 km: 1 − e^(−1/72).
        let expected = -(-1.0f64 / 72.0).exp_m1();
        assert!((BEAM.geometric(1200.0) / expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn every_factor_of_the_loss_is_there() {
        let up = FreeSpace {
            range_km: 500.0,
            elevation_deg: 90.0,
            beam: BEAM,
        };
        let pointing = 1.0 / (1.0 + 4.0 * 0.24f64.powi(2));
        let expected = BEAM.geometric(500.0) * 0.7 * pointing * 0.5;
        assert!((up.transmittance() / expected - 1.0).abs() < 1e-12);
        // At 30° twice the air is crossed.
        let low = FreeSpace {
            elevation_deg: 30.0,
            ..up
        };
        assert!((low.transmittance() / up.transmittance() - 0.7).abs() < 1e-12);
        assert_eq!(up.check(), Ok(()));
        assert!(
            FreeSpace {
                elevation_deg: 0.0,
                ..up
            }
            .check()
            .is_err()
        );
        let amplifier = Beam {
            telescope_transmittance: 1.1,
            ..BEAM
        };
        assert!(amplifier.check().is_err());
    }
}
