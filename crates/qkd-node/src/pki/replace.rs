//! Replacing files that daemons may be reading: each one at once, never half.
//!
//! Two files cannot be replaced at once. Cut short between them, a renewal leaves a certificate that
//! does not fit its key, and beside it, under another name, the one that does: whoever changes the
//! folder next finishes it.

use std::fs;
use std::path::{Path, PathBuf};

use super::authority::{Authority, Pair};
use super::{LabPki, PkiError, write};
use crate::config::TlsFiles;
use crate::secret_file;
use crate::tls::{self, TlsError};

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

/// Finishes or undoes what a renewal of the party `name` that was cut short has left; the caller
/// holds the folder's lock. Files that do not fit in any way stay as they are.
pub(super) fn finish_pair(pki: &LabPki, name: &str) -> Result<(), PkiError> {
    let files = pki.files_of(name);
    let (new_key, new_certificate) = (beside(&files.private_key), beside(&files.certificate));
    if !new_key.exists() && !new_certificate.exists() {
        return Ok(());
    }
    match tls::examine(&files) {
        Ok(_) => {}
        Err(TlsError::KeyMismatch { .. }) => {
            let with_new_certificate = TlsFiles {
                certificate: new_certificate.clone(),
                ..files.clone()
            };
            // After a power failure the second renaming may be there without the first.
            let with_new_key = TlsFiles {
                private_key: new_key.clone(),
                ..files.clone()
            };
            if tls::examine(&with_new_certificate).is_ok() {
                rename(&new_certificate, &files.certificate)?;
            } else if tls::examine(&with_new_key).is_ok() {
                rename(&new_key, &files.private_key)?;
            } else {
                return Ok(());
            }
        }
        // No renewal does this; whoever looks at the party is told.
        Err(_) => return Ok(()),
    }
    clear(&new_key)?;
    clear(&new_certificate)?;
    write::sync_folder(pki.directory())
}

/// As [`finish_pair`], for the authority, whose key is in `key`.
pub(super) fn finish_authority(pki: &LabPki, key: &Path) -> Result<(), PkiError> {
    let certificates = pki.authority();
    let (new_key, new_certificates) = (beside(key), beside(&certificates));
    if !new_key.exists() && !new_certificates.exists() {
        return Ok(());
    }
    match Authority::load(&certificates, key) {
        Ok(_) => {}
        Err(PkiError::Authority { .. }) => {
            if Authority::load(&certificates, &new_key).is_ok() {
                rename(&new_key, key)?;
            } else if Authority::load(&new_certificates, key).is_ok() {
                rename(&new_certificates, &certificates)?;
            } else {
                return Ok(());
            }
        }
        // No renewal does this; whoever needs the authority is told.
        Err(_) => return Ok(()),
    }
    clear(&new_key)?;
    clear(&new_certificates)?;
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
