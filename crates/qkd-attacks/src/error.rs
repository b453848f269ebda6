//! Why an attack cannot be had.

use crate::KNOWN;

/// A wrong description of an attack: misuse by whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no attack of this name.
    #[error("there is no attack {0:?}, known are: {known}", known = KNOWN.join(", "))]
    UnknownAttack(String),
    /// An argument where there is none.
    #[error("the attack {attack} takes no argument, got {argument:?}")]
    NoArgument {
        /// The attack.
        attack: &'static str,
        /// What was given to it.
        argument: String,
    },
    /// A parameter that the attack does not have, or one that was given twice.
    #[error(
        "the attack {attack} takes {known}, each once, written as {attack}:NAME=VALUE,NAME=VALUE; \
         got {parameter:?}",
        known = known.join(", ")
    )]
    Parameter {
        /// The attack.
        attack: &'static str,
        /// What was given to it.
        parameter: String,
        /// What it takes.
        known: &'static [&'static str],
    },
    /// A parameter with a value that it cannot have.
    #[error("{parameter} of the attack {attack} must be {expected}, got {value:?}")]
    Value {
        /// The attack.
        attack: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// What it was set to.
        value: String,
        /// What is allowed, with its unit.
        expected: String,
    },
}
