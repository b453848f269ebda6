//! The file of the log: opened at its end, appended to, replaced when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::{ChainKey, Head, Line, hex};
use super::check::Walk;
use super::event::{Event, Kind};

/// Name of the file in the data folder.
pub const FILE: &str = "audit.log";

/// Bytes at which a file ends and the next one begins.
pub(super) const FILE_BYTES_MAX: u64 = 64 << 20;

/// Bytes at the end of a file that are looked at when it is opened. What is before them is for
/// [`super::verify`].
const TAIL_BYTES: u64 = 1 << 20;

/// The file at its end.
pub(super) struct LogFile {
    folder: PathBuf,
    file: File,
    /// What is durable.
    bytes: u64,
    bytes_max: u64,
}

/// What a file ended with when it was opened.
pub(super) struct End {
    /// The last line that follows.
    pub(super) head: Head,
    /// Bytes after it, with their digest, where there are any.
    pub(super) torn: Option<(u64, String)>,
    /// Whether these do not end as a line does.
    is_within_a_line: bool,
}

impl LogFile {
    /// Opens the file in `folder` at its end, or makes it (mode 0600). What stands there stays; half a
    /// line gets an end.
    pub(super) fn open(folder: &Path, key: &ChainKey, bytes_max: u64) -> io::Result<(Self, End)> {
        let path = folder.join(FILE);
        let mut file = open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("expected a regular file"));
        }
        if metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o7777;
            let said = format!(
                "mode {mode:04o} lets other users at it; run: chmod 600 {}",
                path.display()
            );
            return Err(io::Error::other(said));
        }
        // The name has to survive a power cut as well as what is in the file.
        File::open(folder)?.sync_all()?;
        let mut bytes = metadata.len();
        let mut end = end_of(&mut file, bytes, key)?;
        if end.is_within_a_line {
            file.seek(SeekFrom::End(0))?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            bytes += 1;
            end = end_of(&mut file, bytes, key)?;
        }
        file.seek(SeekFrom::End(0))?;
        let log = Self {
            folder: folder.to_path_buf(),
            file,
            bytes,
            bytes_max,
        };
        Ok((log, end))
    }

    /// Appends `text` and makes it durable. After an error [`reopen`](Self::reopen) is due.
    pub(super) fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let there = fs::metadata(self.folder.join(FILE))?;
        if there.ino() != self.file.metadata()?.ino() {
            return Err(io::Error::other("another file was put in its place"));
        }
        self.file.write_all(text)?;
        self.file.sync_data()?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Opens the file anew and cuts off what never became durable: nobody relied on it. What an error
    /// was told about is never tried again on the same descriptor, because it could seem to succeed.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let path = self.folder.join(FILE);
        let mut file = open(&path)?;
        let there = file.metadata()?.len();
        // Moved away or deleted: the next file begins, and says behind which line.
        if there == 0 {
            self.bytes = 0;
        }
        if there < self.bytes {
            let said = format!("{there} bytes are there, expected {}", self.bytes);
            return Err(io::Error::other(said));
        }
        file.set_len(self.bytes)?;
        file.sync_all()?;
        file.seek(SeekFrom::End(0))?;
        self.file = file;
        Ok(())
    }

    /// Whether a new file is due.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Whether nothing is in it yet.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Puts a file aside that cannot be gone on with, and begins an empty one.
    pub(super) fn put_aside(&mut self, unix_ms: u64) -> io::Result<()> {
        let aside = self.folder.join(format!("audit-unreadable-{unix_ms}.log"));
        fs::rename(self.folder.join(FILE), aside)?;
        self.bytes = 0;
        self.file = open(&self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()
    }

    /// Puts the file aside under the number of its last line and begins an empty one.
    pub(super) fn rotate(&mut self, last: u64) -> io::Result<()> {
        let path = self.folder.join(FILE);
        // A number is there once, unless somebody has cut lines off.
        let mut names = (0..1000).map(|copy| format!("audit-{last:012}-{copy:03}.log"));
        let aside = names.find(|name| !self.folder.join(name).exists());
        let aside = aside.ok_or_else(|| io::Error::other("too many files of one number"))?;
        fs::rename(&path, self.folder.join(aside))?;
        self.bytes = 0;
        self.file = open(&path)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// The first line of a file, after `before`.
pub(super) fn beginning(before: Head) -> Event {
    Event::new(Kind::LogBegan).text("previous", &hex(&before.link))
}

/// What the file ends with. Only its last part is read, and the chain value of the first line there is
/// believed.
fn end_of(file: &mut File, bytes: u64, key: &ChainKey) -> io::Result<End> {
    let from = bytes.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let mut lines = tail.split_inclusive(|byte| *byte == b'\n');
    let mut believed = None;
    if from > 0 {
        // It begins in the middle of a line, and the next whole one is the first that can be read.
        lines.next();
        believed = lines.next().and_then(claimed);
    }
    let mut walk = Walk::new(key, believed);
    if from == 0 {
        walk.file(FILE);
    }
    lines.for_each(|line| walk.line(line));
    let (torn_bytes, digest) = walk.rest();
    Ok(End {
        head: walk.head().unwrap_or(Head::START),
        torn: (torn_bytes > 0).then_some((torn_bytes, digest)),
        is_within_a_line: tail.last().is_some_and(|byte| *byte != b'\n'),
    })
}

fn claimed(line: &[u8]) -> Option<Head> {
    let line = Line::read(line)?;
    Some(Head {
        seq: line.members()?.get("seq")?.as_u64()?,
        link: line.link,
    })
}
