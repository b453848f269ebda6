//! Alice's laboratory as somebody meets it who shines light into it.
//!
//! A key-length theorem assumes that nothing comes out of it but the pulses, and that nobody changes
//! these from outside. What stands in the doorway decides how true that is: isolators and filters,
//! which are made for the wavelength of the signal and may let others pass; a watchdog, which sees what
//! its diode sees; a monitor of the outgoing light.

use crate::{Alarm, Error, Monitor, Source, transmittance};

/// Longest wavelength, nm, that an isolator of the signal's band is an isolator for and that InGaAs
/// diodes see. Light at 1924 nm passes both (Sajeed et al., Sci. Rep. 7, 8403 (2017)).
pub const SIGNAL_BAND_MAX_NM: f64 = 1700.0;

/// Brightest light that goes into a door, photons per slot: watts.
pub const INWARD_PHOTONS_MAX: f64 = 1e12;

/// Longest wavelength that a fibre brings, nm.
const WAVELENGTH_MAX_NM: f64 = 10_000.0;

/// What stands between the fibre and Alice's modulator and laser. The default lets nobody look in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlicesDoor {
    /// How pulses come to be.
    pub layout: Layout,
    /// Loss of light on its way in, to the modulator and out again, what reflects it included.
    pub isolation: Isolation,
    /// Loss of light on its way to the laser.
    pub laser_isolation: Isolation,
    /// By how much a photon per slot that reaches the laser raises the intensities, as a share of them
    /// (Huang et al., Phys. Rev. Applied 12, 064043 (2019)).
    pub seeding_per_photon: f64,
    /// A diode that looks at what comes in.
    pub watchdog: Option<Watchdog>,
    /// A diode that looks at what goes out.
    pub output_monitor: Option<OutputMonitor>,
}

/// Where the pulses that Alice modulates are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// By a laser of her own.
    #[default]
    OneWay,
    /// By Bob's laser: bright pulses come in, are modulated and go back ("plug and play"). When they
    /// come is Eve's choice.
    TwoWay,
}

/// Loss, in dB, that light meets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Isolation {
    /// Around the wavelength of the signal.
    pub signal_band_db: f64,
    /// Beyond [`SIGNAL_BAND_MAX_NM`].
    pub long_wave_db: f64,
}

/// Light that somebody shines into Alice's laboratory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InwardLight {
    /// Its wavelength, nm.
    pub wavelength_nm: f64,
    /// Its photons per slot at the door.
    pub photons: f64,
}

/// A watchdog: it sounds when the light that comes in reaches a level, if its diode sees it at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watchdog {
    /// Photons per slot from which it sounds.
    pub alarm_photons: f64,
    /// Longest wavelength that it sees, nm.
    pub wavelength_max_nm: f64,
}

/// A monitor of the mean intensity that leaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputMonitor {
    /// Share by which the intensity may be off before it sounds.
    pub tolerance: f64,
}

impl Isolation {
    /// As much loss for all light.
    pub fn everywhere(loss_db: f64) -> Self {
        Self {
            signal_band_db: loss_db,
            long_wave_db: loss_db,
        }
    }

    fn transmittance(&self, wavelength_nm: f64) -> f64 {
        transmittance(if wavelength_nm <= SIGNAL_BAND_MAX_NM {
            self.signal_band_db
        } else {
            self.long_wave_db
        })
    }

    fn check(&self) -> Result<(), Error> {
        for (name, value) in [
            ("signal_band_db", self.signal_band_db),
            ("long_wave_db", self.long_wave_db),
        ] {
            check_positive(name, value, "a loss of 0 dB or more")?;
        }
        Ok(())
    }
}

impl Default for AlicesDoor {
    fn default() -> Self {
        Self {
            layout: Layout::OneWay,
            isolation: Isolation::everywhere(f64::INFINITY),
            laser_isolation: Isolation::everywhere(f64::INFINITY),
            seeding_per_photon: 0.0,
            watchdog: None,
            output_monitor: None,
        }
    }
}

