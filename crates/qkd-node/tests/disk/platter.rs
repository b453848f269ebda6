//! A disk in memory that remembers what was not synced, and fails as disks do.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use qkd_bits::PhysicsRng;
use redb::StorageBackend;

/// What a power cut leaves whole.
const SECTOR_BYTES: usize = 512;

/// A call to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Read,
    Write,
    Resize,
    Sync,
}

pub const CALLS: [Call; 4] = [Call::Read, Call::Write, Call::Resize, Call::Sync];

/// What strikes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// Which calls; any when none is named.
    pub call: Option<Call>,
    /// After how many of them.
    pub after: u64,
    /// What the caller hears.
    pub kind: io::ErrorKind,
    /// Whether all later ones fail as well, until the trouble is over.
    pub is_lasting: bool,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Debug, Default)]
struct State {
    /// What the operating system shows.
    shown: Vec<u8>,
    /// What is on the disk for certain.
    durable: Vec<u8>,
    /// What is on its way there, in order.
    pending: Vec<Change>,
    calls: [u64; 4],
    trouble: Option<Trouble>,
    struck: u64,
    retries: u64,
}

/// One disk. A clone is the same disk.
#[derive(Clone, Debug, Default)]
pub struct Platter(Arc<Mutex<State>>);

/// A file of the disk, opened once.
#[derive(Debug)]
pub struct Opened {
    platter: Platter,
    has_failed_to_sync: AtomicBool,
}

impl Platter {
    pub fn open(&self) -> Opened {
        Opened {
            platter: self.clone(),
            has_failed_to_sync: AtomicBool::new(false),
        }
    }

    /// What was asked for so far.
    pub fn calls(&self, call: Call) -> u64 {
        self.state().calls[call as usize]
    }

    /// From now on.
    pub fn trouble(&self, trouble: Trouble) {
        let mut state = self.state();
        let before = match trouble.call {
            Some(call) => state.calls[call as usize],
            None => state.calls.iter().sum(),
        };
        state.trouble = Some(Trouble {
            after: before + trouble.after,
            ..trouble
        });
    }

    /// No call fails any more.
    pub fn trouble_is_over(&self) {
        self.state().trouble = None;
    }

    /// Calls that failed.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// Syncs asked for through a file that had failed to sync before.
    pub fn retries(&self) -> u64 {
        self.state().retries
    }

    /// The power fails: of what was not synced any part may be there, and a write that was under way may
    /// be there by sectors.
    pub fn cut(&self, rng: &mut PhysicsRng) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        persist_some(&mut state.durable, pending, rng);
        state.shown = state.durable.clone();
        state.trouble = None;
    }

    /// The bytes, as the operating system shows them.
    pub fn image(&self) -> Vec<u8> {
        self.state().shown.clone()
    }

    /// The bytes that are on the disk for certain.
    pub fn durable(&self) -> Vec<u8> {
        self.state().durable.clone()
    }

    /// Puts other bytes there.
    pub fn put_image(&self, image: &[u8]) {
        let mut state = self.state();
        state.shown = image.to_vec();
        state.durable = image.to_vec();
        state.pending.clear();
    }

    /// The last write that was not synced: where, and what. Everything before it is there.
    pub fn last_write(&self) -> Option<(usize, Vec<u8>)> {
        let state = self.state();
        state.pending.iter().rev().find_map(|change| match change {
            Change::Write { offset, bytes } => Some((*offset, bytes.clone())),
            Change::Resize(_) => None,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn persist_some(durable: &mut Vec<u8>, pending: Vec<Change>, rng: &mut PhysicsRng) {
    // Now and then all of it, none of it, or some of each.
    let keep_of_4 = rng.below(5);
    for change in pending {
        match change {
            Change::Resize(len) => durable.resize(len, 0),
            Change::Write { offset, bytes } => {
                let is_torn = rng.below(4) == 0;
                let whole = rng.below(4) < keep_of_4;
                for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    let is_kept = if is_torn { rng.bit() } else { whole };
                    if is_kept {
                        write(durable, offset + number * SECTOR_BYTES, sector);
                    }
                }
            }
        }
    }
}

fn write(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

impl Opened {
    /// Counts a call, and fails it when it is its turn.
    fn call(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.platter.state();
        let matching = |trouble: &Trouble| trouble.call.is_none_or(|which| which == call);
        let count = match state.trouble.filter(matching) {
            Some(Trouble { call: None, .. }) => state.calls.iter().sum(),
            Some(_) | None => state.calls[call as usize],
        };
        state.calls[call as usize] += 1;
        if call == Call::Sync && self.has_failed_to_sync.load(Ordering::SeqCst) {
            state.retries += 1;
        }
        let Some(trouble) = state.trouble.filter(matching) else {
            return Ok(state);
        };
        let strikes = if trouble.is_lasting {
            count >= trouble.after
        } else {
            count == trouble.after
        };
        if !strikes {
            return Ok(state);
        }
        state.struck += 1;
        if call == Call::Sync {
            self.has_failed_to_sync.store(true, Ordering::SeqCst);
            // As on Linux: what could not be written is shown as before, and nobody tries again.
            let pending = std::mem::take(&mut state.pending);
            let mut rng = PhysicsRng::from_seed(state.struck);
            persist_some(&mut state.durable, pending, &mut rng);
        }
        Err(trouble.kind.into())
    }
}

impl StorageBackend for Opened {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter.state().shown.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.call(Call::Read)?;
        let start = offset as usize;
        let bytes = state.shown.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.call(Call::Resize)?;
        state.shown.resize(len as usize, 0);
        state.pending.push(Change::Resize(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.call(Call::Sync)?;
        let state = &mut *state;
        for change in std::mem::take(&mut state.pending) {
            match change {
                Change::Resize(len) => state.durable.resize(len, 0),
                Change::Write { offset, bytes } => write(&mut state.durable, offset, &bytes),
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.call(Call::Write)?;
        write(&mut state.shown, offset as usize, data);
        state.pending.push(Change::Write {
            offset: offset as usize,
            bytes: data.to_vec(),
        });
        Ok(())
    }
}
