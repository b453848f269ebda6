//! The three services: everything is checked, then bound, then run.

mod alice;
mod bob;
mod eve;
mod link_node;
mod reload;
mod server;
mod store_limits;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::audit::AuditError;
use crate::config::{HostPort, NodeConfig, Role};
use crate::hub::KeyHub;
use crate::secret_file::SecretFileError;
use crate::shutdown::Shutdown;
use crate::tls::TlsError;

pub(crate) use link_node::waiting_bytes_max;
pub(crate) use server::{link_client, link_server, listen};
pub(crate) use store_limits::{blocks_undecided_max, store_limits};

/// The addresses of a daemon that is ready to serve.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// Which service it is.
    pub role: Role,
    /// UDP address on which light is received; none at Alice.
    pub quantum: Option<SocketAddr>,
    /// TCP address on which the peer is awaited; Bob only.
    pub classical: Option<SocketAddr>,
    /// TCP address of the gRPC services.
    pub services: SocketAddr,
    /// TCP address of key delivery by ETSI GS QKD 014, if there is one.
    pub etsi014: Option<SocketAddr>,
    /// TCP address of the page for Prometheus, if there is one.
    pub metrics: Option<SocketAddr>,
}

/// Why a daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A key file cannot be used.
    #[error(transparent)]
    SecretFile(#[from] SecretFileError),
    /// The pre-shared key cannot be used.
    #[error("{}: {source}", path.display())]
    PreSharedKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: qkd_auth::Error,
    },
    /// The key store cannot be opened.
    #[error("key store {}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: qkd_keystore::Error,
    },
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The mailboxes cannot be opened.
    #[error("message store {0}")]
    Messages(#[source] qkd_keystore::StorageError),
    /// An address cannot be bound.
    #[error("{what} cannot listen on {address}: {source}{}", advice(.source))]
    Bind {
        /// What was to be bound.
        what: &'static str,
        /// Where.
        address: HostPort,
        /// Why not.
        source: std::io::Error,
    },
    /// The link cannot be planned.
    #[error("the configured link cannot be planned: {0}")]
    Plan(#[from] qkd_security::Error),
    /// There is no such protocol.
    #[error(transparent)]
    Protocol(#[from] qkd_protocols::Error),
    /// An instrument cannot be built as configured.
    #[error("optical instruments: {0}")]
    Optics(#[from] qkd_optics::Error),
    /// There is no such attack, or not in this service.
    #[error(transparent)]
    Attack(#[from] crate::quantum::TapError),
    /// An application's identity is none.
    #[error("[[sae]] id `{id}`: {source}")]
    Sae {
        /// The identity.
        id: String,
        /// What is wrong with it.
        source: qkd_keystore::InvalidId,
    },
    /// The directory of applications contradicts itself.
    #[error("[[sae]]: {0}")]
    Directory(#[from] qkd_delivery::Error),
    /// The gRPC server failed.
    #[error("the gRPC server failed: {0}")]
    Server(#[from] tonic::transport::Error),
    /// The page for Prometheus cannot be made.
    #[error("metrics: {0}")]
    Figures(#[from] prometheus::Error),
    /// The reflection service refused our own descriptors.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The operating system has no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Entropy(#[from] getrandom::Error),
    /// The operating system's randomness is none.
    #[error("the operating system's randomness cannot be used: {0}")]
    Generator(qkd_bits::HealthAlarm),
    /// A thread cannot be started.
    #[error("thread: {0}")]
    Thread(std::io::Error),
}

fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another process listens there: stop it or choose another port"
        }
        std::io::ErrorKind::PermissionDenied => "; choose a port above 1023",
        _ => "",
    }
}

/// Runs the service that `config` describes until `shutdown`, telling its addresses once to
/// `ready`.
///
/// # Errors
/// When something it needs is missing or unusable; nothing has been changed then.
pub async fn run(
    config: NodeConfig,
    shutdown: Shutdown,
    ready: impl FnOnce(&Ready) + Send,
) -> Result<(), NodeError> {
    match config {
        NodeConfig::Eve(config) => eve::run(config, shutdown, ready).await,
        link @ (NodeConfig::Alice(_) | NodeConfig::Bob(_)) => {
            run_link(link, shutdown, |addresses, _keys| ready(addresses)).await
        }
    }
}

/// As [`run`]; who is told the addresses of Alice or Bob is shown their key store as well. Eve has
/// none, and `ready` hears nothing of her.
pub(crate) async fn run_link(
    config: NodeConfig,
    shutdown: Shutdown,
    ready: impl FnOnce(&Ready, &Arc<KeyHub>) + Send,
) -> Result<(), NodeError> {
    match config {
        NodeConfig::Alice(config) => alice::run(config, shutdown, ready).await,
        NodeConfig::Bob(config) => bob::run(config, shutdown, ready).await,
        NodeConfig::Eve(config) => eve::run(config, shutdown, |_| {}).await,
    }
}
