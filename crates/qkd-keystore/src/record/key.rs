//! What stands about keys: those assigned here, and those that wait here.

use super::fields::{Reader, put_count, put_name, put_names, put_ranges};
use super::{FORMAT_OF_DATES, FORMAT_OLDEST};
use crate::id::Names;
use crate::{AssignedKey, Assignment, KeyId, KeyRange, SaeId};

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
        let (master, slaves) = reader.names(&mut Names::default())?;
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

    /// Reads a record; names are those that are `known`, where they are.
    pub(crate) fn decode(format: u8, content: &[u8], known: &mut Names) -> Option<Self> {
        let mut reader = Reader(content);
        let assignment = reader.u64()?;
        let (master, slaves) = reader.names(known)?;
        let ranges = reader.ranges()?;
        let (since_s, served) = match format {
            FORMAT_OLDEST..FORMAT_OF_DATES => (0, Vec::new()),
            _later => {
                let since_s = reader.u64()?;
                let served = (0..reader.u32()?).map(|_| reader.name(known));
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
