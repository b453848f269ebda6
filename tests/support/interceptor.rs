//! Somebody inside TLS, between Alice and Bob: sees every envelope, and sends what it likes.
//!
//! It shows Bob's certificate to Alice and Alice's to Bob, which in the field would take both
//! private keys. What it lacks is the pre-shared key.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qkd_node::config::TlsFiles;
use qkd_node::tls::TlsMaterial;
use qkd_wire::link::FRAME_BYTES_MAX;
use qkd_wire::proto::link::frame::Kind;
use qkd_wire::proto::link::link_client::LinkClient;
use qkd_wire::proto::link::link_server::{Link, LinkServer};
use qkd_wire::proto::link::{Envelope, Frame};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::{ALICE, BOB, Nodes, PATIENCE, clients};

/// Whom a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From Alice to Bob.
    ToBob,
    /// From Bob to Alice.
    ToAlice,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToBob, Self::ToAlice];

    /// Back to the sender.
    pub fn back(self) -> Self {
        match self {
            Self::ToBob => Self::ToAlice,
            Self::ToAlice => Self::ToBob,
        }
    }
}

/// An envelope as its sender sent it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Number of the connection, from 1.
    pub connection: u64,
    /// Whom it was for.
    pub direction: Direction,
    /// The envelope.
    pub envelope: Envelope,
}

/// What is sent, in this order, in place of a genuine envelope.
pub type Trick = Box<dyn FnMut(Direction, Envelope) -> Vec<(Direction, Envelope)> + Send>;

/// The man in the middle; an honest relay until told otherwise.
pub struct Interceptor {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    bob: SocketAddr,
    alice_files: TlsFiles,
    record: Mutex<Vec<Recorded>>,
    /// Every frame of the first connection, handshake included.
    first: Mutex<Vec<(Direction, Frame)>>,
    recorded: watch::Sender<usize>,
    trick: Mutex<Trick>,
    connections: AtomicU64,
    lines: Mutex<Option<Lines>>,
}

/// The two ends of one connection.
#[derive(Clone)]
struct Lines {
    connection: u64,
    to_bob: mpsc::UnboundedSender<Frame>,
    to_alice: mpsc::UnboundedSender<Result<Frame, Status>>,
}

impl Interceptor {
    /// Sits down before Bob, who runs, and lets Alice's configuration name it as her peer.
    pub async fn between(nodes: &mut Nodes) -> Self {
        let shared = Arc::new(Shared {
            bob: nodes.bob().classical.expect("Bob has a classical address"),
            alice_files: nodes.pki.files_of(ALICE),
            record: Mutex::default(),
            first: Mutex::default(),
            recorded: watch::Sender::new(0),
            trick: Mutex::new(honest()),
            connections: AtomicU64::new(0),
            lines: Mutex::default(),
        });
        let tls = TlsMaterial::load(&nodes.pki.files_of(BOB)).expect("Bob's certificate is good");
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let (address, server) = serve_on(listener, &tls, Answerer(shared.clone()));
        nodes.alice_config.classical_peer = address.into();
        Self { shared, server }
    }

    /// Everything that the two said so far.
    pub fn record(&self) -> Vec<Recorded> {
        lock(&self.shared.record).clone()
    }

    /// Every frame that was sent in a direction over the first connection, handshake included.
    pub fn first_connection(&self, direction: Direction) -> Vec<Frame> {
        let first = lock(&self.shared.first);
        let sent = first.iter().filter(|(to, _)| *to == direction);
        sent.map(|(_, frame)| frame.clone()).collect()
    }

    /// The last envelope of the present connection in a direction.
    pub fn last(&self, direction: Direction) -> Envelope {
        let record = lock(&self.shared.record);
        let last = record.iter().rfind(|r| r.direction == direction);
        last.expect("something was said").envelope.clone()
    }

