//! The sender's end of a chain of keys.

use qkd_bits::SecretBytes;

use crate::bytes::{Reader, put_counted, seal_state};
use crate::chain::{KEY_BYTES, LINK_BYTES_MAX, Link, Used};
use crate::part::{Draft, HEADER_BYTES_MAX};
use crate::{
    ChainLimits, Error, Head, KeyId, PLAINTEXT_BYTES_MAX, SENDER, SealedMessage, Sealer, TAG_BYTES,
};

const MAGIC: &[u8; 5] = b"QKDO\x01";
const WHAT: &str = "the state of the sender";

/// Longest state without the sealed message in it, in bytes.
const STATE_BYTES_MAX: usize = 256;

/// Seals the parts of messages for one receiver, under one key after another.
///
/// Whatever leaves this process was durable before, so that after a restart it is sent again as it
/// was, and no number is used twice. For every part the caller, in this order:
///
/// 1. gives a fresh key if [`Outbox::needs_key`] says so,
/// 2. calls [`Outbox::seal`] and makes the state it returns durable, replacing the former,
/// 3. calls [`Outbox::is_durable`], then sends [`Outbox::to_send`] until the other side has it,
/// 4. calls [`Outbox::delivered`].
///
/// After a restart from the durable state, step 3 comes first. A number is used when its sealed
/// message is durable: what was sealed and never became durable was never seen by anybody.
pub struct Outbox {
    limits: ChainLimits,
    key: Option<SealingKey>,
    /// The last key that was used before `key`.
    before: Option<Used>,
    /// Number of the last message begun in this chain.
    number: u64,
    /// Index of the next part of that message; `None` when none is open in this process.
    next_index: Option<u64>,
    pending: Option<Pending>,
}

/// The key in use.
struct SealingKey {
    id: KeyId,
    key: SecretBytes,
    sealer: Sealer,
    /// Bytes of plaintext sealed under it.
    bytes: u64,
}

/// What was sealed last and is not yet delivered.
struct Pending {
    message: SealedMessage,
    durable: bool,
}

impl Outbox {
    /// The beginning of a new chain.
    pub fn new(limits: ChainLimits) -> Self {
        Self {
            limits,
            key: None,
            before: None,
            number: 0,
            next_index: None,
            pending: None,
        }
    }

    /// Continues from a durable state.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes are no such state.
    pub fn from_state(state: &[u8], limits: ChainLimits) -> Result<Self, Error> {
        let mut reader = Reader::of_state(WHAT, MAGIC, state)?;
        let number = reader.u64()?;
        let before = match reader.bool()? {
            true => Some(Used {
                key_id: reader.array()?,
                messages: reader.u64()?,
            }),
            false => None,
        };
        let key = match reader.bool()? {
            true => Some(SealingKey::read(&mut reader)?),
            false => None,
        };
        let pending = match reader.bool()? {
            true => Some(Pending {
                message: SealedMessage {
                    key_id: reader.array()?,
                    sender: reader.u32()?,
                    sequence: reader.u64()?,
                    ciphertext: reader.counted(PLAINTEXT_BYTES_MAX + TAG_BYTES)?.to_vec(),
                },
                durable: true,
            }),
            false => None,
        };
        reader.end()?;
        Ok(Self {
            limits,
            key,
            before,
            number,
            next_index: None,
            pending,
        })
    }

    /// The state as it has to be durable. It holds the key in use.
    pub fn state(&self) -> SecretBytes {
        let ciphertext = |pending: &Pending| pending.message.ciphertext.len();
        let bytes = STATE_BYTES_MAX + self.pending.as_ref().map_or(0, ciphertext);
        seal_state(MAGIC, bytes, |out| {
            out.extend_from_slice(&self.number.to_be_bytes());
            out.push(u8::from(self.before.is_some()));
            if let Some(used) = self.before {
                out.extend_from_slice(&used.key_id);
                out.extend_from_slice(&used.messages.to_be_bytes());
            }
            // A key that sealed nothing is forgotten: a fresh one does as well.
            let key = self.key.as_ref().filter(|key| key.messages() > 0);
            out.push(u8::from(key.is_some()));
            if let Some(key) = key {
                key.write(out);
            }
            out.push(u8::from(self.pending.is_some()));
            if let Some(Pending { message, .. }) = &self.pending {
                out.extend_from_slice(&message.key_id);
                out.extend_from_slice(&message.sender.to_be_bytes());
                out.extend_from_slice(&message.sequence.to_be_bytes());
                put_counted(out, &message.ciphertext);
            }
        })
    }

    /// Forgets the chain, its key and what is not delivered; the next key begins a new chain. The
    /// receiver accepts one with a warning: it cannot know what is missing.
    pub fn start_anew(&mut self) {
        *self = Self {
            number: self.number,
            ..Self::new(self.limits)
        };
    }

