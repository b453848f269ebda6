//! A bar on standard error while a message is under way, if somebody watches.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::tell;

const KNOWN: &str = "  {msg} {bar:24} {percent:>3} %  {decimal_bytes_per_sec}  {eta} left";
const UNKNOWN: &str = "  {spinner} {msg} {decimal_bytes}  {decimal_bytes_per_sec}";

/// Longest name in a bar, characters.
const NAME_MAX: usize = 24;

/// The progress of one message; nothing at all where standard error is no terminal.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar for `name`, of which `at` bytes are done.
    pub fn new(name: &str, total_bytes: Option<u64>, at: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let (bar, template) = match total_bytes {
            Some(total) => (ProgressBar::new(total), KNOWN),
            None => (ProgressBar::new_spinner(), UNKNOWN),
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        bar.set_style(style);
        bar.set_message(short(name));
        bar.set_position(at);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar: Some(bar) }
    }

    /// None, whoever watches.
    pub fn none() -> Self {
        Self { bar: None }
    }

    /// So many more bytes are done.
    pub fn add(&self, bytes: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes as u64);
        }
    }

    /// Says a line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(line)),
            None => tell(line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        name.to_owned()
    } else {
        let front: String = name.chars().take(NAME_MAX - 1).collect();
        format!("{front}…")
    }
}

/// A number of bytes for people: three digits and a unit.
pub fn amount(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 if bytes == 1 => "1 byte".to_owned(),
        0 => format!("{bytes} bytes"),
        _ if value < 9.95 => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_a_fitting_unit() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (104_857_600, "105 MB"),
            (999_999, "1.0 MB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(amount(bytes), expected);
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(short(&"ü".repeat(40)).chars().count(), NAME_MAX);
        assert_eq!(short("a.txt"), "a.txt");
    }
}
