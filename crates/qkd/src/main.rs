//! Quantum key distribution on your own machine: Alice, Bob, Eve and the laboratory.

fn main() {}
