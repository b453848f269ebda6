//! The bytes of records: what a store keeps, and where.
//!
//! Every record is `format (1) ‖ content ‖ tag (32)`, the tag bound to the record's key. Material
//! is wrapped before it comes here; everything else is public. Integers are big-endian.

use qkd_security::Spent;

use crate::expiry::Clock;
use crate::material::Holder;
use crate::wrap::Vault;
use crate::{
    AssignedKey, Assignment, BlockId, Change, CheckValue, Error, KeyId, KeyRange, SaeId, Side,
};

/// What is written. Format 2 has in the ledger what the pair has spent; format 3 has with a key since
/// when it waits and who was given it already; format 4 has with a block whose its shares are; format 5 has
/// in the ledger what time it is. Everything else is as in format 1.
const FORMAT: u8 = 5;

/// The first format that says since when a key waits.
const FORMAT_OF_DATES: u8 = 3;

/// The first format that says whose the shares of a block are.
const FORMAT_OF_HOLDERS: u8 = 4;

/// The first format that says in the ledger what time it is.
const FORMAT_OF_CLOCK: u8 = 5;

/// The oldest format that is still read.
const FORMAT_OLDEST: u8 = 1;

const TAG_BYTES: usize = 32;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Written once at creation: shows whether the store key fits and whose store it is.
    Identity,
    /// Counters and chain.
    Ledger,
    /// The chain value after commit number … (Alice).
    Chain(u64),
    /// A block's wrapped material.
    Material(BlockId),
    /// A block's state.
    Block(BlockId),
    /// An assignment made here as owner and not settled with the peer.
    Assignment(u64),
    /// A key of the peer's share waiting here for its slave application.
    Key(KeyId),
}

/// Counters and chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ledger {
    pub(crate) boot_epoch: u64,
    pub(crate) boot_id: [u8; 16],
    pub(crate) commits: u64,
    pub(crate) chain: [u8; 32],
    /// What the pair has spent, and with Alice what runs may spend that have not begun yet.
    pub(crate) spent_max: Spent,
    /// Commits of a version that did not count what was spent.
    pub(crate) commits_uncounted: u64,
    pub(crate) last_assigned: u64,
    pub(crate) last_confirmed: u64,
    pub(crate) last_accepted: u64,
    pub(crate) peer_boot_epoch: u64,
    pub(crate) peer_boot_id: [u8; 16],
    /// What time it was when this was written.
    pub(crate) clock: Clock,
    /// Why the store is quarantined; empty when it is not.
    pub(crate) quarantine: String,
}

/// A block's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRecord {
    pub(crate) check: CheckValue,
    /// Its place among all committed blocks, from 1; 0 while it is prepared only.
    pub(crate) index: u64,
    /// First unassigned byte of the shares cut for Alice and for Bob.
    pub(crate) cursors: [u32; 2],
    /// Whose they are.
    pub(crate) holders: [Holder; 2],
}

/// An assignment of this owner that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssignmentRecord {
    /// Whether it will never be answered, and the peer must hear so.
    pub(crate) void: bool,
    pub(crate) assignment: Assignment,
}

/// A key waiting for its slave application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    pub(crate) assignment: u64,
    pub(crate) master: SaeId,
    /// Who has not fetched it yet.
    pub(crate) slaves: Vec<SaeId>,
    /// Who has.
    pub(crate) served: Vec<SaeId>,
    /// When it came, in seconds since 1970 by the store's own clock; 0 when that is not known.
    pub(crate) since_s: u64,
    pub(crate) ranges: Vec<KeyRange>,
}

