//! Reconciles, verifies and amplifies: from a sifted key to a secret one.
