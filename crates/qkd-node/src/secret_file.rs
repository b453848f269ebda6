//! Files that hold a secret: made with mode 0600 from the first byte on, refused when others can
//! read them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use qkd_bits::SecretBytes;
use zeroize::Zeroizing;

/// Bytes of a pre-shared key and of a store key.
pub const KEY_BYTES: usize = 32;

/// More than any key file holds.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a secret file cannot be used; every message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A folder that cannot be made.
    #[error(
        "{}: cannot create the folder: {source}; expected a folder or volume there that this user may write to",
        .path.display()
    )]
    NoFolder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others may read or change it.
    #[error(
        "{}: mode {mode:04o} lets other users at it, expected {expected:04o}; run: chmod {expected:o} {}",
        .path.display(), .path.display()
    )]
    OpenToOthers {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The loosest mode that is accepted.
        expected: u32,
    },
    /// Not a regular file, or not a folder.
    #[error("{}: expected a {expected}", .path.display())]
    WrongKind {
        /// What is there instead.
        path: PathBuf,
        /// `regular file` or `folder`.
        expected: &'static str,
    },
    /// The text in it is no key. Never says what was found: it might be a key.
    #[error(
        "{}: expected one line of exactly 64 hexadecimal digits (256 bits); make one with: openssl rand -hex 32",
        .path.display()
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

impl SecretFileError {
    /// The file or folder at fault.
    pub fn path(&self) -> &Path {
        match self {
            SecretFileError::Io { path, .. }
            | SecretFileError::NoFolder { path, .. }
            | SecretFileError::OpenToOthers { path, .. }
            | SecretFileError::WrongKind { path, .. }
            | SecretFileError::NotAKey { path } => path,
        }
    }
}

/// Reads the 256-bit key that both ends of a link were given.
///
/// # Errors
/// When the file is missing, open to other users, or holds no key.
pub fn read_pre_shared_key(path: &Path) -> Result<SecretBytes, SecretFileError> {
    read_key(path)
}

/// Reads the 256-bit key that wraps the keys at rest.
///
/// # Errors
/// When the file is missing, open to other users, or holds no key.
pub fn read_store_key(path: &Path) -> Result<SecretBytes, SecretFileError> {
    read_key(path)
}

/// Reads the store key, and makes a fresh one from the operating system's randomness (mode 0600)
/// when there is no such file.
///
/// # Errors
/// When the file cannot be used or made.
pub fn read_or_create_store_key(path: &Path) -> Result<SecretBytes, SecretFileError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_key(path)?,
        Ok(_) | Err(_) => {}
    }
    read_key(path)
}

/// Writes a fresh 256-bit key as 64 hexadecimal digits to a new file of mode 0600.
///
/// # Errors
/// When the file exists or cannot be written, or the operating system has no randomness.
pub fn create_key(path: &Path) -> Result<(), SecretFileError> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(|error| SecretFileError::Io {
        path: path.to_path_buf(),
        action: "draw a key from the operating system",
        source: io::Error::other(error.to_string()),
    })?;
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
    for byte in key.iter() {
        for digit in [byte >> 4, byte & 15] {
            // A value below 16 is a hexadecimal digit.
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    write_new(path, text.as_bytes())
}

/// Writes `bytes` to a new file that is readable by nobody else at any moment, and makes it durable.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), SecretFileError> {
    let io = |action, source| SecretFileError::Io {
        path: path.to_path_buf(),
        action,
        source,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| io("create the file", error))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a secret is worth nothing and would block the next attempt.
        let _ = fs::remove_file(path);
        io("write the file", error)
    })
}

