//! What an attack has done, and what it has brought her.

use crate::Notebook;
use crate::notebook::Note;

/// What every attack keeps: its tally and Eve's notes.
#[derive(Default)]
pub struct Record {
    /// What it has done so far.
    pub tally: AttackTally,
    /// What Eve knows of the bits by it, if that is anything.
    pub notebook: Notebook,
}

impl Record {
    /// A pulse of hers has left for this slot, of which she knows so much. Slots rise.
    pub(crate) fn sent(&mut self, slot: u64, note: Note) {
        self.tally.resent += 1;
        self.notebook.write(slot, note);
    }
}

/// What an attack has done, in pulses that held light.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttackTally {
    /// Pulses that came by.
    pub pulses_seen: u64,
    /// Pulses that were measured.
    pub intercepted: u64,
    /// Pulses that were sent in their place.
    pub resent: u64,
    /// Photons that Bob's detectors gave off and that she caught.
    pub caught: u64,
}

impl AttackTally {
    /// This and another one together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            pulses_seen: self.pulses_seen + other.pulses_seen,
            intercepted: self.intercepted + other.intercepted,
            resent: self.resent + other.resent,
            caught: self.caught + other.caught,
        }
    }
}
