//! What a pair spends of its failure budget, as both stores keep the account.

use qkd_keystore::{Input, Side, StoreMessage};
use qkd_security::{SecurityParameters, Spent};

use crate::world::{BUDGET, World, block};

fn runs(number: u64) -> Spent {
    let nothing = Spent::default();
    (0..number).fold(nothing, |sum, _| sum.plus(Spent::one_run(&BUDGET)))
}

fn both(world: &World) -> [Spent; 2] {
    [Side::Alice, Side::Bob].map(|side| world.status(side).spent)
}

#[test]
fn aborted_runs_are_told_by_the_next_commit_and_64_cost_one_write() {
    let mut world = World::connected();
    let commits = |world: &mut World| world.node(Side::Alice).disk.commits();
    let before = commits(&mut world);
    for _ in 0..5 {
        world.begin();
    }
    assert_eq!(commits(&mut world), before + 1);
    assert_eq!(both(&world), [runs(5), runs(0)]);
    world.commit_block(1, 512);
    world.begin();
    world.commit_block(2, 512);
    assert_eq!(both(&world), [runs(6), runs(6)]);
    for side in [Side::Alice, Side::Bob] {
        let spent = &world.node(side).spent;
        assert_eq!((spent[&block(1)], spent[&block(2)]), (runs(5), runs(6)));
    }
    let before = commits(&mut world);
    for _ in 6..64 {
        world.begin();
    }
    assert_eq!(commits(&mut world), before);
    world.begin();
    assert_eq!(commits(&mut world), before + 1);
    assert_eq!(both(&world), [runs(65), runs(6)]);
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
    // An orderly end gives back what was reserved and not begun, however often there is one.
    for number in 3..6 {
        world.begin();
        world.disconnect();
        world.crash(Side::Alice);
        assert_eq!(both(&world), [runs(number), runs(number - 1)]);
        world.connect();
        world.settle();
        assert_eq!(both(&world), [runs(number), runs(number)]);
    }
}

#[test]
fn an_alice_that_is_killed_has_never_counted_too_few_runs_and_at_most_63_too_many() {
    for begun in [0, 1, 63, 64, 65, 128, 129] {
        let mut world = World::connected();
        for _ in 0..begun {
            world.begin();
        }
        world.crash(Side::Alice);
        let counted = runs(u64::div_ceil(begun, 64) * 64);
        assert_eq!(both(&world), [counted, runs(0)], "{begun} begun");
        world.connect();
        world.settle();
        assert_eq!(both(&world), [counted, counted], "{begun} begun");
    }
}

#[test]
fn an_alice_that_is_killed_after_a_commit_takes_bob_with_her_to_what_she_had_reserved() {
    let mut world = World::connected();
    world.begin();
    world.commit_block(1, 512);
    world.begin();
    assert_eq!(both(&world), [runs(2), runs(1)]);
    world.crash(Side::Alice);
    assert_eq!(both(&world), [runs(64), runs(1)]);
    world.connect();
    world.settle();
    assert_eq!(both(&world), [runs(64), runs(64)]);
    world.begin();
    world.commit_block(2, 512);
    assert_eq!(both(&world), [runs(65), runs(65)]);
    world.crash(Side::Bob);
    assert_eq!(both(&world), [runs(65), runs(65)]);
}

#[test]
fn runs_that_may_spend_more_than_those_reserved_are_reserved_anew_before_they_begin() {
    let mut world = World::connected();
    world.begin();
    let dearer = SecurityParameters {
        secrecy: 1e3 * BUDGET.secrecy,
        correctness: BUDGET.correctness,
    };
    let begin = Input::Begun { budget: dearer };
    world.input(Side::Alice, begin);
    let spent = world.status(Side::Alice).spent;
    assert_eq!(spent, runs(1).plus(Spent::one_run(&dearer)));
    world.crash(Side::Alice);
    let kept = world.status(Side::Alice).spent;
    assert_eq!(kept.or_more(spent), kept);
    assert_eq!(kept.runs, 65);
}

#[test]
fn a_peer_that_tells_more_runs_than_there_were_makes_the_bound_larger_and_breaks_nothing() {
    let mut world = World::connected();
    world.disconnect();
    let told = Spent {
        runs: Spent::RUNS_MAX,
        secrecy: Spent::RUNS_MAX as f64,
        correctness: 0.0,
    };
    assert!(told.is_possible());
    world.connect();
    match world.in_flight(Side::Bob).front_mut() {
        Some(StoreMessage::Resume(resume)) => resume.spent = told,
        other => panic!("{other:?} came before Alice's Resume"),
    }
    world.settle();
    assert_eq!(world.status(Side::Bob).spent, told);
    world.disconnect();
    world.connect();
    world.settle();
    assert_eq!(both(&world), [told, told]);
    world.begin();
    world.commit_block(1, 512);
    let [alice, bob] = both(&world);
    assert_eq!(alice, bob);
    assert!(bob.is_possible() && bob.runs == Spent::RUNS_MAX && bob.correctness > 0.0);
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
