//! What neither the peer nor the caller can make an engine do.

use qkd_optics::{Detections, SlotList};

use super::{LIMITS, Pair, clicks, honest, setup};
use crate::{AliceInput, BobInput, Error, Message, SessionLimits, Time};

#[test]
fn bob_begins_no_block_beyond_his_limits_however_much_light_and_time_there_is() {
    let setup = setup();
    let number = 3 * setup.plan.detections as usize;
    for (limits, blocks) in [
        (
            SessionLimits {
                blocks_max: Some(1),
                ..LIMITS
            },
            1,
        ),
        (LIMITS, 2),
    ] {
        let mut pair = Pair::new(clicks(&setup, number, 0.01, 4), LIMITS, limits);
        let inputs = [
            BobInput::Demand { wanted: true },
            BobInput::Detections {
                detections: pair.detections(),
                next_slot: 10 * setup.plan.slots_max,
            },
        ];
        let mut said = Vec::new();
        for input in inputs {
            let outputs = pair.bob.handle_at_once(Time(0), input).unwrap();
            said.extend(pair.bob_did(outputs));
        }
        let last = said.iter().filter_map(|(_, message)| message.block()).max();
        assert_eq!(last, Some(blocks - 1));
        assert_eq!(
            said.last(),
            Some(&(false, Message::Transmission { wanted: false }))
        );
        assert_eq!(
            pair.bob.progress().detections,
            0,
            "detections of no block are kept"
        );
    }
}

#[test]
fn alice_refuses_more_blocks_at_once_than_she_takes() {
    let setup = setup();
    let number = 2 * setup.plan.detections as usize;
    let one = SessionLimits {
        blocks_in_flight_max: 1,
        ..LIMITS
    };
    let mut pair = Pair::new(clicks(&setup, number, 0.01, 5), one, LIMITS);
    let (at_alice, error) = pair.run(pair.end_of_clicks(), honest).unwrap_err();
    assert!(
        at_alice && error.to_string().contains("expected at most 1"),
        "{error}"
    );
    assert!(pair.alice_keys.is_empty() && pair.bob_keys.is_empty());
}

#[test]
fn an_ended_block_is_not_touched_by_what_comes_late() {
    let mut pair = Pair::one_block(0.01);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    let said = std::mem::take(&mut pair.said);
    for (from_alice, message) in said {
        if message.block().is_none() || message.name() == "announcement" {
            continue;
        }
        let silent = if from_alice {
            let outputs = pair.bob.handle_at_once(Time(0), BobInput::Message(message));
            outputs.unwrap().is_empty()
        } else {
            let outputs = pair
                .alice
                .handle_at_once(Time(0), AliceInput::Message(message));
            outputs.unwrap().is_empty()
        };
        assert!(silent);
    }
    assert_eq!((pair.alice_keys.len(), pair.bob_keys.len()), (1, 1));
}

#[test]
fn a_slot_is_never_announced_twice() {
    let mut pair = Pair::one_block(0.01);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    let first = |said: &&(bool, Message)| said.1.name() == "announcement";
    let (_, mut again) = pair.said.iter().find(first).unwrap().clone();
    if let Message::Announcement { block, .. } = &mut again {
        *block = 1;
    }
    let refused = pair
        .alice
        .handle_at_once(Time(0), AliceInput::Message(again));
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("range of slots"), "{error}");
}

#[test]
fn what_no_block_waits_for_is_the_callers_mistake() {
    let mut pair = Pair::one_block(0.01);
    let recalled = AliceInput::Recalled {
        block: 0,
        record: pair.record(&SlotList::default()),
    };
    let refused = pair.alice.handle_at_once(Time(0), recalled);
    assert!(matches!(refused, Err(Error::Misuse { block: 0, .. })));
    let detections = |next_slot| BobInput::Detections {
        detections: Detections::default(),
        next_slot,
    };
    assert!(pair.bob.handle_at_once(Time(0), detections(100)).is_ok());
    let refused = pair.bob.handle_at_once(Time(0), detections(99));
    assert!(matches!(refused, Err(Error::Misuse { .. })));
}
