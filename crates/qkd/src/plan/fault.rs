//! What may go wrong with a plan.

use std::io;
use std::path::PathBuf;

use qkd_node::config::{ConfigError, PlanError};

use crate::exit::Exit;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A link cannot be planned.
    #[error("{configuration}{place}: {source}")]
    Plan {
        /// Its name.
        configuration: String,
        /// Where on the line, such as ` at 25 km`; empty when anywhere.
        place: String,
        /// Why.
        source: PlanError,
    },
    /// The options do not go together.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot print: {0}")]
    Print(#[source] io::Error),
}

impl Fault {
    /// What the exit status says of it.
    pub fn exit(&self) -> Exit {
        match self {
            Fault::Usage(_) => Exit::Usage,
            // Whoever reads has seen enough.
            Fault::Print(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
            Fault::Config(_) | Fault::Plan { .. } | Fault::File { .. } | Fault::Print(_) => {
                Exit::Fault
            }
        }
    }
}
