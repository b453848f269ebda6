//! From light to frames.

use super::shape::{FrameShape, WordBits};
use super::{
    EVENT_BITS, FRAME_BYTES, HEADER_BYTES, KIND_FOCK_SPARSE, MAGIC, PAYLOAD_BYTES,
    PHOTONS_EXTENDED, codec,
};
use crate::light::Pulse;
use crate::{Error, PulseTrain};

/// Most fragments of one train.
const FRAGMENTS_MAX: u16 = 1 << 15;

/// Turns the trains of one epoch into frames, one after the other.
pub struct FrameEncoder {
    shape: FrameShape,
    sequence: u64,
}

/// A piece of a train that goes into one frame.
struct Fragment<'a> {
    index: u16,
    count: u16,
    /// First slot of the piece within the span.
    from: u32,
    pulses: &'a [Pulse],
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

    /// Appends a train as k · [`FRAME_BYTES`] bytes, k datagrams, and returns k: 1 unless there are
    /// more pulses than fit one frame. The light is gone afterwards: it is in the frame.
    ///
    /// # Errors
    /// [`Error::WrongSpan`] when the train does not span what the epoch agreed on,
    /// [`Error::TooManyPulses`] when it would take more than 32,768 fragments; nothing is appended.
    pub fn encode(&mut self, train: PulseTrain, into: &mut Vec<u8>) -> Result<usize, Error> {
        if train.span != self.shape.span {
            return Err(Error::WrongSpan {
                span: train.span,
                expected: self.shape.span,
            });
        }
        let words_max = PAYLOAD_BYTES / self.shape.word_bits.bytes();
        let advance = self.shape.word_bits.advance();
        let mut count = 1u16;
        while fragments(&train, count).any(|piece| piece.words(advance) > words_max) {
            // A fragment of one slot always fits.
            if count >= FRAGMENTS_MAX {
                return Err(Error::TooManyPulses {
                    pulses: train.pulses.len(),
                    fragments_max: FRAGMENTS_MAX,
                });
            }
            count *= 2;
        }
        for fragment in fragments(&train, count) {
            self.append(&train, &fragment, into);
        }
        Ok(usize::from(count))
    }

    fn append(&mut self, train: &PulseTrain, fragment: &Fragment<'_>, into: &mut Vec<u8>) {
        let at = into.len();
        into.resize(at + FRAME_BYTES, 0);
        let frame = &mut into[at..];
        let payload = &mut frame[HEADER_BYTES..];
        let length = match self.shape.word_bits {
            WordBits::Eight => fragment.write::<1>(WordBits::Eight.advance(), payload),
            WordBits::Sixteen => fragment.write::<2>(WordBits::Sixteen.advance(), payload),
            WordBits::ThirtyTwo => fragment.write::<4>(WordBits::ThirtyTwo.advance(), payload),
        };
        frame[0..4].copy_from_slice(&MAGIC);
        frame[4] = KIND_FOCK_SPARSE;
        frame[5] = self.shape.word_bits.bits() as u8;
        frame[6..8].copy_from_slice(&self.shape.link.to_le_bytes());
        frame[8..16].copy_from_slice(&self.shape.session.to_le_bytes());
        frame[16..24].copy_from_slice(&train.start_slot.to_le_bytes());
        frame[24..28].copy_from_slice(&train.span.to_le_bytes());
        frame[28..32].copy_from_slice(&self.shape.epoch.to_le_bytes());
        frame[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        frame[40..42].copy_from_slice(&(length as u16).to_le_bytes());
        frame[42..44].copy_from_slice(&fragment.index.to_le_bytes());
        frame[44..46].copy_from_slice(&fragment.count.to_le_bytes());
        let checksum = codec::checksum(frame);
        frame[60..64].copy_from_slice(&checksum.to_le_bytes());
        self.sequence = self.sequence.wrapping_add(1);
    }
}

fn fragments(train: &PulseTrain, count: u16) -> impl Iterator<Item = Fragment<'_>> {
    let mut rest = train.pulses.as_slice();
    (0..count).map(move |index| {
        let slots = codec::fragment_slots(train.span, index, count);
        let here = rest.partition_point(|pulse| pulse.offset < slots.end);
        let (pulses, later) = rest.split_at(here);
        rest = later;
        Fragment {
            index,
            count,
            from: slots.start,
            pulses,
        }
    })
}

impl Fragment<'_> {
    /// Words that it takes.
    fn words(&self, advance: u32) -> usize {
        let mut cursor = self.from;
        let mut words = 0;
        for pulse in self.pulses {
            let gap = pulse.offset - cursor;
            // A division for each pulse would cost more than writing it.
            if gap >= advance {
                words += (gap / advance) as usize;
            }
            words += 1 + usize::from(u32::from(pulse.photons) > PHOTONS_EXTENDED);
            cursor = pulse.offset + 1;
        }
        words
    }

    /// Writes its words, `BYTES` each, and returns the number of bytes written.
    fn write<const BYTES: usize>(&self, advance: u32, payload: &mut [u8]) -> usize {
        let mut at = 0;
        let mut put = |word: u32| {
            payload[at..at + BYTES].copy_from_slice(&word.to_le_bytes()[..BYTES]);
            at += BYTES;
        };
        let mut cursor = self.from;
        for pulse in self.pulses {
            let mut gap = pulse.offset - cursor;
            while gap >= advance {
                put(advance << EVENT_BITS);
                gap -= advance;
            }
            let photons = u32::from(pulse.photons);
            let code = (photons - 1).min(PHOTONS_EXTENDED);
            put(gap << EVENT_BITS | u32::from(pulse.state.code()) << 2 | code);
            if code == PHOTONS_EXTENDED {
                put(photons);
            }
            cursor = pulse.offset + 1;
        }
        at
    }
}
