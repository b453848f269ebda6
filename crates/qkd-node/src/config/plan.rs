//! What a link is planned from: the daemons' own sections `[source]`, `[channel]`, `[detector]`,
//! `[protocol]` and `[security]`, in a file of their own or in the configuration of a daemon, whose
//! other sections are left unread.
//!
//! Planning asks for less than running a link does, and knows more theorems: there may be one to
//! three intensities, the fibre's length may be left open, and error correction has a stated
//! inefficiency. `[security.accept]` may be there and plays no part: it limits blocks that are
//! measured.

mod input;
mod read;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use input::{PlanError, PlanFibre};
use qkd_security::planning::{PlanTheorem, RECONCILIATION_INEFFICIENCY};
use qkd_security::{SecurityParameters, SideChannels};

use super::ConfigError;
use crate::parameters::{ChannelParameters, DetectorParameters, HardwareEffects, ProtocolName};
use crate::presets::Preset;

/// The checked description of a link to be planned.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanConfig {
    /// `[source]`.
    pub source: PlanSource,
    /// `channel.distance_km`: length of the fibre, km; `None` leaves it open.
    pub distance_km: Option<f64>,
    /// `[detector]`; without `dead_time_ns` there is none.
    pub detector: DetectorParameters,
    /// `[protocol]`.
    pub protocol: PlanProtocol,
    /// `[security]`; everything in it has a default.
    pub security: PlanSecurity,
    /// The optional keys and sections of `[source]`, `[channel]` and `[detector]`.
    pub effects: HardwareEffects,
    /// What lies between the two, for any length of fibre.
    line: Line,
}

/// What gives the channel of a link for any length of fibre.
#[derive(Debug, Clone, PartialEq)]
enum Line {
    /// Fibre as `[channel]` says; the length in it means nothing.
    Fibre(ChannelParameters),
    /// As a preset says: to a satellite the loss does not grow evenly.
    Preset(Preset),
}

/// `[source]` of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSource {
    /// Slots per second, Hz.
    pub clock_hz: f64,
    /// One to three mean photon numbers per pulse, each below the one before: the signal, then the
    /// decoys. The last of several may be 0.
    pub intensities: Vec<f64>,
    /// How often each is sent; sum 1. `None` where an asymptotic theorem does not ask.
    pub intensity_probabilities: Option<Vec<f64>>,
}

/// `[protocol]` of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanProtocol {
    /// Which protocol; BB84 when absent.
    pub name: ProtocolName,
    /// Probability that Alice sends, and that Bob measures, in the key basis; ½ when absent, which
    /// only asymptotic theorems allow.
    pub key_basis_probability: Option<f64>,
    /// Probability that a photon goes to the wrong detector.
    pub misalignment_error: f64,
    /// f: bits revealed by error correction ÷ (n·h(Q)), from 1 to 10;
    /// [`RECONCILIATION_INEFFICIENCY`] when absent.
    pub reconciliation_inefficiency: f64,
}

/// `[security]` of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanSecurity {
    /// Which theorem gives the length; wiesemann2024 when absent.
    pub theorem: PlanTheorem,
    /// Sifted key-basis bits per block, 100 to 1e15; a million when absent.
    pub block_bits: u64,
    /// ε_sec and ε_cor of a block; 1e-10 and 1e-15 when absent.
    pub parameters: SecurityParameters,
    /// What the laboratories may leak; nothing when absent.
    pub side_channels: SideChannels,
}

impl Default for PlanSecurity {
    fn default() -> Self {
        Self {
            theorem: PlanTheorem::default(),
            block_bits: 1_000_000,
            parameters: SecurityParameters {
                secrecy: 1e-10,
                correctness: 1e-15,
            },
            side_channels: SideChannels::NONE,
        }
    }
}

impl PlanConfig {
    /// Reads the file at `path`, and makes sure that each of `theorems`, or else the file's own, can
    /// be applied to it.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn load(path: &Path, theorems: &[PlanTheorem]) -> Result<Self, ConfigError> {
        Self::parse(&super::read::text(path)?, path, theorems)
    }

    /// As [`load`](Self::load) from a text; `path` is only its name in errors.
    ///
    /// # Errors
    /// On the first fault, with its place.
    pub fn parse(text: &str, path: &Path, theorems: &[PlanTheorem]) -> Result<Self, ConfigError> {
        read::plan(text, path, theorems)
    }

    /// What the hardware of `preset` is planned from; the length of its fibre is open.
    pub fn of_preset(preset: Preset) -> Self {
        // Only `Line` asks for another length than this one.
        let parameters = preset.parameters(0.0);
        let security = parameters.security_parameters();
        Self {
            source: PlanSource {
                clock_hz: parameters.source.clock_hz,
                intensities: parameters.source.intensities.to_vec(),
                intensity_probabilities: Some(parameters.source.intensity_probabilities.to_vec()),
            },
            distance_km: None,
            detector: parameters.detector,
            protocol: PlanProtocol {
                name: parameters.protocol.name,
                key_basis_probability: Some(parameters.protocol.key_basis_probability),
                misalignment_error: parameters.protocol.misalignment_error,
                reconciliation_inefficiency: RECONCILIATION_INEFFICIENCY,
            },
            security: PlanSecurity {
                theorem: PlanTheorem::default(),
                block_bits: parameters.security.block_bits,
                parameters: security,
                side_channels: parameters.security.side_channels,
            },
            effects: parameters.effects,
            line: Line::Preset(preset),
        }
    }
}
