//! What is to be sent, piece by piece.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use qkd_bits::SecretBytes;
use qkd_messaging::{BODY_BYTES_MAX, FileName, Head, Kind};
use tokio::sync::mpsc;

use super::error::Error;

/// Pieces read ahead.
const AHEAD: usize = 2;

/// The name of what comes from standard input as a file.
const STDIN_NAME: &str = "stdin";

/// A message to be sent.
pub struct Source {
    /// What it is.
    pub head: Head,
    /// Its name for people.
    pub name: String,
    pieces: mpsc::Receiver<io::Result<Chunk>>,
}

/// A piece of it.
pub struct Chunk {
    /// At most [`BODY_BYTES_MAX`] bytes.
    pub body: SecretBytes,
    /// Whether it is the last.
    pub last: bool,
}

impl Source {
    /// A text.
    pub fn text(text: &str) -> Self {
        let bytes = SecretBytes::from(text.as_bytes().to_vec());
        Self::read_from(Kind::Text, Some(text.len() as u64), Bytes { bytes, at: 0 })
    }

    /// A text on standard input.
    pub fn stdin_text() -> Self {
        Self::read_from(Kind::Text, None, io::stdin())
    }

    /// A file: standard input when its path is `-`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            let kind = Kind::File(FileName::of(STDIN_NAME));
            return Ok(Self::read_from(kind, None, io::stdin()));
        }
        let io = |action: &str| Error::io(format!("{action} {}", path.display()));
        let file = File::open(path).map_err(io("open"))?;
        let metadata = file.metadata().map_err(io("examine"))?;
        if metadata.is_dir() {
            let why = io::Error::other("it is a folder; send an archive of it, as tar makes one");
            return Err(io("send")(why));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kind = Kind::File(FileName::of(&name));
        // Files of the system such as those in /proc say 0 and have content all the same.
        let total = (metadata.is_file() && metadata.len() > 0).then_some(metadata.len());
        Ok(match total {
            // What is appended meanwhile is not sent.
            Some(total) => Self::read_from(kind, Some(total), file.take(total)),
            None => Self::read_from(kind, None, file),
        })
    }

    fn read_from(kind: Kind, total_bytes: Option<u64>, input: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let name = match &kind {
            Kind::Text => "text".to_owned(),
            Kind::File(name) => name.to_string(),
        };
        let is_text = kind == Kind::Text;
        // It ends with its input, or with this process when the input never ends.
        std::thread::spawn(move || read_all(input, is_text, &sender));
        Self {
            head: Head { kind, total_bytes },
            name,
            pieces,
        }
    }

    /// The next piece.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next(&mut self) -> Result<Chunk, Error> {
        let action = || format!("read {}", self.name);
        match self.pieces.recv().await {
            Some(piece) => piece.map_err(Error::io(action())),
            None => Err(Error::io(action())(io::Error::other("it ended early"))),
        }
    }
}

/// Reads until the end; the last piece is known when nothing comes after it.
fn read_all(mut input: impl Read, is_text: bool, sender: &mpsc::Sender<io::Result<Chunk>>) {
    let mut carry = Vec::new();
    let mut ready: Option<SecretBytes> = None;
    loop {
        let body = match fill(&mut input, &carry) {
            Ok(body) => body,
            Err(error) => {
                let _receiver_gone = sender.blocking_send(Err(error));
                return;
            }
        };
        let at_end = body.len() < BODY_BYTES_MAX;
        let body = if is_text && !at_end {
            let whole = whole_characters(body.expose());
            carry = body.expose()[whole..].to_vec();
            SecretBytes::from(body.expose()[..whole].to_vec())
        } else {
            carry.clear();
            body
        };
        let is_nothing = body.is_empty() && ready.is_some();
        if let Some(before) = ready.replace(body) {
            let last = at_end && is_nothing;
            let piece = Chunk { body: before, last };
            if sender.blocking_send(Ok(piece)).is_err() || last {
                return;
            }
        }
        if at_end {
            if let Some(body) = ready.take() {
                let _receiver_gone = sender.blocking_send(Ok(Chunk { body, last: true }));
            }
            return;
        }
    }
}

/// As many bytes as a piece may have, `carry` first, or all that are left.
fn fill(input: &mut impl Read, carry: &[u8]) -> io::Result<SecretBytes> {
    let mut buffer = Vec::with_capacity(BODY_BYTES_MAX);
    buffer.extend_from_slice(carry);
    let room = (BODY_BYTES_MAX - carry.len()) as u64;
    let read = input.take(room).read_to_end(&mut buffer);
    let bytes = SecretBytes::from(buffer);
    read.map(|_| bytes)
}

/// Length of the front of `bytes` that does not end within a character of UTF-8.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        Ok(_) | Err(_) => bytes.len(),
    }
}

/// Secret bytes as something to read.
struct Bytes {
    bytes: SecretBytes,
    at: usize,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.bytes.expose()[self.at..];
        let count = rest.read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: Vec<u8>, is_text: bool) -> Vec<(Vec<u8>, bool)> {
        let (sender, mut receiver) = mpsc::channel(100);
        read_all(&bytes[..], is_text, &sender);
        drop(sender);
        let mut pieces = Vec::new();
        while let Some(piece) = receiver.blocking_recv() {
            let piece = piece.unwrap();
            pieces.push((piece.body.expose().to_vec(), piece.last));
        }
        pieces
    }

    #[test]
    fn every_length_has_one_last_piece() {
        for length in [
            0,
            1,
            BODY_BYTES_MAX - 1,
            BODY_BYTES_MAX,
            BODY_BYTES_MAX + 1,
            2 * BODY_BYTES_MAX,
        ] {
            let bytes: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let pieces = pieces(bytes.clone(), false);
            let lasts: Vec<bool> = pieces.iter().map(|(_, last)| *last).collect();
            let count = length.div_ceil(BODY_BYTES_MAX).max(1);
            let mut expected = vec![false; count];
            expected[count - 1] = true;
            assert_eq!(lasts, expected, "{length}");
            let joined: Vec<u8> = pieces.into_iter().flat_map(|(body, _)| body).collect();
            assert!(joined == bytes, "{length}");
        }
    }

    #[test]
    fn no_character_is_torn() {
        let text = "€".repeat(BODY_BYTES_MAX);
        let pieces = pieces(text.clone().into_bytes(), true);
        let parts = pieces.iter().map(|(body, _)| std::str::from_utf8(body));
        let joined: Result<String, _> = parts.collect();
        assert!(joined.unwrap() == text);
    }

    #[test]
    fn a_folder_is_refused() {
        let said = Source::file(Path::new("/")).err().unwrap().to_string();
        assert!(said.contains("folder"), "{said}");
    }
}
