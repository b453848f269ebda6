//! A redb file that is looked at and not touched: what opening it writes stays in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// Writes are kept in pieces of this size.
const PAGE_BYTES: usize = 4096;

/// A file below, and over it whatever was written since. A file that was left in the middle of a change is
/// repaired when it is opened, and that is not for somebody who only looks.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    /// A view of `file`, which is open for reading.
    pub(super) fn of(file: File) -> Result<Self, redb::DatabaseError> {
        let file = FileBackend::new(file)?;
        let len = file
            .len()
            .map_err(|error| redb::DatabaseError::Storage(redb::StorageError::Io(error)))?;
        let pages = BTreeMap::new();
        Ok(Self {
            file,
            written: Mutex::new(Written { len, pages }),
        })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        // Each change is one call, so a panic leaves none half done.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page `number` as the file has it; zero where the file has nothing.
    fn below(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut page = vec![0; PAGE_BYTES];
        let start = number * PAGE_BYTES as u64;
        let there = self.file.len()?.saturating_sub(start);
        let bytes = there.min(PAGE_BYTES as u64) as usize;
        if bytes > 0 {
            self.file.read(start, &mut page[..bytes])?;
        }
        Ok(page)
    }
}

/// The pieces of `bytes` bytes from `offset` on: page, first byte in it, and how many.
fn pieces(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let size = PAGE_BYTES as u64;
    let end = offset + bytes as u64;
    let last = end.div_ceil(size);
    (offset / size..last).map(move |number| {
        let start = offset.max(number * size);
        let stop = end.min((number + 1) * size);
        (number, (start % size) as usize, (stop - start) as usize)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset + out.len() as u64 > written.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = out;
        for (number, start, bytes) in pieces(offset, rest.len()) {
            let (piece, tail) = std::mem::take(&mut rest).split_at_mut(bytes);
            rest = tail;
            match written.pages.get(&number) {
                Some(page) => piece.copy_from_slice(&page[start..start + bytes]),
                None => piece.copy_from_slice(&self.below(number)?[start..start + bytes]),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written();
        if len < written.len {
            // What grows again is zero: the page that is cut is kept here, and so are all behind it.
            let size = PAGE_BYTES as u64;
            for number in len / size..written.len.div_ceil(size) {
                let keep = len.saturating_sub(number * size).min(size) as usize;
                let mut page = match written.pages.remove(&number) {
                    Some(page) => page,
                    None => self.below(number)?,
                };
                page[keep..].fill(0);
                written.pages.insert(number, page);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        let mut rest = data;
        for (number, start, bytes) in pieces(offset, data.len()) {
            let (piece, tail) = rest.split_at(bytes);
            rest = tail;
            let page = match written.pages.remove(&number) {
                Some(page) => page,
                None => self.below(number)?,
            };
            let page = written.pages.entry(number).or_insert(page);
            page[start..start + bytes].copy_from_slice(piece);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // Whoever writes holds the file for itself alone; who looks shares it with others who look.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::PhysicsRng;
    use std::os::unix::fs::FileExt;

    /// Whatever is written through the view is read through it, and the file stays as it was.
    #[test]
    fn a_view_reads_as_a_file_of_its_own_and_changes_nothing_below() {
        let mut rng = PhysicsRng::from_seed(1);
        let file = tempfile::tempfile().unwrap();
        let mut expected: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
        file.write_all_at(&expected, 0).unwrap();
        let view = Overlay::of(file.try_clone().unwrap()).unwrap();
        for _ in 0..300 {
            let at = rng.below(expected.len() as u64) as usize;
            match rng.below(4) {
                0 => {
                    let len = rng.below(20_000) as usize;
                    view.set_len(len as u64).unwrap();
                    expected.resize(len.max(1), 0);
                    view.set_len(expected.len() as u64).unwrap();
                }
                1 | 2 => {
                    let bytes = (rng.below(9_000) as usize).min(expected.len() - at);
                    let data = vec![rng.below(256) as u8; bytes];
                    view.write(at as u64, &data).unwrap();
                    expected[at..at + bytes].copy_from_slice(&data);
                }
                _ => {
                    let mut read = vec![0; expected.len() - at];
                    view.read(at as u64, &mut read).unwrap();
                    assert!(read == expected[at..]);
                }
            }
        }
        assert!(view.read(expected.len() as u64, &mut [0]).is_err());
        let mut below = vec![0; 10_000];
        file.read_exact_at(&mut below, 0).unwrap();
        assert!((below.iter().zip(0..10_000u32)).all(|(byte, n)| *byte == n as u8));
        assert_eq!(file.metadata().unwrap().len(), 10_000);
    }
}
