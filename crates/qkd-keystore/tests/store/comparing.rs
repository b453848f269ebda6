//! Copies of keys that are compared, and thrown away when they differ.

use std::collections::BTreeSet;

use qkd_keystore::invariants::Event;
use qkd_keystore::{Alarm, Error, Input, KeyRange, RequestError, Side, StoreLimits, StoreMessage};

use crate::world::{World, block, key_of, request};

const SIDES: [Side; 2] = [Side::Alice, Side::Bob];

/// Bytes of a comparison's pad.
const PAD: u64 = 16;

fn limits() -> StoreLimits {
    StoreLimits {
        compare_every_s: 100,
        ..StoreLimits::default()
    }
}

/// Two connected stores that compare when they are told the time.
fn connected() -> World {
    let mut world = World::new(limits());
    world.connect();
    world.settle();
    world
}

/// It is `unix_s` at both, and all that comes of it is said.
fn at(world: &mut World, unix_s: u64) {
    for side in SIDES {
        world.input(side, Input::Time { unix_s });
    }
    world.settle();
}

/// A block that both commit, of which one bit differs at Bob.
fn commit_altered(world: &mut World, number: u64, bits: usize, bit: usize) {
    world.distil(Side::Alice, number, bits);
    let mut key = key_of(number, bits).to_secret_bytes();
    key.expose_mut()[bit / 8] ^= 1 << (bit % 8);
    let altered = qkd_bits::BitString::from_bytes(key.expose(), bits).unwrap();
    world.input(
        Side::Bob,
        Input::Distilled {
            block: block(number),
            key: altered.into(),
            check: number.to_be_bytes(),
        },
    );
    world.settle();
}

/// The blocks that both sides say they threw away.
fn differing(world: &World) -> [BTreeSet<u64>; 2] {
    SIDES.map(|side| {
        let alarms = world.nodes[side as usize].alarms.iter();
        let blocks = alarms.filter_map(|alarm| match alarm {
            Alarm::CopiesDiffer { block, .. } => Some(block.block),
            _ => None,
        });
        blocks.collect()
    })
}

#[test]
fn equal_copies_stay_and_a_comparison_costs_sixteen_bytes() {
    let mut world = connected();
    for number in 1..=3 {
        world.commit_block(number, 4096);
    }
    let share = 3 * 4096 / 2 / 8;
    at(&mut world, 1000);
    for side in SIDES {
        let status = world.status(side);
        assert_eq!(status.available_bits / 8, share - PAD);
        assert_eq!(status.peer_available_bits / 8, share - PAD);
        assert_eq!(status.compared_bytes, share - PAD);
        assert_eq!(status.differing_blocks, 0);
    }
    // Not before the time has come, also on another link.
    world.disconnect();
    world.connect();
    at(&mut world, 1099);
    assert_eq!(world.status(Side::Bob).compared_bytes, share - PAD);
    at(&mut world, 1100);
    assert_eq!(
        world.status(Side::Bob).compared_bytes,
        2 * (share - PAD) - PAD
    );
    // Keys are made of what is left, and a store that is opened again compares at once.
    let ids = world.ask(Side::Alice, request(2, 256)).unwrap();
    assert!(world.fetch(Side::Bob, "slave", &ids).is_ok());
    world.crash(Side::Bob);
    world.connect();
    world.settle();
    at(&mut world, 1101);
    assert!(world.status(Side::Bob).compared_bytes > 0);
    world.check_healed();
}

#[test]
fn whichever_bit_differs_its_block_is_thrown_away_on_both_sides_and_no_other() {
    // What the comparisons themselves spend, at the beginning of a share, is burnt either way.
    for (number, bit) in [
        (1, 1000),
        (5, 2047),
        (5, 3500),
        (9, 4095),
        (7, 300),
        (7, 3000),
    ] {
        let mut world = connected();
        for other in 1..=9 {
            if other == number {
                commit_altered(&mut world, number, 4096, bit);
            } else {
                world.commit_block(other, 4096);
            }
        }
        at(&mut world, 1000);
        assert_eq!(differing(&world), [[number].into(), [number].into()]);
        for side in SIDES {
            let status = world.status(side);
            assert_eq!(status.committed_blocks, 8);
            assert_eq!(status.differing_blocks, 1);
        }
        while world.ask(Side::Alice, request(1, 256)).is_ok() {}
        while world.ask(Side::Bob, request(1, 256)).is_ok() {}
        // Whoever fetches has the same keys as whoever asked.
        world.check_healed();
    }
}

