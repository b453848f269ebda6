//! From light to frames.

use super::format::{
    PHOTONS_EXTENDED_MIN, PhotonBits, WordBits, WordFormat, advance, event_words_max, for_format,
    low_bits,
};
use super::shape::FrameShape;
use super::{FRAME_BYTES, HEADER_BYTES, KIND_FOCK_SPARSE, MAGIC, PAYLOAD_BYTES, codec};
use crate::light::Pulse;
use crate::{Error, PulseTrain};

/// Turns the trains of one epoch into frames, one after the other.
pub struct FrameEncoder {
    shape: FrameShape,
    sequence: u64,
}

/// How far the encoder has come in a train.
struct Progress<'a> {
    /// Light that no frame holds yet.
    rest: &'a [Pulse],
    /// First slot of the train that no frame covers yet.
    next: u32,
    span: u32,
}

impl FrameEncoder {
    /// An encoder for frames of the given shape, with sequence numbers from 0.
    pub fn new(shape: FrameShape) -> Self {
        Self { shape, sequence: 0 }
    }

    /// The shape of its frames.
    pub fn shape(&self) -> &FrameShape {
        &self.shape
    }

    /// Sequence number of the next datagram.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Appends a train as k · [`FRAME_BYTES`] bytes, k datagrams, and returns k, which is at least
    /// 1. Trains that span what the shape says nearly always take the same number; any other span
    /// is encoded just as well. The light is gone afterwards: it is in the frames.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when the train has no slot; nothing is appended.
    pub fn encode(&mut self, train: PulseTrain, into: &mut Vec<u8>) -> Result<usize, Error> {
        if train.span == 0 {
            return Err(Error::OutOfRange {
                name: "span of a train",
                value: 0.0,
                expected: "at least one slot",
            });
        }
        let mut progress = Progress {
            rest: &train.pulses,
            next: 0,
            span: train.span,
        };
        let mut count = 0;
        while progress.next < progress.span {
            let from = progress.next;
            let at = into.len();
            into.resize(at + FRAME_BYTES, 0);
            let frame = &mut into[at..];
            let (header, payload) = frame.split_at_mut(HEADER_BYTES);
            let length = fill(self.shape.format, payload, &mut progress);
            let start_slot = train.start_slot + u64::from(from);
            self.head(header, start_slot, progress.next - from, length);
            let checksum = codec::checksum(frame);
            frame[60..64].copy_from_slice(&checksum.to_le_bytes());
            self.sequence = self.sequence.wrapping_add(1);
            count += 1;
        }
        Ok(count)
    }

    /// Writes all of a header but its checksum.
    fn head(&self, header: &mut [u8], start_slot: u64, span: u32, length: usize) {
        let WordFormat {
            word_bits,
            photon_bits,
        } = self.shape.format;
        header[0..4].copy_from_slice(&MAGIC);
        header[4] = KIND_FOCK_SPARSE;
        header[5] = word_bits.bits() as u8;
        header[6..8].copy_from_slice(&self.shape.link.to_le_bytes());
        header[8..16].copy_from_slice(&self.shape.session.to_le_bytes());
        header[16..24].copy_from_slice(&start_slot.to_le_bytes());
        header[24..28].copy_from_slice(&span.to_le_bytes());
        header[28..32].copy_from_slice(&self.shape.epoch.to_le_bytes());
        header[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        header[40..42].copy_from_slice(&(length as u16).to_le_bytes());
        header[42] = photon_bits.bits() as u8;
    }
}

/// Fills one payload and returns the bytes written.
fn fill(format: WordFormat, payload: &mut [u8], progress: &mut Progress<'_>) -> usize {
    for_format!(format, write(payload, progress))
}

fn write<const BYTES: usize, const PHOTON_BITS: u32>(
    payload: &mut [u8],
    progress: &mut Progress<'_>,
) -> usize {
    let advance = advance(BYTES, PHOTON_BITS);
    let low_bits = low_bits(PHOTON_BITS);
    // Beyond this many bytes the longest event might not fit: the frame ends.
    let full = PAYLOAD_BYTES - event_words_max(PHOTON_BITS) * BYTES;
    let mut at = 0;
    let mut put = |at: &mut usize, word: u32| {
        payload[*at..*at + BYTES].copy_from_slice(&word.to_le_bytes()[..BYTES]);
        *at += BYTES;
    };
    let mut next = progress.next;
    for (index, pulse) in progress.rest.iter().enumerate() {
        let mut gap = pulse.offset - next;
        let events_end = at;
        while gap >= advance {
            put(&mut at, advance << low_bits);
            next += advance;
            gap -= advance;
            if at > full {
                progress.rest = &progress.rest[index..];
                progress.next = next;
                // The slots that the header states say the same as the advances at the end.
                payload[events_end..at].fill(0);
                return events_end;
            }
        }
        let (photons, state) = (u32::from(pulse.photons), u32::from(pulse.state.code()));
        let event = gap << low_bits | state << PHOTON_BITS;
        let extended = pulse.photons >= PHOTONS_EXTENDED_MIN;
        if PHOTON_BITS == 0 {
            if photons > 1 {
                put(&mut at, advance << low_bits | (photons - 1).min(3));
                if extended {
                    put(&mut at, photons);
                }
            }
            put(&mut at, event);
        } else {
            put(&mut at, event | (photons - 1).min(3));
            if extended {
                put(&mut at, photons);
            }
        }
        next = pulse.offset + 1;
        if at > full {
            progress.rest = &progress.rest[index + 1..];
            progress.next = next;
            return at;
        }
    }
    progress.rest = &[];
    progress.next = progress.span;
    at
}
