//! The laboratory as people and scripts call it: what it prints, leaves behind and answers with.

mod keeping;
mod stopping;
mod tour;
mod usage;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::process::{PATIENCE, Running, listing};

/// The smallest blocks that give a key at 25 km in about a second.
const BLOCK_BITS: u64 = 200_000;

/// `qkd lab` with small blocks and further arguments.
fn start(arguments: &[&str]) -> Running {
    let bits = BLOCK_BITS.to_string();
    let mut all = vec!["lab", "--block-bits", &bits];
    all.extend(arguments);
    Running::start(&all)
}

/// Waits for the end of a laboratory that was left alone; returns its status and its report.
fn finish(mut lab: Running) -> (Option<i32>, Value) {
    let status = lab.end_within(PATIENCE);
    nothing_is_left(&lab);
    let text = lab.stdout();
    assert_eq!(text.lines().count(), 1, "one object only: {}", lab.story());
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", lab.story()));
    (status.code(), report)
}

/// No process and no temporary file survives a laboratory.
fn nothing_is_left(lab: &Running) {
    assert_eq!(lab.family(), [], "{}", lab.story());
    let files = listing(lab.home());
    assert!(files.is_empty(), "{files:?} is left of: {}", lab.story());
}

/// An object with exactly these fields.
fn fields<'v>(value: &'v Value, expected: &[&str]) -> &'v serde_json::Map<String, Value> {
    let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
    let found: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(found, expected.iter().copied().collect(), "{value}");
    object
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

const REPORT: &[&str] = &[
    "outcome",
    "protocol",
    "preset",
    "distance_km",
    "blocks",
    "keys_agree",
    "secret_bits",
    "emulated_seconds",
    "wall_seconds",
    "stretch_factor",
    "secret_key_rate_bps",
    "message_delivered",
    "eve",
];

const BLOCK: &[&str] = &[
    "block",
    "outcome",
    "abort",
    "abort_observed",
    "alarms",
    "abort_limit",
    "sifted_bits",
    "qber",
    "phase_error_rate",
    "leaked_bits",
    "reconciliation_inefficiency",
    "secret_length_bits",
    "theorem",
    "fixed_length_bits",
    "check_bits",
    "refresh_bits",
    "secrecy",
    "correctness",
    "budget",
    "figures",
];

const EVE: &[&str] = &[
    "attack",
    "parameters",
    "fraction",
    "pulses_seen",
    "intercepted",
    "resent",
    "caught_photons",
    "returned_photons",
];

/// The blocks of a report, whose sums its other fields must be.
fn checked_blocks(report: &Value, blocks: u64) -> Vec<&serde_json::Map<String, Value>> {
    let object = fields(report, REPORT);
    assert_eq!(object["protocol"], "bb84");
    assert_eq!(object["preset"], "snspd");
    assert_eq!(number(&object["distance_km"]), 25.0);
    let found: Vec<_> = report["blocks"].as_array().unwrap().iter().collect();
    let numbers: Vec<u64> = found.iter().map(|block| whole(&block["block"])).collect();
    assert_eq!(numbers, (0..blocks).collect::<Vec<_>>(), "{report}");
    let secret_bits: u64 = found
        .iter()
        .map(|block| whole(&block["secret_length_bits"]))
        .sum();
    assert_eq!(whole(&object["secret_bits"]), secret_bits);
    let emulated = number(&object["emulated_seconds"]);
    // At 25 km the instruments click about 10⁷ times a second.
    assert!((0.001..1.0).contains(&emulated), "{report}");
    assert!(number(&object["wall_seconds"]) > emulated, "{report}");
    let rate = secret_bits as f64 / emulated;
    let reported = number(&object["secret_key_rate_bps"]);
    assert!((reported - rate).abs() <= 1e-9 * rate, "{report}");
    found
        .into_iter()
        .map(|block| fields(block, BLOCK))
        .collect()
}

