//! What may go wrong with a measurement.

use std::io;

use qkd_node::bench::BenchError;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system refused something.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// A photon path cannot be measured.
    #[error(transparent)]
    Path(#[from] BenchError),
    /// A process of ours ended without its figures; it has said why on standard error.
    #[error("{side}'s process ended before it had figures")]
    Ended {
        /// Which one.
        side: &'static str,
    },
    /// A process of ours says what none of ours would say.
    #[error("{side}'s process should have printed {expected}, and printed {line:?}")]
    Strange {
        /// Which one.
        side: &'static str,
        /// What it should have printed.
        expected: &'static str,
        /// The line.
        line: String,
    },
    /// A measurement in this process panicked; it has said why on standard error.
    #[error("the thread that measured ended before it had figures")]
    Died,
    /// A stage of the distillation refused what it was given.
    #[error("the distillation cannot be measured: {0}")]
    Distillation(#[from] qkd_distill::Error),
    /// A key of the channel cannot be made.
    #[error("the channel cannot be measured: {0}")]
    Channel(#[from] qkd_auth::Error),
    /// A stage gave another result than it must.
    #[error("{stage} gave a wrong result: {what}")]
    Wrong {
        /// Which one.
        stage: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The certificates of the two sides cannot be made.
    #[error("no certificates: {0}")]
    Pki(#[from] qkd_node::pki::PkiError),
    /// A side cannot be opened.
    #[error(transparent)]
    Node(#[from] qkd_node::NodeError),
    /// The link between the sides ended.
    #[error("the link ended before there were figures: {reason}")]
    Link {
        /// Why.
        reason: String,
    },
    /// Nothing happens any more.
    #[error("nothing has happened for {seconds} s: no block ended, and there are no figures")]
    Late {
        /// The patience.
        seconds: u64,
    },
}

impl Fault {
    /// For `map_err`: the operating system refused to do `action`.
    pub fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Fault::Io { action, source }
    }
}
