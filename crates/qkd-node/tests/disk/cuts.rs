//! The power fails at any moment, and of what was not synced anything may be there.

use std::io;

use qkd_bits::PhysicsRng;

use super::pair::{Pair, SIDES};
use super::platter::{Call, Trouble};

/// Cuts of a bounded run.
const CUTS: u64 = 150;

/// Cuts in the life of one pair.
const CUTS_PER_LIFE: u64 = 10;

/// How many cuts there are to be.
fn cuts() -> u64 {
    std::env::var("QKD_DISK_CUTS").map_or(CUTS, |text| text.parse().unwrap())
}

#[test]
fn the_power_may_fail_at_any_call_to_either_disk_and_nothing_is_lost_or_doubled() {
    let (mut struck, mut answered) = (0, 0);
    for seed in 0..cuts() / CUTS_PER_LIFE {
        let outcome = std::panic::catch_unwind(|| life(seed));
        let (cuts, keys) = outcome.unwrap_or_else(|_| panic!("seed {seed}"));
        struck += cuts;
        answered += keys;
    }
    println!("{struck} power cuts, {answered} keys answered");
    assert!(struck * 10 >= cuts() * 9 && answered * 4 > struck);
}

/// The life of two stores whose power fails now and then: how often, and how many keys came of it.
fn life(seed: u64) -> (u64, u64) {
    let mut rng = PhysicsRng::from_seed(seed);
    let mut pair = Pair::new();
    pair.distil();
    pair.settle();
    let mut struck = 0;
    for _ in 0..CUTS_PER_LIFE {
        let side = SIDES[rng.below(2) as usize];
        // All calls fail from one on: nothing is written any more once the power is gone.
        pair.disk(side).trouble(Trouble {
            call: None,
            after: rng.below(200),
            kind: io::ErrorKind::Other,
            is_lasting: true,
        });
        for _ in 0..60 {
            pair.step(&mut rng);
            if pair.sealed().is_some() {
                break;
            }
        }
        // Power that has not failed by now fails between two calls.
        pair.end(side);
        pair.disk(side).cut(&mut rng);
        pair.start(side)
            .unwrap_or_else(|error| panic!("{side}: {error}"));
        struck += 1;
        pair.connect();
        pair.settle();
    }
    pair.check_healed(&mut rng);
    (struck, pair.keys_answered())
}

/// After a failed sync the operating system goes on showing what the disk does not have, and never writes
/// it again. Who starts again on what is shown has to write it himself.
#[test]
fn the_power_may_fail_after_a_failed_sync_and_a_restart() {
    for seed in 0..cuts() / 10 {
        let outcome = std::panic::catch_unwind(|| {
            let mut rng = PhysicsRng::from_seed(seed);
            let mut pair = Pair::new();
            pair.distil();
            pair.settle();
            for _ in 0..5 {
                let side = SIDES[rng.below(2) as usize];
                pair.disk(side).trouble(Trouble {
                    call: Some(Call::Sync),
                    after: rng.below(6),
                    kind: io::ErrorKind::Other,
                    is_lasting: false,
                });
                for _ in 0..40 {
                    pair.step(&mut rng);
                    if pair.sealed().is_some() {
                        break;
                    }
                }
                pair.restart(side);
                for _ in 0..rng.below(20) {
                    pair.step(&mut rng);
                }
                pair.end(side);
                pair.disk(side).cut(&mut rng);
                pair.start(side)
                    .unwrap_or_else(|error| panic!("{side}: {error}"));
                pair.connect();
            }
            pair.check_healed(&mut rng);
        });
        outcome.unwrap_or_else(|_| panic!("seed {seed}"));
    }
}
