//! What goes wrong before a node is asked anything: one line that says what, and what to do.

use std::fs;

use super::{Lab, qkd};
use crate::support::make_pki;

#[test]
fn without_a_profile_the_places_and_the_ways_out_are_named() {
    let said = qkd(&["status"]).fault();
    for words in [
        "qkd status: ",
        "qkd/client.toml",
        "--client",
        "qkd pki init",
        "qkd lab --keep",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

#[test]
fn a_wrong_profile_is_refused_with_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.toml");
    fs::write(&file, "[client]\nname = \"a\"\nnodes = \"b\"\n").unwrap();
    let said = qkd(&["status", "--client", file.to_str().unwrap()]).fault();
    assert!(
        said.contains("client.toml:3:1: client.nodes: unknown key, did you mean `node`?"),
        "{said}"
    );
}

#[test]
fn a_node_that_cannot_be_reached_or_trusted_is_told_apart() {
    let lab = Lab::start(&[]);
    let profile = lab.profile("operator");
    let status = |options: &[&str]| qkd(&[&["status"], options].concat()).fault();
    // Port 1 is nobody's.
    let said = status(&["--client", &profile, "--services", "127.0.0.1:1"]);
    for words in ["kme-alice", "127.0.0.1:1", "refused", "running"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    // Bob's address with Alice's name.
    let bob = lab.line["endpoints"]["bob"]["services"].as_str().unwrap();
    let said = status(&["--client", &profile, "--services", bob]);
    assert!(
        said.contains("kme-alice") && said.contains("kme-bob"),
        "both names: {said}"
    );
    // Certificates of another authority.
    let foreign = tempfile::tempdir().unwrap();
    make_pki(&foreign.path().join("pki"));
    let file = foreign.path().join("operator.toml");
    fs::copy(&profile, &file).unwrap();
    let said = status(&["--client", file.to_str().unwrap()]);
    assert!(said.contains("cannot reach kme-alice"), "{said}");
    assert!(said.to_lowercase().contains("certificate"), "{said}");
}
