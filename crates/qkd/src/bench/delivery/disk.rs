//! The disk that the key stores are on: which file system, and how long it takes to sync.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use qkd_node::bench::delivery::Percentiles;
use serde::Serialize;

use crate::bench::fault::Fault;

/// Writes that are timed.
const SYNCS: u64 = 100;

/// No more time is spent on it.
const SYNCS_WITHIN: Duration = Duration::from_secs(3);

/// What is written at once, bytes: a page.
const PAGE_BYTES: u64 = 4096;

/// A disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disk {
    /// Name of the file system; `null` where the system does not say.
    pub file_system: Option<String>,
    /// Time of `fdatasync` after a page was overwritten, median, ms.
    pub fdatasync_p50_ms: f64,
    /// The same, 99th percentile, ms.
    pub fdatasync_p99_ms: f64,
}

impl Disk {
    /// The disk that `folder` is on.
    ///
    /// # Errors
    /// When a file there cannot be written.
    pub fn of(folder: &Path) -> Result<Self, Fault> {
        let times = sync_times(&folder.join("sync")).map_err(Fault::io("write a file to sync"))?;
        let ms = |share| times.ms(share).unwrap_or(f64::NAN);
        Ok(Self {
            file_system: file_system(folder),
            fdatasync_p50_ms: ms(0.5),
            fdatasync_p99_ms: ms(0.99),
        })
    }

    /// The same in a few words.
    pub fn line(&self) -> String {
        let name = self.file_system.as_deref().unwrap_or("unknown");
        let (median, late) = (self.fdatasync_p50_ms, self.fdatasync_p99_ms);
        let what = match name {
            "tmpfs" | "ramfs" => " (memory: nothing is durable there)",
            _ => "",
        };
        format!("file system {name}{what}, fdatasync {median:.2} ms (99 %: {late:.2} ms)")
    }
}

fn sync_times(path: &Path) -> io::Result<Percentiles> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    let pages = 256;
    file.write_all_at(&vec![1; (PAGE_BYTES * pages) as usize], 0)?;
    file.sync_all()?;
    let began = Instant::now();
    let mut times = Vec::new();
    for number in 0..SYNCS {
        let page = number * 37 % pages;
        file.write_all_at(&[number as u8; PAGE_BYTES as usize], page * PAGE_BYTES)?;
        let writing = Instant::now();
        file.sync_data()?;
        times.push(writing.elapsed());
        if began.elapsed() > SYNCS_WITHIN {
            break;
        }
    }
    fs::remove_file(path)?;
    Ok(Percentiles::from(times))
}

/// The file system of the longest mount point above `folder`.
fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(place), Some(kind)) = (words.next(), words.next()) else {
            continue;
        };
        let depth = Path::new(place).components().count();
        if folder.starts_with(place) && best.is_none_or(|(least, _)| depth >= least) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_a_disk_that_takes_time_to_sync() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path()).unwrap();
        assert!(disk.fdatasync_p50_ms >= 0.0 && disk.fdatasync_p50_ms <= disk.fdatasync_p99_ms);
        assert!(disk.line().contains("fdatasync"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
