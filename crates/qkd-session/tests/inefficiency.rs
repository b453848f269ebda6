//! Error correction says no more than a planned length leaves room for.

use qkd_bits::{SecretBits, SecretRng};
use qkd_distill::{CascadePlan, Method, SiftedKey, Step};
use qkd_security::planning::RECONCILIATION_INEFFICIENCY;
use qkd_security::{BasisStatistics, cascade_inefficiency_max};

const SEED: u8 = 31;

/// Corrects one block with errors at random and gives f against the largest that is planned for.
fn inefficiencies(key_bits: usize, qber: f64, rng: &mut SecretRng) -> [f64; 2] {
    let alice = rng.public_bits(key_bits);
    let mut bob = alice.clone();
    let mut errors = 0;
    for i in 0..key_bits {
        if rng.chance(qber) {
            bob.flip(i);
            errors += 1;
        }
    }
    let method = Method::Cascade(CascadePlan {
        key_bits,
        // A test basis never tells it exactly.
        prior_qber: qber * if errors % 2 == 0 { 0.87 } else { 1.15 },
        seed: rng.array(),
    });
    let sifted = |bits| SiftedKey::new(SecretBits::from(bits));
    let mut referee = method.referee(sifted(alice)).expect("the plan fits");
    let mut corrector = method.corrector(sifted(bob)).expect("the plan fits");
    let mut parities = referee.begin();
    loop {
        let comparison = corrector.compare(&parities).expect("an honest peer");
        match referee.answer(&comparison.differs).expect("an honest peer") {
            Step::Parities(more) => parities = more,
            Step::Finished => break,
        }
    }
    let seen = f64::from(errors) / key_bits as f64;
    let expected = BasisStatistics {
        counts: [key_bits as f64, 0.0],
        errors: [key_bits as f64 * qber, 0.0],
    };
    [
        referee
            .disclosed()
            .reconciliation_inefficiency(key_bits, seen),
        cascade_inefficiency_max(&expected),
    ]
}

/// Every block, small ones with few errors included: the limit stands five standard deviations above
/// the mean.
#[test]
fn cascade_says_no_more_than_is_planned_for() {
    let mut rng = SecretRng::from_seed([SEED; 32]);
    let qbers = [5e-4, 0.002, 0.005, 0.01, 0.02, 0.05, 0.08, 0.11, 0.13];
    for (key_bits, blocks) in [(10_000, 30), (30_000, 10), (100_000, 3), (300_000, 1)] {
        for qber in qbers {
            for _ in 0..blocks {
                let [f, f_max] = inefficiencies(key_bits, qber, &mut rng);
                assert!(
                    f < f_max,
                    "f = {f} of {f_max} for {key_bits} bits at {qber} (seed {SEED})"
                );
            }
        }
    }
}

/// What a plan takes it to say when nobody says otherwise; five standard deviations of a mean are
/// chance.
#[test]
fn cascade_says_on_average_no_more_than_a_plan_takes_it_to() {
    let mut rng = SecretRng::from_seed([SEED; 32]);
    for qber in [0.01, 0.02, 0.03, 0.04, 0.05] {
        let all: Vec<f64> = (0..20)
            .map(|_| inefficiencies(65_536, qber, &mut rng)[0])
            .collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let squares: f64 = all.iter().map(|f| (f - mean) * (f - mean)).sum();
        let deviation = (squares / (all.len() * (all.len() - 1)) as f64).sqrt();
        assert!(
            mean - 5.0 * deviation < RECONCILIATION_INEFFICIENCY,
            "f = {mean} ± {deviation} at {qber} (seed {SEED})"
        );
    }
}
