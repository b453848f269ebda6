//! From parts to messages.

use qkd_bits::SecretBytes;

use crate::bytes::{Reader, put_counted};
use crate::part::{Part, read_head, write_head};
use crate::{Error, Head};

/// Longest description of a place, in bytes.
const PLACE_BYTES_MAX: usize = 8 << 10;

/// Longest head in a state, in bytes.
const HEAD_BYTES_MAX: usize = 1 + 8 + 2 + 255;

/// A message of which parts were handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Its number in its chain.
    pub number: u64,
    /// What it is.
    pub head: Head,
    /// Bytes of it so far.
    pub received_bytes: u64,
    /// Whether that is all of it.
    pub complete: bool,
    /// Where they are, in the words of [`super::Inbox::keep_at`]; empty when never said.
    pub place: Vec<u8>,
    next_index: u64,
}

/// Puts parts in their places.
#[derive(Default)]
pub(super) struct Assembly {
    /// Number of the last message that began.
    number: u64,
    unfinished: Option<Unfinished>,
}

/// A part in its place.
pub(super) struct Placed {
    pub head: Head,
    pub offset: u64,
    pub body: SecretBytes,
    pub cut_off: Option<Unfinished>,
}

impl Assembly {
    /// In a new chain, messages may be counted from the beginning.
    pub fn forget_numbers(&mut self) {
        self.number = 0;
    }

    pub fn unfinished(&self) -> Option<&Unfinished> {
        self.unfinished.as_ref()
    }

    pub fn give_up(&mut self) {
        self.unfinished = None;
    }

    pub fn keep_at(&mut self, place: &[u8]) -> Result<(), Error> {
        if place.len() > PLACE_BYTES_MAX {
            return Err(Error::TooLong {
                bytes: place.len(),
                max: PLACE_BYTES_MAX,
            });
        }
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.place = place.to_vec();
        }
        Ok(())
    }

    /// The place of a part that comes next in its chain.
    pub fn place(&mut self, part: Part) -> Result<Placed, Error> {
        let cut_off = self.begin(&part)?;
        let Some(unfinished) = &mut self.unfinished else {
            return Err(disorder(
                part.number,
                "it has no beginning, or was given up",
            ));
        };
        let offset = unfinished.received_bytes;
        if let Err(problem) = unfinished.add(&part) {
            self.unfinished = None;
            return Err(disorder(part.number, problem));
        }
        Ok(Placed {
            head: unfinished.head.clone(),
            offset,
            body: part.body,
            cut_off,
        })
    }

    /// A part with a head begins a message; what was unfinished before it stays so.
    fn begin(&mut self, part: &Part) -> Result<Option<Unfinished>, Error> {
        let Some(head) = &part.head else {
            return Ok(None);
        };
        if part.number <= self.number {
            self.unfinished = None;
            return Err(disorder(
                part.number,
                "its number is not above the last one",
            ));
        }
        self.number = part.number;
        let before = self.unfinished.replace(Unfinished {
            number: part.number,
            head: head.clone(),
            received_bytes: 0,
            complete: false,
            place: Vec::new(),
            next_index: 0,
        });
        Ok(before.filter(|before| !before.complete))
    }

    /// An upper bound on what [`Assembly::write`] writes.
    pub fn bytes_max(&self) -> usize {
        let place = self.unfinished.as_ref().map_or(0, |one| one.place.len());
        8 + 1 + 8 * 3 + 2 + HEAD_BYTES_MAX + 4 + place
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.push(u8::from(self.unfinished.is_some()));
        if let Some(unfinished) = &self.unfinished {
            out.extend_from_slice(&unfinished.number.to_be_bytes());
            out.extend_from_slice(&unfinished.received_bytes.to_be_bytes());
            out.extend_from_slice(&unfinished.next_index.to_be_bytes());
            out.push(u8::from(unfinished.complete));
            out.push(u8::from(unfinished.head.total_bytes.is_some()));
            write_head(&unfinished.head, out);
            put_counted(out, &unfinished.place);
        }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let number = reader.u64()?;
        let unfinished = match reader.bool()? {
            true => Some(Unfinished::read(reader)?),
            false => None,
        };
        Ok(Self { number, unfinished })
    }
}

impl Unfinished {
    fn add(&mut self, part: &Part) -> Result<(), &'static str> {
        if part.number != self.number || part.index != self.next_index || self.complete {
            return Err("a part is not the next one of the message that was begun");
        }
        let received = self.received_bytes.checked_add(part.body.len() as u64);
        let received = received.ok_or("it has no end")?;
        match self.head.total_bytes {
            Some(total) if received > total => return Err("it is longer than it said"),
            Some(total) if part.last && received < total => {
                return Err("it is shorter than it said");
            }
            Some(_) | None => {}
        }
        self.received_bytes = received;
        self.next_index += 1;
        self.complete = part.last;
        Ok(())
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (number, received_bytes, next_index) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let complete = reader.bool()?;
        let has_total = reader.bool()?;
        Ok(Self {
            number,
            received_bytes,
            next_index,
            complete,
            head: read_head(reader, has_total)?,
            place: reader.counted(PLACE_BYTES_MAX)?.to_vec(),
        })
    }
}

fn disorder(number: u64, problem: &'static str) -> Error {
    Error::Disorder { number, problem }
}
