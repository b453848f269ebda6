//! What Cascade promises as a whole, for honest peers and for liars.

use super::*;
use crate::Method;
use qkd_bits::{PhysicsRng, SecretBits, SecretRng};
use sha2::{Digest, Sha256};

/// Two keys with exactly `errors` different bits at random places, and those places.
fn pair(key_bits: usize, errors: usize, seed: u8) -> (SiftedKey, SiftedKey, Vec<u32>) {
    let alice = SecretRng::from_seed([seed; 32]).public_bits(key_bits);
    let mut nature = PhysicsRng::from_seed(u64::from(seed));
    let mut wrong = BitString::zeros(key_bits);
    let mut left = errors;
    while left > 0 {
        let place = nature.below(key_bits as u64) as usize;
        left -= usize::from(!wrong.get(place));
        wrong.set(place, true);
    }
    let words = alice.words().iter().zip(wrong.words());
    let bob = BitString::from_words(words.map(|(a, b)| a ^ b).collect(), key_bits);
    let places = (0..key_bits as u32)
        .filter(|&i| wrong.get(i as usize))
        .collect();
    let key = |bits| SiftedKey::new(SecretBits::from(bits));
    (key(alice), key(bob), places)
}

fn plan(key_bits: usize, prior_qber: f64) -> CascadePlan {
    CascadePlan {
        key_bits,
        prior_qber,
        seed: [42; 32],
    }
}

struct Outcome {
    alice: ReconciledKey,
    bob: ReconciledKey,
    rounds: usize,
    on_the_wire: usize,
}

fn run(method: &Method, alice: SiftedKey, bob: SiftedKey) -> Outcome {
    let mut alice = method.referee(alice).unwrap();
    let mut bob = method.corrector(bob).unwrap();
    let mut parities = alice.begin();
    let (mut rounds, mut on_the_wire) = (0, 0);
    loop {
        rounds += 1;
        on_the_wire += parities.len();
        let comparison = bob.compare(&parities).unwrap();
        assert_eq!(comparison.differs.len(), parities.len());
        match alice.answer(&comparison.differs).unwrap() {
            Step::Parities(next) => parities = next,
            Step::Finished => {
                assert!(comparison.finished);
                break;
            }
        }
    }
    Outcome {
        alice: alice.finish().unwrap(),
        bob: bob.finish().unwrap(),
        rounds,
        on_the_wire,
    }
}

/// Runs and asserts whatever must hold for every honest pair.
fn check(key_bits: usize, errors: usize, prior_qber: f64, seed: u8) -> Outcome {
    let (alice, bob, places) = pair(key_bits, errors, seed);
    let method = Method::Cascade(plan(key_bits, prior_qber));
    let outcome = run(&method, alice, bob);
    let case = format!("n = {key_bits}, {errors} errors, prior {prior_qber}, seed {seed}");
    let (alice, bob) = (&outcome.alice, &outcome.bob);
    assert!(alice.bits.expose() == bob.bits.expose(), "{case}");
    assert_eq!(alice.len(), key_bits, "{case}");
    let mut errors = BitString::zeros(key_bits);
    places
        .iter()
        .for_each(|&place| errors.set(place as usize, true));
    assert!(alice.errors() == &errors, "{case}");
    assert!(bob.errors() == &errors, "{case}");
    assert_eq!(alice.disclosed(), bob.disclosed(), "{case}");
    let disclosed = alice.disclosed();
    assert_eq!(
        disclosed.from_alice_bits, outcome.on_the_wire as u64,
        "{case}"
    );
    assert_eq!(
        disclosed.from_bob_bits, outcome.on_the_wire as u64,
        "{case}"
    );
    outcome
}

#[test]
fn keys_of_any_length_agree_and_every_bit_on_the_wire_is_counted() {
    for key_bits in [
        1usize, 2, 3, 7, 63, 64, 65, 100, 1000, 10_007, 65_536, 65_537,
    ] {
        for percent in [0, 1, 5, 11] {
            let errors = (key_bits * percent).div_ceil(100);
            check(key_bits, errors, percent as f64 / 100.0, percent as u8);
        }
    }
}

/// All that Alice and Bob say in turn, and the key that Bob ends with.
fn transcript(
    key_bits: usize,
    errors: usize,
    of_alice: Instructions,
    of_bob: Instructions,
) -> (Vec<BitString>, BitString) {
    let prior = errors as f64 / key_bits as f64;
    let (alice, bob, _) = pair(key_bits, errors, 6);
    let mut alice = CascadeAlice::with(of_alice, alice, plan(key_bits, prior)).unwrap();
    let mut bob = CascadeBob::with(of_bob, bob, plan(key_bits, prior)).unwrap();
    let mut said = vec![alice.begin()];
    loop {
        let comparison = bob.compare(said.last().unwrap()).unwrap();
        said.push(comparison.differs.clone());
        match alice.answer(&comparison.differs).unwrap() {
            Step::Parities(next) => said.push(next),
            Step::Finished => break,
        }
    }
    (said, bob.finish().unwrap().bits.expose().clone())
}

