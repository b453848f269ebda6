//! Background light: photons at Bob's entrance that Alice never sent.

use super::conditions::BACKGROUND_PHOTONS_MAX;
use super::transmittance;
use crate::Error;
use crate::mathematics::exp_m1;

/// Planck's constant times the speed of light, J·m.
const PLANCK_TIMES_LIGHT_SPEED: f64 = 6.626_070_15e-34 * 299_792_458.0;

/// Where unpolarised background photons come from; they add up. The default is a dark fibre.
///
/// The photons are counted at the receiver's entrance, within its filter and its gate: the
/// receiver's own loss and efficiency act on them afterwards, and half of them reach each detector.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Background {
    /// Whatever was measured as such: mean photons per slot.
    pub photons_per_slot: f64,
    /// Sunlit (or moonlit) sky behind the transmitter of a free-space link.
    pub daylight: Option<Daylight>,
    /// Classical channels in the same fibre.
    pub shared_fibre: Option<SharedFibre>,
}

impl Background {
    /// Refuses what no background can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        at_least_zero("photons_per_slot", self.photons_per_slot)?;
        if let Some(daylight) = &self.daylight {
            daylight.check()?;
        }
        if let Some(shared) = &self.shared_fibre {
            shared.check()?;
        }
        // The last of what adds up is to blame for the sum.
        let name = match (&self.daylight, &self.shared_fibre) {
            (_, Some(shared)) if shared.co_propagating_dbm.is_some() => "co_propagating_dbm",
            (_, Some(_)) => "counter_propagating_dbm",
            (Some(_), None) => "radiance_w_per_m2_sr_nm",
            (None, None) => "photons_per_slot",
        };
        let photons = self.photons();
        if !(0.0..=BACKGROUND_PHOTONS_MAX).contains(&photons) {
            return Err(Error::OutOfRange {
                name,
                value: photons,
                expected: "a background of at most 100 photons per slot, all of it together",
            });
        }
        Ok(())
    }

    /// Mean background photons per slot at the receiver's entrance.
    pub fn photons(&self) -> f64 {
        let daylight = self.daylight.map_or(0.0, |daylight| daylight.photons());
        let shared = self.shared_fibre.map_or(0.0, |shared| shared.photons());
        self.photons_per_slot + daylight + shared
    }
}

/// What the receiver's filter and gate let in of background light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Wavelength of the quantum channel, nm.
    pub wavelength_nm: f64,
    /// Bandwidth of the filter in front of the detectors, nm.
    pub filter_bandwidth_nm: f64,
    /// Time per slot in which the detectors are open, ps.
    pub gate_time_ps: f64,
}

impl Window {
    fn check(&self) -> Result<(), Error> {
        if !(100.0..=10_000.0).contains(&self.wavelength_nm) {
            return Err(Error::OutOfRange {
                name: "wavelength_nm",
                value: self.wavelength_nm,
                expected: "100 to 10000 nm",
            });
        }
        for (name, value) in [
            ("filter_bandwidth_nm", self.filter_bandwidth_nm),
            ("gate_time_ps", self.gate_time_ps),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "above 0: no light at all comes through nothing",
                });
            }
        }
        Ok(())
    }

    /// Photons per slot of a power, W per nm of bandwidth.
    fn photons(&self, watts_per_nm: f64) -> f64 {
        let energy_joule = PLANCK_TIMES_LIGHT_SPEED / (self.wavelength_nm * 1e-9);
        watts_per_nm * self.filter_bandwidth_nm * self.gate_time_ps * 1e-12 / energy_joule
    }
}

/// Sky light that a telescope collects: power = radiance · solid angle · aperture · bandwidth
/// (Miao, Han, Gong, Zhang, Diao, Guo, New J. Phys. 7, 215 (2005)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Daylight {
    /// Brightness of the sky, W per m² of aperture, sr and nm: of the order of 0.01 to 0.1 by day
    /// and of 1e-6 under a full moon, so that only a measurement at the place will do.
    pub radiance_w_per_m2_sr_nm: f64,
    /// Full angle of the field of view, µrad.
    pub field_of_view_urad: f64,
    /// Diameter of the telescope, m.
    pub receiver_diameter_m: f64,
    /// Filter and gate.
    pub window: Window,
}

