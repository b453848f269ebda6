use qkd_security::{BasisStatistics, Leakage};
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
        reconciliation_inefficiency: None,
        statistics: None,
        key_length: None,
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
    assert_eq!(AbortReason::ALL.map(of), [2, 0, 1, 0]);
    let block = seen.last_measured.unwrap();
    assert_eq!((block.slots, block.statistics), (1000, measured));
    assert_eq!(board.qber().get_sample_count(), 4);
    assert!((board.qber().get_sample_sum() - 0.52).abs() < 1e-9);
}

#[test]
fn a_session_that_ends_is_one_interruption_and_its_slots_count_for_ever() {
    let board = StatusBoard::default();
    board.link(LinkState::Connecting, "nobody is there");
    for session in [1, 2] {
        board.connected(SessionId(session));
        board.clock(500, Duration::from_millis(1));
        // Both the connection and its owner say that it has ended.
        board.link(LinkState::Connecting, "cut");
        board.link(LinkState::Connecting, "cut");
    }
    let seen = board.snapshot();
    assert_eq!((seen.sessions, seen.interruptions), (2, 2));
    assert_eq!((seen.slots, seen.slots_total), (500, 1000));
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
