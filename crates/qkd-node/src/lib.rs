//! The daemons: sockets, configuration, storage, shutdown.
//!
//! A thin shell: what decides anything is in the engines below, which this crate feeds with
//! frames, envelopes, requests and time. It never looks inside light or keys.
#![forbid(unsafe_code)]

pub mod audit;
pub mod bench;
pub mod config;
mod daemon;
pub mod fail_point;
mod hub;
mod link;
mod mailbox;
mod metrics;
pub mod parameters;
pub mod pki;
pub mod presets;
mod quantum;
mod relay;
mod room;
pub mod secret_file;
mod services;
pub mod shutdown;
mod status;
pub mod storage;
pub mod telemetry;
pub mod tls;
pub mod words;

pub use daemon::{NodeError, Ready, run};
