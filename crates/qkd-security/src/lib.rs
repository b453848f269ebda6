//! Key-length theorems of quantum key distribution.
//!
//! With the concentration bounds they rest on, the channel formulas that predict their input, and
//! the acceptance test that a fixed key length needs. This crate never sees a key bit, a basis or
//! a detection: it takes counts and gives lengths. It draws no randomness and knows no clock, file
//! or socket.
//!
//! Conventions everywhere: the key is made in Z and tested in X; index 0 of a pair is the signal
//! (the larger intensity), index 1 the decoy; lengths are bits, probabilities per slot unless they
//! say "per detection".

#![forbid(unsafe_code)]

mod acceptance;
pub mod back_flash;
pub mod bbm92;
pub mod bisection;
mod channel;
pub mod chsh;
pub mod concentration;
pub mod decoy;
pub mod dps;
mod entropy;
mod error;
pub mod evaluation;
mod figure;
pub mod gg02;
pub mod gllp;
pub mod lim2014;
pub mod mathematics;
pub mod maximisation;
pub mod mdi;
mod parameters;
pub mod planning;
mod range;
#[cfg(test)]
mod reference_table;
pub mod repeater;
pub mod repeaterless;
pub mod rusca2018;
mod side_channels;
pub mod six_state;
mod spent;
mod standing;
mod statistics;
mod theorem;
pub mod tomamichel2012;
pub mod trojan_horse;
pub mod twin_field;
pub mod wiesemann2024;

pub use acceptance::{
    Acceptance, Accepted, BlockPlan, HonestBlock, Margin, Refusal, RefusalChance, Requirement,
    cascade_inefficiency_max,
};
pub use channel::{ClassExpected, Expected, LinkModel, Spread};
pub use entropy::binary_entropy;
pub use error::Error;
pub use figure::Figure;
pub use parameters::{DecoySource, IntensityClass, SecurityParameters, TestedBasis};
pub use side_channels::{Exposure, SideChannelCharge, SideChannels};
pub use spent::Spent;
pub use standing::Standing;
pub use statistics::{BasisStatistics, Leakage, Statistics};
pub use theorem::{KeyLength, Theorem};