#[test]
fn a_laboratory_makes_the_same_keys_at_both_ends_and_delivers_the_message() {
    let (status, report) = finish(start(&["--json", "--blocks", "2"]));
    assert_eq!(status, Some(0), "{report}");
    assert_eq!(report["outcome"], "key");
    assert_eq!(report["keys_agree"], true);
    assert_eq!(report["message_delivered"], true);
    assert_eq!(report["eve"], Value::Null);
    for block in checked_blocks(&report, 2) {
        assert_eq!(block["outcome"], "key", "{report}");
        assert_eq!(block["abort"], Value::Null);
        assert!(whole(&block["sifted_bits"]) >= BLOCK_BITS);
        // 1 % misalignment; 5σ of 200,000 bits is 0.11 %.
        assert!(
            (0.0089..0.0112).contains(&number(&block["qber"])),
            "{report}"
        );
        assert!((0.01..0.5).contains(&number(&block["phase_error_rate"])));
        assert!(whole(&block["leaked_bits"]) > 0);
        let inefficiency = number(&block["reconciliation_inefficiency"]);
        assert!((1.0..1.3).contains(&inefficiency), "{report}");
        let parts = ["secret_length_bits", "check_bits", "refresh_bits"].map(|p| whole(&block[p]));
        let fixed = whole(&block["fixed_length_bits"]);
        assert!(parts[0] > 0 && parts.iter().sum::<u64>() == fixed);
        let figures = &block["figures"];
        assert_eq!(whole(&figures["sifted_bits"]), whole(&block["sifted_bits"]));
        assert!(number(&figures["length_unclamped_bits"]) >= fixed as f64);
        let each = number(&block["secrecy"]);
        let spent = number(&block["budget"]["secrecy"]);
        let runs = number(&block["budget"]["blocks"]);
        assert!((spent / (runs * each) - 1.0).abs() < 1e-9, "{report}");
        assert!(runs > number(&block["block"]), "{report}");
    }
}

#[test]
fn an_eavesdropper_is_noticed_in_every_block_and_no_key_comes_out() {
    // Error rates f/4 + (1 − f/2)·1 %, and 5σ of the 12,500 test bits that showed them.
    let cases = [
        ("intercept-resend", 1.0, 0.2355..0.2745),
        ("intercept-resend:0.1", 0.1, 0.0264..0.0427),
    ];
    for (attack, fraction, qber) in cases {
        let (status, report) = finish(start(&["--json", "--blocks", "2", "--eve", attack]));
        assert_eq!(status, Some(2), "{report}");
        assert_eq!(report["outcome"], "aborted");
        assert_eq!(report["keys_agree"], false);
        assert_eq!(report["message_delivered"], false);
        let eve = fields(&report["eve"], EVE);
        assert_eq!(eve["attack"], "intercept-resend");
        assert_eq!(number(&eve["fraction"]), fraction);
        assert!(whole(&eve["intercepted"]) > 0, "{report}");
        assert!(
            whole(&eve["pulses_seen"]) >= whole(&eve["intercepted"]),
            "{report}"
        );
        for block in checked_blocks(&report, 2) {
            assert_eq!(block["outcome"], "aborted", "{report}");
            assert_eq!(block["abort"], "qber_too_high", "{report}");
            let (observed, limit) = (&block["abort_observed"], &block["abort_limit"]);
            assert!(number(observed) > number(limit), "{report}");
            assert!(qber.contains(&number(&block["qber"])), "{qber:?}: {report}");
            assert_eq!(whole(&block["secret_length_bits"]), 0);
            assert_eq!(block["phase_error_rate"], Value::Null);
            let figures = &block["figures"];
            assert!(whole(&figures["test_signal_errors"]) > 0, "{report}");
            assert_eq!(figures["secret_length_bits"], Value::Null, "{report}");
        }
    }
}

