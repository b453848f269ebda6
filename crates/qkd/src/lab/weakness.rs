//! Hardware that is as weak as an attack needs it, and what keeps Eve out of it again.
//!
//! An attack on what stands in a laboratory does nothing to a sound one. Whoever is to be shown it gets
//! hardware with the one flaw that lets it in, and is told so.

use qkd_node::parameters::LinkParameters;
use qkd_optics::{
    AlicesDoor, ArrivalMonitor, BackFlash, DeadTimes, EfficiencyMismatch, Isolation, Layout,
    LinearMode, OutputMonitor, PowerMonitor, SIGNAL_BAND_MAX_NM, TimeFilter, Watchdog,
    WeakGenerator,
};

/// Slots a second that detectors can be looked at one by one.
const SLOTS_PER_SECOND_ONE_BY_ONE: f64 = 2e7;

/// The number behind the foreseen generator: what the attack assumes when nobody says another.
const BACK_DOOR: u64 = 1;

/// What both ends agree on, and what is Alice's alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardware {
    /// Source, fibre, detectors, protocol.
    pub parameters: LinkParameters,
    /// What stands between the fibre and Alice's instruments.
    pub door: AlicesDoor,
}

/// A flaw that lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Bright light makes plain photodiodes of Bob's detectors.
    LinearMode,
    /// His two detectors are awake at different moments.
    UnlikeDetectors,
    /// Each of them sleeps by itself, and clicks count in the middle of a slot alone.
    DeadTimes,
    /// Somebody knows what his generator of bases will say.
    ForeseenBases,
    /// His detectors glow when they click.
    GlowingDetectors,
    /// Light finds the way to Alice's modulator and out again.
    OpenDoor,
    /// Light finds the way into her laser.
    OpenLaser,
    /// Her pulses are made by Bob's laser.
    TwoWay,
}

impl Weakness {
    /// What `attack` needs, if it needs anything.
    pub fn of(attack: &str) -> Option<Self> {
        match attack {
            "blinding" => Some(Self::LinearMode),
            "faked-states" | "time-shift" => Some(Self::UnlikeDetectors),
            "dead-time" => Some(Self::DeadTimes),
            "random-number" => Some(Self::ForeseenBases),
            "back-flash" => Some(Self::GlowingDetectors),
            "trojan-horse" => Some(Self::OpenDoor),
            "laser-seeding" => Some(Self::OpenLaser),
            "phase-remapping" => Some(Self::TwoWay),
            _ => None,
        }
    }

    /// The same in a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::LinearMode => "bright light makes plain photodiodes of Bob's detectors",
            Self::UnlikeDetectors => {
                "light 100 ps off the middle of its slot meets one of Bob's detectors twice as \
                 efficient as the other"
            }
            Self::DeadTimes => {
                "a click makes one of Bob's detectors sleep and not both, and clicks count in the \
                 middle of a slot alone"
            }
            Self::ForeseenBases => {
                "Bob's bases follow from the number 1, which his generator's maker knows, and are Z \
                 and X alike"
            }
            Self::GlowingDetectors => "six in a hundred of Bob's clicks send a photon back",
            Self::OpenDoor => "10⁻⁸ of the light that enters Alice's laboratory comes out again",
            Self::OpenLaser => {
                "10⁻⁶ of the light that enters Alice's laboratory reaches her laser, and a photon in \
                 a slot makes its pulse twice as bright"
            }
            Self::TwoWay => "Alice modulates pulses that Bob's laser made",
        }
    }

    /// Puts it into the hardware.
    pub fn put_into(self, hardware: &mut Hardware) {
        let Hardware { parameters, door } = hardware;
        let detector = &mut parameters.effects.detector;
        match self {
            Self::LinearMode => {
                detector.linear_mode = Some(LinearMode {
                    window_slots: 10_000,
                    blinding_photons: 1e9,
                    threshold_photons: 1e6,
                });
            }
            // On time light meets two alike, and their mean is the same at these three moments.
            Self::UnlikeDetectors => {
                detector.efficiency_mismatch = Some(EfficiencyMismatch {
                    relative_efficiency: [1.0, 1.0],
                    // e^(2tg/s²) = 2 and e^(−t²/2s²) cosh(tg/s²) = 1 at t = 100 ps.
                    gate_offset_ps: [-294.0, 294.0],
                    gate_deviation_ps: 291.3,
                    arrival_offset_ps: 0.0,
                });
            }
            Self::DeadTimes => {
                detector.dead_times = DeadTimes::Independent;
                detector.time_filter = Some(TimeFilter {
                    half_width_ps: 500.0,
                });
                // Not emulated together.
                parameters.detector.afterpulse_probability = 0.0;
            }
            // Another share of the bases would show in their bias.
            Self::ForeseenBases => {
                detector.weak_generator = Some(WeakGenerator {
                    seed: BACK_DOOR,
                    foreseeable: 1.0,
                });
                parameters.protocol.key_basis_probability = 0.5;
            }
            Self::GlowingDetectors => {
                detector.back_flash = Some(BackFlash {
                    probability: 0.06,
                    isolation_db: 0.0,
                });
            }
            Self::OpenDoor => door.isolation = Isolation::everywhere(80.0),
            Self::OpenLaser => {
                door.laser_isolation = Isolation {
                    signal_band_db: 60.0,
                    // Its glass swallows longer waves.
                    long_wave_db: 170.0,
                };
                door.seeding_per_photon = 1.0;
            }
            Self::TwoWay => door.layout = Layout::TwoWay,
        }
    }
}

impl Hardware {
    /// Puts in what watches for bright and for late light, at both doors, and an isolator at Bob's.
    pub fn watch(&mut self) {
        let detector = &mut self.parameters.effects.detector;
        detector.power_monitor = Some(PowerMonitor {
            window_slots: 10_000,
            alarm_photons: 1e6,
        });
        detector.arrival_monitor = Some(ArrivalMonitor {
            bin_ps: 62.5,
            deviation_ps: 50.0,
        });
        if let Some(flash) = &mut detector.back_flash {
            flash.isolation_db = 80.0;
        }
        self.door.watchdog = Some(Watchdog {
            alarm_photons: 1e4,
            wavelength_max_nm: SIGNAL_BAND_MAX_NM,
        });
        self.door.output_monitor = Some(OutputMonitor { tolerance: 0.05 });
    }

    /// Slots a second that it takes at most.
    pub fn slots_per_second_max(&self) -> f64 {
        match self.parameters.effects.detector.dead_times {
            DeadTimes::Common => f64::INFINITY,
            DeadTimes::Independent => SLOTS_PER_SECOND_ONE_BY_ONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_node::presets;

    #[test]
    fn every_attack_on_a_laboratory_finds_one_that_a_service_takes() {
        let open = qkd_attacks::KNOWN.into_iter().filter_map(Weakness::of);
        let mut seen: Vec<Hardware> = Vec::new();
        for weakness in open {
            let mut hardware = Hardware {
                parameters: presets::ingaas(25.0),
                door: AlicesDoor::default(),
            };
            weakness.put_into(&mut hardware);
            hardware
                .parameters
                .hardware()
                .unwrap()
                .detectors
                .check()
                .unwrap();
            hardware.door.check().unwrap();
            let before = presets::ingaas(25.0);
            let is_weak = hardware.parameters != before || hardware.door != AlicesDoor::default();
            assert!(is_weak, "{weakness:?}");
            seen.push(hardware);
        }
        assert_eq!(seen.len(), 9);
    }
}
