//! How far a measurement is, on standard error.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::tell;

/// A bar on a terminal, a line for each row elsewhere.
pub enum Progress {
    /// The bar, with rows above it.
    Bar(ProgressBar),
    /// Rows alone.
    Lines,
}

impl Progress {
    /// Nothing done of so many measurements.
    pub fn new(measurements: u64) -> Self {
        if !io::stderr().is_terminal() {
            return Progress::Lines;
        }
        let bar = ProgressBar::new(measurements);
        // The template is a constant; a test parses it.
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            bar.set_style(style);
        }
        Progress::Bar(bar)
    }

    /// What is being measured.
    pub fn now(&self, what: &str) {
        match self {
            Progress::Bar(bar) => bar.set_message(what.to_owned()),
            Progress::Lines => {}
        }
    }

    /// Says something, line by line.
    pub fn say(&self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            match self {
                Progress::Bar(bar) => bar.println(line),
                Progress::Lines => tell(&line),
            }
        }
    }

    /// A measurement is over, and this is what came of it, line by line.
    pub fn done(&self, lines: impl IntoIterator<Item = String>) {
        self.say(lines);
        match self {
            Progress::Bar(bar) => bar.inc(1),
            Progress::Lines => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match self {
            Progress::Bar(bar) => bar.finish_and_clear(),
            Progress::Lines => {}
        }
    }
}

const BAR: &str = "{bar:24} {pos} of {len} rows: {msg}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_can_be_drawn() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
    }
}
