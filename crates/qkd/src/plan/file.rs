//! A file that is there whole or not at all.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

/// Refuses to write over what is read, and two outputs into one file: the second would replace what
/// the first has written. Devices and pipes lose nothing.
///
/// # Errors
/// [`Fault::Usage`] with the option and its file.
pub fn keep<'a>(
    inputs: &[PathBuf],
    outputs: impl IntoIterator<Item = (&'static str, Option<&'a Path>)>,
) -> Result<(), Fault> {
    let inputs: Vec<PathBuf> = inputs.iter().map(|path| place(path)).collect();
    let mut before: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs {
        let Some(path) = path else {
            continue;
        };
        let place = place(path);
        if inputs.contains(&place) && place.is_file() {
            return Err(Fault::Usage(format!(
                "--config and {option} both name {}, which would be lost: give {option} another file",
                path.display()
            )));
        }
        if let Some((other, _)) = before.iter().find(|(_, other)| *other == place) {
            return Err(Fault::Usage(format!(
                "{other} and {option} both name {}: give each a file of its own",
                path.display()
            )));
        }
        before.push((option, place));
    }
    Ok(())
}

/// The one name of a file, which may not be there yet.
fn place(path: &Path) -> PathBuf {
    let own = || {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    let found = fs::canonicalize(path).ok().or_else(own);
    found.unwrap_or_else(|| path.to_path_buf())
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
    fn what_is_read_is_not_written_over_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.toml"), "a").unwrap();
        std::os::unix::fs::symlink(path("a.toml"), path("link")).unwrap();
        let kept = |input: &str, outputs: [&str; 2]| {
            let [one, two] = outputs.map(path);
            let all = [
                ("--svg", Some(one.as_path())),
                ("--png", Some(two.as_path())),
            ];
            keep(&[path(input)], all).map_err(|fault| fault.to_string())
        };
        for (input, output) in [
            ("a.toml", "a.toml"),
            ("a.toml", "./a.toml"),
            ("a.toml", "link"),
            ("link", "a.toml"),
        ] {
            let said = kept(input, ["b.svg", output]).unwrap_err();
            assert!(said.starts_with("--config and --png both name "), "{said}");
        }
        let twice = kept("a.toml", ["b.svg", "./b.svg"]).unwrap_err();
        assert!(twice.starts_with("--svg and --png both name "), "{twice}");
        kept("a.toml", ["b.toml", "no/a.toml"]).unwrap();
        let null = Path::new("/dev/null");
        keep(&[null.to_path_buf()], [("--output", Some(null))]).unwrap();
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
