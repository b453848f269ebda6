//! Mutual TLS from PEM files: everything that can be wrong with them is found and named before a
//! socket opens.
//!
//! Both ends always show a certificate of one authority; there is no setting that turns this off.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::secret_file::{self, SecretFileError};

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
        "{}: the certificate of {subject} is valid from {not_before} to {not_after}, and it is {now} now; expected a certificate in force (is the clock right?)",
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

/// Why a peer that the authority vouches for is still the wrong one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerNameError {
    /// The peer showed no certificate, or one that cannot be parsed.
    #[error("the peer's certificate cannot be read: {reason}")]
    Malformed {
        /// What the parser said.
        reason: String,
    },
    /// The certificate is another party's.
    #[error(
        "the peer's certificate is for {}, expected {expected:?} among its DNS names",
        found_names(.found)
    )]
    WrongName {
        /// The DNS names in the certificate.
        found: Vec<String>,
        /// The configured peer.
        expected: String,
    },
}

/// The checked certificate, private key and authority of a node or an application.
pub struct TlsMaterial {
    certificate_pem: String,
    key_pem: Zeroizing<String>,
    authority_pem: String,
}

impl TlsMaterial {
    /// Reads and checks the three files: that they parse, belong together and are in force now.
    ///
    /// # Errors
    /// With the file at fault and what was expected of it.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let certificate_pem = read(&files.certificate, "certificate")?;
        let key_pem = secret_file::read_text(&files.private_key)?;
        let authority_pem = read(&files.authority, "certificate of the authority")?;
        let chain = certificates(&files.certificate, &certificate_pem)?;
        let roots = certificates(&files.authority, &authority_pem)?;
        let now = now_seconds();
        for (file, certificate) in chain
            .iter()
            .map(|one| (&files.certificate, one))
            .chain(roots.iter().map(|one| (&files.authority, one)))
        {
            check_dates(file, certificate, now)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        check_key(files, &chain, &key_pem, &provider)?;
        check_signature(files, &chain, roots, provider)?;
        Ok(Self {
            certificate_pem,
            key_pem,
            authority_pem,
        })
    }

    /// For a server: shows the certificate and demands one of the same authority from every client.
    pub fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .identity(self.identity())
            .client_ca_root(Certificate::from_pem(&self.authority_pem))
            .client_auth_optional(false)
            .timeout(HANDSHAKE_TIMEOUT)
    }

    /// For a client: shows the certificate and accepts only a server whose certificate carries
    /// `server_name` as DNS name or IP address.
    pub fn client(&self, server_name: &str) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .identity(self.identity())
            .ca_certificate(Certificate::from_pem(&self.authority_pem))
            .domain_name(server_name)
            .timeout(HANDSHAKE_TIMEOUT)
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate_pem, self.key_pem.as_bytes())
    }
}

/// A peer that has not finished its TLS handshake by then is dropped.
const HANDSHAKE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Checks that the certificate `der`, as the peer showed it in the TLS handshake, carries the DNS
/// name `expected` (letter case does not matter, wildcards do not count).
///
/// # Errors
/// When it cannot be parsed or carries other names only.
pub fn verify_peer_name(der: &[u8], expected: &str) -> Result<(), PeerNameError> {
    let malformed = |reason: String| PeerNameError::Malformed { reason };
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes after its end", rest.len())));
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| malformed(error.to_string()))?;
    let general = names.iter().flat_map(|names| &names.value.general_names);
    let found: Vec<String> = general
        .filter_map(|name| match name {
            GeneralName::DNSName(dns) => Some((*dns).to_owned()),
            // Not our enum: every other kind of name identifies no node.
            _ => None,
        })
        .collect();
    if found.iter().any(|dns| dns.eq_ignore_ascii_case(expected)) {
        return Ok(());
    }
    Err(PeerNameError::WrongName {
        found,
        expected: expected.to_owned(),
    })
}

fn found_names(found: &[String]) -> String {
    if found.is_empty() {
        return "nobody".to_owned();
    }
    // The names are the peer's: quoted, so that they cannot disturb a terminal.
    let quoted: Vec<String> = found
        .iter()
        .take(8)
        .map(|name| format!("{name:?}"))
        .collect();
    quoted.join(", ")
}

fn read(file: &Path, what: &'static str) -> Result<String, TlsError> {
    let bytes = fs::read(file).map_err(|source| TlsError::Unreadable {
        file: file.to_path_buf(),
        what,
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| TlsError::NotPem {
        file: file.to_path_buf(),
        expected: "a certificate",
        reason: "the file is not text".to_owned(),
    })
}

fn certificates(file: &Path, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let not_pem = |reason: String| TlsError::NotPem {
        file: file.to_path_buf(),
        expected: "a certificate (-----BEGIN CERTIFICATE-----)",
        reason,
    };
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| not_pem(error.to_string()))?;
    if all.is_empty() {
        return Err(not_pem("there is none".to_owned()));
    }
    Ok(all)
}

fn check_dates(file: &Path, der: &CertificateDer<'_>, now: i64) -> Result<(), TlsError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| TlsError::Unusable {
        file: file.to_path_buf(),
        reason: error.to_string(),
    })?;
    let validity = certificate.validity();
    if (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now) {
        return Ok(());
    }
    let now = x509_parser::time::ASN1Time::from_timestamp(now);
    Err(TlsError::NotInForce {
        file: file.to_path_buf(),
        subject: format!("{:?}", certificate.subject().to_string()),
        not_before: validity.not_before.to_string(),
        not_after: validity.not_after.to_string(),
        now: now.map_or_else(|_| "beyond all dates".to_owned(), |now| now.to_string()),
    })
}

fn check_key(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    pem: &str,
    provider: &CryptoProvider,
) -> Result<(), TlsError> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| TlsError::NotPem {
        file: files.private_key.clone(),
        expected: "a private key (-----BEGIN PRIVATE KEY-----)",
        reason: error.to_string(),
    })?;
    let unusable = |reason: String| TlsError::Unusable {
        file: files.private_key.clone(),
        reason,
    };
    let signing = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| unusable(error.to_string()))?;
    match CertifiedKey::new(chain.to_vec(), signing).keys_match() {
        Ok(()) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::KeyMismatch {
            file: files.private_key.clone(),
            certificate: files.certificate.clone(),
        }),
        Err(error) => Err(unusable(error.to_string())),
    }
}

fn check_signature(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    authority: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<(), TlsError> {
    let unusable = |reason: String| TlsError::Unusable {
        file: files.authority.clone(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for certificate in authority {
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let (own, intermediates) = match chain {
        [own, intermediates @ ..] => (own, intermediates),
        // `certificates` never returns an empty list.
        [] => return Ok(()),
    };
    match verifier.verify_client_cert(own, intermediates, UnixTime::now()) {
        Err(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => Err(TlsError::NotSigned {
            file: files.certificate.clone(),
            authority: files.authority.clone(),
        }),
        // What the certificate may be used for is the peer's to judge, role by role.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests;
