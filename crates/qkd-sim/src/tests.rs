//! The whole link in a table: what must come out of each channel and each attack.

mod account;
mod attacks;
mod countermeasures;

use qkd_session::{AbortReason, Outcome as Ended};

use crate::{Eve, FrameLoss, Link, Outcome, presets};

/// What a link must do.
enum Expect {
    /// Every block gives a key, the same on both sides.
    Key,
    /// Every block aborts for this reason, on both sides.
    Abort(AbortReason),
}

fn check(link: &Link, expect: &Expect) -> Outcome {
    let outcome = link.run().expect("the link can be built");
    let seed = link.seed;
    assert_eq!(outcome.alice.len() as u64, link.blocks, "seed {seed}");
    for (alice, bob) in outcome.alice.iter().zip(&outcome.bob) {
        assert_eq!(
            (alice.block, &alice.outcome),
            (bob.block, &bob.outcome),
            "seed {seed}"
        );
        assert_eq!(alice.sifted_bits, bob.sifted_bits, "seed {seed}");
        match (expect, &bob.outcome) {
            (Expect::Key, Ended::Key { secret_length_bits }) => {
                assert!(*secret_length_bits > 0, "seed {seed}");
            }
            (Expect::Abort(reason), Ended::Aborted(abort)) => {
                assert_eq!(abort.reason, *reason, "seed {seed}: {bob:?}");
            }
            (_, other) => panic!("seed {seed}: block {} ended in {other:?}", bob.block),
        }
    }
    let secret_bits: u64 = outcome
        .bob
        .iter()
        .map(|report| report.secret_length_bits())
        .sum();
    let delivered_bits = 256 * outcome.keys.len() as u64;
    // Each block is divided by direction, and each direction's last bits make no whole key.
    assert!(
        delivered_bits <= secret_bits && secret_bits < delivered_bits + 2 * 256 + 16 * link.blocks,
        "seed {seed}: {delivered_bits} of {secret_bits} bits were delivered"
    );
    assert!(
        outcome.keys.iter().all(|pair| pair.agrees()),
        "seed {seed}: delivered keys differ"
    );
    account::audit(link, &outcome);
    outcome
}

/// A short block, for what does not depend on its size.
fn short(distance_km: f64, seed: u64) -> Link {
    let mut link = presets::snspd(distance_km, seed).expect("the preset is sound");
    link.block_bits = 200_000;
    link
}

#[test]
fn an_honest_link_gives_equal_keys_at_every_distance() {
    for distance_km in [0.0, 25.0, 50.0] {
        let mut link = short(distance_km, 11);
        link.blocks = 2;
        let outcome = check(&link, &Expect::Key);
        assert_eq!(outcome.lost_slots, 0);
        let qber = outcome.bob[0].qber.expect("a block with a key has a QBER");
        // e_d = 1 %, 2·10⁵ bits: σ = 2.2·10⁻⁴; double clicks raise the mean a little.
        assert!(
            (0.0085..0.0125).contains(&qber),
            "{distance_km} km: QBER {qber}"
        );
    }
}

#[test]
fn equal_seeds_give_equal_transcripts_and_other_seeds_others() {
    let digest = |seed| {
        short(25.0, seed)
            .run()
            .expect("the link can be built")
            .transcript
            .digest()
    };
    let first = digest(3);
    assert_eq!(first, digest(3));
    assert_ne!(first, digest(4));
}

/// QBER = f/4 + (1 − f/2)·e₀ when Eve measures and resends a fraction f of what Bob detects.
#[test]
fn intercept_resend_raises_the_qber_as_theory_says_and_every_block_aborts() {
    let honest = short(25.0, 21).run().expect("the link can be built");
    let e0 = honest.bob[0]
        .statistics
        .expect("the honest block was counted")
        .test
        .qber();
    for fraction in [0.1, 0.5, 1.0] {
        let mut link = short(25.0, 22);
        link.attack = Some(Eve::at_bobs_door(format!("intercept-resend:{fraction}")));
        let outcome = check(&link, &Expect::Abort(AbortReason::QberTooHigh));
        let report = &outcome.bob[0];
        let qber = report.qber.expect("the test basis was counted");
        let expected = fraction / 4.0 + (1.0 - fraction / 2.0) * e0;
        // 315,000 detections, 4 % of them in the test basis on both sides.
        let tested = 0.04 * report.detections as f64;
        let sigma = (2.0 * expected * (1.0 - expected) / tested).sqrt();
        assert!(
            (qber - expected).abs() < 5.0 * sigma,
            "f = {fraction}: {qber} against {expected}"
        );
    }
}

#[test]
fn lost_frames_cost_time_and_nothing_else() {
    let bursts = FrameLoss::Bursts {
        arriving: 70,
        lost: 30,
    };
    for loss in [FrameLoss::Random(0.3), bursts] {
        let mut link = short(25.0, 31);
        link.frame_loss = loss;
        let outcome = check(&link, &Expect::Key);
        let share = outcome.lost_slots as f64 / outcome.slots as f64;
        assert!(
            (0.25..0.35).contains(&share),
            "{loss:?}: {share} of the slots were lost"
        );
    }
}

#[test]
fn a_link_far_worse_than_planned_ends_in_too_few_detections() {
    let mut link = short(25.0, 41);
    link.frame_loss = FrameLoss::Random(0.95);
    check(&link, &Expect::Abort(AbortReason::TooFewDetections));
}

#[test]
fn a_link_too_long_for_its_block_aborts_with_zero_length() {
    let mut link = presets::snspd(50.0, 51).expect("the preset is sound");
    link.block_bits = 20_000;
    check(&link, &Expect::Abort(AbortReason::ZeroLength));
}
