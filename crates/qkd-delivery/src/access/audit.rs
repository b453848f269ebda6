//! What the audit log hears of deliveries: the port that a node fills.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use qkd_keystore::{KeyId, SaeId};

/// The moment at which a line is durable, or why it will not be.
pub type Written<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// The audit log as deliveries see it.
///
/// It hears of identities of keys, never of keys.
pub trait Audit: Send + Sync + 'static {
    /// Whether deliveries can be written down now: when not, none is made.
    ///
    /// # Errors
    /// Why not, in words for an operator.
    fn check(&self) -> Result<(), String>;

    /// Keys are about to leave: they do when this is durable, and are burnt when it fails.
    fn granted<'a>(&'a self, grant: &Grant<'_>) -> Written<'a>;

    /// A call was refused. Waits for nothing.
    fn refused(&self, refusal: &Rejection<'_>);
}

/// An audit log that keeps nothing: for tests and measurements.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn granted<'a>(&'a self, _: &Grant<'_>) -> Written<'a> {
        Box::pin(async { Ok(()) })
    }

    fn refused(&self, _: &Rejection<'_>) {}
}

/// The standard that a call was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// ETSI GS QKD 014 over HTTPS.
    Etsi014,
    /// `qkd.delivery.v1` over gRPC.
    Grpc,
}

impl Api {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Api::Etsi014 => "etsi014",
            Api::Grpc => "grpc",
        }
    }
}

/// Where a call came from. Travels with a request as an extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address, where it is known.
    pub address: Option<SocketAddr>,
    /// Serial number of the caller's certificate in hexadecimal digits; empty when there is none.
    pub certificate: String,
}

/// Keys that are about to leave.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// The standard of the call.
    pub api: Api,
    /// The call, by the name that the standard has for it.
    pub call: &'static str,
    /// Who is given them.
    pub caller: &'a SaeId,
    /// Whom they are shared with: the slaves of a master, the master of a slave.
    pub partners: &'a [SaeId],
    /// Where the call came from.
    pub origin: &'a Origin,
    /// Their identities.
    pub key_ids: &'a [KeyId],
    /// Size of each in bits.
    pub size_bits: u32,
}

/// A call that was refused.
#[derive(Debug, Clone, Copy)]
pub struct Rejection<'a> {
    /// The standard of the call.
    pub api: Api,
    /// The call, by the name that the standard has for it.
    pub call: &'static str,
    /// Who called; nothing when the certificate names nobody.
    pub caller: Option<&'a SaeId>,
    /// Where the call came from.
    pub origin: &'a Origin,
    /// Whose fault it is.
    pub fault: Fault,
    /// Why, in the words that the caller was told.
    pub reason: &'a str,
}

/// Why a call was refused, sorted as somebody who reads the log wants to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The caller is not who may have this.
    Identity,
    /// The request is not one, or asks for what there is not.
    Request,
    /// The caller took too much.
    Quota,
    /// There are no keys, or the node cannot give any now.
    Unavailable,
}

impl Fault {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Identity => "identity",
            Fault::Request => "request",
            Fault::Quota => "quota",
            Fault::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
