//! All records of a store, parsed.

use std::collections::BTreeMap;

use crate::id::Names;
use crate::material::Block;
use crate::record::{
    AbandonedRecord, AssignmentRecord, BlockRecord, KeyRecord, Ledger, Place, format_of, identity,
};
use crate::wrap::Vault;
use crate::{BlockId, Error, KeyId, Record, Side, Storage};

/// What stands in the records, each of them intact.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) ledger: Ledger,
    pub(crate) chain: BTreeMap<u64, [u8; 32]>,
    pub(crate) blocks: BTreeMap<BlockId, Block>,
    pub(crate) abandoned: BTreeMap<BlockId, AbandonedRecord>,
    pub(crate) assignments: BTreeMap<u64, AssignmentRecord>,
    /// Each key once, in any order.
    pub(crate) keys: Vec<(KeyId, KeyRecord)>,
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    ledger: Option<Ledger>,
    chain: BTreeMap<u64, [u8; 32]>,
    states: BTreeMap<BlockId, BlockRecord>,
    /// Material as it stands there.
    wrapped: BTreeMap<BlockId, Vec<u8>>,
    abandoned: BTreeMap<BlockId, AbandonedRecord>,
    assignments: BTreeMap<u64, AssignmentRecord>,
    keys: Vec<(KeyId, KeyRecord)>,
    /// Names of applications, each of them once.
    names: Names,
}

impl Contents {
    /// Reads what `storage` keeps of `side`'s store, record by record, so that they are never all in
    /// memory beside what they say. Nothing when it keeps no record.
    ///
    /// # Errors
    /// [`Error::WrongStoreKey`], [`Error::OtherSide`], or the first record that is damaged, missing or
    /// of another format.
    pub(crate) fn of_store(
        side: Side,
        vault: &Vault,
        storage: &mut dyn Storage,
    ) -> Result<Option<Self>, Error> {
        let place = Place::Identity.to_bytes();
        let mut reading = Reading::default();
        let (mut is_new, mut identity, mut damaged) = (true, None, None);
        storage.visit(&mut |key, value| {
            is_new = false;
            if key == place {
                identity = Some(check_identity_record(side, vault, value));
            }
            if damaged.is_none() {
                damaged = reading.take(vault, key, value).err();
            }
        })?;
        if is_new {
            return Ok(None);
        }
        // Records of another store or under another key are not damaged.
        identity.ok_or_else(|| Place::Identity.corrupt("it is missing"))??;
        let mut findings = Vec::from_iter(damaged);
        let contents = reading.end(vault, &mut findings);
        match findings.into_iter().next() {
            Some(first) => Err(first),
            None => Ok(Some(contents)),
        }
    }

    /// Reads what can be read, and says of everything else what is wrong with it.
    pub(crate) fn read_all(vault: &Vault, records: Vec<Record>, findings: &mut Vec<Error>) -> Self {
        let mut reading = Reading::default();
        for (key, value) in records {
            findings.extend(reading.take(vault, &key, &value).err());
        }
        reading.end(vault, findings)
    }
}

impl Reading {
    /// All there is, once every record was taken.
    fn end(self, vault: &Vault, findings: &mut Vec<Error>) -> Contents {
        let Reading {
            ledger,
            chain,
            states,
            wrapped,
            abandoned,
            assignments,
            keys,
            names: _,
        } = self;
        if ledger.is_none() {
            findings.push(Place::Ledger.corrupt("it is missing"));
        }
        Contents {
            ledger: ledger.unwrap_or_default(),
            chain,
            blocks: join(vault, states, wrapped, findings),
            abandoned,
            assignments,
            keys,
        }
    }

    fn take(&mut self, vault: &Vault, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let place = Place::from_bytes(key)?;
        let format = format_of(value);
        let content = place.content(vault, value)?;
        let parsed = match place {
            Place::Identity => Some(()),
            Place::Ledger => {
                Ledger::decode(format, content).map(|record| self.ledger = Some(record))
            }
            Place::Chain(commits) => content.try_into().ok().map(|value| {
                self.chain.insert(commits, value);
            }),
            Place::Material(id) => {
                self.wrapped.insert(id, content.to_vec());
                Some(())
            }
            Place::Block(id) => BlockRecord::decode(format, content).map(|record| {
                self.states.insert(id, record);
            }),
            Place::Abandoned(id) => AbandonedRecord::decode(content).map(|record| {
                self.abandoned.insert(id, record);
            }),
            Place::Assignment(id) => AssignmentRecord::decode(content)
                .filter(|record| record.assignment.id == id)
                .map(|record| {
                    self.assignments.insert(id, record);
                }),
            Place::Key(key_id) => {
                let record = KeyRecord::decode(format, content, &mut self.names);
                record.map(|record| self.keys.push((key_id, record)))
            }
        };
        parsed.ok_or_else(|| place.corrupt("its fields cannot be read"))
    }
}

/// Every block has a state and material, or is damaged.
fn join(
    vault: &Vault,
    states: BTreeMap<BlockId, BlockRecord>,
    mut wrapped: BTreeMap<BlockId, Vec<u8>>,
    findings: &mut Vec<Error>,
) -> BTreeMap<BlockId, Block> {
    let mut blocks = BTreeMap::new();
    for (id, record) in states {
        match open_block(vault, id, record, wrapped.remove(&id)) {
            Ok(block) => {
                blocks.insert(id, block);
            }
            Err(error) => findings.push(error),
        }
    }
    let orphans = wrapped.into_keys();
    findings.extend(orphans.map(|id| Place::Block(id).corrupt("it is missing")));
    blocks
}

fn open_block(
    vault: &Vault,
    id: BlockId,
    record: BlockRecord,
    wrapped: Option<Vec<u8>>,
) -> Result<Block, Error> {
    let place = Place::Material(id);
    let bytes = wrapped.ok_or_else(|| place.corrupt("it is missing"))?;
    let material = vault
        .unwrap(id, &bytes)
        .ok_or_else(|| place.corrupt("it does not open under the store key"))?;
    Block::restore(record, material)
        .ok_or_else(|| Place::Block(id).corrupt("its cursors lie outside its shares"))
}

/// The side that made these records, by the text of their first one, whatever its tag says.
pub(crate) fn side_of(records: &[Record]) -> Result<Side, Error> {
    let value = identity_of(records)?;
    [Side::Alice, Side::Bob]
        .into_iter()
        .find(|side| says(value, *side))
        .ok_or_else(|| Place::Identity.corrupt("it names neither side of a link"))
}

/// Whether these are records of `side` under this store key.
pub(crate) fn check_identity(side: Side, vault: &Vault, records: &[Record]) -> Result<(), Error> {
    check_identity_record(side, vault, identity_of(records)?)
}

fn check_identity_record(side: Side, vault: &Vault, value: &[u8]) -> Result<(), Error> {
    // Tags are bound to a side, so the other side's record is recognised by its text.
    if says(value, side.peer()) {
        return Err(Error::OtherSide);
    }
    match Place::Identity.content(vault, value) {
        Ok(content) if content == identity(side) => Ok(()),
        Ok(_) | Err(_) => Err(Error::WrongStoreKey),
    }
}

fn identity_of(records: &[Record]) -> Result<&[u8], Error> {
    let key = Place::Identity.to_bytes();
    let found = records.iter().find(|(place, _)| *place == key);
    found
        .map(|(_, value)| value.as_slice())
        .ok_or_else(|| Place::Identity.corrupt("it is missing"))
}

fn says(value: &[u8], side: Side) -> bool {
    let text = identity(side);
    value.get(1..1 + text.len()) == Some(&text[..])
}
