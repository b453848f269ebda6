//! Why a message was not sent or not received, in one line each.

use std::io;
use std::path::PathBuf;

/// A fault of `qkd send` or `qkd receive`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Malformed
    /// A stored state is no such state.
    #[error(
        "{}: {source}; move the file away, and a new chain of keys begins (its receiver is warned)",
        .path.display()
    )]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: qkd_messaging::Error,
    },
    /// A state holds keys, and others can read it.
    #[error("{}: mode {mode:04o} lets other users at its keys; run: chmod 600 {}", .path.display(), .path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The node's answer is none.
    #[error("{node} answered with {what}; is it of the same version?")]
    Answer {
        /// The node.
        node: String,
        /// What was wrong.
        what: &'static str,
    },
    // Misuse
    /// There is no place for the state.
    #[error(
        "there is no folder for the state of messages: HOME and XDG_STATE_HOME are not set; name one with --state DIR"
    )]
    NoStateFolder,
    /// A name is too long to be part of a file's.
    #[error("the name {name:?} is too long for a state file")]
    LongName {
        /// The application.
        name: String,
    },
    /// Another process uses the same state.
    #[error("another 'qkd {command}' with the same state is running (it holds {}); wait until it has ended", .path.display())]
    Busy {
        /// The command.
        command: &'static str,
        /// The lock.
        path: PathBuf,
    },
    /// Another process has taken over the mailbox.
    #[error(
        "another receiver for {name} has taken over the mailbox at {node}: only one at a time gets messages"
    )]
    TakenOver {
        /// The application.
        name: String,
        /// The node.
        node: String,
    },
    /// The next message is of somebody else.
    #[error(
        "the next message in the mailbox is of {found}, not of {wanted}; receive it first: leave out --from, or name {found}"
    )]
    OtherSender {
        /// Who was asked for.
        wanted: String,
        /// Who sent the next message.
        found: String,
    },
    /// What was to be sent changed while it was read.
    #[error(
        "{name} became shorter while it was read; what was sent of it is of no use to the receiver, who is told so with the next message"
    )]
    Shrunk {
        /// The file.
        name: String,
    },
    // Nobody's fault, or the node's
    /// The profile, the connection or a call.
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    /// The secret folder.
    #[error(transparent)]
    Folder(#[from] qkd_node::secret_file::SecretFileError),
    /// Sealing or opening did not work.
    #[error("cannot {action}: {source}")]
    Sealing {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: qkd_messaging::Error,
    },
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, with its path.
        action: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// There was no progress for too long.
    #[error("cannot {action}: no progress for {seconds} s (--timeout): {last}; {advice}")]
    GaveUp {
        /// What was tried.
        action: String,
        /// How long.
        seconds: u64,
        /// What the node said last.
        last: String,
        /// What to do.
        advice: &'static str,
    },
    /// The user has had enough: no fault at all.
    #[error("interrupted")]
    Stopped,
    /// Nothing came.
    #[error("no message came within {seconds} s (--timeout)")]
    Nothing {
        /// How long.
        seconds: u64,
    },
}

impl Error {
    /// An operating-system error on the way to do `action`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Error::Io { action, source }
    }
}
