//! From light to frames.

use super::format::{
    PHOTONS_EXTENDED_MIN, PhotonBits, WordBits, WordFormat, advance, event_words_max, for_format,
    low_bits,
};
use super::shape::FrameShape;
use super::{
    FRAME_BYTES, HEADER_BYTES, KIND_CRAFTED, KIND_FOCK_SPARSE, KIND_REFLECTED, MAGIC,
    PAYLOAD_BYTES, codec, crafted,
};
use crate::light::{Extras, Pulse};
use crate::{Error, PulseTrain, Reflections};

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

    /// The same with sequence numbers from `sequence` on.
    pub(super) fn numbered(shape: FrameShape, sequence: u64) -> Self {
        Self { shape, sequence }
    }

    /// The shape of its frames.
    pub fn shape(&self) -> &FrameShape {
        &self.shape
    }

    /// Sequence number of the next datagram.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Appends a train as k datagrams of [`FRAME_BYTES`](crate::FRAME_BYTES) each, at least one,
    /// and returns k. Trains that span what the shape says nearly always take the same number; any
    /// other span is encoded just as well. The light is gone afterwards: it is in the frames.
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
        if train.extras != Extras::default() {
            return Ok(self.encode_crafted(&train, into));
        }
        Ok(self.encode_words(KIND_FOCK_SPARSE, &train, into))
    }

    /// As [`encode`](Self::encode) for light that comes out of Alice's laboratory besides her pulses:
    /// it travels the same way under a kind of its own, as light of another wavelength does. No frame
    /// is made for light that there is none of.
    pub fn encode_reflected(
        &mut self,
        reflections: Reflections,
        slots: std::ops::Range<u64>,
        into: &mut Vec<u8>,
    ) -> usize {
        let train = reflections.into_light(slots);
        if train.pulses.is_empty() {
            return 0;
        }
        self.encode_words(KIND_REFLECTED, &train, into)
    }

    /// A train as words.
    fn encode_words(&mut self, kind: u8, train: &PulseTrain, into: &mut Vec<u8>) -> usize {
        let mut progress = Progress {
            rest: &train.pulses,
            next: 0,
            span: train.span,
        };
        let mut payload = [0; PLACES + 8];
        let mut count = 0;
        while progress.next < progress.span {
            let from = progress.next;
            let length = fill(self.shape.format, &mut payload, &mut progress);
            let start_slot = train.start_slot + u64::from(from);
            let header = self.header(kind, start_slot, progress.next - from, length);
            self.append(header, &payload[..PAYLOAD_BYTES], into);
            count += 1;
        }
        count
    }

    /// One frame of all its shape's slots, with the checksum in: its kind, and a payload of which so
    /// many bytes count.
    pub(super) fn one(
        &self,
        (kind, length): (u8, usize),
        start_slot: u64,
        payload: &[u8; PAYLOAD_BYTES],
    ) -> [u8; FRAME_BYTES] {
        let mut frame = [0; FRAME_BYTES];
        let header = self.header(kind, start_slot, self.shape.span, length);
        frame[..HEADER_BYTES].copy_from_slice(&header);
        frame[HEADER_BYTES..].copy_from_slice(payload);
        let checksum = codec::checksum(&header[..HEADER_BYTES - 4], payload);
        frame[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        frame
    }

    /// A train with light that no transmitter makes.
    fn encode_crafted(&mut self, train: &PulseTrain, into: &mut Vec<u8>) -> usize {
        let mut rest = &train.pulses[..];
        let (mut from, mut count) = (0, 0);
        while from < train.span {
            let (here, end, later) = crafted::next_frame(rest, train.span);
            let mut payload = [0; PAYLOAD_BYTES];
            let length = crafted::write(here, from, &mut payload);
            let start_slot = train.start_slot + u64::from(from);
            let mut header = self.header(KIND_CRAFTED, start_slot, end - from, length);
            let light = train.extras.illumination_photons.to_le_bytes();
            header[crafted::ILLUMINATION].copy_from_slice(&light);
            self.append(header, &payload, into);
            (rest, from) = (later, end);
            count += 1;
        }
        count
    }

    /// Puts the checksum in and the datagram behind the others.
    #[inline]
    fn append(&mut self, mut header: [u8; HEADER_BYTES], payload: &[u8], into: &mut Vec<u8>) {
        let checksum = codec::checksum(&header[..HEADER_BYTES - 4], payload);
        header[HEADER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        into.extend_from_slice(&header);
        into.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// All of a header but its checksum.
    fn header(&self, kind: u8, start_slot: u64, span: u32, length: usize) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let WordFormat {
            word_bits,
            photon_bits,
        } = self.shape.format;
        header[0..4].copy_from_slice(&MAGIC);
        header[4] = kind;
        header[5] = word_bits.bits() as u8;
        header[6..8].copy_from_slice(&self.shape.link.to_le_bytes());
        header[8..16].copy_from_slice(&self.shape.session.to_le_bytes());
        header[16..24].copy_from_slice(&start_slot.to_le_bytes());
        header[24..28].copy_from_slice(&span.to_le_bytes());
        header[28..32].copy_from_slice(&self.shape.epoch.to_le_bytes());
        header[32..40].copy_from_slice(&self.sequence.to_le_bytes());
        header[40..42].copy_from_slice(&(length as u16).to_le_bytes());
        header[42] = photon_bits.bits() as u8;
        header
    }
}

/// Fills one payload and returns the bytes written.
fn fill(format: WordFormat, payload: &mut Payload, progress: &mut Progress<'_>) -> usize {
    for_format!(format, write(payload, progress))
}

/// Places in a payload are taken modulo this, a power of two: no place lies outside the buffer.
const PLACES: usize = PAYLOAD_BYTES.next_power_of_two();

/// A payload with room behind it: several words are written at once, whether all count or not.
type Payload = [u8; PLACES + 8];

fn write<const BYTES: usize, const PHOTON_BITS: u32>(
    payload: &mut Payload,
    progress: &mut Progress<'_>,
) -> usize {
    let advance = const { advance(BYTES, PHOTON_BITS) };
    let full = const { full(BYTES, PHOTON_BITS) };
    let mut at = 0;
    let mut next = progress.next;
    let mut rest = progress.rest.iter();
    loop {
        let before = rest.as_slice();
        let Some(pulse) = rest.next() else {
            break;
        };
        let mut gap = pulse.offset - next;
        // One advance before an event is common in narrow words, and which event has one is
        // anybody's guess: it is written with the event, without a branch.
        let together = if BYTES == 1 { 2 * advance } else { advance };
        let fits = BYTES > 1 || at + BYTES <= full;
        if gap >= together || !fits {
            let events_end = at;
            (gap, at) = skip::<BYTES, PHOTON_BITS>(payload, gap, at);
            if at > full {
                // The slots that the header states say the same as the advances at the end.
                payload[events_end..PAYLOAD_BYTES].fill(0);
                progress.rest = before;
                progress.next = pulse.offset - gap;
                return events_end;
            }
        }
        at = put::<BYTES, PHOTON_BITS>(payload, at, gap, pulse);
        next = pulse.offset + 1;
        if at > full {
            payload[at..PAYLOAD_BYTES].fill(0);
            progress.rest = rest.as_slice();
            progress.next = next;
            return at;
        }
    }
    payload[at..PAYLOAD_BYTES].fill(0);
    progress.rest = &[];
    progress.next = progress.span;
    at
}

/// Beyond this many bytes the longest event might not fit: the frame ends.
const fn full(word_bytes: usize, photon_bits: u32) -> usize {
    PAYLOAD_BYTES - event_words_max(photon_bits) * word_bytes
}

/// Writes advances until the rest of the gap fits an event or the frame is full; returns that rest
/// and the end of the words.
fn skip<const BYTES: usize, const PHOTON_BITS: u32>(
    payload: &mut Payload,
    mut gap: u32,
    mut at: usize,
) -> (u32, usize) {
    let advance = const { advance(BYTES, PHOTON_BITS) };
    let word = advance << low_bits(PHOTON_BITS);
    while gap >= advance && at <= full(BYTES, PHOTON_BITS) {
        payload[at..at + BYTES].copy_from_slice(&word.to_le_bytes()[..BYTES]);
        at += BYTES;
        gap -= advance;
    }
    (gap, at)
}

/// Writes one event after a gap of less than two advances, if words are bytes, or else of less than
/// one; returns the end of the words.
#[inline(always)]
fn put<const BYTES: usize, const PHOTON_BITS: u32>(
    payload: &mut Payload,
    at: usize,
    gap: u32,
    pulse: &Pulse,
) -> usize {
    if pulse.photons >= PHOTONS_EXTENDED_MIN || (BYTES == 4 && PHOTON_BITS == 0) {
        return put_slowly::<BYTES, PHOTON_BITS>(payload, at, gap, pulse);
    }
    let advance = const { advance(BYTES, PHOTON_BITS) };
    let word = const { 8 * BYTES as u32 };
    let long = BYTES == 1 && gap >= advance;
    let gap = gap - if long { advance } else { 0 };
    let all_ones = u64::from(advance << low_bits(PHOTON_BITS));
    let more_photons = u64::from(pulse.photons - 1);
    // All words in one number, the first one lowest.
    let mut words = event::<PHOTON_BITS>(gap, pulse);
    let mut count = 1;
    if PHOTON_BITS == 0 {
        let several = more_photons != 0;
        words = (words << word | all_ones | more_photons) >> if several { 0 } else { word };
        count += usize::from(several);
    } else {
        words |= more_photons;
    }
    if BYTES == 1 {
        words = (words << word | all_ones) >> if long { 0 } else { word };
        count += usize::from(long);
    }
    let place = at % PLACES;
    payload[place..place + 8].copy_from_slice(&words.to_le_bytes());
    at + count * BYTES
}

/// Writes one event word by word, of any number of photons.
#[cold]
#[inline(never)]
fn put_slowly<const BYTES: usize, const PHOTON_BITS: u32>(
    payload: &mut Payload,
    at: usize,
    gap: u32,
    pulse: &Pulse,
) -> usize {
    let (gap, mut at) = skip::<BYTES, PHOTON_BITS>(payload, gap, at);
    let mut put = |word: u64| {
        payload[at..at + BYTES].copy_from_slice(&word.to_le_bytes()[..BYTES]);
        at += BYTES;
    };
    let all_ones = u64::from(advance(BYTES, PHOTON_BITS) << low_bits(PHOTON_BITS));
    let code = u64::from((pulse.photons - 1).min(3));
    let event = event::<PHOTON_BITS>(gap, pulse);
    if PHOTON_BITS == 0 {
        if pulse.photons > 1 {
            put(all_ones | code);
        }
    } else {
        put(event | code);
    }
    if pulse.photons >= PHOTONS_EXTENDED_MIN {
        put(pulse.photons.into());
    }
    if PHOTON_BITS == 0 {
        put(event);
    }
    at
}

/// The word of an event without its photon code.
#[inline(always)]
fn event<const PHOTON_BITS: u32>(gap: u32, pulse: &Pulse) -> u64 {
    let state = u32::from(pulse.state.code());
    u64::from(gap << low_bits(PHOTON_BITS) | state << PHOTON_BITS)
}
