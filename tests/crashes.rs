//! Crashes at one named moment each, on real daemons.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use qkd_wire::proto::delivery::{GetKeyRequest, GetKeyWithIdsRequest, Key};
use tonic::{Code, Status};

use crate::process::STOP_WITHIN;
use crate::support::{ALICE, BOB, Node, Nodes, SAE_ALICE, SAE_BOB, delivery};

/// Both daemons with the keys of one block, Bob to die as `point` says.
async fn nodes_with_keys(point: &str) -> Nodes {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.bob_config.link.debug.fail_points = vec![point.parse().unwrap()];
    nodes.start_with_keys().await;
    nodes
}

async fn ask(nodes: &Nodes, number: u32) -> Vec<Key> {
    let request = GetKeyRequest {
        slave_sae_id: SAE_BOB.to_owned(),
        number: Some(number),
        size: None,
        additional_slave_sae_ids: Vec::new(),
    };
    let mut client = delivery(nodes, nodes.alice(), SAE_ALICE).await;
    let keys = client.get_key(request).await;
    keys.expect("there are keys").into_inner().keys
}

async fn fetch(nodes: &Nodes, key: &Key) -> Result<Vec<Key>, Status> {
    let request = GetKeyWithIdsRequest {
        master_sae_id: SAE_ALICE.to_owned(),
        key_ids: vec![key.key_id.clone()],
    };
    let mut client = delivery(nodes, nodes.bob(), SAE_BOB).await;
    let keys = client.get_key_with_ids(request).await?;
    Ok(keys.into_inner().keys)
}

/// Waits until Bob has ended by himself.
async fn until_bob_is_dead(nodes: &mut Nodes) -> Node {
    let mut bob = nodes.take_bob();
    let began = Instant::now();
    while bob.is_alive() {
        if began.elapsed() > STOP_WITHIN {
            bob.fail("he lives on");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bob
}

async fn restart_bob(nodes: &mut Nodes) {
    nodes.bob_config.link.debug.fail_points.clear();
    nodes.start_bob().await;
}

#[tokio::test]
async fn a_key_whose_tombstone_is_durable_is_burnt_when_its_answer_is_lost() {
    let mut nodes = nodes_with_keys("tombstone:after:1").await;
    let keys = ask(&nodes, 2).await;
    let lost = fetch(&nodes, &keys[0]).await;
    assert!(lost.is_err(), "Bob died before he answered");
    drop(until_bob_is_dead(&mut nodes).await);
    restart_bob(&mut nodes).await;
    let again = fetch(&nodes, &keys[0]).await.map(drop).unwrap_err();
    assert_eq!(again.code(), Code::NotFound, "{again:?}");
    // Of the other one nothing was said.
    let fetched = fetch(&nodes, &keys[1]).await.expect("it is there");
    assert!(fetched[0].key == keys[1].key, "the keys differ");
}

#[tokio::test]
async fn a_key_whose_tombstone_is_not_durable_is_there_after_the_crash() {
    let mut nodes = nodes_with_keys("tombstone:before:1").await;
    let keys = ask(&nodes, 1).await;
    assert!(fetch(&nodes, &keys[0]).await.is_err());
    drop(until_bob_is_dead(&mut nodes).await);
    restart_bob(&mut nodes).await;
    let fetched = fetch(&nodes, &keys[0]).await.expect("it is there");
    assert!(fetched[0].key == keys[0].key, "the keys differ");
}

#[tokio::test]
async fn a_thread_that_panics_takes_the_daemon_with_it_and_no_key_is_lost() {
    let mut nodes = nodes_with_keys("tombstone:before:1:panic").await;
    let keys = ask(&nodes, 1).await;
    assert!(fetch(&nodes, &keys[0]).await.is_err());
    let bob = until_bob_is_dead(&mut nodes).await;
    let log = bob.log();
    assert!(log.contains("fail-point tombstone:before:1:panic"), "{log}");
    let status = bob.stop().await;
    assert_eq!(status.code(), Some(1), "{status}");
    restart_bob(&mut nodes).await;
    let fetched = fetch(&nodes, &keys[0]).await.expect("it is there");
    assert!(fetched[0].key == keys[0].key, "the keys differ");
}

/// Copies the files of a folder.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_store_that_was_copied_back_is_found_out_and_no_key_leaves_either_side_any_more() {
    // The point is one that never comes by.
    let mut nodes = nodes_with_keys("tombstone:before:1000").await;
    let keys = ask(&nodes, 2).await;
    nodes.take_bob().kill();
    let data = nodes.folder().join(format!("{BOB}-data"));
    let backup = nodes.folder().join("backup");
    copy(&data, &backup);
    restart_bob(&mut nodes).await;
    // He has told Alice how often he was started, and a key has gone.
    assert!(fetch(&nodes, &keys[0]).await.is_ok());
    for node in [nodes.alice(), nodes.bob()] {
        node.until("a link", |now| now.session.is_some()).await;
    }
    nodes.take_bob().kill();
    copy(&backup, &data);
    nodes.start_bob().await;
    for node in [nodes.alice(), nodes.bob()] {
        let is_told = |alarm: &String| alarm.contains("quarantined");
        let status = node.until("an alarm", |now| now.alarms.iter().any(is_told));
        let status = status.await;
        assert_eq!(status.stored_key_count, 0, "{}", node.name);
    }
    for key in &keys {
        let refused = fetch(&nodes, key).await.map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    }
    let mut client = delivery(&nodes, nodes.alice(), SAE_ALICE).await;
    let refused = client.get_key(GetKeyRequest {
        slave_sae_id: SAE_BOB.to_owned(),
        ..GetKeyRequest::default()
    });
    assert!(refused.await.is_err());
}

#[tokio::test]
async fn a_key_that_changes_in_one_store_is_found_by_the_other_and_leaves_neither() {
    let mut nodes = Nodes::builder().blocks_max(2).prepare();
    nodes.bob_config.link.debug.fail_points = vec!["commit:after:2:alter".parse().unwrap()];
    nodes.alice_config.link.store.compare_every_s = 1;
    nodes.bob_config.link.store.compare_every_s = 1;
    nodes.start_with_keys().await;
    for (node, name) in [(nodes.alice(), ALICE), (nodes.bob(), BOB)] {
        let is_told = |alarm: &String| alarm.contains("the copies of block");
        let found = node.until("an alarm", |now| now.alarms.iter().any(is_told));
        let alarms = found.await.alarms;
        let differing = alarms.iter().filter(|alarm| is_told(alarm)).count();
        assert_eq!(differing, 1, "{alarms:?}");
        let log = nodes.folder().join(format!("{name}-data/audit.log"));
        let began = Instant::now();
        while !fs::read_to_string(&log).unwrap().contains("copies-differ") {
            assert!(
                began.elapsed() < STOP_WITHIN,
                "no line in {}",
                log.display()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    // The other block is given on, and the link goes on.
    let keys = ask(&nodes, 5).await;
    for key in &keys {
        let fetched = fetch(&nodes, key).await.expect("it is there");
        assert!(fetched[0].key == key.key, "the keys differ");
    }
    assert!(nodes.bob().status().await.session.is_some());
}
