//! gRPC clients with the certificates of a test.

use std::net::SocketAddr;

use qkd_node::config::TlsFiles;
use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::eve::eve_client::EveClient;
use qkd_wire::proto::messaging::messaging_client::MessagingClient;
use qkd_wire::proto::node::node_client::NodeClient;
use tonic::transport::{Channel, Endpoint, Error};
use tonic_health::pb::health_client::HealthClient;

use super::node::Node;
use super::{Nodes, OPERATOR, PATIENCE};

/// A connection of whoever holds `files` to `address`, whose certificate must name `server`.
pub async fn channel(
    files: &TlsFiles,
    (address, server): (SocketAddr, &str),
) -> Result<Channel, Error> {
    let tls = TlsMaterial::load(files).expect("the certificates of a test are good");
    Endpoint::from_shared(format!("https://{address}"))?
        .tls_config(tls.client(server))?
        .connect_timeout(PATIENCE)
        .connect()
        .await
}

/// The application `sae` as a customer of `node`'s keys.
pub async fn delivery(nodes: &Nodes, node: &Node, sae: &str) -> KeyDeliveryClient<Channel> {
    KeyDeliveryClient::new(connect(node, &nodes.pki.files_of(sae)).await)
}

/// The application `sae` as a user of `node`'s messages.
pub async fn messaging(nodes: &Nodes, node: &Node, sae: &str) -> MessagingClient<Channel> {
    MessagingClient::new(connect(node, &nodes.pki.files_of(sae)).await)
}

/// Anybody's view of `node`'s health.
pub async fn health(nodes: &Nodes, node: &Node) -> HealthClient<Channel> {
    HealthClient::new(connect(node, &nodes.pki.files_of(OPERATOR)).await)
}

/// An operator's view of `node`.
pub async fn operator(node: &Node, files: &TlsFiles) -> NodeClient<Channel> {
    NodeClient::new(connect(node, files).await)
}

/// An operator's view of Eve, who runs.
pub async fn eve(nodes: &Nodes) -> EveClient<Channel> {
    let eve = nodes.eve();
    EveClient::new(connect(eve, &nodes.pki.files_of(OPERATOR)).await)
}

async fn connect(node: &Node, files: &TlsFiles) -> Channel {
    match channel(files, (node.services, node.name)).await {
        Ok(channel) => channel,
        Err(error) => node.fail(&format!("{} takes no call: {error:?}", node.name)),
    }
}
