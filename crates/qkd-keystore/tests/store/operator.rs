//! What an operator does to a store, and what the peer's store makes of it.

use qkd_bits::{SecretBytes, SecretRng};
use qkd_keystore::invariants::Event;
use qkd_keystore::{
    Abandon, Alarm, BlockId, Error, History, Input, Inspection, MemoryStorage, RequestError, Side,
    Storage, abandon, begin_history, inspect,
};

use crate::life::Life;
use crate::world::{World, block, request};

const SIDES: [Side; 2] = [Side::Alice, Side::Bob];

fn store_key(side: Side) -> SecretBytes {
    vec![side as u8 + 1; 32].into()
}

fn history(seed: u8) -> History {
    History::random(&mut SecretRng::from_seed([seed; 32]))
}

fn look(world: &mut World, side: Side) -> Inspection {
    let mut disk = world.node(side).disk.clone();
    inspect(&mut disk, &store_key(side)).unwrap()
}

/// An operator discards the keys of one side, whose node is stopped meanwhile.
fn discard(world: &mut World, side: Side, history: History) -> Result<Inspection, Error> {
    let mut disk = world.node(side).disk.clone();
    let mut rng = SecretRng::from_seed([7; 32]);
    let before = begin_history(&mut disk, &store_key(side), &mut rng, history)?;
    world.see(Event::Tampered { side });
    // What was answered is lost: the operator has chosen so.
    world.forgive();
    world.crash(side);
    Ok(before)
}

fn give_up(world: &mut World, side: Side, which: Abandon) -> Result<Vec<BlockId>, Error> {
    let mut disk = world.node(side).disk.clone();
    let blocks = abandon(&mut disk, &store_key(side), which)?;
    world.crash(side);
    Ok(blocks)
}

fn reconnect(world: &mut World) {
    world.disconnect();
    world.connect();
    world.settle();
}

fn are_quarantined(world: &World) -> [bool; 2] {
    SIDES.map(|side| world.is_quarantined(side))
}

/// Two stores whose histories contradict each other, both with keys that wait.
fn torn_world() -> World {
    let mut world = World::connected();
    world.commit_block(1, 4096);
    world.ask(Side::Bob, request(2, 256)).unwrap();
    let old = world.node(Side::Bob).disk.snapshot();
    world.ask(Side::Alice, request(2, 256)).unwrap();
    world.restore(Side::Bob, &old);
    world.crash(Side::Bob);
    reconnect(&mut world);
    assert_eq!(are_quarantined(&world), [true; 2]);
    world
}

#[test]
fn stores_in_the_middle_of_any_life_are_found_whole_and_unchanged() {
    for seed in 0..20 {
        let mut life = Life::new(seed);
        for step in 0..600 {
            life.step();
            if step % 20 != 19 {
                continue;
            }
            for side in SIDES {
                let disk = life.world.node(side).disk.clone();
                let before = disk.snapshot();
                let found = look(&mut life.world, side);
                assert_eq!(found.findings, [], "seed {seed}, step {step}, {side}");
                assert!(found.is_sound());
                assert!(disk.snapshot() == before);
            }
        }
    }
}

#[test]
fn an_inspection_counts_what_the_store_itself_counts() {
    let mut world = World::connected();
    world.commit_block(1, 4096);
    world.ask(Side::Alice, request(3, 256)).unwrap();
    world.distil(Side::Bob, 2, 512);
    for side in SIDES {
        let (found, status) = (look(&mut world, side), world.status(side));
        assert_eq!((found.side, found.commits), (side, 1));
        assert_eq!(found.boot_epoch, status.boot_epoch);
        assert_eq!(found.free_bits, status.available_bits);
        assert_eq!(found.peer_free_bits, status.peer_available_bits);
        assert_eq!(found.waiting_keys, status.assigned_count);
        assert_eq!(found.in_doubt.len() as u64, u64::from(side == Side::Bob));
        assert_eq!(found.quarantine, None);
    }
}

