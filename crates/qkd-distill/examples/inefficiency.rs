//! Prints what Cascade costs: inefficiency f, rounds and failures per error rate.
//!
//! `cargo run --release -p qkd-distill --example inefficiency -- [KEY_BITS] [BLOCKS]`

use qkd_bits::{SecretBits, SecretRng};
use qkd_distill::{CascadePlan, Disclosed, Method, SiftedKey, Step};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| {
        text.parse::<usize>()
            .unwrap_or_else(|error| panic!("`{text}`: {error}; expected a number"))
    });
    let key_bits = arguments.next().unwrap_or(1_000_000);
    let blocks = arguments.next().unwrap_or(10);
    println!("{blocks} blocks of {key_bits} bits for each error rate");
    println!("  QBER        f   rounds  failures");
    let mut rng = SecretRng::from_seed([1; 32]);
    for qber in [0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.11] {
        let (mut f, mut rounds, mut failures) = (0.0, 0, 0);
        for _ in 0..blocks {
            let run = reconcile(key_bits, qber, &mut rng);
            f += run
                .disclosed
                .reconciliation_inefficiency(key_bits, run.qber)
                / blocks as f64;
            rounds += run.rounds;
            failures += usize::from(!run.equal);
        }
        let (percent, rounds) = (100.0 * qber, rounds / blocks);
        println!("{percent:5.1} %   {f:.4}   {rounds:6}  {failures:8}");
    }
}

struct Run {
    qber: f64,
    disclosed: Disclosed,
    rounds: usize,
    equal: bool,
}

/// One block with errors at random, planned for the true error rate.
fn reconcile(key_bits: usize, qber: f64, rng: &mut SecretRng) -> Run {
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
        prior_qber: qber,
        seed: rng.array(),
    });
    let honest = "honest peers do not misbehave";
    let sifted = |bits| SiftedKey::new(SecretBits::from(bits));
    let mut referee = method.referee(sifted(alice)).expect(honest);
    let mut corrector = method.corrector(sifted(bob)).expect(honest);
    let mut parities = referee.begin();
    let mut rounds = 1;
    loop {
        let comparison = corrector.compare(&parities).expect(honest);
        match referee.answer(&comparison.differs).expect(honest) {
            Step::Parities(more) => parities = more,
            Step::Finished => break,
        }
        rounds += 1;
    }
    let mut alice = referee.finish().expect(honest);
    let disclosed = alice.disclosed();
    let tag = alice.tag([7; 16]);
    let verified = corrector.finish().expect(honest).verify([7; 16], &tag);
    Run {
        qber: errors as f64 / key_bits as f64,
        disclosed,
        rounds,
        equal: verified.is_ok(),
    }
}
