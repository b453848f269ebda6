//! Names: of sides, blocks, keys and applications.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use qkd_bits::SecretRng;
use uuid::Uuid;

/// Which end of the link this store stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Coordinates: her durable COMMIT is the one decision about a block.
    Alice,
    /// Prepares first and follows Alice's decision.
    Bob,
}

impl Side {
    /// The other end of the link.
    pub fn peer(self) -> Side {
        match self {
            Side::Alice => Side::Bob,
            Side::Bob => Side::Alice,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Alice => "alice",
            Side::Bob => "bob",
        })
    }
}

/// A block of post-processing, the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    /// The pairing of Alice and Bob that the block was distilled in.
    pub session: u64,
    /// The block's number within the session.
    pub block: u64,
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}/{}", self.session, self.block)
    }
}

/// Reads a block as it is printed.
impl FromStr for BlockId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (session, block) = text.split_once('/').ok_or(InvalidId::Block)?;
        Ok(Self {
            session: hex64(session).ok_or(InvalidId::Block)?,
            block: block.parse().map_err(|_| InvalidId::Block)?,
        })
    }
}

/// One of the histories that a pair of stores may have had, told apart by a random number: a new one
/// begins when operators have all keys discarded on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History(NonZeroU64);

impl History {
    /// A fresh history.
    pub fn random(rng: &mut SecretRng) -> Self {
        // Zero comes once in 2⁶⁴.
        let number = u64::from_be_bytes(rng.array());
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MAX))
    }

    /// The history of that number; none for 0, which is the one that stores are created in.
    pub(crate) fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for History {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        hex64(text).and_then(Self::new).ok_or(InvalidId::History)
    }
}

fn hex64(text: &str) -> Option<u64> {
    let is_plain = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| u64::from_str_radix(text, 16).ok())?
}

/// The identity of a key: a random UUID (version 4), never derived from the key it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// A fresh identity.
    pub fn random(rng: &mut SecretRng) -> Self {
        Self(uuid::Builder::from_random_bytes(rng.array()).into_uuid())
    }

    /// The identity with these 16 bytes, as [`as_bytes`](Self::as_bytes) shows them.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The UUID's 16 bytes in network order.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// Lower-case, hyphenated, as ETSI GS QKD 014 writes `key_ID`.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_hyphenated())
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    /// Reads a hyphenated UUID in either case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        // The uuid crate also reads braces, URNs and bare hex; an identity has one spelling.
        if text.len() != 36 {
            return Err(InvalidId::KeyId);
        }
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| InvalidId::KeyId)
    }
}

/// The name of an application (secure application entity): opaque, 1 to 256 bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaeId(Arc<str>);

impl SaeId {
    /// Bytes that a name may have at most.
    pub const BYTES_MAX: usize = 256;

    /// A name.
    ///
    /// # Errors
    /// When it is empty or longer than [`BYTES_MAX`](Self::BYTES_MAX).
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidId> {
        let name = name.into();
        if name.is_empty() || name.len() > Self::BYTES_MAX {
            return Err(InvalidId::SaeId { bytes: name.len() });
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names compare as their texts do.
impl Borrow<str> for SaeId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Names that many records have, each of them in memory once.
#[derive(Default)]
pub(crate) struct Names(BTreeSet<SaeId>);

impl Names {
    /// Names that are looked for; the others are in memory as often as they come. Applications are
    /// few, but it is not here that this is checked.
    const MAX: usize = 1024;

    /// The name of that text, the same one each time.
    ///
    /// # Errors
    /// As [`SaeId::new`].
    pub(crate) fn name(&mut self, text: &str) -> Result<SaeId, InvalidId> {
        match self.0.get(text) {
            Some(known) => Ok(known.clone()),
            None => SaeId::new(text).map(|name| self.same(name)),
        }
    }

    /// That name as it came first.
    pub(crate) fn same(&mut self, name: SaeId) -> SaeId {
        if let Some(known) = self.0.get(&name) {
            return known.clone();
        }
        if self.0.len() < Self::MAX {
            self.0.insert(name.clone());
        }
        name
    }
}

impl fmt::Display for SaeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SaeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

/// Text that is not the name it was given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not a block.
    #[error("a block is 16 hexadecimal digits, a slash and a number, such as 00000000000000a1/7")]
    Block,
    /// Not a history.
    #[error("a history is 16 hexadecimal digits, not all of them 0")]
    History,
    /// Not a UUID.
    #[error("a key_ID is a hyphenated UUID of 36 characters")]
    KeyId,
    /// Empty or too long.
    #[error("an SAE ID has 1 to 256 bytes, this one has {bytes}")]
    SaeId {
        /// Bytes given.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_print_lower_case_and_read_either_case() {
        let id = KeyId::random(&mut SecretRng::from_seed([1; 32]));
        let text = id.to_string();
        assert_eq!(text, text.to_lowercase());
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_uppercase().parse(), Ok(id));
        assert_eq!(&text[14..15], "4", "version 4 means random");
    }

    #[test]
    fn other_spellings_of_a_uuid_are_refused() {
        let id = KeyId::random(&mut SecretRng::from_seed([1; 32])).to_string();
        for text in [
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            id.replace('-', ""),
            id.replace('-', "g"),
            String::new(),
        ] {
            assert_eq!(text.parse::<KeyId>(), Err(InvalidId::KeyId), "{text}");
        }
    }

    #[test]
    fn blocks_and_histories_are_read_as_they_are_printed_and_in_no_other_spelling() {
        let block = BlockId {
            session: 0xa1,
            block: 7,
        };
        assert_eq!(block.to_string().parse(), Ok(block));
        let history = History::random(&mut SecretRng::from_seed([1; 32]));
        assert_eq!(history.to_string().parse(), Ok(history));
        for text in [
            "",
            "a1/7",
            "00000000000000a1",
            "00000000000000a1/",
            "+0000000000000a1/7",
        ] {
            assert_eq!(text.parse::<BlockId>(), Err(InvalidId::Block), "{text}");
        }
        for text in ["", "1", "0000000000000000", "+000000000000001"] {
            assert_eq!(text.parse::<History>(), Err(InvalidId::History), "{text}");
        }
    }

    #[test]
    fn a_name_that_comes_again_takes_no_room_and_many_names_only_their_own() {
        let mut names = Names::default();
        let first = names.name("a").unwrap();
        for again in [
            names.name("a").unwrap(),
            names.same(SaeId::new("a").unwrap()),
        ] {
            assert!(Arc::ptr_eq(&first.0, &again.0));
        }
        assert!(names.name("").is_err());
        for number in 0..2 * Names::MAX {
            let text = number.to_string();
            assert_eq!(names.name(&text).unwrap().as_str(), text);
        }
        assert_eq!(names.0.len(), Names::MAX);
    }

    #[test]
    fn sae_names_are_bounded() {
        assert!(SaeId::new("").is_err());
        assert!(SaeId::new("a".repeat(256)).is_ok());
        assert!(SaeId::new("a".repeat(257)).is_err());
    }
}
