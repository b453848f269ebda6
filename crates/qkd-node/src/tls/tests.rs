//! Every fault of the TLS files, and who is let in.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::pki::{LabPki, Parties};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tempfile::{TempDir, tempdir};

mod handshake;
mod revoked;

fn lab() -> (TempDir, LabPki) {
    let folder = tempdir().unwrap();
    let parties = Parties {
        nodes: &["kme-alice", "kme-bob"],
        saes: &["app-a"],
    };
    let pki = LabPki::create(folder.path(), &parties).unwrap();
    (folder, pki)
}

fn refusal(files: &TlsFiles) -> (PathBuf, String) {
    match TlsMaterial::load(files) {
        Ok(_) => panic!("the files were accepted"),
        Err(error) => (error.file().to_path_buf(), error.to_string()),
    }
}

#[test]
fn laboratory_files_are_accepted() {
    let (_folder, pki) = lab();
    for name in ["kme-alice", "kme-bob", "app-a"] {
        let material = TlsMaterial::load(&pki.files_of(name)).unwrap_or_else(|e| panic!("{e}"));
        let _ = (material.server(), material.client("kme-bob"));
    }
}

#[test]
fn missing_files_are_named() {
    let (folder, pki) = lab();
    let gone = folder.path().join("gone.pem");
    let good = pki.files_of("kme-alice");
    let cases = [
        TlsFiles {
            certificate: gone.clone(),
            ..good.clone()
        },
        TlsFiles {
            private_key: gone.clone(),
            ..good.clone()
        },
        TlsFiles {
            authority: gone.clone(),
            ..good
        },
    ];
    for files in &cases {
        let (file, said) = refusal(files);
        assert_eq!(file, gone);
        assert!(said.contains("No such file"), "{said}");
    }
}

#[test]
fn what_is_not_pem_is_named() {
    let (folder, pki) = lab();
    let good = pki.files_of("kme-alice");
    let texts = [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ];
    for (at, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("wrong-{at}"));
        secret_file::write_new(&path, text.as_bytes()).unwrap();
        let cases = [
            TlsFiles {
                certificate: path.clone(),
                ..good.clone()
            },
            TlsFiles {
                private_key: path.clone(),
                ..good.clone()
            },
            TlsFiles {
                authority: path.clone(),
                ..good.clone()
            },
        ];
        for files in &cases {
            let (file, said) = refusal(files);
            assert_eq!(file, path);
            assert!(said.contains("expected PEM with a"), "{said}");
        }
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (_folder, pki) = lab();
    let files = TlsFiles {
        private_key: pki.files_of("kme-bob").private_key,
        ..pki.files_of("kme-alice")
    };
    let (file, said) = refusal(&files);
    assert_eq!(file, files.private_key);
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let (_folder, pki) = lab();
    let (_other_folder, other) = lab();
    let files = TlsFiles {
        authority: other.authority(),
        ..pki.files_of("kme-alice")
    };
    let (file, said) = refusal(&files);
    assert_eq!(file, files.certificate);
    assert!(said.contains("was not signed by the authority"), "{said}");
}

#[test]
fn an_expired_certificate_is_refused_with_its_dates() {
    let (folder, pki) = lab();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["kme-alice".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 2);
    params.not_after = date_time_ymd(2021, 3, 4);
    let certificate = params.self_signed(&key).unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("old.pem"),
        private_key: folder.path().join("old.key"),
        authority: pki.authority(),
        revoked: None,
    };
    secret_file::write_new(&files.certificate, certificate.pem().as_bytes()).unwrap();
    secret_file::write_new(&files.private_key, key.serialize_pem().as_bytes()).unwrap();
    let (file, said) = refusal(&files);
    assert_eq!(file, files.certificate);
    assert!(
        said.contains("from 2020-01-02 ") && said.contains(" to 2021-03-04 "),
        "{said}"
    );
}

#[test]
fn a_private_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, pki) = lab();
    let files = pki.files_of("kme-alice");
    fs::set_permissions(&files.private_key, fs::Permissions::from_mode(0o644)).unwrap();
    let (file, said) = refusal(&files);
    assert_eq!(file, files.private_key);
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn only_the_named_peer_is_taken_for_the_peer() {
    let (_folder, pki) = lab();
    let der = |name: &str| {
        let pem = fs::read(pki.files_of(name).certificate).unwrap();
        CertificateDer::from_pem_slice(&pem).unwrap()
    };
    assert_eq!(verify_peer_name(&der("kme-bob"), "kme-bob"), Ok(()));
    assert_eq!(verify_peer_name(&der("kme-bob"), "KME-Bob"), Ok(()));
    for expected in ["kme-alice", "kme-bo", "kme-bobb", "*", ""] {
        let error = verify_peer_name(&der("kme-bob"), expected).unwrap_err();
        assert!(
            error.to_string().contains("\"kme-bob\", \"localhost\""),
            "{error}"
        );
    }
    let error = verify_peer_name(&der("app-a"), "kme-bob").unwrap_err();
    assert!(matches!(error, PeerNameError::WrongName { .. }));
}

#[test]
fn a_certificate_cut_anywhere_is_malformed_and_no_panic() {
    let (_folder, pki) = lab();
    let pem = fs::read(pki.files_of("kme-bob").certificate).unwrap();
    let der = CertificateDer::from_pem_slice(&pem).unwrap();
    for length in 0..der.len() {
        let error = verify_peer_name(&der[..length], "kme-bob").unwrap_err();
        assert!(matches!(error, PeerNameError::Malformed { .. }), "{length}");
    }
    let mut longer = der.to_vec();
    longer.push(0);
    assert!(verify_peer_name(&longer, "kme-bob").is_err());
}
