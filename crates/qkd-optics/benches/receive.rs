//! What Bob's receiver costs: pulses that arrive with light per second of one core.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{Detection, Detectors, PulseTrain, Receiver, Source, Transmitter};

/// Pulses that hold light, per train.
const PULSES: f64 = 20_000.0;

struct Link {
    name: &'static str,
    /// Transmittance from Alice to Bob's entrance.
    transmittance: f64,
    detectors: Detectors,
}

/// Superconducting detectors at 1 GHz, then at 0 km with no dead time, avalanche diodes, and a pair
/// noisy enough that noise meets light all the time.
fn links() -> Vec<Link> {
    let snspd = Detectors {
        detector_efficiency: 0.8,
        dark_count_probability: 1e-8,
        dead_time_slots: 30,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.01,
        insertion_transmittance: 1.0,
        key_basis_probability: 0.8,
        effects: Default::default(),
    };
    let avalanche = Detectors {
        detector_efficiency: 0.2,
        dark_count_probability: 1e-6,
        dead_time_slots: 100,
        afterpulse_probability: 0.03,
        afterpulse_decay_slots: 50.0,
        ..snspd.clone()
    };
    let at = |name, transmittance, detectors| Link {
        name,
        transmittance,
        detectors,
    };
    let fresh = Detectors {
        dead_time_slots: 0,
        ..snspd.clone()
    };
    let noisy = Detectors {
        dark_count_probability: 1e-3,
        ..snspd.clone()
    };
    vec![
        at("snspd_0km", 1.0, snspd.clone()),
        at("snspd_0km_no_dead_time", 1.0, fresh),
        at("snspd_50km", 0.1, snspd.clone()),
        at("snspd_100km", 0.01, snspd),
        at("avalanche_50km", 0.1, avalanche),
        at("noisy_50km", 0.1, noisy),
    ]
}

fn detect(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("detect");
    group.throughput(Throughput::Elements(PULSES as u64));
    for link in links() {
        let source = Source {
            clock_hz: 1e9,
            intensities: vec![0.33, 0.115],
            intensity_probabilities: vec![0.45, 0.55],
            key_basis_probability: 0.8,
            effects: Default::default(),
        };
        let secret = SecretRng::from_seed([1; 32]);
        let mut alice = Transmitter::new(source, link.transmittance, secret).expect("valid source");
        let span = (PULSES / alice.occupied_probability()) as u32;
        let secret = SecretRng::from_seed([2; 32]);
        let mut bob = Receiver::new(link.detectors, secret, PhysicsRng::from_seed(3))
            .expect("valid detectors");
        let mut clicks: Vec<Detection> = Vec::new();
        let mut next = || -> PulseTrain {
            let train = alice.transmit(span);
            alice.forget_before(train.start_slot());
            train
        };
        group.bench_function(link.name, |bencher| {
            bencher.iter_batched(
                &mut next,
                |train| {
                    clicks.clear();
                    bob.detect(train, &mut clicks).expect("in order");
                    black_box(clicks.len())
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, detect);
criterion_main!(benches);
