//! Why a command got no answer from a node, in one line each.

use std::path::PathBuf;

use qkd_node::config::HostPort;
use tonic::Status;

/// A fault of a command that talks to a node.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Malformed
    /// The profile or configuration is wrong, or a file that it names.
    #[error(transparent)]
    Config(#[from] qkd_node::config::ConfigError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] qkd_node::tls::TlsError),
    /// A node's configuration does not say where its services are.
    #[error(
        "{}: services.listen leaves the port to the system; say where the node listens with --services HOST:PORT (its first line of output does)",
        .file.display()
    )]
    AnyPort {
        /// The configuration.
        file: PathBuf,
    },
    // Misuse
    /// There is no profile anywhere.
    #[error(
        "there is no client profile: {}; name one with --client FILE or a node's configuration with --config FILE ('qkd pki init DIR' and 'qkd lab --keep DIR' write profiles)",
        either(.looked)
    )]
    NoProfile {
        /// Where it was looked for, in this order.
        looked: Vec<PathBuf>,
    },
    /// A variable of the environment names no file.
    #[error("{variable} names {}, which does not exist; correct or unset it", .file.display())]
    Named {
        /// The variable.
        variable: &'static str,
        /// The file.
        file: PathBuf,
    },
    // The node's, or nobody's fault
    /// No connection.
    #[error("cannot reach {node} at {address}: {reason}")]
    Unreachable {
        /// The node.
        node: String,
        /// Where it should be.
        address: HostPort,
        /// Why not, and what to look at.
        reason: String,
    },
    /// The node refused, or did not answer.
    #[error("cannot {what}: {}", said(.status))]
    Refused {
        /// What was tried.
        what: String,
        /// The node's answer.
        status: Status,
    },
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with its path.
        action: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl Error {
    /// An operating-system error on the way to do `action`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Error::Io { action, source }
    }
}

/// What a refusal says: the node's own words, or why they never came.
pub fn said(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(cause) => reason(cause),
        None if status.message().is_empty() => status.code().description().to_owned(),
        None => status.message().to_owned(),
    }
}

/// Why a connection failed, in one sentence: the outermost error alone says "transport error".
pub fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    qkd_node::tls::explain(error)
}

fn either(paths: &[PathBuf]) -> String {
    // A slice, not our enum: one place or, at worst, none.
    let names: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => {
            format!("neither {} nor {last} exists", first.join(" nor "))
        }
        _ => format!("{} does not exist", names.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_profile_says_where_it_was_looked_for() {
        let error = Error::NoProfile {
            looked: vec!["/a/qkd/client.toml".into(), "/etc/qkd/client.toml".into()],
        };
        let said = error.to_string();
        assert!(
            said.contains("neither /a/qkd/client.toml nor /etc/qkd/client.toml exists"),
            "{said}"
        );
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_node() {
        let status = Status::resource_exhausted("2 keys wanted, 1 of that size available");
        let error = Error::Refused {
            what: "get 2 keys".to_owned(),
            status,
        };
        assert_eq!(
            error.to_string(),
            "cannot get 2 keys: 2 keys wanted, 1 of that size available"
        );
    }
}
