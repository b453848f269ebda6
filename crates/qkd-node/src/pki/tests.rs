//! What a set consists of, and what is never done to one.

use super::*;
use crate::tls::TlsMaterial;
use std::fs;
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

fn kept(folder: &Path) -> KeptPki {
    KeptPki::in_folder(folder, None)
}

fn set(hours: u64) -> NewSet {
    let alice = Party {
        other_names: vec!["alice".to_owned(), "192.0.2.7".to_owned()],
        ..Party::node("kme-alice")
    };
    NewSet {
        parties: vec![alice, Party::node("kme-bob"), Party::application("app-a")],
        validity: Duration::from_secs(hours * 3600),
        authority_validity: Duration::from_secs(1_000 * 3600),
        public_files: vec![("app-a.toml".to_owned(), "# profile\n".to_owned())],
    }
}

/// Every file of a folder with its content.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_kept_authority_has_a_private_key_for_its_owner_only() {
    let folder = tempdir().unwrap();
    let elsewhere = folder.path().join("signing.key");
    let pki = KeptPki::in_folder(&folder.path().join("pki"), Some(&elsewhere));
    pki.create(&set(24)).unwrap();
    assert_eq!(fs::metadata(&elsewhere).unwrap().mode() & 0o7777, 0o600);
    assert!(!folder.path().join("pki/authority.key").exists());
    for name in ["kme-alice", "kme-bob", "app-a"] {
        let files = pki.files().files_of(name);
        let material = TlsMaterial::load(&files).unwrap_or_else(|error| panic!("{error}"));
        assert!(material.facts().validity.length() == 24 * 3600 + 300);
    }
}

#[test]
fn a_renewed_pair_has_a_new_key_for_the_same_names() {
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    pki.create(&set(24)).unwrap();
    let before = pki.files().inventory().unwrap();
    for entry in before.iter().skip(1) {
        let renewed = pki.renew(&entry.name, None).unwrap();
        assert_eq!(renewed.dns_names, entry.facts.dns_names);
        assert_eq!(renewed.addresses, entry.facts.addresses);
        assert_eq!(renewed.for_servers, entry.facts.for_servers);
        assert_eq!(renewed.validity.length(), entry.facts.validity.length());
        assert_ne!(renewed.public_key, entry.facts.public_key);
        let key = pki.files().files_of(&entry.name).private_key;
        assert_eq!(fs::metadata(key).unwrap().mode() & 0o7777, 0o600);
    }
    let longer = pki.renew("app-a", Some(Duration::from_secs(7_200_000)));
    assert_eq!(longer.unwrap().validity.length(), 7_200_300);
}

#[test]
fn certificates_of_both_authorities_are_good_during_a_change_over() {
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    pki.create(&set(24)).unwrap();
    pki.renew_authority(Duration::from_secs(1_000 * 3600))
        .unwrap();
    pki.renew("kme-bob", None).unwrap();
    for name in ["kme-alice", "kme-bob"] {
        let loaded = TlsMaterial::load(&pki.files().files_of(name));
        loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let entries = pki.files().inventory().unwrap();
    let authorities = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Authority);
    assert_eq!(authorities.count(), 2);
}

#[test]
fn a_whole_set_stays_and_only_what_is_old_is_renewed() {
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    assert_eq!(pki.create_if_absent(&set(24)).unwrap(), Made::New);
    let before = contents(folder.path());
    let present = |renewed: &[&str]| Made::Present {
        renewed: renewed.iter().map(|&name| name.to_owned()).collect(),
    };
    assert_eq!(pki.create_if_absent(&set(24)).unwrap(), present(&[]));
    assert_eq!(contents(folder.path()), before, "nothing was changed");
    // Of a certificate that is good for a second beside the margin for clocks, nothing is left.
    pki.renew("kme-bob", Some(Duration::from_secs(1))).unwrap();
    assert_eq!(
        pki.create_if_absent(&set(24)).unwrap(),
        present(&["kme-bob"])
    );
}

/// Spoils a file of a set.
type Spoil = fn(&LabPki);

#[test]
fn an_incomplete_foreign_or_other_set_is_refused_and_left_alone() {
    let cases: [(Spoil, &str); 5] = [
        (
            |pki| fs::remove_file(pki.files_of("kme-bob").certificate).unwrap(),
            "kme-bob.pem is not there",
        ),
        (
            |pki| fs::remove_file(pki.pre_shared_key()).unwrap(),
            "pre-shared.key is not there",
        ),
        (
            |pki| fs::remove_file(pki.files_of(AUTHORITY).private_key).unwrap(),
            "authority.key is not there",
        ),
        (
            |pki| {
                let other = tempdir().unwrap();
                kept(other.path()).create(&set(24)).unwrap();
                let files = LabPki::in_folder(other.path()).files_of("kme-bob");
                fs::copy(files.certificate, pki.files_of("kme-bob").certificate).unwrap();
                fs::copy(files.private_key, pki.files_of("kme-bob").private_key).unwrap();
            },
            "was not signed by the authority",
        ),
        (
            |pki| {
                let other = tempdir().unwrap();
                kept(other.path()).create(&set(24)).unwrap();
                let key = LabPki::in_folder(other.path())
                    .files_of(AUTHORITY)
                    .private_key;
                fs::copy(key, pki.files_of(AUTHORITY).private_key).unwrap();
            },
            "the key belongs to another certificate",
        ),
    ];
    for (spoil, expected) in cases {
        let folder = tempdir().unwrap();
        let pki = kept(folder.path());
        pki.create(&set(24)).unwrap();
        spoil(pki.files());
        let before = contents(folder.path());
        let said = pki.create_if_absent(&set(24)).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
        assert_eq!(contents(folder.path()), before, "{expected}");
    }
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    pki.create(&set(24)).unwrap();
    let mut other = set(24);
    other.parties[1].other_names = vec!["bob".to_owned()];
    let said = pki.create_if_absent(&other).unwrap_err().to_string();
    assert!(said.contains("expected \"bob\" as node"), "{said}");
}

