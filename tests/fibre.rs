//! Where Alice's light goes: she is told on the command line, and looks again when it is lost.

use qkd_node::config::HostPort;
use qkd_wire::proto::node::{LinkState, NodeStatus};

use crate::support::Nodes;

fn alarm(status: &NodeStatus, words: &str) -> bool {
    status.alarms.iter().any(|alarm| alarm.contains(words))
}

/// Waits until Alice has had one more block with a key.
async fn another_key(nodes: &Nodes) {
    let before = nodes.alice().status().await.blocks_with_key;
    nodes
        .alice()
        .until("another key", |now| now.blocks_with_key > before)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eve_is_switched_into_the_fibre_and_out_of_it_by_an_option() {
    let mut nodes = Nodes::builder().prepare();
    nodes.eve_config.attack = "intercept-resend:1".to_owned();
    nodes.start_bob().await;
    nodes.start_eve().await;
    nodes.fibre = Some(nodes.eve_config.quantum_listen.clone());
    nodes.start_alice().await;
    // On a busy machine a block may lose light before anybody looks at its errors.
    let mut block = nodes.alice().block_after(0).await;
    while block.abort_reason != "qber_too_high" {
        assert_eq!(block.abort_reason, "too_few_detections");
        assert!(block.number < 10, "{block:?}");
        block = nodes.alice().block_after(block.number).await;
    }
    let spied_on = nodes.alice().status().await;
    assert_eq!(
        (spied_on.blocks_with_key, spied_on.stored_key_count),
        (0, 0)
    );
    nodes.take_alice().kill();

    nodes.fibre = None;
    nodes.start_alice().await;
    another_key(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_away_is_an_alarm_until_it_is_back() {
    let mut nodes = Nodes::builder().prepare();
    nodes.start_bob().await;
    nodes.start_eve().await;
    // A name, perhaps with an address at which nobody listens.
    let port = nodes.eve_config.quantum_listen.port;
    nodes.fibre = Some(HostPort::new("localhost", port));
    nodes.start_alice().await;
    another_key(&nodes).await;
    nodes.take_eve().kill();
    nodes
        .alice()
        .until("an alarm", |now| alarm(now, "light goes nowhere"))
        .await;
    nodes.start_eve().await;
    another_key(&nodes).await;
    nodes
        .alice()
        .until("no alarm", |now| !alarm(now, "light goes nowhere"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_has_is_a_cut_fibre_and_no_end_of_the_link() {
    let mut nodes = Nodes::builder().prepare();
    nodes.start_bob().await;
    // No name server is asked for this one: no name has an empty part.
    nodes.fibre = Some(HostPort::new("no..name", 7103));
    nodes.start_alice().await;
    let status = nodes
        .alice()
        .until("a link", |now| now.link_state() == LinkState::Running)
        .await;
    assert!(
        alarm(&status, "`no..name:7103` cannot be found"),
        "{status:?}"
    );
    let log = nodes.alice().until_log("light goes nowhere").await;
    assert_eq!(log.matches("light goes nowhere").count(), 1, "{log}");
}
