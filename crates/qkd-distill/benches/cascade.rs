//! Both roles of Cascade, each on its own clock, with the messages as the bytes that travel.
//!
//! `cargo bench -p qkd-distill --bench cascade`; throughput counts the bits of the sifted key.
//! Two cores that are busy otherwise make times twice as long: compare ratios, or `perf stat`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use qkd_bits::{BitString, PhysicsRng, SecretBits, SecretRng};
use qkd_distill::{CascadeAlice, CascadeBob, CascadePlan, SiftedKey, Step};

#[derive(Debug, Clone, Copy)]
enum Role {
    Alice,
    Bob,
}

/// Two keys of one block that differ at random places, and what both know of them.
fn block(key_bits: usize, qber: f64) -> (BitString, BitString, CascadePlan) {
    let mut rng = SecretRng::from_seed([1; 32]);
    let mut nature = PhysicsRng::from_seed(1);
    let alice = rng.public_bits(key_bits);
    let mut bob = alice.clone();
    for i in 0..key_bits {
        if nature.chance(qber) {
            bob.flip(i);
        }
    }
    let plan = CascadePlan {
        key_bits,
        prior_qber: qber,
        seed: rng.array(),
    };
    (alice, bob, plan)
}

/// What one role spends on one block: from its sifted key to its reconciled one, packing and
/// unpacking of every message included.
fn spent(role: Role, alice: &BitString, bob: &BitString, plan: &CascadePlan) -> Duration {
    let sifted = |key: &BitString| SiftedKey::new(SecretBits::from(key.clone()));
    let honest = "honest peers do not misbehave";
    let (key_a, key_b) = (sifted(alice), sifted(bob));
    let (mut at_alice, mut at_bob) = (Duration::ZERO, Duration::ZERO);
    let mut clock = Instant::now();
    let mut lap = |sum: &mut Duration| {
        let now = Instant::now();
        *sum += now - clock;
        clock = now;
    };
    let mut alice = CascadeAlice::new(key_a, plan.clone()).expect(honest);
    let parities = alice.begin();
    let (mut bits, mut bytes) = (parities.len(), parities.to_bytes());
    lap(&mut at_alice);
    let mut bob = CascadeBob::new(key_b, plan.clone()).expect(honest);
    loop {
        let parities = BitString::from_bytes(&bytes, bits).expect(honest);
        let comparison = bob.compare(&parities).expect(honest);
        bytes = comparison.differs.to_bytes();
        lap(&mut at_bob);
        let differs = BitString::from_bytes(&bytes, bits).expect(honest);
        let step = alice.answer(&differs).expect(honest);
        match step {
            Step::Parities(next) => {
                bits = next.len();
                bytes = next.to_bytes();
                lap(&mut at_alice);
            }
            Step::Finished => break,
        }
    }
    let alice = alice.finish().expect(honest);
    lap(&mut at_alice);
    let bob = bob.finish().expect(honest);
    lap(&mut at_bob);
    assert_eq!(alice.errors(), bob.errors());
    match role {
        Role::Alice => at_alice,
        Role::Bob => at_bob,
    }
}

fn cascade(criterion: &mut Criterion) {
    // Whoever amplifies keys has freed as much before, and glibc gives less back to the system since:
    // without it a third of the time goes into getting the same pages anew for each block.
    drop(black_box(vec![1u8; 16 << 20]));
    let mut group = criterion.benchmark_group("cascade");
    group.sample_size(10);
    for key_bits in [1 << 16, 1 << 18, 1 << 20] {
        group.throughput(Throughput::Elements(key_bits as u64));
        for qber in [0.005, 0.01, 0.03, 0.05, 0.11] {
            let (alice, bob, plan) = block(key_bits, qber);
            for role in [Role::Alice, Role::Bob] {
                let id = BenchmarkId::new(format!("{role:?}/{key_bits}"), qber);
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|times| {
                        (0..times).map(|_| spent(role, &alice, &bob, &plan)).sum()
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, cascade);
criterion_main!(benches);