    /// Waits until what was said, called `what`, is so.
    pub async fn until(&self, what: &str, is: impl Fn(&[Recorded]) -> bool) {
        let mut recorded = self.shared.recorded.subscribe();
        let wait = async {
            while !is(&lock(&self.shared.record)) {
                recorded.changed().await.expect("the sender is ours");
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "the two never said: {what}");
    }

    /// From now on, does `trick` with every envelope.
    pub fn play(&self, trick: Trick) {
        *lock(&self.shared.trick) = trick;
    }

    /// An honest relay again.
    pub fn play_honest(&self) {
        self.play(honest());
    }

    /// Sends an envelope of its own.
    pub fn inject(&self, direction: Direction, envelope: Envelope) {
        let kind = Some(Kind::Envelope(envelope));
        self.inject_frame(direction, Frame { kind });
    }

    /// Sends a frame of its own.
    pub fn inject_frame(&self, direction: Direction, frame: Frame) {
        let lines = lock(&self.shared.lines);
        let lines = lines.as_ref().expect("the two are connected");
        lines.send(direction, frame);
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Lines {
    fn send(&self, direction: Direction, frame: Frame) {
        // One who has hung up hears no more.
        match direction {
            Direction::ToBob => drop(self.to_bob.send(frame)),
            Direction::ToAlice => drop(self.to_alice.send(Ok(frame))),
        }
    }
}

impl Shared {
    /// Passes frames on until the sender hangs up.
    async fn relay(&self, mut from: Streaming<Frame>, direction: Direction, lines: &Lines) {
        while let Ok(Some(frame)) = from.message().await {
            if lines.connection == 1 {
                lock(&self.first).push((direction, frame.clone()));
            }
            let envelope = match frame.kind {
                Some(Kind::Envelope(envelope)) => envelope,
                other => {
                    lines.send(direction, Frame { kind: other });
                    continue;
                }
            };
            lock(&self.record).push(Recorded {
                connection: lines.connection,
                direction,
                envelope: envelope.clone(),
            });
            let sent = (*lock(&self.trick))(direction, envelope);
            for (direction, envelope) in sent {
                let kind = Some(Kind::Envelope(envelope));
                lines.send(direction, Frame { kind });
            }
            self.recorded.send_modify(|count| *count += 1);
        }
    }
}

#[derive(Clone)]
struct Answerer(Arc<Shared>);

#[tonic::async_trait]
impl Link for Answerer {
    type ConnectStream = UnboundedReceiverStream<Result<Frame, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let shared = self.0.clone();
        let (to_bob, for_bob) = mpsc::unbounded_channel();
        let from_bob = call(&shared.alice_files, shared.bob, for_bob).await?;
        let (to_alice, for_alice) = mpsc::unbounded_channel();
        let lines = Lines {
            connection: shared.connections.fetch_add(1, Ordering::Relaxed) + 1,
            to_bob,
            to_alice,
        };
        *lock(&shared.lines) = Some(lines.clone());
        let from_alice = request.into_inner();
        tokio::spawn(async move {
            // When one hangs up, so does this one with the other.
            tokio::select! {
                () = shared.relay(from_alice, Direction::ToBob, &lines) => {}
                () = shared.relay(from_bob, Direction::ToAlice, &lines) => {}
            }
            let mut present = lock(&shared.lines);
            let mine = |present: &mut Lines| present.connection == lines.connection;
            drop(present.take_if(mine));
        });
        Ok(Response::new(UnboundedReceiverStream::new(for_alice)))
    }
}

/// Calls Bob's link as whoever `files` name.
pub async fn call(
    files: &TlsFiles,
    bob: SocketAddr,
    frames: mpsc::UnboundedReceiver<Frame>,
) -> Result<Streaming<Frame>, Status> {
    let channel = clients::channel(files, (bob, BOB)).await;
    let channel = channel.map_err(|error| Status::unavailable(format!("{error:?}")))?;
    let mut client = LinkClient::new(channel)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let response = client.connect(UnboundedReceiverStream::new(frames)).await;
    response.map(Response::into_inner)
}

/// Serves `link` as whoever `tls` names.
pub fn serve_on(
    listener: TcpListener,
    tls: &TlsMaterial,
    link: impl Link,
) -> (SocketAddr, JoinHandle<()>) {
    let address = listener.local_addr().expect("it is bound");
    let service = LinkServer::new(link)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let serving = Server::builder()
        .tls_config(tls.server())
        .expect("the certificates of a test are good")
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(async move { serving.await.expect("the server runs") });
    (address, server)
}

fn honest() -> Trick {
    Box::new(|direction, envelope| vec![(direction, envelope)])
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
