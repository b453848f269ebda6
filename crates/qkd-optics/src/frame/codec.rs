//! From bytes to light: nothing that arrives from the network is trusted.

use std::ops::Range;

use super::format::{
    PHOTONS_EXTENDED_MIN, PhotonBits, WordBits, WordFormat, advance, for_format, low_bits,
};
use super::shape::FrameAddress;
use super::{
    FRAME_BYTES, HEADER_BYTES, KIND_BACK_FLASH, KIND_CRAFTED, KIND_FOCK_SPARSE, MAGIC,
    PAYLOAD_BYTES, crafted,
};
use crate::light::{Extras, Pulse, State};
use crate::{FrameError, PulseTrain};

/// What a frame says about itself in the open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whom it belongs to.
    pub address: FrameAddress,
    /// How its words divide their bits.
    pub format: WordFormat,
    /// First absolute slot that it covers.
    pub start_slot: u64,
    /// Number of slots that it covers.
    pub span: u32,
    /// Number of the datagram.
    pub sequence: u64,
}

impl FrameHeader {
    /// The absolute slots that this frame covers, at least one.
    pub fn slots(&self) -> Range<u64> {
        self.start_slot..self.start_slot + u64::from(self.span)
    }
}

/// A photon frame that has been checked, with its light still sealed.
///
/// ```compile_fail
/// fn peek(frame: &qkd_optics::PulseFrame) -> usize { frame.train.pulses.len() }
/// ```
/// ```compile_fail
/// fn clone(frame: &qkd_optics::PulseFrame) -> qkd_optics::PulseFrame { frame.clone() }
/// ```
pub struct PulseFrame {
    header: FrameHeader,
    train: PulseTrain,
}

impl PulseFrame {
    /// Reads one datagram. Never panics, whatever the bytes are.
    ///
    /// # Errors
    /// [`FrameError`] says what is wrong; a frame that passes holds light in its own slots only.
    pub fn decode(datagram: &[u8]) -> Result<Self, FrameError> {
        let (header, payload, kind) = open(datagram)?;
        let (pulses, extras) = match kind {
            KIND_FOCK_SPARSE => {
                let pulses = read(header.format, payload, header.span)?;
                (pulses, Extras::default())
            }
            KIND_CRAFTED => {
                let head = datagram.first_chunk().unwrap_or(&[0; HEADER_BYTES]);
                crafted::read(payload, header.span, head)?
            }
            other => return Err(FrameError::Kind(other)),
        };
        Ok(Self {
            header,
            train: PulseTrain {
                start_slot: header.start_slot,
                span: header.span,
                pulses,
                extras,
            },
        })
    }

    /// What it says about itself.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Lets the light out: a train of the slots that the frame covers.
    pub fn into_light(self) -> PulseTrain {
        self.train
    }
}

/// Takes a datagram apart, whatever kind of frame it is: header, payload, kind.
pub(super) fn open(datagram: &[u8]) -> Result<(FrameHeader, &[u8], u8), FrameError> {
    let frame: &[u8; FRAME_BYTES] = datagram
        .try_into()
        .map_err(|_| FrameError::Length(datagram.len()))?;
    let header = read_header(frame)?;
    let length = u16::from_le_bytes(field(frame, 40));
    let bytes = usize::from(length);
    if bytes > PAYLOAD_BYTES || !bytes.is_multiple_of(header.format.word_bits.bytes()) {
        return Err(FrameError::PayloadLength(length));
    }
    let (payload, padding) = frame[HEADER_BYTES..].split_at(bytes);
    if let Some(at) = padding.iter().position(|&byte| byte != 0) {
        return Err(FrameError::Padding(HEADER_BYTES + bytes + at));
    }
    Ok((header, payload, frame[4]))
}

/// CRC-32C of a frame without its own four bytes.
pub(super) fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), payload)
}

fn field<const N: usize>(frame: &[u8; FRAME_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|i| frame[at + i])
}

fn read_header(frame: &[u8; FRAME_BYTES]) -> Result<FrameHeader, FrameError> {
    let magic = field(frame, 0);
    if magic != MAGIC {
        return Err(FrameError::Magic(magic));
    }
    let computed = checksum(&frame[..HEADER_BYTES - 4], &frame[HEADER_BYTES..]);
    let stated = u32::from_le_bytes(field(frame, 60));
    if computed != stated {
        return Err(FrameError::Checksum { computed, stated });
    }
    let kind = frame[4];
    if kind > KIND_BACK_FLASH {
        return Err(FrameError::Kind(kind));
    }
    let word_bits = WordBits::from_bits(frame[5]).ok_or(FrameError::WordBits(frame[5]))?;
    let photon_bits = PhotonBits::from_bits(frame[42]).ok_or(FrameError::PhotonBits(frame[42]))?;
    let reserved =
        (43..60).filter(|at| kind != KIND_CRAFTED || !crafted::ILLUMINATION.contains(at));
    if let Some(at) = reserved.into_iter().find(|&at| frame[at] != 0) {
        return Err(FrameError::Padding(at));
    }
    let header = FrameHeader {
        address: FrameAddress {
            session: u64::from_le_bytes(field(frame, 8)),
            link: u16::from_le_bytes(field(frame, 6)),
            epoch: u32::from_le_bytes(field(frame, 28)),
        },
        format: WordFormat {
            word_bits,
            photon_bits,
        },
        start_slot: u64::from_le_bytes(field(frame, 16)),
        span: u32::from_le_bytes(field(frame, 24)),
        sequence: u64::from_le_bytes(field(frame, 32)),
    };
    let (start_slot, span) = (header.start_slot, header.span);
    if span == 0 || start_slot.checked_add(u64::from(span)).is_none() {
        return Err(FrameError::Slots { start_slot, span });
    }
    Ok(header)
}

