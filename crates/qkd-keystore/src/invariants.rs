//! What must hold of two stores whatever happens to them, checked from what was seen of them.
//!
//! A [`Checker`] is told, in the order in which they were seen, the [`Event`]s of a history: answers
//! that applications got, refusals, commits, restarts, numbers that were used. It knows nothing of
//! how stores work and says which [`Invariant`] a history broke, with the evidence in words. The same
//! checker serves stores in memory, the simulator and real processes that are killed.
//!
//! It holds no key: of a key's bytes it keeps hashes ([`KeyDigest`]). Key material is random, so the
//! same eight bytes under two identities mean that bytes were used twice.

mod checker;
mod event;
mod keys;
mod once;
#[cfg(test)]
mod tests;

use std::fmt;

pub use checker::{Checker, Counts};
pub use event::{Event, KeyDigest, Refusal, SeenKey, Standing};
pub use keys::Owed;

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: what both sides deliver or count, they deliver and count alike.
    Agreement,
    /// I2: the bytes of a key leave each side at most once for each application named.
    SingleUse,
    /// I3: a key that the owner's application got is there for its partner, until it expires.
    NothingLost,
    /// I4: no key of a block that was thrown away, on either side.
    OnlyCommitted,
    /// I5: no number that must never repeat (counter, nonce, bit of a pad) is used twice.
    NoRepetition,
    /// I7: a key goes to the applications that it was named for, at their side, and to no other.
    OnlyNamed,
    /// I8: genuine traffic that is played again changes nothing.
    ReplaysAreIdle,
    /// I12: what was counted stays counted, over any restart.
    CountsOnlyGrow,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::Agreement => "I1 (agreement)",
            Invariant::SingleUse => "I2 (single use)",
            Invariant::NothingLost => "I3 (nothing lost)",
            Invariant::OnlyCommitted => "I4 (only committed blocks)",
            Invariant::NoRepetition => "I5 (no repetition)",
            Invariant::OnlyNamed => "I7 (only the named application)",
            Invariant::ReplaysAreIdle => "I8 (replays are idle)",
            Invariant::CountsOnlyGrow => "I12 (counts only grow)",
        })
    }
}

/// One invariant broken once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// The event that showed it, counted from 1; one more than there were when the end showed it.
    pub event: u64,
    /// What was seen, in a sentence.
    pub evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            invariant,
            event,
            evidence,
        } = self;
        write!(f, "{invariant}, event {event}: {evidence}")
    }
}

/// The violations of a whole history, after which everything was healed and fetched.
pub fn check(history: impl IntoIterator<Item = Event>) -> Vec<Violation> {
    let mut checker = Checker::new();
    for event in history {
        checker.see(event);
    }
    checker.close();
    checker.violations().to_vec()
}
