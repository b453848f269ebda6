//! What authentication costs: an envelope sealed and opened against the bare hash of as many bytes,
//! by the processor time of the thread, which a machine that is shared leaves nearly alone.
//!
//! `taskset -c 1 cargo bench -p qkd-auth --bench authenticate`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_auth::{Authentication, Channel, Handshake, PreSharedKey, Role};
use qkd_bits::SecretRng;
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

/// Envelopes that are made before any of them is opened.
const AT_ONCE: u64 = 64;

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().expect("processor time is not negative")
}

/// Two ends of a channel, Alice's first.
fn pair(authentication: Authentication) -> (Channel, Channel) {
    let honest = "both ends hold the key";
    let psk = PreSharedKey::new(vec![7; 32].into()).expect(honest);
    let mut rng = SecretRng::from_seed([1; 32]);
    let mut start =
        |role| Handshake::start(role, &psk, authentication, Vec::new(), &mut rng).expect(honest);
    let ((alice, a), (bob, b)) = (start(Role::Alice), start(Role::Bob));
    let (alice, proof_a) = alice.receive_opening(b).expect(honest);
    let (bob, proof_b) = bob.receive_opening(a).expect(honest);
    (
        alice.receive_proof(&proof_b).expect(honest),
        bob.receive_proof(&proof_a).expect(honest),
    )
}

/// Where the processor time of an envelope is spent: at its sender, at its receiver.
fn spent(authentication: Authentication, times: u64, bytes: usize) -> [Duration; 2] {
    let (mut alice, mut bob) = pair(authentication);
    let mut sums = [Duration::ZERO; 2];
    let mut left = times;
    while left > 0 {
        let now = left.min(AT_ONCE);
        left -= now;
        let payloads: Vec<_> = (0..now).map(|_| vec![3; bytes]).collect();
        let start = processor_time();
        let sealed: Vec<_> = payloads
            .into_iter()
            .map(|payload| alice.seal(black_box(payload)).expect("sequences are left"))
            .collect();
        let between = processor_time();
        let opened: Vec<_> = sealed
            .into_iter()
            .map(|envelope| bob.open(black_box(envelope)).expect("genuine"))
            .collect();
        sums[0] += between - start;
        sums[1] += processor_time() - between;
        drop(opened);
    }
    sums
}

fn authenticate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authenticate");
    for bytes in [100usize, 1_000, 16_000, 256_000] {
        group.throughput(Throughput::Bytes(bytes as u64));
        for authentication in Authentication::ALL {
            for (what, end) in [("seal", 0), ("open", 1)] {
                let name = format!("{what} {authentication}");
                group.bench_function(BenchmarkId::new(name, bytes), |bencher| {
                    bencher.iter_custom(|times| spent(authentication, times, bytes)[end]);
                });
            }
        }
        let messages: Vec<_> = (0..AT_ONCE).map(|_| vec![3u8; bytes]).collect();
        group.bench_function(BenchmarkId::new("hash", bytes), |bencher| {
            bencher.iter_custom(|times| {
                let start = processor_time();
                for message in messages.iter().cycle().take(times as usize) {
                    black_box(Sha256::digest(black_box(message)));
                }
                processor_time() - start
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
    targets = authenticate
}
criterion_main!(benches);
