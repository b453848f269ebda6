//! What a node is doing: for people, for programs, for health checks, and while it restarts.

use super::{Lab, qkd};
use crate::process::{Running, STOP_WITHIN};
use crate::support::{ALICE, BOB, Nodes, OPERATOR};

#[test]
fn everybody_in_a_laboratory_tells_what_they_are_doing() {
    let lab = Lab::start(&["--eve", "passive"]);
    let status = |who: &str, option: &[&str]| {
        let profile = lab.profile(who);
        qkd(&[&["status", "--client", &profile], option].concat())
    };
    for (who, title) in [
        ("operator", "kme-alice (alice), linked to kme-bob"),
        ("operator_bob", "kme-bob (bob), linked to kme-alice"),
        ("operator_eve", "eve (eve), in the fibre"),
    ] {
        let text = status(who, &[]).good();
        assert_eq!(text.lines().next(), Some(title));
    }
    for (who, role) in [("operator", "alice"), ("operator_bob", "bob")] {
        let state = status(who, &["--json"]).json();
        assert_eq!(
            (&state["kind"], &state["role"]),
            (&"node".into(), &role.into())
        );
        assert_eq!(state["healthy"], true, "{state}");
        assert!(state["blocks"]["with_key"].as_u64() > Some(0), "{state}");
        assert!(state["stored_key_count"].as_u64() > Some(0), "{state}");
        assert!(state["secret_key_rate_bps"].as_f64() > Some(0.0), "{state}");
        assert!(state["budget"]["total"].as_f64() > Some(0.0), "{state}");
    }
    // The first block by both accounts, and as people read it.
    let account = |who: &str| status(who, &["--block", "1", "--json"]).json();
    let (alice, bob) = (account("operator"), account("operator_bob"));
    assert_eq!(alice["outcome"], "key", "{alice}");
    assert!(alice["figures"].as_array().map(Vec::len) > Some(25));
    assert_eq!(alice["figures"], bob["figures"]);
    let text = status("operator", &["--block"]).good();
    assert!(text.contains("the net key, for applications"), "{text}");
    for (who, number, words) in [
        ("operator", "99999999", "there is no number 99999999 yet"),
        ("operator_eve", "1", "is no end of a link"),
    ] {
        let said = status(who, &["--block", number]).fault();
        assert!(said.contains(words), "{said}");
    }
    let state = status("operator_eve", &["--json"]).json();
    assert_eq!(
        (&state["kind"], &state["attack"]),
        (&"eve".into(), &"passive".into())
    );
    assert!(state["pulses_seen"].as_u64() > Some(0), "{state}");
    let line = status("operator", &["--check"]).good();
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("kme-alice: healthy"), "{line}");
}

#[test]
fn watching_with_json_gives_an_object_per_line_until_ctrl_c_or_sigterm() {
    let lab = Lab::start(&[]);
    let profile = lab.profile("operator_bob");
    for signal in ["INT", "TERM"] {
        let arguments = [
            "status",
            "--watch",
            "--json",
            "--interval",
            "0.1",
            "--client",
            &profile,
        ];
        let mut watch = Running::start(&arguments);
        for number in 0..3 {
            let state: serde_json::Value = serde_json::from_str(&watch.line(number)).unwrap();
            assert_eq!(state["node"], BOB, "{state}");
        }
        watch.signal(signal);
        let status = watch.end_within(STOP_WITHIN);
        assert_eq!(status.code(), Some(0), "{signal}: {}", watch.story());
        assert_eq!(watch.stderr(), "", "{signal}");
    }
}

#[tokio::test]
async fn a_watch_goes_on_while_its_node_restarts() {
    let mut nodes = Nodes::builder().prepare();
    nodes.start_bob().await;
    let services = nodes.bob().services;
    let profile = nodes.profile("operator.toml", (OPERATOR, BOB), services);
    let arguments = [
        "status",
        "--watch",
        "--interval",
        "0.1",
        "--client",
        &profile,
    ];
    let mut watch = Running::start(&arguments);
    let mut shown = |words: &str| {
        let shown = |watch: &Running| watch.stdout().contains(words).then_some(());
        watch.while_running(words, shown);
    };
    // Without a peer, he has no key and says so.
    shown("kme-bob: NOT healthy; link connecting; 0 keys");
    nodes.take_bob().kill();
    shown("kme-bob: not reachable: ");
    nodes.start_bob().await;
    nodes.start_alice().await;
    shown(" with a key; QBER ");
    watch.signal("INT");
    let status = watch.end_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", watch.story());
}

#[tokio::test]
async fn a_check_fails_until_there_is_a_key_and_takes_the_configuration_of_a_node() {
    let mut nodes = Nodes::builder().prepare();
    nodes.start_bob().await;
    // Bob's file still has port 0: he got his at the start.
    let file = nodes.folder().join("bob.toml");
    let file = file.to_str().unwrap().to_owned();
    let said = qkd(&["status", "--check", "--config", &file]).fault();
    assert!(
        said.contains("bob.toml") && said.contains("--services"),
        "{said}"
    );
    let services = nodes.bob().services.to_string();
    let check = [
        "status",
        "--check",
        "--config",
        &file,
        "--services",
        &services,
    ];
    let said = qkd(&check).fault();
    for words in [
        "kme-bob cannot deliver a key",
        "no key",
        "its link is connecting",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    nodes.start_alice().await;
    nodes
        .bob()
        .until("key", |status| status.stored_key_count > 0)
        .await;
    // The health of a node follows its store within a second or so.
    let began = std::time::Instant::now();
    while qkd(&check).status != Some(0) {
        assert!(began.elapsed() < crate::support::PATIENCE, "never healthy");
    }
    let profile = nodes.profile(
        "sae.toml",
        (crate::support::SAE_BOB, ALICE),
        nodes.bob().services,
    );
    let said = qkd(&["status", "--client", &profile]).fault();
    assert!(
        said.contains(ALICE) && said.contains(BOB),
        "both names: {said}"
    );
}
