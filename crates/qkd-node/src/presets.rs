//! Link parameters of well-known hardware.
//!
//! A preset that copies a published system is named after its paper, has a file of its own, and
//! says of every figure whether it is the paper's or inferred. For the others, intensities, their probabilities and the key-basis probability give at least 97 % of the most
//! secret bits per slot from 25 to 50 km with blocks of a million sifted bits.

mod boaron2018;
mod lucamarini2013;
mod micius2017;

pub use boaron2018::boaron2018;
pub use lucamarini2013::lucamarini2013;
pub use micius2017::micius2017;

use qkd_auth::Authentication;
use qkd_security::{SideChannels, Theorem};

use crate::parameters::{
    AcceptLimits, ChannelParameters, DetectorParameters, HardwareEffects, LinkParameters,
    ProtocolName, ProtocolParameters, SecuritySettings, SourceParameters,
};

/// A named set of link parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Superconducting nanowire detectors at 1 GHz.
    Snspd,
    /// Gated InGaAs avalanche photodiodes at 1 GHz.
    Ingaas,
    /// The 122 km experiment of Gobby, Yuan and Shields, 2004.
    Gys2004,
    /// The 1 GHz system of Lucamarini et al., 2013, with self-differencing photodiodes.
    Lucamarini2013,
    /// The satellite downlink of Liao et al., 2017.
    Micius2017,
    /// The 2.5 GHz, 421 km experiment of Boaron et al., 2018.
    Boaron2018,
}

impl Preset {
    /// Every preset, in the order in which a list shows them.
    pub const ALL: [Preset; 6] = [
        Preset::Snspd,
        Preset::Ingaas,
        Preset::Gys2004,
        Preset::Lucamarini2013,
        Preset::Micius2017,
        Preset::Boaron2018,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Snspd => "snspd",
            Preset::Ingaas => "ingaas",
            Preset::Gys2004 => "gys2004",
            Preset::Lucamarini2013 => "lucamarini2013",
            Preset::Micius2017 => "micius2017",
            Preset::Boaron2018 => "boaron2018",
        }
    }

    /// The preset of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its parameters over `distance_km` of fibre.
    pub fn parameters(self, distance_km: f64) -> LinkParameters {
        match self {
            Preset::Snspd => snspd(distance_km),
            Preset::Ingaas => ingaas(distance_km),
            Preset::Gys2004 => gys2004(distance_km),
            Preset::Lucamarini2013 => lucamarini2013(distance_km),
            Preset::Micius2017 => micius2017(distance_km),
            Preset::Boaron2018 => boaron2018(distance_km),
        }
    }
}

/// Superconducting nanowire detectors: 80 % efficiency, 10 dark counts a second (1e-8 per slot at
/// 1 GHz), 30 ns dead time, no afterpulses; 0.2 dB/km, 1 % misalignment.
pub fn snspd(distance_km: f64) -> LinkParameters {
    LinkParameters {
        source: SourceParameters {
            clock_hz: 1e9,
            intensities: [0.33, 0.115],
            intensity_probabilities: [0.45, 0.55],
        },
        channel: ChannelParameters {
            distance_km,
            attenuation_db_per_km: 0.2,
            insertion_loss_db: 0.0,
        },
        detector: DetectorParameters {
            detector_efficiency: 0.8,
            dark_count_probability: 1e-8,
            dead_time_ns: 30.0,
            afterpulse_probability: 0.0,
            afterpulse_decay_ns: 50.0,
        },
        protocol: bb84(0.8, 0.01),
        security: one_decoy(1_000_000),
        effects: HardwareEffects::default(),
    }
}

/// Gated InGaAs avalanche photodiodes: 20 % efficiency, 1e-6 dark counts per gate, 100 ns dead
/// time, 2 % afterpulses; 0.2 dB/km, 1 % misalignment, 1 GHz.
pub fn ingaas(distance_km: f64) -> LinkParameters {
    LinkParameters {
        source: SourceParameters {
            clock_hz: 1e9,
            intensities: [0.32, 0.11],
            intensity_probabilities: [0.45, 0.55],
        },
        channel: ChannelParameters {
            distance_km,
            attenuation_db_per_km: 0.2,
            insertion_loss_db: 0.0,
        },
        detector: DetectorParameters {
            detector_efficiency: 0.2,
            dark_count_probability: 1e-6,
            dead_time_ns: 100.0,
            afterpulse_probability: 0.02,
            afterpulse_decay_ns: 50.0,
        },
        protocol: bb84(0.78, 0.01),
        security: one_decoy(1_000_000),
        effects: HardwareEffects::default(),
    }
}

/// Gobby, Yuan and Shields, Appl. Phys. Lett. 84, 3762 (2004), with the figures of Ma et al., Phys.
/// Rev. A 72, 012326 (2005): 0.21 dB/km, receiver and detectors together 4.5 %, 8.5e-7 dark counts
/// per detector and gate, 3.3 % misalignment, 2 MHz.
pub fn gys2004(distance_km: f64) -> LinkParameters {
    LinkParameters {
        source: SourceParameters {
            clock_hz: 2e6,
            intensities: [0.24, 0.07],
            intensity_probabilities: [0.45, 0.55],
        },
        channel: ChannelParameters {
            distance_km,
            attenuation_db_per_km: 0.21,
            insertion_loss_db: 0.0,
        },
        detector: DetectorParameters {
            detector_efficiency: 0.045,
            dark_count_probability: 8.5e-7,
            dead_time_ns: 0.0,
            afterpulse_probability: 0.0,
            afterpulse_decay_ns: 50.0,
        },
        protocol: bb84(0.7, 0.033),
        security: one_decoy(1_000_000),
        effects: HardwareEffects::default(),
    }
}

fn bb84(key_basis_probability: f64, misalignment_error: f64) -> ProtocolParameters {
    ProtocolParameters {
        name: ProtocolName::Bb84,
        key_basis_probability,
        misalignment_error,
    }
}

fn one_decoy(block_bits: u64) -> SecuritySettings {
    SecuritySettings {
        theorem: Theorem::Wiesemann2024,
        block_bits,
        secrecy: 1e-10,
        correctness: 1e-15,
        authentication: Authentication::default(),
        side_channels: SideChannels::NONE,
        accept: AcceptLimits::default(),
    }
}

#[cfg(test)]
mod tests;
