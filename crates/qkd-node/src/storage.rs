//! The key store's records in one redb file: every commit durable and whole, or an error.
//!
//! The file has mode 0600 and one owner at a time. Nothing that cannot be read back intact is ever
//! taken for a record: pages carry checksums, which opening verifies.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use qkd_keystore::{Change, Storage, StorageError};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageBackend,
    TableDefinition, TableError,
};

use crate::secret_file;

/// All records of the key store.
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// How a redb file begins (design.md of redb, "Database header").
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1a, 0x0a, 0xa9, 0x0d, 0x0a];

/// The page cache: the key store reads all records once and then only writes.
const CACHE_BYTES: usize = 16 << 20;

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
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        secret_file::ensure_private_folder(folder)
            .map_err(|error| failed(path, &error.to_string()))?;
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| failed(path, &format!("cannot open the key store: {error}")))?;
        check_file(path, &mut file)?;
        let backend = FileBackend::new(file).map_err(|error| opening(path, &error))?;
        let storage = Self::open_backend(path, backend)?;
        if is_new {
            // The name of the file has to survive a power cut as well as its content.
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| failed(path, &format!("cannot make its name durable: {error}")))?;
        }
        Ok(storage)
    }

    fn open_backend(path: &Path, backend: impl StorageBackend) -> Result<Self, StorageError> {
        // redb promises an error for a damaged file, but asserts on the way to it.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            Builder::new()
                .set_cache_size(CACHE_BYTES)
                .set_check_integrity_on_open(true)
                .create_with_backend(backend)
        }));
        let database = match opened {
            Ok(Ok(database)) => database,
            Ok(Err(error)) => return Err(opening(path, &error)),
            Err(_) => return Err(damaged(path, "its structure contradicts itself")),
        };
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

/// Refuses what is no regular file, belongs to everybody, or was written by another program.
fn check_file(path: &Path, file: &mut File) -> Result<(), StorageError> {
    let io = |error: io::Error| failed(path, &format!("cannot examine the key store: {error}"));
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(failed(path, "expected a regular file"));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path_text = path.display();
        return Err(failed(
            path,
            &format!("mode {mode:04o} lets other users at it; run: chmod 600 {path_text}"),
        ));
    }
    if metadata.len() == 0 {
        return Ok(());
    }
    let mut start = Vec::with_capacity(MAGIC.len());
    file.take(MAGIC.len() as u64)
        .read_to_end(&mut start)
        .map_err(io)?;
    if start != MAGIC {
        return Err(failed(
            path,
            "this file is no key store (it does not begin as one); expected a file that this program made, or none",
        ));
    }
    Ok(())
}

fn opening(path: &Path, error: &DatabaseError) -> StorageError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => failed(
            path,
            "the key store is in use by another process; expected to be its only user: stop the other daemon or give this one its own node.data_dir",
        ),
        DatabaseError::Storage(redb::StorageError::Corrupted(what)) => damaged(path, what),
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData
                || error.kind() == io::ErrorKind::UnexpectedEof =>
        {
            damaged(path, &error.to_string())
        }
        other => failed(path, &format!("cannot open the key store: {other}")),
    }
}

fn damaged(path: &Path, what: &str) -> StorageError {
    failed(
        path,
        &format!(
            "the key store is damaged ({what}); expected the file as this program left it: put a copy back or move it away, its keys are lost"
        ),
    )
}

fn failed(path: &Path, what: &str) -> StorageError {
    StorageError {
        message: format!("{}: {what}", path.display()),
    }
}

#[cfg(test)]
mod tests;
