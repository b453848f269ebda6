//! Prints what Cascade costs: inefficiency f, rounds, failures and time per error rate.
//!
//! `cargo run --release -p qkd-distill --example inefficiency -- [KEY_BITS] [BLOCKS] [PERCENT…]`
//!
//! f is Alice's parities ÷ (n·h(errors made ÷ n)). A block has failed when the verification tags
//! differ; beside the count stands the 95 % interval of the probability (Clopper and Pearson,
//! *Biometrika* 26, 404, 1934). One block in ten took less than the times given, with messages as bit
//! strings.

use std::hint::black_box;
use std::time::{Duration, Instant};

use qkd_bits::{PhysicsRng, SecretBits, SecretRng};
use qkd_distill::{CascadePlan, Disclosed, Method, SiftedKey, Step};

const PERCENTS: [f64; 8] = [0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 11.0];

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| {
        text.parse::<f64>()
            .unwrap_or_else(|error| panic!("`{text}`: {error}; expected a number"))
    });
    let key_bits = numbers.next().unwrap_or(1_000_000.0) as usize;
    let blocks = (numbers.next().unwrap_or(10.0) as usize).max(1);
    let mut percents: Vec<f64> = numbers.collect();
    if percents.is_empty() {
        percents = PERCENTS.to_vec();
    }
    // As in the bench `cascade`: whoever amplifies keys has freed as much before.
    drop(black_box(vec![1u8; 16 << 20]));
    println!("{blocks} blocks of {key_bits} bits for each error rate");
    println!("   QBER        f   rounds (most)   Alice      Bob   failures");
    for percent in percents {
        let mut sum = Sum::default();
        let mut rng = SecretRng::from_seed([1; 32]);
        for block in 0..blocks {
            let mut nature = PhysicsRng::from_seed(block as u64);
            sum.add(
                key_bits,
                reconcile(key_bits, percent / 100.0, &mut rng, &mut nature),
            );
        }
        sum.print(percent, key_bits, blocks);
    }
}

#[derive(Default)]
struct Sum {
    inefficiency: f64,
    rounds: usize,
    rounds_max: usize,
    failures: usize,
    spent: [Vec<Duration>; 2],
}

impl Sum {
    fn add(&mut self, key_bits: usize, run: Run) {
        self.inefficiency += run
            .disclosed
            .reconciliation_inefficiency(key_bits, run.qber);
        self.rounds += run.rounds;
        self.rounds_max = self.rounds_max.max(run.rounds);
        self.failures += usize::from(!run.equal);
        for (all, spent) in self.spent.iter_mut().zip(run.spent) {
            all.push(spent);
        }
    }

    fn print(mut self, percent: f64, key_bits: usize, blocks: usize) {
        let f = self.inefficiency / blocks as f64;
        let (rounds, most) = (self.rounds as f64 / blocks as f64, self.rounds_max);
        let rate = |spent: &mut Vec<Duration>| {
            spent.sort_unstable();
            key_bits as f64 / spent[blocks / 10].as_secs_f64() / 1e6
        };
        let [alice, bob] = self.spent.each_mut().map(rate);
        let failures = self.failures;
        let [low, high] = interval(failures, blocks);
        println!(
            "{percent:5.1} %   {f:.4}   {rounds:6.1} ({most:4})   {alice:4.0}     {bob:4.0} Mb/s   \
             {failures} ({low:.1e} to {high:.1e})"
        );
    }
}

struct Run {
    qber: f64,
    disclosed: Disclosed,
    rounds: usize,
    equal: bool,
    /// What Alice and Bob spent.
    spent: [Duration; 2],
}

/// One block with errors at random, planned for the rate at which they are made.
fn reconcile(key_bits: usize, qber: f64, rng: &mut SecretRng, nature: &mut PhysicsRng) -> Run {
    let alice = rng.public_bits(key_bits);
    let mut bob = alice.clone();
    let mut errors = 0;
    for i in 0..key_bits {
        if nature.chance(qber) {
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
    let (alice, bob) = (sifted(alice), sifted(bob));
    let mut spent = [Duration::ZERO; 2];
    let mut clock = Instant::now();
    let mut lap = |who: usize| {
        let now = Instant::now();
        spent[who] += now - clock;
        clock = now;
    };
    let mut referee = method.referee(alice).expect(honest);
    let mut parities = referee.begin();
    lap(0);
    let mut corrector = method.corrector(bob).expect(honest);
    let mut rounds = 1;
    loop {
        let comparison = corrector.compare(&parities).expect(honest);
        lap(1);
        match referee.answer(&comparison.differs).expect(honest) {
            Step::Parities(more) => parities = more,
            Step::Finished => break,
        }
        lap(0);
        rounds += 1;
    }
    let mut alice = referee.finish().expect(honest);
    lap(0);
    let bob = corrector.finish().expect(honest);
    lap(1);
    let disclosed = alice.disclosed();
    let tag = alice.tag([7; 16]);
    Run {
        qber: f64::from(errors) / key_bits as f64,
        disclosed,
        rounds,
        equal: bob.verify([7; 16], &tag).is_ok(),
        spent,
    }
}

/// The probabilities at which as many failures, or as few, would each still have a chance of 2.5 %.
fn interval(failures: usize, blocks: usize) -> [f64; 2] {
    let solve = |at_most: usize, chance: f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if at_most_probability(at_most, blocks, middle) > chance {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    };
    let low = failures
        .checked_sub(1)
        .map_or(0.0, |fewer| solve(fewer, 0.975));
    [low, solve(failures, 0.025)]
}

/// The binomial probability of at most `failures` of `blocks`.
fn at_most_probability(failures: usize, blocks: usize, probability: f64) -> f64 {
    let (n, odds) = (blocks as f64, (probability / (1.0 - probability)).ln());
    let mut log = n * (-probability).ln_1p();
    let mut sum = log.exp();
    for k in 1..=failures {
        log += ((n - k as f64 + 1.0) / k as f64).ln() + odds;
        sum += log.exp();
    }
    sum
}
