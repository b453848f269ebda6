//! Completions and manual pages, and readers that close the pipe.

use std::process::{Command, Output, Stdio};

use super::qkd;
use crate::process::listing;

/// Lets `program` look at a file without running it.
fn examined(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Checks that `shell` can parse its completions.
fn completes(shell: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    let script = qkd(&["completions", shell]).good();
    assert!(script.contains("status") && script.contains("fetch"));
    std::fs::write(&file, script).unwrap();
    let output = examined(shell, &["-n", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{shell}: {said}"
    );
}

/// All commands that have commands or options of their own.
#[rustfmt::skip]
const COMMANDS: &[&str] = &[
    "alice", "bob", "completions", "eve", "key", "key-fetch", "key-get", "key-watch", "lab", "man",
    "pki", "pki-init", "pki-issue", "pki-renew", "pki-show", "receive", "send", "status",
];

#[test]
fn bash_can_read_its_completions() {
    completes("bash");
}

#[test]
#[ignore = "needs zsh and fish"]
fn zsh_and_fish_can_read_their_completions() {
    completes("zsh");
    completes("fish");
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man/man1");
    let printed = qkd(&["man", "--output", pages.to_str().unwrap()]).good();
    let written = listing(&pages);
    assert_eq!(printed.lines().count(), written.len());
    for command in COMMANDS {
        let page = std::path::PathBuf::from(format!("qkd-{command}.1"));
        assert!(written.contains(&page), "{page:?} in {written:?}");
    }
    let root = qkd(&["man"]).good();
    assert_eq!(root, std::fs::read_to_string(pages.join("qkd.1")).unwrap());
}

#[test]
#[ignore = "needs groff"]
fn groff_has_no_complaint_about_any_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    qkd(&["man", "--output", path]).good();
    for page in listing(folder.path()) {
        let page = folder.path().join(page);
        let page = page.to_str().unwrap();
        let output = examined(
            "groff",
            &["-man", "-ww", "-z", "-Tutf8", "-K", "utf8", page],
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}: {said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    for command in ["completions bash", "man", "--help", "lab --help"] {
        let line = format!("(\"$0\" {command}; echo \"status $?\" >&2) | head -c 1");
        let output = examined("sh", &["-c", &line, env!("CARGO_BIN_EXE_qkd")]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "status 0\n", "{command}");
    }
}
