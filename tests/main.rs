//! The system tests: real processes on ports the system chose, and the rules of the house.

mod architecture;
mod dependencies;
mod deployment;
