//! Cascade driven by its transcript (Brassard and Salvail, EUROCRYPT '93, with the re-use of known
//! sub-blocks of Martinez-Mateo et al., arXiv:1407.3257, and a second pass sorted by what the first
//! one told, after Pacher et al., ISIT 2015, p. 730).
//!
//! Alice sends one bit per parity, Bob answers one comparison bit per parity, and from those bits
//! alone both know which sub-blocks still hold errors and hence which parities come next: no
//! position ever travels, and the leakage is exactly the bits on the wire. All parities that can
//! be asked at one time travel in one message.
//!
//! 1. Blocks of the key as it is, 0.57 to 1.13 expected errors in each; odd ones are halved until
//!    every one has given an error.
//! 2. The same over a random order, the bits of blocks that were even first and in smaller blocks.
//!    Each correction makes leaves of the other pass odd, which are halved in turn: first all of
//!    one pass, then all of the other.
//! 3. When few are left: a third order with eight blocks to a piece of the key, and the
//!    parities of 16 random subsets of the key. What they still find is hunted down one by one.
//!
//! While many errors are left nothing is corrected on the way down from an odd leaf: one number for
//! each is all there is to halve, and corrections, cuts and what they make odd in the other pass are
//! worked out for all of them at the end. Random orders move words, not bits, parities are
//! differences of two prefixes, and leaves are bits in a map: what this takes grows with the
//! questions asked, not with the length of the key.
//!
//! Of 10,000 blocks of 65,536 bits at each of 1, 3, 5, 8 and 11 % none was left with an error (less
//! than 3.7·10⁻⁴ of blocks, 95 % interval), at f = 1.050, 1.048, 1.058, 1.077 and 1.089, in 148, 152,
//! 128, 111 and 129 rounds on average:
//! `cargo run --release -p qkd-distill --example inefficiency -- 65536 10000 1 3 5 8 11`.

use qkd_bits::BitString;

use super::{Comparison, Corrector, Referee, Step};
use crate::{Disclosed, Error, KEY_BITS_MAX, ReconciledKey, SiftedKey};

mod arrangement;
mod instructions;
mod layout;
mod leaves;
mod packed;
mod parities;
mod schedule;
mod sieve;
mod tiles;

use arrangement::Arrangement;
use instructions::Instructions;
use schedule::Schedule;

/// The public parameters of one run, the same on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct CascadePlan {
    /// Length of both sifted keys.
    pub key_bits: usize,
    /// Expected error rate, from the previous block or the test basis. Wrong by a factor of three
    /// costs efficiency, not correctness. Values beyond 0.25 act as 0.25.
    pub prior_qber: f64,
    /// What the permutations and subsets are drawn from: uniform, and announced fresh for each
    /// block after the sifting.
    pub seed: [u8; 32],
}

impl CascadePlan {
    fn check(&self, key: &SiftedKey) -> Result<(), Error> {
        if key.is_empty() || key.len() > KEY_BITS_MAX {
            return Err(Error::Misuse {
                what: "bits of a sifted key to reconcile",
                expected: "1 to KEY_BITS_MAX",
                given: key.len() as u64,
            });
        }
        if self.key_bits != key.len() {
            return Err(Error::Misuse {
                what: "key bits of the plan",
                expected: "the length of the sifted key",
                given: self.key_bits as u64,
            });
        }
        if !(0.0..=1.0).contains(&self.prior_qber) {
            return Err(Error::Misuse {
                what: "prior error rate of the plan, as IEEE 754 bits",
                expected: "a number from 0 to 1",
                given: self.prior_qber.to_bits(),
            });
        }
        Ok(())
    }
}

/// Alice's role in Cascade.
pub struct CascadeAlice {
    schedule: Schedule,
    key: Arrangement,
}

impl CascadeAlice {
    /// Starts over `key`, as `plan` says.
    ///
    /// # Errors
    /// [`Error::Misuse`] for an empty or too long key, or a plan that does not fit it.
    pub fn new(key: SiftedKey, plan: CascadePlan) -> Result<Self, Error> {
        Self::with(Instructions::best(), key, plan)
    }

    fn with(instructions: Instructions, key: SiftedKey, plan: CascadePlan) -> Result<Self, Error> {
        plan.check(&key)?;
        let schedule = Schedule::new(&plan, instructions);
        let key = Arrangement::new(key, &schedule, instructions);
        Ok(Self { schedule, key })
    }

    /// The first parities. Asking again gives the same bits and discloses nothing new.
    pub fn begin(&self) -> BitString {
        self.key.parities(&self.schedule)
    }

