//! Keys that wait for their slaves: several of them, or none that ever comes.

use qkd_keystore::{Input, KeyId, RequestError, Side, StoreLimits};

use crate::world::{World, block, fetch, request, sae};

/// A world in which Alice has asked for a key for the slaves named.
fn asked(limits: StoreLimits, slaves: &[&str]) -> (World, KeyId) {
    let mut world = World::new(limits);
    world.connect();
    world.settle();
    world.commit_block(1, 1024);
    let mut wanted = request(1, 256);
    wanted.slaves = slaves.iter().map(|name| sae(name)).collect();
    let ids = world.ask(Side::Alice, wanted).unwrap();
    (world, ids[0])
}

#[test]
fn each_named_slave_is_given_the_same_key_once_also_across_a_restart() {
    // A slave that is named twice is one slave.
    let (mut world, id) = asked(StoreLimits::default(), &["a", "b", "a", "c"]);
    let mut keys = Vec::new();
    for (slave, left) in [("b", 1), ("a", 1), ("c", 0)] {
        let stranger = world.node(Side::Bob).store.fetch(&fetch("d", &[id]));
        assert!(matches!(
            stranger.err(),
            Some(RequestError::NotNamedAsSlave { .. })
        ));
        let fetched = world
            .node(Side::Bob)
            .store
            .fetch(&fetch(slave, &[id]))
            .unwrap();
        keys.push(fetched[0].key.expose().to_vec());
        world.crash(Side::Bob);
        let again = world.node(Side::Bob).store.fetch(&fetch(slave, &[id]));
        assert_eq!(again.err(), Some(RequestError::NotFound), "{slave}");
        assert_eq!(world.status(Side::Bob).assigned_count, left, "{slave}");
    }
    let given = world.node(Side::Alice).delivered[&id].clone();
    assert_eq!(keys, [given.clone(), given.clone(), given]);
}

#[test]
fn keys_of_a_master_that_left_wait_nowhere_however_far_they_had_come() {
    // It leaves while the peer is told, or while the peer's answer is on its way; or it was answered.
    for (delivered_to, is_answered) in [
        (&[][..], false),
        (&[Side::Bob][..], false),
        (&[Side::Bob, Side::Alice][..], true),
    ] {
        let mut world = World::connected();
        world.commit_block(1, 4096);
        let ticket = world.request(Side::Alice, request(2, 256));
        for &side in delivered_to {
            world.deliver_message(side);
        }
        world.input(Side::Alice, Input::Abandoned { ticket });
        world.settle();
        let answer = world.node(Side::Alice).answers[&ticket].clone();
        assert_eq!(answer.is_ok(), is_answered, "{answer:?}");
        let waiting = if is_answered { 2 } else { 0 };
        assert_eq!(world.status(Side::Bob).assigned_count, waiting);
        assert_eq!(world.status(Side::Alice).pending_requests, 0);
        // The bits are gone on both sides alike, and the next ones are given.
        let free = |side| {
            let status = world.status(side);
            [status.available_bits, status.peer_available_bits]
        };
        let [ours, theirs] = free(Side::Bob);
        assert_eq!(free(Side::Alice), [theirs, ours]);
        assert!(world.ask(Side::Alice, request(1, 256)).is_ok());
        world.forgive();
        world.check_healed();
    }
}

#[test]
fn a_key_that_a_slave_does_not_fetch_in_time_is_dropped_and_counted() {
    let limits = StoreLimits {
        unfetched_age_max_s: 100,
        ..StoreLimits::default()
    };
    let begin = 1_800_000_000;
    let time = |world: &mut World, unix_s| world.input(Side::Bob, Input::Time { unix_s });
    let (mut world, undated) = asked(limits, &["slave"]);
    world.forgive();
    // A key that came before the time was known counts from then on.
    time(&mut world, begin);
    let ids = world.ask(Side::Alice, request(1, 128)).unwrap();
    time(&mut world, begin + 100);
    // The clock is put back, and the store restarts in between.
    time(&mut world, begin - 50);
    let later = world.ask(Side::Alice, request(1, 128)).unwrap();
    world.crash(Side::Bob);
    time(&mut world, begin + 101);
    let status = world.status(Side::Bob);
    assert_eq!((status.assigned_count, status.expired_count), (2, 1));
    for (id, is_there) in [(ids[0], false), (undated, true), (later[0], true)] {
        let result = world.node(Side::Bob).store.fetch(&fetch("slave", &[id]));
        assert_eq!(result.is_ok(), is_there, "{id}");
    }
    world.forgive();
    world.check_healed();
    assert_eq!(world.status(Side::Bob).committed_blocks, 1);
}

