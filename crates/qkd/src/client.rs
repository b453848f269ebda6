//! Commands that talk to a node: whom they are, which node, and how it is reached.
//!
//! A client is known by its certificate, as every party is. Which one, and where its node is,
//! stands in a profile, a small TOML file; an operator on the node's own machine may use the node's
//! configuration instead. Nothing here retries: whoever can wait says how long.

mod error;
mod profile;

use std::future::Future;
use std::time::Duration;

use qkd_node::config::{ClientProfile, HostPort};
use qkd_node::tls::TlsMaterial;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

pub use self::error::{Error, said};
pub use self::profile::ClientArgs;
use crate::exit::Exit;
use crate::output::{one_line, tell};

/// Longer than the longest time that a node takes for an answer, which is 10 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Distance of two signs of life on a connection, and the time to answer one: a cut network is
/// noticed also while nothing is asked.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A client with a connection to its node.
pub struct Connected {
    /// The client's identity, as in its certificate.
    pub name: String,
    /// The node's name, as in the node's certificate.
    pub node: String,
    /// The connection; it comes back by itself after it broke.
    pub channel: Channel,
}

impl Connected {
    /// Connects as `profile` says.
    ///
    /// # Errors
    /// When the certificates are unfit or no connection comes up.
    pub async fn open(profile: ClientProfile) -> Result<Self, Error> {
        let tls = TlsMaterial::load(&profile.tls)?;
        let channel = open(&tls, &profile.services, &profile.node).await?;
        Ok(Self {
            name: profile.name,
            node: profile.node,
            channel,
        })
    }
}

/// A connection of whoever holds `tls` to the services at `address`, whose certificate must carry
/// the name `node`.
///
/// # Errors
/// [`Error::Unreachable`] when no connection comes up.
pub async fn open(tls: &TlsMaterial, address: &HostPort, node: &str) -> Result<Channel, Error> {
    let alive = |endpoint: Endpoint| {
        endpoint
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
    };
    let connected = tls.connect(address, node, alive).await;
    connected.map_err(|error| Error::Unreachable {
        node: node.to_owned(),
        address: address.clone(),
        reason: error.to_string(),
    })
}

/// The answer to one call, or its failure in one sentence with what was tried: `what` completes
/// "cannot …".
///
/// # Errors
/// [`Error::Refused`] when the node refuses or does not answer.
pub async fn answer<T>(
    what: impl Into<String>,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Error> {
    within(call).await.map_err(|status| Error::Refused {
        what: what.into(),
        status,
    })
}

/// The answer to one call, or the status it was refused with; `DeadlineExceeded` when there is no
/// answer. With a streaming call, this is about the beginning of the stream.
///
/// # Errors
/// The status.
pub async fn within<T>(
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(response) => response.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded(format!(
            "no answer within {} s",
            ANSWER_WITHIN.as_secs()
        ))),
    }
}

/// Runs `work` to its end. A fault goes to standard error in one line that begins with `command`,
/// such as `qkd status`.
pub fn run<E>(command: &str, work: impl Future<Output = Result<Exit, E>>) -> Exit
where
    E: std::error::Error,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tell(&format!(
                "{command}: cannot start the asynchronous runtime: {error}"
            ));
            return Exit::Fault;
        }
    };
    let ended = runtime.block_on(work);
    // A look-up of a name that hangs is nothing to wait for.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit,
        Err(error) => {
            tell(&format!("{command}: {}", one_line(&error.to_string())));
            Exit::Fault
        }
    }
}
