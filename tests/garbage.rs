//! Garbage on every socket: it is counted or refused, the daemons stay up, and keys are made.

mod flood;
mod raw_call;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use prost::Message as _;
use qkd_bits::SecretRng;
use qkd_wire::link::FRAME_BYTES_MAX;
use qkd_wire::proto::link::frame::Kind;
use qkd_wire::proto::link::{Envelope, Frame};
use qkd_wire::proto::node::{FrameCounters, NodeStatus};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{ALICE, BOB, Nodes, SAE_ALICE, agree_on_all_keys, channel};
use raw_call::{call_with, open_and_say_nothing};

/// Size of a photon frame and places of some of its fields, as `qkd-optics` documents them.
const FRAME_BYTES: usize = 1408;
const SESSION_AT: usize = 8;
const START_SLOT_AT: usize = 16;
const CHECKSUM_AT: usize = 60;

fn random(rng: &mut SecretRng, bytes: usize) -> Vec<u8> {
    let mut garbage = vec![0; bytes];
    rng.fill(&mut garbage);
    garbage
}

fn frames(status: &NodeStatus) -> FrameCounters {
    status.frames.expect("a node counts frames")
}

/// How a datagram is spoilt.
#[derive(Clone, Copy)]
enum Spoilt {
    Random(usize),
    Truncated(usize),
    TooLong,
    BitFlipped,
    OtherSession,
    FarFuture,
}

const SPOILT: [Spoilt; 10] = [
    Spoilt::Random(0),
    Spoilt::Random(1),
    Spoilt::Random(FRAME_BYTES),
    Spoilt::Random(9000),
    Spoilt::Truncated(63),
    Spoilt::Truncated(FRAME_BYTES - 1),
    Spoilt::TooLong,
    Spoilt::BitFlipped,
    Spoilt::OtherSession,
    Spoilt::FarFuture,
];

impl Spoilt {
    /// A datagram made of a genuine frame.
    fn of(self, genuine: &[u8], rng: &mut SecretRng) -> Vec<u8> {
        let mut frame = genuine.to_vec();
        match self {
            Self::Random(bytes) => return random(rng, bytes),
            Self::Truncated(bytes) => frame.truncate(bytes),
            Self::TooLong => frame.push(0),
            Self::BitFlipped => {
                let at = rng.below(FRAME_BYTES as u64) as usize;
                frame[at] ^= 1 << rng.below(8);
            }
            Self::OtherSession => frame[SESSION_AT] ^= 1,
            Self::FarFuture => frame[START_SLOT_AT + 6] ^= 1,
        }
        match self {
            // Good frames, but for what they say.
            Self::OtherSession | Self::FarFuture => sign(&mut frame),
            Self::Random(_) | Self::Truncated(_) | Self::TooLong | Self::BitFlipped => {}
        }
        frame
    }

    fn is_frame(self) -> bool {
        matches!(self, Self::OtherSession | Self::FarFuture)
    }
}

/// Gives a frame its checksum.
fn sign(frame: &mut [u8]) {
    let head = crc32c::crc32c(&frame[..CHECKSUM_AT]);
    let sum = crc32c::crc32c_append(head, &frame[CHECKSUM_AT + 4..]);
    frame[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
}

/// Passes Alice's frames on to Bob, each after one that is spoilt.
struct Spoiler {
    address: SocketAddr,
    corrupt: Arc<AtomicU64>,
    foreign: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Spoiler {
    fn before(bob: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let a_moment = Some(Duration::from_millis(20));
        socket
            .set_read_timeout(a_moment)
            .expect("a socket can wait");
        let mut spoiler = Self {
            address: socket.local_addr().expect("it is bound"),
            corrupt: Arc::default(),
            foreign: Arc::default(),
            stop: Arc::default(),
            thread: None,
        };
        let (corrupt, foreign) = (spoiler.corrupt.clone(), spoiler.foreign.clone());
        let stop = spoiler.stop.clone();
        spoiler.thread = Some(std::thread::spawn(move || {
            let mut rng = SecretRng::from_seed([11; 32]);
            let mut buffer = [0; FRAME_BYTES + 1];
            let mut kinds = SPOILT.iter().cycle();
            while !stop.load(Ordering::Acquire) {
                let Ok(bytes) = socket.recv(&mut buffer) else {
                    continue;
                };
                let genuine = &buffer[..bytes];
                let kind = kinds.next().expect("a cycle never ends");
                // A datagram that finds no room is lost, whoever sent it.
                if socket.send_to(&kind.of(genuine, &mut rng), bob).is_ok() {
                    let counter = if kind.is_frame() { &foreign } else { &corrupt };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
                let _lost = socket.send_to(genuine, bob);
            }
        }));
        spoiler
    }
}

impl Drop for Spoiler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed.
            let _panicked = thread.join();
        }
    }
}

