//! Bob: waits for Alice, receives, measures.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use qkd_bits::PhysicsRng;
use qkd_keystore::Side;
use qkd_optics::{FrameOrder, OrderLimits};
use qkd_session::Bob;
use qkd_wire::link::{FRAME_BYTES_MAX, refusal};
use qkd_wire::proto::link as proto;
use qkd_wire::proto::link::link_server::{Link, LinkServer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::{Request, Response, Status, Streaming};

use super::link_node::LinkNode;
use super::{NodeError, Ready, server};
use crate::config::{BobConfig, HostPort, Role};
use crate::hub::KeyHub;
use crate::link::{Connection, FrameSender, Frames, Party, frames, serve};
use crate::quantum::{self, ReceivePath};
use crate::shutdown::Shutdown;
use crate::status::LinkState;
use crate::tls::{incoming, verify_peer_name};

/// Handshakes under way at once; more are refused.
const HANDSHAKES_MAX: usize = 16;

/// Time that a session may take to end when Alice, who has lost it first, calls again.
const SESSION_ENDS_WITHIN: Duration = Duration::from_secs(3);

pub(super) async fn run(
    config: BobConfig,
    shutdown: Shutdown,
    ready: impl FnOnce(&Ready, &Arc<KeyHub>) + Send,
) -> Result<(), NodeError> {
    let BobConfig {
        link,
        quantum_listen,
        classical_listen,
    } = config;
    let node = Arc::new(LinkNode::open(link, Side::Bob)?);
    let quantum_socket = bind_quantum(&quantum_listen)?;
    let quantum_bound = quantum_socket.local_addr().ok();
    if let Ok(bytes) = quantum::receive_buffer_bytes(&quantum_socket) {
        node.shared.board.receive_buffer(bytes);
    }
    let (classical, classical_bound) =
        server::listen("[classical] listen", &classical_listen).await?;
    let listeners = node.listen().await?;
    let addresses = Ready {
        role: Role::Bob,
        quantum: quantum_bound,
        classical: Some(classical_bound),
        services: listeners.services_address,
        etsi014: listeners.etsi014_address(),
        metrics: listeners.metrics.address(),
    };
    ready(&addresses, &node.shared.hub);
    let answerer = Answerer {
        node: node.clone(),
        quantum: Arc::new(quantum_socket),
        shutdown: shutdown.clone(),
        handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        session: Arc::new(Semaphore::new(1)),
        next: Arc::new(Semaphore::new(1)),
    };
    let served = tokio::try_join!(
        node.serve(listeners, shutdown.clone()),
        answer(&node, answerer.clone(), classical, shutdown)
    );
    // The store's last words are written before the daemon ends.
    let _last = answerer.session.acquire().await;
    served.map(|((), ())| ())
}

pub(super) fn bind_quantum(address: &HostPort) -> Result<UdpSocket, NodeError> {
    quantum::resolve(address)
        .and_then(quantum::bind)
        .map_err(|source| NodeError::Bind {
            what: "[quantum] listen",
            address: address.clone(),
            source,
        })
}

async fn answer(
    node: &LinkNode,
    answerer: Answerer,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let service = LinkServer::new(answerer)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let (board, peer) = (node.shared.board.clone(), node.config.peer.clone());
    let log = server::refused(node, "classical");
    let callers = incoming(listener, node.tls.clone(), move |refused| {
        log(refused);
        // Nobody vouches for the name, but an operator who waits for the peer wants to know.
        if refused.claims(&peer) {
            board.peer_refused(&refused.reason);
        }
    });
    let serving = server::link_server()
        .add_service(service)
        .serve_with_incoming_shutdown(callers, shutdown.clone().waited());
    server::served(serving, shutdown).await
}

#[derive(Clone)]
struct Answerer {
    node: Arc<LinkNode>,
    quantum: Arc<UdpSocket>,
    shutdown: Shutdown,
    handshakes: Arc<Semaphore>,
    /// The one session there may be.
    session: Arc<Semaphore>,
    /// The one caller who may wait for it to end.
    next: Arc<Semaphore>,
}

#[tonic::async_trait]
impl Link for Answerer {
    type ConnectStream = Frames;

    async fn connect(
        &self,
        request: Request<Streaming<proto::Frame>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let expected = &self.node.config.peer;
        let certificates = request.peer_certs();
        let certificate = certificates.as_ref().and_then(|chain| chain.first());
        let certificate = certificate
            .ok_or_else(|| Status::unauthenticated("a client certificate is required"))?;
        verify_peer_name(certificate, expected).map_err(|error| {
            tracing::warn!(%error, "a stranger called");
            self.node.shared.board.handshake_failed();
            self.node.shared.board.peer_refused(&error.to_string());
            Status::permission_denied(error.to_string())
        })?;
        let (outgoing, frames) = frames(self.node.waiting_bytes_max());
        let answerer = self.clone();
        tokio::spawn(async move { answerer.answer(outgoing, request.into_inner()).await });
        Ok(Response::new(frames))
    }
}

impl Answerer {
    /// The place of the one session, if need be once the one before has ended: its threads need a moment
    /// for that, and a caller who were refused would have to shake hands again.
    async fn session_of_a_proven_peer(&self) -> Option<SemaphorePermit<'_>> {
        let _next = self.next.try_acquire().ok()?;
        let session = tokio::time::timeout(SESSION_ENDS_WITHIN, self.session.acquire()).await;
        // The semaphore is never closed.
        session.ok()?.ok()
    }

    /// One connection from its first frame to its end.
    async fn answer(self, outgoing: FrameSender, mut incoming: Streaming<proto::Frame>) {
        let node = &self.node;
        let board = &node.shared.board;
        let refuse = |reason: &str| {
            tracing::warn!(reason, "link refused");
            let _gone = outgoing.send(refusal(reason));
        };
        if let Some(fault) = node.fault() {
            return refuse(&fault);
        }
        let Ok(shaking) = self.handshakes.try_acquire() else {
            return refuse("too many handshakes at once");
        };
        let shaken = node.shake_hands(&outgoing, &mut incoming).await;
        let (established, mut rng) = match shaken {
            Ok(shaken) => shaken,
            Err(fault) => {
                tracing::warn!(%fault, "handshake with Alice failed");
                return;
            }
        };
        drop(shaking);
        // Only a peer that has proven itself may take the place of another, once that has gone.
        let Some(_session) = self.session_of_a_proven_peer().await else {
            return refuse("a session is running already");
        };
        if self.shutdown.is_requested() {
            return refuse("this node is shutting down");
        }
        let session = established.session;
        tracing::info!(%session, "link to Alice established");
        let protocol = match node.protocol() {
            Ok(protocol) => protocol,
            Err(error) => return refuse(&error.to_string()),
        };
        let prior = node.setup.plan.qber_expected();
        let engine = Bob::new(session, protocol, node.limits(), prior, rng.fork())
            .with_monitors(node.monitors());
        let nature = PhysicsRng::from_seed(rng.next_u64());
        let mut receiver = node.setup.hardware.receiver(rng.fork(), nature);
        if let (Ok(receiver), Some(defect)) = (&mut receiver, node.config.debug.generator) {
            receiver.spoil_generator(defect);
        }
        let connection = Connection {
            established,
            party: Party::Bob(engine),
            outgoing,
            incoming,
        };
        let address = quantum::address(session);
        // A few seconds of Alice's clock, of which a frame covers a part.
        let clock_hz = node.setup.hardware.source.clock_hz;
        let limits = OrderLimits {
            ahead_max_slots: ((8.0 * clock_hz) as u64).max(1 << 20),
            ..OrderLimits::default()
        };
        let reason = serve(
            connection,
            &node.shared,
            &self.shutdown,
            |link, commands| {
                let path = ReceivePath {
                    receiver: receiver.map_err(std::io::Error::other)?,
                    order: FrameOrder::new(address, limits, 0),
                    failed_generator: node.failed_generator(),
                    link,
                    board: board.clone(),
                };
                path.start(&self.quantum, commands)
            },
        )
        .await;
        tracing::warn!(reason, "link to Alice ended");
        board.link(LinkState::Connecting, &reason);
    }
}
