//! Why the laboratory could not finish.

use std::path::PathBuf;
use std::process::ExitStatus;

/// A fault of the laboratory or of one of its services; every message names the cause.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    // Malformed
    /// The first line of a service was not its readiness.
    #[error("{service} should have printed its addresses as one JSON line, but {reason}: {line:?}")]
    NotReadiness {
        /// Which service.
        service: &'static str,
        /// What is wrong with it.
        reason: String,
        /// What it printed.
        line: String,
    },
    /// A report that this program does not understand.
    #[error(
        "{service} reported the outcome {outcome:?} of block {block}, expected \"key\" or \"aborted\""
    )]
    UnknownOutcome {
        /// Which service.
        service: &'static str,
        /// Block number.
        block: u64,
        /// What it reported.
        outcome: String,
    },
    // PeerMisbehaved
    /// A service ended by itself.
    #[error("{service} stopped by itself ({status}){}", last_words(.log))]
    Died {
        /// Which service.
        service: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A service did not become ready.
    #[error("{service} was not ready after {seconds} s{}", last_words(.log))]
    NotReady {
        /// Which service.
        service: &'static str,
        /// Seconds waited.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },
    /// Nothing changed any more.
    #[error("nothing has changed for {seconds} s while waiting for {awaited}")]
    Stalled {
        /// Seconds without any change.
        seconds: u64,
        /// What did not come.
        awaited: String,
    },
    /// A call failed.
    #[error("cannot {what}: {reason}")]
    Call {
        /// What was tried.
        what: String,
        /// What the other side, or the network, said.
        reason: String,
    },
    /// Both ends of the link report different things of one block.
    #[error("Alice and Bob disagree about block {block}: Alice says {alice}, Bob says {bob}")]
    Disagreement {
        /// Block number.
        block: u64,
        /// What Alice reported.
        alice: String,
        /// What Bob reported.
        bob: String,
    },
    /// Keys of one identity differ: the worst that can happen.
    #[error("the key {key_id} is not the same at Alice and at Bob")]
    KeysDiffer {
        /// Identity of the key.
        key_id: String,
    },
    /// The message was sent and did not come out as it went in.
    #[error("the message did not arrive: {reason}")]
    Message {
        /// What happened instead.
        reason: String,
    },
    // Misuse
    /// The folder of `--keep` is in use.
    #[error("--keep {}: {reason}; give a new or an empty folder", .path.display())]
    Keep {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with its path.
        action: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The link cannot be planned.
    #[error("the link cannot be planned: {0}")]
    Plan(#[from] qkd_security::Error),
    /// Eve's speed cannot be measured.
    #[error("Eve's speed cannot be measured: {0}")]
    EvesSpeed(#[from] qkd_node::bench::BenchError),
    /// No certificates.
    #[error("cannot make throw-away certificates: {0}")]
    Certificates(#[from] qkd_node::pki::PkiError),
    /// No connection to a service.
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    /// The throw-away certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] qkd_node::tls::TlsError),
}

impl Fault {
    /// An operating-system error on the way to do `action`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Fault::Io { action, source }
    }
}

fn last_words(log: &str) -> String {
    if log.is_empty() {
        return " without a word in its log".to_owned();
    }
    let lines: Vec<String> = log.lines().map(|line| format!("\n    {line}")).collect();
    format!("; the end of its log:{}", lines.concat())
}
