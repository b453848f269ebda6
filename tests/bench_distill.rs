//! `qkd bench distill`: rows that fit together, wrong arguments named, and a peer that agrees.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{PATIENCE, Running, STOP_WITHIN};

const REPORT: &[&str] = &["machine", "seconds", "blocks", "seed", "rows", "peer"];

/// Fields of every row; those that a stage does not have are `null`.
const ROW: &[&str] = &[
    "stage",
    "role",
    "qber",
    "block_bits",
    "blocks",
    "throughput_bps",
    "ns_per_bit",
    "output_bits",
    "reconciliation_inefficiency",
    "alice_leaked_bits",
    "bob_leaked_bits",
    "failures",
    "failure_rate",
    "failure_rate_low",
    "failure_rate_high",
    "rounds",
    "authentication",
    "ratio_to_hash",
    "secret_bps",
];

/// Fields of every size in the comparison.
const PEER_ROW: &[&str] = &[
    "block_bits",
    "output_bits",
    "seed_bits",
    "peer_seed_bits",
    "turns",
    "throughput_bps",
    "peer_throughput_bps",
    "same_matrix_throughput_bps",
    "ratio",
    "same_matrix_ratio",
    "results_equal",
];

fn has(value: &Value, fields: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
    for field in fields {
        assert!(object.contains_key(*field), "no {field} in {value}");
    }
}

fn number(row: &Value, name: &str) -> f64 {
    row[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name}: {row}"))
}

fn report_of(arguments: &[&str]) -> Value {
    let fixed = ["bench", "distill", "--json"];
    let mut bench = Running::start(&[&fixed, arguments].concat());
    let status = bench.end_within(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", bench.story());
    let text = bench.stdout();
    assert_eq!(text.lines().count(), 1, "{}", bench.story());
    let report: Value = serde_json::from_str(&text).unwrap();
    has(&report, REPORT);
    report
}

#[test]
fn every_stage_has_its_rows_with_figures_that_fit_together() {
    #[rustfmt::skip]
    let report = report_of(&[
        "--stages", "cascade,verify,amplify,authenticate", "--qber", "1%,0.05",
        "--block-bits", "16384", "--blocks", "8",
    ]);
    let rows = report["rows"].as_array().unwrap();
    let whose: Vec<[&Value; 3]> = rows
        .iter()
        .map(|row| [&row["stage"], &row["role"], &row["qber"]])
        .collect();
    let expected = serde_json::json!([
        ["cascade", "alice", 0.01],
        ["cascade", "bob", 0.01],
        ["cascade", "alice", 0.05],
        ["cascade", "bob", 0.05],
        ["verify", null, null],
        ["amplify", null, null],
        ["authenticate", null, null],
        ["authenticate", null, null],
    ]);
    assert_eq!(serde_json::json!(whose), expected);
    for row in rows {
        has(row, ROW);
        assert_eq!(number(row, "block_bits"), 16_384.0, "{row}");
        assert_eq!(number(row, "blocks"), 8.0, "{row}");
        let both = number(row, "throughput_bps") * number(row, "ns_per_bit");
        assert!((both / 1e9 - 1.0).abs() < 1e-9, "{row}");
        // Between an abacus and the speed of light through a core.
        assert!(
            (1e4..1e13).contains(&number(row, "throughput_bps")),
            "{row}"
        );
        assert!(row["secret_bps"].is_null(), "{row}");
    }
    for row in &rows[..4] {
        assert!(
            (1.0..1.25).contains(&number(row, "reconciliation_inefficiency")),
            "{row}"
        );
        assert_eq!(number(row, "failure_rate"), 0.0, "{row}");
        // 1 − 0.025^(1/8)
        assert!(
            (number(row, "failure_rate_high") - 0.3694).abs() < 1e-4,
            "{row}"
        );
        assert!(number(row, "rounds") > 10.0, "{row}");
        let leaked = number(row, "alice_leaked_bits");
        assert!(leaked > 0.0 && leaked < 16_384.0, "{row}");
    }
    assert_eq!(number(&rows[5], "output_bits"), 8192.0);
    for (row, authentication) in rows[6..]
        .iter()
        .zip(["hmac-sha-256", "polyval-hmac-sha-256"])
    {
        assert_eq!(row["authentication"], authentication);
        assert!(number(row, "ratio_to_hash") > 0.1, "{row}");
    }
    assert!(report["peer"].is_null() && report["seconds"].is_null());
}

#[test]
fn a_measurement_that_is_interrupted_prints_the_rows_it_has() {
    #[rustfmt::skip]
    let mut bench = Running::start(&[
        "bench", "distill", "--stages", "verify,amplify", "--block-bits", "1000,2000,3000,4000",
        "--seconds", "2",
    ]);
    bench.while_running("the first row", |bench| {
        bench.stderr().contains("verify 1,000 bits").then_some(())
    });
    bench.signal("INT");
    let status = bench.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(130), "{}", bench.story());
    let table = bench.stdout();
    for words in ["ns/bit", "verify"] {
        assert!(table.contains(words), "{}", bench.story());
    }
    assert!(!table.contains("4,000"), "{}", bench.story());
}