#[tokio::test]
async fn spoilt_datagrams_before_every_frame_are_counted_and_cost_no_key() {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.alice_config.slots_per_second_max = 2e7;
    nodes.start_bob().await;
    let bob = nodes.bob().quantum.expect("Bob has a quantum address");
    let spoiler = Spoiler::before(bob);
    nodes.alice_config.quantum_peer = spoiler.address.into();
    nodes.start_alice().await;
    let block = nodes.bob().block_after(0).await;
    assert_eq!(block.outcome, "key");
    let seen = frames(&nodes.bob().status().await);
    let corrupt = spoiler.corrupt.load(Ordering::Relaxed);
    let foreign = spoiler.foreign.load(Ordering::Relaxed);
    // Some may be lost on the way, and the last ones are not counted yet.
    assert!(
        (corrupt / 2..=corrupt).contains(&seen.corrupt) && corrupt > 100,
        "{corrupt} datagrams were no frames: {seen:?}"
    );
    assert!(
        (foreign / 2..=foreign).contains(&seen.foreign) && foreign > 20,
        "{foreign} frames were not of this session's time: {seen:?}"
    );
    keys_are_there(&nodes).await;
}

async fn keys_are_there(nodes: &Nodes) {
    for node in [nodes.alice(), nodes.bob()] {
        let stored = |now: &NodeStatus| now.stored_key_count > 0;
        node.until("keys in store", stored).await;
    }
    assert!(!agree_on_all_keys(nodes).await.is_empty());
}

/// Connections that say something wrong, or nothing, and stay open.
async fn tcp_garbage(address: SocketAddr, rng: &mut SecretRng) -> Vec<TcpStream> {
    // The beginning of a TLS record that announces a ClientHello and never holds it.
    let half_open = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let http = b"GET / HTTP/1.1\r\n\r\n";
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let long = random(rng, 100_000);
    let says: [&[u8]; 6] = [b"", &half_open, http, http2, &long[..5], &long];
    let mut open = Vec::new();
    for said in says.iter().cycle().take(60) {
        let mut stream = TcpStream::connect(address).await.expect("the port is open");
        // It may have hung up already.
        let _refused = stream.write_all(said).await;
        open.push(stream);
    }
    open
}

/// Bytes in place of the messages of every service, from somebody whose certificate is good.
async fn grpc_garbage(nodes: &Nodes, rng: &mut SecretRng) {
    let node = nodes.bob();
    let files = nodes.pki.files_of(SAE_ALICE);
    let services = channel(&files, (node.services, BOB)).await;
    let services = services.expect("the certificate is good");
    for path in [
        "/qkd.delivery.v1.KeyDelivery/GetKey",
        "/qkd.delivery.v1.KeyDelivery/GetKeyWithIds",
        "/qkd.messaging.v1.Messaging/Submit",
        "/qkd.node.v1.Node/WatchBlocks",
        "/qkd.nothing.v1.Nothing/Nothing",
    ] {
        for bytes in [1, 100, 5_000_000] {
            let mut garbage = random(rng, bytes);
            // No field has number 0, so that this is no message for certain.
            garbage[0] = 0;
            let answer = call_with(services.clone(), path, vec![garbage]).await;
            assert!(answer.is_err(), "{path} took {bytes} bytes of garbage");
        }
    }
}

/// Bytes in place of the link's frames, from somebody who has Alice's certificate.
async fn link_garbage(nodes: &Nodes, rng: &mut SecretRng) {
    let bob = nodes.bob().classical.expect("Bob has a classical address");
    let files = nodes.pki.files_of(ALICE);
    let envelope = Frame {
        kind: Some(Kind::Envelope(Envelope {
            payload: random(rng, 1000).into(),
            ..Envelope::default()
        })),
    };
    let before = failed_handshakes(nodes).await;
    let says = [
        random(rng, 0),
        vec![0; 100],
        random(rng, 1000),
        random(rng, FRAME_BYTES_MAX + 1),
        envelope.encode_to_vec(),
    ];
    let count = says.len() as u64;
    for said in says {
        let link = channel(&files, (bob, BOB)).await;
        let link = link.expect("the certificate is good");
        // Bob speaks first, then hangs up.
        let _hung_up = call_with(link, "/qkd.link.v1.Link/Connect", vec![said]).await;
    }
    let all = |now: &NodeStatus| now.rejects.map(|r| r.handshakes) == Some(before + count);
    nodes.bob().until("all garbage counted", all).await;
}

async fn failed_handshakes(nodes: &Nodes) -> u64 {
    let rejects = nodes.bob().status().await.rejects;
    rejects.expect("a node counts what it rejects").handshakes
}

#[tokio::test]
async fn garbage_and_half_open_connections_stop_neither_services_nor_link() {
    let mut rng = SecretRng::from_seed([12; 32]);
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.start_bob().await;
    let bob = nodes.bob().classical.expect("Bob has a classical address");
    let mut open = tcp_garbage(bob, &mut rng).await;
    open.extend(tcp_garbage(nodes.bob().services, &mut rng).await);
    link_garbage(&nodes, &mut rng).await;
    grpc_garbage(&nodes, &mut rng).await;
    // More than Bob shakes hands with at once; he gives up on them one after another.
    let files = nodes.pki.files_of(ALICE);
    let silent = channel(&files, (bob, BOB)).await;
    let silent = open_and_say_nothing(silent.expect("the certificate is good"), 40).await;
    nodes.start_alice().await;
    open.extend(tcp_garbage(nodes.alice().services, &mut rng).await);
    keys_are_there(&nodes).await;
    let session = nodes.bob().status().await.session;
    assert!(session.is_some());
    link_garbage(&nodes, &mut rng).await;
    assert_eq!(nodes.bob().status().await.session, session);
    drop((open, silent));
    assert!(nodes.take_alice().stop().await.success());
    assert!(nodes.take_bob().stop().await.success());
}
