//! What a pair spends of its failure budget, as both stores keep the account.

use qkd_keystore::Side;
use qkd_security::Spent;

use crate::world::{BUDGET, World, block};

fn runs(number: u64) -> Spent {
    let nothing = Spent::default();
    (0..number).fold(nothing, |sum, _| sum.plus(Spent::one_run(&BUDGET)))
}

fn both(world: &World) -> [Spent; 2] {
    [Side::Alice, Side::Bob].map(|side| world.status(side).spent)
}

#[test]
fn aborted_runs_are_counted_by_the_next_commit_on_both_sides_and_cost_no_write() {
    let mut world = World::connected();
    let commits = |world: &mut World| world.node(Side::Alice).disk.commits();
    let before = commits(&mut world);
    for _ in 0..5 {
        world.begin();
    }
    assert_eq!(commits(&mut world), before);
    assert_eq!(both(&world), [runs(5), runs(0)]);
    world.commit_block(1, 512);
    world.begin();
    world.commit_block(2, 512);
    assert_eq!(both(&world), [runs(6), runs(6)]);
    for side in [Side::Alice, Side::Bob] {
        let spent = &world.node(side).spent;
        assert_eq!((spent[&block(1)], spent[&block(2)]), (runs(5), runs(6)));
        world.crash(side);
        assert_eq!(both(&world), [runs(6), runs(6)], "{side} restarted");
    }
    assert_eq!(world.status(Side::Alice).commits_uncounted, 0);
}

#[test]
fn runs_of_a_link_that_gave_no_key_are_durable_when_it_ends_and_told_when_the_next_begins() {
    let mut world = World::connected();
    world.begin();
    world.begin();
    world.disconnect();
    world.crash(Side::Alice);
    assert_eq!(both(&world), [runs(2), runs(0)]);
    world.connect();
    world.settle();
    assert_eq!(both(&world), [runs(2), runs(2)]);
    // What a killed process had not written is forgotten, and nothing before it.
    world.begin();
    world.crash(Side::Alice);
    assert_eq!(both(&world), [runs(2), runs(2)]);
}

#[test]
fn a_process_that_is_killed_forgets_fewer_than_64_runs_without_a_key() {
    let mut world = World::connected();
    let before = world.node(Side::Alice).disk.commits();
    for _ in 0..2 * 64 + 63 {
        world.begin();
    }
    assert_eq!(world.node(Side::Alice).disk.commits(), before + 2);
    world.crash(Side::Alice);
    assert_eq!(world.status(Side::Alice).spent.runs, 2 * 64);
}

#[test]
fn a_commit_that_bob_missed_brings_its_account_with_it_when_the_link_is_back() {
    let mut world = World::connected();
    world.begin();
    world.distil(Side::Bob, 1, 512);
    world.distil(Side::Alice, 1, 512);
    world.deliver_message(Side::Alice);
    assert_eq!(both(&world), [runs(1), runs(0)]);
    world.disconnect();
    world.connect();
    world.settle();
    assert_eq!(both(&world), [runs(1), runs(1)]);
    assert_eq!(world.node(Side::Bob).spent[&block(1)], runs(1));
}
