//! What follows reconciliation: privacy amplification, verification and, for comparison, the HMAC
//! that authenticates messages. Bits of input per second of one core, by the processor time of the
//! thread, which a machine that is shared leaves nearly alone.
//!
//! `taskset -c 1 cargo bench -p qkd-distill --bench amplify`

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use qkd_bits::SecretRng;
use qkd_distill::{VerificationTag, seed_bits, toeplitz_hash};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().expect("processor time is not negative")
}

fn measure<T>(bencher: &mut Bencher, routine: impl Fn() -> T) {
    bencher.iter_custom(|times| {
        let start = processor_time();
        for _ in 0..times {
            black_box(routine());
        }
        processor_time() - start
    });
}

fn amplify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("amplify");
    group.sample_size(10);
    for (name, percent) in [("half", 50), ("three tenths", 30)] {
        for bits in [10_000usize, 100_000, 1_000_000, 10_000_000, 100_000_000] {
            let mut rng = SecretRng::from_seed([1; 32]);
            let key = rng.bits(bits);
            let seed = rng.public_bits(seed_bits(bits));
            group.throughput(Throughput::Elements(bits as u64));
            group.bench_function(BenchmarkId::new(name, bits), |bencher| {
                measure(bencher, || {
                    toeplitz_hash(&key, bits * percent / 100, black_box(&seed))
                });
            });
        }
    }
}

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    for bits in [10_000usize, 1_000_000, 100_000_000] {
        let key = SecretRng::from_seed([2; 32]).bits(bits);
        group.throughput(Throughput::Elements(bits as u64));
        group.bench_function(BenchmarkId::from_parameter(bits), |bencher| {
            measure(bencher, || VerificationTag::of(&key, black_box([7; 16])));
        });
    }
}

/// The tag of a message against the bare hash of as many bytes.
fn authenticate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authenticate");
    for bytes in [1_000usize, 100_000] {
        let message = vec![3; bytes];
        group.throughput(Throughput::Elements(8 * bytes as u64));
        group.bench_function(BenchmarkId::new("hmac", bytes), |bencher| {
            measure(bencher, || {
                let mut mac = Hmac::<Sha256>::new_from_slice(black_box(&[5; 32]))
                    .expect("HMAC takes keys of any length");
                mac.update(&message);
                mac.finalize()
            });
        });
        group.bench_function(BenchmarkId::new("hash", bytes), |bencher| {
            measure(bencher, || Sha256::digest(black_box(&message)));
        });
    }
}

criterion_group!(benches, amplify, verify, authenticate);
criterion_main!(benches);
