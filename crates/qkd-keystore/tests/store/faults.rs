//! What crashes, broken links and failing disks leave behind.

use std::collections::BTreeSet;

use qkd_keystore::{Alarm, Error, Fault, Health, Input, Output, RequestError, Side, Step};

use crate::life::Life;
use crate::world::{World, fetch, request};

/// Some of everything, with both sides as owner and messages left in flight at the end.
fn scenario(world: &mut World) {
    world.connect();
    world.settle();
    world.begin();
    world.distil(Side::Bob, 1, 1000);
    world.distil(Side::Alice, 1, 1000);
    world.settle();
    world.distil(Side::Alice, 2, 512);
    world.distil(Side::Bob, 2, 512);
    world.settle();
    for side in [Side::Alice, Side::Bob] {
        world.request(side, request(2, 128));
        world.settle();
        world.request(side, request(1, 256));
    }
    world.settle();
    while world.fetchable.len() > 3 {
        world.fetch_one(0);
    }
    world.disconnect();
    world.connect();
    world.settle();
    world.begin();
    world.begin();
    world.distil(Side::Bob, 3, 2048);
    world.distil(Side::Alice, 3, 2048);
    world.request(Side::Bob, request(1, 64));
    world.deliver_message(Side::Alice);
    world.deliver_message(Side::Alice);
}

#[test]
fn a_crash_at_any_commit_of_either_side_breaks_nothing() {
    let commits = |side: Side| {
        let mut world = World::new(Default::default());
        scenario(&mut world);
        world.node(side).disk.commits()
    };
    let mut crashes = 0;
    for side in [Side::Alice, Side::Bob] {
        let commits = commits(side);
        assert!(commits > 10, "{side} makes {commits} commits");
        // The first commit is that of opening; a store that fails there does not open.
        for after in 0..commits - 1 {
            for fault in [Fault::Lost, Fault::KeptButReported] {
                let mut world = World::new(Default::default());
                world.node(side).disk.fail_after(after, fault);
                scenario(&mut world);
                let sealed = |alarm: &Alarm| matches!(alarm, Alarm::StorageFailed(_));
                crashes += world.node(side).alarms.iter().filter(|a| sealed(a)).count();
                world.check_healed();
                world.commit_block(4, 4096);
                assert!(world.ask(Side::Alice, request(3, 256)).is_ok());
                assert!(world.ask(Side::Bob, request(3, 256)).is_ok());
                world.check_healed();
            }
        }
    }
    assert!(crashes > 30, "{crashes} faults struck");
}

/// The check of the checker: without an answer in the run it would hold of nothing.
#[test]
fn random_lives_keep_agreement_single_use_and_every_answered_key() {
    let (mut answered, mut committed, mut restarts, mut gives) = (0, 0, 0, 0);
    // In these lives no time is long enough for a key to expire, and nobody touches their disks.
    let mut unseen: BTreeSet<Step> = Step::all().collect();
    unseen.retain(|step| {
        !matches!(
            step,
            Step::Boot | Step::Expire | Step::Withdraw | Step::Quarantine
        )
    });
    for seed in 0..150 {
        let outcome = std::panic::catch_unwind(|| {
            let mut life = Life::new(seed);
            for step in 0..1500 {
                life.step();
                if step % 300 == 299 {
                    life.world.check_healed();
                }
            }
            let nodes = &life.world.nodes;
            for alarm in nodes.iter().flat_map(|node| &node.alarms) {
                assert!(!matches!(alarm, Alarm::CopiesDiffer { .. }), "{alarm}");
            }
            let restarts = |n: &crate::world::Node| n.store.status().boot_epoch - 1;
            (
                nodes.iter().map(|n| n.delivered.len()).sum::<usize>(),
                nodes.iter().map(|n| n.committed.len()).sum::<usize>(),
                nodes.iter().map(restarts).sum::<u64>(),
                life.world.gives,
                life.world.steps,
            )
        });
        let (keys, blocks, boots, given, steps) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        answered += keys;
        committed += blocks;
        restarts += boots;
        gives += given;
        unseen.retain(|step| !steps.contains(step));
    }
    println!("{answered} keys, {committed} commits, {restarts} restarts, {gives} shares given");
    assert!(answered > 0 && committed > 0 && restarts > 0 && gives > 100);
    assert!(unseen.is_empty(), "never came by: {unseen:?}");
}

#[test]
fn a_failed_commit_seals_the_store_and_refuses_every_open_request() {
    let mut world = World::connected();
    world.commit_block(1, 2048);
    let open = world.request(Side::Alice, request(1, 256));
    world.node(Side::Alice).disk.fail_after(0, Fault::Lost);
    let outputs = world
        .node(Side::Alice)
        .store
        .handle(Input::Request {
            ticket: 77,
            request: request(1, 256),
        })
        .unwrap();
    let sealed: Vec<u64> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Answer {
                ticket,
                result: Err(RequestError::Sealed),
            } => Some(*ticket),
            Output::Answer { .. } | Output::Send(_) => panic!("it went on"),
            Output::Committed { .. } | Output::Discarded { .. } | Output::Alarm(_) => None,
        })
        .collect();
    assert_eq!(sealed, [open, 77]);
    let status = world.status(Side::Alice);
    assert_eq!(
        (status.health, status.stored_key_count),
        (Health::Sealed, 0)
    );
    let store = &mut world.node(Side::Alice).store;
    assert_eq!(store.handle(Input::Connected).err(), Some(Error::Sealed));
    let fetched = store.fetch(&fetch("slave", &[]));
    assert_eq!(fetched.err(), Some(RequestError::Sealed));
}

#[test]
fn a_fetch_that_cannot_be_made_durable_gives_no_key() {
    let mut world = World::connected();
    world.commit_block(1, 1024);
    let ids = world.ask(Side::Alice, request(1, 256)).unwrap();
    world.node(Side::Bob).disk.fail_after(0, Fault::Lost);
    assert_eq!(
        world.fetch(Side::Bob, "slave", &ids),
        Err(RequestError::Sealed)
    );
    world.crash(Side::Bob);
    assert!(world.fetch(Side::Bob, "slave", &ids).is_ok());
}
