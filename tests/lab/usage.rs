//! Wrong usage ends with 64 and the names that are known; help is no mistake.

use crate::process::{PATIENCE, Running, listing};

/// Runs `qkd` to its end; returns status, standard output and standard error.
fn answer(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut qkd = Running::start(arguments);
    let status = qkd.end_within(PATIENCE).code();
    let files = listing(qkd.home());
    assert!(files.is_empty(), "{arguments:?} left {files:?}");
    (status, qkd.stdout(), qkd.stderr())
}

#[test]
fn wrong_usage_ends_with_64_and_says_what_is_known() {
    #[rustfmt::skip]
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["Usage", "alice", "bob", "eve", "lab"]),
        (&["laboratory"], &["laboratory", "'lab'"]),
        (&["lab", "--preset", "apd"], &["--preset", "apd", "snspd", "ingaas", "gys2004", "lucamarini2013", "micius2017", "boaron2018"]),
        (&["lab", "--eve", "photon-splitting"], &["--eve", "photon-splitting", "passive", "intercept-resend"]),
        (&["lab", "--eve", "intercept-resend:1.5"], &["--eve", "1.5", "from 0 to 1"]),
        (&["lab", "--eve", "intercept-resend:-0.1"], &["--eve", "from 0 to 1"]),
        (&["lab", "--eve", "intercept-resend:much"], &["--eve", "from 0 to 1"]),
        (&["lab", "--eve", "intercept-resend:nan"], &["--eve", "from 0 to 1"]),
        (&["lab", "--blocks", "0"], &["--blocks", "1..="]),
        (&["lab", "--blocks", "many"], &["--blocks", "many"]),
        (&["lab", "--distance", "-1"], &["--distance", "from 0 to 1000"]),
        (&["lab", "--distance", "far"], &["--distance", "from 0 to 1000"]),
        (&["lab", "--block-bits", "999"], &["--block-bits", "1000..="]),
        (&["lab", "--seed", "x"], &["--seed"]),
        (&["lab", "--seeed", "1"], &["--seeed", "--seed"]),
        (&["lab", "--log-level", "loud"], &["error, warn, info"]),
        (&["lab", "--keep"], &["--keep"]),
        (&["lab", "surplus"], &["surplus"]),
        (&["bob"], &["--config"]),
        (&["alice", "--config"], &["--config"]),
        (&["eve", "--config", "eve.toml", "--log-format", "xml"], &["--log-format", "text", "json"]),
    ];
    for (arguments, words) in cases {
        let (status, stdout, stderr) = answer(arguments);
        assert_eq!(status, Some(64), "{arguments:?}: {stderr}");
        assert_eq!(stdout, "", "{arguments:?}");
        for word in *words {
            assert!(
                stderr.contains(word),
                "{arguments:?}: no {word:?} in {stderr}"
            );
        }
    }
}

#[test]
fn help_is_printed_on_standard_output_and_ends_with_0() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--help"], &["alice", "bob", "eve", "lab", "64"]),
        (
            &["lab", "--help"],
            &[
                "--distance",
                "--blocks",
                "--preset",
                "--seed",
                "--keep",
                "--serve",
                "--eve",
                "--json",
                "25",
                "3",
                "snspd",
                "130",
            ],
        ),
        (&["bob", "--help"], &["--config", "--log-format", "json"]),
        (&["help", "eve"], &["--config"]),
        (&["--version"], &["qkd "]),
    ];
    for (arguments, words) in cases {
        let (status, stdout, stderr) = answer(arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {stderr}");
        assert_eq!(stderr, "", "{arguments:?}");
        for word in *words {
            assert!(
                stdout.contains(word),
                "{arguments:?}: no {word:?} in {stdout}"
            );
        }
    }
}

#[test]
fn a_folder_in_use_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "mine").unwrap();
    let path = folder.path().to_str().unwrap();
    let (status, stdout, stderr) = answer(&["lab", "--keep", path]);
    assert_eq!((status, stdout.as_str()), (Some(64), ""), "{stderr}");
    assert!(
        stderr.contains("--keep") && stderr.contains("not empty"),
        "{stderr}"
    );
    assert_eq!(listing(folder.path()), [std::path::Path::new("mine")]);
}
