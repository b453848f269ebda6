//! What a link does not wait for any longer: a peer that lives and does not go on, and keys that never
//! come out equal.

use qkd_session::{AbortReason, Outcome, Time};

use super::super::{LinkFault, Outflow};
use super::{LinkEngine, Party};

/// Time in which no block here goes on, while one waits for the peer, after which the link ends. Silence
/// ends it sooner, so this takes a peer that says something and not what it owes.
const STANDSTILL_MAX: Time = Time(30_000_000_000_000);

/// From so many bytes that wait on it is the network which is slow: the peer has not heard yet what it is
/// to answer. What a fast network leaves there for a moment is less.
const BACKLOG_BYTES: usize = 64 << 10;

/// Blocks in a row whose keys differed after error correction: chance does not do that once.
const UNEQUAL_MAX: u32 = 16;

/// How long the link has waited, and in vain.
pub(super) struct Patience {
    /// When a block went on last.
    moved: Time,
    /// Bytes that the network had taken of what is said here, when it was last asked.
    taken_bytes: u64,
    /// Blocks whose keys differed, since the last key.
    unequal: u32,
}

impl Patience {
    pub(super) fn new(now: Time) -> Self {
        Self {
            moved: now,
            taken_bytes: 0,
            unequal: 0,
        }
    }

    /// A block took a step here, or reached the key store's decision. What the peer says about blocks
    /// that have ended is no such step.
    pub(super) fn went_on(&mut self, now: Time) {
        self.moved = now;
    }

    /// While a backlog of this side's own becomes less, nobody waits for the peer. One that becomes no
    /// less is a peer which reads nothing, and no reason to wait.
    pub(super) fn network_took(&mut self, now: Time, outflow: Outflow) {
        let Outflow {
            waiting_bytes,
            taken_bytes,
        } = outflow;
        if taken_bytes > self.taken_bytes && waiting_bytes >= BACKLOG_BYTES {
            self.went_on(now);
        }
        self.taken_bytes = taken_bytes;
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
        let Patience { moved, unequal, .. } = self.patience;
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
        let tick = || LinkEvent::Tick {
            demand: true,
            outflow: Outflow::default(),
        };
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
    fn the_peer_is_waited_for_from_when_the_network_has_taken_what_it_is_to_answer() {
        let second = |number: u64| Time(number * 1_000_000_000_000);
        let mut patience = Patience::new(second(0));
        let mut took = |now, waiting_bytes, taken_bytes| {
            let outflow = Outflow {
                waiting_bytes,
                taken_bytes,
            };
            patience.network_took(now, outflow);
            patience.moved
        };
        // 28 MB at 0.8 MB/s, in frames of 4 MB.
        for number in 1..=35 {
            let taken_bytes = number / 5 * 4_000_000;
            let waiting_bytes = 28_000_000 - taken_bytes as usize;
            let moved = took(second(number), waiting_bytes, taken_bytes);
            assert!(number == 35 || second(number).0 - moved.0 <= second(5).0);
        }
        let begun = second(30);
        // All is said, but for signs of life.
        assert_eq!(took(second(36), 0, 28_000_100), begun);
        assert_eq!(took(second(37), 100, 28_000_200), begun);
        // A peer that reads nothing of more is none to wait for either.
        assert_eq!(took(second(38), 4_000_000, 28_000_200), begun);
    }

    #[test]
    fn a_link_on_which_no_block_waits_may_stand_still_for_ever() {
        let (alice, bob) = pair();
        for engine in [&alice, &bob] {
            assert!(engine.check_patience(Time(u64::MAX)).is_ok());
        }
    }
}
