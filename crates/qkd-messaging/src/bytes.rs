//! Reading and writing the fixed fields of stored states and of opened messages.

use qkd_bits::SecretBytes;

use crate::Error;

/// Bytes of the checksum at the end of a state.
const CHECKSUM_BYTES: usize = 4;

/// Takes fields from the front of bytes, each within what is there.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader of `what`, as errors call it.
    pub fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, what }
    }

    /// A reader of a state that [`seal_state`] finished.
    pub fn of_state(what: &'static str, magic: &[u8; 5], bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Self::new(what, bytes);
        let (body, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(reader.malformed("at least its checksum"))?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*checksum) {
            return Err(reader.malformed("a fitting checksum: it was damaged"));
        }
        reader.rest = body;
        if &reader.array::<5>()? != magic {
            return Err(reader.malformed("the mark of this version"));
        }
        Ok(reader)
    }

    pub fn malformed(&self, expected: &'static str) -> Error {
        Error::Malformed {
            what: self.what,
            expected,
        }
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(self.malformed("more bytes"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub fn bool(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            2.. => Err(self.malformed("0 or 1 where something is there or not")),
        }
    }

    /// Bytes that stand behind their 32-bit number.
    pub fn counted(&mut self, max: usize) -> Result<&'a [u8], Error> {
        let count = self.u32()? as usize;
        if count > max {
            return Err(self.malformed("a shorter field"));
        }
        self.bytes(count)
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.malformed("nothing after its last field"))
        }
    }
}

/// Puts bytes behind their 32-bit number; every caller's limit is far below 4 GiB.
pub(crate) fn put_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A state under its mark and over its checksum. `bytes` is an upper bound on what `write` writes:
/// growing would leave secrets in freed memory.
pub(crate) fn seal_state(
    magic: &[u8; 5],
    bytes: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> SecretBytes {
    let capacity = magic.len() + bytes + CHECKSUM_BYTES;
    let mut out = Vec::with_capacity(capacity);
    out.extend_from_slice(magic);
    write(&mut out);
    let checksum = crc32c::crc32c(&out);
    out.extend_from_slice(&checksum.to_be_bytes());
    debug_assert!(out.len() <= capacity, "a state of {} bytes", out.len());
    SecretBytes::from(out)
}
