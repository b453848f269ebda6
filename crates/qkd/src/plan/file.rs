//! A file that is there whole or not at all.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::fault::Fault;

/// Puts `bytes` into the file at `path`, in place of what was there. A device or a pipe is written
/// to as it is, a link is followed.
///
/// # Errors
/// When it cannot be written; what was there before is there still.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    written(path, bytes).map_err(|source| Fault::File {
        path: path.to_path_buf(),
        source,
    })
}

fn written(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = match fs::canonicalize(path) {
        Ok(target) if !target.is_file() => {
            return OpenOptions::new()
                .write(true)
                .open(target)?
                .write_all(bytes);
        }
        Ok(target) => target,
        Err(_) => path.to_path_buf(),
    };
    let folder = target.parent().filter(|folder| *folder != Path::new(""));
    let mut file = tempfile::Builder::new()
        .prefix(".qkd-plan-")
        // Less what the umask takes away, as for any file that a program writes.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.csv");
        for text in ["first", "second, longer", "3"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_followed_and_a_device_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("rates.csv"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        replace(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/rates.csv");
        for path in [Path::new("/dev/full"), missing.as_path(), folder.path()] {
            let said = replace(path, b"text").unwrap_err().to_string();
            let expected = format!("cannot write {}: ", path.display());
            assert!(said.starts_with(&expected), "{said}");
        }
    }
}
