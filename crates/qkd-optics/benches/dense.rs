//! Slot by slot against pulse by pulse: where each way of drawing Alice's light is the cheaper one.
//!
//! `Sampling::for_density` has its switch from these figures: run it on a quiet core,
//! `taskset -c 1 cargo bench -p qkd-optics --bench dense`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::SecretRng;
use qkd_optics::{Sampling, Source, Transmitter};

const SPAN: u32 = 65_536;

/// A signal, a decoy and a vacuum class, as bright as makes this share of the slots hold light.
fn transmitter(occupied_probability: f64, sampling: Sampling) -> Transmitter {
    // P = 0.7 (1 − e^(−μ)) + 0.2 (1 − e^(−μ/4)) grows with μ: bisection.
    let occupied = |mu: f64| -(0.7 * (-mu).exp_m1() + 0.2 * (-mu / 4.0).exp_m1());
    let (mut low, mut high) = (0.0, 16.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if occupied(middle) < occupied_probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    let source = Source {
        clock_hz: 1e9,
        intensities: vec![low, low / 4.0, 0.0],
        intensity_probabilities: vec![0.7, 0.2, 0.1],
        key_basis_probability: 0.9,
        effects: Default::default(),
    };
    Transmitter::with_sampling(source, 1.0, SecretRng::from_seed([1; 32]), sampling)
        .expect("the source is sound")
}

fn slots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slots");
    group.throughput(Throughput::Elements(u64::from(SPAN)));
    for occupied_probability in [0.05, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 0.7, 0.85] {
        for sampling in [Sampling::Sparse, Sampling::Dense] {
            let mut alice = transmitter(occupied_probability, sampling);
            let id = BenchmarkId::new(format!("{sampling:?}"), occupied_probability);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let _ = black_box(alice.transmit(SPAN));
                    alice.forget_before(alice.next_slot());
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, slots);
criterion_main!(benches);
