//! How far a long plan is, on a terminal.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What takes no longer needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

const BAR: &str = "{bar:24} {pos} of {len} rows";

/// A bar on standard error that appears once it is worth it.
pub struct Progress {
    begun: Instant,
    terminal: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// The clock runs from now.
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            terminal: io::stderr().is_terminal(),
            bar: None,
        }
    }

    /// `done` rows of `all` are there.
    pub fn at(&mut self, done: usize, all: usize) {
        if !self.terminal || self.begun.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(all as u64).with_elapsed(PATIENCE);
            // The template is a constant; a test parses it.
            match ProgressStyle::with_template(BAR) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        bar.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_appears_on_a_terminal_after_a_second_and_nowhere_else() {
        let shown = |terminal, begun| {
            let mut progress = Progress {
                begun,
                terminal,
                bar: None,
            };
            progress.at(1, 25_001);
            progress.bar.is_some()
        };
        let now = Instant::now();
        let long_ago = now.checked_sub(PATIENCE).unwrap();
        assert!(shown(true, long_ago));
        assert!(!shown(true, now));
        assert!(!shown(false, long_ago));
    }

    #[test]
    fn the_bar_can_be_drawn() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
