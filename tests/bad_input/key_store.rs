//! Key stores that a daemon must not touch: in use, of somebody else, damaged, open to others.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use qkd_node::config::NodeConfig;
use qkd_node::secret_file;

use super::{Installation, refusal};
use crate::process::{Running, STOP_WITHIN};
use crate::support::{ALICE, BOB};

/// Starts a daemon and waits until it is ready.
fn ready(role: &str, config: &Path) -> Running {
    let mut daemon = Running::start(&[role, "--config", config.to_str().unwrap()]);
    assert!(
        daemon.line(0).contains("\"ready\":true"),
        "{}",
        daemon.story()
    );
    daemon
}

fn stop(mut daemon: Running) {
    daemon.signal("TERM");
    let status = daemon.end_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", daemon.story());
}

/// An installation in which Bob has run once, with his configuration on free ports.
fn used() -> (Installation, std::path::PathBuf) {
    let installation = Installation::new();
    let text = NodeConfig::Bob(installation.nodes.bob_config.clone()).to_toml();
    let config = installation.write("bob.toml", &text);
    stop(ready("bob", &config));
    (installation, config)
}

#[test]
fn a_store_in_use_is_not_opened_twice() {
    let (_installation, config) = used();
    let mut first = ready("bob", &config);
    let said = refusal("bob", &config);
    assert!(
        said.contains("keys.redb") && said.contains("in use by another process"),
        "{said}"
    );
    assert!(
        said.contains("stop the other daemon or give this one its own node.data_dir"),
        "{said}"
    );
    assert!(first.ended().is_none(), "the first one is undisturbed");
    stop(first);
}

#[test]
fn a_store_of_another_key_is_refused_and_unharmed() {
    let (installation, config) = used();
    let path = installation.nodes.pki.store_key_of(BOB);
    let key = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    secret_file::create_key(&path).unwrap();
    let said = refusal("bob", &config);
    assert!(said.contains("keys.redb"), "{said}");
    assert!(
        said.contains("the store key does not fit this key store"),
        "{said}"
    );
    fs::write(&path, key).unwrap();
    stop(ready("bob", &config));
}

#[test]
fn a_store_of_the_other_side_is_refused_and_unharmed() {
    let (installation, config) = used();
    let mut alice = installation.nodes.alice_config.clone();
    alice.link.data_dir = installation.nodes.bob_config.link.data_dir.clone();
    alice.link.store.store_key = installation.nodes.pki.store_key_of(BOB);
    let text = NodeConfig::Alice(alice).to_toml();
    let said = refusal("alice", &installation.write("alice.toml", &text));
    assert!(said.contains("keys.redb"), "{said}");
    assert!(
        said.contains("created by the other side of a link"),
        "{said}"
    );
    stop(ready("bob", &config));
    assert!(!installation.nodes.store_file(ALICE).exists());
}

/// Spoils a data folder or the store in it.
type Spoil = fn(&Path);

#[test]
fn a_spoilt_store_or_folder_is_refused_with_what_to_do() {
    let open_folder: Spoil = |folder| set_mode(folder, 0o777);
    let open_store: Spoil = |folder| set_mode(&folder.join("keys.redb"), 0o644);
    let stranger: Spoil = |folder| {
        fs::remove_file(folder.join("keys.redb")).unwrap();
        secret_file::write_new(&folder.join("keys.redb"), b"Dear diary").unwrap();
    };
    let cut: Spoil = |folder| {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(folder.join("keys.redb"));
        let file = file.unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    let no_folder: Spoil = |folder| {
        fs::remove_dir_all(folder).unwrap();
        fs::write(folder, "a file").unwrap();
    };
    let no_file: Spoil = |folder| {
        fs::remove_file(folder.join("keys.redb")).unwrap();
        fs::create_dir(folder.join("keys.redb")).unwrap();
    };
    #[rustfmt::skip]
    let cases: &[(Spoil, &[&str])] = &[
        (open_folder, &["mode 0777 lets other users at it", "chmod 755"]),
        (open_store, &["keys.redb", "mode 0644 lets other users at it", "chmod 600"]),
        (stranger, &["keys.redb", "is no key store"]),
        (cut, &["keys.redb", "is damaged", "put a copy back"]),
        (no_folder, &["cannot create the folder"]),
        (no_file, &["keys.redb"]),
    ];
    for (spoil, words) in cases {
        let (installation, config) = used();
        let folder = &installation.nodes.bob_config.link.data_dir;
        spoil(folder);
        let said = refusal("bob", &config);
        assert!(said.contains(folder.to_str().unwrap()), "{said}");
        for word in *words {
            assert!(said.contains(word), "no {word:?} in {said:?}");
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
