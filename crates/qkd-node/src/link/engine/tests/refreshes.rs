//! Refreshes of the authentication keys while blocks come faster than round trips.

use super::super::refresh::{REFRESHES_KEPT_MAX, REFRESHES_WAITING_MAX};
use super::*;

/// Has both ends commit a block, and gives what Alice says.
fn commit(alice: &mut LinkEngine, bob: &mut LinkEngine, number: u64) -> Vec<LinkEffect> {
    refresh_bits(alice, number, number as u8);
    refresh_bits(bob, number, number as u8);
    assert!(
        handle(bob, Time(0), committed(block(number)))
            .unwrap()
            .is_empty()
    );
    handle(alice, Time(0), committed(block(number))).unwrap()
}

/// Lets both talk until they are silent.
fn talk(mut said: Vec<LinkEffect>, alice: &mut LinkEngine, bob: &mut LinkEngine) {
    while !said.is_empty() {
        let answers = deliver(said, bob).unwrap();
        said = deliver(answers, alice).unwrap();
    }
}

#[test]
fn commits_during_a_refresh_leave_few_of_their_bits_and_the_keys_are_still_refreshed() {
    let (mut alice, mut bob) = pair();
    let rekey = commit(&mut alice, &mut bob, 0);
    for number in 1..=200 {
        assert!(commit(&mut alice, &mut bob, number).is_empty());
        assert!(alice.committed.len() <= REFRESHES_WAITING_MAX);
    }
    talk(rekey, &mut alice, &mut bob);
    assert_eq!((epochs(&alice), epochs(&bob)), ((5, 5), (5, 5)));
    for engine in [&alice, &bob] {
        assert!(engine.committed.is_empty() && engine.distilled.is_empty());
    }
    let rekey = commit(&mut alice, &mut bob, 201);
    talk(rekey, &mut alice, &mut bob);
    assert_eq!((epochs(&alice), epochs(&bob)), ((6, 6), (6, 6)));
    check_alive(&mut alice, &mut bob);
}

#[test]
fn a_peer_that_never_refreshes_does_not_make_bob_keep_its_blocks() {
    let (mut alice, mut bob) = pair();
    let last = 3 * REFRESHES_KEPT_MAX as u64;
    for number in 0..=last {
        refresh_bits(&mut bob, number, 7);
        handle(&mut bob, Time(0), committed(block(number))).unwrap();
        assert!(bob.committed.len() <= REFRESHES_KEPT_MAX);
    }
    assert!(bob.distilled.is_empty());
    refresh_bits(&mut alice, last, 7);
    let rekey = handle(&mut alice, Time(0), committed(block(last))).unwrap();
    talk(rekey, &mut alice, &mut bob);
    assert_eq!((epochs(&alice), epochs(&bob)), ((1, 1), (1, 1)));
}

#[test]
fn a_commit_that_a_refresh_has_overtaken_begins_none() {
    let (mut alice, mut bob) = pair();
    for number in 0..2 {
        refresh_bits(&mut alice, number, 7);
        refresh_bits(&mut bob, number, 7);
    }
    let rekey = handle(&mut alice, Time(0), committed(block(1))).unwrap();
    talk(rekey, &mut alice, &mut bob);
    // Bob's store may also be the slower one.
    for number in [1, 0] {
        assert!(
            handle(&mut bob, Time(0), committed(block(number)))
                .unwrap()
                .is_empty()
        );
    }
    assert!(
        handle(&mut alice, Time(0), committed(block(0)))
            .unwrap()
            .is_empty()
    );
    assert_eq!((epochs(&alice), epochs(&bob)), ((1, 1), (1, 1)));
    for engine in [&alice, &bob] {
        assert!(engine.committed.is_empty() && engine.distilled.is_empty());
    }
}