#[test]
fn every_damaged_or_missing_record_is_among_the_findings_and_nobody_decides_about_such_a_store() {
    let mut world = World::connected();
    world.commit_block(1, 1024);
    world.ask(Side::Alice, request(1, 256)).unwrap();
    world.ask(Side::Bob, request(1, 256)).unwrap();
    world.distil(Side::Bob, 2, 512);
    for side in SIDES {
        let good = world.node(side).disk.snapshot();
        // The first record tells whose key this is; without it nothing can be said.
        for key in good.records().keys().filter(|key| key[0] != b'i') {
            let mut damaged = good.clone();
            if let Some(byte) = damaged.records_mut().get_mut(key).unwrap().last_mut() {
                *byte ^= 1;
            }
            let disk = MemoryStorage::new();
            disk.restore(&damaged);
            let found = inspect(&mut disk.clone(), &store_key(side)).unwrap();
            assert!(!found.is_whole(), "{}", key.escape_ascii());
            let refusals = [
                begin_history(
                    &mut disk.clone(),
                    &store_key(side),
                    &mut SecretRng::from_seed([1; 32]),
                    history(1),
                )
                .err(),
                abandon(&mut disk.clone(), &store_key(side), Abandon::AllInDoubt).err(),
            ];
            for refusal in refusals {
                assert!(
                    matches!(refusal, Some(Error::Damaged { .. })),
                    "{refusal:?}"
                );
            }
            assert!(disk.snapshot() == damaged);
        }
    }
}

/// A record that another one contradicts is found although its tag is right.
#[test]
fn a_record_of_an_older_copy_among_newer_ones_is_found() {
    let mut world = World::connected();
    world.commit_block(1, 1024);
    let old = world.node(Side::Bob).disk.snapshot();
    world.ask(Side::Alice, request(1, 256)).unwrap();
    let new = world.node(Side::Bob).disk.snapshot();
    let mut mixed = new.clone();
    for (key, value) in old.records().iter().filter(|(key, _)| key[0] == b'b') {
        mixed.records_mut().insert(key.clone(), value.clone());
    }
    let mut disk = MemoryStorage::new();
    disk.restore(&mixed);
    let found = inspect(&mut disk, &store_key(Side::Bob)).unwrap();
    assert!(!found.is_whole());
}

#[test]
fn both_sides_brought_into_one_history_begin_anew_and_nothing_old_is_delivered() {
    let mut world = torn_world();
    let spent = world.status(Side::Alice).spent;
    for side in SIDES {
        let before = discard(&mut world, side, history(1)).unwrap();
        assert!(before.quarantine.is_some());
        let after = look(&mut world, side);
        assert!(after.is_sound());
        assert_eq!((after.material_bits, after.waiting_keys), (0, 0));
        assert_eq!(after.history, Some(history(1)));
        assert!(after.boot_epoch > before.boot_epoch);
    }
    let old: Vec<_> = world.node(Side::Alice).delivered.keys().copied().collect();
    reconnect(&mut world);
    assert_eq!(are_quarantined(&world), [false; 2]);
    assert_eq!(world.status(Side::Alice).spent, spent);
    for side in SIDES {
        let fetched = world.fetch(side, "slave", &old);
        assert_eq!(fetched, Err(RequestError::NotFound), "{side}");
        assert!(world.ask(side, request(1, 64)).is_err(), "{side}");
    }
    world.commit_block(9, 4096);
    for side in SIDES {
        world.ask(side, request(2, 256)).unwrap();
    }
    world.check_healed();
}

