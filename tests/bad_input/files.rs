//! Files that a configuration names, and that are not what it needs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Installation, place_of, refused_at};
use crate::support::{BOB, EVE, Nodes, make_pki};

/// Spoils a file of an installation.
type Spoil = fn(&Nodes, &Path);

/// As if written for long ago.
fn expire(_: &Nodes, certificate: &Path) {
    let mut params = rcgen::CertificateParams::new([BOB.to_owned()]).unwrap();
    let day = Duration::from_secs(24 * 3600);
    params.not_before = (SystemTime::now() - 2 * day).into();
    params.not_after = (SystemTime::now() - day).into();
    let key = rcgen::KeyPair::generate().unwrap();
    let expired = params.self_signed(&key).unwrap();
    fs::write(certificate, expired.pem()).unwrap();
    fs::write(certificate.with_extension("key"), key.serialize_pem()).unwrap();
}

/// A certificate and key of the same name, from an authority that nobody knows.
fn swap_authority(nodes: &Nodes, certificate: &Path) {
    let stranger = make_pki(&nodes.folder().join("strangers"));
    let files = stranger.files_of(BOB);
    fs::copy(files.certificate, certificate).unwrap();
    fs::copy(files.private_key, certificate.with_extension("key")).unwrap();
}

#[test]
fn every_unfit_file_is_refused_at_the_key_that_names_it() {
    let open: Spoil = |_, path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    let group: Spoil = |_, path| fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
    let remove: Spoil = |_, path| fs::remove_file(path).unwrap();
    let empty: Spoil = |_, path| fs::write(path, "").unwrap();
    let short: Spoil = |_, path| fs::write(path, "0123456789abcdef\n").unwrap();
    let text: Spoil = |_, path| fs::write(path, "Dear diary\n").unwrap();
    let cut: Spoil = |_, path| {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    };
    let folder: Spoil = |_, path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    let dangling: Spoil = |_, path| {
        fs::remove_file(path).unwrap();
        symlink("nowhere", path).unwrap();
    };
    let others: Spoil = |nodes, path| {
        let key = fs::read(nodes.pki.files_of(EVE).private_key).unwrap();
        fs::write(path, key).unwrap();
    };
    #[rustfmt::skip]
    let cases: &[(&str, Spoil, &[&str])] = &[
        ("classical.pre_shared_key", open, &["mode 0644 lets other users at it", "expected 0600", "run: chmod 600"]),
        ("classical.pre_shared_key", group, &["mode 0640 lets other users at it"]),
        ("classical.pre_shared_key", remove, &["No such file", "qkd pki init"]),
        ("classical.pre_shared_key", dangling, &["No such file"]),
        ("classical.pre_shared_key", folder, &["expected a regular file"]),
        ("classical.pre_shared_key", empty, &["expected one line of exactly 64 hexadecimal digits"]),
        ("classical.pre_shared_key", short, &["expected one line of exactly 64 hexadecimal digits", "openssl rand -hex 32"]),
        ("store.store_key", open, &["mode 0644", "chmod 600"]),
        ("store.store_key", text, &["64 hexadecimal digits"]),
        ("tls.private_key", open, &["mode 0644", "chmod 600"]),
        ("tls.private_key", remove, &["No such file"]),
        ("tls.private_key", text, &["expected PEM with a private key"]),
        ("tls.private_key", others, &["this private key does not belong to the certificate", "kme-bob.pem", "expected the key that was made with it"]),
        ("tls.certificate", remove, &["cannot read the certificate", "No such file", "qkd pki init"]),
        ("tls.certificate", text, &["expected PEM with a certificate"]),
        ("tls.certificate", cut, &["expected PEM with a certificate"]),
        ("tls.certificate", expire, &["the certificate of", "is valid from", "expected a certificate in force"]),
        ("tls.certificate", swap_authority, &["was not signed by the authority", "authority.pem"]),
        ("tls.authority", remove, &["cannot read the certificate of the authority"]),
        ("tls.authority", empty, &["expected PEM with a certificate"]),
    ];
    for (key, spoil, words) in cases {
        let installation = Installation::new();
        let text = installation.text("bob");
        let (line, column, begins) = place_of(&text, key);
        let value = text[begins..].lines().next().unwrap()[column - 1..].trim_matches('"');
        spoil(&installation.nodes, Path::new(value));
        let config = installation.write("bad.toml", &text);
        let said = refused_at("bob", &config, (line, column), key);
        for word in *words {
            assert!(said.contains(word), "{key}: no {word:?} in {said:?}");
        }
        for secret in ["Dear diary", "0123456789abcdef"] {
            assert!(!said.contains(secret), "the content is repeated: {said}");
        }
    }
}
