//! Bob's server: takes the one call of a measurement.

use std::sync::{Arc, Mutex, PoisonError};

use qkd_wire::link::FRAME_BYTES_MAX;
use qkd_wire::proto::link as proto;
use qkd_wire::proto::link::link_server::{Link, LinkServer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, Streaming};

use super::node::Node;
use super::raw::Raw;
use crate::NodeError;
use crate::daemon::link_server;
use crate::link::Frames;
use crate::shutdown::Shutdown;
use crate::tls::{incoming, verify_peer_name};

/// What the first caller gets.
struct Waiting {
    node: Node,
    raw: Raw,
    shutdown: Shutdown,
    ended: oneshot::Sender<String>,
}

#[derive(Clone)]
struct Answerer(Arc<Mutex<Option<Waiting>>>);

/// Serves until the first call has ended; says why it did.
pub(super) async fn answer(
    node: Node,
    raw: Raw,
    listener: TcpListener,
    shutdown: Shutdown,
) -> Result<String, NodeError> {
    let (ended, reason) = oneshot::channel();
    let callers = incoming(listener, node.tls.clone(), |_refused| {});
    let waiting = Waiting {
        node,
        raw,
        shutdown: shutdown.clone(),
        ended,
    };
    let answerer = Answerer(Arc::new(Mutex::new(Some(waiting))));
    let service = LinkServer::new(answerer)
        .max_decoding_message_size(FRAME_BYTES_MAX)
        .max_encoding_message_size(FRAME_BYTES_MAX);
    let serving = link_server()
        .add_service(service)
        .serve_with_incoming(callers);
    tokio::select! {
        served = serving => {
            served?;
            Ok("the server ended".into())
        }
        reason = reason => Ok(reason.unwrap_or_else(|_| "the link broke down".into())),
    }
}

#[tonic::async_trait]
impl Link for Answerer {
    type ConnectStream = Frames;

    async fn connect(
        &self,
        request: Request<Streaming<proto::Frame>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let waiting = waiting.ok_or_else(|| Status::resource_exhausted("one call and no more"))?;
        let certificates = request.peer_certs();
        let certificate = certificates.as_ref().and_then(|chain| chain.first());
        let certificate = certificate
            .ok_or_else(|| Status::unauthenticated("a client certificate is required"))?;
        verify_peer_name(certificate, waiting.node.peer())
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        let (outgoing, frames) = waiting.node.stream();
        let Waiting {
            node,
            raw,
            shutdown,
            ended,
        } = waiting;
        tokio::spawn(async move {
            let incoming = request.into_inner();
            let reason = node.distil(raw, outgoing, incoming, shutdown).await;
            // Whoever measured may have gone first.
            let _gone = ended.send(reason);
        });
        Ok(Response::new(frames))
    }
}