#[test]
fn one_side_alone_cannot_talk_itself_sound() {
    for side in SIDES {
        // The other one still holds the old history, quarantined or not.
        let mut world = torn_world();
        discard(&mut world, side, history(1)).unwrap();
        reconnect(&mut world);
        assert_eq!(are_quarantined(&world), [true; 2], "{side} of a torn pair");
        let mut world = World::connected();
        world.commit_block(1, 1024);
        discard(&mut world, side, history(1)).unwrap();
        reconnect(&mut world);
        assert_eq!(are_quarantined(&world), [true; 2], "{side} of a sound pair");
        // Nothing was ever committed: even then the two beginnings differ.
        let mut world = World::connected();
        discard(&mut world, side, history(1)).unwrap();
        reconnect(&mut world);
        assert_eq!(are_quarantined(&world), [true; 2], "{side} of a new pair");
        // Two words, two histories.
        discard(&mut world, Side::Alice, history(2)).unwrap();
        discard(&mut world, Side::Bob, history(3)).unwrap();
        reconnect(&mut world);
        assert_eq!(are_quarantined(&world), [true; 2]);
        // And out of any of this leads one word for both.
        for side in SIDES {
            discard(&mut world, side, history(4)).unwrap();
        }
        reconnect(&mut world);
        assert_eq!(are_quarantined(&world), [false; 2]);
    }
}

#[test]
fn a_history_that_has_gone_on_is_not_begun_again_on_one_side() {
    for side in SIDES {
        let mut world = torn_world();
        for side in SIDES {
            discard(&mut world, side, history(1)).unwrap();
        }
        reconnect(&mut world);
        world.commit_block(5, 1024);
        let again = discard(&mut world, side, history(1));
        assert_eq!(
            again.err(),
            Some(Error::HistoryBegun {
                history: history(1)
            })
        );
        // By the way of another one it can be tried, and is found.
        discard(&mut world, side, history(2)).unwrap();
        discard(&mut world, side, history(1)).unwrap();
        reconnect(&mut world);
        assert_eq!(are_quarantined(&world), [true; 2], "{side}");
    }
}

#[test]
fn a_copy_from_before_the_new_history_is_found() {
    for side in SIDES {
        let mut world = torn_world();
        let old = world.node(side).disk.snapshot();
        for side in SIDES {
            discard(&mut world, side, history(1)).unwrap();
        }
        reconnect(&mut world);
        let begun = world.node(side).disk.snapshot();
        world.commit_block(5, 1024);
        for copy in [old, begun] {
            let mut world = World::connected();
            for side in SIDES {
                discard(&mut world, side, history(1)).unwrap();
            }
            reconnect(&mut world);
            world.commit_block(5, 1024);
            world.restore(side, &copy);
            world.crash(side);
            reconnect(&mut world);
            assert_eq!(are_quarantined(&world), [true; 2], "{side}");
        }
    }
}

/// Bob has a block in doubt that Alice has committed, and she is gone.
fn world_with_a_block_in_doubt() -> World {
    let mut world = World::connected();
    world.distil(Side::Bob, 1, 2048);
    world.distil(Side::Alice, 1, 2048);
    // Prepared arrives, she decides, and her Commit never gets through.
    world.deliver_message(Side::Alice);
    assert_eq!(world.status(Side::Alice).commits, 1);
    world.disconnect();
    world
}

#[test]
fn a_block_in_doubt_stays_so_for_hours_and_is_never_deliverable() {
    let mut world = world_with_a_block_in_doubt();
    world.input(Side::Bob, Input::Time { unix_s: 1_000 });
    for minute in 0..24 * 60 {
        let unix_s = 1_000 + minute * 60;
        world.input(Side::Bob, Input::Time { unix_s });
        if minute % 60 == 0 {
            world.crash(Side::Bob);
        }
        let status = world.status(Side::Bob);
        assert_eq!((status.undecided_blocks, status.available_bits), (1, 0));
    }
    reconnect(&mut world);
    assert_eq!(world.status(Side::Bob).undecided_blocks, 0);
    world.check_healed();
}

