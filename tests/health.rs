//! A node is healthy exactly while its applications could be given a key.

use qkd_wire::proto::delivery::{GetKeyRequest, GetStatusRequest};
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::support::{Node, Nodes, PATIENCE, SAE_ALICE, SAE_BOB, delivery, health};

const OVERALL: &str = "";
const DELIVERY: &str = "qkd.delivery.v1.KeyDelivery";
const MESSAGING: &str = "qkd.messaging.v1.Messaging";
const NODE: &str = "qkd.node.v1.Node";

async fn is(nodes: &Nodes, node: &Node, service: &str) -> ServingStatus {
    let service = service.to_owned();
    let mut client = health(nodes, node).await;
    let answer = client.check(HealthCheckRequest { service }).await;
    answer.expect("the service is known").into_inner().status()
}

/// Watches the health until it is as wanted.
async fn until(nodes: &Nodes, node: &Node, service: &str, wanted: ServingStatus) {
    let watch = async {
        let service = service.to_owned();
        let mut client = health(nodes, node).await;
        let states = client.watch(HealthCheckRequest { service }).await;
        let mut states = states.expect("health can be watched").into_inner();
        while let Ok(Some(state)) = states.message().await {
            if state.status() == wanted {
                return true;
            }
        }
        false
    };
    if !timeout(PATIENCE, watch).await.unwrap_or_default() {
        node.fail(&format!("{service:?} does not become {wanted:?}"));
    }
}

/// Takes all of Alice's keys; looking at health must have left every one of them.
async fn take_all_keys(nodes: &Nodes) -> u64 {
    let mut alice = delivery(nodes, nodes.alice(), SAE_ALICE).await;
    let status = GetStatusRequest {
        slave_sae_id: SAE_BOB.to_owned(),
    };
    let status = alice.get_status(status).await.expect("a status");
    let stored = status.into_inner().stored_key_count;
    for _ in 0..stored {
        let request = GetKeyRequest {
            slave_sae_id: SAE_BOB.to_owned(),
            ..GetKeyRequest::default()
        };
        alice.get_key(request).await.expect("a stored key");
    }
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_healthy_from_its_first_key_to_its_last() {
    use ServingStatus::{NotServing, Serving};
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.start_bob().await;
    for service in [OVERALL, DELIVERY, MESSAGING] {
        assert_eq!(
            is(&nodes, nodes.bob(), service).await,
            NotServing,
            "{service:?}"
        );
    }
    assert_eq!(is(&nodes, nodes.bob(), NODE).await, Serving);
    nodes.start_alice().await;
    for node in [nodes.bob(), nodes.alice()] {
        for service in [OVERALL, DELIVERY, MESSAGING] {
            until(&nodes, node, service, Serving).await;
        }
    }
    assert!(take_all_keys(&nodes).await > 20);
    for service in [OVERALL, DELIVERY] {
        until(&nodes, nodes.alice(), service, NotServing).await;
        assert_eq!(
            is(&nodes, nodes.bob(), service).await,
            Serving,
            "{service:?}"
        );
    }
    // What is stored stays there without a link; messages need one.
    nodes.take_alice().kill();
    until(&nodes, nodes.bob(), MESSAGING, NotServing).await;
    assert_eq!(is(&nodes, nodes.bob(), OVERALL).await, Serving);
}