/// From Alice's door, with a lossless line in place of 50 km: single photons are stopped, and the gains
/// are to each other as the chances of several photons, (1 − e^(−ν)(1 + ν)) / (1 − e^(−μ)(1 + μ)), in
/// place of ν/μ. No error betrays her, the decoys do.
#[test]
fn photon_number_splitting_from_alices_door_is_caught_by_the_decoys_alone() {
    let attack = "photon-number-splitting";
    let arguments = [
        "--json",
        "--blocks",
        "2",
        "--distance",
        "50",
        "--eve",
        attack,
    ];
    let (status, report) = finish(start(&arguments));
    assert_eq!(status, Some(2), "{report}");
    let several = |mean: f64| 1.0 - (-mean).exp() * (1.0 + mean);
    let expected = several(0.115) / several(0.33);
    for block in report["blocks"].as_array().unwrap() {
        assert_eq!(block["abort"], "decoy_share", "{report}");
        let count = |name: &str| number(&block["figures"][name]);
        let both = |class: &str| {
            ["key", "test"]
                .map(|basis| count(&format!("{basis}_{class}_detections")))
                .iter()
                .sum::<f64>()
        };
        let (signals, decoys) = (both("signal"), both("decoy"));
        let ratio = (decoys / 0.55) / (signals / 0.45);
        let sigma = expected * (1.0 / decoys + 1.0 / signals).sqrt();
        let off = (ratio - expected) / sigma;
        assert!(
            off.abs() < 5.0,
            "ratio {ratio} is {off} sigma off {expected}: {report}"
        );
        let errors = count("test_signal_errors") / count("test_signal_detections");
        assert!(errors < 0.02, "{report}");
    }
    let eve = fields(&report["eve"], EVE);
    assert!(whole(&eve["intercepted"]) > 0, "{report}");
}

#[test]
fn the_report_for_people_says_why_every_block_was_aborted() {
    let mut lab = start(&["--blocks", "1", "--eve", "intercept-resend"]);
    assert_eq!(lab.end_within(PATIENCE).code(), Some(2), "{}", lab.story());
    let printed = lab.stdout();
    for line in printed.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    let said = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "aborted",
        "why: ",
        "qber_too_high",
        "no key",
        "Eve",
        "were measured",
    ] {
        assert!(said.contains(words), "no {words:?}: {}", lab.story());
    }
}

#[test]
fn a_laboratory_whose_clock_this_machine_cannot_keep_says_so() {
    // Without fibre almost every fifth slot holds light: no machine makes 2.5 × 10⁹ of them a second.
    let mut lab = start(&["--blocks", "3", "--distance", "0", "--preset", "boaron2018"]);
    assert_eq!(lab.end_within(PATIENCE).code(), Some(0), "{}", lab.story());
    let printed = lab.stdout();
    let said = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = "emulated clock stretched to ";
    assert!(said.contains(words), "no {words:?}: {}", lab.story());
    assert!(
        said.contains("Hz of 2.5 GHz: this machine cannot keep up"),
        "{}",
        lab.story()
    );
}

#[test]
fn alice_bob_and_eve_are_three_processes_of_their_own() {
    let mut lab = start(&["--json", "--blocks", "2", "--eve", "passive"]);
    let mut seen = BTreeSet::new();
    while lab.ended().is_none() {
        for relative in lab.family().iter().filter(|one| one.id != lab.id()) {
            // Between fork and exec, a child still has the arguments of its parent; in the middle of
            // exec, it has none.
            if !matches!(relative.role(), "" | "lab") {
                seen.insert((relative.role().to_owned(), relative.id));
            }
        }
    }
    let roles: Vec<&str> = seen.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["alice", "bob", "eve"], "{}", lab.story());
    let (status, report) = finish(lab);
    assert_eq!(status, Some(0), "looking on changes nothing: {report}");
    let eve = fields(&report["eve"], EVE);
    assert_eq!(
        (&eve["attack"], number(&eve["fraction"])),
        (&"passive".into(), 0.0)
    );
}
