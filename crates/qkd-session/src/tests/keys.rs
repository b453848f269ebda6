//! What becomes of whole blocks: a key on both sides, or a reason why not.

use std::collections::VecDeque;

use qkd_optics::Detections;

use super::{LIMITS, Pair, Tamper, clicks, honest, setup};
use crate::{AbortReason, AliceInput, BobInput, Message, Time};

#[test]
fn an_honest_pair_gets_the_same_key_check_and_refresh_of_each_block_and_the_length_fixed_before() {
    let setup = setup();
    let number = 2 * setup.plan.detections as usize;
    let mut pair = Pair::new(clicks(&setup, number, 0.01, 1), LIMITS, LIMITS);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    assert_eq!((pair.alice_keys.len(), pair.bob_keys.len()), (2, 2));
    assert_eq!(pair.begun, [0, 1]);
    for (alice, bob) in pair.alice_keys.iter().zip(&pair.bob_keys) {
        assert_eq!((alice.block, alice.check), (bob.block, bob.check));
        assert!(alice.key.expose() == bob.key.expose());
        assert!(alice.refresh.expose() == bob.refresh.expose());
        assert_eq!(alice.refresh.len(), 32);
        let paid = alice.key.len() as u64 + 256 + 64;
        assert_eq!(paid, setup.plan.acceptance.secret_length_bits);
    }
    let [first, second] = [&pair.alice_keys[0], &pair.alice_keys[1]];
    assert!(first.key.expose() != second.key.expose());
    for (alice, bob) in pair.alice_reports.iter().zip(&pair.bob_reports) {
        assert_eq!(alice.statistics, bob.statistics);
        assert_eq!(alice.leakage, bob.leakage);
        assert_eq!(alice.outcome, bob.outcome);
    }
}

/// The order that the proof demands: Bob is committed, then Alice discloses, and the seed comes
/// after the verdict on the keys.
#[test]
fn alice_discloses_after_the_whole_announcement_and_draws_the_seed_after_the_verification() {
    let mut pair = Pair::one_block(0.01);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    let place = |name: &str, last: bool| {
        let mut places = (0..pair.said.len()).filter(|&i| pair.said[i].1.name() == name);
        let place = if last {
            places.next_back()
        } else {
            places.next()
        };
        place.unwrap_or_else(|| panic!("no {name}"))
    };
    assert!(
        place("announcement", true) > place("announcement", false),
        "one part shows nothing"
    );
    assert!(place("announcement", true) < place("disclosure", false));
    assert!(place("disclosure", true) < place("reconciliation plan", false));
    assert!(place("reconciliation plan", false) < place("parities", false));
    assert!(place("comparison", true) < place("verification", false));
    assert!(place("verified", false) < place("amplification", false));
}

#[test]
fn too_many_errors_abort_on_both_sides_before_a_parity_is_told() {
    let mut pair = Pair::one_block(0.06);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    pair.check_aborted(AbortReason::QberTooHigh);
    assert!(
        pair.said
            .iter()
            .all(|(_, message)| message.name() != "parities")
    );
}

#[test]
fn a_wrong_tag_or_a_false_parity_ends_in_failed_verification_and_no_key() {
    let lies: [Tamper; 2] = [
        |_, message| {
            if let Message::Verification { tag, .. } = message {
                tag[15] ^= 0x80;
            }
        },
        |_, message| {
            if let Message::Parities { bits, round: 0, .. } = message {
                bits.flip(0);
            }
        },
    ];
    for lie in lies {
        let mut pair = Pair::one_block(0.01);
        pair.run(pair.end_of_clicks(), lie).unwrap();
        pair.check_aborted(AbortReason::VerificationFailed);
        // What was said stays said, and the run has spent its budget.
        let said = |of: fn(&Message) -> usize| {
            let bits = pair.said.iter().map(|(_, message)| of(message) as u64);
            bits.sum::<u64>()
        };
        let parities = said(|message| {
            if let Message::Parities { bits, .. } = message {
                bits.len()
            } else {
                0
            }
        });
        let comparisons = said(|message| {
            if let Message::Comparison { bits, .. } = message {
                bits.len()
            } else {
                0
            }
        });
        for report in pair.alice_reports.iter().chain(&pair.bob_reports) {
            let counted = report.leakage;
            assert_eq!(counted.from_alice_bits, parities);
            assert_eq!(counted.from_bob_bits, comparisons);
            assert_eq!(counted.verification_tag_bits, 128);
            assert_eq!(counted.verification_outcome_bits, 1);
        }
        assert_eq!(pair.begun, [0]);
    }
}

#[test]
fn a_block_on_a_dead_fibre_ends_at_its_last_slot_with_too_few_detections() {
    let setup = setup();
    let plan = &setup.plan;
    for number in [0, 5, plan.detections as usize - 1] {
        let mut pair = Pair::new(clicks(&setup, number, 0.01, 3), LIMITS, LIMITS);
        pair.run(plan.slots_max - 1, honest).unwrap();
        assert!(pair.bob_reports.is_empty(), "closed too early");
        let outputs = pair.bob.handle_at_once(
            Time(0),
            BobInput::Detections {
                detections: Detections::default(),
                next_slot: plan.slots_max,
            },
        );
        let announced = pair.bob_did(outputs.unwrap());
        assert!(
            announced.iter().all(|(_, message)| matches!(
                message,
                Message::Announcement { block: 0, first_slot: 0, end_slot, .. }
                    if *end_slot == plan.slots_max
            )) && !announced.is_empty(),
            "{number} detections"
        );
        let mut queue: VecDeque<_> = announced.into();
        while let Some((from_alice, message)) = queue.pop_front() {
            queue.extend(if from_alice {
                let outputs = pair.bob.handle_at_once(Time(0), BobInput::Message(message));
                pair.bob_did(outputs.unwrap())
            } else {
                let outputs = pair
                    .alice
                    .handle_at_once(Time(0), AliceInput::Message(message));
                pair.alice_did(outputs.unwrap()).unwrap()
            });
        }
        pair.check_aborted(AbortReason::TooFewDetections);
    }
}
