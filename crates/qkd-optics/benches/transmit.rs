//! What Alice's side costs: pulses with light that are drawn, recalled, made into frames and read
//! from them, per second of one core.
//!
//! `taskset -c 1 cargo bench -p qkd-optics --bench transmit`

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::{PhysicsRng, SecretRng, SecretStream};
use qkd_optics::{
    Detections, Detectors, FRAME_BYTES, FrameAddress, FrameEncoder, FrameShape, PulseFrame,
    Receiver, Source, Transmitter, transmittance,
};

const DISTANCES_KM: [u32; 6] = [0, 10, 25, 50, 75, 100];
const CLOCK_HZ: f64 = 2.5e9;

/// A decoy source as links to superconducting detectors use it, with the fibre behind it, and the
/// frames that suit its light.
fn transmitter(distance_km: u32) -> (Transmitter, FrameShape) {
    let source = Source {
        clock_hz: CLOCK_HZ,
        intensities: vec![0.33, 0.115],
        intensity_probabilities: vec![0.45, 0.55],
        key_basis_probability: 0.8,
        effects: Default::default(),
    };
    let transmittance = transmittance(0.2 * f64::from(distance_km));
    let secret = SecretRng::from_seed([1; 32]);
    let alice = Transmitter::new(source, transmittance, secret).expect("the source is sound");
    let address = FrameAddress {
        session: 1,
        link: 0,
        epoch: 0,
    };
    let span_max = (CLOCK_HZ / 50.0) as u32;
    let shape = FrameShape::for_density(address, alice.density(), span_max).expect("a density");
    (alice, shape)
}

/// The mean number of pulses of a train.
fn pulses(alice: &Transmitter, shape: &FrameShape) -> Throughput {
    Throughput::Elements((alice.occupied_probability() * f64::from(shape.span)) as u64)
}

fn each(criterion: &mut Criterion) {
    for km in DISTANCES_KM {
        let (mut alice, shape) = transmitter(km);
        let mut group = criterion.benchmark_group(format!("{km}km"));
        group.throughput(pulses(&alice, &shape));
        group.bench_function(BenchmarkId::from_parameter("transmit"), |bencher| {
            bencher.iter(|| {
                let _ = black_box(alice.transmit(shape.span));
                alice.forget_before(alice.next_slot());
            });
        });
        let mut encoder = FrameEncoder::new(shape);
        let mut datagrams = Vec::new();
        group.bench_function(BenchmarkId::from_parameter("encode"), |bencher| {
            let train = || {
                let train = alice.transmit(shape.span);
                alice.forget_before(alice.next_slot());
                train
            };
            let encode = |train| {
                datagrams.clear();
                encoder.encode(train, &mut datagrams)
            };
            bencher.iter_batched(train, encode, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::from_parameter("transmit_encode"), |bencher| {
            bencher.iter(|| {
                datagrams.clear();
                let train = alice.transmit(shape.span);
                alice.forget_before(alice.next_slot());
                encoder.encode(train, &mut datagrams)
            });
        });
        group.bench_function(BenchmarkId::from_parameter("decode"), |bencher| {
            bencher.iter(|| {
                for datagram in datagrams.chunks(FRAME_BYTES) {
                    let _ = black_box(PulseFrame::decode(datagram));
                }
            });
        });
        group.finish();
    }
}

/// The slots that good detectors announce.
fn recall(criterion: &mut Criterion) {
    let detectors = Detectors {
        detector_efficiency: 0.8,
        dark_count_probability: 1e-8,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.01,
        insertion_transmittance: 1.0,
        key_basis_probability: 0.8,
        effects: Default::default(),
    };
    let mut group = criterion.benchmark_group("recall");
    for km in [0, 25, 50, 100] {
        let (mut alice, shape) = transmitter(km);
        let secret = SecretRng::from_seed([2; 32]);
        let physics = PhysicsRng::from_seed(3);
        let mut bob = Receiver::new(detectors.clone(), secret, physics).expect("sound detectors");
        let mut clicks = Detections::default();
        for _ in 0..10 {
            let train = alice.transmit(shape.span);
            bob.detect(train, &mut clicks).expect("in order");
        }
        let slots = clicks.slot_list(0).expect("rising");
        group.throughput(Throughput::Elements(slots.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{km}km")), |bencher| {
            bencher.iter(|| alice.recall(&slots).expect("remembered").len());
        });
    }
    group.finish();
}

fn stream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("secret_stream");
    let mut stream = SecretStream::new(SecretRng::from_seed([1; 32]));
    let mut words = [0u32; 256];
    group.throughput(Throughput::Bytes(1024));
    group.bench_function("fill_u32", |bencher| {
        bencher.iter(|| stream.fill_u32(black_box(&mut words)));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_millis(1_000));
    targets = each, recall, stream
}
criterion_main!(benches);
