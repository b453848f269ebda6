//! The key store's records in one redb file: every commit durable and whole, or an error.
//!
//! The file has mode 0600 and one owner at a time. Nothing that cannot be read back intact is ever
//! taken for a record: pages carry checksums, which opening verifies.

pub(crate) mod database;
mod overlay;
mod stopped;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qkd_keystore::{Change, Storage, StorageError};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::audit::Witness;
use database::{Purpose, failed};
pub use stopped::{StoppedStore, StoppedStoreError};

/// File of the key store in a node's data folder.
pub const STORE_FILE: &str = "keys.redb";

/// All records of the key store.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// What others keep here with every commit.
const WITNESSED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("witnessed");

/// Where the audit log ended.
const AUDIT_LOG: &str = "audit log";

/// What the file is for.
const KEYS: Purpose = Purpose {
    name: "key store",
    content: "keys",
};

/// Key and value of every record.
type Records = Vec<(Vec<u8>, Vec<u8>)>;

/// Records in a redb file.
pub struct RedbStorage {
    database: Database,
    path: PathBuf,
    /// What is kept with every commit besides the records: where the audit log ended.
    witness: Option<Arc<Witness>>,
}

impl RedbStorage {
    /// Opens the file `path`, or makes it (mode 0600, its folder 0700) when there is none.
    ///
    /// # Errors
    /// When the file is another program's or user's, open to others, in use by another process,
    /// damaged, or refused by the operating system; the message names it and says what to do.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Self::of(path, database::open(path, KEYS)?)
    }

    /// Opens the file `path` to look at it: what is changed afterwards stays in memory. Others may look at
    /// the same time, and a node that starts meanwhile is told that the file is in use.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when there is no such file.
    pub fn look(path: &Path) -> Result<Self, StorageError> {
        Self::of(path, database::look(path, KEYS)?)
    }

    /// Opens what `backend` holds, which nobody else has open: a disk of a test's own. `path` is only its
    /// name in errors.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn on(path: &Path, backend: impl redb::StorageBackend) -> Result<Self, StorageError> {
        Self::of(path, database::open_refreshed(path, KEYS, backend)?)
    }

    fn of(path: &Path, database: Database) -> Result<Self, StorageError> {
        let mut storage = Self {
            database,
            path: path.to_path_buf(),
            witness: None,
        };
        // With the table there, reading never has to ask whether it is.
        storage.commit(&[])?;
        Ok(storage)
    }

    /// Keeps where the audit log ended, from now on with every commit; what was kept before is in what
    /// this returns.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn witness(&mut self) -> Result<Arc<Witness>, StorageError> {
        let kept = self.kept().map_err(|error| {
            let what = format!("cannot read where the audit log ended: {error}");
            failed(&self.path, &what)
        })?;
        let witness = Arc::new(Witness::new(kept.as_deref()));
        self.witness = Some(witness.clone());
        Ok(witness)
    }

    fn kept(&self) -> Result<Option<Vec<u8>>, redb::Error> {
        let transaction = self.database.begin_read()?;
        match transaction.open_table(WITNESSED) {
            Ok(table) => Ok(table.get(AUDIT_LOG)?.map(|kept| kept.value().to_vec())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), redb::Error> {
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(RECORDS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for record in table.iter()? {
            let (key, value) = record?;
            take(key.value(), value.value());
        }
        Ok(())
    }

    fn write(&self, changes: &[Change]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for change in changes {
                match change {
                    Change::Put { key, value } => {
                        table.insert(key.as_slice(), value.as_slice())?;
                    }
                    Change::Delete { key } => {
                        table.remove(key.as_slice())?;
                    }
                }
            }
        }
        if let Some(bytes) = self.witness.as_ref().and_then(|witness| witness.bytes()) {
            let mut table = transaction.open_table(WITNESSED)?;
            table.insert(AUDIT_LOG, bytes.as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Storage for RedbStorage {
    fn load(&mut self) -> Result<Records, StorageError> {
        let mut records = Vec::new();
        self.visit(&mut |key, value| records.push((key.to_vec(), value.to_vec())))?;
        Ok(records)
    }

    fn visit(&mut self, take: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StorageError> {
        self.read(take)
            .map_err(|error| failed(&self.path, &format!("cannot read the key store: {error}")))
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StorageError> {
        self.write(changes).map_err(|error| {
            let advice = "is the disk full or failing? the key store stays sealed until a restart";
            failed(
                &self.path,
                &format!("cannot make a change durable: {error}; {advice}"),
            )
        })
    }
}

#[cfg(test)]
mod tests;
