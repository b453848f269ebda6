//! What a bad network does to the light: nothing but cost time.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use qkd_bits::PhysicsRng;
use qkd_node::config::HostPort;

use crate::support::{Nodes, agree_on_all_keys};

/// What happens to datagrams on their way.
#[derive(Clone, Copy)]
enum Weather {
    /// Each is lost with this probability.
    Loss(f64),
    /// Each arrives twice.
    Duplication,
    /// Neighbours change places.
    Reordering,
}

/// A stretch of network between Alice and Bob; gone when dropped.
struct Relay {
    address: HostPort,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn to(bob: &HostPort, weather: Weather) -> Self {
        let listening = UdpSocket::bind("127.0.0.1:0").expect("a port can be had");
        let onward = UdpSocket::bind("127.0.0.1:0").expect("a port can be had");
        onward
            .connect((bob.host.as_str(), bob.port))
            .expect("Bob has an address");
        listening
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a socket takes a time-out");
        let address = HostPort::from(
            listening
                .local_addr()
                .expect("a bound socket has an address"),
        );
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = std::thread::spawn(move || relay(&listening, &onward, weather, &stopping));
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn relay(listening: &UdpSocket, onward: &UdpSocket, weather: Weather, stop: &AtomicBool) {
    let mut rng = PhysicsRng::from_seed(5);
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Acquire) {
        let Ok(bytes) = listening.recv(&mut buffer) else {
            continue;
        };
        let datagram = &buffer[..bytes];
        // A datagram that Bob's socket does not take is lost like any other.
        let send = |datagram: &[u8]| drop(onward.send(datagram));
        match weather {
            Weather::Loss(probability) => {
                if !rng.chance(probability) {
                    send(datagram);
                }
            }
            Weather::Duplication => {
                send(datagram);
                send(datagram);
            }
            Weather::Reordering => {
                held.push_back(datagram.to_vec());
                if held.len() == 2 {
                    held.iter().rev().for_each(|datagram| send(datagram));
                    held.clear();
                }
            }
        }
    }
}

/// A link through this weather, run for one block.
async fn one_block(weather: Weather) -> (Nodes, Relay) {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.start_bob().await;
    let relay = Relay::to(&nodes.bob_config.quantum_listen, weather);
    nodes.alice_config.quantum_peer = relay.address.clone();
    nodes.start_alice().await;
    nodes
        .bob()
        .until("one block", |status| status.blocks_attempted == 1)
        .await;
    nodes
        .alice()
        .until("one block", |status| status.blocks_attempted == 1)
        .await;
    (nodes, relay)
}

async fn gives_equal_keys(nodes: &Nodes) {
    nodes
        .alice()
        .until("keys", |status| status.stored_key_count > 0)
        .await;
    nodes
        .bob()
        .until("keys", |status| status.stored_key_count > 0)
        .await;
    assert!(!agree_on_all_keys(nodes).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_datagrams_are_vacuum_and_keys_stay_right() {
    let (nodes, _relay) = one_block(Weather::Loss(0.3)).await;
    gives_equal_keys(&nodes).await;
    let frames = nodes
        .bob()
        .status()
        .await
        .frames
        .expect("Bob counts frames");
    assert!(frames.lost_slots > 0, "{frames:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cloned_datagrams_are_dropped_and_keys_stay_right() {
    let (nodes, _relay) = one_block(Weather::Duplication).await;
    gives_equal_keys(&nodes).await;
    let frames = nodes
        .bob()
        .status()
        .await
        .frames
        .expect("Bob counts frames");
    assert!(frames.duplicate > 0, "{frames:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_out_of_order_are_put_into_order() {
    let (nodes, _relay) = one_block(Weather::Reordering).await;
    gives_equal_keys(&nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_fibre_ends_the_block_with_too_few_detections() {
    let (nodes, _relay) = one_block(Weather::Loss(1.0)).await;
    let report = nodes.bob().block_after(0).await;
    assert_eq!(
        (report.outcome.as_str(), report.abort_reason.as_str()),
        ("aborted", "too_few_detections")
    );
    assert_eq!(nodes.alice().status().await.stored_key_count, 0);
}
