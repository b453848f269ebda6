//! Keys for applications: the same at both ends, each end once.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::{Lab, qkd};
use crate::process::{Running, STOP_WITHIN};

#[test]
fn an_application_gets_keys_and_its_partner_the_same_ones_once() {
    let lab = Lab::start(&[]);
    let (alice, bob) = (lab.profile("sae_alice"), lab.profile("sae_bob"));
    let get = ["key", "get", "sae-bob", "--client", &alice];
    let got = qkd(&[&get[..], &["--number", "2", "--json"]].concat()).json();
    let keys = got["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    let ids: Vec<&str> = keys
        .iter()
        .map(|key| key["key_ID"].as_str().unwrap())
        .collect();

    let mut fetch = vec!["key", "fetch", "sae-alice"];
    fetch.extend(&ids);
    fetch.extend(["--client", &bob, "--json"]);
    let fetched = qkd(&fetch).json();
    // No assert_eq: it would print keys.
    assert!(got == fetched, "the keys {ids:?} differ");
    let again = qkd(&fetch).fault();
    assert!(
        again.starts_with("qkd key fetch: cannot fetch 2 keys"),
        "{again}"
    );
    assert!(
        again.contains("not found") && again.contains("once"),
        "{again}"
    );

    // The other form, of another size.
    let got = qkd(&[&get[..], &["--size", "512"]].concat()).good();
    let (id, key) = got.trim_end().split_once(' ').unwrap();
    assert_eq!(key.len(), 88, "64 bytes in base64");
    let fetched = qkd(&["key", "fetch", "sae-alice", id, "--client", &bob]).good();
    assert!(got == fetched, "the key {id} differs");
}

#[test]
fn keys_go_to_a_new_private_file_and_a_file_that_cannot_be_made_costs_none() {
    let lab = Lab::start(&[]);
    let alice = lab.profile("sae_alice");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.txt");
    let get = ["key", "get", "sae-bob", "--client", &alice, "--output"];
    let get = [&get[..], &[file.to_str().unwrap()]].concat();
    let printed = qkd(&get).good();
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(printed.lines().count(), 1);
    assert!(written.starts_with(printed.trim_end()) && written.len() > printed.len());
    assert!(!printed.contains(' '), "standard output has no key");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);

    let said = qkd(&get).fault();
    assert!(
        said.contains("key.txt") && said.contains("no key was spent"),
        "{said}"
    );
    assert!(
        fs::read_to_string(&file).unwrap() == written,
        "never overwritten"
    );
}

#[test]
fn a_watch_of_keys_shows_each_change_and_ends_with_ctrl_c() {
    let lab = Lab::start(&[]);
    let alice = lab.profile("sae_alice");
    let watch = [
        "key",
        "watch",
        "sae-bob",
        "--client",
        &alice,
        "--interval",
        "0.1",
        "--json",
    ];
    let mut watch = Running::start(&watch);
    let mut counts = Vec::new();
    for number in 0..2 {
        let line: serde_json::Value = serde_json::from_str(&watch.line(number)).unwrap();
        assert_eq!(line["slave_SAE_ID"], "sae-bob");
        assert_eq!(line["source_KME_ID"], "kme-alice");
        counts.push(line["stored_key_count"].as_u64().unwrap());
    }
    assert_ne!(counts[0], counts[1], "only changes are shown");
    watch.signal("INT");
    let status = watch.end_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", watch.story());
    assert_eq!(watch.stderr(), "");
}

#[test]
fn a_refusal_says_what_was_asked_of_whom_and_what_there_is() {
    let lab = Lab::start(&[]);
    let (alice, operator) = (lab.profile("sae_alice"), lab.profile("operator"));
    let cases: [(&[&str], &str, &[&str]); 4] = [
        (&["get", "sae-bob", "--number", "1000"], &alice, &["1 to"]),
        (&["get", "nobody"], &alice, &["nobody is unknown"]),
        (&["watch", "nobody"], &alice, &["nobody is unknown"]),
        (
            &["get", "sae-bob"],
            &operator,
            &["operator is not served by kme-alice", "[[sae]]"],
        ),
    ];
    for (arguments, profile, words) in cases {
        let said = qkd(&[&["key"], arguments, &["--client", profile]].concat()).fault();
        for word in words {
            assert!(said.contains(word), "{arguments:?}: no {word:?} in {said}");
        }
    }
}
