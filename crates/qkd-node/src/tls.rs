//! Mutual TLS from PEM files: everything that can be wrong with them is found and named before a
//! socket opens.
//!
//! Both ends always show a certificate of one authority; there is no setting that turns this off.

mod accept;
mod buffered;
mod dates;
mod dial;
mod error;
mod explain;
mod facts;
mod files;
mod guard;
mod live;
mod peer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

pub(crate) use accept::{Refused, incoming, incoming_http};
pub use dates::{now_seconds, utc};
pub use dial::ConnectError;
pub use error::TlsError;
pub use explain::explain;
pub use facts::{Facts, Validity};
pub(crate) use files::{facts as facts_of, in_force, own_facts};
pub(crate) use guard::Accepted;
pub(crate) use live::LiveTls;
pub use peer::{PeerNameError, verify_peer_name};

use crate::config::TlsFiles;
use crate::secret_file;

/// A peer that has not finished its TLS handshake by then is dropped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP/2, as TLS names it: gRPC is nothing else.
const ALPN_H2: &[u8] = b"h2";

/// HTTP/1.1, for clients of the REST service.
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// How often a certificate and a key that do not fit are looked at again: a renewal replaces one
/// file after the other.
const LOOKS_MAX: u32 = 4;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The checked certificate, private key and authority of a node or an application.
pub struct TlsMaterial {
    certificate_pem: String,
    key_pem: Zeroizing<String>,
    authority_pem: String,
    facts: Facts,
    shown: Arc<SingleCertAndKey>,
    roots: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

impl TlsMaterial {
    /// Reads and checks the files: that they parse, belong together and are in force now.
    ///
    /// # Errors
    /// With the file at fault and what was expected of it.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let mut looks = 1;
        loop {
            match Self::look(files, Dates::Checked) {
                Err(TlsError::KeyMismatch { .. }) if looks < LOOKS_MAX => {
                    looks += 1;
                    std::thread::sleep(LOOK_EVERY);
                }
                looked => return looked,
            }
        }
    }

    fn look(files: &TlsFiles, dates: Dates) -> Result<Self, TlsError> {
        let certificate_pem = files::read_text(&files.certificate, "certificate")?;
        let key_pem = secret_file::read_text(&files.private_key)?;
        let authority_pem = files::read_text(&files.authority, "certificate of the authority")?;
        let chain = files::certificates(&files.certificate, &certificate_pem)?;
        let authorities = files::certificates(&files.authority, &authority_pem)?;
        let facts = files::own_facts(&files.certificate, &chain)?;
        let at = match dates {
            Dates::Checked => {
                for certificate in &chain {
                    let facts = files::facts(&files.certificate, certificate)?;
                    files::check_dates(&files.certificate, &facts)?;
                }
                UnixTime::now()
            }
            Dates::Ignored => moment(facts.validity.not_before),
        };
        let provider = provider();
        let revoked = match &files.revoked {
            Some(list) => files::revoked(list, &authorities)?,
            None => Vec::new(),
        };
        let roots = Arc::new(files::roots(&files.authority, authorities, dates)?);
        let certified = files::certified_key(files, chain, &key_pem, &provider)?;
        let verifier = client_verifier(roots.clone(), revoked.clone());
        files::check_signature(files, &certified.cert, (verifier, at))?;
        Ok(Self {
            certificate_pem,
            key_pem,
            authority_pem,
            facts,
            shown: Arc::new(SingleCertAndKey::from(certified)),
            roots,
            revoked,
        })
    }

    /// What the certificate says of itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
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

    /// Who takes the certificates that the authority signed.
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
        client_verifier(self.roots.clone(), self.revoked.clone())
    }

    /// Whether a certificate that was taken before is not any more, because it was revoked.
    fn is_revoked(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some((own, intermediates)), false) = (chain.split_first(), self.revoked.is_empty())
        else {
            return false;
        };
        let Ok(verifier) = self.verifier() else {
            return false;
        };
        let verified = verifier.verify_client_cert(own, intermediates, UnixTime::now());
        matches!(
            verified,
            Err(rustls::Error::InvalidCertificate(CertificateError::Revoked))
        )
    }

    /// For one connection of a server that takes the clients that `verifier` takes and speaks
    /// `protocols`.
    fn server_config(
        &self,
        verifier: Arc<dyn ClientCertVerifier>,
        protocols: &[&[u8]],
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(self.shown.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        // A resumed session would go on with a certificate that may have expired since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate_pem, self.key_pem.as_bytes())
    }
}

/// Who takes certificates that one of `roots` signed and that no list has.
fn client_verifier(
    roots: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .with_crls(revoked)
        // Of an authority that has no list nothing is revoked.
        .allow_unknown_revocation_status()
        .build()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A reason without the time at which it was found, which differs every time.
pub(crate) fn without_now(reason: &str) -> &str {
    reason.split(", and it is ").next().unwrap_or(reason)
}

/// Whether a certificate must be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dates {
    Checked,
    Ignored,
}

/// What the certificate in `files` says of itself, whatever its dates, once it is clear that it, its
/// key and its authority belong together.
pub(crate) fn examine(files: &TlsFiles) -> Result<Facts, TlsError> {
    TlsMaterial::look(files, Dates::Ignored).map(|material| material.facts)
}

/// The certificates in a PEM file, at least one.
pub(crate) fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = files::read_text(file, "certificate")?;
    files::certificates(file, &text)
}

/// Issuer and subject of a certificate as they are in it (DER); empty when it cannot be read.
pub(crate) fn issuer_and_subject(der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => (
            certificate.issuer().as_raw().to_vec(),
            certificate.subject().as_raw().to_vec(),
        ),
        Err(_) => (Vec::new(), Vec::new()),
    }
}

fn moment(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests;