impl AlicesDoor {
    /// Refuses what no laboratory has.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        self.isolation.check()?;
        self.laser_isolation.check()?;
        let expected = "0 or more";
        check_positive("seeding_per_photon", self.seeding_per_photon, expected)?;
        if let Some(watchdog) = &self.watchdog {
            check_positive("alarm_photons", watchdog.alarm_photons, expected)?;
            check_positive("wavelength_max_nm", watchdog.wavelength_max_nm, expected)?;
        }
        if let Some(monitor) = &self.output_monitor {
            check_positive("tolerance", monitor.tolerance, expected)?;
        }
        Ok(())
    }

    /// Mean photon number per slot, μ_out, that comes back from the modulator and carries what Alice
    /// chose.
    pub fn returned_photons(&self, light: &InwardLight) -> f64 {
        light.photons * self.isolation.transmittance(light.wavelength_nm)
    }

    /// The most that comes back, photons per slot, of light that nobody notices: just below the level of
    /// the watchdog where that sees all of a band, else as bright as light gets.
    pub fn unseen_returned_photons(&self) -> f64 {
        let unseen = |wavelength_max_nm: f64, loss_db: f64| {
            let sees = |watchdog: &&Watchdog| watchdog.wavelength_max_nm >= wavelength_max_nm;
            let photons = match self.watchdog.as_ref().filter(sees) {
                Some(watchdog) => watchdog.alarm_photons.min(INWARD_PHOTONS_MAX),
                None => INWARD_PHOTONS_MAX,
            };
            photons * transmittance(loss_db)
        };
        let band = unseen(SIGNAL_BAND_MAX_NM, self.isolation.signal_band_db);
        band.max(unseen(WAVELENGTH_MAX_NM, self.isolation.long_wave_db))
    }

    /// By what the intensities of all pulses are multiplied, as far as the laser gets so bright
    /// ([`Source::brightened`]).
    pub fn brightening(&self, light: &InwardLight) -> f64 {
        let at_laser = light.photons * self.laser_isolation.transmittance(light.wavelength_nm);
        1.0 + self.seeding_per_photon * at_laser
    }

    /// Whether any light makes them brighter.
    pub fn brightens(&self) -> bool {
        let seen = [
            self.laser_isolation.signal_band_db,
            self.laser_isolation.long_wave_db,
        ];
        self.seeding_per_photon > 0.0 && seen.into_iter().any(f64::is_finite)
    }

    /// What Alice's diodes say of it, where her source is set to this.
    pub fn alarms(&self, light: &InwardLight, source: &Source) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        if let Some(watchdog) = &self.watchdog
            && light.wavelength_nm <= watchdog.wavelength_max_nm
            && light.photons >= watchdog.alarm_photons
        {
            alarms.push(Alarm {
                monitor: Monitor::BackwardLight,
                observed: light.photons,
                expected: 0.0,
                limit: watchdog.alarm_photons,
            });
        }
        if let Some(monitor) = &self.output_monitor {
            let expected = source.mean_intensity();
            let leaves = source.brightened(self.brightening(light));
            let (observed, limit) = (
                leaves.mean_intensity(),
                (1.0 + monitor.tolerance) * expected,
            );
            if observed > limit {
                alarms.push(Alarm {
                    monitor: Monitor::OutputPower,
                    observed,
                    expected,
                    limit,
                });
            }
        }
        alarms
    }
}

impl InwardLight {
    /// Refuses light that cannot be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        if !(100.0..=WAVELENGTH_MAX_NM).contains(&self.wavelength_nm) {
            return Err(Error::OutOfRange {
                name: "wavelength_nm",
                value: self.wavelength_nm,
                expected: "100 to 10000 nm",
            });
        }
        if !(0.0..=INWARD_PHOTONS_MAX).contains(&self.photons) {
            return Err(Error::OutOfRange {
                name: "photons",
                value: self.photons,
                expected: "0 to 1e12 photons per slot",
            });
        }
        Ok(())
    }
}

