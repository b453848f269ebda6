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

/// A click before it is announced.
#[derive(Clone, Copy, Default)]
pub(super) struct Click {
    /// Slot within the train.
    pub offset: u32,
    pub outcome: Outcome,
}

// An offset and an outcome, both of which are zero by default.
impl DefaultIsZeroes for Click {}

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
