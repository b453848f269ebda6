//! Light through Alice's door, in frames of the same size, header and checksum as the pulses': what is
//! shone in travels towards her, against the pulses; what comes out again travels with them.
//!
//! | kind | light | payload |
//! |---|---|---|
//! | 2 | inward, steady | wavelength in nm, photons per slot at the end of Alice's fibre (IEEE 754) |
//! | 3 | inward, Bob's own pulses of a two-way system at another moment | one byte: the step, 1 to 4, as in `Transmitter::transmit_remapped` |
//! | 4 | reflected out of her laboratory | words, as in kind 0 |
//!
//! Kinds 2 and 3 state words of 8 bits without photon bits, and are on in all slots of the frame. Nobody
//! signs light: whoever reads such a frame knows nothing of who sent it.

use std::ops::Range;

use super::codec::{self, FrameHeader, PulseFrame};
use super::format::{PhotonBits, WordBits, WordFormat};
use super::shape::{FrameAddress, FrameShape};
use super::{FRAME_BYTES, KIND_INWARD, KIND_REFLECTED, KIND_TWO_WAY, PAYLOAD_BYTES};
use crate::light::Extras;
use crate::{FrameEncoder, FrameError, InwardLight, PulseTrain};

/// Bytes of the payload of kind 2.
const LIGHT_BYTES: usize = 16;
/// Steps of a two-way system's moments.
const STEPS: std::ops::RangeInclusive<u8> = 1..=4;

/// What a datagram of the quantum channel holds.
pub enum Frame {
    /// Pulses on their way to Bob.
    Pulses(PulseFrame),
    /// Light on its way into Alice's laboratory.
    Inward(InwardFrame),
    /// Light on its way out of it that is none of her pulses.
    Reflected(ReflectedFrame),
}

/// What comes to Alice's laboratory from the fibre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inward {
    /// Steady light.
    Light(InwardLight),
    /// The pulses that she modulates in a two-way system, at a moment at which her phases come out
    /// `step` · 22.5 degrees apart.
    TwoWay {
        /// 1 to 4; at 4 they come out right.
        step: u8,
    },
}

/// Light that is shone into Alice's laboratory for some slots. Who shines it knows all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InwardFrame {
    header: FrameHeader,
    inward: Inward,
}

/// Where and when light is shone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InwardSlots {
    /// The session that Alice's own frames named.
    pub address: FrameAddress,
    /// First slot.
    pub start_slot: u64,
    /// So many slots, at least one.
    pub span: u32,
}

/// Light that has been in Alice's laboratory, checked and still sealed.
///
/// ```compile_fail
/// fn peek(frame: &qkd_optics::ReflectedFrame) -> usize { frame.train.pulses.len() }
/// ```
pub struct ReflectedFrame {
    header: FrameHeader,
    train: PulseTrain,
}

impl Frame {
    /// Reads one datagram, whatever kind of light it holds. Never panics, whatever the bytes are.
    ///
    /// # Errors
    /// [`FrameError`] says what is wrong.
    pub fn decode(datagram: &[u8]) -> Result<Self, FrameError> {
        match datagram.get(4) {
            Some(&KIND_INWARD | &KIND_TWO_WAY) => InwardFrame::decode(datagram).map(Self::Inward),
            Some(&KIND_REFLECTED) => ReflectedFrame::decode(datagram).map(Self::Reflected),
            Some(_) | None => PulseFrame::decode(datagram).map(Self::Pulses),
        }
    }
}

impl InwardFrame {
    /// Reads one datagram. Never panics, whatever the bytes are.
    ///
    /// # Errors
    /// [`FrameError`] says what is wrong; light that passes can be, and is on in at least one slot.
    pub fn decode(datagram: &[u8]) -> Result<Self, FrameError> {
        let (header, payload, kind) = codec::open(datagram)?;
        if header.format != PLAIN {
            return Err(FrameError::WordBits(header.format.word_bits.bits() as u8));
        }
        let length = FrameError::PayloadLength(payload.len() as u16);
        let inward = match kind {
            KIND_INWARD => {
                let bytes: &[u8; LIGHT_BYTES] = payload.try_into().map_err(|_| length)?;
                let [wavelength_nm, photons] = [0, 8]
                    .map(|at| f64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte])));
                let light = InwardLight {
                    wavelength_nm,
                    photons,
                };
                if light.check().is_err() || photons.is_sign_negative() {
                    return Err(FrameError::Inward {
                        wavelength_nm,
                        photons,
                    });
                }
                Inward::Light(light)
            }
            KIND_TWO_WAY => match payload {
                [step] if STEPS.contains(step) => Inward::TwoWay { step: *step },
                [step] => return Err(FrameError::Step(*step)),
                _ => return Err(length),
            },
            other => return Err(FrameError::Kind(other)),
        };
        Ok(Self { header, inward })
    }

    /// What it says about itself.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// What is shone in.
    pub fn inward(&self) -> Inward {
        self.inward
    }

    /// The datagram of such light, which [`InwardLight::check`] lets pass; `sequence` is its number.
    pub fn encode(at: InwardSlots, inward: &Inward, sequence: u64) -> [u8; FRAME_BYTES] {
        let mut payload = [0; PAYLOAD_BYTES];
        let (kind, length) = match inward {
            Inward::Light(light) => {
                payload[..8].copy_from_slice(&light.wavelength_nm.to_le_bytes());
                payload[8..LIGHT_BYTES].copy_from_slice(&light.photons.to_le_bytes());
                (KIND_INWARD, LIGHT_BYTES)
            }
            Inward::TwoWay { step } => {
                payload[0] = *step;
                (KIND_TWO_WAY, 1)
            }
        };
        let FrameAddress {
            session,
            link,
            epoch,
        } = at.address;
        let shape = FrameShape {
            session,
            link,
            epoch,
            format: PLAIN,
            span: at.span,
        };
        FrameEncoder::numbered(shape, sequence).one((kind, length), at.start_slot, &payload)
    }
}

impl ReflectedFrame {
    fn decode(datagram: &[u8]) -> Result<Self, FrameError> {
        let (header, payload, kind) = codec::open(datagram)?;
        if kind != KIND_REFLECTED {
            return Err(FrameError::Kind(kind));
        }
        let pulses = codec::read(header.format, payload, header.span)?;
        Ok(Self {
            header,
            train: PulseTrain {
                start_slot: header.start_slot,
                span: header.span,
                pulses,
                extras: Extras::default(),
            },
        })
    }

    /// What it says about itself.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Its slots.
    pub fn slots(&self) -> Range<u64> {
        self.header.slots()
    }

    /// Lets the light out: single photons in the states of Alice's pulses.
    pub fn into_light(self) -> PulseTrain {
        self.train
    }
}

/// The format that a frame without words states.
const PLAIN: WordFormat = WordFormat {
    word_bits: WordBits::Eight,
    photon_bits: PhotonBits::None,
};
