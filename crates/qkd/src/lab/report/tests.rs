use super::*;
use crate::cli::{Cli, Command};
use crate::lab::fault::Fault;
use clap::Parser;
use qkd_wire::proto::node::{BlockReport, FailureBudget, Figure};

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
        theorem: "wiesemann2024".to_owned(),
        fixed_length_bits: 412_665,
        check_bits: 64,
        refresh_bits: 256,
        secrecy: 1e-10,
        correctness: 1e-15,
        spent: Some(FailureBudget {
            runs: block,
            secrecy: 1e-10 * block as f64,
            correctness: 1e-15 * block as f64,
        }),
        figures: [("slots", 2.5e8), ("length_unclamped_bits", 420_000.5)]
            .map(figure)
            .into(),
        emulated_seconds: 0.25,
        ..BlockReport::default()
    }
}

fn figure((name, value): (&str, f64)) -> Figure {
    Figure {
        name: name.to_owned(),
        value,
        ..Figure::default()
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
        check_bits: 0,
        refresh_bits: 0,
        spent: None,
        figures: [("slots", 2.5e8)].map(figure).into(),
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
        caught_photons: 3,
        returned_photons: 2,
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
             "reconciliation_inefficiency": 1.0724, "secret_length_bits": 412_345,
             "theorem": "wiesemann2024", "fixed_length_bits": 412_665, "check_bits": 64,
             "refresh_bits": 256, "secrecy": 1e-10, "correctness": 1e-15,
             "budget": {"blocks": 1, "secrecy": 1e-10, "correctness": 1e-15},
             "alarms": [], "figures": {"slots": 250_000_000, "length_unclamped_bits": 420_000.5}},
            {"block": 2, "outcome": "aborted", "abort": "qber_too_high", "abort_observed": 0.25,
             "abort_limit": 0.013, "sifted_bits": 1_000_000,
             "qber": 0.25, "phase_error_rate": null, "leaked_bits": 0,
             "reconciliation_inefficiency": null, "secret_length_bits": 0,
             "theorem": "wiesemann2024", "fixed_length_bits": 412_665, "check_bits": 0,
             "refresh_bits": 0, "secrecy": 1e-10, "correctness": 1e-15, "budget": null,
             "alarms": [], "figures": {"slots": 250_000_000}},
        ],
        "keys_agree": true, "secret_bits": 412_345, "emulated_seconds": 0.5, "wall_seconds": 2.5,
        "stretch_factor": null,
        "secret_key_rate_bps": 824_690.0, "message_delivered": true,
        "eve": {"attack": "intercept-resend", "parameters": "0.5", "fraction": 0.5, "pulses_seen": 9, "intercepted": 5,
                "resent": 4, "caught_photons": 3, "returned_photons": 2},
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
        figures: [("only_here", 1.0), ("test_signal_errors", 7.0)]
            .map(figure)
            .into(),
        ..aborted(3)
    };
    for (alice, bob) in [(aborted(3), bob.clone()), (bob, aborted(3))] {
        let block = Block::merged(&alice, &bob).unwrap();
        assert_eq!(block.qber, Some(0.25));
        let mut names: Vec<_> = block
            .figures
            .0
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["only_here", "slots", "test_signal_errors"]);
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
    let said = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "2 of 3 blocks gave a key: 824,690 net secret bits",
        "412,665 bits were fixed before block 10 began, less 64 for the key check and 256",
        "ε ≤ 1.00001e-9 for all keys of this pair: at most 10 blocks begun, each 1e-10 (secrecy)",
        "kept in /tmp/lab",
    ] {
        assert!(said.contains(words), "{table}");
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
