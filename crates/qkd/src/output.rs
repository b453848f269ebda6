//! What is said on standard output and standard error, and how.

use std::io::{self, Write};

/// Writes a line on standard error. If nobody is left to read it, the work goes on all the same.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes all of `text` on standard output, now.
///
/// # Errors
/// When it cannot be written; `BrokenPipe` when the reader has gone.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// A fault as one line, so that whoever collects lines gets the whole of it. Control characters
/// become spaces: words from elsewhere must not steer a terminal.
pub fn one_line(text: &str) -> String {
    let harmless = text.replace(char::is_control, " ");
    harmless
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_many_lines_becomes_one() {
        assert_eq!(
            one_line("bob.toml:3:1:\n  no such key"),
            "bob.toml:3:1: no such key"
        );
        assert_eq!(one_line("red \u{1b}[31m alert\r\n"), "red [31m alert");
    }
}
