//! What may go wrong with a plan.

use std::io;
use std::path::PathBuf;

use qkd_node::config::{ConfigError, PlanError};

use super::accept::bits;
use super::plot;
use crate::exit::Exit;

/// What side channels cost, in words; nothing where none are stated.
fn charged(side_channel_bits: f64) -> String {
    match side_channel_bits > 0.0 {
        true => format!(
            "; the stated side channels cost {}",
            bits(side_channel_bits)
        ),
        false => String::new(),
    }
}

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
    /// Every block would be refused.
    #[error(
        "{configuration}{place}: no length can be fixed with these margins: the theorem gives {} \
         at the expected counts, {} are left{}",
        bits(*.length_expected_bits),
        bits(*.fixed_length_bits as f64),
        charged(*.side_channel_bits)
    )]
    NoLength {
        /// Its name.
        configuration: String,
        /// Where on the line.
        place: String,
        /// What the theorem gives at the expected counts.
        length_expected_bits: f64,
        /// What the margins leave of it.
        fixed_length_bits: u64,
        /// What the stated side channels cost of what the theorem gives.
        side_channel_bits: f64,
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
    /// There is no picture.
    #[error(transparent)]
    Picture(#[from] plot::Error),
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
            Fault::Config(_)
            | Fault::Plan { .. }
            | Fault::NoLength { .. }
            | Fault::File { .. }
            | Fault::Picture(_)
            | Fault::Print(_) => Exit::Fault,
        }
    }
}
