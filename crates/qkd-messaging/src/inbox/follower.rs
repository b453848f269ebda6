//! Which key comes next, and whether nothing was cut out before it.

use qkd_bits::SecretBytes;

use crate::bytes::Reader;
use crate::chain::{KEY_BYTES, Link, Used};
use crate::{Error, KeyId, Opener, SENDER, SealedMessage};

/// Keys that were left and whose messages are told apart from those of unknown keys.
const FORMER_MAX: usize = 64;

/// Keys fetched that opened nothing yet: a message that only names a key, by whoever may send in
/// the sender's name, costs one.
const SPARE_MAX: usize = 16;

/// Bytes of an identity and a key.
const PAIR_BYTES: usize = 16 + KEY_BYTES;

/// How a message follows what was opened before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// It is under the same key as the one before.
    SameKey,
    /// It is the first under the next key, and nothing is missing between the two.
    NextKey,
    /// It is the first of a new chain: what its sender sent before may be missing in part.
    NewChain {
        /// Whether there was another chain before it, which ends with it.
        replaced: bool,
    },
}

/// Follows a sender from key to key.
#[derive(Default)]
pub(super) struct Follower {
    current: Option<OpeningKey>,
    /// The latest last.
    former: Vec<KeyId>,
    /// The latest last.
    spare: Vec<(KeyId, SecretBytes)>,
}

struct OpeningKey {
    id: KeyId,
    key: SecretBytes,
    opener: Opener,
}

/// An opened message behind its link.
pub(super) struct Plaintext {
    bytes: SecretBytes,
    link_bytes: usize,
}

impl Plaintext {
    pub fn content(&self) -> &[u8] {
        &self.bytes.expose()[self.link_bytes..]
    }
}

impl OpeningKey {
    fn resume(id: KeyId, key: SecretBytes, sequence: u64) -> Result<Self, Error> {
        let copy = SecretBytes::from(key.expose().to_vec());
        Ok(Self {
            id,
            opener: Opener::resume(id, copy, SENDER, sequence)?,
            key,
        })
    }

    fn used(&self) -> Used {
        Used {
            key_id: self.id,
            messages: self.opener.next_sequence(),
        }
    }
}

impl Follower {
    pub fn wants_key(&self, message: &SealedMessage) -> Result<Option<KeyId>, Error> {
        let id = message.key_id;
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.id == id)
        {
            return Ok(None);
        }
        if self.former.contains(&id) {
            return Err(Error::FormerKey);
        }
        if message.sequence != 0 {
            return Err(Error::UnknownStart {
                received: message.sequence,
            });
        }
        let fetched = self.spare.iter().any(|(spare, _)| *spare == id);
        Ok((!fetched).then_some(id))
    }

    pub fn add_key(&mut self, id: KeyId, key: SecretBytes) -> Result<(), Error> {
        if key.len() != KEY_BYTES {
            return Err(Error::KeyLength { bytes: key.len() });
        }
        if self.spare.len() >= SPARE_MAX {
            self.spare.remove(0);
        }
        self.spare.push((id, key));
        Ok(())
    }

    /// Opens the next message; when it is the first under its key, that key becomes the current one
    /// if its link fits.
    pub fn open(&mut self, message: &SealedMessage) -> Result<(Continuity, Plaintext), Error> {
        if let Some(current) = &mut self.current
            && current.id == message.key_id
        {
            let plaintext = current.opener.open(message)?;
            let (link, plaintext) = split(plaintext)?;
            // Its tag fits, so its sender forgot its own rule; the message is passed over.
            return match link {
                Link::SameKey => Ok((Continuity::SameKey, plaintext)),
                Link::NewChain | Link::After(_) => Err(misplaced_link()),
            };
        }
        if self.wants_key(message)?.is_some() {
            return Err(Error::NoKey);
        }
        let candidate = self.spare.iter().position(|(id, _)| *id == message.key_id);
        let Some(index) = candidate else {
            return Err(Error::NoKey);
        };
        let (id, key) = &self.spare[index];
        let copy = SecretBytes::from(key.expose().to_vec());
        let mut opening = OpeningKey::resume(*id, copy, 0)?;
        let (link, plaintext) = split(opening.opener.open(message)?)?;
        let continuity = self.check(link)?;
        self.spare.remove(index);
        if let Some(old) = self.current.replace(opening) {
            self.leave(old.id);
        }
        Ok((continuity, plaintext))
    }

    fn check(&self, link: Link) -> Result<Continuity, Error> {
        let here = self.current.as_ref().map(OpeningKey::used);
        match (link, here) {
            (Link::SameKey, _) => Err(misplaced_link()),
            (Link::NewChain, here) => Ok(Continuity::NewChain {
                replaced: here.is_some(),
            }),
            (Link::After(_), None) => Err(Error::UnknownChain),
            (Link::After(before), Some(here)) if before.key_id != here.key_id => {
                Err(Error::MissingKey)
            }
            (Link::After(before), Some(here)) if before.messages != here.messages => {
                Err(Error::CutShort {
                    sent: before.messages,
                    received: here.messages,
                })
            }
            (Link::After(_), Some(_)) => Ok(Continuity::NextKey),
        }
    }

    fn leave(&mut self, id: KeyId) {
        if self.former.len() >= FORMER_MAX {
            self.former.remove(0);
        }
        self.former.push(id);
    }

    /// An upper bound on what [`Follower::write`] writes.
    pub fn bytes_max(&self) -> usize {
        1 + PAIR_BYTES + 8 + 1 + FORMER_MAX * 16 + 1 + SPARE_MAX * PAIR_BYTES
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.current.is_some()));
        if let Some(current) = &self.current {
            out.extend_from_slice(&current.id);
            out.extend_from_slice(current.key.expose());
            out.extend_from_slice(&current.opener.next_sequence().to_be_bytes());
        }
        // Both lists are shorter than 256.
        out.push(self.former.len() as u8);
        for id in &self.former {
            out.extend_from_slice(id);
        }
        out.push(self.spare.len() as u8);
        for (id, key) in &self.spare {
            out.extend_from_slice(id);
            out.extend_from_slice(key.expose());
        }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut follower = Self::default();
        if reader.bool()? {
            let (id, key) = read_pair(reader)?;
            follower.current = Some(OpeningKey::resume(id, key, reader.u64()?)?);
        }
        let former = usize::from(reader.u8()?);
        if former > FORMER_MAX {
            return Err(reader.malformed("at most 64 former keys"));
        }
        for _ in 0..former {
            follower.former.push(reader.array()?);
        }
        let spare = usize::from(reader.u8()?);
        if spare > SPARE_MAX {
            return Err(reader.malformed("at most 16 spare keys"));
        }
        for _ in 0..spare {
            follower.spare.push(read_pair(reader)?);
        }
        Ok(follower)
    }
}

fn read_pair(reader: &mut Reader<'_>) -> Result<(KeyId, SecretBytes), Error> {
    let id = reader.array()?;
    Ok((id, SecretBytes::from(reader.bytes(KEY_BYTES)?.to_vec())))
}

fn split(bytes: SecretBytes) -> Result<(Link, Plaintext), Error> {
    let (link, rest) = Link::read(bytes.expose())?;
    let link_bytes = bytes.len() - rest.len();
    Ok((link, Plaintext { bytes, link_bytes }))
}

fn misplaced_link() -> Error {
    Error::Malformed {
        what: "the link to the message before",
        expected: "one with content in the first message under a key and in no other",
    }
}
