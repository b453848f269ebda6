//! Calling a server: name, TCP, TLS, and the server's consent, with a reason when one is missing.
//!
//! With TLS 1.3 a client has finished its handshake before the server has looked at the client's
//! certificate. A gRPC server speaks first, so its first bytes are awaited here: a certificate that
//! it does not take is found out at once and by name, not as a stream that breaks some time later.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls_pki_types::ServerName;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use super::buffered::{Buffered, WRITE_AT_ONCE_BYTES};
use super::explain::explain_peer;
use super::{ALPN_H2, TlsMaterial};
use crate::config::HostPort;

/// Time for a connection until the server has agreed to it.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Time for its name to be found in that.
const LOOKUP_TIME_MAX: Duration = Duration::from_secs(4);

/// Why no connection came about: one sentence with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ConnectError {
    reason: String,
}

impl ConnectError {
    /// The sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

impl TlsMaterial {
    /// Connects to the gRPC server at `address`, whose certificate must carry `server_name`, and
    /// waits until it has taken this side's certificate. `settings` may set keep-alive and the
    /// like. When the connection is lost, the channel connects again in the same way.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what to do.
    pub async fn connect(
        &self,
        address: &HostPort,
        server_name: &str,
        settings: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Result<Channel, ConnectError> {
        let unusable = |error: &dyn std::fmt::Display| {
            ConnectError::new(format!(
                "{address} as {server_name:?} cannot be called: {error}"
            ))
        };
        let name = ServerName::try_from(server_name.to_owned()).map_err(|e| unusable(&e))?;
        let config = self.client_config().map_err(|error| unusable(&error))?;
        let dialer = Dialer {
            config: Arc::new(config),
            address: address.clone(),
            name,
            peer: server_name.to_owned(),
        };
        // The dialer does TLS; the scheme of the address would have the transport do it again.
        let origin: Uri = format!("https://{address}")
            .parse()
            .map_err(|e| unusable(&e))?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = settings(endpoint.map_err(|error| unusable(&error))?).origin(origin);
        let connected = endpoint.connect_with_connector(dialer).await;
        connected.map_err(|error| match self.facts().validity.fault_now() {
            // Whatever the server made of it, this comes first.
            Some(fault) => ConnectError::new(format!(
                "the certificate of {}, shown by this side, {fault}; renew it with `qkd pki renew`, or is the clock wrong?",
                self.facts().name()
            )),
            None => ConnectError::new(explain_peer(&error, server_name)),
        })
    }

    /// What a client of gRPC says of itself, and whom it takes.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, rustls::Error> {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(self.roots.clone(), super::provider())
                .with_crls(self.revoked.clone())
                // Of an authority that has no list nothing is revoked.
                .allow_unknown_revocation_status()
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut config = ClientConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()?
            .with_webpki_verifier(verifier)
            .with_client_cert_resolver(self.shown.clone());
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        // A resumed session would go on with a certificate that has been replaced.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

/// Makes the connections of one channel.
#[derive(Clone)]
struct Dialer {
    config: Arc<ClientConfig>,
    address: HostPort,
    name: ServerName<'static>,
    /// The name that the server is known by.
    peer: String,
}

impl Dialer {
    async fn dial(self) -> Result<TokioIo<TlsStream<Buffered>>, ConnectError> {
        let address = self.address.clone();
        match tokio::time::timeout(CONNECT_TIME_MAX, self.reach()).await {
            Ok(reached) => reached.map(TokioIo::new),
            Err(_) => Err(ConnectError::new(format!(
                "nobody answers at {address} within {} s: is it running, and is the address right?",
                CONNECT_TIME_MAX.as_secs()
            ))),
        }
    }

    async fn reach(self) -> Result<TlsStream<Buffered>, ConnectError> {
        let tcp = tcp(&self.address).await?;
        // Without it small messages wait for one another; a connection works without all the same.
        let _ = tcp.set_nodelay(true);
        let broken = |error: &io::Error| ConnectError::new(explain_peer(error, &self.peer));
        let connector = TlsConnector::from(self.config.clone());
        let mut stream = connector
            .connect_with(self.name.clone(), Buffered::new(tcp), |tls| {
                tls.set_buffer_limit(Some(WRITE_AT_ONCE_BYTES));
            })
            .await
            .map_err(|error| broken(&error))?;
        match stream.fill_buf().await {
            Ok([]) => Err(ConnectError::new(format!(
                "{} closes the connection without a word; its log says why",
                self.peer
            ))),
            Ok(_) => Ok(stream),
            Err(error) => Err(broken(&error)),
        }
    }
}

/// A connection to the first address of a name that answers.
async fn tcp(address: &HostPort) -> Result<TcpStream, ConnectError> {
    let host = address.host.as_str();
    let unknown = |why: &dyn std::fmt::Display| {
        ConnectError::new(format!(
            "the host name {host:?} does not resolve ({why}): is it spelled right, and known to DNS or /etc/hosts?"
        ))
    };
    let lookup = tokio::net::lookup_host((host, address.port));
    let addresses: Vec<SocketAddr> = match tokio::time::timeout(LOOKUP_TIME_MAX, lookup).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(unknown(&error)),
        Err(_) => return Err(unknown(&"DNS does not answer")),
    };
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => ConnectError::new(explain_peer(&error, host)),
        None => ConnectError::new(format!("the host name {host:?} has no address")),
    })
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TlsStream<Buffered>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}
