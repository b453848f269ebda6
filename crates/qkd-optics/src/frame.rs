//! The photon frame: the bytes in which emulated light crosses a network.
//!
//! One frame is one datagram of [`FRAME_BYTES`], little-endian, the same size whatever it holds:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | magic `QPF1` |
//! | 4 | kind: 0, Fock states, sparse |
//! | 5 | word width in bits: 8, 16 or 32 |
//! | 6..8 | link |
//! | 8..16 | session |
//! | 16..24 | absolute start slot |
//! | 24..28 | span in slots, constant within an epoch |
//! | 28..32 | epoch |
//! | 32..40 | sequence number of the datagram |
//! | 40..42 | payload length in bytes |
//! | 42..44 | fragment |
//! | 44..46 | number of fragments |
//! | 46..60 | reserved, zero |
//! | 60..64 | CRC-32C of the frame without these four bytes |
//! | 64..1408 | payload, then zeros |
//!
//! The payload is a sequence of words. The high bits of a word are a gap, the low four are the
//! state (2) and the photon number less one (2). A word says: advance by the gap, here is a pulse,
//! advance by one. Photon code 3 means that the next word is the number of photons, 4 or more. The
//! all-ones gap is no event: advance by that many slots.
//!
//! A train with more pulses than one frame carries is cut into a power of two of *fragments*.
//! Fragment i of n covers the slots from ⌊i·span/n⌋ to ⌊(i+1)·span/n⌋ of the span, whatever is in
//! them, and stands alone: a lost fragment is vacuum in its slots. Spans are chosen so that this
//! does not happen to honest light (mean + 10σ fits).

mod codec;
mod encoder;
mod order;
mod shape;

pub use codec::{FrameHeader, PulseFrame};
pub use encoder::FrameEncoder;
pub use order::{FrameCounters, FrameOrder, OrderLimits, Verdict};
pub use shape::{FrameAddress, FrameShape, WordBits};

/// Size of every photon frame in bytes: fits IPv6 in an Ethernet frame.
pub const FRAME_BYTES: usize = 1408;
const HEADER_BYTES: usize = 64;
/// Bytes of a frame that hold words.
pub const PAYLOAD_BYTES: usize = FRAME_BYTES - HEADER_BYTES;

const MAGIC: [u8; 4] = *b"QPF1";
const KIND_FOCK_SPARSE: u8 = 0;
/// Low bits of a word that hold state and photon number.
const EVENT_BITS: u32 = 4;
/// Photon code that announces an extension word.
const PHOTONS_EXTENDED: u32 = 3;

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
