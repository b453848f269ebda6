//! Undisturbed links whose hardware and network are not ideal, each a trap for a monitor.

use qkd_node::parameters::LinkParameters;
use qkd_node::presets;
use qkd_optics::{
    AlicesDoor, Beam, EfficiencyMismatch, FreeSpace, PolarisationDrift, PreparationError,
    RandomEfficiency, TimingJitter, Turbulence,
};
use qkd_sim::{FrameLoss, Link};

/// A link, and what its network does.
pub struct Row {
    /// What is not ideal.
    pub name: &'static str,
    /// The link.
    pub parameters: LinkParameters,
    /// Datagrams that are lost.
    pub frame_loss: FrameLoss,
}

impl Row {
    /// The link without Eve, in blocks of so many bits.
    pub fn link(&self, block_bits: u64, seed: u64) -> Result<Link, qkd_security::Error> {
        let parameters = &self.parameters;
        Ok(Link {
            protocol: parameters.protocol.name.name(),
            model: parameters.link_model()?,
            block_bits,
            parameters: parameters.security_parameters(),
            hardware: Some(parameters.hardware()?),
            door: AlicesDoor::default(),
            defects: [None; 2],
            attack: None,
            monitors: None,
            frame_loss: self.frame_loss,
            blocks: 1,
            seed,
        })
    }
}

const WEAKENING: RandomEfficiency = RandomEfficiency {
    window_slots: 100_000,
    probability: 0.125,
    transmittance: 0.5,
};

/// Thirty in a hundred, one after the other.
const BURSTS: FrameLoss = FrameLoss::Bursts {
    arriving: 70,
    lost: 30,
};

/// Every trap; `snspd` over `distance_km` but for the one through the air.
pub fn rows(distance_km: f64) -> Vec<Row> {
    let row = |name, frame_loss, change: fn(&mut LinkParameters)| {
        let mut parameters = presets::snspd(distance_km);
        change(&mut parameters);
        Row {
            name,
            parameters,
            frame_loss,
        }
    };
    let none = FrameLoss::NONE;
    vec![
        row("test basis ill prepared", none, |link| {
            link.effects.source.preparation_error = prepared(0.0, 0.05);
        }),
        row("key basis ill prepared", none, |link| {
            link.effects.source.preparation_error = prepared(0.05, 0.0);
        }),
        row("polarisation drift", none, |link| {
            link.effects.channel.polarisation_drift = Some(PolarisationDrift {
                drift_rad_per_sqrt_s: 0.5,
                compensation_interval_s: 0.02,
                residual_rad: 0.02,
            });
        }),
        row("unlike detectors, jitter", none, |link| {
            let detector = &mut link.effects.detector;
            detector.efficiency_mismatch = Some(EfficiencyMismatch {
                relative_efficiency: [1.0, 0.5],
                gate_offset_ps: [0.0; 2],
                gate_deviation_ps: 500.0,
                arrival_offset_ps: 0.0,
            });
            // 4.6 % of the clicks are booked in another slot.
            detector.timing_jitter = Some(TimingJitter {
                deviation_ps: 250.0,
                slot_ps: 0.0,
            });
        }),
        row("lost frames", BURSTS, |_| {}),
        row("lost frames, weakening", BURSTS, |link| {
            link.effects.detector.random_efficiency = Some(WEAKENING);
        }),
        row("turbulence, weakening", none, |link| {
            link.effects.detector.random_efficiency = Some(WEAKENING);
            link.channel.distance_km = 0.0;
            link.effects.channel.free_space = Some(PATH);
            link.effects.channel.turbulence = Some(Turbulence {
                scintillation_index: 0.2,
                coherence_time_ms: 0.5,
            });
        }),
    ]
}

const PATH: FreeSpace = FreeSpace {
    range_km: 10.0,
    elevation_deg: 90.0,
    beam: Beam {
        divergence_urad: 20.0,
        pointing_jitter_urad: 5.0,
        receiver_diameter_m: 0.1,
        zenith_transmittance: 0.6,
        telescope_transmittance: 0.5,
    },
};

fn prepared(key_basis: f64, test_basis: f64) -> PreparationError {
    PreparationError {
        key_basis,
        test_basis,
    }
}