/// The text of a file that only its owner may read.
///
/// # Errors
/// When it is missing, open to other users, no regular file, too large or not UTF-8.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let io = |action, source| SecretFileError::Io {
        path: path.to_path_buf(),
        action,
        source,
    };
    let file = File::open(path).map_err(|error| io("open the file", error))?;
    let metadata = file
        .metadata()
        .map_err(|error| io("examine the file", error))?;
    if !metadata.is_file() {
        return Err(SecretFileError::WrongKind {
            path: path.to_path_buf(),
            expected: "regular file",
        });
    }
    private(path, metadata.mode(), 0o600, 0o077)?;
    if metadata.len() > FILE_BYTES_MAX {
        let too_large = io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes"));
        return Err(io("read the file", too_large));
    }
    // With all its room from the start, the buffer never moves and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| io("read the file", error))?;
    Ok(text)
}

/// Makes the folder `path` with mode 0700, or checks that nobody else may write to it.
///
/// # Errors
/// When it cannot be made, is no folder, or others may write to it.
pub fn ensure_private_folder(path: &Path) -> Result<(), SecretFileError> {
    let io = |action, source| SecretFileError::Io {
        path: path.to_path_buf(),
        action,
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| SecretFileError::NoFolder {
            path: path.to_path_buf(),
            source,
        })?;
    let metadata = fs::metadata(path).map_err(|error| io("examine the folder", error))?;
    if !metadata.is_dir() {
        return Err(SecretFileError::WrongKind {
            path: path.to_path_buf(),
            expected: "folder",
        });
    }
    private(path, metadata.mode(), 0o755, 0o022)
}

fn private(path: &Path, mode: u32, expected: u32, forbidden: u32) -> Result<(), SecretFileError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(SecretFileError::OpenToOthers {
        path: path.to_path_buf(),
        mode: mode & 0o7777,
        expected,
    })
}

fn read_key(path: &Path) -> Result<SecretBytes, SecretFileError> {
    let text = read_text(path)?;
    let digits = text.trim_ascii().as_bytes();
    let not_a_key = || SecretFileError::NotAKey {
        path: path.to_path_buf(),
    };
    if digits.len() != 2 * KEY_BYTES {
        return Err(not_a_key());
    }
    let mut key = SecretBytes::from(vec![0; KEY_BYTES]);
    for (byte, pair) in key.expose_mut().iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or_else(not_a_key);
        // Two hexadecimal digits make at most 255.
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::tempdir;

    fn refusal(result: Result<SecretBytes, SecretFileError>) -> String {
        match result {
            Ok(_) => panic!("the file was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_store_key_is_made_once_with_mode_0600_and_read_back() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("store.key");
        let first = read_or_create_store_key(&path).unwrap_or_else(|error| panic!("{error}"));
        let again = read_or_create_store_key(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(first.expose(), again.expose());
        assert_eq!(first.len(), 32);
        assert_ne!(first.expose(), [0; 32]);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_world_readable_key_is_refused_with_what_to_do() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("psk");
        create_key(&path).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = refusal(read_pre_shared_key(&path));
            assert!(said.contains(&format!("mode {mode:04o}")), "{said}");
            assert!(said.contains("chmod 600"), "{said}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("psk");
        let texts = [
            "",
            "abc",
            &"g".repeat(64),
            &"a".repeat(63),
            &"a".repeat(65),
            &"é".repeat(32),
        ];
        for text in texts {
            write_new(&path, text.as_bytes()).unwrap();
            let said = refusal(read_pre_shared_key(&path));
            assert!(said.contains("64 hexadecimal digits"), "{said}");
            assert!(
                text.is_empty() || text == "abc" || !said.contains(text),
                "{said}"
            );
            fs::remove_file(&path).unwrap();
        }
        let said = refusal(read_pre_shared_key(&path));
        assert!(said.contains("No such file"), "{said}");
        let said = refusal(read_pre_shared_key(folder.path()));
        assert!(said.contains("regular file"), "{said}");
    }

    #[test]
    fn existing_files_are_never_overwritten() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("key");
        write_new(&path, b"first").unwrap();
        assert!(write_new(&path, b"second").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let folder = tempdir().unwrap();
        let data = folder.path().join("a/b");
        ensure_private_folder(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().mode() & 0o7777, 0o700);
        fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(ensure_private_folder(&data).is_err());
    }
}