impl Place {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17);
        match self {
            Place::Identity => bytes.push(b'i'),
            Place::Ledger => bytes.push(b'l'),
            Place::Chain(index) => {
                bytes.push(b'c');
                bytes.extend_from_slice(&index.to_be_bytes());
            }
            Place::Material(block) => put_block(b'm', block, &mut bytes),
            Place::Block(block) => put_block(b'b', block, &mut bytes),
            Place::Assignment(id) => {
                bytes.push(b'a');
                bytes.extend_from_slice(&id.to_be_bytes());
            }
            Place::Key(key_id) => {
                bytes.push(b'k');
                bytes.extend_from_slice(key_id.as_bytes());
            }
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = || corrupt(bytes, "a record at an unknown place");
        let mut reader = Reader(bytes);
        let place = match reader.u8().ok_or_else(corrupt)? {
            b'i' => Some(Place::Identity),
            b'l' => Some(Place::Ledger),
            b'c' => reader.u64().map(Place::Chain),
            b'm' => reader.block().map(Place::Material),
            b'b' => reader.block().map(Place::Block),
            b'a' => reader.u64().map(Place::Assignment),
            b'k' => reader.array().map(KeyId::from_bytes).map(Place::Key),
            _ => None,
        };
        place.filter(|_| reader.0.is_empty()).ok_or_else(corrupt)
    }

    /// An error that names this place.
    pub(crate) fn corrupt(self, problem: &'static str) -> Error {
        corrupt(&self.to_bytes(), problem)
    }

    /// Sets the record here.
    pub(crate) fn put(self, vault: &Vault, content: Vec<u8>) -> Change {
        let key = self.to_bytes();
        let mut value = Vec::with_capacity(1 + content.len() + TAG_BYTES);
        value.push(FORMAT);
        value.extend_from_slice(&content);
        let tag = vault.tag(&key, &value);
        value.extend_from_slice(&tag);
        Change::Put { key, value }
    }

    /// Removes the record here.
    pub(crate) fn delete(self) -> Change {
        Change::Delete {
            key: self.to_bytes(),
        }
    }

    /// The content of the record here, its tag checked.
    pub(crate) fn content(self, vault: &Vault, value: &[u8]) -> Result<Vec<u8>, Error> {
        let known = FORMAT_OLDEST..=FORMAT;
        if value.first().is_some_and(|format| !known.contains(format)) {
            return Err(self.corrupt("its format is none of 1 to 5: another version wrote it"));
        }
        let (body, tag) = value
            .split_last_chunk::<TAG_BYTES>()
            .ok_or_else(|| self.corrupt("it is shorter than its tag"))?;
        if !vault.verify(&self.to_bytes(), body, tag) {
            return Err(self.corrupt("its tag does not fit: it was damaged or moved"));
        }
        body.get(1..)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| self.corrupt("it is empty"))
    }
}

/// The format of a record whose content was read; an empty one has none.
pub(crate) fn format_of(value: &[u8]) -> u8 {
    value.first().copied().unwrap_or_default()
}

/// What the identity record says.
pub(crate) fn identity(side: Side) -> Vec<u8> {
    format!("qkd-keystore {side}").into_bytes()
}

impl Ledger {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [
            self.boot_epoch,
            self.commits,
            self.last_assigned,
            self.last_confirmed,
            self.last_accepted,
            self.peer_boot_epoch,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.boot_id);
        bytes.extend_from_slice(&self.peer_boot_id);
        bytes.extend_from_slice(&self.chain);
        for number in [
            self.spent_max.runs,
            self.spent_max.secrecy.to_bits(),
            self.spent_max.correctness.to_bits(),
            self.commits_uncounted,
            self.clock.store_s,
            self.clock.wall_s,
        ] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        // Last, as it takes whatever is left.
        bytes.extend_from_slice(self.quarantine.as_bytes());
        bytes
    }

    pub(crate) fn decode(format: u8, content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let mut ledger = Self {
            boot_epoch: reader.u64()?,
            commits: reader.u64()?,
            last_assigned: reader.u64()?,
            last_confirmed: reader.u64()?,
            last_accepted: reader.u64()?,
            peer_boot_epoch: reader.u64()?,
            boot_id: reader.array()?,
            peer_boot_id: reader.array()?,
            chain: reader.array()?,
            ..Self::default()
        };
        if format == FORMAT_OLDEST {
            // What those blocks spent is not known here any more, only that they did.
            ledger.commits_uncounted = ledger.commits;
        } else {
            ledger.spent_max = reader.spent()?;
            ledger.commits_uncounted = reader.u64()?;
        }
        if format >= FORMAT_OF_CLOCK {
            ledger.clock = Clock {
                store_s: reader.u64()?,
                wall_s: reader.u64()?,
            };
        }
        std::str::from_utf8(reader.0)
            .ok()?
            .clone_into(&mut ledger.quarantine);
        Some(ledger)
    }
}

impl BlockRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.check.to_vec();
        bytes.extend_from_slice(&self.index.to_be_bytes());
        for cursor in self.cursors {
            bytes.extend_from_slice(&cursor.to_be_bytes());
        }
        bytes.extend(self.holders.map(|holder| match holder {
            Holder::First => 0,
            Holder::Nobody => 1,
            Holder::Other => 2,
        }));
        bytes
    }

    pub(crate) fn decode(format: u8, content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let mut record = Self {
            check: reader.array()?,
            index: reader.u64()?,
            cursors: [reader.u32()?, reader.u32()?],
            holders: [Holder::First; 2],
        };
        if format >= FORMAT_OF_HOLDERS {
            for holder in &mut record.holders {
                *holder = reader.holder()?;
            }
        }
        reader.0.is_empty().then_some(record)
    }
}

