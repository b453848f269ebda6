//! The photon frame: the bytes in which emulated light crosses a network.
//!
//! One frame is one datagram of [`FRAME_BYTES`], little-endian, the same size whatever it holds:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | magic `QPF1` |
//! | 4 | kind: 0, Fock states, sparse; 1, crafted light (see the file `frame/crafted.rs`); 2 to 4, light through Alice's door (`frame/backward.rs`); 5, photons that come back out of Bob's (`frame/flash.rs`) |
//! | 5 | word width in bits: 8, 16 or 32 |
//! | 6..8 | link |
//! | 8..16 | session |
//! | 16..24 | absolute start slot of this frame |
//! | 24..28 | slots that this frame covers |
//! | 28..32 | epoch |
//! | 32..40 | sequence number of the datagram |
//! | 40..42 | payload length in bytes |
//! | 42 | photon bits of a word: 0 or 2 |
//! | 43..60 | reserved, zero; of kind 1: 48..56 steady light in photons per slot (IEEE 754) |
//! | 60..64 | CRC-32C of the frame without these four bytes |
//! | 64..1408 | payload, then zeros |
//!
//! The payload is a sequence of words. The high bits of a word are a gap, then come two bits of
//! state, then the photon bits. A word says: advance by the gap, here is a pulse, advance by one.
//! An all-ones gap is no event.
//!
//! | photon bits | all-ones gap | photons of an event |
//! |---|---|---|
//! | 2 | the other bits are 0: advance by that many slots | code + 1; after code 3 the next word is the number, 4 or more |
//! | 0 | state 0: advance by that many slots; 1 or 2: the next word is an event of 2 or 3 photons; 3: the next word is a number of photons, 4 or more, and the one after that its event | 1 |
//!
//! There is one way to write any light: the last word belongs to an event, and the decoder refuses
//! every other spelling.
//!
//! # Where a train is cut
//!
//! The trains of an epoch all have one span. A train is cut into frames where they are full: as
//! soon as the longest event would not fit behind a word, the frame ends with the slot that the
//! word ends at, and the next frame starts there. Every slot lies in exactly one frame, and every
//! frame states its own slots and stands alone: a lost frame is vacuum in its slots.
//!
//! Loss stays independent of what a slot holds. Where a frame begins follows from the slots before
//! it alone, and so does the number of the frame that a slot lies in: the cut never looks ahead. (The
//! empty end of a train is not written out, so that no frame is cut within it.)
//! Slots are independent of each other, so given everything that a network can base a loss on when
//! all datagrams look the same (their times, their numbers, what it lost before) the intensity,
//! basis, bit and photon number of each slot still follow their law. What the number of frames
//! does say is how much light the whole train holds; a train is sized so that it nearly always
//! takes the same number, and one slot among ten thousands moves that chance by next to nothing.
//!
//! A constant span for each datagram would need no argument, but room for ten standard deviations:
//! a fifth of all bytes would be padding.

mod backward;
mod codec;
mod crafted;
mod encoder;
mod flash;
mod format;
mod order;
mod shape;

pub use backward::{Frame, Inward, InwardFrame, InwardSlots, ReflectedFrame};
pub use codec::{FrameHeader, PulseFrame};
pub use encoder::FrameEncoder;
pub use flash::FlashFrame;
pub use format::{PhotonBits, WordBits, WordFormat};
pub use order::{FrameCounters, FrameOrder, OrderLimits, Verdict};
pub use shape::{FrameAddress, FrameShape, LightDensity};

/// Size of every photon frame in bytes: fits IPv6 in an Ethernet frame.
pub const FRAME_BYTES: usize = 1408;
const HEADER_BYTES: usize = 64;
/// Bytes of a frame that hold words.
pub const PAYLOAD_BYTES: usize = FRAME_BYTES - HEADER_BYTES;

const MAGIC: [u8; 4] = *b"QPF1";
const KIND_FOCK_SPARSE: u8 = 0;
const KIND_CRAFTED: u8 = 1;
const KIND_INWARD: u8 = 2;
const KIND_TWO_WAY: u8 = 3;
const KIND_REFLECTED: u8 = 4;
const KIND_BACK_FLASH: u8 = 5;

#[cfg(test)]
mod tests;
