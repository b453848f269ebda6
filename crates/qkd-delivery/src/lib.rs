//! Hands keys to applications: one file per delivery standard.