#[test]
fn a_set_that_was_cut_short_is_made_again() {
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    let list = "authority.pem\nkme-alice.pem\nkme-alice.key\napp-a.toml";
    fs::write(folder.path().join(".unfinished"), list).unwrap();
    fs::write(pki.files().authority(), "half").unwrap();
    fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    assert_eq!(pki.create_if_absent(&set(24)).unwrap(), Made::New);
    assert!(!folder.path().join(".unfinished").exists());
    assert_eq!(fs::read(folder.path().join("mine.txt")).unwrap(), b"mine");
}

#[test]
fn nobody_gets_a_name_that_is_taken_or_signs_with_an_authority_that_expired() {
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    pki.create(&set(24)).unwrap();
    let taken = pki.issue(&Party::application("kme-bob"), VALIDITY);
    assert!(matches!(taken, Err(PkiError::Taken { .. })), "{taken:?}");
    for name in ["alice", "KME-BOB", "localhost", "../x"] {
        let error = pki.issue(&Party::application(name), VALIDITY).unwrap_err();
        assert!(matches!(error, PkiError::BadName { .. }), "{name}: {error}");
    }
    pki.issue(&Party::node("kme-carol"), VALIDITY).unwrap();
    assert!(pki.files().store_key_of("kme-carol").exists());
    let (expired, certificate) = {
        let (authority, pem) = authority::Authority::generate(Duration::ZERO).unwrap();
        (authority.key_pem(), pem)
    };
    fs::write(pki.authority_key(), &*expired).unwrap();
    fs::write(pki.files().authority(), certificate).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    let said = pki
        .issue(&Party::node("kme-dave"), VALIDITY)
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("authority expired on") && said.contains("is the clock wrong?"),
        "{said}"
    );
}

/// What a renewal that is cut short between its two renamings leaves: `late` still as it was, and
/// what was to replace it beside it.
fn cut_short(late: &Path, before: &[u8]) -> Vec<u8> {
    let name = late.file_name().unwrap().to_str().unwrap();
    let after = fs::read(late).unwrap();
    fs::rename(late, late.with_file_name(format!(".{name}.new"))).unwrap();
    // Both with the mode of a key, which is good for a certificate too.
    crate::secret_file::write_new(late, before).unwrap();
    after
}

fn left_over(folder: &Path) -> usize {
    let is_new = |path: &Path| path.extension().is_some_and(|end| end == "new");
    contents(folder)
        .iter()
        .filter(|(path, _)| is_new(path))
        .count()
}

#[test]
fn a_renewal_that_was_cut_short_is_finished_whichever_file_came_first() {
    for key_is_late in [false, true] {
        let folder = tempdir().unwrap();
        let pki = kept(folder.path());
        pki.create(&set(24)).unwrap();
        let files = pki.files().files_of("kme-bob");
        let late = match key_is_late {
            false => files.certificate.clone(),
            true => files.private_key.clone(),
        };
        let before = fs::read(&late).unwrap();
        pki.renew("kme-bob", None).unwrap();
        let after = cut_short(&late, &before);
        assert!(TlsMaterial::load(&files).is_err());
        let made = pki.create_if_absent(&set(24));
        let whole = Made::Present {
            renewed: Vec::new(),
        };
        assert_eq!(made.unwrap(), whole, "key late: {key_is_late}");
        assert_eq!(fs::read(&late).unwrap(), after);
        TlsMaterial::load(&files).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(left_over(folder.path()), 0);
        pki.renew("kme-bob", None).unwrap();
    }
}

#[test]
fn a_change_of_the_authority_that_was_cut_short_is_finished_whichever_file_came_first() {
    let day = Duration::from_secs(24 * 3600);
    for key_is_late in [true, false] {
        let folder = tempdir().unwrap();
        let pki = kept(folder.path());
        pki.create(&set(24)).unwrap();
        let late = match key_is_late {
            false => pki.files().authority(),
            true => pki.authority_key().to_path_buf(),
        };
        let before = fs::read(&late).unwrap();
        pki.renew_authority(day).unwrap();
        let after = cut_short(&late, &before);
        pki.renew("app-a", None)
            .unwrap_or_else(|error| panic!("key late {key_is_late}: {error}"));
        assert_eq!(fs::read(&late).unwrap(), after);
        assert_eq!(left_over(folder.path()), 0);
        pki.renew_authority(day).unwrap();
    }
}

#[test]
fn what_a_renewal_left_that_replaced_nothing_is_removed_and_what_fits_nothing_stays() {
    let folder = tempdir().unwrap();
    let pki = kept(folder.path());
    pki.finish_renewals().unwrap();
    pki.create(&set(24)).unwrap();
    let good = contents(folder.path());
    for name in [".app-a.key", ".app-a.pem", ".authority.key"] {
        fs::write(folder.path().join(format!("{name}.new")), "half a").unwrap();
    }
    pki.finish_renewals().unwrap();
    assert_eq!(contents(folder.path()), good);

    let files = pki.files().files_of("app-a");
    fs::copy(
        pki.files().files_of("kme-bob").private_key,
        &files.private_key,
    )
    .unwrap();
    fs::write(folder.path().join(".app-a.pem.new"), "half a").unwrap();
    let spoilt = contents(folder.path());
    let said = pki.renew("app-a", None).unwrap_err().to_string();
    assert!(
        said.contains("does not belong to the certificate"),
        "{said}"
    );
    assert_eq!(contents(folder.path()), spoilt);
}
