//! The key store's records in one redb file: every commit durable and whole, or an error.
//!
//! The file has mode 0600 and one owner at a time. Nothing that cannot be read back intact is ever
//! taken for a record: pages carry checksums, which opening verifies.

pub(crate) mod database;
mod overlay;
mod stopped;

use std::path::{Path, PathBuf};

use qkd_keystore::{Change, Storage, StorageError};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use database::{Purpose, failed};
pub use stopped::{StoppedStore, StoppedStoreError};

/// File of the key store in a node's data folder.
pub const STORE_FILE: &str = "keys.redb";

/// All records of the key store.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

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
        };
        // With the table there, reading never has to ask whether it is.
        storage.commit(&[])?;
        Ok(storage)
    }

    fn read(&self) -> Result<Records, redb::Error> {
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(RECORDS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut records = Vec::new();
        for record in table.iter()? {
            let (key, value) = record?;
            records.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(records)
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
        transaction.commit()?;
        Ok(())
    }
}

impl Storage for RedbStorage {
    fn load(&mut self) -> Result<Records, StorageError> {
        self.read()
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
