//! What `qkd plan` refuses, and what it says of it.

use std::fs;
use std::process::Command;

use super::{GYS, run, written};

#[test]
fn wrong_usage_ends_with_64_and_says_what_was_expected() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--distances", "0:10:5"], &["--config", "--preset"]),
        (&["--preset", "snspf"], &["snspf", "snspd"]),
        (
            &["--preset", "snspd", "--distances", "-5"],
            &["-5", "0 to 1000", "km"],
        ),
        (
            &["--preset", "snspd", "--distances", "0:10:0"],
            &["0:10:0", "FIRST:LAST:STEP"],
        ),
        (
            &["--preset", "snspd", "--loss-db", "NaN"],
            &["NaN", "dB", "0 to 300"],
        ),
        (
            &["--preset", "snspd", "--block-bits", "1.5"],
            &["1.5", "100 to 1e15"],
        ),
        (
            &["--preset", "snspd", "--theorem", "lim"],
            &["lim", "lim2014"],
        ),
        (
            &["--preset", "snspd", "--png", "-"],
            &["--png", "name of a file"],
        ),
        (
            &["--preset", "snspd", "--distances", "1", "--loss-db", "1"],
            &["--distances", "--loss-db"],
        ),
        (
            &["--preset", "snspd", "--svg", "x.png", "--png", "x.png"],
            &["--svg", "--png", "x.png"],
        ),
        (
            &["--preset", "snspd", "--json", "--csv", "-"],
            &["--json", "--csv"],
        ),
    ];
    for (arguments, expected) in cases {
        let (status, stdout, stderr) = run(arguments);
        assert_eq!(
            (status, stdout.as_str()),
            (Some(64), ""),
            "{arguments:?}: {stderr}"
        );
        for word in *expected {
            assert!(
                stderr.contains(word),
                "{arguments:?} without {word:?}: {stderr}"
            );
        }
    }
}

#[test]
fn a_configuration_is_not_written_over_by_what_is_planned_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = written(folder.path(), "link.toml", GYS);
    for option in ["--csv", "--svg", "--png"] {
        let (status, stdout, stderr) =
            run(&["--config", &config, "--theorem", "gllp", option, &config]);
        assert_eq!((status, stdout.as_str()), (Some(64), ""), "{stderr}");
        assert!(
            stderr.contains(option) && stderr.contains(&config),
            "{stderr}"
        );
        assert_eq!(fs::read_to_string(&config).unwrap(), GYS);
    }
}

#[test]
fn far_too_many_rows_are_refused_before_they_take_memory() {
    let sizes: Vec<String> = (1000..1300).map(|bits: u32| bits.to_string()).collect();
    // A list of these thirty million rows would take 480 MB.
    let refused = Command::new("sh")
        .args(["-c", "ulimit -v 300000 && exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_qkd"))
        .args(["plan", "--preset", "snspd", "--distances", "0:999.99:0.01"])
        .args(["--block-bits", &sizes.join(",")])
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("30000000 rows are too many"), "{said}");
}

#[test]
fn a_wrong_figure_is_named_with_its_value_and_range() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (
            "misalignment_error = 0.033",
            "misalignment_error = 1.2",
            "1.2",
        ),
        (
            "attenuation_db_per_km = 0.21",
            "attenuation_db_per_km = -0.2",
            "-0.2",
        ),
        ("[0.48, 0.05, 0.0]", "[0.05, 0.48, 0.0]", "intensities"),
        (
            "misalignment_error = 0.033",
            "misalignment_error = 0.033\n[security]\nsecrecy = 0",
            "secrecy",
        ),
        ("clock_hz = 2e6", "clock_hz = 0", "clock_hz"),
        ("clock_hz = 2e6\n", "", "clock_hz"),
        ("clock_hz = 2e6", "clock_hertz = 2e6", "clock_hertz"),
    ];
    for (good, bad, word) in cases {
        assert_eq!(GYS.matches(good).count(), 1, "{good}");
        let config = written(folder.path(), "link.toml", &GYS.replace(good, bad));
        let (status, stdout, stderr) = run(&["--config", &config, "--theorem", "gllp-vacuum-weak"]);
        assert_eq!((status, stdout.as_str()), (Some(1), ""), "{bad}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{bad}: {stderr}");
        assert!(stderr.starts_with("qkd plan: "), "{stderr}");
        assert!(
            stderr.contains("link.toml") && stderr.contains(word),
            "{bad}: {stderr}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_written_is_a_fault_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/rates");
    let missing = missing.to_str().unwrap();
    for option in ["--csv", "--svg", "--png"] {
        let (status, stdout, stderr) =
            run(&["--preset", "snspd", "--distances", "0,10", option, missing]);
        assert_eq!(
            (status, stdout.as_str()),
            (Some(1), ""),
            "{option}: {stderr}"
        );
        assert!(
            stderr.starts_with(&format!("qkd plan: cannot write {missing}: ")),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let (status, _, stderr) = run(&["--config", missing]);
    assert_eq!(status, Some(1));
    assert!(stderr.contains(missing), "{stderr}");
}
