//! What comes from one sender: opened, handed out, and remembered, in that order.

use std::path::Path;
use std::time::Instant;

use qkd_bits::SecretBytes;
use qkd_messaging::{
    Continuity, Error as SealError, FileName, Inbox, KeyId, Kind, Piece, SealedMessage,
};
use serde_json::json;

use super::error::Error;
use super::key_name;
use super::progress::{Progress, amount};
use super::show::{Show, TextPiece, warn};
use super::sink::{self, Sink};
use super::state::{StateFile, StateFolder};

/// One sender's messages to this application.
pub struct Conversation {
    from: String,
    /// This application.
    to: String,
    file: StateFile,
    pub inbox: Inbox,
    /// The file being received.
    sink: Option<Sink>,
    progress: Progress,
    began: Instant,
    /// Whether there is something that is not on disk.
    is_dirty: bool,
    /// What was refused last, so that a thousand messages after a gap make one line.
    last_refusal: Option<([u8; 16], std::mem::Discriminant<SealError>)>,
}

/// What became of a sealed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was a part, and the message goes on.
    Part,
    /// It was the last part of a message.
    Complete,
    /// It came before, and was not acknowledged.
    Repeated,
    /// It is not genuine, or not the next one.
    Refused,
}

impl Conversation {
    /// Continues where it stood.
    ///
    /// # Errors
    /// When its state cannot be used.
    pub fn open(folder: &StateFolder, (from, to): (&str, &str)) -> Result<Self, Error> {
        let file = folder.from(from)?;
        let inbox = file.load(Inbox::from_state)?.unwrap_or_default();
        Ok(Self {
            from: from.to_owned(),
            to: to.to_owned(),
            file,
            inbox,
            sink: None,
            progress: Progress::none(),
            began: Instant::now(),
            is_dirty: false,
            last_refusal: None,
        })
    }

