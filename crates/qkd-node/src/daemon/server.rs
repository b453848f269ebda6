//! gRPC servers with mutual TLS, keep-alive, health and reflection.

use std::sync::Arc;
use std::time::Duration;

use qkd_delivery::{Etsi014, GrpcKeyDelivery};
use qkd_wire::link::PAYLOAD_BYTES_SHARED_MAX;
use qkd_wire::proto::eve::eve_server::EveServer;
use qkd_wire::proto::node::node_server::NodeServer;
use tokio::net::TcpListener;
use tonic::transport::{Endpoint, Server};
use tonic_reflection::server::Builder as Reflection;

use super::NodeError;
use super::link_node::LinkNode;
use crate::audit::{Event, Kind};
use crate::metrics::{Calls, HttpTimes, Timed};
use crate::services::{
    Etsi014Server, EveService, HubKeySource, MessagingService, NodeService, keep_reporting,
};
use crate::shutdown::Shutdown;
use crate::tls::{LiveTls, Refused, incoming, incoming_http};

/// Distance of two signs of life on an idle connection.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Time to answer one.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that the peer of a link may send ahead of what was taken in: what is on its way in a round
/// trip of 100 ms at 1.3 Gb/s. The usual megabyte would hold back announcements over long distances.
const LINK_WINDOW_BYTES: u32 = 16 << 20;

/// Bytes in one frame of HTTP/2 on a link, at most: a full envelope is one frame, where the usual
/// 16 KiB would make seventeen of it, each with a record of TLS too many and a call of the system.
const LINK_FRAME_BYTES_MAX: u32 = 320 << 10;

// An envelope that several messages share, with all that goes around it.
const _: () = assert!(PAYLOAD_BYTES_SHARED_MAX + 1024 <= LINK_FRAME_BYTES_MAX as usize);

/// Time that a request for keys may wait for the peer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Time for open calls to end by themselves: a client that watches a status never hangs up.
const CALLS_END_WITHIN: Duration = Duration::from_secs(1);

/// Waits for a server that stops at `shutdown`, but not long for the calls that are open then.
pub(super) async fn served(
    serving: impl Future<Output = Result<(), tonic::transport::Error>>,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let patience = async {
        shutdown.requested().await;
        tokio::time::sleep(CALLS_END_WITHIN).await;
    };
    tokio::select! {
        served = serving => Ok(served?),
        () = patience => {
            tracing::info!("calls that are still open are cut off");
            Ok(())
        }
    }
}

/// A server that notices when a client has gone. Certificates are [`incoming`]'s business.
pub(super) fn builder() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
}

/// The server of a link, which reads ahead of its engine.
pub(crate) fn link_server() -> Server {
    builder()
        .initial_stream_window_size(LINK_WINDOW_BYTES)
        .initial_connection_window_size(LINK_WINDOW_BYTES)
        .max_frame_size(LINK_FRAME_BYTES_MAX)
}

/// The client of a link: notices when the server has gone, and reads ahead of its engine.
pub(crate) fn link_client(endpoint: Endpoint) -> Endpoint {
    endpoint
        .initial_stream_window_size(LINK_WINDOW_BYTES)
        .initial_connection_window_size(LINK_WINDOW_BYTES)
        .max_frame_size(LINK_FRAME_BYTES_MAX)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
}

/// Delivery, messaging, status, health and reflection of Alice or Bob.
pub(super) async fn link_services(
    node: &LinkNode,
    status: NodeService,
    (listener, calls): (TcpListener, Calls),
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let directory = node.shared.directory.clone();
    let rule = node.config.sae_identity;
    let delivery = GrpcKeyDelivery::new(keys(node), directory.clone(), ANSWER_TIME_MAX)
        .behind(node.access.clone());
    let mailboxes = node.shared.mailboxes.clone();
    let messaging = MessagingService::new(directory, mailboxes, node.shared.relay.clone());
    let (health_reporter, health) = tonic_health::server::health_reporter();
    let reporting = keep_reporting(
        health_reporter,
        node.shared.hub.clone(),
        node.shared.board.clone(),
    )
    .await;
    let clients = incoming(listener, node.tls.clone(), refused(node, "services"));
    let serving = builder()
        .add_service(Timed::new(delivery.into_server(rule), calls.delivery))
        .add_service(Timed::new(messaging.into_server(rule), calls.messaging))
        .add_service(NodeServer::new(status))
        .add_service(health)
        .add_service(reflection()?.build_v1()?)
        .add_service(reflection()?.build_v1alpha()?)
        .serve_with_incoming_shutdown(clients, shutdown.clone().waited());
    tokio::select! {
        served = served(serving, shutdown) => served,
        never = reporting => match never {},
    }
}

/// Key delivery by ETSI GS QKD 014, until shutdown.
pub(super) async fn etsi014(
    node: &LinkNode,
    listener: TcpListener,
    times: HttpTimes,
    shutdown: Shutdown,
) {
    let directory = node.shared.directory.clone();
    let service = Etsi014::new(keys(node), directory, ANSWER_TIME_MAX).behind(node.access.clone());
    let server = Etsi014Server::new(service, node.config.sae_identity, times);
    let clients = incoming_http(listener, node.tls.clone(), refused(node, "etsi014"));
    server.serve(clients, CALLS_END_WITHIN, shutdown).await;
}

/// Writes down whom `port` of a node has refused.
pub(super) fn refused(
    node: &LinkNode,
    port: &'static str,
) -> impl Fn(&Refused) + Send + Sync + use<> {
    let audit = node.audit.clone();
    move |refused| {
        let kind = match refused.was_open {
            true => Kind::ConnectionEnded,
            false => Kind::ConnectionRefused,
        };
        let event = Event::new(kind)
            .text("port", port)
            .text("from", &refused.from.to_string())
            .text("name", &refused.name())
            .text("reason", &refused.reason);
        audit.note_often(port, event);
    }
}

/// The key store of a node as the delivery standards ask it.
fn keys(node: &LinkNode) -> Arc<HubKeySource> {
    let (hub, board) = (node.shared.hub.clone(), node.shared.board.clone());
    Arc::new(HubKeySource::new(hub, board, node.store_limits.clone()))
}

/// Control, health and reflection of Eve.
pub(super) async fn eve_services(
    tls: Arc<LiveTls>,
    eve: EveService,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<(), NodeError> {
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter.set_serving::<EveServer<EveService>>().await;
    let clients = incoming(listener, tls, |_| {});
    let serving = builder()
        .add_service(EveServer::new(eve))
        .add_service(health)
        .add_service(reflection()?.build_v1()?)
        .add_service(reflection()?.build_v1alpha()?)
        .serve_with_incoming_shutdown(clients, shutdown.clone().waited());
    served(serving, shutdown).await
}

fn reflection() -> Result<Reflection<'static>, NodeError> {
    Ok(Reflection::configure()
        .register_encoded_file_descriptor_set(qkd_wire::proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET))
}

/// Binds a listener for TCP.
pub(crate) async fn listen(
    what: &'static str,
    address: &crate::config::HostPort,
) -> Result<(TcpListener, std::net::SocketAddr), NodeError> {
    let failed = |source| NodeError::Bind {
        what,
        address: address.clone(),
        source,
    };
    let listener = TcpListener::bind((address.host.as_str(), address.port))
        .await
        .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
