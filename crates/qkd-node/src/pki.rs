//! Throw-away certificates and keys for a laboratory: everything that Alice, Bob, Eve and their
//! applications need to trust each other for 30 days.
//!
//! The private key of the authority is never written down: a further name needs a new set.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::secret_file::{self, SecretFileError};

/// How long the certificates are good for.
pub const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Clocks of two machines may differ by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

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
///
/// Certificates have mode 0644, keys 0600, the folder 0700.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabPki {
    directory: PathBuf,
}

/// Why no certificates could be made.
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
    /// A key file cannot be written.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The certificate library refused.
    #[error("cannot make the certificate of {name:?}: {source}")]
    Certificate {
        /// Whose certificate.
        name: String,
        /// What the library said.
        source: rcgen::Error,
    },
}

/// The part of its certificate that makes a party a node or an application.
#[derive(Clone, Copy)]
enum Party {
    Node,
    Sae,
}

impl LabPki {
    /// Makes an authority, a certificate for every party, one pre-shared key and a store key for
    /// every node, in the folder `directory` (made when absent).
    ///
    /// # Errors
    /// When a name is unfit, or a file exists already or cannot be written.
    pub fn create(directory: &Path, parties: &Parties<'_>) -> Result<Self, PkiError> {
        check_names(parties)?;
        secret_file::ensure_private_folder(directory)?;
        let pki = Self::in_folder(directory);
        let failed = |name: &str| {
            let name = name.to_owned();
            move |source| PkiError::Certificate { name, source }
        };
        let authority_key = KeyPair::generate().map_err(failed("authority"))?;
        let params = authority_params(&authority_key);
        let certificate = params
            .self_signed(&authority_key)
            .map_err(failed("authority"))?;
        write_public(&pki.authority(), &certificate.pem())?;
        let issuer = Issuer::new(params, authority_key);

        let nodes = parties.nodes.iter().map(|name| (*name, Party::Node));
        let saes = parties.saes.iter().map(|name| (*name, Party::Sae));
        for (name, party) in nodes.chain(saes) {
            let key = KeyPair::generate().map_err(failed(name))?;
            let certificate = params_of(name, party)
                .and_then(|params| params.signed_by(&key, &issuer))
                .map_err(failed(name))?;
            let files = pki.files_of(name);
            let key_pem = Zeroizing::new(key.serialize_pem());
            secret_file::write_new(&files.private_key, key_pem.as_bytes())?;
            write_public(&files.certificate, &certificate.pem())?;
        }
        for node in parties.nodes {
            secret_file::create_key(&pki.store_key_of(node))?;
        }
        secret_file::create_key(&pki.pre_shared_key())?;
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
        }
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

fn check_names(parties: &Parties<'_>) -> Result<(), PkiError> {
    let names: Vec<&str> = parties.nodes.iter().chain(parties.saes).copied().collect();
    let fits = |name: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=63).contains(&name.len())
            && name.chars().all(letters)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name != "authority"
            && name != "pre-shared"
            && !name.ends_with(".store")
    };
    for (at, name) in names.iter().enumerate() {
        if !fits(name) || names[..at].contains(name) {
            return Err(PkiError::BadName {
                name: (*name).to_owned(),
            });
        }
    }
    Ok(())
}

fn base_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + VALIDITY).into();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

/// Each authority has a name of its own, so that a certificate of another one is refused for its
/// unknown issuer and not for a signature that seems spoilt.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let public = key.public_key_raw();
    let number = public.iter().rev().take(4);
    let number = number.fold(0, |number, &byte| number << 8 | u32::from(byte));
    let mut params = base_params(&format!(
        "throw-away authority {number:08x} of a QKD laboratory"
    ));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params_of(name: &str, party: Party) -> Result<CertificateParams, rcgen::Error> {
    let mut params = base_params(name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    match party {
        Party::Sae => {}
        Party::Node => {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
            params.subject_alt_names.extend([
                SanType::DnsName("localhost".try_into()?),
                SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ]);
        }
    }
    Ok(params)
}

fn write_public(path: &Path, pem: &str) -> Result<(), PkiError> {
    let io = |action, source| PkiError::Io {
        path: path.to_path_buf(),
        action,
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .map_err(|error| io("create the file", error))?;
    file.write_all(pem.as_bytes()).map_err(|error| {
        let _ = fs::remove_file(path);
        io("write the file", error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use tempfile::tempdir;

    const PARTIES: Parties<'_> = Parties {
        nodes: &["kme-alice", "kme-bob"],
        saes: &["app-a"],
    };

    #[test]
    fn every_key_file_has_mode_0600_and_every_documented_name_exists() {
        let folder = tempdir().unwrap();
        let pki = LabPki::create(&folder.path().join("pki"), &PARTIES).unwrap();
        let mut secrets = vec![pki.pre_shared_key()];
        let mut public = vec![pki.authority()];
        for name in ["kme-alice", "kme-bob", "app-a"] {
            secrets.push(pki.files_of(name).private_key);
            public.push(pki.files_of(name).certificate);
        }
        secrets.extend(["kme-alice", "kme-bob"].map(|node| pki.store_key_of(node)));
        for path in &secrets {
            assert_eq!(
                fs::metadata(path).unwrap().mode() & 0o7777,
                0o600,
                "{path:?}"
            );
        }
        for path in &public {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.starts_with("-----BEGIN CERTIFICATE-----"), "{path:?}");
        }
        let count = fs::read_dir(pki.directory()).unwrap().count();
        assert_eq!(
            count,
            secrets.len() + public.len(),
            "nothing else is written"
        );
        assert_eq!(
            fs::metadata(pki.directory()).unwrap().mode() & 0o7777,
            0o700
        );
    }

    #[test]
    fn an_earlier_set_is_not_overwritten() {
        let folder = tempdir().unwrap();
        let pki = LabPki::create(folder.path(), &PARTIES).unwrap();
        let before = fs::read(pki.authority()).unwrap();
        assert!(LabPki::create(folder.path(), &PARTIES).is_err());
        assert_eq!(fs::read(pki.authority()).unwrap(), before);
    }

    #[test]
    fn names_that_leave_the_folder_or_collide_are_refused() {
        let folder = tempdir().unwrap();
        let long = "a".repeat(64);
        for name in [
            "",
            "../x",
            "a/b",
            ".x",
            "authority",
            "é",
            "a b",
            &long,
            "kme-bob",
        ] {
            let parties = Parties {
                nodes: &["kme-bob"],
                saes: &[name],
            };
            let error = LabPki::create(folder.path(), &parties).unwrap_err();
            assert!(
                matches!(error, PkiError::BadName { .. }),
                "{name:?}: {error}"
            );
        }
    }
}
