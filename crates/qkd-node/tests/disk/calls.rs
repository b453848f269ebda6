//! Single calls to the disk that fail.

use std::io::ErrorKind;

use qkd_bits::PhysicsRng;
use qkd_keystore::{Alarm, Health, Side};

use super::is_whole_run;
use super::pair::{Pair, SIDES};
use super::platter::{CALLS, Call, Platter, Trouble};

/// Some of everything that a store writes.
fn scenario(pair: &mut Pair<Platter>, rng: &mut PhysicsRng) {
    pair.distil();
    pair.settle();
    for side in SIDES {
        pair.ask(side);
        pair.settle();
        pair.ask(side);
    }
    pair.settle();
    pair.fetch(rng);
    pair.fetch(rng);
    pair.disconnect();
    pair.connect();
    pair.distil();
    pair.settle();
}

#[test]
fn any_call_that_fails_seals_the_store_at_once_and_costs_nothing_that_was_answered() {
    // Of the many writes each seventh in a bounded run.
    let step = if is_whole_run() { 1 } else { 7 };
    let mut sealed = 0;
    for side in SIDES {
        for call in CALLS {
            for (kind, is_lasting) in [(ErrorKind::Other, false), (ErrorKind::StorageFull, true)] {
                let step = if call == Call::Write { step } else { 1 };
                for after in (side as u64..).step_by(step) {
                    let trouble = Trouble {
                        call: Some(call),
                        after,
                        kind,
                        is_lasting,
                    };
                    if !seals(side, trouble) {
                        break;
                    }
                    sealed += 1;
                }
            }
        }
    }
    println!("{sealed} calls failed");
    assert!(sealed > 50, "only {sealed} calls failed");
}

/// Lets a call fail: whether it was made. The store is sealed then, and nothing that was answered is lost.
fn seals(side: Side, trouble: Trouble) -> bool {
    let mut rng = PhysicsRng::from_seed(trouble.after);
    let mut pair = Pair::new();
    pair.disk(side).trouble(trouble);
    scenario(&mut pair, &mut rng);
    let has_struck = pair.disk(side).struck() > 0;
    if has_struck {
        assert_eq!(pair.health(side), Some(Health::Sealed), "{trouble:?}");
        let failed = |alarm: &Alarm| matches!(alarm, Alarm::StorageFailed(_));
        assert!(pair.alarms[side as usize].iter().any(failed));
    }
    // The process ends, with the disk still as it is.
    pair.end(side);
    assert_eq!(pair.disk(side).retries(), 0, "{side} {trouble:?}");
    pair.restart(side);
    pair.check_healed(&mut rng);
    scenario(&mut pair, &mut rng);
    pair.check_healed(&mut rng);
    has_struck
}

/// A store that cannot be opened says so, and is as it was once it can.
#[test]
fn any_call_that_fails_while_a_store_is_opened_is_an_error_and_costs_nothing() {
    let mut failed = 0;
    for side in SIDES {
        for call in CALLS {
            for after in 0.. {
                let mut rng = PhysicsRng::from_seed(after);
                let mut pair = Pair::new();
                scenario(&mut pair, &mut rng);
                pair.end(side);
                pair.disk(side).trouble(Trouble {
                    call: Some(call),
                    after,
                    kind: ErrorKind::Other,
                    is_lasting: true,
                });
                let refused = pair.start(side).is_err();
                let struck = pair.disk(side).struck() > 0;
                assert!(struck || !refused, "{side} {call:?} {after}");
                pair.restart(side);
                pair.check_healed(&mut rng);
                if !struck {
                    break;
                }
                failed += 1;
            }
        }
    }
    assert!(failed > 10, "only {failed} calls failed");
}

#[test]
fn every_kind_of_call_is_made() {
    let mut pair = Pair::new();
    scenario(&mut pair, &mut PhysicsRng::from_seed(1));
    for call in CALLS {
        let disk = pair.disk(SIDES[0]);
        assert!(disk.calls(call) > 0, "{call:?}");
    }
}
