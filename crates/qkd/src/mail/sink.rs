//! A file that is being received: under a temporary name until it is whole and on disk.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use qkd_messaging::FileName;

use super::error::Error;
use super::state::{encoded, sync_folder};

/// Files of one name in one folder.
const COPIES_MAX: u32 = 10_000;

/// Longest part of a temporary name that is an application's, bytes.
const ENCODED_BYTES_MAX: usize = 100;

/// The file under its temporary name.
pub struct Sink {
    path: PathBuf,
    file: File,
}

impl Sink {
    /// A new one in `folder` for message `number` between `ends`, the sender and the receiver.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(folder: &Path, ends: (&str, &str), number: u64) -> Result<Self, Error> {
        let (from, to) = (short(encoded(ends.0)?), short(encoded(ends.1)?));
        let name = format!(".qkd-{from}-{to}-{number}.part");
        let folder = std::path::absolute(folder)
            .map_err(Error::io(format!("find the folder {}", folder.display())))?;
        let path = folder.join(name);
        let io = |action: &str| Error::io(format!("{action} {}", path.display()));
        // A kill may have left one that no state knows. Whatever it is, it is not followed.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io("remove the old")(error));
            }
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("make"))?;
        Ok(Self { path, file })
    }

    /// The one at `place` again, with the first `bytes` bytes that are known to be good; `None`
    /// when it is not there, or not so long.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn resume(place: &[u8], bytes: u64) -> Result<Option<Self>, Error> {
        let path = path_of(place);
        let io = |action: &str| Error::io(format!("{action} {}", path.display()));
        let file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("open")(error)),
        };
        if file.metadata().map_err(io("examine"))?.len() < bytes {
            return Ok(None);
        }
        file.set_len(bytes).map_err(io("shorten"))?;
        Ok(Some(Self { path, file }))
    }

    /// The place, as [`Sink::resume`] takes it.
    pub fn place(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    /// Writes a piece in its place.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk.
    pub fn write(&self, offset: u64, body: &[u8]) -> Result<(), Error> {
        self.file
            .write_all_at(body, offset)
            .map_err(Error::io(format!("write {}", self.path.display())))
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn sync(&self) -> Result<(), Error> {
        let synced = self.file.sync_data();
        synced.map_err(Error::io(format!("write {}", self.path.display())))?;
        sync_folder(&self.path)
    }
}

/// Gives the complete file at `place` its name, or the name with a number when there is one of that
/// name; nothing is overwritten. When it is not at its place, it got its name before: then the path
/// is the one of that name and of `bytes` bytes, or `None` when it is no longer there.
///
/// # Errors
/// When the operating system refuses.
pub fn finish(place: &[u8], (name, bytes): (&FileName, u64)) -> Result<Option<PathBuf>, Error> {
    let part = path_of(place);
    let io = |path: &Path| Error::io(format!("make {}", path.display()));
    if !part.try_exists().map_err(io(&part))? {
        let path = named_before(&part, (name, bytes));
        if let Some(path) = &path {
            // Only the system's cache may have the name.
            sync_folder(path)?;
        }
        return Ok(path);
    }
    for copy in 0..COPIES_MAX {
        let name = match copy {
            0 => name.as_str().to_owned(),
            more => name.numbered(more),
        };
        let path = part.with_file_name(name);
        // The name is taken by an empty file first, which only this process replaces.
        let taken = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match taken {
            Ok(_) => {
                fs::rename(&part, &path).map_err(io(&path))?;
                sync_folder(&path)?;
                return Ok(Some(path));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(&path)(error)),
        }
    }
    let path = part.with_file_name(name.as_str());
    let why = io::Error::other(format!("there are {COPIES_MAX} files of this name"));
    Err(io(&path)(why))
}

/// The file that was at `part` and has its name: the newest of that name and length.
fn named_before(part: &Path, (name, bytes): (&FileName, u64)) -> Option<PathBuf> {
    let numbered = (1..COPIES_MAX).map(|copy| name.numbered(copy));
    let names = std::iter::once(name.as_str().to_owned()).chain(numbered);
    let paths = names.map(|name| part.with_file_name(name));
    let there = paths.map_while(|path| Some((fs::symlink_metadata(&path).ok()?, path)));
    there
        .filter(|(metadata, _)| metadata.is_file() && metadata.len() == bytes)
        // The latest of equals is the one with the highest number.
        .max_by_key(|(metadata, _)| (metadata.ctime(), metadata.ctime_nsec()))
        .map(|(_, path)| path)
}

/// Removes what was received of a message that will never be complete.
pub fn discard(place: &[u8]) {
    if !place.is_empty() {
        // One that is gone is gone.
        let _gone = fs::remove_file(path_of(place));
    }
}

/// Room for two names in one.
fn short(mut encoded: String) -> String {
    // Encoded names are ASCII.
    encoded.truncate(ENCODED_BYTES_MAX);
    encoded
}

/// The path of a place.
pub fn path_of(place: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: (&str, &str) = ("sae-alice", "sae-bob");

    fn received(folder: &Path, number: u64, body: &[u8]) -> Option<PathBuf> {
        let sink = Sink::create(folder, ENDS, number).unwrap();
        sink.write(0, body).unwrap();
        sink.sync().unwrap();
        let length = body.len() as u64;
        finish(sink.place(), (&FileName::of("a.txt"), length)).unwrap()
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "mine").unwrap();
        for (number, expected) in [(1, "a (1).txt"), (2, "a (2).txt")] {
            let path = received(folder.path(), number, &[number as u8; 3]).unwrap();
            assert_eq!(path.file_name().unwrap(), expected);
            assert_eq!(fs::read(path).unwrap(), [number as u8; 3]);
        }
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"mine");
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 3, "no temporary file stays");
    }

    #[test]
    fn a_file_goes_on_where_it_was_durable() {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::create(folder.path(), ENDS, 1).unwrap();
        sink.write(0, b"good and torn").unwrap();
        let place = sink.place().to_vec();
        drop(sink);
        assert!(Sink::resume(&place, 100).unwrap().is_none());
        let sink = Sink::resume(&place, 4).unwrap().unwrap();
        sink.write(4, b" end").unwrap();
        let name = FileName::of("b");
        fs::write(folder.path().join("b"), "other").unwrap();
        let path = finish(&place, (&name, 8)).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"good end");
        let again = finish(&place, (&name, 8)).unwrap();
        assert_eq!(again.as_ref(), Some(&path), "it has its name already");
        fs::remove_file(path).unwrap();
        assert_eq!(finish(&place, (&name, 8)).unwrap(), None, "it had it");
    }

    #[test]
    fn a_link_in_place_of_the_temporary_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let part = folder.path().join(".qkd-sae-alice-sae-bob-1.part");
        std::os::unix::fs::symlink(&victim, part).unwrap();
        received(folder.path(), 1, b"new").unwrap();
        assert_eq!(fs::read(victim).unwrap(), b"precious");
    }
}
