//! Certificates and keys for a laboratory: everything that Alice, Bob, Eve and their applications
//! need to trust each other.
//!
//! [`LabPki`] throws the private key of its authority away: a further name needs a new set.
//! [`KeptPki`] keeps it, and so can renew what expires.

mod authority;
mod inventory;
mod kept;
mod names;
mod replace;
mod revoked;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use inventory::{Entry, EntryKind};
pub use kept::{KeptPki, Made, NewSet};
pub use names::{Kind, Party};

use crate::config::TlsFiles;
use crate::secret_file::{self, SecretFileError};
use crate::tls::TlsError;

/// How long the certificates are good for.
pub const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Clocks of two machines may differ by this much.
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The name of the authority, and of its files.
const AUTHORITY: &str = "authority";

/// The name of the authority's list of revoked certificates.
const REVOKED: &str = "revoked.crl";

/// Whom to make certificates for.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'n> {
    /// Node names, such as `kme-alice`.
    pub nodes: &'n [&'n str],
    /// Application identities, such as `app-a`.
    pub saes: &'n [&'n str],
}

/// A folder of certificates and keys, under these names:
///
/// | file | content |
/// |---|---|
/// | `authority.pem` | the certificate of the authority that signed all others |
/// | `NAME.pem`, `NAME.key` | certificate and private key of a node or an application |
/// | `NAME.store.key` | the key that wraps a node's keys at rest |
/// | `pre-shared.key` | the key that both ends of the link share |
/// | `revoked.crl` | the certificates that the authority has revoked; only where its key is kept |
///
/// Certificates have mode 0644, keys 0600, the folder 0700.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabPki {
    directory: PathBuf,
}

/// Why certificates could not be made or renewed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A name that cannot be both a file name and a DNS name in a certificate.
    #[error(
        "{name:?} cannot be the name of a party: expected 1 to 63 letters, digits, '-', '_' or '.', beginning with a letter or digit, unlike every other name and \"authority\""
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// A certificate file cannot be written.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A key file cannot be read or written.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// A certificate that is there cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificate library refused.
    #[error("cannot make the certificate of {name:?}: {source}")]
    Certificate {
        /// Whose certificate.
        name: String,
        /// What the library said.
        source: rcgen::Error,
    },
    /// The key that signs does not fit the authority's certificate.
    #[error(
        "{}: cannot sign for the authority {}: {reason}; expected the key that was made with it",
        .key.display(), .certificate.display()
    )]
    Authority {
        /// The file of the authority's key.
        key: PathBuf,
        /// The file of its certificate.
        certificate: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The party has a certificate.
    #[error(
        "{}: {name:?} has a certificate already; nothing was changed: renew it with `qkd pki renew`, or choose another name",
        .file.display()
    )]
    Taken {
        /// The name.
        name: String,
        /// The file of its certificate.
        file: PathBuf,
    },
    /// Some of the files of a set are there, and some are not.
    #[error(
        "{}: the set is incomplete: {} not there; nothing was changed: bring back the missing files, or choose an empty folder",
        .directory.display(), list(.missing)
    )]
    Incomplete {
        /// The folder.
        directory: PathBuf,
        /// The files that are not there.
        missing: Vec<String>,
    },
    /// There is a set already.
    #[error(
        "{}: there are certificates already; nothing was changed: keep them with --if-absent, renew them with `qkd pki renew`, or choose an empty folder",
        .directory.display()
    )]
    Exists {
        /// The folder.
        directory: PathBuf,
    },
    /// A certificate carries other names than were asked for.
    #[error(
        "{}: this certificate is for {}, expected {expected:?} as {kind}; nothing was changed: choose another folder, or give the same names as before",
        .file.display(), .found.join(", ")
    )]
    OtherNames {
        /// The file.
        file: PathBuf,
        /// The names in it.
        found: Vec<String>,
        /// The name that is missing.
        expected: String,
        /// What it should be.
        kind: Kind,
    },
    /// The list of revoked certificates cannot be gone on with.
    #[error("{}: {reason}; nothing was changed", .file.display())]
    Revoked {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A serial number that is none.
    #[error(
        "{serial:?} is no serial number of a certificate: expected 1 to 20 bytes as hexadecimal digits, as `qkd audit show` has them"
    )]
    Serial {
        /// What was given.
        serial: String,
    },
    /// The authority has expired, so that nothing it signs is of use.
    #[error(
        "{}: the certificate of the authority {fault}; renew it with `qkd pki renew {} authority`, or is the clock wrong?",
        .file.display(), .directory.display()
    )]
    AuthorityNotInForce {
        /// The file.
        file: PathBuf,
        /// What is wrong with its dates.
        fault: String,
        /// The folder.
        directory: PathBuf,
    },
}

impl PkiError {
    /// Turns what the certificate library says of the certificate of `name` into an error.
    fn certificate(name: &str) -> impl Fn(rcgen::Error) -> Self {
        move |source| PkiError::Certificate {
            name: name.to_owned(),
            source,
        }
    }
}

/// The first few of many.
fn list(missing: &[String]) -> String {
    let shown = missing.iter().take(4).map(String::as_str);
    let shown: Vec<&str> = shown.collect();
    let more = missing.len() - shown.len();
    match (shown.as_slice(), more) {
        ([one], 0) => format!("{one} is"),
        (_, 0) => format!("{} are", shown.join(", ")),
        (_, more) => format!("{} and {more} more are", shown.join(", ")),
    }
}

impl LabPki {
    /// Makes an authority, a certificate for every party, one pre-shared key and a store key for
    /// every node, in the folder `directory` (made when absent).
    ///
    /// # Errors
    /// When a name is unfit, or a file exists already or cannot be written.
    pub fn create(directory: &Path, parties: &Parties<'_>) -> Result<Self, PkiError> {
        let nodes = parties.nodes.iter().map(|name| Party::node(name));
        let saes = parties.saes.iter().map(|name| Party::application(name));
        let parties: Vec<Party> = nodes.chain(saes).collect();
        names::check(&parties)?;
        secret_file::ensure_private_folder(directory)?;
        let pki = Self::in_folder(directory);
        let (authority, certificate) = authority::Authority::generate(VALIDITY)?;
        write::public(&pki.authority(), &certificate)?;
        write::set(&pki, &authority, &parties, VALIDITY)?;
        Ok(pki)
    }

    /// The names of files in a folder that [`create`](Self::create) filled before.
    pub fn in_folder(directory: &Path) -> Self {
        Self {
            directory: directory.to_path_buf(),
        }
    }

    /// The folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }

    /// Certificate, private key and authority of the node or application `name`.
    pub fn files_of(&self, name: &str) -> TlsFiles {
        TlsFiles {
            certificate: self.directory.join(format!("{name}.pem")),
            private_key: self.directory.join(format!("{name}.key")),
            authority: self.authority(),
            revoked: None,
        }
    }

    /// The authority's list of revoked certificates.
    pub fn revoked(&self) -> PathBuf {
        self.directory.join(REVOKED)
    }

    /// The key that both ends of the link share.
    pub fn pre_shared_key(&self) -> PathBuf {
        self.directory.join("pre-shared.key")
    }

    /// The key that wraps the keys at rest of the node `name`.
    pub fn store_key_of(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.store.key"))
    }
}

#[cfg(test)]
mod tests;
