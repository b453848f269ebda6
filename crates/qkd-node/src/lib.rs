//! The daemons: sockets, configuration, storage, shutdown.
#![forbid(unsafe_code)]

pub mod config;
pub mod parameters;
pub mod pki;
pub mod presets;
pub mod secret_file;
pub mod shutdown;
pub mod storage;
pub mod telemetry;
pub mod tls;
