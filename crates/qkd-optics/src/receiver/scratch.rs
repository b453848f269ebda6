//! Room for one block of pulses on their way to clicks.

use zeroize::{DefaultIsZeroes, Zeroize};

use super::outcome::Outcome;

/// Pulses that are looked at together: few enough to stay in the first two levels of cache.
pub(super) const BLOCK_PULSES: usize = 1024;

/// Reused from block to block, wiped at the end: outcomes are Bob's secrets.
pub(super) struct Scratch {
    /// 32 uniform bits for each pulse.
    pub words: [u32; BLOCK_PULSES],
    /// What became of each pulse, also of those that fired nothing: their basis counts when a dark
    /// count falls into the slot.
    pub outcomes: [Outcome; BLOCK_PULSES],
    /// Those that fired, in slot order.
    pub fired: [Click; BLOCK_PULSES],
    /// Those among them that fell into no dead time.
    pub registered: [Click; BLOCK_PULSES],
}

/// A click before it is announced: slot within the train, and below it the outcome, in one word.
#[derive(Clone, Copy, Default)]
pub(super) struct Click(u64);

// Slot 0 and nothing fired is zero.
impl DefaultIsZeroes for Click {}

impl Click {
    #[inline]
    pub fn new(offset: u32, outcome: Outcome) -> Self {
        Self(u64::from(offset) << 8 | u64::from(outcome.code()))
    }

    /// The same slot with another outcome.
    pub fn with(self, outcome: Outcome) -> Self {
        Self(self.0 >> 8 << 8 | u64::from(outcome.code()))
    }

    /// Slot within the train.
    #[inline]
    pub fn offset(self) -> u64 {
        self.0 >> 8
    }

    #[inline]
    pub fn outcome(self) -> Outcome {
        Outcome::from_code(self.0 as u8)
    }
}

impl Scratch {
    pub fn new() -> Box<Self> {
        Box::new(Self {
            words: [0; BLOCK_PULSES],
            outcomes: [Outcome::default(); BLOCK_PULSES],
            fired: [Click::default(); BLOCK_PULSES],
            registered: [Click::default(); BLOCK_PULSES],
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.words.zeroize();
        self.outcomes.zeroize();
        self.fired.zeroize();
        self.registered.zeroize();
    }
}
