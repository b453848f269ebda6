//! `qkd bench delivery`: three processes and their rows, and everything gone after Ctrl-C.

use serde_json::{Value, json};

use crate::process::{PATIENCE, Running, STOP_WITHIN};

/// Fields of every row.
const ROW: &[&str] = &[
    "api",
    "call",
    "stored_keys",
    "concurrency",
    "requests_per_second",
    "p50_ms",
    "p99_ms",
    "max_ms",
    "requests",
    "errors",
    "wrong_keys",
    "seconds",
    "alice_commits_per_second",
    "bob_commits_per_second",
    "cpu_seconds",
    "free_keys",
    "waiting_keys",
];

fn number(row: &Value, name: &str) -> f64 {
    row[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name}: {row}"))
}

#[test]
fn two_nodes_and_their_applications_give_rows_that_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    #[rustfmt::skip]
    let mut bench = Running::start(&[
        "bench", "delivery", "--json", "--folder", &place, "--stored-keys", "500",
        "--concurrency", "4", "--seconds", "0.2", "--races", "40", "--racers", "8",
    ]);
    let status = bench.end_within(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", bench.story());
    let report: Value = serde_json::from_str(&bench.stdout()).unwrap();
    assert!(report["disk"]["fdatasync_p50_ms"].is_number(), "{report}");
    let rows = report["rows"].as_array().unwrap();
    let whose: Vec<[&Value; 2]> = rows.iter().map(|row| [&row["api"], &row["call"]]).collect();
    let mut expected = Vec::new();
    for api in ["etsi014", "grpc"] {
        expected.extend(["status", "enc_keys", "dec_keys", "pair"].map(|call| [api, call]));
    }
    assert_eq!(json!(whose), json!(expected));
    for row in rows {
        let object = row.as_object().unwrap();
        assert!(ROW.iter().all(|field| object.contains_key(*field)), "{row}");
        assert_eq!(row["stored_keys"], 500);
        assert_eq!(number(row, "errors"), 0.0, "{}", bench.story());
        assert_eq!(number(row, "wrong_keys"), 0.0, "{row}");
        let rate = number(row, "requests") / number(row, "seconds");
        assert!((rate / number(row, "requests_per_second") - 1.0).abs() < 1e-9);
        let times = ["p50_ms", "p99_ms", "max_ms"].map(|name| number(row, name));
        assert!(times.is_sorted() && times[0] > 0.0, "{row}");
        // Who asks for a key waits for both disks, who asks how many there are for none.
        let commits = ["alice_commits_per_second", "bob_commits_per_second"];
        let commits = commits.map(|name| number(row, name) > 0.0);
        // On a disk that takes longer than a row none may fall into it.
        let fits = times[2] < 1e3 * number(row, "seconds");
        match row["call"].as_str().unwrap() {
            "status" => {}
            _ if !fits => {}
            "dec_keys" => assert!(commits[1], "{row}"),
            _ => assert_eq!(commits, [true, true], "{row}"),
        }
    }
    let starts = report["starts"].as_array().unwrap();
    assert_eq!(starts.len(), 1);
    assert!(number(&starts[0], "alice_startup_ms") > 0.0);
    for race in report["races"].as_array().unwrap() {
        let counts = [
            "races",
            "requests",
            "won_once",
            "won_by_nobody",
            "won_often",
        ];
        let counts = counts.map(|name| number(race, name));
        assert_eq!(counts, [40.0, 320.0, 40.0, 0.0, 0.0], "{race}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "all is gone");
}

#[test]
fn a_measurement_that_is_interrupted_leaves_no_process_and_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    #[rustfmt::skip]
    let mut bench = Running::start(&[
        "bench", "delivery", "--folder", &place, "--stored-keys", "500", "--call", "status",
        "--concurrency", "1", "--api", "grpc,etsi014", "--seconds", "20",
    ]);
    bench.while_running("the start", |bench| {
        bench.stderr().contains("start with 500 keys").then_some(())
    });
    bench.signal("INT");
    let status = bench.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(130), "{}", bench.story());
    assert!(bench.stdout().contains("file system"), "{}", bench.story());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "all is gone");
}
