//! Many inputs that share one commit: all of them are durable, or none of them was ever heard of.

use qkd_keystore::invariants::Event;
use qkd_keystore::{Alarm, Fault, Health, Input, Output, RequestError, Side, StoreMessage};

use crate::world::{World, fetch, request, sae};

const SIXTEEN: std::ops::Range<u64> = 100..116;

fn ask(ticket: u64) -> Input {
    Input::Request {
        ticket,
        request: request(1, 128),
    }
}

/// A connected world with room for many keys.
fn world() -> World {
    let mut world = World::connected();
    world.commit_block(1, 16_384);
    world
}

/// Hands a store what is on its way to it, without committing.
fn stage_all(world: &mut World, side: Side) {
    while let Some(message) = world.in_flight(side).pop_front() {
        let staged = world.node(side).store.stage(Input::Message(message));
        assert_eq!(staged, Ok(()));
    }
}

#[test]
fn sixteen_requests_cost_three_commits_and_their_fetches_one() {
    let mut world = world();
    let commits =
        |world: &mut World| [Side::Alice, Side::Bob].map(|side| world.node(side).disk.commits());
    let before = commits(&mut world);
    world.hold(true);
    for ticket in SIXTEEN {
        world.input(Side::Alice, ask(ticket));
    }
    assert_eq!(commits(&mut world), before, "nothing is written yet");
    assert!(world.in_flight(Side::Bob).is_empty(), "and nothing said");
    world.flush(Side::Alice);
    for side in [Side::Bob, Side::Alice] {
        stage_all(&mut world, side);
        world.flush(side);
    }
    assert_eq!(commits(&mut world), [before[0] + 2, before[1] + 1]);
    let answers = world.node(Side::Alice).answers.clone();
    let ids: Vec<_> = SIXTEEN
        .map(|ticket| answers[&ticket].clone().unwrap()[0])
        .collect();

    let before = commits(&mut world);
    let bob = &mut world.node(Side::Bob).store;
    for (ticket, id) in ids.iter().enumerate() {
        let fetch = fetch("slave", &[*id]);
        let ticket = ticket as u64;
        bob.stage(Input::Fetch { ticket, fetch }).unwrap();
    }
    // The same key again in the same batch: it has gone.
    let again = fetch("slave", &ids[..1]);
    bob.stage(Input::Fetch {
        ticket: 99,
        fetch: again,
    })
    .unwrap();
    let mut answered = 0;
    for output in bob.commit() {
        match output {
            Output::Answer { ticket: 99, result } => {
                assert_eq!(result.err(), Some(RequestError::NotFound));
            }
            Output::Answer { ticket, result } => {
                let keys = result.unwrap();
                assert_eq!(keys[0].key_id, ids[ticket as usize]);
                answered += 1;
            }
            Output::Send(_)
            | Output::Committed { .. }
            | Output::Discarded { .. }
            | Output::Alarm(_) => panic!("only answers were asked for"),
        }
    }
    assert_eq!(answered, 16);
    assert_eq!(commits(&mut world), [before[0], before[1] + 1]);
}

#[test]
fn a_crash_before_the_commit_loses_the_whole_batch_and_answers_none_of_it() {
    let mut world = world();
    let before = world.node(Side::Alice).disk.snapshot();
    world.hold(true);
    for ticket in SIXTEEN {
        world.input(Side::Alice, ask(ticket));
    }
    world.distil(Side::Bob, 2, 512);
    world.crash(Side::Alice);
    world.crash(Side::Bob);
    world.hold(false);
    assert!(world.node(Side::Alice).answers.is_empty());
    assert!(world.in_flight(Side::Bob).is_empty());
    assert_eq!(world.status(Side::Bob).undecided_blocks, 0);
    let after = world.node(Side::Alice).disk.snapshot();
    let places =
        |snapshot: &qkd_keystore::Snapshot| snapshot.records().keys().cloned().collect::<Vec<_>>();
    assert_eq!(places(&before), places(&after));
    assert_eq!(world.status(Side::Alice).available_bits, 8192);
    world.check_healed();
}

#[test]
fn a_batch_that_cannot_be_made_durable_seals_and_gives_nobody_anything() {
    for fault in [Fault::Lost, Fault::KeptButReported] {
        let mut world = world();
        let open = world.request(Side::Bob, request(1, 256));
        let ids = world.ask(Side::Alice, request(1, 256)).unwrap();
        let open_again = world.request(Side::Bob, request(1, 256));
        let bob = world.node(Side::Bob);
        bob.disk.fail_after(0, fault);
        bob.store.stage(ask(1000)).unwrap();
        let fetch = fetch("slave", &ids);
        bob.store
            .stage(Input::Fetch {
                ticket: 1001,
                fetch,
            })
            .unwrap();
        let mut refused = Vec::new();
        let mut alarms = 0;
        for output in bob.store.commit() {
            match output {
                Output::Answer { ticket, result } => {
                    assert_eq!(result.err(), Some(RequestError::Sealed), "{fault:?}");
                    refused.push(ticket);
                }
                Output::Alarm(alarm) => {
                    assert!(matches!(alarm, Alarm::StorageFailed(_)));
                    alarms += 1;
                }
                Output::Send(_) | Output::Committed { .. } | Output::Discarded { .. } => {
                    panic!("{fault:?}: it went on")
                }
            }
        }
        assert!(bob.answers.contains_key(&open));
        refused.sort_unstable();
        assert_eq!((refused, alarms), (vec![open_again, 1000, 1001], 1));
        assert_eq!(bob.store.status().health, Health::Sealed);
        assert_eq!(bob.store.commit().len(), 0, "it is said once");
        world.see(Event::FetchUnanswered {
            side: Side::Bob,
            caller: sae("slave"),
            key_ids: ids.clone(),
        });
        world.crash(Side::Bob);
        // Whether the fetch was kept or lost, at most one of both may give the key.
        let kept = fault == Fault::KeptButReported;
        let again = world.fetch(Side::Bob, "slave", &ids);
        assert_eq!(again.is_err(), kept, "{fault:?}");
        world.check_healed();
    }
}

#[test]
fn what_was_staged_for_a_link_that_has_ended_is_not_said_on_the_next() {
    let mut world = world();
    world.hold(true);
    world.input(Side::Alice, ask(1));
    world.disconnect();
    world.connect();
    world.hold(false);
    let said = world.in_flight(Side::Bob);
    assert_eq!(said.len(), 1);
    assert!(matches!(said[0], StoreMessage::Resume(_)));
    let answers = &world.node(Side::Alice).answers;
    assert_eq!(answers[&1], Err(RequestError::PeerUnavailable));
    world.settle();
    world.check_healed();
}
