//! What crashes, broken links and failing disks leave behind.

use qkd_keystore::{Alarm, Fault, Side};

use crate::world::{Life, World, request};

/// Some of everything, with both sides as owner and messages left in flight at the end.
fn scenario(world: &mut World) {
    world.connect();
    world.settle();
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
    let (mut answered, mut committed, mut restarts) = (0, 0, 0);
    for seed in 0..150 {
        let outcome = std::panic::catch_unwind(|| {
            let mut life = Life::new(seed);
            for step in 0..400 {
                life.step();
                if step % 100 == 99 {
                    life.world.check_healed();
                }
            }
            let nodes = &life.world.nodes;
            let restarts = |n: &crate::world::Node| n.store.status().boot_epoch - 1;
            (
                nodes.iter().map(|n| n.delivered.len()).sum::<usize>(),
                nodes.iter().map(|n| n.committed.len()).sum::<usize>(),
                nodes.iter().map(restarts).sum::<u64>(),
            )
        });
        let (keys, blocks, boots) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        answered += keys;
        committed += blocks;
        restarts += boots;
    }
    assert!(answered > 3000, "{answered} keys left");
    assert!(committed > 1500, "{committed} commits");
    assert!(restarts > 1000, "{restarts} restarts");
}
