//! Who may take keys, how much of them, until when, and what is written down of it: on real daemons.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use qkd_node::config::{NodeConfig, SaeQuota};
use qkd_node::pki::KeptPki;
use qkd_wire::proto::delivery as proto;
use serde_json::Value;
use tonic::Code;

use crate::etsi014::{DEC, ENC, STATUS, call, connect, nodes_prepared, try_call};
use crate::support::{ALICE, BOB, Nodes, PATIENCE, SAE_ALICE, SAE_BOB, delivery};

/// Distance of two looks at what has no event to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn audit(arguments: &[&str], path: &PathBuf) -> Output {
    let program = env!("CARGO_BIN_EXE_qkd");
    let mut command = Command::new(program);
    command.arg("audit").args(arguments).arg(path);
    command.output().expect("the program starts")
}

fn data_of(nodes: &Nodes, name: &str) -> PathBuf {
    nodes.folder().join(format!("{name}-data"))
}

/// The lines of one event in the log of a node.
fn lines(nodes: &Nodes, name: &str, event: &str) -> Vec<Value> {
    let shown = audit(&["show", "--json", "--event", event], &data_of(nodes, name));
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Whether the log of a node is as it was written; exit status and text.
fn verify(nodes: &Nodes, name: &str) -> (Option<i32>, String) {
    let key = nodes.pki.store_key_of(name);
    let key = key.to_str().unwrap();
    let verified = audit(&["verify", "--store-key", key], &data_of(nodes, name));
    let said = String::from_utf8(verified.stdout).unwrap();
    (verified.status.code(), said)
}

/// Waits until `is` says so.
async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    assert!(found.is_ok(), "never: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_cut_off_in_the_middle_of_its_calls_and_the_others_go_on() {
    let mut nodes = nodes_prepared();
    nodes.alice_config.link.tls.revoked = Some(nodes.pki.revoked());
    nodes.bob_config.link.tls.revoked = Some(nodes.pki.revoked());
    nodes.start_bob().await;
    nodes.start_alice().await;
    let mut rest = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let mut bobs = connect(&nodes, (nodes.bob(), BOB), SAE_BOB).await;
    let mut grpc = delivery(&nodes, nodes.alice(), SAE_ALICE).await;
    let asked = proto::GetStatusRequest {
        slave_sae_id: SAE_BOB.to_owned(),
    };
    assert_eq!(call(&mut rest, STATUS, "").await.0, 200);
    grpc.get_status(asked.clone()).await.unwrap();
    let kept = KeptPki::in_folder(nodes.pki.directory(), None);
    kept.revoke(&[SAE_ALICE.to_owned()], &[]).unwrap();
    until("REST is cut off", async || {
        try_call(&mut rest, STATUS, "").await.is_err()
    })
    .await;
    until("gRPC is cut off", async || {
        let answer = grpc.get_status(asked.clone()).await;
        answer.is_err_and(|status| status.code() != Code::ResourceExhausted)
    })
    .await;
    let refused = crate::etsi014::try_connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let said = refused.map(|_| ()).unwrap_err().to_string();
    assert!(
        said.contains("revoked") || said.contains("certificate"),
        "{said}"
    );
    let own = "/api/v1/keys/sae-alice/status";
    assert_eq!(
        call(&mut bobs, ("GET", own), "").await.0,
        200,
        "others go on"
    );
    nodes.alice().status().await;
    let ended = lines(&nodes, ALICE, "connection-ended");
    assert!(ended.iter().all(|line| line["name"] == SAE_ALICE) && !ended.is_empty());
    assert!(!lines(&nodes, ALICE, "connection-refused").is_empty());
    assert_eq!(verify(&nodes, ALICE).0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_takes_its_quota_over_both_ways_and_none_once_it_is_taken_out() {
    let mut nodes = nodes_prepared();
    let quota = SaeQuota {
        keys_per_second_max: NonZeroU32::new(1),
        keys_burst_max: NonZeroU32::new(2).unwrap(),
        ..SaeQuota::default()
    };
    // So slow that a test never sees the next key.
    for sae in &mut nodes.alice_config.link.saes {
        let day = SaeQuota {
            keys_per_day_max: Some(2),
            ..quota
        };
        sae.quota = (sae.id == SAE_ALICE).then_some(day);
    }
    nodes.start_bob().await;
    nodes.start_alice().await;
    (nodes.alice())
        .until("keys in store", |now| now.stored_key_count > 20)
        .await;
    let mut rest = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let mut grpc = delivery(&nodes, nodes.alice(), SAE_ALICE).await;
    let wanted = || proto::GetKeyRequest {
        slave_sae_id: SAE_BOB.to_owned(),
        ..Default::default()
    };
    assert_eq!(call(&mut rest, ENC, "").await.0, 200);
    grpc.get_key(wanted()).await.unwrap();
    let (status, body) = call(&mut rest, ENC, "").await;
    assert_eq!(status, 429, "{body}");
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("at most 2 keys in 24 hours")
    );
    let refused = grpc.get_key(wanted()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.metadata().contains_key("grpc-retry-pushback-ms"));
    // What costs no key is answered all the same.
    assert_eq!(call(&mut rest, STATUS, "").await.0, 200);

    let mut changed = nodes.alice_config.clone();
    changed.link.saes.retain(|sae| sae.id != SAE_ALICE);
    let text = NodeConfig::Alice(changed).to_toml();
    std::fs::write(nodes.folder().join("alice.toml"), text).unwrap();
    nodes.alice().hang_up();
    until("the application is taken out", async || {
        call(&mut rest, STATUS, "").await.0 == 401
    })
    .await;
    assert!(grpc.get_key(wanted()).await.is_err());
    let changes = lines(&nodes, ALICE, "configuration-changed");
    assert_eq!(changes[0]["removed"][0], SAE_ALICE);
    let faults: Vec<Value> = lines(&nodes, ALICE, "call-refused");
    let of = |fault: &str| faults.iter().filter(|line| line["fault"] == fault).count();
    assert!(of("quota") == 2 && of("identity") >= 2, "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delivery_is_in_the_log_and_without_the_log_there_is_none() {
    let mut nodes = nodes_prepared();
    nodes.start_bob().await;
    nodes.start_alice().await;
    (nodes.alice())
        .until("keys in store", |now| now.stored_key_count > 20)
        .await;
    let mut alice = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let mut bob = connect(&nodes, (nodes.bob(), BOB), SAE_BOB).await;
    let (_, mine) = call(&mut alice, ENC, r#"{"number":2}"#).await;
    let id = mine["keys"][0]["key_ID"].as_str().unwrap().to_owned();
    let path = format!("{}?key_ID={id}", DEC.1);
    assert_eq!(call(&mut bob, ("GET", &path), "").await.0, 200);
    assert_eq!(call(&mut bob, ("GET", &path), "").await.0, 400);
    let given = lines(&nodes, ALICE, "keys-delivered");
    assert_eq!(given[0]["key_ids"][0], id);
    assert_eq!(
        (&given[0]["sae"], &given[0]["partners"][0]),
        (&SAE_ALICE.into(), &SAE_BOB.into())
    );
    assert_eq!(lines(&nodes, BOB, "keys-delivered")[0]["key_ids"][0], id);
    assert_eq!(lines(&nodes, BOB, "call-refused")[0]["fault"], "request");
    let log = data_of(&nodes, ALICE).join("audit.log");
    let text = std::fs::read_to_string(&log).unwrap();
    for key in mine["keys"].as_array().unwrap() {
        assert!(
            !text.contains(key["key"].as_str().unwrap()),
            "a key is in the log"
        );
    }

    // The log cannot be written: no keys, until it can.
    let aside = data_of(&nodes, ALICE).join("aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::create_dir(&log).unwrap();
    let (status, body) = call(&mut alice, ENC, "").await;
    assert_eq!(status, 503);
    assert!(
        body["message"].as_str().unwrap().contains("audit log"),
        "{body}"
    );
    let alarmed =
        |now: &qkd_wire::proto::node::NodeStatus| now.alarms.iter().any(|a| a.contains("audit"));
    nodes.alice().until("an alarm", alarmed).await;
    std::fs::remove_dir(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    until("keys again", async || {
        call(&mut alice, ENC, "").await.0 == 200
    })
    .await;
    nodes.alice().until("no alarm", |now| !alarmed(now)).await;

    // A crash, and what it leaves.
    nodes.take_alice().kill();
    let (status, said) = verify(&nodes, ALICE);
    assert_eq!(status, Some(0), "{said}");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, &whole[..whole.len() - 7]).unwrap();
    nodes.start_alice().await;
    assert_eq!(lines(&nodes, ALICE, "torn-line").len(), 1);
    let (status, said) = verify(&nodes, ALICE);
    assert_eq!(status, Some(0), "{said}");
    // An edit is found, and where.
    let text =
        String::from_utf8_lossy(&std::fs::read(&log).unwrap()).replacen(SAE_BOB, "sae-eve", 1);
    std::fs::write(&log, text).unwrap();
    let (status, said) = verify(&nodes, ALICE);
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("NOT SOUND") && said.contains("line"),
        "{said}"
    );
}
