//! What outlives a command: one file per partner and direction, and a lock beside it.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use qkd_bits::SecretBytes;
use qkd_node::secret_file::ensure_private_folder;

use super::error::Error;

/// A sealed message and a little more; an honest state is never longer.
const STATE_BYTES_MAX: u64 = 4 << 20;

/// Longest name in a file's name, bytes.
const NAME_BYTES_MAX: usize = 180;

/// The folder of one application's states.
pub struct StateFolder {
    path: PathBuf,
}

/// Locked as long as it lives, and unlocked by the system when the process dies.
pub struct Lock {
    _file: File,
}

/// The state of one direction with one partner.
pub struct StateFile {
    path: PathBuf,
}

impl StateFolder {
    /// The folder of the application `name` in `folder`, or in the user's folder of states.
    ///
    /// # Errors
    /// When there is none, it cannot be made, or others may write to it.
    pub fn open(folder: Option<&Path>, name: &str) -> Result<Self, Error> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => set("XDG_STATE_HOME")
                .map(PathBuf::from)
                .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state")))
                .map(|states| states.join("qkd"))
                .ok_or(Error::NoStateFolder)?,
        };
        let path = folder.join(encoded(name)?);
        ensure_private_folder(&path)?;
        Ok(Self { path })
    }

    /// The state of what is sent to `partner`.
    ///
    /// # Errors
    /// When the name is too long.
    pub fn to(&self, partner: &str) -> Result<StateFile, Error> {
        self.file(&format!("to-{}.state", encoded(partner)?))
    }

    /// The state of what is received from `partner`.
    ///
    /// # Errors
    /// When the name is too long.
    pub fn from(&self, partner: &str) -> Result<StateFile, Error> {
        self.file(&format!("from-{}.state", encoded(partner)?))
    }

    fn file(&self, name: &str) -> Result<StateFile, Error> {
        let path = self.path.join(name);
        Ok(StateFile { path })
    }

    /// The lock of everything that is received.
    pub fn receive_lock(&self) -> PathBuf {
        self.path.join("receive.lock")
    }
}

impl StateFile {
    /// The lock beside it.
    pub fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    /// Reads the state with `read`; `None` when there is none. What it returns is durable.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn load<T>(
        &self,
        read: impl FnOnce(&[u8]) -> Result<T, qkd_messaging::Error>,
    ) -> Result<Option<T>, Error> {
        let path = &self.path;
        let io = |action: &str| Error::io(format!("{action} {}", path.display()));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("open")(error)),
        };
        let metadata = file.metadata().map_err(io("examine"))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(Error::OpenToOthers {
                path: path.clone(),
                mode: metadata.mode() & 0o7777,
            });
        }
        let bytes = metadata.len().min(STATE_BYTES_MAX);
        // With all its room from the start, the buffer never moves and leaves a copy behind.
        let mut state = SecretBytes::from(vec![0; bytes as usize]);
        (&file).read_exact(state.expose_mut()).map_err(io("read"))?;
        let state = read(state.expose()).map_err(|source| Error::State {
            path: path.clone(),
            source,
        })?;
        // A process that was killed within `store` may have left a state that only the system's
        // cache has. Acting on it, and then losing it with the power, would use a nonce twice.
        file.sync_all().map_err(io("write"))?;
        sync_folder(path)?;
        Ok(Some(state))
    }

    /// Replaces the state; it is durable when this returns.
    ///
    /// # Errors
    /// When it cannot be written; then the former state or the new one is there, and whole.
    pub fn store(&self, state: &SecretBytes) -> Result<(), Error> {
        let new = self.path.with_extension("new");
        let io = |action: &str| Error::io(format!("{action} {}", new.display()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(io("make"))?;
        let written = file
            .write_all(state.expose())
            .and_then(|()| file.sync_data());
        written.map_err(io("write"))?;
        fs::rename(&new, &self.path).map_err(io("rename"))?;
        sync_folder(&self.path)
    }
}

/// Takes the lock at `path`; `None` when another process has it.
///
/// # Errors
/// When the operating system refuses.
pub fn try_lock(path: &Path) -> Result<Option<Lock>, Error> {
    let io = |action: &str| Error::io(format!("{action} {}", path.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io("make"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(io("lock")(error)),
    }
}

/// Makes the names in the folder of `path` durable.
///
/// # Errors
/// When the operating system refuses.
pub fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io(format!("write {}", folder.display())))
}

/// An application's name as part of a file's: whatever might mean something in a path is written as
/// its hexadecimal number.
///
/// # Errors
/// [`Error::LongName`].
pub fn encoded(name: &str) -> Result<String, Error> {
    let mut text = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'@')
            || (byte == b'.' && index > 0);
        if plain {
            text.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(Error::LongName {
            name: name.to_owned(),
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_messaging::Inbox;

    #[test]
    fn names_of_applications_stay_in_their_folder_and_apart() {
        for (name, expected) in [
            ("sae-alice", "sae-alice"),
            ("../x", "%2e.%2fx"),
            ("..", "%2e."),
            ("a.b@c", "a.b@c"),
            ("a%2fb", "a%252fb"),
            ("ü", "%c3%bc"),
        ] {
            assert_eq!(encoded(name).unwrap(), expected);
        }
        assert!(encoded(&"x".repeat(256)).is_err());
    }

    #[test]
    fn a_state_is_replaced_as_a_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let states = StateFolder::open(Some(folder.path()), "sae-bob").unwrap();
        let file = states.from("sae-alice").unwrap();
        assert!(file.load(Inbox::from_state).unwrap().is_none());
        for delivery in [1, 2] {
            let mut inbox = Inbox::new();
            inbox.handled(delivery);
            file.store(&inbox.state()).unwrap();
            let read = file.load(Inbox::from_state).unwrap().unwrap();
            assert!(read.was_handled(delivery) && !read.was_handled(delivery + 1));
        }
        let mode = fs::metadata(&file.path).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let parent = file.path.parent().unwrap();
        assert_eq!(fs::metadata(parent).unwrap().mode() & 0o7777, 0o700);
        fs::write(&file.path, b"nonsense").unwrap();
        let said = file.load(Inbox::from_state).err().unwrap().to_string();
        assert!(said.contains("move the file away"), "{said}");
    }

    #[test]
    fn a_lock_is_had_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = try_lock(&path).unwrap();
        assert!(first.is_some() && try_lock(&path).unwrap().is_none());
        drop(first);
        assert!(try_lock(&path).unwrap().is_some());
    }
}