impl AssignmentRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let assignment = &self.assignment;
        let mut bytes = vec![u8::from(self.void)];
        bytes.extend_from_slice(&assignment.id.to_be_bytes());
        put_names(&assignment.master, &assignment.slaves, &mut bytes);
        put_count(assignment.keys.len(), &mut bytes);
        for key in &assignment.keys {
            bytes.extend_from_slice(key.key_id.as_bytes());
            put_ranges(&key.ranges, &mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let void = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let id = reader.u64()?;
        let (master, slaves) = reader.names()?;
        let keys = (0..reader.u32()?)
            .map(|_| {
                Some(AssignedKey {
                    key_id: KeyId::from_bytes(reader.array()?),
                    ranges: reader.ranges()?,
                })
            })
            .collect::<Option<_>>()?;
        let assignment = Assignment {
            id,
            master,
            slaves,
            keys,
        };
        reader.0.is_empty().then_some(Self { void, assignment })
    }
}

impl KeyRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.assignment.to_be_bytes().to_vec();
        put_names(&self.master, &self.slaves, &mut bytes);
        put_ranges(&self.ranges, &mut bytes);
        bytes.extend_from_slice(&self.since_s.to_be_bytes());
        put_count(self.served.len(), &mut bytes);
        for name in &self.served {
            put_name(name, &mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(format: u8, content: &[u8]) -> Option<Self> {
        let mut reader = Reader(content);
        let assignment = reader.u64()?;
        let (master, slaves) = reader.names()?;
        let ranges = reader.ranges()?;
        let (since_s, served) = match format {
            FORMAT_OLDEST..FORMAT_OF_DATES => (0, Vec::new()),
            _later => {
                let since_s = reader.u64()?;
                let served = (0..reader.u32()?).map(|_| reader.name());
                (since_s, served.collect::<Option<_>>()?)
            }
        };
        reader.0.is_empty().then_some(Self {
            assignment,
            master,
            slaves,
            served,
            since_s,
            ranges,
        })
    }
}

fn corrupt(place: &[u8], problem: &'static str) -> Error {
    Error::Corrupt {
        record: place.escape_ascii().to_string(),
        problem,
    }
}

fn put_block(kind: u8, block: BlockId, bytes: &mut Vec<u8>) {
    bytes.push(kind);
    bytes.extend_from_slice(&block.session.to_be_bytes());
    bytes.extend_from_slice(&block.block.to_be_bytes());
}

fn put_count(count: usize, bytes: &mut Vec<u8>) {
    // Counts are bounded by the limits of a store, far below 2³².
    bytes.extend_from_slice(&(count as u32).to_be_bytes());
}

fn put_names(master: &SaeId, slaves: &[SaeId], bytes: &mut Vec<u8>) {
    put_count(slaves.len(), bytes);
    for name in std::iter::once(master).chain(slaves) {
        put_name(name, bytes);
    }
}

fn put_name(name: &SaeId, bytes: &mut Vec<u8>) {
    put_count(name.as_str().len(), bytes);
    bytes.extend_from_slice(name.as_str().as_bytes());
}

fn put_ranges(ranges: &[KeyRange], bytes: &mut Vec<u8>) {
    put_count(ranges.len(), bytes);
    for range in ranges {
        bytes.extend_from_slice(&range.block.session.to_be_bytes());
        bytes.extend_from_slice(&range.block.block.to_be_bytes());
        bytes.extend_from_slice(&range.offset.to_be_bytes());
        bytes.extend_from_slice(&range.bytes.to_be_bytes());
    }
}

/// Reads fields from the front; `None` when the bytes end early.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn holder(&mut self) -> Option<Holder> {
        match self.u8()? {
            0 => Some(Holder::First),
            1 => Some(Holder::Nobody),
            2 => Some(Holder::Other),
            _ => None,
        }
    }

    fn spent(&mut self) -> Option<Spent> {
        Some(Spent {
            runs: self.u64()?,
            secrecy: self.u64().map(f64::from_bits)?,
            correctness: self.u64().map(f64::from_bits)?,
        })
    }

    fn block(&mut self) -> Option<BlockId> {
        Some(BlockId {
            session: self.u64()?,
            block: self.u64()?,
        })
    }

    fn name(&mut self) -> Option<SaeId> {
        let bytes = self.u32()? as usize;
        let (head, tail) = self.0.split_at_checked(bytes)?;
        self.0 = tail;
        SaeId::new(std::str::from_utf8(head).ok()?).ok()
    }

    fn names(&mut self) -> Option<(SaeId, Vec<SaeId>)> {
        let slaves = self.u32()?;
        let master = self.name()?;
        let slaves = (0..slaves).map(|_| self.name()).collect::<Option<_>>()?;
        Some((master, slaves))
    }

    fn ranges(&mut self) -> Option<Vec<KeyRange>> {
        (0..self.u32()?)
            .map(|_| {
                Some(KeyRange {
                    block: self.block()?,
                    offset: self.u32()?,
                    bytes: self.u32()?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
