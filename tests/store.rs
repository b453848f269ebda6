//! The operator's hand on a key store: `qkd store` on stopped nodes, and what the nodes do then.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use qkd_wire::proto::node::NodeStatus;
use serde_json::Value;

use crate::support::{ALICE, BOB, Nodes, agree_on_all_keys};

const NAMES: [&str; 2] = [ALICE, BOB];

/// `qkd store ACTION` on the store of `name`.
fn store(nodes: &Nodes, action: &str, name: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_qkd"))
        .args(["store", action, "--store"])
        .arg(nodes.store_file(name))
        .arg("--store-key")
        .arg(nodes.pki.store_key_of(name))
        .args(more)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What `verify` says of a store, and its exit status; the file is as it was.
fn verify(nodes: &Nodes, name: &str) -> (Value, Option<i32>) {
    let before = fs::read(nodes.store_file(name)).unwrap();
    let output = store(nodes, "verify", name, &["--json"]);
    let after = fs::read(nodes.store_file(name)).unwrap();
    assert!(before == after, "looking changed the file of {name}");
    let found = serde_json::from_str(&stdout(&output));
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    (found, output.status.code())
}

async fn until_keys(nodes: &Nodes) {
    for node in [nodes.alice(), nodes.bob()] {
        // Made on this connection: what is there from before may be there before the link is.
        let has_key = |status: &NodeStatus| status.session.is_some() && status.blocks_with_key > 0;
        node.until("key", has_key).await;
    }
}

async fn start(nodes: &mut Nodes) {
    nodes.start_bob().await;
    nodes.start_alice().await;
}

async fn stop(nodes: &mut Nodes) {
    for node in [nodes.take_alice(), nodes.take_bob()] {
        assert_eq!(node.stop().await.code(), Some(0));
    }
}

/// Two nodes that found out that Bob's store was restored from a copy, and were stopped.
async fn torn() -> Nodes {
    let mut nodes = Nodes::builder().prepare();
    start(&mut nodes).await;
    until_keys(&nodes).await;
    stop(&mut nodes).await;
    let file = nodes.store_file(BOB);
    let copy = PathBuf::from(format!("{}.copy", file.display()));
    fs::copy(&file, &copy).unwrap();
    start(&mut nodes).await;
    until_keys(&nodes).await;
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
    stop(&mut nodes).await;
    // Restored in place, so that owner and mode stay.
    fs::write(&file, fs::read(&copy).unwrap()).unwrap();
    start(&mut nodes).await;
    for node in [nodes.alice(), nodes.bob()] {
        let quarantined = |alarm: &String| alarm.contains("quarantined");
        node.until("quarantine", |status| status.alarms.iter().any(quarantined))
            .await;
    }
    stop(&mut nodes).await;
    nodes
}

#[tokio::test]
async fn a_store_in_use_is_left_alone_and_one_that_was_killed_is_looked_at_without_repair() {
    let mut nodes = Nodes::builder().prepare();
    start(&mut nodes).await;
    until_keys(&nodes).await;
    for (action, more) in [
        ("verify", &[][..]),
        ("unseal", &["--discard-keys"]),
        ("abandon", &["--all-in-doubt"]),
    ] {
        let output = store(&nodes, action, BOB, more);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("in use by another process"), "{said}");
        assert!(said.contains("stop the other daemon"), "{said}");
    }
    nodes.take_alice().kill();
    nodes.take_bob().kill();
    for name in NAMES {
        let (found, status) = verify(&nodes, name);
        assert_eq!((status, &found["state"]), (Some(0), &"sound".into()));
        assert!(found["commits"].as_u64() > Some(0), "{found}");
        assert!(found["available_bits"].as_u64() > Some(0), "{found}");
        assert_eq!(found["findings"], Value::Array(vec![]));
        let table = stdout(&store(&nodes, "verify", name, &[]));
        assert!(table.contains("sound\n"), "{table}");
        assert!(table.contains("blocks committed"), "{table}");
        let unsealed = store(&nodes, "unseal", name, &[]);
        assert_eq!(unsealed.status.code(), Some(0));
        assert!(stdout(&unsealed).contains("nothing seals this store"));
    }
    start(&mut nodes).await;
    until_keys(&nodes).await;
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
}

#[tokio::test]
async fn quarantined_stores_are_left_only_together_and_without_their_old_keys() {
    let mut nodes = torn().await;
    for name in NAMES {
        let (found, status) = verify(&nodes, name);
        assert_eq!((status, &found["state"]), (Some(3), &"quarantined".into()));
        let refused = store(&nodes, "unseal", name, &[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains("--discard-keys"));
        assert_eq!(verify(&nodes, name).0, found, "nothing was changed");
    }
    let begun = store(&nodes, "unseal", ALICE, &["--discard-keys", "--json"]);
    let begun: Value = serde_json::from_str(&stdout(&begun)).unwrap();
    let history = begun["history"].as_str().unwrap();
    let again = ["--discard-keys", "--history", history];
    let refused = store(&nodes, "unseal", ALICE, &again);
    assert!(stderr(&refused).contains("is in history"));
    let joined = store(&nodes, "unseal", BOB, &again);
    assert_eq!(joined.status.code(), Some(0), "{}", stderr(&joined));
    for name in NAMES {
        let (found, status) = verify(&nodes, name);
        assert_eq!((status, &found["history"]), (Some(0), &history.into()));
        assert_eq!(found["material_bits"], 0);
    }
    start(&mut nodes).await;
    until_keys(&nodes).await;
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
}

#[test]
fn wrong_usage_and_a_store_that_is_not_there_are_told_from_each_other() {
    let nodes = Nodes::builder().prepare();
    let missing = store(&nodes, "verify", ALICE, &[]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("there is no key store"));
    for arguments in [
        &["verify"][..],
        &["verify", "--store", "keys.redb"],
        &[
            "verify",
            "--store",
            "a",
            "--store-key",
            "b",
            "--config",
            "c",
        ],
        &["unseal", "--config", "a", "--history", "6f1d3a9c0b42e857"],
        &[
            "unseal",
            "--config",
            "a",
            "--discard-keys",
            "--history",
            "1",
        ],
        &["abandon", "--config", "a"],
        &["abandon", "--config", "a", "7"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_qkd"))
            .arg("store")
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}
