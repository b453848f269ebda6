//! Light in flight, and what the instruments at its two ends know of it.

mod crafted;

pub(crate) use crafted::check_arrival;
pub use crafted::{
    ARRIVAL_MAX_PS, ARRIVAL_STEP_PS, BRIGHT_PHOTONS_MAX, CraftedPulse, Direction, ILLUMINATION_MAX,
};

/// One of the two bases of BB84.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Basis {
    /// Rectilinear: the key is made here.
    Z,
    /// Diagonal: tested for Eve.
    X,
}

/// Index into [`Source::intensities`](crate::Source): 0 is the signal, 1 the (first) decoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntensityClass(pub u8);

/// What Alice did in one slot. Secret until she discloses it: neither `Debug` nor `Clone`.
///
/// ```compile_fail
/// fn show(choice: qkd_optics::Choice) -> String { format!("{choice:?}") }
/// ```
pub struct Choice {
    /// Basis she prepared in.
    pub basis: Basis,
    /// Bit she prepared.
    pub bit: bool,
    /// Intensity she sent it with.
    pub intensity: IntensityClass,
}

/// One registered click. The slot and the basis are announced, the bit is a secret: neither
/// `Debug` nor `Clone`; whoever collects the bits stores them in something that wipes itself.
///
/// ```compile_fail
/// fn show(detection: qkd_optics::Detection) -> String { format!("{detection:?}") }
/// ```
pub struct Detection {
    /// Absolute slot of the click.
    pub slot: u64,
    /// Basis that Bob measured in.
    pub basis: Basis,
    /// Bit that he got; after a double click a random one.
    pub bit: bool,
}

/// Most photons that one pulse can hold.
pub const PHOTONS_MAX: u8 = 255;

/// A run of consecutive slots with the light in them.
///
/// Nobody outside this crate can look inside, and nobody can copy it: no-cloning is a compile
/// error. What is public about it is its timing.
///
/// ```compile_fail
/// fn clone(train: &qkd_optics::PulseTrain) -> qkd_optics::PulseTrain { train.clone() }
/// ```
/// ```compile_fail
/// fn twice(train: qkd_optics::PulseTrain) -> [qkd_optics::PulseTrain; 2] { [train, train] }
/// ```
/// ```compile_fail
/// fn peek(train: &qkd_optics::PulseTrain) -> usize { train.pulses.len() }
/// ```
/// ```compile_fail
/// fn peek(train: qkd_optics::PulseTrain) { for pulse in train {} }
/// ```
/// ```compile_fail
/// fn show(train: &qkd_optics::PulseTrain) -> String { format!("{train:?}") }
/// ```
/// ```
/// fn timing(train: &qkd_optics::PulseTrain) -> (u64, u32) { (train.start_slot(), train.span()) }
/// ```
#[must_use]
pub struct PulseTrain {
    pub(crate) start_slot: u64,
    pub(crate) span: u32,
    /// Non-vacuum pulses by strictly ascending offset, each below `span`.
    pub(crate) pulses: Vec<Pulse>,
    pub(crate) extras: Extras,
}

/// What the light of an honest transmitter has nothing of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Extras {
    /// Whether any of the pulses is [crafted](CraftedPulse).
    pub crafted: bool,
    /// Steady unpolarised light all through the train, photons per slot.
    pub illumination_photons: f64,
}

impl PulseTrain {
    /// Absolute index of its first slot.
    pub fn start_slot(&self) -> u64 {
        self.start_slot
    }

    /// Number of slots, with light or without.
    pub fn span(&self) -> u32 {
        self.span
    }

    /// Cuts the train at `slot`, which lies within it, and returns what comes from there on.
    pub(crate) fn split_off(&mut self, slot: u64) -> PulseTrain {
        // Within the train, so below its span.
        let offset = (slot - self.start_slot) as u32;
        let first = self.pulses.partition_point(|pulse| pulse.offset < offset);
        let mut pulses = self.pulses.split_off(first);
        for pulse in &mut pulses {
            pulse.offset -= offset;
        }
        let later = PulseTrain {
            start_slot: slot,
            span: self.span - offset,
            pulses,
            extras: self.extras,
        };
        self.span = offset;
        later
    }

    /// First slot after the train. Whoever builds a train sees to it that this does not overflow.
    pub(crate) fn end_slot(&self) -> u64 {
        self.start_slot + u64::from(self.span)
    }
}

/// One pulse that holds light.
pub(crate) struct Pulse {
    /// Slot within the train.
    pub offset: u32,
    /// At least 1; 0 says that it is a [crafted](CraftedPulse) one, whose photons and arrival stand
    /// in `crafted` and whose direction in `state`: whoever looks photons up in a table finds none,
    /// and asks nobody else a question for that.
    pub photons: u8,
    pub state: State,
    /// Zero for every other pulse. Eight digits of the photons, and steps of the arrival.
    pub crafted: [u8; 2],
}

const _: () = assert!(size_of::<Pulse>() == 8, "a pulse fits a machine word");

/// One of the four BB84 states, in two bits: basis (X is 1), then bit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u8);

impl State {
    pub fn new(basis: Basis, bit: bool) -> Self {
        let basis = match basis {
            Basis::Z => 0,
            Basis::X => 2,
        };
        Self(basis | u8::from(bit))
    }

    /// From the low two bits of `code`.
    #[inline]
    pub fn from_code(code: u8) -> Self {
        Self(code & 3)
    }

    /// All of its byte: more than the two bits in a crafted pulse alone.
    pub fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// See [`from_byte`](Self::from_byte).
    #[inline]
    pub fn byte(self) -> u8 {
        self.0
    }

    #[inline]
    pub fn code(self) -> u8 {
        self.0
    }

    #[inline]
    pub fn basis(self) -> Basis {
        if self.0 & 2 == 0 { Basis::Z } else { Basis::X }
    }

    #[inline]
    pub fn bit(self) -> bool {
        self.0 & 1 == 1
    }
}
