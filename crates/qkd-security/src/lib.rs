//! Key-length theorems, concentration bounds and channel formulas.
