//! Bytes to messages and back: the only crate that knows protobuf.
#![forbid(unsafe_code)]

pub mod proto;
