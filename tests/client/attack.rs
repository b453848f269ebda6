//! A running Eve at her steering wheel.

use super::{Lab, qkd};

#[test]
fn a_running_eve_begins_and_ends_attacks_as_she_is_told() {
    let lab = Lab::start(&["--eve", "passive"]);
    let eve = lab.profile("operator_eve");
    let attack = |arguments: &[&str]| {
        let client = ["--client", &eve];
        qkd(&[&["attack"], arguments, client.as_slice()].concat())
    };
    let state = attack(&["status", "--json", "--interval", "0.1"]).json();
    assert_eq!(state["attack"], "passive", "{state}");
    assert_eq!(
        (&state["site"], state["intercepted"].as_u64()),
        (&"bobs-door".into(), Some(0))
    );
    assert_eq!(
        attack(&["start", "intercept-resend:0.5"]).good(),
        "eve: intercept-resend:0.5, at Bob's door\n"
    );
    let measured = || {
        let state = attack(&["status", "--json", "--interval", "0.1"]).json();
        assert_eq!(state["spec"], "intercept-resend:0.5", "{state}");
        state["intercepted"].as_u64() > Some(0)
    };
    assert!((0..100).any(|_| measured()), "she measures nothing");
    let said = attack(&["status", "--interval", "0.1"]).good();
    assert!(
        said.contains("intercept-resend:0.5") && said.contains("/s)"),
        "{said}"
    );
    let state = attack(&["stop", "--json"]).json();
    assert_eq!(
        (&state["attack"], &state["node"]),
        (&"passive".into(), &"eve".into())
    );
    // At Bob's door there is nothing to hide in, which is no reason not to begin.
    let splitting = attack(&["start", "beam-splitting"]);
    assert_eq!(splitting.status, Some(0), "{}", splitting.stderr);
    assert!(
        splitting.stderr.contains("lives off the loss"),
        "{}",
        splitting.stderr
    );
    // Somebody else takes no attacks.
    let bob = lab.profile("operator_bob");
    let said = qkd(&["attack", "stop", "--client", &bob]).fault();
    assert!(
        said.contains("kme-bob takes no attacks: it is not Eve"),
        "{said}"
    );
    drop(lab);
    let said = attack(&["stop"]).fault();
    assert!(said.starts_with("qkd attack: "), "{said}");
}

#[test]
fn the_list_needs_nobody_and_an_attack_that_there_is_not_is_wrong_usage() {
    let all = qkd(&["attack", "list", "--json"]).json();
    let attacks = all["attacks"].as_array().map(Vec::len);
    assert_eq!(attacks, Some(qkd_attacks::KNOWN.len()), "{all}");
    let answer = qkd(&["attack", "start", "intercept-resent"]);
    assert_eq!(answer.status, Some(64), "{}", answer.stderr);
    for words in ["did you mean \"intercept-resend\"?", "time-shift"] {
        assert!(answer.stderr.contains(words), "{}", answer.stderr);
    }
}
