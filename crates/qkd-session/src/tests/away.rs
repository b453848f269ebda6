//! What happens to a block that is away at work.

use super::steps::Steps;
use super::{AbortReason, LIMITS, Outcome, Pair};
use crate::{Abort, AliceInput, BobInput, BobOutput, Error, Message, Time};

const ABORT: Abort = Abort {
    reason: AbortReason::VerificationFailed,
    observed: 0.0,
    limit: 0.0,
};

/// One block, up to the step in which Alice answers a comparison, which nobody has run.
fn away_at_alice() -> Steps {
    let mut steps = Steps::of(1, 1);
    steps.begin().expect("honest");
    let compared = |steps: &Steps| {
        let comparison = |(_, message): &(bool, Message)| message.name() == "comparison";
        steps.said.iter().any(comparison) && steps.alices_step(0).is_some()
    };
    steps.run_until(compared).expect("honest");
    steps
}

#[test]
fn an_inbox_takes_no_more_than_an_honest_peer_can_have_said() {
    let mut steps = away_at_alice();
    let said = |steps: &Steps| steps.said.last().expect("a comparison").1.clone();
    let comparison = said(&steps);
    assert_eq!(comparison.name(), "comparison");
    // Two parts of an announcement and an abort.
    for _ in 0..3 {
        let told = steps.alice(AliceInput::Message(comparison.clone()));
        assert_eq!(told, Ok(()));
    }
    let error = steps
        .alice(AliceInput::Message(comparison))
        .expect_err("a fourth one")
        .to_string();
    assert!(error.contains("unanswered messages is 4"), "{error}");
}

#[test]
fn an_abort_ends_a_block_that_is_away_as_soon_as_it_comes_back() {
    let mut steps = away_at_alice();
    let abort = Message::Abort {
        block: 0,
        abort: ABORT,
    };
    steps.alice(AliceInput::Message(abort)).expect("allowed");
    assert!(steps.pair.alice_reports.is_empty(), "it is away");
    let step = steps.alices_step(0).expect("it is away");
    steps.work(step).expect("an honest comparison");
    let step = steps.alices_step(0).expect("it has an abort to read");
    assert!(steps.work[step].1.is_short());
    steps.work(step).expect("allowed");
    let [report] = &steps.pair.alice_reports[..] else {
        panic!("{} reports", steps.pair.alice_reports.len());
    };
    assert_eq!(report.outcome, Outcome::Aborted(ABORT));
    // What Bob still says to it changes nothing.
    let words = steps.said.len();
    let (_, late) = steps.said.iter().rfind(|(alice, _)| !alice).expect("said");
    let late = late.clone();
    steps.alice(AliceInput::Message(late)).expect("allowed");
    assert_eq!((steps.said.len(), steps.alices_step(0)), (words, None));
    assert!(steps.pair.alice_keys.is_empty());
}

/// Bob may be faster at the last step: he then begins a block while Alice still has the one before.
/// She lets a block begin, and no second one.
#[test]
fn alice_waits_for_her_own_amplification_and_refuses_nobody_for_it() {
    let mut steps = Steps::of(3, 1);
    let mut later = steps.pair.detections();
    let blocks = later.len() / 3;
    steps
        .bob(BobInput::Demand { wanted: true })
        .expect("honest");
    let mut kept = Vec::new();
    for block in 0..3 {
        let mut detections = later;
        later = detections.split_off(blocks);
        let next_slot = detections.last_slot().map_or(0, |last| last + 1);
        let detections = BobInput::Detections {
            detections,
            next_slot,
        };
        steps.bob(detections).expect("honest");
        let ended_at_bob = |steps: &Steps| {
            let idle =
                steps.to_alice.is_empty() && steps.to_bob.is_empty() && steps.recalls.is_empty();
            steps.pair.bob_keys.len() > block || idle && steps.work.is_empty()
        };
        while !ended_at_bob(&steps) {
            let amplifying = steps
                .said
                .last()
                .is_some_and(|(_, said)| said.name() == "amplification");
            if amplifying && let Some(last_step) = steps.alices_step(block as u64) {
                kept.push(steps.work.swap_remove(last_step));
            } else if !steps.deliver().expect("honest") {
                steps.work(0).expect("honest");
            }
        }
    }
    assert_eq!((kept.len(), steps.pair.bob_keys.len()), (2, 2));
    assert_eq!(steps.pair.begun, [0, 1]);
    steps.work.push(kept.remove(0));
    steps.run_until(|_| false).expect("honest");
    assert_eq!(steps.pair.begun, [0, 1, 2]);
    steps.work.push(kept.remove(0));
    steps.run_until(|_| false).expect("honest");
    let keys = (steps.pair.alice_keys.len(), steps.pair.bob_keys.len());
    assert_eq!(keys, (3, 3));
}

