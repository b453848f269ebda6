//! The system tests: real processes on ports the system chose, and the rules of the house.

// The helpers of a test may fail it; clippy excuses test functions only.
#![allow(clippy::unwrap_used)]

mod access;
mod alices_door;
mod architecture;
mod bad_input;
mod bench;
mod bench_delivery;
mod bench_distill;
mod certificates;
mod classical_channel;
mod client;
mod containers;
#[cfg(debug_assertions)]
mod crash_campaign;
#[cfg(debug_assertions)]
mod crashes;
mod dependencies;
mod deployment;
mod etsi014;
mod examples;
mod failing_disk;
mod fibre;
mod garbage;
#[cfg(debug_assertions)]
mod generators;
mod handshake;
mod health;
mod lab;
mod laboratories;
mod messages;
mod messages_relay;
mod metrics;
mod package;
mod plan;
mod plan_accept;
mod process;
mod quantum_channel;
mod restart;
mod store;
mod support;
mod tap;
