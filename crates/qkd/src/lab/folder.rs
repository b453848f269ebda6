//! The folder in which everything of one laboratory lies.

use std::fs;
use std::path::{Path, PathBuf};

use qkd_node::secret_file;
use tempfile::TempDir;

use super::fault::Fault;

/// Where everything of one laboratory lies.
pub struct Folder {
    path: PathBuf,
    /// Removed with everything in it when dropped.
    temporary: Option<TempDir>,
}

impl Folder {
    /// The folder of `--keep`, made when absent and refused when in use, or a temporary one.
    ///
    /// # Errors
    /// [`Fault::Keep`] for a folder in use, [`Fault::Io`] when none can be made.
    pub fn prepare(keep: Option<&Path>) -> Result<Self, Fault> {
        let Some(keep) = keep else {
            let temporary = tempfile::Builder::new()
                .prefix("qkd-lab-")
                .tempdir()
                .map_err(Fault::io("make a temporary folder"))?;
            return Ok(Self {
                path: temporary.path().to_path_buf(),
                temporary: Some(temporary),
            });
        };
        let refuse = |reason: String| Fault::Keep {
            path: keep.to_path_buf(),
            reason,
        };
        let path = std::path::absolute(keep).map_err(|error| refuse(error.to_string()))?;
        secret_file::ensure_private_folder(&path).map_err(|error| refuse(error.to_string()))?;
        let mut entries = fs::read_dir(&path).map_err(|error| refuse(error.to_string()))?;
        if entries.next().is_some() {
            return Err(refuse("the folder is not empty".to_owned()));
        }
        Ok(Self {
            path,
            temporary: None,
        })
    }

    /// The folder, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, if it stays after the end.
    pub fn kept(&self) -> Option<&Path> {
        match self.temporary {
            Some(_) => None,
            None => Some(&self.path),
        }
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_or_empty_folder_is_kept() {
        let outer = tempfile::tempdir().unwrap();
        let new = outer.path().join("a/b");
        let folder = Folder::prepare(Some(&new)).unwrap();
        assert_eq!(folder.kept(), Some(new.as_path()));
        assert!(
            Folder::prepare(Some(&new)).is_ok(),
            "an empty folder will do"
        );
        fs::write(folder.file("alice.toml"), "").unwrap();
        let said = match Folder::prepare(Some(&new)) {
            Ok(_) => panic!("a folder in use was accepted"),
            Err(fault) => fault.to_string(),
        };
        assert!(said.contains("not empty") && said.contains("a/b"), "{said}");
        drop(folder);
        assert!(new.exists(), "what is kept stays");
    }

    #[test]
    fn a_temporary_folder_goes_with_its_owner() {
        let folder = Folder::prepare(None).unwrap();
        let path = folder.path().to_path_buf();
        assert!(path.exists() && folder.kept().is_none());
        drop(folder);
        assert!(!path.exists());
    }
}
