//! Opening a redb file: private, whole, and nobody else's.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use qkd_keystore::StorageError;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::overlay::Overlay;
use crate::secret_file;

/// How a redb file begins (design.md of redb, "Database header").
const MAGIC: [u8; 9] = [b'r', b'e', b'd', b'b', 0x1a, 0x0a, 0xa9, 0x0d, 0x0a];

/// The flag in the byte after it that a file has while it is open (there, `recovery_required`).
const LEFT_OPEN: u8 = 2;

/// Bytes that are written back at once.
const REFRESHED_BYTES: usize = 1 << 20;

/// The page cache: what is in these files is read about once and then only written.
const CACHE_BYTES: usize = 16 << 20;

/// What a file is for, in words for its owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purpose {
    /// What the file is: "key store".
    pub name: &'static str,
    /// What is in it: "keys".
    pub content: &'static str,
}

/// Opens the file `path`, or makes it (mode 0600, its folder 0700) when there is none.
///
/// # Errors
/// When the file is another program's or user's, open to others, in use by another process,
/// damaged, or refused by the operating system; the message names it and says what to do.
pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Database, StorageError> {
    let name = purpose.name;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    secret_file::ensure_private_folder(folder).map_err(|error| failed(path, &error.to_string()))?;
    let is_new = !path.exists();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| failed(path, &format!("cannot open the {name}: {error}")))?;
    check_file(path, purpose, &mut file)?;
    // Held until the file is closed. Where the file system knows no locks redb has none either.
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(opening(path, purpose, &DatabaseError::DatabaseAlreadyOpen));
    }
    let backend = FileBackend::new(file).map_err(|error| opening(path, purpose, &error))?;
    let database = open_refreshed(path, purpose, backend)?;
    if is_new {
        // The name of the file has to survive a power cut as well as its content.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| failed(path, &format!("cannot make its name durable: {error}")))?;
    }
    Ok(database)
}

/// Opens the file `path` without ever writing to it.
///
/// # Errors
/// As [`open`], and when there is no such file.
pub(super) fn look(path: &Path, purpose: Purpose) -> Result<Database, StorageError> {
    let name = purpose.name;
    let mut file = File::open(path)
        .map_err(|error| failed(path, &format!("cannot open the {name}: {error}")))?;
    check_file(path, purpose, &mut file)?;
    let backend = Overlay::of(file).map_err(|error| opening(path, purpose, &error))?;
    open_backend(path, purpose, backend)
}

/// Opens what `backend` holds, for somebody who goes on writing to it and has it for himself.
///
/// A file that was not closed as it should be is written back as it stands and synced before anything of it
/// is believed. After a sync that failed the operating system goes on showing pages that are not on the disk
/// and never writes them again; who continued on them would lose all of it with the next power cut.
pub(super) fn open_refreshed(
    path: &Path,
    purpose: Purpose,
    backend: impl StorageBackend,
) -> Result<Database, StorageError> {
    refresh(&backend).map_err(|error| {
        let name = purpose.name;
        failed(
            path,
            &format!("cannot make the {name} durable as it stands: {error}"),
        )
    })?;
    open_backend(path, purpose, backend)
}

fn refresh(backend: &impl StorageBackend) -> io::Result<()> {
    let len = backend.len()?;
    let mut start = [0; MAGIC.len() + 1];
    if len < start.len() as u64 {
        return Ok(());
    }
    backend.read(0, &mut start)?;
    let is_redb = start[..MAGIC.len()] == MAGIC;
    if !is_redb || start[MAGIC.len()] & LEFT_OPEN == 0 {
        return Ok(());
    }
    let mut piece = vec![0; REFRESHED_BYTES];
    let mut offset = 0;
    while offset < len {
        let bytes = (len - offset).min(REFRESHED_BYTES as u64) as usize;
        backend.read(offset, &mut piece[..bytes])?;
        backend.write(offset, &piece[..bytes])?;
        offset += bytes as u64;
    }
    backend.sync_data()
}

/// Opens what `backend` holds; `path` is only its name in errors.
pub(super) fn open_backend(
    path: &Path,
    purpose: Purpose,
    backend: impl StorageBackend,
) -> Result<Database, StorageError> {
    // redb promises an error for a damaged file, but asserts on the way to it.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
    }));
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(opening(path, purpose, &error)),
        Err(_) => Err(damaged(path, purpose, "its structure contradicts itself")),
    }
}

/// Refuses what is no regular file, belongs to everybody, or was written by another program.
fn check_file(path: &Path, purpose: Purpose, file: &mut File) -> Result<(), StorageError> {
    let name = purpose.name;
    let io = |error: io::Error| failed(path, &format!("cannot examine the {name}: {error}"));
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
            &format!(
                "this file is no {name} (it does not begin as one); expected a file that this program made, or none"
            ),
        ));
    }
    Ok(())
}

fn opening(path: &Path, purpose: Purpose, error: &DatabaseError) -> StorageError {
    let name = purpose.name;
    match error {
        DatabaseError::DatabaseAlreadyOpen => failed(
            path,
            &format!(
                "the {name} is in use by another process; expected to be its only user: stop the other daemon or give this one its own node.data_dir"
            ),
        ),
        DatabaseError::Storage(redb::StorageError::Corrupted(what)) => damaged(path, purpose, what),
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData
                || error.kind() == io::ErrorKind::UnexpectedEof =>
        {
            damaged(path, purpose, &error.to_string())
        }
        other => failed(path, &format!("cannot open the {name}: {other}")),
    }
}

fn damaged(path: &Path, purpose: Purpose, what: &str) -> StorageError {
    let Purpose { name, content } = purpose;
    failed(
        path,
        &format!(
            "the {name} is damaged ({what}); expected the file as this program left it: put a copy back or move it away, its {content} are lost"
        ),
    )
}

/// An error about the file `path`.
pub(crate) fn failed(path: &Path, what: &str) -> StorageError {
    StorageError {
        message: format!("{}: {what}", path.display()),
    }
}
