//! Replacing files that daemons may be reading: each one at once, never half.

use std::fs;
use std::path::{Path, PathBuf};

use super::authority::Pair;
use super::{LabPki, PkiError, write};
use crate::secret_file;

/// Replaces a certificate and its key. Both are on disk before either takes its place; whoever reads
/// between the two renames finds a key that does not fit, and looks again.
pub(super) fn pair(pki: &LabPki, name: &str, pair: &Pair) -> Result<(), PkiError> {
    let files = pki.files_of(name);
    let (new_key, new_certificate) = (beside(&files.private_key), beside(&files.certificate));
    clear(&new_key)?;
    clear(&new_certificate)?;
    secret_file::write_new(&new_key, pair.key_pem.as_bytes())?;
    write::public(&new_certificate, &pair.certificate_pem)?;
    rename(&new_key, &files.private_key)?;
    rename(&new_certificate, &files.certificate)?;
    write::sync_folder(pki.directory())
}

/// Replaces the authority's key and certificates. The certificates come first: daemons trust the new
/// authority before anything is signed by it.
pub(super) fn authority(
    pki: &LabPki,
    key: (&Path, &[u8]),
    certificates_pem: &str,
) -> Result<(), PkiError> {
    let (key, key_pem) = key;
    let (new_key, new_certificates) = (beside(key), beside(&pki.authority()));
    clear(&new_key)?;
    clear(&new_certificates)?;
    secret_file::write_new(&new_key, key_pem)?;
    write::public(&new_certificates, certificates_pem)?;
    rename(&new_certificates, &pki.authority())?;
    rename(&new_key, key)?;
    if let Some(folder) = key.parent() {
        write::sync_folder(folder)?;
    }
    write::sync_folder(pki.directory())
}

/// A name that no party can have, in the same folder: renaming stays within a file system.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Removes what a renewal that was cut short has left; the caller holds the folder's lock.
fn clear(path: &Path) -> Result<(), PkiError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(write::io(
            path,
            "remove what an earlier renewal left",
        )(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), PkiError> {
    fs::rename(from, to).map_err(write::io(to, "replace the file"))
}
