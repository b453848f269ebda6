//! Hands keys to applications: one file per delivery standard.
//!
//! It learns who calls from the client certificate, asks the key store through the [`KeySource`]
//! port and answers in the words of the standard. It never opens a socket, never stores or logs a
//! key, and never gives a key to a caller whose certificate does not name it.

#![forbid(unsafe_code)]

mod access;
mod directory;
mod error;
pub mod etsi014;
mod grpc;
mod identity;
mod source;

pub use access::{
    Access, Api, Audit, Fault, Grant, NoAudit, Origin, OverQuota, Rejection, SaeQuota, Written,
};
pub use directory::{Directory, Kme, KmeId};
pub use error::Error;
pub use etsi014::Etsi014;
pub use grpc::{GrpcKeyDelivery, REQUEST_BYTES_MAX, Server};
pub use identity::{Caller, CallerInterceptor, IdentityRule, serial_of};
pub use source::{Answer, FetchRequest, KeySource, Pool, RequestLimits};