#[test]
fn keys_of_a_block_that_differs_do_not_leave_any_more() {
    let mut world = connected();
    commit_altered(&mut world, 1, 4096, 4095);
    world.commit_block(2, 4096);
    // One key of Alice's share waits at Bob, and one of Bob's is on its way to Alice.
    let ids = world.ask(Side::Alice, request(1, 256)).unwrap();
    let ticket = world.request(Side::Bob, request(1, 256));
    world.input(Side::Alice, Input::Time { unix_s: 1000 });
    world.input(Side::Bob, Input::Time { unix_s: 1000 });
    world.settle();
    assert_eq!(differing(&world), [[1].into(), [1].into()]);
    assert_eq!(world.status(Side::Bob).assigned_count, 0);
    let again = world
        .node(Side::Bob)
        .store
        .fetch(&crate::world::fetch("slave", &ids));
    assert_eq!(again.err(), Some(RequestError::NotFound));
    // It was answered before the difference was found; at Alice it is gone.
    assert!(world.node(Side::Bob).answers.contains_key(&ticket));
    assert_eq!(world.status(Side::Alice).assigned_count, 0);
    for side in SIDES {
        assert_eq!(world.status(side).pending_requests, 0);
    }
}

#[test]
fn a_link_that_breaks_at_any_message_leaves_both_with_the_same_bits() {
    for messages in 0..24 {
        let mut world = connected();
        for number in 1..=4 {
            if number == 2 {
                commit_altered(&mut world, number, 2048, 1500);
            } else {
                world.commit_block(number, 2048);
            }
        }
        for side in SIDES {
            world.input(side, Input::Time { unix_s: 1000 });
        }
        for message in 0..messages {
            world.deliver_message(SIDES[message % 2]);
        }
        if messages % 3 == 0 {
            world.crash(SIDES[messages % 2]);
        }
        world.disconnect();
        world.connect();
        world.settle();
        at(&mut world, 1200);
        assert_eq!(world.status(Side::Alice).committed_blocks, 3, "{messages}");
        assert_eq!(world.status(Side::Bob).committed_blocks, 3, "{messages}");
        // Pads are seen by the checker: none comes twice.
        world.check_healed();
    }
}

#[test]
fn who_breaks_the_link_again_and_again_burns_one_pad_of_each_side_in_a_round() {
    let mut world = connected();
    for number in 1..=3 {
        world.commit_block(number, 4096);
    }
    let share = 3 * 4096 / 2 / 8;
    for _ in 0..40 {
        for side in SIDES {
            world.input(side, Input::Time { unix_s: 1000 });
        }
        // Before any answer.
        world.disconnect();
        world.connect();
        world.settle();
    }
    for side in SIDES {
        assert_eq!(world.status(side).available_bits / 8, share - PAD);
        assert_eq!(world.status(side).compared_bytes, 0);
    }
    at(&mut world, 1100);
    for side in SIDES {
        assert_eq!(world.status(side).compared_bytes, share - 2 * PAD);
    }
    world.check_healed();
}

#[test]
fn a_store_that_gets_no_more_blocks_is_compared_ever_less_often() {
    let mut world = connected();
    for number in 1..=2 {
        world.commit_block(number, 8192);
    }
    let share = 2 * 8192 / 2 / 8;
    let spent = |world: &World, blocks: u64| {
        share + blocks * 512 - world.status(Side::Alice).available_bits / 8
    };
    // Rounds are at 1000, 1100, 1300, 1700, 2500 …
    for (unix_s, rounds) in [
        (1000, 1),
        (1100, 2),
        (1299, 2),
        (1300, 3),
        (1699, 3),
        (1700, 4),
    ] {
        at(&mut world, unix_s);
        assert_eq!(spent(&world, 0), rounds * PAD, "at {unix_s}");
    }
    // A new block brings the interval back.
    world.commit_block(3, 8192);
    for (unix_s, rounds) in [(1799, 4), (1800, 5), (1900, 6)] {
        at(&mut world, unix_s);
        assert_eq!(spent(&world, 1), rounds * PAD, "at {unix_s}");
    }
    world.check_healed();
}

