use super::*;
use crate::mathematics::pow;

mod best;
mod golden;
mod reference;
mod soundness;

/// Transmittance of a fibre.
fn fibre(loss_db: f64) -> f64 {
    pow(10.0, -loss_db / 10.0)
}

/// The superconducting detectors of the presets at 1 GHz, over a loss.
fn snspd(loss_db: f64) -> PlanInput {
    PlanInput {
        link: PlanLink {
            intensities: vec![0.33, 0.115],
            intensity_probabilities: vec![0.45, 0.55],
            key_basis_probability: 0.8,
            clock_hz: 1e9,
            transmittance_channel: fibre(loss_db),
            insertion_transmittance: 1.0,
            detector_efficiency: 0.8,
            dark_count_probability: 1e-8,
            dead_time_slots: 30,
            afterpulse_probability: 0.0,
            afterpulse_decay_slots: 50.0,
            misalignment_error: 0.01,
        },
        theorem: PlanTheorem::Wiesemann2024,
        channel: ChannelModel::Exact,
        block_bits: 1_000_000,
        parameters: SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        },
        side_channels: SideChannels::NONE,
        reconciliation_inefficiency: RECONCILIATION_INEFFICIENCY,
    }
}

/// The avalanche photodiodes of the presets: dead time and afterpulses.
fn ingaas(loss_db: f64) -> PlanInput {
    let mut input = snspd(loss_db);
    input.link.intensities = vec![0.32, 0.11];
    input.link.key_basis_probability = 0.78;
    input.link.detector_efficiency = 0.2;
    input.link.dark_count_probability = 1e-6;
    input.link.dead_time_slots = 100;
    input.link.afterpulse_probability = 0.02;
    input
}

/// `input` under another theorem, with as many intensities as it takes.
fn under(theorem: PlanTheorem, mut input: PlanInput) -> PlanInput {
    input.theorem = theorem;
    if theorem == PlanTheorem::Gllp {
        // Brighter pulses hold several photons more often than one arrives.
        input.link.intensities = vec![0.005];
    }
    if *theorem.intensities().start() == 3 {
        input.link.intensities = vec![0.4, 0.1, 1e-3];
        input.link.intensity_probabilities = vec![0.6, 0.3, 0.1];
    }
    input
}
