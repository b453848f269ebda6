//! Reading the PEM files, and what must hold between them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use super::dates::{now_seconds, utc};
use super::facts::Facts;
use super::{Dates, TlsError};
use crate::config::TlsFiles;

/// More than any certificate file holds.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Line that ends a certificate in PEM.
const PEM_END: &str = "-----END CERTIFICATE-----";

/// The text of a file of certificates.
pub(super) fn read_text(file: &Path, what: &'static str) -> Result<String, TlsError> {
    let unreadable = |source| TlsError::Unreadable {
        file: file.to_path_buf(),
        what,
        source,
    };
    let length = fs::metadata(file).map_err(unreadable)?.len();
    if length > FILE_BYTES_MAX {
        let reason = format!("larger than {FILE_BYTES_MAX} bytes");
        return Err(unreadable(std::io::Error::other(reason)));
    }
    let bytes = fs::read(file).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| TlsError::NotPem {
        file: file.to_path_buf(),
        expected: "a certificate",
        reason: "the file is not text".to_owned(),
    })
}

/// The certificates in the text of `file`, at least one.
pub(super) fn certificates(
    file: &Path,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
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

/// What the first certificate of a chain says: its owner's own.
pub(crate) fn own_facts(file: &Path, chain: &[CertificateDer<'_>]) -> Result<Facts, TlsError> {
    match chain.first() {
        Some(own) => facts(file, own),
        None => Err(TlsError::NotPem {
            file: file.to_path_buf(),
            expected: "a certificate",
            reason: "there is none".to_owned(),
        }),
    }
}

/// What the certificate `der` of `file` says.
pub(crate) fn facts(file: &Path, der: &CertificateDer<'_>) -> Result<Facts, TlsError> {
    Facts::of(der).map_err(|reason| TlsError::Unusable {
        file: file.to_path_buf(),
        reason,
    })
}

/// The certificates of `pem` that are in force now, one after the other, as text.
pub(crate) fn in_force(pem: &str) -> String {
    let now = now_seconds();
    let pieces = pem.split_inclusive(PEM_END).filter(|piece| {
        CertificateDer::from_pem_slice(piece.as_bytes())
            .is_ok_and(|der| Facts::of(&der).is_ok_and(|facts| facts.validity.contains(now)))
    });
    pieces.map(|piece| format!("{}\n", piece.trim())).collect()
}

pub(super) fn check_dates(file: &Path, facts: &Facts) -> Result<(), TlsError> {
    let now = now_seconds();
    if facts.validity.contains(now) {
        return Ok(());
    }
    Err(TlsError::NotInForce {
        file: file.to_path_buf(),
        subject: facts.name().to_owned(),
        not_before: utc(facts.validity.not_before),
        not_after: utc(facts.validity.not_after),
        now: utc(now),
    })
}

/// The chain with its private key, once it is clear that they belong together.
pub(super) fn certified_key(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key_pem: &str,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let key =
        PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| TlsError::NotPem {
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
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::KeyMismatch {
            file: files.private_key.clone(),
            certificate: files.certificate.clone(),
        }),
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// The authorities that are in force: during a change-over the file holds the old one and the new.
pub(super) fn roots(
    file: &Path,
    authorities: Vec<CertificateDer<'static>>,
    dates: Dates,
) -> Result<RootCertStore, TlsError> {
    let now = now_seconds();
    let mut roots = RootCertStore::empty();
    let mut outdated = None;
    for certificate in authorities {
        let facts = facts(file, &certificate)?;
        if dates == Dates::Checked && !facts.validity.contains(now) {
            outdated.get_or_insert(facts);
            continue;
        }
        roots.add(certificate).map_err(|error| TlsError::Unusable {
            file: file.to_path_buf(),
            reason: error.to_string(),
        })?;
    }
    match outdated {
        Some(facts) if roots.is_empty() => check_dates(file, &facts).map(|()| roots),
        Some(_) | None => Ok(roots),
    }
}

/// Checks that one of `roots` signed the chain, looking at it at the moment `at`.
pub(super) fn check_signature(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    roots: Arc<RootCertStore>,
    (provider, at): (Arc<CryptoProvider>, UnixTime),
) -> Result<(), TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| TlsError::Unusable {
            file: files.authority.clone(),
            reason: error.to_string(),
        })?;
    let (own, intermediates) = match chain {
        [own, intermediates @ ..] => (own, intermediates),
        // `certificates` never returns an empty list.
        [] => return Ok(()),
    };
    match verifier.verify_client_cert(own, intermediates, at) {
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