/// Fields that rows of the pipeline have and others have not.
const WHOLE: &[&str] = &[
    "cores",
    "round_trip_ms",
    "blocks_in_flight",
    "sifted_bps",
    "delivered_bps",
    "measured_qber",
    "fixed_length_bits",
    "aborted",
    "lost",
    "seconds",
    "threads_ns_per_bit",
    "memory_bytes",
    "link",
];

#[test]
fn two_processes_make_keys_of_detections_whatever_the_way_between_them() {
    #[rustfmt::skip]
    let report = report_of(&[
        "--stages", "pipeline", "--qber", "1%", "--block-bits", "1e5", "--seconds", "0.5",
        "--cores", "2", "--round-trip-ms", "0,20", "--blocks-in-flight", "4",
    ]);
    let rows = report["rows"].as_array().unwrap();
    let whose: Vec<[&Value; 2]> = rows
        .iter()
        .map(|row| [&row["role"], &row["round_trip_ms"]])
        .collect();
    let expected = [("alice", 0.0), ("bob", 0.0), ("alice", 20.0), ("bob", 20.0)];
    assert_eq!(serde_json::json!(whose), serde_json::json!(expected));
    for row in rows {
        has(row, ROW);
        has(row, WHOLE);
        assert_eq!(row["stage"], "pipeline");
        assert!(number(row, "blocks") >= 4.0, "{row}");
        assert_eq!(number(row, "failures"), 0.0, "{row}");
        let qber = number(row, "measured_qber");
        assert!((0.0085..0.0115).contains(&qber), "{row}");
        let f = number(row, "reconciliation_inefficiency");
        assert!((1.0..1.25).contains(&f), "{row}");
        let (sifted, keys) = (number(row, "sifted_bps"), number(row, "delivered_bps"));
        assert!(keys > 0.1 * sifted && keys < sifted, "{row}");
        let (sifted, secret) = (number(row, "throughput_bps"), number(row, "secret_bps"));
        assert!(
            (secret / sifted * number(row, "sifted_bps") / keys - 1.0).abs() < 1e-9,
            "{row}"
        );
        assert!(number(row, "memory_bytes") > 1e6, "{row}");
        assert!(row["threads_ns_per_bit"]["link"].is_number(), "{row}");
        assert!(number(row, "rounds") > 10.0, "{row}");
        // What it was measured on says what is made of a sifted bit.
        let fraction = number(&row["link"], "secret_fraction");
        assert!((secret / sifted / fraction - 1.0).abs() < 0.1, "{row}");
        assert!(row["link"]["intensities"][0].is_number(), "{row}");
        // Rounds of four blocks in flight wait for each other's answers.
        let away = number(row, "round_trip_ms") > 0.0;
        assert!(
            !away || number(row, "sifted_bps") < 4.0 * 1.2e5 / 0.2,
            "{row}"
        );
    }
}

#[test]
fn where_there_can_be_no_key_blocks_are_lost_and_none_has_failed() {
    #[rustfmt::skip]
    let report = report_of(&[
        "--stages", "pipeline", "--qber", "8%", "--block-bits", "1e5", "--seconds", "0.2",
        "--cores", "2", "--blocks-in-flight", "4", "--authentication", "polyval-hmac-sha-256",
    ]);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(number(row, "fixed_length_bits"), 0.0, "{row}");
        assert_eq!(row["authentication"], "polyval-hmac-sha-256", "{row}");
        assert_eq!(number(row, "failures"), 0.0, "{row}");
        assert_eq!(number(row, "failure_rate"), 0.0, "{row}");
        assert_eq!(row["lost"], row["blocks"], "{row}");
        assert_eq!(row["aborted"], row["blocks"], "{row}");
        assert_eq!(number(row, "secret_bps"), 0.0, "{row}");
        // Errors were corrected before the theorem was asked.
        assert!(number(row, "rounds") > 10.0, "{row}");
    }
    // Bob has found the errors, and ends the block; nobody tells Alice how many there were.
    let (alice, bob) = (&rows[0], &rows[1]);
    assert!(alice["measured_qber"].is_null(), "{alice}");
    assert!(alice["reconciliation_inefficiency"].is_null(), "{alice}");
    assert!(
        (0.07..0.09).contains(&number(bob, "measured_qber")),
        "{bob}"
    );
}

