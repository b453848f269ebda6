//! Why an attack cannot be had.

use crate::KNOWN;

/// A wrong description of an attack: misuse by whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no attack of this name.
    #[error("there is no attack {0:?}, known are: {known}", known = KNOWN.join(", "))]
    UnknownAttack(String),
    /// The fraction is no number from 0 to 1.
    #[error("the fraction {0:?} of an attack must be a number from 0 to 1")]
    Fraction(String),
    /// An argument where there is none.
    #[error("the attack {attack} takes no argument, got {argument:?}")]
    NoArgument {
        /// The attack.
        attack: &'static str,
        /// What was given to it.
        argument: String,
    },
}
