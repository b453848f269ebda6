//! What is done to packed bits on their way through a block: time per bit, by the processor time of
//! the thread, which a machine that is shared leaves nearly alone.
//!
//! `taskset -c 1 cargo bench -p qkd-bits --bench bits`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::health::{CutOffs, HealthTests};
use qkd_bits::{BitString, PhysicsRng, SecretRng, SecretStream};
use rustix::time::{ClockId, clock_gettime};

const BITS: usize = 1 << 20;

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

fn bits(criterion: &mut Criterion) {
    let mut rng = SecretRng::from_seed([1; 32]);
    let string = rng.public_bits(BITS);
    let bytes = string.to_bytes();
    let mut group = criterion.benchmark_group("bits");
    group.throughput(Throughput::Elements(BITS as u64));
    let mut case = |name: &str, routine: &dyn Fn() -> BitString| {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            measure(bencher, routine);
        });
    };
    case("from_bytes", &|| {
        BitString::from_bytes(black_box(&bytes), BITS).expect("as many")
    });
    case("slice/aligned", &|| black_box(&string).slice(64..BITS));
    case("slice/shifted", &|| black_box(&string).slice(65..BITS));
    case("append/shifted", &|| {
        let mut joined = BitString::zeros(1);
        joined.append(black_box(&string));
        joined
    });
    for (name, share) in [("even", 0.5), ("rare", 0.04)] {
        let mut nature = PhysicsRng::from_seed(2);
        let mask: BitString = (0..BITS).map(|_| nature.chance(share)).collect();
        case(&format!("select/{name}"), &|| {
            black_box(&string).select(black_box(&mask))
        });
    }
    group.bench_function("to_bytes", |bencher| {
        measure(bencher, || black_box(&string).to_bytes());
    });
    group.bench_function("draw", |bencher| {
        measure(bencher, || rng.public_bits(BITS));
    });
    // With its health tests, and these alone.
    let mut stream = SecretStream::new(SecretRng::from_seed([3; 32]));
    let mut words = vec![0; BITS / 64];
    group.bench_function("draw/stream", |bencher| {
        measure(bencher, || stream.fill_u64(black_box(&mut words)));
    });
    let mut tests = HealthTests::new(CutOffs::CONTINUOUS);
    group.bench_function("health", |bencher| {
        measure(bencher, || tests.test(black_box(&bytes)));
    });
    let mut nature = PhysicsRng::from_seed(1);
    group.bench_function("draw/nature", |bencher| {
        measure(bencher, || {
            (0..BITS / 64).fold(0, |sum, _| sum ^ nature.next_u64())
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = bits
}
criterion_main!(benches);
