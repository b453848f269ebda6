//! Seals and opens application messages under delivered keys.