    /// Takes Bob's answer to the last parities and gives the next ones.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] for an answer of the wrong length or after the end; nothing has
    /// changed then.
    pub fn answer(&mut self, differs: &BitString) -> Result<Step, Error> {
        expect_length("comparison", &self.schedule, differs)?;
        self.schedule.absorb(differs);
        if self.schedule.is_finished() {
            return Ok(Step::Finished);
        }
        self.key.open_passes(&self.schedule);
        Ok(Step::Parities(self.key.parities(&self.schedule)))
    }

    /// What has been sent so far, the parities now due included.
    pub fn disclosed(&self) -> Disclosed {
        self.schedule.disclosed()
    }

    /// Hands the key on.
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`Step::Finished`]; the key is wiped.
    pub fn finish(self) -> Result<ReconciledKey, Error> {
        hand_on(self.schedule, self.key)
    }
}

/// Bob's role in Cascade.
pub struct CascadeBob {
    schedule: Schedule,
    key: Arrangement,
}

impl CascadeBob {
    /// Starts over `key`, as `plan` says.
    ///
    /// # Errors
    /// [`Error::Misuse`] for an empty or too long key, or a plan that does not fit it.
    pub fn new(key: SiftedKey, plan: CascadePlan) -> Result<Self, Error> {
        Self::with(Instructions::best(), key, plan)
    }

    fn with(instructions: Instructions, key: SiftedKey, plan: CascadePlan) -> Result<Self, Error> {
        plan.check(&key)?;
        let schedule = Schedule::new(&plan, instructions);
        let key = Arrangement::new(key, &schedule, instructions);
        Ok(Self { schedule, key })
    }

    /// Takes Alice's parities, corrects what they locate, and gives the answer to send.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] for a message of the wrong length or after the end; nothing has
    /// changed then.
    pub fn compare(&mut self, parities: &BitString) -> Result<Comparison, Error> {
        expect_length("parities", &self.schedule, parities)?;
        let own = self.key.parities(&self.schedule);
        let words = own.words().iter().zip(parities.words());
        let differs = BitString::from_words(words.map(|(a, b)| a ^ b).collect(), own.len());
        let flips = self.schedule.absorb(&differs);
        self.key.flip(flips);
        self.key.open_passes(&self.schedule);
        Ok(Comparison {
            differs,
            finished: self.schedule.is_finished(),
        })
    }

    /// What has been sent so far, the parities now due included.
    pub fn disclosed(&self) -> Disclosed {
        self.schedule.disclosed()
    }

    /// Hands the corrected key on.
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`Comparison::finished`]; the key is wiped.
    pub fn finish(self) -> Result<ReconciledKey, Error> {
        hand_on(self.schedule, self.key)
    }
}

impl Referee for CascadeAlice {
    fn begin(&self) -> BitString {
        self.begin()
    }

    fn answer(&mut self, differs: &BitString) -> Result<Step, Error> {
        self.answer(differs)
    }

    fn next_scan_bits(&self) -> usize {
        self.schedule.next_scan_bits()
    }

    fn disclosed(&self) -> Disclosed {
        self.disclosed()
    }

    fn finish(self: Box<Self>) -> Result<ReconciledKey, Error> {
        (*self).finish()
    }
}

impl Corrector for CascadeBob {
    fn compare(&mut self, parities: &BitString) -> Result<Comparison, Error> {
        self.compare(parities)
    }

    fn next_scan_bits(&self) -> usize {
        self.schedule.next_scan_bits()
    }

    fn disclosed(&self) -> Disclosed {
        self.disclosed()
    }

    fn finish(self: Box<Self>) -> Result<ReconciledKey, Error> {
        (*self).finish()
    }
}

fn expect_length(what: &'static str, schedule: &Schedule, bits: &BitString) -> Result<(), Error> {
    let expected = schedule.questions();
    if schedule.is_finished() || bits.len() != expected {
        return Err(Error::PeerMisbehaved {
            what,
            expected,
            given: bits.len(),
        });
    }
    Ok(())
}

fn hand_on(schedule: Schedule, key: Arrangement) -> Result<ReconciledKey, Error> {
    if !schedule.is_finished() {
        return Err(Error::Misuse {
            what: "parities still due when reconciliation was to end",
            expected: "none",
            given: schedule.questions() as u64,
        });
    }
    Ok(ReconciledKey {
        disclosed: schedule.disclosed(),
        errors: schedule.into_errors(),
        bits: key.into_bits(),
    })
}

#[cfg(test)]
mod tests;