/// What is compiled for the baseline and for this machine says and finds the same.
#[test]
fn all_instructions_give_the_same_transcript() {
    let (best, baseline) = (Instructions::best(), Instructions::BASELINE);
    let expected = transcript(40_000, 1200, baseline, baseline);
    assert!(transcript(40_000, 1200, best, best) == expected);
    assert!(transcript(40_000, 1200, baseline, best) == expected);
}

/// Two sides have to agree about every bit, whatever they run on: who changes what is asked changes
/// these digests, and both sides at one time.
#[test]
fn the_same_seed_gives_the_same_transcript_everywhere() {
    let digest = |(key_bits, errors): (usize, usize)| -> String {
        let best = Instructions::best();
        let mut hash = Sha256::new();
        for message in transcript(key_bits, errors, best, best).0 {
            hash.update((message.len() as u64).to_le_bytes());
            hash.update(message.to_bytes());
        }
        hash.finalize()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let digests = [(1000, 50), (70_000, 3500), (300_001, 3000)].map(digest);
    let expected = ["17026a37432de646", "302443bbb48019f7", "334c27a6ae02a41f"];
    assert_eq!(digests, expected);
}

#[test]
fn a_prior_wrong_by_three_still_corrects() {
    for seed in 0..5 {
        for percent in [1, 3, 11] {
            for factor in [1.0 / 3.0, 3.0] {
                let prior = percent as f64 / 100.0 * factor;
                check(20_000, 200 * percent, prior, seed);
            }
        }
    }
}

/// Of 1,200 honest blocks none may be left with errors: at the stated failure rate of 10⁻³
/// one would expect 1.2, at the designed one (2⁻¹⁶ at most) 0.02.
#[test]
fn residual_errors_are_rare() {
    for seed in 0..200 {
        for percent in [1, 2, 3, 5, 8, 11] {
            check(2000, 20 * percent, percent as f64 / 100.0, seed);
        }
    }
}

#[test]
fn a_million_bits_leak_little_beyond_the_limit_in_350_rounds() {
    for (percent, most) in [(1, 1.05), (3, 1.055), (5, 1.065), (11, 1.1)] {
        let qber = percent as f64 / 100.0;
        let outcome = check(1_000_000, 10_000 * percent, qber, 7);
        let disclosed = outcome.alice.disclosed();
        let f = disclosed.reconciliation_inefficiency(1_000_000, qber);
        assert!((1.0..=most).contains(&f), "f = {f} at {percent} %");
        assert!(
            outcome.rounds <= 350,
            "{} rounds at {percent} %",
            outcome.rounds
        );
    }
}

#[test]
fn unrelated_keys_end_and_leak_at_most_a_few_times_their_length() {
    for prior in [0.0, 0.01, 0.5, 1.0] {
        let (alice, bob, _) = pair(70_000, 35_000, 9);
        let outcome = run(&Method::Cascade(plan(70_000, prior)), alice, bob);
        assert!(outcome.on_the_wire <= 4 * 70_000, "{}", outcome.on_the_wire);
    }
}

/// Answers that no key gives: all zeros, all ones, and noise.
fn lies(seed: u8) -> Vec<Box<dyn FnMut(usize) -> BitString>> {
    let mut rng = SecretRng::from_seed([seed; 32]);
    vec![
        Box::new(BitString::zeros),
        Box::new(|len| (0..len).map(|_| true).collect()),
        Box::new(move |len| rng.public_bits(len)),
    ]
}

#[test]
fn a_lying_bob_is_outlasted() {
    for key_bits in [1, 2, 3, 100, 70_000] {
        for mut lie in lies(1) {
            let (key, _, _) = pair(key_bits, 0, 1);
            let mut alice = CascadeAlice::new(key, plan(key_bits, 0.02)).unwrap();
            let mut parities = alice.begin();
            let mut rounds = 0;
            while let Step::Parities(next) = alice.answer(&lie(parities.len())).unwrap() {
                parities = next;
                rounds += 1;
                assert!(rounds <= 2000, "n = {key_bits}");
            }
            assert_eq!(alice.finish().unwrap().errors.len(), key_bits);
        }
    }
}

#[test]
fn a_lying_alice_is_outlasted_and_found_out() {
    for key_bits in [100, 70_000] {
        for mut lie in lies(2) {
            let (alice, key, _) = pair(key_bits, key_bits / 50, 2);
            let mut bob = CascadeBob::new(key, plan(key_bits, 0.02)).unwrap();
            let mut rounds = 0;
            loop {
                let comparison = bob.compare(&lie(bob.schedule.questions())).unwrap();
                rounds += 1;
                assert!(rounds <= 2000, "n = {key_bits}");
                if comparison.finished {
                    break;
                }
            }
            let bob = bob.finish().unwrap();
            let mut truth = ReconciledKey {
                bits: alice.0,
                errors: BitString::zeros(key_bits),
                disclosed: Disclosed::default(),
            };
            assert_eq!(bob.len(), key_bits);
            assert!(bob.verify([1; 16], &truth.tag([1; 16])).is_err());
        }
    }
}

#[test]
fn a_message_of_the_wrong_length_changes_nothing() {
    let (a, b, _) = pair(5000, 100, 3);
    let mut alice = CascadeAlice::new(a, plan(5000, 0.02)).unwrap();
    let mut bob = CascadeBob::new(b, plan(5000, 0.02)).unwrap();
    let parities = alice.begin();
    let due = parities.len();
    for wrong in [0, due - 1, due + 1] {
        let wrong_bits = BitString::zeros(wrong);
        let refusals = [
            alice.answer(&wrong_bits).err(),
            bob.compare(&wrong_bits).err(),
        ];
        for refusal in refusals {
            assert!(matches!(
                refusal,
                Some(Error::PeerMisbehaved { expected, given, .. })
                    if expected == due && given == wrong
            ));
        }
    }
    assert_eq!(alice.begin(), parities);
    let comparison = bob.compare(&parities).unwrap();
    assert!(alice.answer(&comparison.differs).is_ok());
}

#[test]
fn nothing_is_taken_after_the_end_and_nothing_handed_on_before_it() {
    let (a, b, _) = pair(1, 0, 4);
    let mut alice = CascadeAlice::new(a, plan(1, 0.02)).unwrap();
    while let Step::Parities(_) = alice
        .answer(&BitString::zeros(alice.schedule.questions()))
        .unwrap()
    {}
    assert!(matches!(
        alice.answer(&BitString::new()),
        Err(Error::PeerMisbehaved { .. })
    ));
    let bob = CascadeBob::new(b, plan(1, 0.02)).unwrap();
    assert!(matches!(bob.finish(), Err(Error::Misuse { .. })));
}

#[test]
fn plans_that_fit_no_key_are_refused() {
    let refused = |bits: usize, plan: CascadePlan| {
        let (key, _, _) = pair(bits.max(1), 0, 5);
        let key = if bits == 0 {
            SiftedKey::new(SecretBits::default())
        } else {
            key
        };
        matches!(CascadeBob::new(key, plan), Err(Error::Misuse { .. }))
    };
    assert!(refused(0, plan(0, 0.01)));
    assert!(refused(10, plan(11, 0.01)));
    assert!(refused(10, plan(10, f64::NAN)));
    assert!(refused(10, plan(10, -0.1)));
    assert!(!refused(10, plan(10, 0.01)));
}

#[test]
fn rounds_that_go_through_the_whole_key_are_told_from_those_that_do_not() {
    for (percent, seed) in [(1, 1), (3, 2), (8, 3)] {
        let key_bits = 1 << 16;
        let (alice, bob, _) = pair(key_bits, key_bits * percent / 100, seed);
        let plan = plan(key_bits, percent as f64 / 100.0);
        let mut alice = CascadeAlice::new(alice, plan.clone()).unwrap();
        let mut bob = CascadeBob::new(bob, plan).unwrap();
        let mut parities = alice.begin();
        let (mut rounds, mut quick, mut wrong) = (0, 0, 0);
        loop {
            let scanned = Referee::next_scan_bits(&alice);
            assert_eq!(scanned, Corrector::next_scan_bits(&bob));
            let comparison = bob.compare(&parities).unwrap();
            let passes = alice.schedule.passes().len();
            let step = alice.answer(&comparison.differs).unwrap();
            let schedule = &alice.schedule;
            let scans = schedule.passes().len() > passes || schedule.hunt().is_some();
            rounds += 1;
            quick += usize::from(scanned == 0);
            wrong += usize::from(scanned == 0 && (scans || step == Step::Finished));
            match step {
                Step::Parities(next) => parities = next,
                Step::Finished => break,
            }
        }
        let case = format!("{percent} %: {wrong} of {quick} of {rounds}");
        assert!(2 * quick > rounds && 20 * wrong <= quick, "{case}");
    }
}