#[test]
fn an_abandoned_block_is_void_on_both_sides_when_alice_comes_back_with_a_commit_of_it() {
    let mut world = world_with_a_block_in_doubt();
    let gone = give_up(&mut world, Side::Bob, Abandon::Block(block(1)));
    assert_eq!(gone, Ok(vec![block(1)]));
    let found = look(&mut world, Side::Bob);
    assert_eq!((found.material_bits, found.abandoned), (0, vec![block(1)]));
    assert!(found.findings.is_empty());
    reconnect(&mut world);
    let alarm = Alarm::BlockAbandoned { block: block(1) };
    assert!(world.node(Side::Alice).alarms.contains(&alarm));
    for side in SIDES {
        let found = look(&mut world, side);
        assert!(found.is_sound(), "{side}: {:?}", found.findings);
        assert_eq!((found.commits, found.material_bits), (1, 0), "{side}");
        assert_eq!(found.abandoned, [], "{side}: both know");
        assert!(world.ask(side, request(1, 64)).is_err());
    }
    world.commit_block(2, 2048);
    for side in SIDES {
        world.ask(side, request(1, 256)).unwrap();
        world.crash(side);
        reconnect(&mut world);
    }
    world.check_healed();
}

#[test]
fn an_abandoned_block_that_alice_never_committed_is_forgotten() {
    let mut world = World::connected();
    world.distil(Side::Bob, 1, 2048);
    world.disconnect();
    give_up(&mut world, Side::Bob, Abandon::AllInDoubt).unwrap();
    // She has distilled it meanwhile, and finds nobody to prepare it.
    world.distil(Side::Alice, 1, 2048);
    reconnect(&mut world);
    for side in SIDES {
        let found = look(&mut world, side);
        assert_eq!((found.commits, found.abandoned), (0, vec![]), "{side}");
    }
    world.check_healed();
}

/// Messages are lost, processes die and disks fail while both hear of it.
#[test]
fn no_cut_and_no_crash_makes_an_abandoned_block_one_sided() {
    for cut_after in 0..8 {
        for crash in [None, Some(Side::Alice), Some(Side::Bob)] {
            let mut world = world_with_a_block_in_doubt();
            // More blocks follow the one that is given up.
            world.connect();
            world.settle();
            world.distil(Side::Bob, 2, 2048);
            world.distil(Side::Bob, 3, 2048);
            world.distil(Side::Alice, 2, 2048);
            world.distil(Side::Alice, 3, 2048);
            world.deliver_message(Side::Alice);
            world.deliver_message(Side::Alice);
            world.disconnect();
            assert_eq!(world.status(Side::Alice).commits, 3);
            give_up(&mut world, Side::Bob, Abandon::Block(block(2))).unwrap();
            world.connect();
            for step in 0..cut_after {
                world.deliver_message(SIDES[step % 2]);
            }
            match crash {
                Some(side) => world.crash(side),
                None => world.disconnect(),
            }
            world.connect();
            world.settle();
            assert_eq!(are_quarantined(&world), [false; 2]);
            world.check_healed();
            for side in SIDES {
                let found = look(&mut world, side);
                assert!(found.is_sound(), "{side}: {:?}", found.findings);
                assert_eq!((found.commits, found.committed_blocks), (3, 2), "{side}");
                while world.ask(side, request(1, 64)).is_ok() {}
            }
            world.check_healed();
        }
    }
}

#[test]
fn only_blocks_in_doubt_can_be_abandoned_and_only_at_bob() {
    let mut world = World::connected();
    world.commit_block(1, 1024);
    let not_in_doubt = Some(Error::NotInDoubt { block: block(1) });
    let refused = give_up(&mut world, Side::Bob, Abandon::Block(block(1)));
    assert_eq!(refused.err(), not_in_doubt);
    let nothing = give_up(&mut world, Side::Bob, Abandon::AllInDoubt);
    assert_eq!(nothing, Ok(vec![]));
    let at_alice = give_up(&mut world, Side::Alice, Abandon::AllInDoubt);
    assert_eq!(at_alice, Err(Error::NothingInDoubt));
}

#[test]
fn an_empty_storage_and_another_key_are_named() {
    let empty = inspect(&mut MemoryStorage::new(), &store_key(Side::Bob));
    assert!(matches!(empty, Err(Error::Corrupt { .. })), "{empty:?}");
    let mut world = World::connected();
    let mut disk = world.node(Side::Bob).disk.clone();
    assert!(!disk.load().unwrap().is_empty());
    let other = inspect(&mut disk, &store_key(Side::Alice));
    assert_eq!(other.err(), Some(Error::WrongStoreKey));
}