#[test]
fn a_pad_is_taken_from_a_share_that_was_used_before_if_there_is_one() {
    let mut world = connected();
    // One more than is compared at once.
    for number in 1..=257 {
        world.commit_block(number, 1024);
    }
    at(&mut world, 1000);
    // What is left of Bob's oldest share goes out.
    world.ask(Side::Bob, request(1, 8 * (64 - 16))).unwrap();
    world.input(Side::Bob, Input::Time { unix_s: 1100 });
    let Some(StoreMessage::Compare(question)) = world.in_flight(Side::Alice).pop_back() else {
        panic!("Bob asks");
    };
    assert_eq!(question.ranges.len(), 256);
    let pad = question.pad.keys[0].ranges[0];
    assert_eq!(
        pad.block,
        block(257),
        "the first of the other group of the round before"
    );
}

#[test]
fn when_copies_of_too_many_blocks_differ_both_stores_are_quarantined_and_keep_the_rest() {
    let mut world = connected();
    for number in 1..=40 {
        commit_altered(&mut world, number, 2048, 2000);
    }
    world.see(Event::Tampered { side: Side::Bob });
    for side in SIDES {
        world.input(side, Input::Time { unix_s: 1000 });
    }
    world.settle();
    for side in SIDES {
        assert!(world.is_quarantined(side), "{side}");
        let status = world.status(side);
        assert!(status.differing_blocks <= 16, "{side}");
        assert!(status.committed_blocks >= 24, "{side}");
    }
    let most = SIDES.map(|side| world.status(side).differing_blocks);
    assert!(most.contains(&16));
}

#[test]
fn what_is_too_short_to_be_compared_is_burnt_when_it_is_suspect() {
    let mut world = connected();
    // Shares of 14 bytes are compared with others only.
    commit_altered(&mut world, 1, 224, 223);
    world.commit_block(2, 4096);
    at(&mut world, 1000);
    assert_eq!(differing(&world), [BTreeSet::new(), BTreeSet::new()]);
    let [alice, bob] = SIDES.map(|side| world.status(side));
    assert_eq!(alice.peer_available_bits, bob.available_bits);
    // The altered half is Bob's: the other one was found equal.
    let left = 14 + 256 - u64::from(2 * 16_u32);
    assert!(bob.available_bits / 8 < left);
    while world.ask(Side::Bob, request(1, 64)).is_ok() {}
    world.check_healed();
}

#[test]
fn a_peer_that_compares_what_it_may_not_assign_is_refused() {
    let mut world = connected();
    world.commit_block(1, 4096);
    world.input(Side::Bob, Input::Time { unix_s: 1000 });
    let Some(StoreMessage::Compare(question)) = world.in_flight(Side::Alice).pop_back() else {
        panic!("Bob asks");
    };
    let refused = |world: &mut World, question: qkd_keystore::Comparison| {
        let message = StoreMessage::Compare(Box::new(question));
        let refused = world.node(Side::Alice).store.stage(Input::Message(message));
        assert!(
            matches!(
                &refused,
                Err(Error::PeerMisbehaved {
                    message: "Compare",
                    ..
                })
            ),
            "{refused:?}"
        );
    };
    let of_alice = KeyRange {
        block: block(1),
        offset: 0,
        bytes: 16,
    };
    let mut foreign = (*question).clone();
    foreign.ranges = vec![of_alice];
    refused(&mut world, foreign);
    let mut foreign = (*question).clone();
    foreign.pad.keys[0].ranges = vec![of_alice];
    refused(&mut world, foreign);
    let mut long = (*question).clone();
    long.pad.keys[0].ranges[0].bytes = 17;
    refused(&mut world, long);
    let mut twice = (*question).clone();
    twice.ranges.push(twice.ranges[0]);
    refused(&mut world, twice);
    let mut in_pad = (*question).clone();
    in_pad.ranges[0] = in_pad.pad.keys[0].ranges[0];
    refused(&mut world, in_pad);
    let mut empty = (*question).clone();
    empty.ranges.clear();
    refused(&mut world, empty);
    let mut old = (*question).clone();
    old.pad.id = 0;
    refused(&mut world, old);
    let unasked = StoreMessage::Compared {
        id: 7,
        is_equal: true,
    };
    let said = world.node(Side::Alice).store.stage(Input::Message(unasked));
    assert!(matches!(
        said,
        Err(Error::PeerMisbehaved {
            message: "Compared",
            ..
        })
    ));
    // The genuine one is answered.
    world.input(Side::Alice, Input::Message(StoreMessage::Compare(question)));
    world.settle();
    assert!(world.status(Side::Bob).compared_bytes > 0);
}
