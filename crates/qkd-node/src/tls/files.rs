//! Reading the PEM files, and what must hold between them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::VerifierBuilderError;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::dates::{now_seconds, utc};
use super::facts::Facts;
use super::{Dates, TlsError, issuer_and_subject};
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

/// The lists of revoked certificates in `file`, each of which one of `authorities` must have made: one
/// that nobody asks for would revoke nothing without a word.
pub(super) fn revoked(
    file: &Path,
    authorities: &[CertificateDer<'_>],
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let pem = read_text(file, "list of revoked certificates")?;
    let not_pem = |reason: String| TlsError::NotPem {
        file: file.to_path_buf(),
        expected: "a list of revoked certificates (-----BEGIN X509 CRL-----)",
        reason,
    };
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| not_pem(error.to_string()))?;
    if lists.is_empty() {
        return Err(not_pem("there is none".to_owned()));
    }
    for list in &lists {
        let unusable = |reason: String| TlsError::Unusable {
            file: file.to_path_buf(),
            reason,
        };
        let (_, read) = CertificateRevocationList::from_der(list)
            .map_err(|error| unusable(error.to_string()))?;
        let mut signers = authorities.iter().map(|der| issuer_and_subject(der).1);
        // An empty list of an authority that is gone does no harm.
        let revokes = read.iter_revoked_certificates().next().is_some();
        if revokes && !signers.any(|subject| subject == read.issuer().as_raw()) {
            let reason = "its list of revoked certificates was made by another authority than \
                          those of tls.authority";
            return Err(unusable(reason.to_owned()));
        }
    }
    Ok(lists)
}

/// Checks that the verifier takes the chain, looking at it at the moment `at`.
pub(super) fn check_signature(
    files: &TlsFiles,
    chain: &[CertificateDer<'static>],
    (verifier, at): (
        Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError>,
        UnixTime,
    ),
) -> Result<(), TlsError> {
    let unusable_list = |reason: String| TlsError::Unusable {
        file: files.revoked.clone().unwrap_or_default(),
        reason: format!("the list of revoked certificates cannot be used: {reason}"),
    };
    let verifier = verifier.map_err(|error| match error {
        VerifierBuilderError::InvalidCrl(reason) => unusable_list(format!("{reason:?}")),
        // Not our enum: what remains concerns the authority.
        other => TlsError::Unusable {
            file: files.authority.clone(),
            reason: other.to_string(),
        },
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
        Err(rustls::Error::InvalidCertRevocationList(reason)) => {
            Err(unusable_list(format!("{reason:?}")))
        }
        // What the certificate may be used for is the peer's to judge, role by role.
        Ok(_) | Err(_) => Ok(()),
    }
}
