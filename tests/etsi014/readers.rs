//! Applications that go away in the middle of an answer, or hardly read it.

use serde_json::{Value, json};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Body as _, Service as _, http};
use tonic::transport::Channel;

use super::{DEC, ENC, STATUS, call, connect, connect_as, nodes_with_keys};
use crate::support::{ALICE, BOB, Nodes, PATIENCE, SAE_ALICE, SAE_BOB};

/// Bytes of an answer that are on their way to such an application at most.
const WINDOW_BYTES: u32 = 1024;

/// What idle streams may add to a node's memory.
const MEMORY_BYTES_MAX: u64 = 48 << 20;

/// A connection to Bob on which no more comes than is read.
async fn narrow(nodes: &Nodes) -> Channel {
    let made = connect_as(nodes, (nodes.bob(), BOB), SAE_BOB, |endpoint| {
        endpoint.initial_stream_window_size(WINDOW_BYTES)
    });
    made.await.unwrap()
}

/// The answer to a request, of which only the head has come.
async fn answer(
    channel: &mut Channel,
    (method, path): (&str, &str),
    body: &Value,
) -> http::Response<Body> {
    let request = http::Request::builder().method(method).uri(path);
    let request = request.body(Body::new(body.to_string())).unwrap();
    let asking = async {
        std::future::poll_fn(|context| channel.poll_ready(context)).await?;
        channel.call(request).await
    };
    timeout(PATIENCE, asking).await.unwrap().unwrap()
}

/// The next piece of an answer.
async fn piece(body: &mut Body) -> Option<Vec<u8>> {
    let mut body = std::pin::pin!(body);
    let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context));
    let frame = timeout(PATIENCE, frame).await.unwrap()?;
    Some(frame.unwrap().into_data().unwrap_or_default().to_vec())
}

/// Memory that a process has, in bytes.
fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kibibytes = line.trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() * 1024
}

fn ids(keys: &[Value]) -> Value {
    let ids = keys.iter().map(|key| json!({ "key_ID": key["key_ID"] }));
    json!({ "key_IDs": ids.collect::<Vec<_>>() })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_in_the_middle_of_an_answer_has_burnt_its_keys_and_no_others() {
    let nodes = nodes_with_keys().await;
    let mut alice = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let (status, mine) = call(&mut alice, ENC, r#"{"number":30}"#).await;
    assert_eq!(status, 200);
    let keys = mine["keys"].as_array().unwrap();
    let (lost, kept) = keys.split_at(20);
    let mut leaving = narrow(&nodes).await;
    let mut begun = answer(&mut leaving, DEC, &ids(lost)).await;
    assert_eq!(begun.status(), 200);
    let first = piece(begun.body_mut()).await.unwrap();
    assert!(
        first.len() <= WINDOW_BYTES as usize,
        "{} bytes",
        first.len()
    );
    drop((begun, leaving));
    let mut bob = connect(&nodes, (nodes.bob(), BOB), SAE_BOB).await;
    for key in lost {
        let again = ids(std::slice::from_ref(key)).to_string();
        assert_eq!(call(&mut bob, DEC, &again).await.0, 400, "burnt for ever");
    }
    let (status, theirs) = call(&mut bob, DEC, &ids(kept).to_string()).await;
    assert_eq!(status, 200);
    // No assert_eq: it would print keys.
    assert!(
        theirs["keys"].as_array().unwrap() == kept,
        "the keys differ"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_gets_its_keys_once_and_holds_up_nobody() {
    let nodes = nodes_with_keys().await;
    let mut alice = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    let (_, mine) = call(&mut alice, ENC, r#"{"number":30}"#).await;
    let keys = mine["keys"].as_array().unwrap();
    let mut slow = narrow(&nodes).await;
    let mut begun = answer(&mut slow, DEC, &ids(&keys[1..])).await;
    let mut bytes = piece(begun.body_mut()).await.unwrap();
    // Meanwhile others are served, but not with these keys.
    let mut bob = connect(&nodes, (nodes.bob(), BOB), SAE_BOB).await;
    let other = ids(&keys[..1]).to_string();
    assert_eq!(call(&mut bob, DEC, &other).await.0, 200);
    let all = ids(&keys[1..]).to_string();
    assert_eq!(call(&mut bob, DEC, &all).await.0, 400);
    while let Some(more) = piece(begun.body_mut()).await {
        bytes.extend(more);
    }
    let theirs: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(
        theirs["keys"].as_array().unwrap() == &keys[1..],
        "the keys differ"
    );
    assert_eq!(call(&mut bob, DEC, &all).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_take_little_memory() {
    let nodes = nodes_with_keys().await;
    let before = resident_bytes(nodes.bob().id());
    let mut held = Vec::new();
    for _ in 0..32 {
        let made = connect_as(&nodes, (nodes.bob(), BOB), SAE_BOB, |endpoint| {
            endpoint.initial_stream_window_size(1)
        });
        let mut channel = made.await.unwrap();
        for _ in 0..30 {
            let status = ("GET", "/api/v1/keys/sae-alice/status");
            held.push(answer(&mut channel, status, &json!(null)).await);
        }
    }
    let more = resident_bytes(nodes.bob().id()).saturating_sub(before);
    assert!(
        more < MEMORY_BYTES_MAX,
        "{more} bytes for {} answers",
        held.len()
    );
    let mut alice = connect(&nodes, (nodes.alice(), ALICE), SAE_ALICE).await;
    assert_eq!(call(&mut alice, STATUS, "").await.0, 200);
}
