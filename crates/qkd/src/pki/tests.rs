//! What the options of `qkd pki` come to.

use std::fs;
use std::path::Path;

use clap::Parser;
use qkd_node::config::ClientProfile;
use qkd_node::pki::EntryKind;
use tempfile::tempdir;

use super::*;
use crate::cli::{Cli, Command};

fn parsed(arguments: &[&str]) -> Result<PkiArgs, String> {
    let all = ["qkd", "pki"].iter().chain(arguments);
    match Cli::try_parse_from(all) {
        Ok(Cli {
            command: Command::Pki(args),
        }) => Ok(args),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

fn pki(arguments: &[&str]) -> Exit {
    run(&parsed(arguments).unwrap_or_else(|error| panic!("{error}")))
}

fn names(folder: &Path) -> Vec<(String, EntryKind)> {
    let entries = KeptPki::in_folder(folder, None)
        .files()
        .inventory()
        .unwrap();
    let of = |entry: qkd_node::pki::Entry| (entry.name, entry.kind);
    entries.into_iter().map(of).collect()
}

#[test]
fn a_first_set_has_the_parties_and_profiles_of_the_laboratory() {
    let folder = tempdir().unwrap();
    let folder = folder.path().join("pki");
    let dir = folder.to_str().unwrap();
    assert_eq!(pki(&["init", dir]), Exit::Success);
    let entries = KeptPki::in_folder(&folder, None)
        .files()
        .inventory()
        .unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|e| (e.name.as_str(), e.kind.to_string()))
        .collect();
    let found: Vec<_> = found
        .iter()
        .map(|(name, kind)| (*name, kind.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("authority", "authority"),
            ("eve", "node"),
            ("kme-alice", "node"),
            ("kme-bob", "node"),
            ("operator", "application"),
            ("sae-alice", "application"),
            ("sae-bob", "application"),
        ]
    );
    assert_eq!(
        entries[2].facts.dns_names,
        ["kme-alice", "localhost", "alice"]
    );
    let profile = ClientProfile::load(&folder.join("sae-bob.toml"));
    let profile = profile.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((&*profile.name, &*profile.node), ("sae-bob", "kme-bob"));
    assert_eq!(profile.services.to_string(), "bob:7001");
    assert_eq!(profile.tls.private_key, folder.join("sae-bob.key"));
    for node in ["alice", "bob", "eve"] {
        assert!(folder.join(format!("operator-{node}.toml")).exists());
    }
    assert_eq!(pki(&["init", dir]), Exit::Fault, "a set is made once");
    assert_eq!(pki(&["init", dir, "--if-absent"]), Exit::Success);
}

#[test]
fn a_set_of_ones_own_has_nobody_else_in_it() {
    let folder = tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let done = pki(&[
        "init",
        dir,
        "--node",
        "n1=n1.example,192.0.2.7",
        "--sae",
        "a@n1",
        "--operator",
        "me",
        "--services",
        "n1=192.0.2.7:9",
        "--hours",
        "24",
    ]);
    assert_eq!(done, Exit::Success);
    let found = names(folder.path());
    let found: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(found, ["authority", "a", "me", "n1"]);
    let profile = fs::read_to_string(folder.path().join("me-n1.toml")).unwrap();
    assert!(profile.contains("services = \"192.0.2.7:9\""), "{profile}");
    assert_eq!(pki(&["issue", "b", "--in", dir, "--sae"]), Exit::Success);
    assert_eq!(
        pki(&["issue", "b", "--in", dir, "--sae"]),
        Exit::Fault,
        "the name is taken"
    );
    assert_eq!(pki(&["renew", dir, "a", "authority"]), Exit::Success);
    assert_eq!(pki(&["renew", dir, "nobody"]), Exit::Fault);
    assert_eq!(pki(&["show", dir]), Exit::Success);
    assert_eq!(pki(&["show", "/nowhere"]), Exit::Fault);
}

#[test]
fn wrong_options_are_refused_with_what_was_expected() {
    let cases: [(&[&str], &str); 7] = [
        (&["init"], "<DIR>"),
        (&["init", "d", "--sae", "a"], "app-a@kme-alice"),
        (
            &["init", "d", "--services", "kme-alice"],
            "kme-alice=alice:7001",
        ),
        (
            &["init", "d", "--days", "1", "--hours", "1"],
            "cannot be used with",
        ),
        (&["init", "d", "--days", "0"], "1..=3650"),
        (&["issue", "x", "--in", "d"], "--node"),
        (
            &["issue", "x", "--in", "d", "--sae", "--dns", "y"],
            "cannot be used with",
        ),
    ];
    for (arguments, word) in cases {
        let said = parsed(arguments).unwrap_err();
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    let folder = tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    for options in [["--sae", "a@nowhere"], ["--services", "nowhere=x:1"]] {
        let arguments: Vec<&str> = ["init", dir].into_iter().chain(options).collect();
        assert_eq!(pki(&arguments), Exit::Usage, "{options:?}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was made"
    );
}
