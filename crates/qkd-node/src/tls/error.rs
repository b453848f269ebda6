//! What can be wrong with the files of a certificate.

use std::path::{Path, PathBuf};

use crate::secret_file::SecretFileError;

/// Why the TLS files of a node, or the certificate of its peer, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate file cannot be read.
    #[error("{}: cannot read the {what}: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The private key is missing or open to other users.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// No PEM, or PEM of something else.
    #[error("{}: expected PEM with {expected}: {reason}", .file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What the parser said.
        reason: String,
    },
    /// PEM, but not of a certificate or key that can be used.
    #[error("{}: unusable: {reason}", .file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// The private key belongs to another certificate.
    #[error(
        "{}: this private key does not belong to the certificate {}; expected the key that was made with it",
        .file.display(), .certificate.display()
    )]
    KeyMismatch {
        /// The file of the private key.
        file: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// Outside the dates of a certificate.
    #[error(
        "{}: the certificate of {subject:?} is valid from {not_before} to {not_after}, and it is {now} now; expected a certificate in force: renew it with `qkd pki renew`, or is the clock wrong?",
        .file.display()
    )]
    NotInForce {
        /// The file.
        file: PathBuf,
        /// Whose certificate.
        subject: String,
        /// First moment of validity, UTC.
        not_before: String,
        /// Last moment of validity, UTC.
        not_after: String,
        /// Time of the check, UTC.
        now: String,
    },
    /// The authority did not sign the certificate.
    #[error(
        "{}: this certificate was not signed by the authority {}",
        .file.display(), .authority.display()
    )]
    NotSigned {
        /// The file of the certificate.
        file: PathBuf,
        /// The file of the authority.
        authority: PathBuf,
    },
}

impl TlsError {
    /// The file that is at fault.
    pub fn file(&self) -> &Path {
        match self {
            TlsError::Unreadable { file, .. }
            | TlsError::NotPem { file, .. }
            | TlsError::Unusable { file, .. }
            | TlsError::KeyMismatch { file, .. }
            | TlsError::NotInForce { file, .. }
            | TlsError::NotSigned { file, .. } => file,
            TlsError::Secret(error) => error.path(),
        }
    }
}
