//! Reading logs: for whoever verifies or shows them. Changes nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::chain::ChainKey;
use super::check::{Findings, Walk};
use super::file::FILE;
use crate::secret_file::{self, SecretFileError};

/// Bytes of a line: longer ones are read in pieces, and are none.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Why a log cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// A file cannot be read.
    #[error("{}: cannot read the audit log: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Goes through `files`, in the order in which they were written, with the key that follows from the
/// store key in the file `store_key`.
///
/// # Errors
/// When a file cannot be read. What is wrong with what stands in it is a finding.
pub fn verify(store_key: &Path, files: &[PathBuf]) -> Result<Findings, VerifyError> {
    let key = ChainKey::derive(&secret_file::read_store_key(store_key)?);
    let mut walk = Walk::new(&key, None);
    for path in files {
        let failed = |source| VerifyError::Io {
            path: path.clone(),
            source,
        };
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        walk.file(&path.display().to_string());
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut piece = (&mut reader).take(LINE_BYTES_MAX);
            let read = piece.read_until(b'\n', &mut line);
            if read.map_err(failed)? == 0 {
                break;
            }
            walk.line(&line);
        }
    }
    Ok(walk.end())
}

/// The files of the log in a node's data folder, in the order in which they were written.
///
/// # Errors
/// When the folder cannot be listed, or there is no log in it.
pub fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        let number = name
            .strip_prefix("audit-")
            .and_then(|rest| rest.strip_suffix(".log"));
        let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'-';
        if number.is_some_and(|digits| digits.bytes().all(is_digit)) {
            files.push(folder.join(name));
        }
    }
    // Their numbers have the same width.
    files.sort();
    let last = folder.join(FILE);
    if last.exists() {
        files.push(last);
    }
    if files.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "there is no audit log",
        ));
    }
    Ok(files)
}
