//! What a file survives, and what it says when it did not.

use super::*;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::tempdir;

fn put(key: &[u8], value: &[u8]) -> Change {
    Change::Put {
        key: key.to_vec(),
        value: value.to_vec(),
    }
}

fn open(path: &Path) -> RedbStorage {
    RedbStorage::open(path).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(path: &Path) -> String {
    match RedbStorage::open(path) {
        Ok(_) => panic!("the file was opened"),
        Err(error) => error.message,
    }
}

#[test]
fn everything_committed_is_there_after_reopening() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data/keys.redb");
    let mut storage = open(&path);
    assert_eq!(storage.load().unwrap(), vec![]);
    storage
        .commit(&[put(b"a", b"1"), put(b"b", &[7; 10_000]), put(b"c", b"")])
        .unwrap();
    let again = Change::Delete { key: b"a".to_vec() };
    storage
        .commit(&[put(b"c", b"2"), again.clone(), put(b"c", b"3"), again])
        .unwrap();
    drop(storage);
    let expected = vec![
        (b"b".to_vec(), vec![7; 10_000]),
        (b"c".to_vec(), b"3".to_vec()),
    ];
    assert_eq!(open(&path).load().unwrap(), expected);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("keys.redb");
    let first = open(&path);
    let said = refusal(&path);
    assert!(said.contains("in use by another process"), "{said}");
    assert!(said.contains("keys.redb"), "{said}");
    drop(first);
    open(&path);
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("keys.redb");
    for content in [&b"hello"[..], b"redb", &[0; 8192]] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let said = refusal(&path);
        assert!(said.contains("no key store"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let said = refusal(&inner);
    assert!(
        said.contains("cannot open") || said.contains("regular file"),
        "{said}"
    );
}

#[test]
fn a_store_that_others_may_read_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("keys.redb");
    drop(open(&path));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refusal(&path).contains("chmod 600"));
}

/// Cut anywhere or with any byte changed, a file opens with exactly the records it had or not at
/// all. Cuts and flips are spread over the file by a fixed stride.
#[test]
fn a_torn_or_altered_file_never_shows_a_wrong_record() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("keys.redb");
    let mut storage = open(&path);
    for n in 0u8..20 {
        storage.commit(&[put(&[n], &[n; 300])]).unwrap();
    }
    let records = storage.load().unwrap();
    drop(storage);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    let mut check = |bytes: &[u8], what: String| {
        fs::write(&path, bytes).unwrap();
        match RedbStorage::open(&path) {
            Ok(mut storage) => assert!(storage.load().unwrap() == records, "{what}"),
            Err(error) => {
                assert!(error.message.contains("keys.redb"), "{}", error.message);
                refused += 1;
            }
        }
    };
    for length in (1..whole.len()).step_by(whole.len() / 23) {
        check(&whole[..length], format!("cut at {length}"));
    }
    for at in (0..whole.len()).step_by(whole.len() / 61) {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        check(&altered, format!("byte {at} altered"));
    }
    assert!(refused > 10, "only {refused} damaged files were refused");
}

/// A disk in memory on which all writes fail once a budget is spent, as on a full disk.
#[derive(Debug, Clone)]
struct FailingDisk {
    disk: Arc<InMemoryBackend>,
    writes_left: Arc<AtomicU64>,
}

impl FailingDisk {
    fn spend(&self) -> io::Result<()> {
        let spent = self
            .writes_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match spent {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.spend()?;
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.spend()?;
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.spend()?;
        self.disk.write(offset, data)
    }
}

#[test]
fn a_disk_that_fills_up_at_any_write_leaves_the_old_or_the_new_records() {
    let path = Path::new("memory");
    let old = vec![(b"old".to_vec(), vec![1; 2000])];
    let new = vec![(b"new".to_vec(), vec![2; 5000])];
    let changes = [
        Change::Delete {
            key: b"old".to_vec(),
        },
        put(b"new", &[2; 5000]),
    ];
    let mut failures = 0;
    for budget in 0.. {
        let disk = FailingDisk {
            disk: Arc::default(),
            writes_left: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let mut storage = RedbStorage::on(path, disk.clone()).unwrap();
        storage.commit(&[put(b"old", &[1; 2000])]).unwrap();
        disk.writes_left.store(budget, Ordering::SeqCst);
        let committed = storage.commit(&changes);
        drop(storage);
        disk.writes_left.store(u64::MAX, Ordering::SeqCst);
        let mut storage = RedbStorage::on(path, disk).unwrap();
        let found = storage.load().unwrap();
        match committed {
            Ok(()) => {
                assert_eq!(found, new, "budget {budget}");
                break;
            }
            Err(error) => {
                assert!(error.message.contains("disk full"), "{}", error.message);
                assert!(found == old || found == new, "budget {budget}");
                failures += 1;
            }
        }
    }
    assert!(failures >= 2, "only {failures} failing writes were reached");
}
