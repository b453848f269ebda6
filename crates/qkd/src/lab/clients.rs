//! gRPC clients of the services, over mutual TLS.

use std::future::Future;
use std::net::SocketAddr;

use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::eve::eve_client::EveClient;
use qkd_wire::proto::messaging::messaging_client::MessagingClient;
use qkd_wire::proto::node::node_client::NodeClient;
use tonic::Status;
use tonic::transport::Channel;

use super::fault::Fault;
use crate::client::{self, within};

/// A server to talk to.
#[derive(Clone, Copy)]
pub struct Server {
    /// Its address.
    pub address: SocketAddr,
    /// The name that its certificate must carry.
    pub name: &'static str,
}

/// An application: it may fetch keys and exchange messages at its own node.
pub struct Application {
    /// Its identity.
    pub id: &'static str,
    /// The name of its node.
    pub node: &'static str,
    /// Where its keys come from.
    pub delivery: KeyDeliveryClient<Channel>,
    /// Where its messages go and come from.
    pub messaging: MessagingClient<Channel>,
}

impl Application {
    /// The application `id`, whose certificate is in `tls`, at the node `server`.
    ///
    /// # Errors
    /// When no connection comes up.
    pub async fn connect(
        id: &'static str,
        tls: &TlsMaterial,
        server: Server,
    ) -> Result<Self, Fault> {
        let channel = channel(tls, server).await?;
        Ok(Self {
            id,
            node: server.name,
            delivery: KeyDeliveryClient::new(channel.clone()),
            messaging: MessagingClient::new(channel),
        })
    }
}

/// An operator's view of Alice or Bob.
///
/// # Errors
/// When no connection comes up.
pub async fn node(tls: &TlsMaterial, server: Server) -> Result<NodeClient<Channel>, Fault> {
    Ok(NodeClient::new(channel(tls, server).await?))
}

/// An operator's view of Eve.
///
/// # Errors
/// When no connection comes up.
pub async fn eve(tls: &TlsMaterial, server: Server) -> Result<EveClient<Channel>, Fault> {
    Ok(EveClient::new(channel(tls, server).await?))
}

/// The answer to one call, or its failure in one sentence with `what` was tried.
///
/// # Errors
/// [`Fault::Call`] when the server refuses or does not answer.
pub async fn answer<T>(
    what: impl Into<String>,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Fault> {
    match within(call).await {
        Ok(answer) => Ok(answer),
        Err(status) => Err(refused(what, &status)),
    }
}

/// A refusal as a fault.
pub fn refused(what: impl Into<String>, status: &Status) -> Fault {
    let reason = format!("{} ({:?})", client::said(status), status.code());
    Fault::Call {
        what: what.into(),
        reason,
    }
}

async fn channel(tls: &TlsMaterial, server: Server) -> Result<Channel, Fault> {
    Ok(client::open(tls, &server.address.into(), server.name).await?)
}