/// Block 0's announcement made into one of `block`, whose slots follow those of the one before.
fn announcement(steps: &Steps, block: u64) -> Vec<Message> {
    let of_block_0 =
        |said: &&(bool, Message)| matches!(said.1, Message::Announcement { block: 0, .. });
    let parts = steps.said.iter().filter(of_block_0).map(|(_, part)| {
        let mut part = part.clone();
        if let Message::Announcement {
            block: number,
            first_slot,
            end_slot,
            ..
        } = &mut part
        {
            let slots = *end_slot - *first_slot;
            (*number, *first_slot, *end_slot) = (block, block * slots, (block + 1) * slots);
        }
        part
    });
    parts.collect()
}

/// Bob has a place again as soon as he aborts: what he begins in it may reach Alice before she has
/// run the step in which she reads the abort.
#[test]
fn an_abort_frees_a_place_at_once_and_no_liar_gains_by_it() {
    let mut steps = Steps::of(5, 1);
    steps
        .bob(BobInput::Demand { wanted: true })
        .expect("honest");
    let mut detections = steps.pair.detections();
    let _later = detections.split_off(detections.len() / 5);
    let next_slot = detections.last_slot().map_or(0, |last| last + 1);
    let detections = BobInput::Detections {
        detections,
        next_slot,
    };
    steps.bob(detections).expect("honest");
    let sifting = |steps: &Steps| {
        let disclosure = |(_, message): &(bool, Message)| message.name() == "disclosure";
        steps.said.iter().any(disclosure) && steps.alices_step(0).is_some()
    };
    steps.run_until(sifting).expect("honest");

    let abort = |block| {
        let abort = ABORT;
        AliceInput::Message(Message::Abort { block, abort })
    };
    let announce = |steps: &mut Steps, block| {
        let parts = announcement(steps, block).into_iter();
        let mut parts = parts.map(AliceInput::Message);
        parts.try_for_each(|part| steps.alice(part))
    };
    steps.alice(abort(0)).expect("allowed");
    assert_eq!(announce(&mut steps, 1), Ok(()), "Bob has a place again");
    let refused = announce(&mut steps, 2).expect_err("but one").to_string();
    assert!(refused.contains("expected at most 1"), "{refused}");

    // A liar aborts what she has not even read.
    steps.alice(abort(1)).expect("allowed");
    assert_eq!(announce(&mut steps, 2), Ok(()));
    steps.alice(abort(2)).expect("allowed");
    let refused = announce(&mut steps, 3).expect_err("too many").to_string();
    assert!(refused.contains("expected at most 3"), "{refused}");

    // All of it ends once she has the time.
    while let Some(step) = steps.work.iter().position(|(alices, _)| *alices) {
        steps.work(step).expect("allowed");
    }
    let ended = steps.pair.alice_reports.iter();
    let mut ended: Vec<_> = ended.map(|report| (report.block, report.outcome)).collect();
    ended.sort_unstable_by_key(|(block, _)| *block);
    assert_eq!(
        ended,
        [0, 1, 2].map(|block| (block, Outcome::Aborted(ABORT)))
    );
    assert_eq!(announce(&mut steps, 3), Ok(()), "and there is room again");
}

#[test]
fn a_step_of_another_session_is_the_callers_mistake() {
    let mut steps = away_at_alice();
    let (_, work) = steps.work.remove(0);
    let mut other = Pair::one_block(0.01);
    let worked = AliceInput::Worked(work.run());
    let refused = other.alice.handle(Time(0), worked).err();
    assert!(
        matches!(refused, Some(Error::Misuse { .. })),
        "{refused:?} (limits {LIMITS:?})"
    );
    let demand = BobInput::Demand { wanted: true };
    other.bob.handle(Time(0), demand).expect("honest");
    let detections = BobInput::Detections {
        detections: other.detections(),
        next_slot: other.end_of_clicks(),
    };
    for output in other.bob.handle(Time(0), detections).expect("honest") {
        if let BobOutput::Work(work) = output {
            let worked = AliceInput::Worked(work.run());
            let refused = other.alice.handle(Time(0), worked);
            assert!(matches!(refused, Err(Error::Misuse { .. })));
        }
    }
}
