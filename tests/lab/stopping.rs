//! A laboratory that is stopped, at whatever moment, takes all its services with it.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use super::{nothing_is_left, start};
use crate::process::{PATIENCE, Running, STOP_WITHIN};

/// A moment in the life of a laboratory.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// So many services exist.
    Services(usize),
    /// It has said so on standard error.
    Said(&'static str),
}

/// What somebody may meet who presses Ctrl-C: certificates being made, one service after the
/// other starting, the first block being collected, the first block done.
const MOMENTS: &[Moment] = &[
    Moment::Services(0),
    Moment::Services(1),
    Moment::Services(2),
    Moment::Services(3),
    Moment::Said("running"),
    Moment::Said("block 0:"),
    Moment::Said("block 1:"),
];

/// Delays that depend on nothing the laboratory says.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const RANDOM_MOMENTS: usize = 8;
const RANDOM_SPAN: Duration = Duration::from_millis(1500);

/// Its number everywhere (POSIX.1-2017, kill).
const SIGINT: i32 = 2;

fn random_moments() -> Vec<Moment> {
    let mut state = SEED;
    let mut next = || {
        // Marsaglia's xorshift64 is random enough for delays.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        RANDOM_SPAN.mul_f64((state >> 11) as f64 / (1u64 << 53) as f64)
    };
    (0..RANDOM_MOMENTS).map(|_| Moment::After(next())).collect()
}

/// A laboratory with three services, at that moment. It would go on for a very long time.
fn lab_at(moment: Moment) -> Running {
    let mut lab = start(&["--json", "--blocks", "1000000", "--eve", "passive"]);
    let began = Instant::now();
    lab.while_running(&format!("{moment:?}"), |lab| {
        let reached = match moment {
            Moment::After(delay) => began.elapsed() >= delay,
            // The laboratory itself is one of the family.
            Moment::Services(number) => lab.family().len() > number,
            Moment::Said(words) => lab.stderr().contains(words),
        };
        reached.then_some(())
    });
    lab
}

#[test]
fn ctrl_c_at_any_moment_stops_all_services_and_leaves_nothing() {
    for moment in MOMENTS.iter().copied().chain(random_moments()) {
        let mut lab = lab_at(moment);
        lab.signal("INT");
        let status = lab.family_ends_within(STOP_WITHIN);
        nothing_is_left(&lab);
        // Before its first word there is nothing to clean up, and the system ends it.
        let unprepared = status.signal() == Some(SIGINT) && lab.stderr().is_empty();
        assert!(
            status.code() == Some(130) || unprepared,
            "{moment:?}: {status}: {}",
            lab.story()
        );
        assert_eq!(lab.stdout(), "", "{moment:?}: half a report");
        let killed = lab.stderr().contains("killed");
        assert!(!killed, "{moment:?}: not in good order: {}", lab.story());
    }
}

#[test]
fn sigterm_and_sighup_stop_a_laboratory_as_ctrl_c_does() {
    for signal in ["TERM", "HUP"] {
        let mut lab = lab_at(Moment::Said("running"));
        lab.signal(signal);
        let status = lab.family_ends_within(STOP_WITHIN);
        assert_eq!(status.code(), Some(143), "{signal}: {}", lab.story());
        nothing_is_left(&lab);
    }
}

#[test]
fn impatience_does_no_harm() {
    let mut lab = lab_at(Moment::Said("block 0:"));
    for _ in 0..3 {
        lab.signal("INT");
    }
    let status = lab.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(130), "{}", lab.story());
    nothing_is_left(&lab);
}

#[test]
fn services_end_by_themselves_when_their_laboratory_is_killed() {
    for moment in [
        Moment::Services(1),
        Moment::Services(3),
        Moment::Said("block 0:"),
    ] {
        let mut lab = lab_at(moment);
        lab.kill();
        lab.family_ends_within(STOP_WITHIN);
    }
}

#[test]
fn a_service_that_dies_ends_the_laboratory_with_a_fault_that_names_it() {
    let mut lab = lab_at(Moment::Said("block 0:"));
    let family = lab.family();
    let bob = family.iter().find(|one| one.role() == "bob").unwrap();
    lab.signal_child(bob, "KILL");
    let status = lab.family_ends_within(PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", lab.story());
    let said = lab.stderr();
    assert!(said.contains("bob stopped by itself"), "{}", lab.story());
    let report: serde_json::Value = serde_json::from_str(&lab.stdout()).unwrap();
    assert_eq!(report["outcome"], "fault");
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("bob stopped by itself"), "{report}");
    nothing_is_left(&lab);
}