#[test]
fn an_interrupted_pipeline_leaves_no_process() {
    let mut bench = Running::start(&["bench", "distill", "--stages", "pipeline"]);
    bench.while_running("both sides", |bench| {
        let there = |side: &str| {
            let of = |one: &str| one == side;
            bench
                .family()
                .iter()
                .any(|one| one.arguments.iter().any(|word| of(word)))
        };
        ["alice", "bob"].into_iter().all(there).then_some(())
    });
    bench.signal("INT");
    let status = bench.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(130), "{}", bench.story());
}

#[test]
fn a_stage_or_an_error_rate_that_there_is_not_is_answered_with_what_there_is() {
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["--stages", "sifting"],
            &["sifting", "cascade", "amplify", "pipeline"],
        ),
        (&["--cores", "0"], &["'0'", "1..=1024"]),
        (&["--round-trip-ms", "x"], &["'x'", "from 0 to 10000", "ms"]),
        (&["--qber", "3"], &["'3'", "from 0.0001 to 0.25", "1%"]),
        (
            &["--block-bits", "12"],
            &["'12'", "from 1000 to 268435456", "or 1e6"],
        ),
    ];
    for (arguments, words) in cases {
        let fixed = ["bench", "distill"];
        let mut bench = Running::start(&[&fixed, arguments].concat());
        let status = bench.end_within(PATIENCE);
        assert_eq!(status.code(), Some(64), "{}", bench.story());
        let said = bench.stderr();
        for word in words {
            assert!(said.contains(word), "{said}");
        }
    }
}

/// Runs the comparison with nothing but `folder` in front of the search path for programs.
fn with_peer(folder: &Path, rest: bool) -> Value {
    let path = std::env::var_os("PATH")
        .filter(|_| rest)
        .unwrap_or_default();
    let path = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    let output = Command::new(env!("CARGO_BIN_EXE_qkd"))
        .args([
            "bench", "distill", "--stages", "amplify", "--json", "--peer",
        ])
        .args([
            "--block-bits",
            "1000,20001",
            "--blocks",
            "3",
            "--ratio",
            "0.4",
        ])
        .env("PATH", std::env::join_paths(path).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn without_python_the_rows_are_there_and_the_peer_is_said_to_be_missing() {
    let empty = tempfile::tempdir().unwrap();
    let report = with_peer(empty.path(), false);
    assert_eq!(report["rows"].as_array().unwrap().len(), 2);
    let peer = &report["peer"];
    assert!(peer["absent"].as_str().unwrap().contains("python3"));
    assert!(peer["install"].as_str().unwrap().contains("pip install"));
    assert_eq!(peer["rows"], serde_json::json!([]));
}

#[test]
#[ignore = "needs Python with cryptomite"]
fn cryptomite_computes_the_same_bits_as_privacy_amplification() {
    let python = std::env::var_os("QKD_TEST_PYTHON").unwrap_or_default();
    let folder = Path::new(&python).parent().unwrap_or(Path::new(""));
    let report = with_peer(folder, true);
    let peer = &report["peer"];
    assert!(peer["absent"].is_null(), "{peer}");
    let rows = peer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{peer}");
    for row in rows {
        has(row, PEER_ROW);
        assert_eq!(row["results_equal"], true, "{row}");
        let (n, m) = (number(row, "block_bits"), number(row, "output_bits"));
        assert_eq!(m, (0.4 * n).floor(), "{row}");
        assert_eq!(number(row, "seed_bits"), n - 1.0, "{row}");
        assert_eq!(number(row, "peer_seed_bits"), n + m - 1.0, "{row}");
        assert!(number(row, "ratio") > 1.0, "{row}");
    }
}
