//! The receiver's end of a chain of keys.

mod assembly;
mod follower;

use qkd_bits::SecretBytes;

use crate::bytes::{Reader, seal_state};
use crate::part::Part;
use crate::{Error, KeyId, Kind, SealedMessage};
use assembly::Assembly;
use follower::Follower;

pub use assembly::Unfinished;
pub use follower::Continuity;

const MAGIC: &[u8; 5] = b"QKDI\x01";
const WHAT: &str = "the state of the receiver";

/// Opens the sealed messages of one sender, each once and in order, under one key after another,
/// and puts the parts of every message together.
///
/// For every sealed message the caller, in this order:
///
/// 1. fetches the key that [`Inbox::wants_key`] asks for, gives it with [`Inbox::add_key`] and
///    makes the state durable: a node delivers a key once,
/// 2. calls [`Inbox::open`] and hands out the piece: into a file at its offset, or to a reader,
/// 3. makes the file and then [`Inbox::state`] durable, and only then acknowledges the message.
///
/// A file gets its final name, and is told, after a state in which it is complete and its last
/// message is [`Inbox::handled`]; then [`Inbox::settle`] and a second state. A crash in between
/// leaves an [`Inbox::unfinished`] one that is complete: name it, unless it has its name, and tell.
///
/// A crash before the state is durable makes the same message come again and open again to the
/// same piece at the same offset: nothing is lost, a file is not harmed, and at most the last piece
/// of a text is shown twice, under the same message number. A crash after it makes the message come
/// again as an [`Error::Replay`] under a number that [`Inbox::was_handled`].
pub struct Inbox {
    follower: Follower,
    assembly: Assembly,
    /// Highest delivery number that was handed out.
    handled: u64,
}

/// A piece of a message, in its place.
pub struct Piece {
    /// Number of the message in its chain.
    pub number: u64,
    /// What the message is.
    pub kind: Kind,
    /// Length of the whole message in bytes, when its sender knew it.
    pub total_bytes: Option<u64>,
    /// Where in the message the body begins, in bytes.
    pub offset: u64,
    /// The body.
    pub body: SecretBytes,
    /// Whether the message ends with it.
    pub last: bool,
    /// A message before this one whose sender stopped in the middle: it will never be complete.
    pub cut_off: Option<Unfinished>,
    /// How it follows what was opened before.
    pub continuity: Continuity,
}

impl Inbox {
    /// One that knows nothing of the sender.
    pub fn new() -> Self {
        Self {
            follower: Follower::default(),
            assembly: Assembly::default(),
            handled: 0,
        }
    }

    /// Continues from a durable state.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes are no such state.
    pub fn from_state(state: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::of_state(WHAT, MAGIC, state)?;
        let inbox = Self {
            handled: reader.u64()?,
            follower: Follower::read(&mut reader)?,
            assembly: Assembly::read(&mut reader)?,
        };
        reader.end()?;
        Ok(inbox)
    }

    /// The state as it has to be durable. It holds keys.
    pub fn state(&self) -> SecretBytes {
        let bytes = 8 + self.follower.bytes_max() + self.assembly.bytes_max();
        seal_state(MAGIC, bytes, |out| {
            out.extend_from_slice(&self.handled.to_be_bytes());
            self.follower.write(out);
            self.assembly.write(out);
        })
    }

    /// The key that has to be fetched from the node before the message can be opened.
    ///
    /// # Errors
    /// When no key would open it: it is a replay, or what came before it is missing.
    pub fn wants_key(&self, message: &SealedMessage) -> Result<Option<KeyId>, Error> {
        self.follower.wants_key(message)
    }

    /// Takes a key that the node delivered for the sender of these messages.
    ///
    /// # Errors
    /// [`Error::KeyLength`] unless it has 32 bytes.
    pub fn add_key(&mut self, id: KeyId, key: SecretBytes) -> Result<(), Error> {
        self.follower.add_key(id, key)
    }

    /// Opens the very next message of the chain.
    ///
    /// # Errors
    /// - When it is not the next one, or its tag does not fit: nothing changes, and the genuine one
    ///   still opens afterwards.
    /// - [`Error::Malformed`] and [`Error::Disorder`] when it is, but its sender does not keep to
    ///   the form: it is passed over, and so is all of its message, including what came before.
    pub fn open(&mut self, message: &SealedMessage) -> Result<Piece, Error> {
        let opened = self.follower.open(message);
        if matches!(opened, Err(Error::Malformed { .. })) {
            self.assembly.give_up();
        }
        let (continuity, plaintext) = opened?;
        if matches!(continuity, Continuity::NewChain { .. }) {
            self.assembly.forget_numbers();
        }
        let part = Part::read(plaintext.content()).inspect_err(|_| self.assembly.give_up())?;
        let (number, last) = (part.number, part.last);
        let placed = self.assembly.place(part)?;
        Ok(Piece {
            number,
            kind: placed.head.kind,
            total_bytes: placed.head.total_bytes,
            offset: placed.offset,
            body: placed.body,
            last,
            cut_off: placed.cut_off,
            continuity,
        })
    }

    /// The message that is not complete yet, or complete and not [`Inbox::settle`]d.
    pub fn unfinished(&self) -> Option<&Unfinished> {
        self.assembly.unfinished()
    }

    /// Remembers where the pieces of the unfinished message are kept, in the caller's words, at
    /// most 8 KiB.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn keep_at(&mut self, place: &[u8]) -> Result<(), Error> {
        self.assembly.keep_at(place)
    }

    /// The complete message is where it belongs, or the unfinished one is given up.
    pub fn settle(&mut self) {
        self.assembly.give_up();
    }

    /// What the node delivered under this number has been handed out, or refused for the first time.
    pub fn handled(&mut self, delivery: u64) {
        self.handled = delivery;
    }

    /// Whether a delivery number is not beyond the last one handed out: a message that comes again
    /// because it was not acknowledged. Only a reason to be quiet about an [`Error::Replay`]: a node
    /// that lost its mailbox counts from the beginning again.
    pub fn was_handled(&self, delivery: u64) -> bool {
        delivery <= self.handled
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
