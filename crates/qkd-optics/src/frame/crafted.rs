//! The second kind of frame: pulses that no honest transmitter makes, spelled out one by one.
//!
//! Eight bytes for each pulse: its slot within the frame (4), its photons or 0 for a crafted one,
//! its state or direction and power of two, its eight digits of photons, its arrival. Bytes 48 to 56
//! of the header hold the steady light in photons per slot. A pulse has one spelling, as in the other
//! kind. Frames of an honest transmitter are never of this kind: it costs eight times the bytes.

use super::{HEADER_BYTES, PAYLOAD_BYTES};
use crate::FrameError;
use crate::light::{Extras, ILLUMINATION_MAX, Pulse, State};

/// Bytes of one pulse.
pub(super) const PULSE_BYTES: usize = 8;
/// Pulses of a frame.
const PULSES_MAX: usize = PAYLOAD_BYTES / PULSE_BYTES;
/// Where the header tells of the steady light.
pub(super) const ILLUMINATION: std::ops::Range<usize> = 48..56;

/// The pulses of the next frame of a train, the slot it ends before, and what is left.
pub(super) fn next_frame(pulses: &[Pulse], span: u32) -> (&[Pulse], u32, &[Pulse]) {
    let (here, later) = pulses.split_at(pulses.len().min(PULSES_MAX));
    let end = match (here.last(), later) {
        (Some(last), [_, ..]) => last.offset + 1,
        (Some(_) | None, _) => span,
    };
    (here, end, later)
}

/// Writes pulses whose slots count from `from`; returns the bytes written.
pub(super) fn write(pulses: &[Pulse], from: u32, payload: &mut [u8]) -> usize {
    for (pulse, bytes) in pulses.iter().zip(payload.as_chunks_mut::<PULSE_BYTES>().0) {
        bytes[..4].copy_from_slice(&(pulse.offset - from).to_le_bytes());
        bytes[4] = pulse.photons;
        bytes[5] = pulse.state.byte();
        bytes[6..].copy_from_slice(&pulse.crafted);
    }
    pulses.len() * PULSE_BYTES
}

/// Reads what [`write`] has written, and refuses everything else.
pub(super) fn read(
    payload: &[u8],
    span: u32,
    header: &[u8; HEADER_BYTES],
) -> Result<(Vec<Pulse>, Extras), FrameError> {
    let (chunks, rest) = payload.as_chunks::<PULSE_BYTES>();
    if !rest.is_empty() {
        return Err(FrameError::PayloadLength(payload.len() as u16));
    }
    let mut pulses: Vec<Pulse> = Vec::with_capacity(chunks.len());
    for (index, &[a, b, c, d, photons, state, digits, arrival]) in chunks.iter().enumerate() {
        let offset = u32::from_le_bytes([a, b, c, d]);
        if offset >= span || pulses.last().is_some_and(|last| last.offset >= offset) {
            return Err(FrameError::OutsideSpan(index));
        }
        let pulse = Pulse {
            offset,
            photons,
            state: State::from_byte(state),
            crafted: [digits, arrival],
        };
        if !pulse.is_canonical() {
            return Err(FrameError::Word(index));
        }
        pulses.push(pulse);
    }
    let mut illumination = [0; 8];
    illumination.copy_from_slice(&header[ILLUMINATION]);
    let extras = Extras {
        crafted: pulses.iter().any(|pulse| pulse.photons == 0),
        illumination_photons: f64::from_le_bytes(illumination),
    };
    let light = extras.illumination_photons;
    if !(0.0..=ILLUMINATION_MAX).contains(&light) || light.is_sign_negative() {
        return Err(FrameError::Illumination(light));
    }
    Ok((pulses, extras))
}
