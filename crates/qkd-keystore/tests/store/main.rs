//! Two stores, a link that breaks, disks that fail, processes that die.

// The helpers of a test may fail it; clippy excuses test functions only.
#![allow(clippy::unwrap_used)]

mod batches;
mod budget;
mod comparing;
mod faults;
mod life;
mod opening;
mod operator;
mod rebalancing;
mod rules;
mod waiting;
mod world;
