//! Messages that carry a bit or a number for each detection, to bytes and back: time per detection,
//! parity or seed bit, by the processor time of the thread, which a machine that is shared leaves
//! nearly alone.
//!
//! `taskset -c 1 cargo bench -p qkd-wire --bench codec`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::{PhysicsRng, SecretRng};
use qkd_session::{DETECTIONS_PER_PART_MAX, Message, SEED_BITS_PER_PART_MAX};
use qkd_wire::link::{Batch, LinkMessage, decode_payload};
use rustix::time::{ClockId, clock_gettime};

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().expect("processor time is not negative")
}

fn measure<T>(bencher: &mut Bencher, mut routine: impl FnMut() -> T) {
    bencher.iter_custom(|times| {
        let start = processor_time();
        for _ in 0..times {
            black_box(routine());
        }
        processor_time() - start
    });
}

/// A whole part of an announcement, its slots `mean_gap_slots` apart.
fn announcement(mean_gap_slots: u64) -> Message {
    let mut nature = PhysicsRng::from_seed(1);
    let mut gap = || {
        let exponential = -f64::ln(1.0 - nature.uniform()) * mean_gap_slots as f64;
        exponential as u64 + 1
    };
    let gaps: Vec<u64> = (0..DETECTIONS_PER_PART_MAX).map(|_| gap()).collect();
    Message::Announcement {
        block: 7,
        part: 0,
        parts: 1,
        first_slot: 1 << 40,
        end_slot: (1 << 40) + gaps.iter().sum::<u64>() + 1,
        bases: SecretRng::from_seed([1; 32]).public_bits(gaps.len()),
        gaps: gaps.into_iter().collect(),
    }
}

/// The payload of an envelope that says nothing else.
fn encoded(message: &LinkMessage) -> Vec<u8> {
    let mut batch = Batch::default();
    batch.add(message.clone());
    batch.take().expect("there is a message in it")
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let mut rng = SecretRng::from_seed([2; 32]);
    let seed = Message::Amplification {
        block: 7,
        part: 0,
        parts: 1,
        output_bits: 1,
        confirmation_point: [0; 16],
        seed: rng.public_bits(SEED_BITS_PER_PART_MAX),
    };
    let parities = Message::Parities {
        block: 7,
        round: 0,
        bits: rng.public_bits(1 << 14),
    };
    let cases = [
        ("announcement/20", DETECTIONS_PER_PART_MAX, announcement(20)),
        (
            "announcement/100",
            DETECTIONS_PER_PART_MAX,
            announcement(100),
        ),
        (
            "announcement/10000",
            DETECTIONS_PER_PART_MAX,
            announcement(10_000),
        ),
        ("parities", 1 << 14, parities),
        ("seed", SEED_BITS_PER_PART_MAX, seed),
    ];
    for (name, items, message) in cases {
        let message = LinkMessage::Session(message);
        let bytes = encoded(&message);
        group.throughput(Throughput::Elements(items as u64));
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            measure(bencher, || encoded(black_box(&message)));
        });
        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            measure(bencher, || {
                decode_payload(black_box(&bytes)).expect("our own bytes")
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = codec
}
criterion_main!(benches);