fn check_positive(name: &'static str, value: f64, expected: &'static str) -> Result<(), Error> {
    if value >= 0.0 {
        return Ok(());
    }
    Err(Error::OutOfRange {
        name,
        value,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pulses of half a photon.
    fn source() -> Source {
        Source {
            clock_hz: 1e9,
            intensities: vec![0.5],
            intensity_probabilities: vec![1.0],
            key_basis_probability: 0.5,
            effects: Default::default(),
        }
    }

    fn door() -> AlicesDoor {
        AlicesDoor {
            isolation: Isolation {
                signal_band_db: 160.0,
                long_wave_db: 80.0,
            },
            laser_isolation: Isolation::everywhere(60.0),
            seeding_per_photon: 1.0,
            watchdog: Some(Watchdog {
                alarm_photons: 1e3,
                wavelength_max_nm: SIGNAL_BAND_MAX_NM,
            }),
            output_monitor: Some(OutputMonitor { tolerance: 0.05 }),
            ..AlicesDoor::default()
        }
    }

    #[test]
    fn light_beyond_the_signals_band_passes_the_isolator_and_the_watchdog() {
        let telecom = InwardLight {
            wavelength_nm: 1536.0,
            photons: 1e4,
        };
        let long = InwardLight {
            wavelength_nm: 1924.0,
            ..telecom
        };
        assert!((door().returned_photons(&telecom) / 1e-12 - 1.0).abs() < 1e-9);
        assert!((door().returned_photons(&long) / 1e-4 - 1.0).abs() < 1e-9);
        let alarms = door().alarms(&telecom, &source());
        assert_eq!(alarms.len(), 1);
        assert_eq!(alarms[0].monitor, Monitor::BackwardLight);
        assert!(door().alarms(&long, &source()).is_empty());
        let mut filtered = door();
        filtered.isolation.long_wave_db = 160.0;
        assert!(filtered.returned_photons(&long) < 1e-11);
    }

    #[test]
    fn light_that_reaches_the_laser_makes_it_brighter_and_the_output_monitor_sees_that() {
        let light = InwardLight {
            wavelength_nm: 1550.0,
            photons: 1e6,
        };
        assert!((door().brightening(&light) - 2.0).abs() < 1e-9);
        let alarms = door().alarms(&light, &source());
        let monitors: Vec<_> = alarms.iter().map(|alarm| alarm.monitor).collect();
        assert_eq!(monitors, [Monitor::BackwardLight, Monitor::OutputPower]);
        assert!((alarms[1].observed - 1.0).abs() < 1e-9 && alarms[1].expected == 0.5);
        // A laser saturates, and no diode behind it sees more than it gives.
        let blinding = InwardLight {
            photons: INWARD_PHOTONS_MAX,
            ..light
        };
        assert_eq!(door().alarms(&blinding, &source())[1].observed, 16.0);
        assert_eq!(AlicesDoor::default().brightening(&light), 1.0);
        assert_eq!(AlicesDoor::default().returned_photons(&light), 0.0);
    }

    #[test]
    fn what_comes_back_unseen_is_bounded_by_the_watchdog_where_it_sees_and_by_the_filter_where_not()
    {
        // 1e3 photons at 160 dB would be 1e-13; nobody sees 1e12 of long waves, at 80 dB.
        assert!((door().unseen_returned_photons() / 1e4 - 1.0).abs() < 1e-9);
        let mut filtered = door();
        filtered.isolation.long_wave_db = 260.0;
        assert!((filtered.unseen_returned_photons() / 1e-13 - 1.0).abs() < 1e-9);
        filtered.watchdog = None;
        assert!((filtered.unseen_returned_photons() / 1e-4 - 1.0).abs() < 1e-9);
        assert_eq!(AlicesDoor::default().unseen_returned_photons(), 0.0);
    }

    #[test]
    fn impossible_doors_and_light_are_refused() {
        assert_eq!(door().check(), Ok(()));
        assert_eq!(AlicesDoor::default().check(), Ok(()));
        let mut spoilt = [door(); 3];
        spoilt[0].isolation.long_wave_db = -1.0;
        spoilt[1].seeding_per_photon = f64::NAN;
        spoilt[2].output_monitor = Some(OutputMonitor { tolerance: -0.1 });
        assert!(spoilt.iter().all(|spoilt| spoilt.check().is_err()));
        let dark = InwardLight {
            wavelength_nm: 1550.0,
            photons: -1.0,
        };
        assert!(dark.check().is_err());
    }
}