    /// Whether the next part has to be sealed under a fresh key.
    pub fn needs_key(&self) -> bool {
        let used_up = |key: &SealingKey| {
            key.messages() >= self.limits.messages_max.max(1)
                || (key.messages() > 0
                    && key.bytes + PLAINTEXT_BYTES_MAX as u64 > self.limits.bytes_max)
        };
        self.key.as_ref().is_none_or(used_up)
    }

    /// Goes on under a key that this application obtained for the receiver, and that nobody has
    /// used.
    ///
    /// # Errors
    /// [`Error::KeyLength`] unless it has 32 bytes.
    pub fn take_key(&mut self, id: KeyId, key: SecretBytes) -> Result<(), Error> {
        let fresh = SealingKey::resume(id, key, (0, 0))?;
        if let Some(old) = self.key.replace(fresh).filter(|old| old.messages() > 0) {
            self.before = Some(Used {
                key_id: old.id,
                messages: old.messages(),
            });
        }
        Ok(())
    }

    /// Seals the next part of a message: the first with its head, the others without. Returns the
    /// state that has to be durable before anything is sent.
    ///
    /// # Errors
    /// [`Error::Undelivered`], [`Error::NoKey`], [`Error::NoMessage`] when it is not the time, and
    /// [`Error::TooLong`] for a body of more than [`crate::BODY_BYTES_MAX`]; nothing changes then.
    pub fn seal(
        &mut self,
        head: Option<&Head>,
        body: &[u8],
        last: bool,
    ) -> Result<SecretBytes, Error> {
        if self.pending.is_some() {
            return Err(Error::Undelivered);
        }
        if self.needs_key() {
            return Err(Error::NoKey);
        }
        let (number, index) = match (head, self.next_index) {
            (Some(_), _) => (self.number + 1, 0),
            (None, Some(index)) => (self.number, index),
            (None, None) => return Err(Error::NoMessage),
        };
        let Some(key) = &mut self.key else {
            return Err(Error::NoKey);
        };
        let link = match (key.messages(), self.before) {
            (0, None) => Link::NewChain,
            (0, Some(used)) => Link::After(used),
            (1.., _) => Link::SameKey,
        };
        let draft = Draft {
            number,
            index,
            head,
            last,
            body,
        };
        let plaintext = plaintext(link, &draft)?;
        let message = key.sealer.seal(plaintext.expose())?;
        key.bytes += plaintext.len() as u64;
        self.number = number;
        self.next_index = (!last).then_some(index + 1);
        self.pending = Some(Pending {
            message,
            durable: false,
        });
        Ok(self.state())
    }

    /// The state that [`Outbox::seal`] returned is durable: its message may be sent.
    pub fn is_durable(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.durable = true;
        }
    }

    /// The message that is to be sent, the very same again and again, until it is delivered.
    pub fn to_send(&self) -> Option<&SealedMessage> {
        let durable = self.pending.as_ref().filter(|pending| pending.durable);
        durable.map(|pending| &pending.message)
    }

    /// The other side has what [`Outbox::to_send`] says. It need not be made durable on its own:
    /// after a restart the same message is sent once more and stored once.
    pub fn delivered(&mut self) {
        if self.to_send().is_some() {
            self.pending = None;
        }
    }

    /// Number of the last message begun, from 1 in a new chain.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The key in use.
    pub fn key_id(&self) -> Option<KeyId> {
        self.key.as_ref().map(|key| key.id)
    }
}

impl SealingKey {
    fn resume(id: KeyId, key: SecretBytes, (messages, bytes): (u64, u64)) -> Result<Self, Error> {
        // The sealer keeps the schedule of the key only; the state needs the key itself.
        let copy = SecretBytes::from(key.expose().to_vec());
        Ok(Self {
            id,
            sealer: Sealer::resume(id, copy, SENDER, messages)?,
            key,
            bytes,
        })
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let id = reader.array()?;
        let key = SecretBytes::from(reader.bytes(KEY_BYTES)?.to_vec());
        Self::resume(id, key, (reader.u64()?, reader.u64()?))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id);
        out.extend_from_slice(self.key.expose());
        out.extend_from_slice(&self.messages().to_be_bytes());
        out.extend_from_slice(&self.bytes.to_be_bytes());
    }

    fn messages(&self) -> u64 {
        self.sealer.next_sequence()
    }
}

fn plaintext(link: Link, draft: &Draft<'_>) -> Result<SecretBytes, Error> {
    // Growing would leave it in freed memory.
    let capacity = LINK_BYTES_MAX + HEADER_BYTES_MAX + draft.body.len();
    let mut plaintext = Vec::with_capacity(capacity);
    link.write(&mut plaintext);
    draft.write(&mut plaintext)?;
    Ok(SecretBytes::from(plaintext))
}
