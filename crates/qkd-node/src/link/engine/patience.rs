//! What a link does not wait for any longer: a peer that lives and does not go on, and keys that never
//! come out equal.

use qkd_session::{AbortReason, Outcome, Time};

use super::super::LinkFault;
use super::{LinkEngine, Party};

/// Time in which no block here goes on, while one waits for the peer, after which the link ends. Silence
/// ends it sooner, so this takes a peer that says something and not what it owes.
const STANDSTILL_MAX: Time = Time(30_000_000_000_000);

/// Blocks in a row whose keys differed after error correction: chance does not do that once.
const UNEQUAL_MAX: u32 = 16;

/// How long the link has waited, and in vain.
pub(super) struct Patience {
    /// When a block went on last.
    moved: Time,
    /// Blocks whose keys differed, since the last key.
    unequal: u32,
}

impl Patience {
    pub(super) fn new(now: Time) -> Self {
        Self {
            moved: now,
            unequal: 0,
        }
    }

    /// A block took a step here, or reached the key store's decision. What the peer says about blocks
    /// that have ended is no such step.
    pub(super) fn went_on(&mut self, now: Time) {
        self.moved = now;
    }

    pub(super) fn ended(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Key { .. } => self.unequal = 0,
            Outcome::Aborted(abort) => match abort.reason {
                AbortReason::VerificationFailed => self.unequal += 1,
                AbortReason::QberTooHigh
                | AbortReason::TooFewDetections
                | AbortReason::ZeroLength
                | AbortReason::Alarm(_) => {}
            },
        }
    }
}

impl LinkEngine {
    pub(super) fn check_patience(&self, now: Time) -> Result<(), LinkFault> {
        let Patience { moved, unequal } = self.patience;
        if unequal >= UNEQUAL_MAX {
            return Err(LinkFault::Unequal { blocks: unequal });
        }
        let waited = now.0.saturating_sub(moved.0);
        match self.first_waiting() {
            Some(block) if waited > STANDSTILL_MAX.0 => Err(LinkFault::Standstill {
                block,
                seconds: waited as f64 * 1e-12,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The first block that waits for the peer: to be told something, or to be committed.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        let told = match &self.party {
            Party::Alice(alice) => alice.first_waiting(),
            Party::Bob(bob) => bob.first_waiting(),
        };
        told.or_else(|| self.reports.keys().next().copied())
    }
}

#[cfg(test)]
mod tests {
    use qkd_session::Abort;

    use super::super::tests::pair;
    use super::*;
    use crate::link::LinkEvent;

    fn aborted(reason: AbortReason) -> Outcome {
        Outcome::Aborted(Abort {
            reason,
            observed: 0.0,
            limit: 0.0,
        })
    }

    #[test]
    fn sixteen_blocks_in_a_row_with_unequal_keys_end_the_link_and_fewer_do_not() {
        let (mut alice, _) = pair();
        let tick = || LinkEvent::Tick { demand: true };
        let key = Outcome::Key {
            secret_length_bits: 9,
        };
        for _ in 1..UNEQUAL_MAX {
            alice
                .patience
                .ended(&aborted(AbortReason::VerificationFailed));
            alice.patience.ended(&aborted(AbortReason::QberTooHigh));
        }
        assert!(alice.handle(Time(0), tick()).is_ok());
        alice.patience.ended(&key);
        for _ in 1..UNEQUAL_MAX {
            alice
                .patience
                .ended(&aborted(AbortReason::VerificationFailed));
        }
        assert!(alice.handle(Time(0), tick()).is_ok());
        alice
            .patience
            .ended(&aborted(AbortReason::VerificationFailed));
        let fault = alice.handle(Time(0), tick()).err().map(LinkFault::from);
        assert!(matches!(fault, Some(LinkFault::Unequal { blocks: 16 })));
    }

    #[test]
    fn a_link_on_which_no_block_waits_may_stand_still_for_ever() {
        let (alice, bob) = pair();
        for engine in [&alice, &bob] {
            assert!(engine.check_patience(Time(u64::MAX)).is_ok());
        }
    }
}
