//! Something that changes, on standard output: redrawn in place on a terminal, one line for each
//! change everywhere else.

use std::io::{self, IsTerminal};
use std::time::Duration;

use console::Term;
use qkd_node::shutdown::SignalListener;
use tokio::signal::unix::SignalKind;

use crate::client::Error;
use crate::exit::Exit;
use crate::output::print;

/// Where it is shown.
pub struct Live {
    kind: Kind,
}

enum Kind {
    /// Lines on the screen that the next state replaces.
    Terminal { term: Term, drawn: usize },
    /// The last line that was printed.
    Lines { last: String },
}

impl Live {
    /// As fits standard output.
    pub fn new() -> Self {
        let kind = if io::stdout().is_terminal() && !console::is_dumb() {
            Kind::Terminal {
                term: Term::buffered_stdout(),
                drawn: 0,
            }
        } else {
            Kind::Lines {
                last: String::new(),
            }
        };
        Self { kind }
    }

    /// Shows `lines` in place of those before on a terminal; prints `line` when it is not the same
    /// as the last one elsewhere.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn show(&mut self, lines: &[String], line: &str) -> io::Result<()> {
        match &mut self.kind {
            Kind::Terminal { term, drawn } => {
                let (height, width) = term.size();
                // A line too many would scroll, and clearing would miss it.
                let fitting = usize::from(height.saturating_sub(1)).max(1);
                term.clear_last_lines(*drawn)?;
                for line in lines.iter().take(fitting) {
                    term.write_line(&console::truncate_str(line, usize::from(width), "…"))?;
                }
                term.flush()?;
                *drawn = lines.len().min(fitting);
                Ok(())
            }
            Kind::Lines { last } => {
                if last != line {
                    print(&format!("{line}\n"))?;
                    line.clone_into(last);
                }
                Ok(())
            }
        }
    }
}

/// Goes on with `work` until it fails or somebody stops it: Ctrl-C, SIGTERM, and a reader of
/// standard output that has seen enough are its normal end.
///
/// # Errors
/// Of `work`, and when signals cannot be listened to.
pub async fn until_stopped(work: impl Future<Output = Result<(), Error>>) -> Result<Exit, Error> {
    let listen = |kind| SignalListener::new(kind).map_err(Error::io("listen to signals"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let ended = tokio::select! {
        biased;
        () = interrupt.recv() => Ok(()),
        () = terminate.recv() => Ok(()),
        ended = work => ended,
    };
    match ended {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Exit::Success)
        }
        Ok(()) => Ok(Exit::Success),
        Err(error) => Err(error),
    }
}

/// A distance of two looks, in seconds.
///
/// # Errors
/// With what was expected.
pub fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    let fitting = seconds.filter(|seconds| (0.1..=3600.0).contains(seconds));
    let fitting = fitting.map(Duration::from_secs_f64);
    fitting.ok_or_else(|| "expected seconds from 0.1 to 3600, such as 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_number_of_seconds_that_neither_hurries_nor_sleeps() {
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "nan", "1e9", "soon", ""] {
            assert!(interval(wrong).is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_is_a_normal_end() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let ended = until_stopped(async { Err(Error::io("print")(gone())) }).await;
        assert_eq!(ended.unwrap(), Exit::Success);
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let ended = until_stopped(async { Err(Error::io("print")(full())) }).await;
        assert!(ended.is_err());
    }
}
