use super::*;
use crate::cli::{Cli, Command};
use clap::Parser;

fn with_key(block: u64) -> BlockReport {
    BlockReport {
        session: 9,
        block,
        outcome: "key".to_owned(),
        sifted_bits: 1_000_000,
        qber: Some(0.0103),
        phase_error_rate: Some(0.0341),
        leaked_bits: 91_234,
        reconciliation_inefficiency: Some(1.0724),
        secret_length_bits: 412_345,
        emulated_seconds: 0.25,
        ..BlockReport::default()
    }
}

fn aborted(block: u64) -> BlockReport {
    BlockReport {
        outcome: "aborted".to_owned(),
        abort_reason: "qber_too_high".to_owned(),
        abort_observed: Some(0.25),
        abort_limit: Some(0.013),
        qber: Some(0.25),
        phase_error_rate: None,
        leaked_bits: 0,
        reconciliation_inefficiency: None,
        secret_length_bits: 0,
        text: "error rate 25.00 % above the limit of 1.30 %".to_owned(),
        ..with_key(block)
    }
}

fn merged(report: BlockReport) -> Block {
    Block::merged(&report, &report.clone()).unwrap()
}

fn report(arguments: &[&str], blocks: &[Block]) -> Report {
    let all = ["qkd", "lab"].iter().chain(arguments);
    let Command::Lab(args) = Cli::try_parse_from(all).unwrap().command else {
        panic!("{arguments:?} is no laboratory");
    };
    let mut report = Report::new(&args, "bb84");
    report.set_blocks(blocks);
    report
}

#[test]
fn the_json_object_has_exactly_the_promised_fields() {
    let mut report = report(
        &["--eve", "intercept-resend:0.5"],
        &[merged(with_key(1)), merged(aborted(2))],
    );
    report.set_tally(&Tally {
        pulses_seen: 9,
        intercepted: 5,
        resent: 4,
        ..Tally::default()
    });
    report.outcome = Outcome::Key;
    report.keys_agree = true;
    report.message_delivered = true;
    report.wall_seconds = 2.5;
    report.note("files", "only for people");
    let expected = serde_json::json!({
        "outcome": "key", "protocol": "bb84", "preset": "snspd", "distance_km": 25.0,
        "blocks": [
            {"block": 1, "outcome": "key", "abort": null, "abort_observed": null,
             "abort_limit": null, "sifted_bits": 1_000_000, "qber": 0.0103,
             "phase_error_rate": 0.0341, "leaked_bits": 91_234,
             "reconciliation_inefficiency": 1.0724, "secret_length_bits": 412_345},
            {"block": 2, "outcome": "aborted", "abort": "qber_too_high", "abort_observed": 0.25,
             "abort_limit": 0.013, "sifted_bits": 1_000_000,
             "qber": 0.25, "phase_error_rate": null, "leaked_bits": 0,
             "reconciliation_inefficiency": null, "secret_length_bits": 0},
        ],
        "keys_agree": true, "secret_bits": 412_345, "emulated_seconds": 0.5, "wall_seconds": 2.5,
        "secret_key_rate_bps": 824_690.0, "message_delivered": true,
        "eve": {"attack": "intercept-resend", "fraction": 0.5, "pulses_seen": 9, "intercepted": 5,
                "resent": 4},
    });
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json, expected);
    assert!(!report.json().contains('\n'));
}

#[test]
fn without_eve_the_field_is_null_and_a_fault_names_its_cause() {
    let mut report = report(&[], &[]);
    report.error = Some("bob stopped by itself".to_owned());
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["eve"], serde_json::Value::Null);
    assert_eq!(json["outcome"], "fault");
    assert_eq!(json["error"], "bob stopped by itself");
    assert_eq!(json["secret_key_rate_bps"], 0.0, "no division by no time");
    assert!(report.table().contains("bob stopped by itself"));
}

#[test]
fn what_one_end_did_not_learn_comes_from_the_other() {
    let bob = BlockReport {
        qber: None,
        phase_error_rate: None,
        text: String::new(),
        ..aborted(3)
    };
    for (alice, bob) in [(aborted(3), bob.clone()), (bob, aborted(3))] {
        let block = Block::merged(&alice, &bob).unwrap();
        assert_eq!(block.qber, Some(0.25));
        assert!(block.text.contains("25.00 %"));
    }
}

#[test]
fn ends_that_differ_in_outcome_or_length_are_a_fault() {
    let shorter = BlockReport {
        secret_length_bits: 412_344,
        ..with_key(4)
    };
    for bob in [shorter, aborted(4)] {
        assert!(matches!(
            Block::merged(&with_key(4), &bob),
            Err(Fault::Disagreement { block: 4, .. })
        ));
    }
    let strange = BlockReport {
        outcome: "perhaps".to_owned(),
        ..with_key(4)
    };
    assert!(matches!(
        Block::merged(&strange, &with_key(4)),
        Err(Fault::UnknownOutcome { .. })
    ));
}

#[test]
fn the_table_is_aligned_and_says_why_a_block_was_aborted() {
    let blocks = [
        merged(with_key(1)),
        merged(aborted(2)),
        merged(with_key(10)),
    ];
    let mut report = report(&["--distance", "50"], &blocks);
    report.note("files", "kept in /tmp/lab");
    let table = report.table();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "Alice → Bob: BB84 over 50 km of fibre, preset snspd; lengths in bits"
    );
    let width = lines[2].chars().count();
    for line in [lines[3], lines[4], lines[6]] {
        assert_eq!(line.chars().count(), width, "{table}");
    }
    let why = "why: error rate 25.00 % above the limit of 1.30 % (qber_too_high)";
    assert!(lines[5].trim_start().starts_with(why), "{table}");
    for words in [
        "2 of 3 blocks gave a key: 824,690 secret bits",
        "kept in /tmp/lab",
    ] {
        assert!(table.contains(words), "{table}");
    }
}

#[test]
fn digits_are_grouped_by_three() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn blocks_stand_in_the_order_in_which_they_were_begun() {
    let of = |session, block| {
        let report = BlockReport {
            session,
            ..with_key(block)
        };
        merged(report)
    };
    let report = report(&[], &[of(9, 1), of(9, 0), of(3, 1), of(3, 0)]);
    let order: Vec<_> = report.blocks.iter().map(|b| (b.session, b.block)).collect();
    assert_eq!(order, [(9, 0), (9, 1), (3, 0), (3, 1)]);
}
