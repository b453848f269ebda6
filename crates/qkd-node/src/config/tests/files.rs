//! Files that a configuration names, and are not what it needs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::pki::{LabPki, Parties};

/// A folder with Alice's configuration and everything that it names.
fn installed() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let parties = Parties {
        nodes: &["kme-alice"],
        saes: &[],
    };
    LabPki::create(&folder.path().join("pki"), &parties).unwrap();
    let path = folder.path().join("alice.toml");
    fs::write(&path, ALICE).unwrap();
    (folder, path)
}

fn complaint(path: &Path) -> String {
    match NodeConfig::load(path, Role::Alice) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_configuration_with_all_its_files_loads() {
    let (_folder, path) = installed();
    NodeConfig::load(&path, Role::Alice).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let (folder, _) = installed();
    let said = complaint(&folder.path().join("gone.toml"));
    assert!(
        said.contains("gone.toml") && said.contains("No such file"),
        "{said}"
    );
    fs::write(folder.path().join("binary.toml"), [0xff, 0xfe]).unwrap();
    let said = complaint(&folder.path().join("binary.toml"));
    assert!(said.contains("UTF-8"), "{said}");
}

/// Spoils one file of an installation.
type Spoil = fn(&Path);

#[test]
fn every_unfit_file_is_refused_at_the_key_that_names_it() {
    let open: Spoil = |path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let empty: Spoil = |path| fs::write(path, "").unwrap();
    let remove: Spoil = |path| fs::remove_file(path).unwrap();
    let cases: [(&str, Spoil, &str, &str); 8] = [
        (
            "pki/pre-shared.key",
            remove,
            "12:18: classical.pre_shared_key",
            "No such file",
        ),
        (
            "pki/pre-shared.key",
            open,
            "12:18: classical.pre_shared_key",
            "chmod 600",
        ),
        (
            "pki/pre-shared.key",
            empty,
            "12:18: classical.pre_shared_key",
            "64 hexadecimal digits",
        ),
        (
            "pki/kme-alice.pem",
            remove,
            "18:15: tls.certificate",
            "No such file",
        ),
        (
            "pki/kme-alice.pem",
            empty,
            "18:15: tls.certificate",
            "BEGIN CERTIFICATE",
        ),
        (
            "pki/kme-alice.key",
            open,
            "19:15: tls.private_key",
            "chmod 600",
        ),
        (
            "pki/kme-alice.key",
            empty,
            "19:15: tls.private_key",
            "BEGIN PRIVATE KEY",
        ),
        (
            "pki/authority.pem",
            remove,
            "20:13: tls.authority",
            "No such file",
        ),
    ];
    for (file, spoil, place, words) in cases {
        let (folder, path) = installed();
        spoil(&folder.path().join(file));
        let said = complaint(&path);
        assert!(said.contains(place), "{file}: no {place:?} in {said:?}");
        assert!(said.contains(words), "{file}: no {words:?} in {said:?}");
    }
}

#[test]
fn a_store_key_is_optional_but_must_be_private() {
    let (folder, path) = installed();
    let key = folder.path().join("alice.store.key");
    crate::secret_file::create_key(&key).unwrap();
    NodeConfig::load(&path, Role::Alice).unwrap_or_else(|error| panic!("{error}"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o666)).unwrap();
    let said = complaint(&path);
    assert!(
        said.contains("store.store_key") && said.contains("mode 0666"),
        "{said}"
    );
}