impl Daylight {
    fn check(&self) -> Result<(), Error> {
        at_least_zero("radiance_w_per_m2_sr_nm", self.radiance_w_per_m2_sr_nm)?;
        at_least_zero("field_of_view_urad", self.field_of_view_urad)?;
        at_least_zero("receiver_diameter_m", self.receiver_diameter_m)?;
        self.window.check()
    }

    fn photons(&self) -> f64 {
        let quarter_pi = std::f64::consts::FRAC_PI_4;
        let angle_rad = self.field_of_view_urad * 1e-6;
        let solid_angle_sr = quarter_pi * angle_rad * angle_rad;
        let aperture_m2 = quarter_pi * self.receiver_diameter_m * self.receiver_diameter_m;
        let watts_per_nm = self.radiance_w_per_m2_sr_nm * solid_angle_sr * aperture_m2;
        self.window.photons(watts_per_nm)
    }
}

/// Spontaneous Raman scattering of classical channels in the same fibre: every piece of glass
/// scatters a share ρ of the power in it, per km and per nm, into the quantum channel (Eraerds,
/// Walenta, Legré, Gisin, Zbinden, New J. Phys. 12, 063027 (2010)). With the same
/// attenuation α for both wavelengths and P the launch power:
/// along with the photons, P e^(−αL) L ρ Δλ; against them, P ρ Δλ (1 − e^(−2αL))/(2α).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedFibre {
    /// Power launched at Alice's end, all classical channels together, dBm; none when absent.
    pub co_propagating_dbm: Option<f64>,
    /// Power launched at Bob's end, dBm; none when absent.
    pub counter_propagating_dbm: Option<f64>,
    /// Raman coefficient ρ per km and nm: of the order of 2e-9 between channels of the C band.
    pub raman_per_km_nm: f64,
    /// The fibre that is shared.
    pub fibre: SharedLength,
    /// Filter and gate.
    pub window: Window,
}

/// The length of fibre that light is scattered in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedLength {
    /// Length, km.
    pub distance_km: f64,
    /// Attenuation, dB per km.
    pub attenuation_db_per_km: f64,
}

impl SharedFibre {
    fn check(&self) -> Result<(), Error> {
        for (name, power) in [
            ("co_propagating_dbm", self.co_propagating_dbm),
            ("counter_propagating_dbm", self.counter_propagating_dbm),
        ] {
            // 30 dBm are a watt, at which glass does worse than scatter.
            let value = power.unwrap_or(0.0);
            if !(-100.0..=30.0).contains(&value) {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "-100 to 30 dBm",
                });
            }
        }
        if self.co_propagating_dbm.is_none() && self.counter_propagating_dbm.is_none() {
            return Err(Error::OutOfRange {
                name: "co_propagating_dbm",
                value: f64::NEG_INFINITY,
                expected: "a power launched at this end or at the other (counter_propagating_dbm)",
            });
        }
        at_least_zero("raman_per_km_nm", self.raman_per_km_nm)?;
        at_least_zero("distance_km", self.fibre.distance_km)?;
        at_least_zero("attenuation_db_per_km", self.fibre.attenuation_db_per_km)?;
        self.window.check()
    }

    fn photons(&self) -> f64 {
        let length_km = self.fibre.distance_km;
        let loss_db = length_km * self.fibre.attenuation_db_per_km;
        // Twice the attenuation in nepers; (1 − e^(−x))/x is 1 without any.
        let twice = loss_db * (std::f64::consts::LN_10 / 5.0);
        let effective_km = if twice > 0.0 {
            length_km * -exp_m1(-twice) / twice
        } else {
            length_km
        };
        let watts = |dbm: f64| 1e-3 * transmittance(-dbm);
        let along = self.co_propagating_dbm.map_or(0.0, watts) * transmittance(loss_db) * length_km;
        let against = self.counter_propagating_dbm.map_or(0.0, watts) * effective_km;
        self.window
            .photons(self.raman_per_km_nm * (along + against))
    }
}

