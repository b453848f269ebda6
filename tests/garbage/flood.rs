//! Floods of the quantum channel in the form that costs a receiver most: many datagrams at once.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use qkd_bits::SecretRng;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};

use super::{FRAME_BYTES, SESSION_AT, frames, keys_are_there, random, sign};
use crate::support::Nodes;

/// Frames in a batch.
const BATCH: usize = 40;

/// What comes before each genuine frame.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// Random bytes in datagrams of so many, the last one shorter.
    Garbage { bytes: usize, stride: usize },
    /// Frames of a session that is over.
    OtherSession,
    /// The same frame again and again.
    Replay,
}

const FLOODS: [Flood; 7] = [
    Flood::Garbage {
        bytes: BATCH * FRAME_BYTES,
        stride: FRAME_BYTES,
    },
    Flood::Garbage {
        bytes: BATCH * FRAME_BYTES + 7,
        stride: FRAME_BYTES,
    },
    Flood::Garbage {
        bytes: 30_000,
        stride: 999,
    },
    Flood::Garbage {
        bytes: 60,
        stride: 1,
    },
    Flood::Garbage {
        bytes: 65_507,
        stride: 65_507,
    },
    Flood::OtherSession,
    Flood::Replay,
];

/// Datagrams that were sent, by what should become of them.
#[derive(Default)]
struct Sent {
    corrupt: AtomicU64,
    foreign: AtomicU64,
    duplicate: AtomicU64,
}

/// Passes Alice's frames on to Bob, each after a flood.
struct Flooder {
    address: SocketAddr,
    sent: Arc<Sent>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flooder {
    fn before(bob: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let flood = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let a_moment = Some(Duration::from_millis(20));
        socket
            .set_read_timeout(a_moment)
            .expect("a socket can wait");
        let address = socket.local_addr().expect("it is bound");
        let (sent, stop) = (Arc::<Sent>::default(), Arc::<AtomicBool>::default());
        let (counting, stopping) = (sent.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let state =
                UdpSocketState::new(UdpSockRef::from(&flood)).expect("a socket for batches");
            let mut rng = SecretRng::from_seed([13; 32]);
            let mut buffer = [0; FRAME_BYTES + 1];
            let mut floods = FLOODS.iter().cycle();
            while !stopping.load(Ordering::Acquire) {
                let Ok(bytes) = socket.recv(&mut buffer) else {
                    continue;
                };
                let genuine = &buffer[..bytes];
                let kind = floods.next().expect("a cycle never ends");
                let (contents, stride) = kind.of(genuine, &mut rng);
                for batch in contents.chunks(stride * BATCH) {
                    kind.send(&state, &flood, (bob, batch, stride), &counting);
                }
                let _lost = socket.send_to(genuine, bob);
            }
        });
        Self {
            address,
            sent,
            stop,
            thread: Some(thread),
        }
    }
}

impl Flood {
    /// Bytes and the length of each datagram in them.
    fn of(self, genuine: &[u8], rng: &mut SecretRng) -> (Vec<u8>, usize) {
        match self {
            Flood::Garbage { bytes, stride } => (random(rng, bytes), stride),
            Flood::OtherSession => {
                let mut frame = genuine.to_vec();
                frame[SESSION_AT] ^= 1;
                sign(&mut frame);
                (frame.repeat(BATCH), FRAME_BYTES)
            }
            Flood::Replay => (genuine.repeat(BATCH), FRAME_BYTES),
        }
    }

    /// Sends a batch and counts what left.
    fn send(
        self,
        state: &UdpSocketState,
        socket: &UdpSocket,
        (bob, batch, stride): (SocketAddr, &[u8], usize),
        sent: &Sent,
    ) {
        let transmit = Transmit {
            destination: bob,
            ecn: None,
            contents: batch,
            segment_size: (batch.len() > stride).then_some(stride),
            src_ip: None,
        };
        if state.try_send(UdpSockRef::from(socket), &transmit).is_err() {
            return;
        }
        let counter = match self {
            Flood::Garbage { .. } => &sent.corrupt,
            Flood::OtherSession => &sent.foreign,
            Flood::Replay => &sent.duplicate,
        };
        counter.fetch_add(batch.len().div_ceil(stride) as u64, Ordering::Relaxed);
    }
}

impl Drop for Flooder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed.
            let _panicked = thread.join();
        }
    }
}

#[tokio::test]
async fn floods_of_whole_batches_are_counted_and_cost_no_key() {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.alice_config.slots_per_second_max = 1e7;
    nodes.start_bob().await;
    let bob = nodes.bob().quantum.expect("Bob has a quantum address");
    let flooder = Flooder::before(bob);
    nodes.alice_config.quantum_peer = flooder.address.into();
    nodes.start_alice().await;
    let block = nodes.bob().block_after(0).await;
    assert_eq!(block.outcome, "key");
    let seen = frames(&nodes.bob().status().await);
    // Some are lost on the way, and the last ones are not counted yet.
    for (what, sent, counted) in [
        ("no frames", &flooder.sent.corrupt, seen.corrupt),
        ("of another session", &flooder.sent.foreign, seen.foreign),
        ("repeated", &flooder.sent.duplicate, seen.duplicate),
    ] {
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent > 1000, "{sent} datagrams were {what}: {seen:?}");
        assert!(
            (sent / 3..=sent).contains(&counted),
            "{sent} datagrams were {what}: {seen:?}"
        );
    }
    keys_are_there(&nodes).await;
}
