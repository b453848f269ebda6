//! What a plan costs: one point, one point with the best choices, and the table that a figure takes,
//! 51 distances and five block sizes with the best choices for each.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use qkd_security::mathematics::pow;
use qkd_security::planning::{
    ChannelModel, PlanInput, PlanLink, PlanTheorem, RECONCILIATION_INEFFICIENCY, optimise, plan,
};
use qkd_security::{SecurityParameters, SideChannels};

/// Sifted bits per block, in the table.
const BLOCKS: [u64; 5] = [100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// A link, by its length in kilometres.
type Link = fn(f64) -> PlanInput;

/// Superconducting detectors at 1 GHz over standard fibre.
fn snspd(distance_km: f64) -> PlanInput {
    PlanInput {
        link: PlanLink {
            intensities: vec![0.33, 0.115],
            intensity_probabilities: vec![0.45, 0.55],
            key_basis_probability: 0.8,
            clock_hz: 1e9,
            transmittance_channel: pow(10.0, -0.02 * distance_km),
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

/// Avalanche photodiodes, whose afterpulses make the exact channel costly.
fn ingaas(distance_km: f64) -> PlanInput {
    let mut input = snspd(distance_km);
    input.link.detector_efficiency = 0.2;
    input.link.dark_count_probability = 1e-6;
    input.link.dead_time_slots = 100;
    input.link.afterpulse_probability = 0.02;
    input
}

/// Superconducting detectors and two decoys, with the channel of the paper.
fn lim2014(distance_km: f64) -> PlanInput {
    let mut input = snspd(distance_km);
    input.theorem = PlanTheorem::Lim2014;
    input.channel = ChannelModel::Published;
    input.link.intensities = vec![0.4, 0.1, 1e-3];
    input.link.intensity_probabilities = vec![0.6, 0.3, 0.1];
    input
}

fn planning(criterion: &mut Criterion) {
    let links: [(&str, Link); 3] = [("snspd", snspd), ("ingaas", ingaas), ("lim2014", lim2014)];
    let mut group = criterion.benchmark_group("planning");
    for (name, link) in links {
        let input = link(50.0);
        group.bench_function(format!("point/{name}"), |bencher| {
            bencher.iter(|| plan(black_box(&input)));
        });
        group.bench_function(format!("best/{name}"), |bencher| {
            bencher.iter(|| optimise(black_box(&input), None));
        });
        group.sample_size(10);
        group.bench_function(format!("table/{name}"), |bencher| {
            bencher.iter(|| {
                for block_bits in BLOCKS {
                    for step in 0..=50 {
                        let mut input = link(f64::from(step) * 5.0);
                        input.block_bits = block_bits;
                        let best = optimise(black_box(&input), None);
                        black_box(best.and_then(|best| plan(&best)).ok());
                    }
                }
            });
        });
        group.sample_size(100);
    }
    group.finish();
}

criterion_group!(benches, planning);
criterion_main!(benches);