pub(super) fn read(
    format: WordFormat,
    payload: &[u8],
    span: u32,
) -> Result<Vec<Pulse>, FrameError> {
    for_format!(format, read_words(payload, span))
}

/// The words of a payload, each `BYTES` long.
struct Words<'a, const BYTES: usize>(&'a [[u8; BYTES]]);

/// An event of which more than one word tells.
struct Event {
    word: u32,
    photons: u8,
    /// Index of its last word.
    last: usize,
}

impl<const BYTES: usize> Words<'_, BYTES> {
    #[inline(always)]
    fn at(&self, index: usize) -> Option<u32> {
        let mut bytes = [0; 4];
        bytes[..BYTES].copy_from_slice(self.0.get(index)?);
        Some(u32::from_le_bytes(bytes))
    }

    /// The event that begins with the word at `index`, which is neither an event of its own nor an
    /// advance.
    #[cold]
    #[inline(never)]
    fn event_at<const PHOTON_BITS: u32>(&self, index: usize) -> Result<Event, FrameError> {
        let (advance, low_bits) = (advance(BYTES, PHOTON_BITS), low_bits(PHOTON_BITS));
        let is_event = |word: u32| word >> low_bits != advance;
        let word = self.at(index).ok_or(FrameError::Word(index))?;
        if PHOTON_BITS != 0 {
            if !is_event(word) {
                return Err(FrameError::Word(index));
            }
            return Ok(Event {
                word,
                photons: self.photons_at(index + 1)?,
                last: index + 1,
            });
        }
        let code = (word & ((1 << low_bits) - 1)) as u8;
        let (photons, last) = if code + 1 < PHOTONS_EXTENDED_MIN {
            (code + 1, index + 1)
        } else {
            (self.photons_at(index + 1)?, index + 2)
        };
        let word = self.at(last).filter(|&word| is_event(word));
        Ok(Event {
            word: word.ok_or(FrameError::Word(last))?,
            photons,
            last,
        })
    }

    /// The number of photons that stands in an extension word.
    fn photons_at(&self, index: usize) -> Result<u8, FrameError> {
        let photons = self.at(index).and_then(|word| u8::try_from(word).ok());
        photons
            .filter(|&photons| photons >= PHOTONS_EXTENDED_MIN)
            .ok_or(FrameError::Word(index))
    }
}

fn read_words<const BYTES: usize, const PHOTON_BITS: u32>(
    payload: &[u8],
    span: u32,
) -> Result<Vec<Pulse>, FrameError> {
    let (advance, low_bits) = const { (advance(BYTES, PHOTON_BITS), low_bits(PHOTON_BITS)) };
    let (low_mask, photon_mask) = ((1u32 << low_bits) - 1, (1u32 << PHOTON_BITS) - 1);
    let words = Words::<BYTES>(payload.as_chunks().0);
    let mut pulses = Vec::new();
    pulses.resize_with(words.0.len(), || Pulse {
        offset: 0,
        photons: 0,
        state: State::from_code(0),
        crafted: [0; 2],
    });
    let (mut index, mut count) = (0, 0);
    // 64 bits: no gap leads beyond them.
    let (mut cursor, span) = (0u64, u64::from(span));
    let mut hit = true;
    while let Some(mut word) = words.at(index) {
        hit = word >> low_bits != advance;
        let low = word & low_mask;
        let mut photons = (low & photon_mask) as u8 + 1;
        // Rare, so that it costs the others nothing but this look.
        if (!hit & (low != 0)) | (photons == PHOTONS_EXTENDED_MIN) {
            let event = words.event_at::<PHOTON_BITS>(index)?;
            (word, photons, index) = (event.word, event.photons, event.last);
            hit = true;
        }
        let offset = cursor + u64::from(word >> low_bits);
        if offset >= span {
            return Err(FrameError::OutsideSpan(index));
        }
        // What turns out to be an advance is overwritten by the next event.
        if let Some(place) = pulses.get_mut(count) {
            *place = Pulse {
                offset: offset as u32,
                photons,
                state: State::from_code(((word & low_mask) >> PHOTON_BITS) as u8),
                crafted: [0; 2],
            };
        }
        count += usize::from(hit);
        cursor = offset + u64::from(hit);
        index += 1;
    }
    if !hit {
        // Nothing comes after the last event.
        return Err(FrameError::Word(index - 1));
    }
    pulses.truncate(count);
    Ok(pulses)
}
