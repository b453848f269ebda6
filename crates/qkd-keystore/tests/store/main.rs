//! Two stores, a link that breaks, disks that fail, processes that die.

mod faults;
mod opening;
mod rules;
mod world;
