//! Writing a set for the first time: no file is ever overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::authority::{Authority, Pair};
use super::{Kind, LabPki, Party, PkiError};
use crate::secret_file;

/// Writes the files of all parties.
pub(super) fn set(
    pki: &LabPki,
    authority: &Authority,
    parties: &[Party],
    validity: Duration,
) -> Result<(), PkiError> {
    for party in parties {
        pair(pki, &party.name, &authority.issue(party, validity)?)?;
        match party.kind {
            Kind::Node => secret_file::create_key(&pki.store_key_of(&party.name))?,
            Kind::Application => {}
        }
    }
    secret_file::create_key(&pki.pre_shared_key())?;
    Ok(())
}

/// Writes a certificate and its key.
pub(super) fn pair(pki: &LabPki, name: &str, pair: &Pair) -> Result<(), PkiError> {
    let files = pki.files_of(name);
    secret_file::write_new(&files.private_key, pair.key_pem.as_bytes())?;
    public(&files.certificate, &pair.certificate_pem)
}

/// Writes a file that everybody may read, and makes it durable.
pub(super) fn public(path: &Path, text: &str) -> Result<(), PkiError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .map_err(io(path, "create the file"))?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a certificate is worth nothing and would block the next attempt.
        let _ = fs::remove_file(path);
        io(path, "write the file")(error)
    })
}

/// Makes what was created, renamed or removed in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), PkiError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io(folder, "make the folder durable"))
}

/// Turns what the operating system says of `path` into an error.
pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> PkiError {
    let path = path.to_path_buf();
    move |source| PkiError::Io {
        path,
        action,
        source,
    }
}
