//! What `qkd receive` prints: texts as they are, or one JSON object per event.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use super::error::Error;
use crate::output::{one_line, tell};

/// Where texts and events go.
pub struct Show {
    form: Form,
    /// Whether the last text ended in the middle of a line.
    is_in_line: bool,
}

enum Form {
    /// A text goes out byte for byte.
    Raw,
    /// A person watches: nothing may steer the terminal.
    Terminal,
    /// One object per line.
    Json,
}

/// A piece of a text.
pub struct TextPiece<'a> {
    pub from: &'a str,
    pub number: u64,
    pub offset: u64,
    pub body: &'a [u8],
    pub last: bool,
    pub key_id: &'a str,
}

impl Show {
    pub fn new(json: bool) -> Self {
        let form = match (json, io::stdout().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Terminal,
            (false, false) => Form::Raw,
        };
        Self {
            form,
            is_in_line: false,
        }
    }

    /// Prints a piece of a text. A text that does not end with its line gets an end of line.
    ///
    /// # Errors
    /// When it cannot be printed: the message is not to be acknowledged then.
    pub fn text(&mut self, piece: &TextPiece<'_>) -> Result<(), Error> {
        let out = match self.form {
            Form::Json => return self.event(&piece.to_json()),
            Form::Raw => piece.body.to_vec(),
            Form::Terminal => {
                if piece.offset == 0 {
                    tell(&format!("message {} of {}:", piece.number, piece.from));
                }
                harmless(&String::from_utf8_lossy(piece.body)).into_bytes()
            }
        };
        self.is_in_line = match out.last() {
            Some(last) => *last != b'\n',
            None => self.is_in_line,
        };
        self.write(&out)?;
        if piece.last && std::mem::take(&mut self.is_in_line) {
            self.write(b"\n")?;
        }
        Ok(())
    }

    /// Prints an event, if events are printed.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub fn event(&mut self, event: &Value) -> Result<(), Error> {
        match self.form {
            Form::Json => self.write(format!("{event}\n").as_bytes()),
            Form::Raw | Form::Terminal => Ok(()),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        written.map_err(Error::io(
            "print the message on standard output (it is kept, and comes again)",
        ))
    }
}

impl TextPiece<'_> {
    fn to_json(&self) -> Value {
        json!({
            "event": "text",
            "from": self.from,
            "number": self.number,
            "offset": self.offset,
            "text": String::from_utf8_lossy(self.body),
            "last": self.last,
            "key_ID": self.key_id,
        })
    }
}

/// A warning in one line on standard error.
pub fn warn(text: &str) {
    tell(&format!("qkd receive: warning: {}", one_line(text)));
}

/// A text that cannot steer a terminal: control characters but line ends and tabs are shown as
/// U+FFFD, and so is what changes the direction of writing.
fn harmless(text: &str) -> String {
    let show = |character: char| match character {
        '\n' | '\t' => character,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other if other.is_control() => '\u{fffd}',
        other => other,
    };
    text.replace("\r\n", "\n").chars().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_a_terminal() {
        assert_eq!(harmless("a\tb\r\nc\n"), "a\tb\nc\n");
        assert_eq!(
            harmless("\u{1b}[2Jx\u{9b}1m\u{202e}"),
            "\u{fffd}[2Jx\u{fffd}1m\u{fffd}"
        );
    }
}
