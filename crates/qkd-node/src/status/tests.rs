use qkd_bits::HealthAlarm;
use qkd_bits::health::HealthTest;
use qkd_keystore::Health;
use qkd_optics::Monitor;
use qkd_security::{BasisStatistics, Leakage, SecurityParameters, Theorem};
use qkd_session::Abort;

use super::*;

fn report(qber: f64, outcome: Outcome) -> BlockReport {
    BlockReport {
        block: 0,
        first_slot: 100,
        end_slot: 1100,
        detections: 50,
        sifted_bits: 40,
        qber: Some(qber),
        leakage: Leakage::default(),
        leaked_bits: 0,
        rounds: None,
        reconciliation_inefficiency: None,
        statistics: None,
        key_length: None,
        sifted: None,
        theorem: Theorem::default(),
        parameters: SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        },
        fixed_length_bits: 0,
        spent: None,
        alarms: Vec::new(),
        outcome,
    }
}

fn aborted(reason: AbortReason) -> Outcome {
    Outcome::Aborted(Abort {
        reason,
        observed: 0.25,
        limit: 0.02,
    })
}

#[test]
fn blocks_are_counted_by_outcome_and_reason_and_their_error_rates_too() {
    let board = StatusBoard::default();
    board.connected(SessionId(1));
    let measured = Statistics {
        key: BasisStatistics {
            counts: [30, 10],
            errors: [1, 0],
        },
        ..Statistics::default()
    };
    let key = Outcome::Key {
        secret_length_bits: 7,
    };
    board.report(BlockReport {
        statistics: Some(measured),
        ..report(0.01, key)
    });
    board.report(report(0.25, aborted(AbortReason::QberTooHigh)));
    // Alice hears of Bob's measurement only what he refused.
    board.report(BlockReport {
        qber: None,
        ..report(0.0, aborted(AbortReason::QberTooHigh))
    });
    assert_eq!(board.snapshot().last_qber, Some(0.25));
    board.report(report(0.01, aborted(AbortReason::ZeroLength)));
    let seen = board.snapshot();
    assert_eq!((seen.blocks_with_key, seen.blocks_aborted), (1, 3));
    let of = |reason: AbortReason| seen.aborts[reason.index()];
    assert_eq!(AbortReason::ALL.map(of)[..4], [2, 0, 1, 0]);
    let block = seen.last_measured.unwrap();
    assert_eq!((block.slots, block.statistics), (1000, measured));
    assert_eq!(board.qber().get_sample_count(), 4);
    assert!((board.qber().get_sample_sum() - 0.52).abs() < 1e-9);
}

#[test]
fn a_session_that_ends_is_one_interruption_and_its_slots_and_alarms_count_for_ever() {
    let board = StatusBoard::default();
    board.link(LinkState::Connecting, "nobody is there");
    for session in [1, 2] {
        board.connected(SessionId(session));
        board.clock(500, Some(Duration::from_millis(1)));
        board.detectors(ReceiverCounters {
            power_alarms: 3,
            ..ReceiverCounters::default()
        });
        // Both the connection and its owner say that it has ended.
        board.link(LinkState::Connecting, "cut");
        board.link(LinkState::Connecting, "cut");
    }
    let seen = board.snapshot();
    assert_eq!((seen.sessions, seen.interruptions), (2, 2));
    assert_eq!((seen.slots, seen.slots_total), (500, 1000));
    assert_eq!((seen.detectors.power_alarms, seen.power_alarms), (3, 6));
}

#[test]
fn a_fibre_that_leads_nowhere_is_an_alarm_while_it_does() {
    let board = StatusBoard::default();
    board.alarm("look here".to_owned());
    board.fibre(Some("light goes nowhere".to_owned()));
    let alarms = board.alarms(&Health::Sound);
    assert_eq!(alarms, ["look here", "light goes nowhere"]);
    board.fibre(None);
    assert_eq!(board.alarms(&Health::Sound), ["look here"]);
}

#[test]
fn a_generator_that_fails_raises_the_alarm_of_its_monitor_once() {
    let board = StatusBoard::default();
    let failed = HealthAlarm {
        test: HealthTest::RepetitionCount,
        observed: 512,
        limit: 65,
    };
    board.generator(failed);
    board.generator(failed);
    let alarms = board.snapshot().monitors[Monitor::RandomNumbers.index()];
    assert_eq!(alarms.blocks, 1);
    let last = alarms.last.unwrap();
    assert_eq!((last.observed, last.limit), (512.0, 64.0));
    let said = board.alarms(&Health::Sound);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("random_numbers: "), "{said:?}");
}

/// A board on which so many slots went by in each of these pieces of light.
fn lit(pieces: &[(u64, Duration)]) -> Snapshot {
    let board = StatusBoard::default();
    let mut slots = 0;
    for &(more, time) in pieces {
        slots += more;
        board.clock(slots, Some(time));
    }
    board.snapshot()
}

#[test]
fn a_short_piece_in_which_the_clock_stalled_or_leapt_moves_its_pace_by_as_little_as_it_took() {
    let steady = [(14_000_000, Duration::from_millis(20))].repeat(100);
    let millisecond = Duration::from_millis(1);
    for odd in [(1000, millisecond), (14_000_000, millisecond)] {
        for at in [0, 50, 100] {
            let mut pieces = steady.clone();
            pieces.insert(at, odd);
            let pace = lit(&pieces).recent_light.seconds_per_slot().unwrap();
            assert!((pace * 0.7e9 - 1.0).abs() < 0.011, "{odd:?} {at}: {pace}");
        }
    }
    assert_eq!(lit(&[]).recent_light.seconds_per_slot(), None);
}

#[test]
fn the_pace_is_that_of_the_last_seconds_of_light_and_the_total_that_of_all() {
    let second = Duration::from_secs(1);
    let piece = Duration::from_millis(20);
    let slow_then_fast = [[(2, piece)].repeat(500), [(20, piece)].repeat(500)].concat();
    let seen = lit(&slow_then_fast);
    assert_eq!(seen.recent_light.seconds_per_slot(), Some(0.001));
    assert!((3.0..3.1).contains(&seen.recent_light.time.as_secs_f64()));
    assert_eq!((seen.light.slots, seen.light.time), (11_000, 20 * second));
    // A clock that stands still in light is slow; slots without a measured time are only counted.
    let stalled = lit(&[(20, piece), (0, second)]).recent_light;
    assert_eq!((stalled.slots, stalled.time), (20, second + piece));
    let board = StatusBoard::default();
    board.clock(1000, None);
    assert_eq!(board.snapshot().slots_total, 1000);
    assert_eq!(board.snapshot().light, Light::default());
}