#[test]
fn a_clock_that_jumps_while_the_store_is_shut_costs_no_key_and_makes_none_immortal() {
    let limits = StoreLimits {
        unfetched_age_max_s: 100,
        ..StoreLimits::default()
    };
    let begin = 1_800_000_000;
    // Put back to 1970, put back a little, and ahead by more than a quarter of what a key may wait.
    for jumped in [0, begin - 1000, begin + 26, begin + 50_000_000] {
        let (mut world, _) = asked(limits.clone(), &["slave"]);
        let time = |world: &mut World, unix_s| world.input(Side::Bob, Input::Time { unix_s });
        time(&mut world, begin);
        world.ask(Side::Alice, request(1, 128)).unwrap();
        world.crash(Side::Bob);
        let left = |world: &World| world.status(Side::Bob).assigned_count;
        time(&mut world, jumped);
        time(&mut world, jumped + 100);
        assert_eq!(left(&world), 2, "at {jumped}");
        time(&mut world, jumped + 101);
        assert_eq!(left(&world), 0, "at {jumped}");
        world.forgive();
        world.check_healed();
    }
}

#[test]
fn a_short_stop_counts_and_the_clock_is_written_down_though_nothing_else_changes() {
    let limits = StoreLimits {
        unfetched_age_max_s: 40_000,
        ..StoreLimits::default()
    };
    let begin = 1_800_000_000;
    let (mut world, _) = asked(limits, &["slave"]);
    let time = |world: &mut World, unix_s| world.input(Side::Bob, Input::Time { unix_s });
    time(&mut world, begin);
    world.forgive();
    let ids = world.ask(Side::Alice, request(1, 128)).unwrap();
    // Stops of an hour and a half, more than a quarter in all.
    for hour in (0..30_000).step_by(5400) {
        time(&mut world, begin + hour);
        world.crash(Side::Bob);
    }
    time(&mut world, begin + 32_000);
    assert_eq!(world.status(Side::Bob).expired_count, 0);
    time(&mut world, begin + 40_001);
    assert_eq!(world.status(Side::Bob).expired_count, 1);
    let gone = world.node(Side::Bob).store.fetch(&fetch("slave", &ids));
    assert_eq!(gone.err(), Some(RequestError::NotFound));
}

#[test]
fn without_room_on_the_disk_blocks_are_discarded_and_keys_go_on_being_given() {
    for side in [Side::Alice, Side::Bob] {
        let (mut world, id) = asked(StoreLimits::default(), &["slave"]);
        world.input(side, Input::Room { is_there: false });
        assert!(!world.status(side).has_room);
        world.commit_block(2, 1024);
        for side in [Side::Alice, Side::Bob] {
            assert!(world.node(side).discarded.contains(&block(2)), "{side}");
        }
        assert!(world.fetch(Side::Bob, "slave", &[id]).is_ok());
        let ids = world.ask(side, request(1, 128)).unwrap();
        assert!(world.fetch(side.peer(), "slave", &ids).is_ok());
        world.input(side, Input::Room { is_there: true });
        world.commit_block(3, 1024);
        assert!(world.node(side).committed.contains(&block(3)));
        world.check_healed();
    }
}

#[test]
fn a_master_whose_keys_nobody_fetches_leaves_room_for_the_others_also_after_a_restart() {
    let limits = StoreLimits {
        unfetched_each_max: 3,
        ..StoreLimits::default()
    };
    let (mut world, first) = asked(limits, &["slave"]);
    world.commit_block(2, 4096);
    world.ask(Side::Alice, request(2, 64)).unwrap();
    let refused = world.ask(Side::Alice, request(1, 64)).unwrap_err();
    assert_eq!(refused, RequestError::TooManyUnfetched);
    // Another master is not concerned.
    let mut other = request(1, 64);
    other.master = sae("other");
    world.ask(Side::Alice, other).unwrap();
    world.crash(Side::Bob);
    world.connect();
    world.settle();
    let refused = world.ask(Side::Alice, request(1, 64)).unwrap_err();
    assert_eq!(refused, RequestError::TooManyUnfetched);
    // What is fetched makes room.
    let fetched = world.node(Side::Bob).store.fetch(&fetch("slave", &[first]));
    assert_eq!(fetched.unwrap().len(), 1);
    world.ask(Side::Alice, request(1, 64)).unwrap();
}
