//! The port to whatever keeps records across a crash, with an implementation in memory for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A record's key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// Keeps records. Values are wrapped or public: no key byte passes here in the clear.
pub trait Storage: Send {
    /// All records, each key once, in any order.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn load(&mut self) -> Result<Vec<Record>, StorageError>;

    /// Shows `take` all records one after the other, key and value, each key once and in any order.
    /// Where they are many, this is to need no room for all of them at once.
    ///
    /// # Errors
    /// When the records cannot be read.
    fn visit(&mut self, take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StorageError> {
        for (key, value) in self.load()? {
            take(&key, &value);
        }
        Ok(())
    }

    /// Makes all changes durable at once, in the order given.
    ///
    /// # Errors
    /// When durability cannot be promised. What is kept is then either the old or the new state,
    /// never a mixture; the caller opens the storage again before it uses it further.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StorageError>;
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets a record.
    Put {
        /// Its key.
        key: Vec<u8>,
        /// Its new value.
        value: Vec<u8>,
    },
    /// Removes a record if it is there.
    Delete {
        /// Its key.
        key: Vec<u8>,
    },
}

/// Storage could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("storage failed: {message}")]
pub struct StorageError {
    /// What failed, in words.
    pub message: String,
}

/// How a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is kept: a crash before the write.
    Lost,
    /// Everything is kept, but the caller hears of a failure: a crash right after the write.
    KeptButReported,
}

/// Records in memory. A clone is a second handle to the same records, which a test keeps to
/// inject faults and to see what a crash would leave.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<Mutex<Disk>>);

/// A copy of all records at one moment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<Vec<u8>, Vec<u8>>);

#[derive(Default)]
struct Disk {
    records: Snapshot,
    commits: u64,
    fault: Option<(u64, Fault)>,
}

impl MemoryStorage {
    /// Empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of all records.
    pub fn snapshot(&self) -> Snapshot {
        self.disk().records.clone()
    }

    /// Puts an earlier copy back.
    pub fn restore(&self, snapshot: &Snapshot) {
        self.disk().records = snapshot.clone();
    }

    /// Commits asked for so far, failed ones included.
    pub fn commits(&self) -> u64 {
        self.disk().commits
    }

    /// Makes the commit after `commits` further good ones fail, once.
    pub fn fail_after(&self, commits: u64, fault: Fault) {
        let mut disk = self.disk();
        disk.fault = Some((disk.commits + commits, fault));
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // A panic elsewhere cannot leave the map half-changed in a way that matters to a test.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    /// The records.
    pub fn records(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.0
    }

    /// The records, to damage them.
    pub fn records_mut(&mut self) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        &mut self.0
    }
}

impl Storage for MemoryStorage {
    fn load(&mut self) -> Result<Vec<Record>, StorageError> {
        Ok(self.snapshot().0.into_iter().collect())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StorageError> {
        let mut disk = self.disk();
        let fault = match disk.fault {
            Some((at, fault)) if at == disk.commits => {
                disk.fault = None;
                Some(fault)
            }
            Some(_) | None => None,
        };
        disk.commits += 1;
        if fault != Some(Fault::Lost) {
            for change in changes.iter().cloned() {
                match change {
                    Change::Put { key, value } => disk.records.0.insert(key, value),
                    Change::Delete { key } => disk.records.0.remove(&key),
                };
            }
        }
        match fault {
            None => Ok(()),
            Some(fault) => Err(StorageError {
                message: format!("injected fault {fault:?}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u8, value: u8) -> Change {
        Change::Put {
            key: vec![key],
            value: vec![value],
        }
    }

    #[test]
    fn a_lost_commit_changes_nothing_and_a_kept_one_everything() {
        let handle = MemoryStorage::new();
        let mut storage = handle.clone();
        storage.commit(&[put(1, 1)]).unwrap();
        handle.fail_after(0, Fault::Lost);
        let before = handle.snapshot();
        assert!(storage.commit(&[put(1, 2)]).is_err());
        assert!(handle.snapshot() == before);
        handle.fail_after(1, Fault::KeptButReported);
        storage.commit(&[put(2, 2)]).unwrap();
        assert!(
            storage
                .commit(&[put(1, 3), Change::Delete { key: vec![2] }])
                .is_err()
        );
        assert_eq!(storage.load().unwrap(), vec![(vec![1], vec![3])]);
        assert_eq!(handle.commits(), 4);
    }
}
