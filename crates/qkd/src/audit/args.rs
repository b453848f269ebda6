//! The options of `qkd audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  qkd audit show /var/lib/qkd/alice --follow
  qkd audit show alice-data/audit.log --sae sae-alice --since 2026-11-22
  qkd audit verify --store-key pki/kme-alice.store.key /var/lib/qkd/alice

Exit status: 0 as asked (verify: the log is sound), 1 a file cannot be read, 2 the log is not as it
was written, 64 wrong usage.";

/// What to do with an audit log.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub action: AuditAction,
}

/// One thing to do with an audit log.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditAction {
    /// Print the lines of a log, without checking them
    #[command(after_help = EXAMPLES)]
    Show(ShowArgs),
    /// Check that a log is as the node wrote it: no line changed, left out, added or moved
    ///
    /// Whoever cuts lines off the end leaves a log that is sound: compare the number and the value of
    /// the last line with what was kept elsewhere. The node itself compares them with its key store
    /// when it starts.
    #[command(after_help = EXAMPLES)]
    Verify(VerifyArgs),
}

/// The options of `qkd audit show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Files of a log, or the data folder of a node
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(long, short)]
    pub follow: bool,
    /// Only lines about this application, as caller or as partner
    #[arg(long, value_name = "SAE")]
    pub sae: Option<String>,
    /// Only lines from this moment on, in UTC, as a date or as the log has it: 2026-11-22T13:50
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<String>,
    /// Only lines of this event, such as keys-delivered or call-refused
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
    /// Print the lines as they are in the log: one JSON object each
    #[arg(long)]
    pub json: bool,
}

/// The options of `qkd audit verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Files of one log in the order of their lines, or the data folder of the node
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// The node's store key, from which the key of the chain follows
    #[arg(long, value_name = "FILE")]
    pub store_key: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// The begin of a moment as the log writes it.
fn moment(text: &str) -> Result<String, String> {
    let form = "0000-00-00T00:00:00.000Z";
    let fits = text.len() >= 4
        && text.len() <= form.len()
        && (text.chars().zip(form.chars())).all(|(c, wanted)| match wanted {
            '0' => c.is_ascii_digit(),
            sign => c == sign,
        });
    match fits && text.is_ascii() {
        true => Ok(text.to_owned()),
        false => {
            Err("expected a date or a moment in UTC, such as 2026-11-22 or 2026-11-22T13:50".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_begin_of_one_in_the_log() {
        for good in [
            "2026",
            "2026-11-22",
            "2026-11-22T13:50",
            "2026-11-22T13:50:00.123Z",
        ] {
            assert_eq!(moment(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "yesterday",
            "22.11.2026",
            "2026-11-22 13:50",
            "2026-11-22T13:50:00.123Z0",
        ] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
