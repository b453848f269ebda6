//! What a store says of records that are not what it wrote, and of a peer that is not who it was.

use std::collections::BTreeSet;

use qkd_keystore::{
    Alarm, Error, Health, Input, KeyStore, MemoryStorage, Output, RequestError, Side, StoreLimits,
    StoreMessage,
};

use crate::world::{World, fetch, open, request};

/// A world whose disks hold a record of every kind.
fn full_world() -> World {
    let mut world = World::connected();
    world.commit_block(1, 1024);
    world.ask(Side::Alice, request(1, 256)).unwrap();
    world.ask(Side::Bob, request(1, 256)).unwrap();
    world.distil(Side::Bob, 2, 512);
    world.request(Side::Alice, request(1, 64));
    world
}

fn reopen(side: Side, disk: &MemoryStorage) -> Result<KeyStore, Error> {
    open(side, disk, StoreLimits::default(), 200)
}

#[test]
fn every_damaged_byte_of_every_record_is_found() {
    let mut world = full_world();
    let mut kinds = BTreeSet::new();
    for side in [Side::Alice, Side::Bob] {
        let good = world.node(side).disk.snapshot();
        for (key, value) in good.records() {
            kinds.insert(key[0] as char);
            for index in 0..value.len() {
                let mut damaged = good.clone();
                damaged.records_mut().get_mut(key).unwrap()[index] ^= 1;
                let disk = MemoryStorage::new();
                disk.restore(&damaged);
                let error = reopen(side, &disk).err();
                match (key[0], &error) {
                    (b'i', Some(Error::WrongStoreKey)) => {}
                    (_, Some(Error::Corrupt { .. })) => {}
                    (_, _) => panic!("byte {index} of {}: {error:?}", key.escape_ascii()),
                }
                assert!(disk.snapshot() == damaged, "a damaged store is not written");
            }
        }
    }
    assert_eq!(kinds.into_iter().collect::<String>(), "abciklm");
}

#[test]
fn a_missing_or_moved_record_is_found() {
    let mut world = full_world();
    let good = world.node(Side::Bob).disk.snapshot();
    for key in good.records().keys() {
        let disk = MemoryStorage::new();
        let mut changed = good.clone();
        let value = changed.records_mut().remove(key).unwrap();
        if b"ilmb".contains(&key[0]) {
            disk.restore(&changed);
            let result = reopen(Side::Bob, &disk);
            assert!(matches!(result, Err(Error::Corrupt { .. })));
        }
        let mut moved = key.clone();
        *moved.last_mut().unwrap() ^= 1;
        changed.records_mut().insert(moved, value);
        disk.restore(&changed);
        assert!(reopen(Side::Bob, &disk).is_err());
    }
}

#[test]
fn another_store_key_and_the_other_side_are_named() {
    let mut world = full_world();
    let disk = world.node(Side::Alice).disk.clone();
    let before = disk.snapshot();
    let wrong_key = KeyStore::open(
        Side::Alice,
        Box::new(disk.clone()),
        vec![77; 32].into(),
        qkd_bits::SecretRng::from_seed([1; 32]),
        StoreLimits::default(),
    );
    assert_eq!(wrong_key.err(), Some(Error::WrongStoreKey));
    assert_eq!(reopen(Side::Bob, &disk).err(), Some(Error::OtherSide));
    assert!(disk.snapshot() == before, "nothing was written");
    assert!(reopen(Side::Alice, &disk).is_ok());
}

#[test]
fn contradictory_limits_are_refused() {
    let base = StoreLimits::default;
    for limits in [
        StoreLimits {
            key_size_bits: 255,
            ..base()
        },
        StoreLimits {
            key_size_min_bits: 512,
            ..base()
        },
        StoreLimits {
            key_size_min_bits: 0,
            ..base()
        },
        StoreLimits {
            keys_per_request_max: 0,
            ..base()
        },
        StoreLimits {
            material_bytes_max: 1 << 40,
            ..base()
        },
    ] {
        let result = open(Side::Alice, &MemoryStorage::new(), limits, 0);
        assert!(matches!(result, Err(Error::Limits(_))));
    }
}

#[test]
fn each_opening_is_another_epoch_with_other_identities_even_from_one_seed() {
    let mut world = World::connected();
    world.commit_block(1, 4096);
    let mut ids = BTreeSet::new();
    for epoch in 1..5 {
        assert_eq!(world.status(Side::Alice).boot_epoch, epoch);
        let answered = world.ask(Side::Alice, request(1, 64)).unwrap();
        assert!(ids.insert(answered[0]), "a key_ID came twice");
        // The next process draws what this one drew.
        let node = world.node(Side::Alice);
        node.seed = node.seed.wrapping_sub(1);
        world.crash(Side::Alice);
        world.connect();
        world.settle();
    }
}

/// Both stores are sealed for good, with an alarm, and give no key, also after a restart.
fn assert_quarantined(world: &mut World, case: &str) {
    for side in [Side::Alice, Side::Bob] {
        for restarted in [false, true] {
            if restarted {
                let disk = world.node(side).disk.clone();
                world.node(side).store = reopen(side, &disk).unwrap();
            }
            let health = world.status(side).health;
            let is_quarantined = matches!(health, Health::Quarantined { .. });
            assert!(is_quarantined, "{case}: {side} is {health:?}");
            let node = world.node(side);
            let alarmed = |alarm: &Alarm| matches!(alarm, Alarm::Quarantined { .. });
            assert!(node.alarms.iter().any(alarmed), "{case}: {side}");
            let ids: Vec<_> = node.delivered.keys().copied().collect();
            let fetched = node.store.fetch(&fetch("slave", &ids));
            assert_eq!(fetched.err(), Some(RequestError::Sealed), "{case}: {side}");
            let said = node.store.handle(Input::Connected).unwrap();
            let [Output::Send(StoreMessage::Quarantine { .. })] = &said[..] else {
                panic!("{case}: {side} does not tell a peer that connects");
            };
        }
    }
}

#[test]
fn a_restored_copy_of_either_store_quarantines_both() {
    type Happening = fn(&mut World);
    let happenings: [(&str, Happening); 4] = [
        ("a block was committed", |world| world.commit_block(2, 512)),
        ("keys of Alice's were answered", |world| {
            world.ask(Side::Alice, request(1, 64)).unwrap();
        }),
        ("keys of Bob's were answered", |world| {
            world.ask(Side::Bob, request(1, 64)).unwrap();
        }),
        ("both restarted", |world| {
            for side in [Side::Alice, Side::Bob] {
                world.crash(side);
                world.connect();
                world.settle();
            }
        }),
    ];
    for side in [Side::Alice, Side::Bob] {
        for (what, happen) in happenings {
            let mut world = World::connected();
            world.commit_block(1, 1024);
            let old = world.node(side).disk.snapshot();
            happen(&mut world);
            world.restore(side, &old);
            world.crash(side);
            world.connect();
            world.settle();
            assert_quarantined(&mut world, &format!("{side} restored after {what}"));
        }
    }
}

#[test]
fn an_emptied_store_quarantines_its_peer() {
    for side in [Side::Alice, Side::Bob] {
        let mut world = World::connected();
        world.commit_block(1, 1024);
        world.restore(side, &Default::default());
        world.crash(side);
        world.connect();
        world.settle();
        assert_quarantined(&mut world, &format!("{side} emptied"));
    }
}
