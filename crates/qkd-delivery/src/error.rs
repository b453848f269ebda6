//! Why a caller gets no keys, sorted by who is to blame.

use std::time::Duration;

use qkd_keystore::{InvalidId, RequestError, SaeId};

use crate::access::{Fault, OverQuota};
use crate::{IdentityRule, KmeId};

/// Why a request was not answered with keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // Malformed
    /// A field of the request is no name.
    #[error("{field}: {source}")]
    Name {
        /// The field, as in the `.proto` file.
        field: &'static str,
        /// What is wrong with it.
        source: InvalidId,
    },
    /// The number of identities is out of range.
    #[error("number of key_IDs is {number}, it shall be 1 to {max}")]
    KeyIdCount {
        /// Identities received.
        number: usize,
        /// Most that one request may name.
        max: u32,
    },
    /// The certificate is no X.509 certificate.
    #[error("the client certificate cannot be read: {problem}")]
    Certificate {
        /// What is wrong with it.
        problem: String,
    },
    // PeerMisbehaved: the caller broke a rule
    /// The connection carries no client certificate.
    #[error("a client certificate is required")]
    NoCertificate,
    /// The certificate does not name an application.
    #[error("the client certificate names no SAE: its {rule} was expected to")]
    NoIdentity {
        /// Where the name was looked for.
        rule: IdentityRule,
    },
    /// The certificate names more than one application.
    #[error("the client certificate names {number} SAEs in its {rule}: expected exactly one")]
    AmbiguousIdentity {
        /// Where the name was looked for.
        rule: IdentityRule,
        /// Names found.
        number: usize,
    },
    /// The name in the certificate cannot be the name of an application.
    #[error("the name in the client certificate's {rule} is no SAE ID: {problem}")]
    UnusableIdentity {
        /// Where the name was found.
        rule: IdentityRule,
        /// What is wrong with it.
        problem: String,
    },
    /// The caller is no application of this entity.
    #[error("SAE {caller} is not served by {kme}")]
    NotServedHere {
        /// Who calls.
        caller: SaeId,
        /// This entity.
        kme: KmeId,
    },
    /// A named application is in nobody's configuration.
    #[error("SAE {sae} is unknown")]
    UnknownSae {
        /// The name received.
        sae: SaeId,
    },
    /// A named application is at this end of the link, where no shared key can be made for it.
    #[error(
        "SAE {sae} is served by the same KME as the caller: keys are shared with the other end"
    )]
    SameSide {
        /// The name received.
        sae: SaeId,
    },
    /// A slave is named twice.
    #[error("SAE {sae} is named as slave twice")]
    DuplicateSlave {
        /// The name received.
        sae: SaeId,
    },
    // Misuse: the configuration breaks a rule
    /// The name of a key-management entity is empty or too long.
    #[error("a KME ID has 1 to 256 bytes, this one has {bytes}")]
    KmeName {
        /// Bytes given.
        bytes: usize,
    },
    /// An application is configured twice.
    #[error("SAE {sae} is configured twice")]
    DuplicateSae {
        /// The application.
        sae: SaeId,
    },
    /// The caller took as much as it may for now.
    #[error("SAE {sae} is over its quota: {quota}")]
    OverQuota {
        /// Who called.
        sae: SaeId,
        /// What there is too much of.
        quota: OverQuota,
        /// When it may come again.
        retry_after: Duration,
    },
    // Nobody's fault, or for the store to say
    /// The delivery cannot be written down, and so is not made.
    #[error("no keys are delivered: the audit log cannot be written ({reason})")]
    Audit {
        /// Why not.
        reason: String,
    },
    /// The store has no answer with keys.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The store did not answer in time.
    #[error("the key store did not answer within {} ms", .limit.as_millis())]
    DeadlineExceeded {
        /// The time it had.
        limit: Duration,
    },
}

impl Error {
    /// Whose fault it is, as the audit log sorts refusals.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Error::Name { .. }
            | Error::KeyIdCount { .. }
            | Error::UnknownSae { .. }
            | Error::SameSide { .. }
            | Error::DuplicateSlave { .. } => Fault::Request,
            Error::Certificate { .. }
            | Error::NoCertificate
            | Error::NoIdentity { .. }
            | Error::AmbiguousIdentity { .. }
            | Error::UnusableIdentity { .. }
            | Error::NotServedHere { .. } => Fault::Identity,
            Error::OverQuota { .. } => Fault::Quota,
            Error::Audit { .. }
            | Error::KmeName { .. }
            | Error::DuplicateSae { .. }
            | Error::DeadlineExceeded { .. } => Fault::Unavailable,
            Error::Request(error) => fault_of(error),
        }
    }
}

fn fault_of(error: &RequestError) -> Fault {
    match error {
        RequestError::BadNumber { .. }
        | RequestError::SizeNotBytes { .. }
        | RequestError::BadSize { .. }
        | RequestError::BadSlaves { .. }
        | RequestError::DuplicateKeyId
        | RequestError::NotFound => Fault::Request,
        RequestError::NotNamedAsSlave { .. } => Fault::Identity,
        RequestError::TooManyUnfetched => Fault::Quota,
        RequestError::TooFewKeys { .. }
        | RequestError::TooManyRequests
        | RequestError::PeerUnavailable
        | RequestError::PeerRefused { .. }
        | RequestError::Sealed => Fault::Unavailable,
    }
}
