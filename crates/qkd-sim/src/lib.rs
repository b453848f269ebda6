//! Both ends of a link, the fibre and Eve in one thread on a virtual clock.
//!
//! The engines are the very ones the daemons run; only the sockets are missing. A run depends on
//! nothing but its [`Link`]: the same seed gives the same transcript on every machine. Nothing here
//! lets Alice and Bob share state: they meet through messages and frames.

#![forbid(unsafe_code)]

mod alice;
mod bob;
mod eve;
mod false_alarms;
mod frame_loss;
mod link;
mod man_in_the_middle;
mod photons;
mod quantum_channel;
mod stores;
mod transcript;

#[cfg(test)]
mod tests;

pub use eve::{Eve, EveScore, EveShare, EveSite, GuessCount};
pub use false_alarms::FalseAlarms;
pub use frame_loss::FrameLoss;
pub use link::{Error, Link, Outcome, presets};
pub use man_in_the_middle::{Authentication, ManInTheMiddle, TwoSessions};
pub use photons::{Deviation, Eavesdropped, PhotonCounts};
pub use stores::KeyPair;
pub use transcript::{Told, Transcript};
