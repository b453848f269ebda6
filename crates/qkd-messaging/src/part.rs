//! A part of a message: what is inside one sealed message of a chain, after its link.
//!
//! A message, a text or a file of any size, is a run of parts. The first has a head that says what
//! the message is; the last says that it is the last. Numbers are big-endian:
//!
//! ```text
//! version u8 = 1 | flags u8 (1 head, 2 last, 4 length known) | message u64 | index u64
//! head: kind u8 (0 text, 1 file) | total bytes u64 if known | file: name length u16, name
//! body: all that is left
//! ```

use qkd_bits::SecretBytes;

use crate::bytes::Reader;
use crate::chain::{LINK_BYTES_MAX, PLAINTEXT_BYTES_MAX};
use crate::{Error, FileName};

/// Longest body of a part, in bytes.
pub const BODY_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX - 1024;

const VERSION: u8 = 1;
const HAS_HEAD: u8 = 1;
const IS_LAST: u8 = 2;
const HAS_TOTAL: u8 = 4;

/// Longest file name that is read, in bytes, before it is made harmless.
const NAME_BYTES_MAX: usize = 255;

/// Longest part without its body, in bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 2 + 8 + 8 + 1 + 8 + 2 + NAME_BYTES_MAX;

const _: () = assert!(LINK_BYTES_MAX + HEADER_BYTES_MAX + BODY_BYTES_MAX <= PLAINTEXT_BYTES_MAX);

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text to be shown.
    Text,
    /// A file to be stored.
    File(FileName),
}

/// What the first part of a message says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Length of all its bodies in bytes, when the sender knew it at the beginning.
    pub total_bytes: Option<u64>,
}

/// A part.
pub(crate) struct Part {
    /// Number of the message in its chain.
    pub number: u64,
    /// Number of the part in its message, from 0.
    pub index: u64,
    /// There in the first part, and in no other.
    pub head: Option<Head>,
    pub last: bool,
    pub body: SecretBytes,
}

/// The fields of a part before they are written.
pub(crate) struct Draft<'a> {
    pub number: u64,
    pub index: u64,
    pub head: Option<&'a Head>,
    pub last: bool,
    pub body: &'a [u8],
}

impl Draft<'_> {
    /// Writes it behind `out`'s link; `out` has room for [`HEADER_BYTES_MAX`] and the body.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.body.len() > BODY_BYTES_MAX {
            return Err(Error::TooLong {
                bytes: self.body.len(),
                max: BODY_BYTES_MAX,
            });
        }
        let total = self.head.and_then(|head| head.total_bytes);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.push(VERSION);
        out.push(
            flag(self.head.is_some(), HAS_HEAD)
                | flag(self.last, IS_LAST)
                | flag(total.is_some(), HAS_TOTAL),
        );
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.index.to_be_bytes());
        if let Some(head) = self.head {
            write_head(head, out);
        }
        out.extend_from_slice(self.body);
        Ok(())
    }
}

pub(crate) fn write_head(head: &Head, out: &mut Vec<u8>) {
    out.push(match head.kind {
        Kind::Text => 0,
        Kind::File(_) => 1,
    });
    if let Some(total) = head.total_bytes {
        out.extend_from_slice(&total.to_be_bytes());
    }
    if let Kind::File(name) = &head.kind {
        // A harmless name has 200 bytes at most.
        out.extend_from_slice(&(name.as_str().len() as u16).to_be_bytes());
        out.extend_from_slice(name.as_str().as_bytes());
    }
}

pub(crate) fn read_head(reader: &mut Reader<'_>, has_total: bool) -> Result<Head, Error> {
    let kind = reader.u8()?;
    let total_bytes = has_total.then(|| reader.u64()).transpose()?;
    let kind = match kind {
        0 => Kind::Text,
        1 => {
            let bytes = reader.u16()? as usize;
            if bytes > NAME_BYTES_MAX {
                return Err(reader.malformed("a file name of at most 255 bytes"));
            }
            let name = std::str::from_utf8(reader.bytes(bytes)?)
                .map_err(|_| reader.malformed("a file name in UTF-8"))?;
            Kind::File(FileName::of(name))
        }
        2.. => return Err(reader.malformed("0 for a text or 1 for a file")),
    };
    Ok(Head { kind, total_bytes })
}

impl Part {
    /// The part that authentic bytes hold. Their sender may lie all the same.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("a part of a message", bytes);
        if reader.u8()? != VERSION {
            return Err(reader.malformed("version 1: the other end's program is another version"));
        }
        let flags = reader.u8()?;
        if flags & !(HAS_HEAD | IS_LAST | HAS_TOTAL) != 0 {
            return Err(reader.malformed("known flags"));
        }
        let (has_head, has_total) = (flags & HAS_HEAD != 0, flags & HAS_TOTAL != 0);
        let (number, index) = (reader.u64()?, reader.u64()?);
        if has_head != (index == 0) || (has_total && !has_head) {
            return Err(reader.malformed("a head in the first part and in no other"));
        }
        let head = has_head
            .then(|| read_head(&mut reader, has_total))
            .transpose()?;
        Ok(Self {
            number,
            index,
            head,
            last: flags & IS_LAST != 0,
            body: SecretBytes::from(reader.rest().to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heads() -> impl Strategy<Value = Option<Head>> {
        let kind = prop_oneof![
            Just(Kind::Text),
            any::<String>().prop_map(|name| Kind::File(FileName::of(&name))),
        ];
        proptest::option::of(
            (kind, any::<Option<u64>>()).prop_map(|(kind, total_bytes)| Head { kind, total_bytes }),
        )
    }

    proptest! {
        #[test]
        fn a_part_is_read_as_it_was_written(
            number in any::<u64>(), index in 1..u64::MAX, head in heads(), last in any::<bool>(),
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let index = if head.is_some() { 0 } else { index };
            let mut bytes = Vec::new();
            let draft = Draft { number, index, head: head.as_ref(), last, body: &body };
            draft.write(&mut bytes).unwrap();
            prop_assert!(bytes.len() <= HEADER_BYTES_MAX + body.len());
            let part = Part::read(&bytes).ok().unwrap();
            prop_assert_eq!((part.number, part.index, part.last), (number, index, last));
            prop_assert_eq!(part.head, head);
            prop_assert_eq!(part.body.expose(), &body[..]);
        }

        #[test]
        fn whatever_a_peer_writes_is_read_or_refused(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..64), flags in 0..16u8,
        ) {
            if bytes.len() > 1 {
                (bytes[0], bytes[1]) = (VERSION, flags);
            }
            if let Ok(part) = Part::read(&bytes) {
                prop_assert_eq!(part.head.is_some(), part.index == 0);
                prop_assert!(part.body.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_body_that_is_too_long_is_refused() {
        let body = vec![0; BODY_BYTES_MAX + 1];
        let draft = Draft {
            number: 1,
            index: 1,
            head: None,
            last: true,
            body: &body,
        };
        assert!(matches!(
            draft.write(&mut Vec::new()),
            Err(Error::TooLong { .. })
        ));
    }
}