    /// Takes up the file that the state knows. One that was complete gets its name, unless it got
    /// it before the kill, and is told: true then.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn resume(&mut self, show: &mut Show) -> Result<bool, Error> {
        let Some(unfinished) = self.inbox.unfinished().cloned() else {
            return Ok(false);
        };
        let Kind::File(name) = &unfinished.head.kind else {
            return Ok(false);
        };
        if unfinished.complete {
            self.finish(name, (unfinished.number, unfinished.received_bytes), show)?;
            return Ok(true);
        }
        self.sink = Sink::resume(&unfinished.place, unfinished.received_bytes)?;
        if self.sink.is_none() {
            warn(&format!(
                "the first {} of {name}, message {} of {}, were in {} and are gone: the message is given up; have it sent again",
                amount(unfinished.received_bytes),
                unfinished.number,
                self.from,
                sink::path_of(&unfinished.place).display(),
            ));
            self.inbox.settle();
            self.is_dirty = true;
        } else {
            let total = unfinished.head.total_bytes;
            self.progress = Progress::new(name.as_str(), total, unfinished.received_bytes);
        }
        Ok(false)
    }

    /// Takes a key that the node delivered, and makes it durable: a node delivers a key once. The
    /// inner error is about the key.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn add_key(&mut self, id: KeyId, key: SecretBytes) -> Result<Result<(), SealError>, Error> {
        if let Err(error) = self.inbox.add_key(id, key) {
            return Ok(Err(error));
        }
        self.is_dirty = true;
        self.store()?;
        Ok(Ok(()))
    }

    /// Whether the last message was refused because its key is not to be had.
    pub fn has_lost_a_key(&self) -> bool {
        let lost = std::mem::discriminant(&SealError::LostKey);
        self.last_refusal.is_some_and(|(_, last)| last == lost)
    }

    /// Opens the message and hands its piece out. A key that it needs has been added before.
    ///
    /// # Errors
    /// When a piece cannot be written or printed: then nothing of it is remembered, or that the
    /// file is complete and [`Conversation::resume`] has to give it its name.
    pub fn take(
        &mut self,
        (delivery, message): (u64, &SealedMessage),
        folder: &Path,
        show: &mut Show,
    ) -> Result<Outcome, Error> {
        let piece = match self.inbox.open(message) {
            Ok(piece) => piece,
            Err(error) => return self.refuse((delivery, message), &error, show),
        };
        let is_text = piece.kind == Kind::Text;
        // Before a complete file is remembered: if a kill makes it come again, it is no replay.
        self.inbox.handled(delivery);
        let outcome = self.hand_out(piece, message, folder, show)?;
        self.last_refusal = None;
        self.is_dirty = true;
        if is_text || outcome == Outcome::Complete {
            // What is not remembered now would be shown again after a kill.
            self.store()?;
        }
        Ok(outcome)
    }

    fn hand_out(
        &mut self,
        piece: Piece,
        message: &SealedMessage,
        folder: &Path,
        show: &mut Show,
    ) -> Result<Outcome, Error> {
        self.explain(&piece);
        if piece.offset == 0 && self.sink.is_some() {
            self.sink = None;
        }
        match &piece.kind {
            Kind::Text => {
                let key_id = key_name(message.key_id);
                show.text(&TextPiece {
                    from: &self.from,
                    number: piece.number,
                    offset: piece.offset,
                    body: piece.body.expose(),
                    last: piece.last,
                    key_id: &key_id,
                })?;
            }
            Kind::File(name) => self.write(name, &piece, folder)?,
        }
        if !piece.last {
            return Ok(Outcome::Part);
        }
        match &piece.kind {
            Kind::Text => self.inbox.settle(),
            Kind::File(name) => {
                // On disk as complete before it gets its name: see Inbox.
                self.is_dirty = true;
                self.store()?;
                let bytes = piece.offset + piece.body.len() as u64;
                self.finish(name, (piece.number, bytes), show)?;
            }
        }
        Ok(Outcome::Complete)
    }

    fn write(&mut self, name: &FileName, piece: &Piece, folder: &Path) -> Result<(), Error> {
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => {
                let sink = Sink::create(folder, (&self.from, &self.to), piece.number)?;
                self.inbox
                    .keep_at(sink.place())
                    .map_err(|source| Error::Sealing {
                        action: "remember the folder of the file",
                        source,
                    })?;
                self.began = Instant::now();
                self.progress = Progress::new(name.as_str(), piece.total_bytes, 0);
                sink
            }
        };
        sink.write(piece.offset, piece.body.expose())?;
        self.progress.add(piece.body.len());
        self.sink = Some(sink);
        Ok(())
    }

    /// The complete file gets its name, unless it got it before a kill, and is told. It is told
    /// before it is forgotten: a kill in between makes it be told again, and not never.
    fn finish(
        &mut self,
        name: &FileName,
        (number, bytes): (u64, u64),
        show: &mut Show,
    ) -> Result<(), Error> {
        self.sink = None;
        self.progress = Progress::none();
        let place = self.inbox.unfinished().map(|message| message.place.clone());
        let path = sink::finish(&place.unwrap_or_default(), (name, bytes))?;
        let seconds = self.began.elapsed().as_secs_f64();
        let (from, amount) = (&self.from, amount(bytes));
        self.progress.say(&match &path {
            Some(path) => format!("received {} from {from}: {amount}", path.display()),
            None => {
                format!("received {name} from {from}: {amount}; it has been moved or removed since")
            }
        });
        show.event(&json!({
            "event": "file",
            "from": self.from,
            "number": number,
            "name": name.as_str(),
            "path": path.map(|path| path.to_string_lossy().into_owned()),
            "bytes": bytes,
            "seconds": seconds,
        }))?;
        self.inbox.settle();
        self.is_dirty = true;
        Ok(())
    }

    /// Says what the piece shows to be missing.
    fn explain(&mut self, piece: &Piece) {
        match piece.continuity {
            Continuity::SameKey | Continuity::NextKey => {}
            Continuity::NewChain { replaced: false } => {}
            Continuity::NewChain { replaced: true } => warn(&format!(
                "{} has begun a new chain of keys with message {}: it lost its state, or was told to; whatever it sent before and did not arrive is lost",
                self.from, piece.number
            )),
        }
        if let Some(cut_off) = &piece.cut_off {
            let what = match &cut_off.head.kind {
                Kind::Text => "a text".to_owned(),
                Kind::File(name) => name.to_string(),
            };
            warn(&format!(
                "{} stopped in the middle of message {}, {what}, after {}: it will not be complete",
                self.from,
                cut_off.number,
                amount(cut_off.received_bytes)
            ));
            self.sink = None;
            sink::discard(&cut_off.place);
        }
    }

    /// A message that is not opened. Its sender's own earlier one, which was not acknowledged, is
    /// no news.
    pub fn refuse(
        &mut self,
        (delivery, message): (u64, &SealedMessage),
        error: &SealError,
        show: &mut Show,
    ) -> Result<Outcome, Error> {
        let is_replay = matches!(error, SealError::Replay { .. } | SealError::FormerKey);
        if is_replay && self.inbox.was_handled(delivery) {
            return Ok(Outcome::Repeated);
        }
        let refusal = (message.key_id, std::mem::discriminant(error));
        let advice = match self.advice(error) {
            Some(_) if self.last_refusal == Some(refusal) => None,
            Some(advice) => Some(advice),
            None => Some(String::new()),
        };
        let key_id = key_name(message.key_id);
        if let Some(advice) = advice {
            self.progress.say(&format!(
                "qkd receive: warning: a message of {} is refused (key {key_id}, number {}): {error}{advice}",
                self.from, message.sequence
            ));
        }
        self.last_refusal = Some(refusal);
        show.event(&json!({
            "event": "refused",
            "from": self.from,
            "key_ID": key_id,
            "sequence": message.sequence,
            "reason": error.to_string(),
        }))?;
        if self.inbox.unfinished().is_none() && self.sink.take().is_some() {
            self.progress = Progress::none();
        }
        self.inbox.handled(delivery);
        self.is_dirty = true;
        Ok(Outcome::Refused)
    }

    /// What to do when nothing after this message can be opened either.
    fn advice(&self, error: &SealError) -> Option<String> {
        match error {
            SealError::Gap { .. }
            | SealError::UnknownStart { .. }
            | SealError::UnknownChain
            | SealError::MissingKey
            | SealError::CutShort { .. }
            | SealError::LostKey => Some(format!(
                "; nothing further of this chain of keys can be accepted: let {} send with --new-chain (what follows is counted, not told)",
                self.from
            )),
            SealError::Truncated { .. }
            | SealError::Malformed { .. }
            | SealError::WrongTag
            | SealError::OtherKey
            | SealError::OtherSender { .. }
            | SealError::Replay { .. }
            | SealError::FormerKey
            | SealError::Disorder { .. }
            | SealError::NoKey
            | SealError::Undelivered
            | SealError::NoMessage
            | SealError::KeyLength { .. }
            | SealError::TooLong { .. }
            | SealError::KeyExhausted { .. } => None,
        }
    }

    /// Makes everything that was handed out and the state durable, the state last.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store(&mut self) -> Result<(), Error> {
        if self.is_dirty {
            if let Some(sink) = &self.sink {
                sink.sync()?;
            }
            self.file.store(&self.inbox.state())?;
            self.is_dirty = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_messaging::{ChainLimits, Head, Outbox};
    use std::fs;

    const ENDS: (&str, &str) = ("sae-alice", "sae-bob");
    const DELIVERY: u64 = 7;

    #[test]
    fn a_file_that_was_complete_before_a_kill_is_told_and_its_last_part_is_no_replay() {
        for had_its_name in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let states = StateFolder::open(Some(folder.path()), ENDS.1).unwrap();
            let key = || SecretBytes::from(vec![1; 32]);
            let mut outbox = Outbox::new(ChainLimits::default());
            outbox.take_key([1; 16], key()).unwrap();
            let name = FileName::of("a.txt");
            let head = Head {
                kind: Kind::File(name.clone()),
                total_bytes: Some(3),
            };
            outbox.seal(Some(&head), b"abc", true).unwrap();
            outbox.is_durable();
            let message = outbox.to_send().unwrap();

            let mut killed = Conversation::open(&states, ENDS).unwrap();
            killed.add_key([1; 16], key()).unwrap().unwrap();
            let piece = killed.inbox.open(message).unwrap();
            killed.inbox.handled(DELIVERY);
            killed.write(&name, &piece, folder.path()).unwrap();
            killed.is_dirty = true;
            killed.store().unwrap();
            if had_its_name {
                let place = killed.inbox.unfinished().unwrap().place.clone();
                sink::finish(&place, (&name, 3)).unwrap();
            }
            drop(killed);

            let mut show = Show::new(true);
            let mut again = Conversation::open(&states, ENDS).unwrap();
            assert!(again.resume(&mut show).unwrap(), "told and counted");
            assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"abc");
            let taken = again.take((DELIVERY, message), folder.path(), &mut show);
            assert_eq!(taken.unwrap(), Outcome::Repeated);
            assert!(!again.resume(&mut show).unwrap(), "once");
        }
    }
}
