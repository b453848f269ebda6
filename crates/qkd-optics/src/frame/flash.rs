//! Frames of light that travels from Bob towards Alice: what his detectors give off when they click.
//!
//! The header is that of every frame, with words of 32 bits, no photon bits and number 0: nobody puts
//! such frames into order. A word of the payload is one photon: the slot of its click within the
//! frame, and in the lowest bit what it says about the detector. Words rise with their slots.

use super::format::{PhotonBits, WordBits, WordFormat};
use super::shape::{FrameAddress, FrameShape};
use super::{FrameEncoder, KIND_BACK_FLASH, PAYLOAD_BYTES, codec};
use crate::{FlashPhoton, FrameError};

/// Bytes of one photon.
const WORD_BYTES: usize = 4;
/// Photons of a frame.
const PHOTONS_MAX: usize = PAYLOAD_BYTES / WORD_BYTES;
/// Slots that the distance of two photons in one frame stays below.
const SPAN_MAX: u64 = 1 << 31;

/// A frame of photons on their way back, still sealed.
///
/// ```compile_fail
/// fn clone(frame: &qkd_optics::FlashFrame) -> qkd_optics::FlashFrame { frame.clone() }
/// ```
pub struct FlashFrame {
    address: FrameAddress,
    photons: Vec<FlashPhoton>,
}

impl FlashFrame {
    /// Appends photons, whose slots rise, as datagrams of [`FRAME_BYTES`](crate::FRAME_BYTES) each, and returns how many
    /// those are. The photons are gone afterwards: they are in the frames.
    pub fn encode(address: FrameAddress, photons: Vec<FlashPhoton>, into: &mut Vec<u8>) -> usize {
        let mut rest = &photons[..];
        let mut count = 0;
        while let Some(first) = rest.first() {
            let start = first.slot();
            let near = rest.partition_point(|photon| photon.slot() - start < SPAN_MAX);
            let (here, later) = rest.split_at(near.min(PHOTONS_MAX));
            append(address, here, into);
            rest = later;
            count += 1;
        }
        count
    }

    /// Reads one datagram. Never panics, whatever the bytes are.
    ///
    /// # Errors
    /// [`FrameError`] says what is wrong; [`FrameError::Kind`] for light that travels to Bob.
    pub fn decode(datagram: &[u8]) -> Result<Self, FrameError> {
        let (header, payload, kind) = codec::open(datagram)?;
        if kind != KIND_BACK_FLASH {
            return Err(FrameError::Kind(kind));
        }
        let WordFormat {
            word_bits,
            photon_bits,
        } = header.format;
        if word_bits != WordBits::ThirtyTwo {
            return Err(FrameError::WordBits(word_bits.bits() as u8));
        }
        if photon_bits != PhotonBits::None {
            return Err(FrameError::PhotonBits(photon_bits.bits() as u8));
        }
        // A number would say in which order Bob's detectors clicked: nothing that light tells.
        if header.sequence != 0 {
            return Err(FrameError::Padding(32));
        }
        if payload.is_empty() {
            return Err(FrameError::PayloadLength(0));
        }
        let mut photons: Vec<FlashPhoton> = Vec::with_capacity(payload.len() / WORD_BYTES);
        let mut end = 0;
        for (index, &word) in payload.as_chunks::<WORD_BYTES>().0.iter().enumerate() {
            let word = u32::from_le_bytes(word);
            let offset = word >> 1;
            // The first photon begins the frame, and the last one ends it: there is one spelling.
            if (index == 0) != (offset == 0) || u64::from(offset) < end {
                return Err(FrameError::Word(index));
            }
            if offset >= header.span {
                return Err(FrameError::OutsideSpan(index));
            }
            end = u64::from(offset) + 1;
            let slot = header.start_slot + u64::from(offset);
            photons.push(FlashPhoton::new(slot, word & 1 == 1));
        }
        if end != u64::from(header.span) {
            return Err(FrameError::Word(photons.len() - 1));
        }
        Ok(Self {
            address: header.address,
            photons,
        })
    }

    /// The link that it belongs to.
    pub fn address(&self) -> FrameAddress {
        self.address
    }

    /// Lets the photons out, in the order of their slots.
    pub fn into_photons(self) -> Vec<FlashPhoton> {
        self.photons
    }
}

/// One frame of photons that fit.
fn append(address: FrameAddress, photons: &[FlashPhoton], into: &mut Vec<u8>) {
    let (Some(first), Some(last)) = (photons.first(), photons.last()) else {
        return;
    };
    let start = first.slot();
    // It fits, and so do offsets: they are below SPAN_MAX.
    let span = (last.slot() - start + 1) as u32;
    let shape = FrameShape {
        session: address.session,
        link: address.link,
        epoch: address.epoch,
        format: WordFormat {
            word_bits: WordBits::ThirtyTwo,
            photon_bits: PhotonBits::None,
        },
        span,
    };
    let mut payload = [0; PAYLOAD_BYTES];
    let words = payload.as_chunks_mut::<WORD_BYTES>().0;
    for (photon, word) in photons.iter().zip(words) {
        let offset = (photon.slot() - start) as u32;
        *word = (offset << 1 | u32::from(photon.bit())).to_le_bytes();
    }
    let length = photons.len() * WORD_BYTES;
    let encoder = FrameEncoder::numbered(shape, 0);
    into.extend_from_slice(&encoder.one((KIND_BACK_FLASH, length), start, &payload));
}

#[cfg(test)]
mod tests;