fn at_least_zero(name: &'static str, value: f64) -> Result<(), Error> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::OutOfRange {
        name,
        value,
        expected: "zero or more",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window {
        wavelength_nm: 1550.0,
        filter_bandwidth_nm: 0.2,
        gate_time_ps: 500.0,
    };

    fn shared(distance_km: f64) -> SharedFibre {
        SharedFibre {
            co_propagating_dbm: None,
            counter_propagating_dbm: None,
            raman_per_km_nm: 2e-9,
            fibre: SharedLength {
                distance_km,
                attenuation_db_per_km: 0.2,
            },
            window: WINDOW,
        }
    }

    /// Light that runs along is strongest after 1/α = 21.7 km and dies with the signal; light that
    /// runs against the photons grows to an asymptote of half that length.
    #[test]
    fn raman_light_along_has_a_maximum_and_raman_light_against_saturates() {
        let along = |km| {
            let fibre = SharedFibre {
                co_propagating_dbm: Some(0.0),
                ..shared(km)
            };
            fibre.photons()
        };
        let against = |km| {
            let fibre = SharedFibre {
                counter_propagating_dbm: Some(0.0),
                ..shared(km)
            };
            fibre.photons()
        };
        let peak_km = 10.0 / (0.2 * std::f64::consts::LN_10);
        assert!(along(peak_km) > along(peak_km - 1.0) && along(peak_km) > along(peak_km + 1.0));
        assert!(against(300.0) > against(25.0));
        let asymptote_km = peak_km / 2.0;
        // 1 mW over 10.86 km: 1e-3 · 2e-9 · 10.86 · 0.2 nm · 0.5 ns / 1.2816e-19 J = 0.01695.
        let expected = 1e-3 * 2e-9 * asymptote_km * 0.2 * 5e-10 / 1.281_58e-19;
        assert!((against(1000.0) / expected - 1.0).abs() < 1e-4);
        // Short fibre: both scatter the same.
        assert!((along(1e-3) / against(1e-3) - 1.0).abs() < 1e-3);
        assert_eq!(along(0.0), 0.0);
    }

    #[test]
    fn ten_decibel_more_launch_power_scatter_ten_times_the_photons() {
        let at = |dbm| {
            let fibre = SharedFibre {
                co_propagating_dbm: Some(dbm),
                ..shared(50.0)
            };
            fibre.photons()
        };
        assert!((at(0.0) / at(-10.0) - 10.0).abs() < 1e-12);
    }

    /// A field of view of 100 µrad on a 1 m telescope at 850 nm under a full moon.
    #[test]
    fn sky_light_is_radiance_times_solid_angle_aperture_bandwidth_and_gate() {
        let moon = Daylight {
            radiance_w_per_m2_sr_nm: 1.5e-6,
            field_of_view_urad: 100.0,
            receiver_diameter_m: 1.0,
            window: Window {
                wavelength_nm: 850.0,
                filter_bandwidth_nm: 1.0,
                gate_time_ps: 1000.0,
            },
        };
        // 1.5e-6 · 7.854e-9 sr · 0.7854 m² · 1 nm · 1 ns / 2.337e-19 J.
        assert!(
            (moon.photons() / 3.959_3e-5 - 1.0).abs() < 1e-4,
            "{}",
            moon.photons()
        );
        let dark = Background::default();
        assert_eq!((dark.photons(), dark.check()), (0.0, Ok(())));
        let both = Background {
            photons_per_slot: 1e-6,
            daylight: Some(moon),
            shared_fibre: None,
        };
        assert_eq!(both.check(), Ok(()));
        assert!((both.photons() - moon.photons() - 1e-6).abs() < 1e-18);
    }

    /// A receiver behind conditions that cannot be sees nothing at all: no error for such a link.
    #[test]
    fn backgrounds_that_conditions_refuse_or_that_say_nothing_are_refused() {
        let name = |background: Background| match background.check() {
            Err(Error::OutOfRange { name, .. }) => name,
            _ => "",
        };
        let plain = |photons_per_slot| Background {
            photons_per_slot,
            ..Background::default()
        };
        assert_eq!(name(plain(100.0)), "");
        assert_eq!(name(plain(101.0)), "photons_per_slot");
        assert_eq!(name(plain(f64::NAN)), "photons_per_slot");
        let beside = |shared_fibre| Background {
            shared_fibre: Some(shared_fibre),
            ..plain(90.0)
        };
        let bright = SharedFibre {
            co_propagating_dbm: Some(30.0),
            raman_per_km_nm: 1.0,
            ..shared(50.0)
        };
        assert_eq!(name(beside(shared(50.0))), "co_propagating_dbm");
        assert_eq!(name(beside(bright)), "co_propagating_dbm");
        let filterless = SharedFibre {
            co_propagating_dbm: Some(0.0),
            window: Window {
                filter_bandwidth_nm: 0.0,
                ..WINDOW
            },
            ..shared(50.0)
        };
        assert_eq!(name(beside(filterless)), "filter_bandwidth_nm");
    }
}
