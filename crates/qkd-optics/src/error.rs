//! What can go wrong with light and its instruments, sorted by who is to blame.

use qkd_bits::HealthAlarm;

/// A refusal of this crate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    // Malformed: bytes from the network that are no photon frame.
    /// A datagram is not a photon frame.
    #[error(transparent)]
    Frame(#[from] FrameError),

    // Nobody's fault: hardware that has failed.
    /// The generator that choices are made with has failed.
    #[error(transparent)]
    Generator(#[from] HealthAlarm),

    // Misuse: the caller asked for something that cannot be.
    /// A parameter of an instrument is outside its range.
    #[error("{name} is {value}, expected {expected}")]
    OutOfRange {
        /// The parameter, by its field name.
        name: &'static str,
        /// What it was set to.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A slot was asked for whose record has already been forgotten. Its choice is never redrawn.
    #[error("slot {slot} was forgotten, the transmitter remembers from slot {kept_from} on")]
    Forgotten {
        /// The slot asked for.
        slot: u64,
        /// First slot that is still remembered.
        kept_from: u64,
    },
    /// A slot was asked for that has not been sent yet.
    #[error("slot {slot} has not been sent, the next one to be sent is {next_slot}")]
    NotYetSent {
        /// The slot asked for.
        slot: u64,
        /// First slot that has not been sent.
        next_slot: u64,
    },
    /// Light arrived for slots that the receiver has already left behind.
    #[error("a pulse train starts at slot {start_slot}, the receiver is already at {next_slot}")]
    BehindReceiver {
        /// First slot of the train.
        start_slot: u64,
        /// First slot that the receiver has not seen.
        next_slot: u64,
    },
    /// Eve put light where it cannot go.
    #[error("no pulse can be injected into slot {slot}: {reason}")]
    Injection {
        /// The slot she aimed at.
        slot: u64,
        /// Why not.
        reason: &'static str,
    },
}

/// Why a datagram is not a photon frame.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// Not the fixed size.
    #[error("a photon frame has 1408 bytes, this datagram has {0}")]
    Length(usize),
    /// Does not begin with `QPF1`.
    #[error("a photon frame begins with QPF1, this datagram with {0:02x?}")]
    Magic([u8; 4]),
    /// The checksum over the whole frame differs.
    #[error("the CRC-32C of the frame is {computed:#010x}, its header says {stated:#010x}")]
    Checksum {
        /// Of the bytes that arrived.
        computed: u32,
        /// In the header.
        stated: u32,
    },
    /// A kind of light that this version does not know.
    #[error(
        "photon frame kind {0} is unknown here, expected 0 (Fock sparse) or 1 (crafted) on the way to \
         Bob, 4 (reflected) out of Alice's door, 2 or 3 into it, 5 (back-flash) out of Bob's"
    )]
    Kind(u8),
    /// Light into Alice's laboratory that cannot be.
    #[error(
        "light of {photons} photons per slot at {wavelength_nm} nm, expected 0 to 1e12 at 100 to \
         10000 nm"
    )]
    Inward {
        /// Its wavelength, nm.
        wavelength_nm: f64,
        /// Its photons per slot.
        photons: f64,
    },
    /// A moment of a two-way system that does not exist.
    #[error("step {0} of a two-way system, expected 1 to 4")]
    Step(u8),
    /// Steady light that cannot be.
    #[error("steady light of {0} photons per slot, expected 0 to 1e15")]
    Illumination(f64),
    /// A word width that does not exist.
    #[error("a word has 8, 16 or 32 bits, the header says {0}")]
    WordBits(u8),
    /// A number of photon bits that does not exist.
    #[error("a word has 0 or 2 photon bits, the header says {0}")]
    PhotonBits(u8),
    /// Slots that do not exist: an empty span, or one beyond the last slot.
    #[error("{span} slots from slot {start_slot} on do not exist")]
    Slots {
        /// First slot.
        start_slot: u64,
        /// Number of slots.
        span: u32,
    },
    /// More payload than fits, or half a word.
    #[error("a payload of {0} bytes is longer than a frame or ends within a word")]
    PayloadLength(u16),
    /// Bytes that must be zero are not: reserved fields or the padding.
    #[error("byte {0} of the frame is reserved or padding and must be zero")]
    Padding(usize),
    /// A pulse lies outside the slots that the frame covers.
    #[error("word {0} of the payload places a pulse outside the slots of the frame")]
    OutsideSpan(usize),
    /// A word that no encoder writes in its place.
    #[error(
        "word {0} of the payload is no event, advance or number of photons that may stand there"
    )]
    Word(usize),
}
