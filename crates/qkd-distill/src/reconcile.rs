//! Error correction: one file per method behind two small traits, one for each role.

use qkd_bits::BitString;

use crate::{Disclosed, Error, ReconciledKey, SiftedKey};

pub mod cascade;

use cascade::{CascadeAlice, CascadeBob, CascadePlan};

/// The methods of error correction there are, with their public parameters.
#[derive(Debug, Clone)]
pub enum Method {
    /// Interactive parity bisection.
    Cascade(CascadePlan),
}

impl Method {
    /// Alice's role of this method over her key.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the plan does not fit the key.
    pub fn referee(&self, key: SiftedKey) -> Result<Box<dyn Referee>, Error> {
        match self {
            Method::Cascade(plan) => Ok(Box::new(CascadeAlice::new(key, plan.clone())?)),
        }
    }

    /// Bob's role of this method over his key.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the plan does not fit the key.
    pub fn corrector(&self, key: SiftedKey) -> Result<Box<dyn Corrector>, Error> {
        match self {
            Method::Cascade(plan) => Ok(Box::new(CascadeBob::new(key, plan.clone())?)),
        }
    }
}

/// What Alice does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these parities.
    Parities(BitString),
    /// Nothing is left to ask: [`Referee::finish`].
    Finished,
}

/// What Bob answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// One bit per parity received, set where his own parity differs. Always to be sent.
    pub differs: BitString,
    /// Whether nothing will be asked after this one: [`Corrector::finish`].
    pub finished: bool,
}

/// Alice's role: her key is the truth, she tells parities of it.
pub trait Referee: Send {
    /// The first parities. Asking again gives the same bits and discloses nothing new.
    fn begin(&self) -> BitString;

    /// Takes Bob's answer to the last parities and gives the next ones.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] for an answer of the wrong length; nothing has changed then.
    fn answer(&mut self, differs: &BitString) -> Result<Step, Error>;

    /// Bits of the key that taking the next message probably goes through, however short that is:
    /// none while sub-blocks are halved, all of them when a pass opens or nothing is left to ask.
    fn next_scan_bits(&self) -> usize;

    /// What has been sent so far.
    fn disclosed(&self) -> Disclosed;

    /// Hands the key on.
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`Step::Finished`].
    fn finish(self: Box<Self>) -> Result<ReconciledKey, Error>;
}

/// Bob's role: he compares, and corrects his key.
pub trait Corrector: Send {
    /// Takes Alice's parities, corrects what they locate, and gives the answer to send.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] for a message of the wrong length; nothing has changed then.
    fn compare(&mut self, parities: &BitString) -> Result<Comparison, Error>;

    /// Bits of the key that taking the next message probably goes through, however short that is:
    /// none while sub-blocks are halved, all of them when a pass opens or nothing is left to ask.
    fn next_scan_bits(&self) -> usize;

    /// What has been sent so far.
    fn disclosed(&self) -> Disclosed;

    /// Hands the corrected key on.
    ///
    /// # Errors
    /// [`Error::Misuse`] before [`Comparison::finished`].
    fn finish(self: Box<Self>) -> Result<ReconciledKey, Error>;
}
