//! From bytes to light: nothing that arrives from the network is trusted.

use std::ops::Range;

use super::shape::{FrameAddress, WordBits};
use super::{
    EVENT_BITS, FRAME_BYTES, HEADER_BYTES, KIND_FOCK_SPARSE, MAGIC, PAYLOAD_BYTES, PHOTONS_EXTENDED,
};
use crate::light::{Pulse, State};
use crate::{FrameError, PulseTrain};

/// What a frame says about itself in the open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whom it belongs to.
    pub address: FrameAddress,
    /// Width of its words.
    pub word_bits: WordBits,
    /// Absolute slot in which the span starts.
    pub start_slot: u64,
    /// Slots of the span, of which a fragment covers a part.
    pub span: u32,
    /// Number of the datagram.
    pub sequence: u64,
    /// Index of this fragment.
    pub fragment: u16,
    /// Number of fragments that share the span.
    pub fragments: u16,
}

impl FrameHeader {
    /// The absolute slots that this frame covers, at least one.
    pub fn slots(&self) -> Range<u64> {
        let part = fragment_slots(self.span, self.fragment, self.fragments);
        self.start_slot + u64::from(part.start)..self.start_slot + u64::from(part.end)
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
        let frame: &[u8; FRAME_BYTES] = datagram
            .try_into()
            .map_err(|_| FrameError::Length(datagram.len()))?;
        let header = read_header(frame)?;
        let length = u16::from_le_bytes(field(frame, 40));
        let bytes = usize::from(length);
        if bytes > PAYLOAD_BYTES || !bytes.is_multiple_of(header.word_bits.bytes()) {
            return Err(FrameError::PayloadLength(length));
        }
        let (payload, padding) = frame[HEADER_BYTES..].split_at(bytes);
        if let Some(at) = padding.iter().position(|&byte| byte != 0) {
            return Err(FrameError::Padding(HEADER_BYTES + bytes + at));
        }
        let slots = header.slots();
        // A fragment's slots are a part of a 32-bit span.
        let span = (slots.end - slots.start) as u32;
        let pulses = match header.word_bits {
            WordBits::Eight => read_words::<1>(payload, WordBits::Eight, span)?,
            WordBits::Sixteen => read_words::<2>(payload, WordBits::Sixteen, span)?,
            WordBits::ThirtyTwo => read_words::<4>(payload, WordBits::ThirtyTwo, span)?,
        };
        Ok(Self {
            header,
            train: PulseTrain {
                start_slot: slots.start,
                span,
                pulses,
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

/// CRC-32C of a frame without its own four bytes. `frame` has [`FRAME_BYTES`] bytes.
pub(super) fn checksum(frame: &[u8]) -> u32 {
    let head = crc32c::crc32c(&frame[..HEADER_BYTES - 4]);
    crc32c::crc32c_append(head, &frame[HEADER_BYTES..])
}

/// The part of a span that one fragment covers. `fragments` is not 0.
pub(super) fn fragment_slots(span: u32, fragment: u16, fragments: u16) -> Range<u32> {
    let cut = |i: u64| (i * u64::from(span) / u64::from(fragments)) as u32;
    cut(u64::from(fragment))..cut(u64::from(fragment) + 1)
}

fn field<const N: usize>(frame: &[u8; FRAME_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|i| frame[at + i])
}

fn read_header(frame: &[u8; FRAME_BYTES]) -> Result<FrameHeader, FrameError> {
    let magic = field(frame, 0);
    if magic != MAGIC {
        return Err(FrameError::Magic(magic));
    }
    let (computed, stated) = (checksum(frame), u32::from_le_bytes(field(frame, 60)));
    if computed != stated {
        return Err(FrameError::Checksum { computed, stated });
    }
    if frame[4] != KIND_FOCK_SPARSE {
        return Err(FrameError::Kind(frame[4]));
    }
    let word_bits = WordBits::from_bits(frame[5]).ok_or(FrameError::WordBits(frame[5]))?;
    if let Some(at) = frame[46..60].iter().position(|&byte| byte != 0) {
        return Err(FrameError::Padding(46 + at));
    }
    let header = FrameHeader {
        address: FrameAddress {
            session: u64::from_le_bytes(field(frame, 8)),
            link: u16::from_le_bytes(field(frame, 6)),
            epoch: u32::from_le_bytes(field(frame, 28)),
        },
        word_bits,
        start_slot: u64::from_le_bytes(field(frame, 16)),
        span: u32::from_le_bytes(field(frame, 24)),
        sequence: u64::from_le_bytes(field(frame, 32)),
        fragment: u16::from_le_bytes(field(frame, 42)),
        fragments: u16::from_le_bytes(field(frame, 44)),
    };
    let (start_slot, span) = (header.start_slot, header.span);
    if span == 0 || start_slot.checked_add(u64::from(span)).is_none() {
        return Err(FrameError::Slots { start_slot, span });
    }
    let (fragment, fragments) = (header.fragment, header.fragments);
    if fragment >= fragments || u32::from(fragments) > span {
        return Err(FrameError::Fragment {
            fragment,
            fragments,
        });
    }
    Ok(header)
}

fn read_words<const BYTES: usize>(
    payload: &[u8],
    word_bits: WordBits,
    span: u32,
) -> Result<Vec<Pulse>, FrameError> {
    let advance = word_bits.advance();
    let mut pulses = Vec::with_capacity(payload.len() / BYTES);
    let mut words = payload.chunks_exact(BYTES).map(|chunk| {
        let mut bytes = [0; 4];
        bytes[..BYTES].copy_from_slice(chunk);
        u32::from_le_bytes(bytes)
    });
    let mut index = 0;
    // 64 bits: no sequence of words in one frame can overflow it.
    let mut cursor = 0u64;
    while let Some(word) = words.next() {
        let (gap, event) = (word >> EVENT_BITS, word & ((1 << EVENT_BITS) - 1));
        cursor += u64::from(gap);
        if gap == advance {
            if event != 0 {
                return Err(FrameError::Word(index));
            }
            index += 1;
            continue;
        }
        let offset = u32::try_from(cursor).map_err(|_| FrameError::OutsideSpan(index))?;
        if offset >= span {
            return Err(FrameError::OutsideSpan(index));
        }
        let code = event & PHOTONS_EXTENDED;
        let photons = if code == PHOTONS_EXTENDED {
            index += 1;
            words
                .next()
                .and_then(|word| u8::try_from(word).ok())
                .filter(|&photons| u32::from(photons) > PHOTONS_EXTENDED)
                .ok_or(FrameError::Word(index))?
        } else {
            code as u8 + 1
        };
        pulses.push(Pulse {
            offset,
            photons,
            state: State::from_code((event >> 2) as u8),
        });
        cursor += 1;
        index += 1;
    }
    Ok(pulses)
}
