//! ETSI GS QKD 014 on real daemons, asked by a client of ours and by clients that nobody here wrote.

mod outside;
mod readers;

use qkd_node::config::HostPort;
use qkd_node::tls::{ConnectError, TlsMaterial};
use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::codegen::{Body as _, Service as _, http};
use tonic::transport::{Channel, Endpoint};

use crate::support::{ALICE, BOB, Node, Nodes, PATIENCE, SAE_ALICE, SAE_BOB};

pub const STATUS: (&str, &str) = ("GET", "/api/v1/keys/sae-bob/status");
pub const ENC: (&str, &str) = ("POST", "/api/v1/keys/sae-bob/enc_keys");
pub const DEC: (&str, &str) = ("POST", "/api/v1/keys/sae-alice/dec_keys");

/// Both nodes with ETSI GS QKD 014, not started, for keys of one block.
pub fn nodes_prepared() -> Nodes {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    let somewhere = || Some(HostPort::new("127.0.0.1", 0));
    nodes.alice_config.link.etsi014_listen = somewhere();
    nodes.bob_config.link.etsi014_listen = somewhere();
    nodes
}

/// Both nodes with ETSI GS QKD 014 and keys of one block.
async fn nodes_with_keys() -> Nodes {
    let mut nodes = nodes_prepared();
    nodes.start_with_keys().await;
    nodes
}

/// A connection of `sae` to `node`, over HTTP/2.
pub async fn connect(nodes: &Nodes, (node, name): (&Node, &str), sae: &str) -> Channel {
    let connected = try_connect(nodes, (node, name), sae).await;
    connected.unwrap_or_else(|error| node.fail(&error.to_string()))
}

/// As [`connect`], for whoever may not get in.
pub async fn try_connect(
    nodes: &Nodes,
    (node, name): (&Node, &str),
    sae: &str,
) -> Result<Channel, ConnectError> {
    connect_as(nodes, (node, name), sae, |endpoint| endpoint).await
}

/// As [`try_connect`], on a connection of the client's own making.
async fn connect_as(
    nodes: &Nodes,
    (node, name): (&Node, &str),
    sae: &str,
    make: impl FnOnce(Endpoint) -> Endpoint,
) -> Result<Channel, ConnectError> {
    let tls = TlsMaterial::load(&nodes.pki.files_of(sae)).unwrap();
    let address = HostPort::from(node.etsi014.expect("it serves ETSI GS QKD 014"));
    tls.connect(&address, name, make).await
}

/// Status and body of the answer to one request.
pub async fn call(channel: &mut Channel, what: (&str, &str), body: &str) -> (u16, Value) {
    try_call(channel, what, body).await.unwrap()
}

/// As [`call`], on a connection that may be over.
pub async fn try_call(
    channel: &mut Channel,
    (method, path): (&str, &str),
    body: &str,
) -> Result<(u16, Value), tonic::transport::Error> {
    let request = http::Request::builder().method(method).uri(path);
    let body = tonic::body::Body::new(body.to_owned());
    let asking = async {
        std::future::poll_fn(|context| channel.poll_ready(context)).await?;
        channel.call(request.body(body).unwrap()).await
    };
    let response = timeout(PATIENCE, asking).await.unwrap()?;
    let status = response.status().as_u16();
    let mut body = std::pin::pin!(response.into_body());
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((status, serde_json::from_slice(&bytes).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_the_same_at_both_ends_and_each_end_gives_it_once_also_after_a_restart() {
    let mut nodes = nodes_with_keys().await;
    let mut alice = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let mut bob = connect(&nodes, (nodes.bob(), BOB), SAE_BOB).await;
    let (_, before) = call(&mut alice, STATUS, "").await;
    assert_eq!(before["source_KME_ID"], ALICE);
    let (status, mine) = call(&mut alice, ENC, r#"{"number":2}"#).await;
    assert_eq!(status, 200);
    let wanted = |at: usize| json!({ "key_IDs": [{ "key_ID": mine["keys"][at]["key_ID"] }] });
    let (_, after) = call(&mut alice, STATUS, "").await;
    let count = |status: &Value| status["stored_key_count"].as_u64().unwrap();
    assert_eq!(count(&before) - 2, count(&after));
    let (first, second) = (wanted(0).to_string(), wanted(1).to_string());
    let (_, theirs) = call(&mut bob, DEC, &first).await;
    // No assert_eq: it would print keys.
    assert!(theirs["keys"][0] == mine["keys"][0], "the keys differ");
    let again = call(&mut bob, DEC, &first).await;
    assert_eq!(again.0, 400);
    drop(bob);

    nodes.take_bob().kill();
    nodes.start_bob().await;
    let mut bob = connect(&nodes, (nodes.bob(), BOB), SAE_BOB).await;
    assert_eq!(call(&mut bob, DEC, &first).await.0, 400, "burnt for ever");
    let (status, theirs) = call(&mut bob, DEC, &second).await;
    assert_eq!(
        status, 200,
        "what was answered at one end is kept at the other"
    );
    assert!(theirs["keys"][0] == mine["keys"][1], "the keys differ");
}
