//! Key that changes owner when one direction runs dry.

use qkd_keystore::{Error, Fault, Health, Input, RequestError, Side, StoreMessage};

use crate::world::{World, block, request};

/// Four blocks of 64 bytes for each direction, of which Alice's are used up but for the last keys.
fn drained(world: &mut World) {
    world.connect();
    world.settle();
    for number in 1..5 {
        world.commit_block(number, 1024);
    }
    for _ in 0..7 {
        let Ok(ids) = world.ask(Side::Alice, request(1, 256)) else {
            return;
        };
        assert_eq!(ids.len(), 1);
    }
}

#[test]
fn a_dry_direction_is_given_untouched_shares_of_the_full_one_and_serves_them() {
    let mut world = World::new(Default::default());
    drained(&mut world);
    assert_eq!(world.gives, 1, "of 256 bytes one share of 64");
    let free = |world: &World, side| world.status(side).available_bits / 8;
    assert_eq!(free(&world, Side::Alice), 32 + 64);
    assert_eq!(free(&world, Side::Bob), 4 * 64 - 64);
    let ids = world.ask(Side::Alice, request(3, 256)).unwrap();
    for id in ids {
        assert!(world.fetch(Side::Bob, "slave", &[id]).is_ok());
    }
    // Both restart; whose the shares are is what they wrote down.
    world.crash(Side::Alice);
    world.crash(Side::Bob);
    world.check_healed();
    while world.ask(Side::Alice, request(1, 64)).is_ok() {}
    while world.ask(Side::Bob, request(1, 64)).is_ok() {}
    world.check_healed();
    for side in [Side::Alice, Side::Bob] {
        assert_eq!(world.status(side).available_bits, 0);
        assert_eq!(
            world.status(side).committed_blocks,
            0,
            "nothing is left behind"
        );
    }
}

#[test]
fn a_share_that_is_too_large_to_give_does_not_keep_smaller_ones_back() {
    let mut world = World::connected();
    for (number, bits) in [(1, 1024), (2, 1024), (3, 8192)] {
        world.commit_block(number, bits);
    }
    // Of 640 bytes 128 are left, and Bob's newest share has 512.
    world.ask(Side::Alice, request(16, 256)).unwrap();
    assert_eq!(world.gives, 2);
    assert_eq!(world.status(Side::Alice).available_bits / 8, 128 + 2 * 64);
    world.check_healed();
}

#[test]
fn a_share_has_at_most_one_owner_whatever_breaks_while_it_changes_hands() {
    let commits = |side: Side| {
        let mut world = World::new(Default::default());
        drained(&mut world);
        world.node(side).disk.commits()
    };
    for side in [Side::Alice, Side::Bob] {
        for after in 0..commits(side) - 1 {
            for fault in [Fault::Lost, Fault::KeptButReported] {
                let mut world = World::new(Default::default());
                world.node(side).disk.fail_after(after, fault);
                drained(&mut world);
                world.check_healed();
                // All that is left goes out, every byte of it once.
                world.connect();
                world.settle();
                for owner in [Side::Alice, Side::Bob] {
                    while world.ask(owner, request(1, 64)).is_ok() {}
                }
                world.check_healed();
            }
        }
    }
}

#[test]
fn a_connection_that_breaks_at_any_message_of_the_change_leaves_one_owner() {
    // How many messages are delivered before the cut.
    for cut in 0..6 {
        let mut world = World::new(Default::default());
        drained(&mut world);
        world.request(Side::Alice, request(3, 256));
        for _ in 0..cut {
            world.deliver_message(Side::Bob);
            world.deliver_message(Side::Alice);
        }
        world.disconnect();
        world.check_healed();
        for owner in [Side::Alice, Side::Bob] {
            while world.ask(owner, request(1, 64)).is_ok() {}
        }
        world.check_healed();
        let status = world.status(Side::Alice);
        assert_eq!((status.available_bits, status.health), (0, Health::Sound));
    }
}

#[test]
fn a_share_that_was_used_or_never_given_does_not_change_hands() {
    let mut world = World::connected();
    world.commit_block(1, 1024);
    world.ask(Side::Alice, request(1, 128)).unwrap();
    world.distil(Side::Bob, 2, 512);
    for (to, message) in [
        (Side::Bob, StoreMessage::Give { block: block(1) }),
        (Side::Bob, StoreMessage::Give { block: block(2) }),
        (Side::Alice, StoreMessage::Taken { block: block(1) }),
    ] {
        let before = world.node(to).disk.snapshot();
        let result = world.node(to).store.handle(Input::Message(message));
        assert!(matches!(result, Err(Error::PeerMisbehaved { .. })));
        assert!(world.node(to).disk.snapshot() == before);
    }
    let short = world.ask(Side::Alice, request(4, 128)).unwrap_err();
    assert!(matches!(short, RequestError::TooFewKeys { .. }));
}
