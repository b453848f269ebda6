//! What an operator is told about a store that no node has open: whether all of it is intact and fits
//! together, and what it holds. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};

use qkd_bits::SecretBytes;
use qkd_security::Spent;

use crate::contents::{Contents, check_identity, side_of};
use crate::record::{Place, chain_next, chain_start};
use crate::wrap::Vault;
use crate::{BlockId, Error, History, KeyRange, Side, Storage};

/// What a store holds, and whether it is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Whose store it is.
    pub side: Side,
    /// Records of any kind.
    pub records: u64,
    /// Which history this is; none before an operator ever had all keys discarded.
    pub history: Option<History>,
    /// Times the store was opened.
    pub boot_epoch: u64,
    /// Blocks committed in this history.
    pub commits: u64,
    /// What the pair has spent, at most.
    pub spent: Spent,
    /// Why the store is quarantined; none when it is not.
    pub quarantine: Option<String>,
    /// Committed blocks that still hold material.
    pub committed_blocks: u64,
    /// Bits of that material that this side may assign.
    pub free_bits: u64,
    /// Bits that the peer may assign.
    pub peer_free_bits: u64,
    /// All bits of material, those of blocks in doubt and used ones of unfinished blocks included.
    pub material_bits: u64,
    /// Blocks prepared here that Alice has not decided, as far as this side knows (Bob).
    pub in_doubt: Vec<BlockId>,
    /// Blocks that an operator gave up and the peer has not confirmed.
    pub abandoned: Vec<BlockId>,
    /// Keys waiting here for their slave applications.
    pub waiting_keys: u64,
    /// Assignments made here that the peer has not settled.
    pub unsettled_assignments: u64,
    /// What is damaged, missing or contradicts something else; empty when the store is whole.
    pub findings: Vec<Error>,
}

impl Inspection {
    /// Whether every record is intact and all of them fit together. A quarantined store may be whole.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether a node that opens this store delivers keys.
    pub fn is_sound(&self) -> bool {
        self.is_whole() && self.quarantine.is_none()
    }
}

/// A store that was read and found to be of this key.
pub(crate) struct Examined {
    pub(crate) vault: Vault,
    pub(crate) contents: Contents,
    pub(crate) inspection: Inspection,
}

/// Reads everything that `storage` keeps and checks each record's tag and fields, that material opens
/// under the store key, that each block has material and each material a block, that no byte belongs to
/// two keys, that keys lie in what was assigned of the right share, and Alice's chain. Of what cannot be
/// read nothing is counted.
///
/// # Errors
/// [`Error::WrongStoreKey`], [`Error::StoreKeyLength`], [`Error::Storage`], or [`Error::Corrupt`] when the
/// storage is empty or its first record does not even say whose it is. All else is among the findings.
pub fn inspect(storage: &mut dyn Storage, store_key: &SecretBytes) -> Result<Inspection, Error> {
    examine(storage, store_key).map(|examined| examined.inspection)
}

pub(crate) fn examine(
    storage: &mut dyn Storage,
    store_key: &SecretBytes,
) -> Result<Examined, Error> {
    let records = storage.load()?;
    let side = side_of(&records)?;
    let vault = Vault::new(side, store_key)?;
    check_identity(side, &vault, &records)?;
    let mut findings = Vec::new();
    let count = records.len() as u64;
    let contents = Contents::read_all(&vault, records, &mut findings);
    check_blocks(side, &contents, &mut findings);
    check_keys(side, &contents, &mut findings);
    check_chain(side, &contents, &mut findings);
    let inspection = describe(side, count, &contents, findings);
    Ok(Examined {
        vault,
        contents,
        inspection,
    })
}

fn describe(side: Side, records: u64, contents: &Contents, findings: Vec<Error>) -> Inspection {
    let ledger = &contents.ledger;
    let committed = || contents.blocks.values().filter(|b| b.record().index > 0);
    let free_bits = |of| committed().map(|b| u64::from(b.free(of)) * 8).sum();
    let bytes = contents.blocks.values().map(|b| b.material().len() as u64);
    let in_doubt = contents.blocks.iter();
    let in_doubt = in_doubt.filter(|(_, block)| block.record().index == 0);
    Inspection {
        side,
        records,
        history: History::new(ledger.history),
        boot_epoch: ledger.boot_epoch,
        commits: ledger.commits,
        spent: ledger.spent_max,
        quarantine: Some(ledger.quarantine.clone()).filter(|reason| !reason.is_empty()),
        committed_blocks: committed().count() as u64,
        free_bits: free_bits(side),
        peer_free_bits: free_bits(side.peer()),
        material_bits: bytes.sum::<u64>() * 8,
        in_doubt: in_doubt.map(|(id, _)| *id).collect(),
        abandoned: contents.abandoned.keys().copied().collect(),
        waiting_keys: contents.keys.len() as u64,
        unsettled_assignments: contents.assignments.len() as u64,
        findings,
    }
}

/// Every committed block has a place of its own, and only Bob's can be in doubt.
fn check_blocks(side: Side, contents: &Contents, findings: &mut Vec<Error>) {
    let commits = contents.ledger.commits;
    let mut places = BTreeSet::new();
    for (id, block) in &contents.blocks {
        let problem = match block.record().index {
            0 if side == Side::Alice => "it is in doubt, which only Bob's blocks can be",
            0 => continue,
            index if index > commits => "its commit is later than the last one",
            index if !places.insert(index) => "another block has the same place among the commits",
            _ => continue,
        };
        findings.push(Place::Block(*id).corrupt(problem));
    }
    for (id, record) in &contents.abandoned {
        let problem = match (side, record.index) {
            _ if contents.blocks.contains_key(id) => "the block it gives up is here",
            (Side::Bob, 0) => continue,
            (Side::Alice, index) if (1..=commits).contains(&index) && places.insert(index) => {
                continue;
            }
            (Side::Alice | Side::Bob, _) => "its place among the commits cannot be",
        };
        findings.push(Place::Abandoned(*id).corrupt(problem));
    }
}

/// Every key lies in what was assigned of its owner's share, and no byte belongs to two.
fn check_keys(side: Side, contents: &Contents, findings: &mut Vec<Error>) {
    let ledger = &contents.ledger;
    let mut used: BTreeMap<BlockId, Vec<(KeyRange, Place)>> = BTreeMap::new();
    let mut look = |place: Place, owner: Side, ranges: &[KeyRange], is_needed: bool| {
        for range in ranges {
            let problem = match contents.blocks.get(&range.block) {
                Some(block) if block.contains(owner, range) && block.was_assigned(range) => {
                    used.entry(range.block).or_default().push((*range, place));
                    continue;
                }
                Some(_) => "it names bytes that are not its owner's or were never assigned",
                None if is_needed => "it names a block that is not here",
                None => continue,
            };
            findings.push(place.corrupt(problem));
        }
    };
    for (key_id, record) in &contents.keys {
        look(Place::Key(*key_id), side.peer(), &record.ranges, true);
    }
    for (id, record) in &contents.assignments {
        for key in &record.assignment.keys {
            look(Place::Assignment(*id), side, &key.ranges, !record.void);
        }
    }
    for ranges in used.values_mut() {
        ranges.sort_by_key(|(range, _)| range.offset);
        for pair in ranges.windows(2) {
            if let [(first, _), (second, place)] = pair
                && first.offset + first.bytes > second.offset
            {
                findings.push(place.corrupt("it names bytes that are another key's too"));
            }
        }
    }
    let late_keys = contents.keys.iter();
    let late_keys = late_keys.filter(|(_, record)| record.assignment > ledger.last_accepted);
    findings.extend(late_keys.map(|(id, _)| {
        Place::Key(*id).corrupt("it is of an assignment later than the last one accepted")
    }));
    let late = contents.assignments.keys();
    let late = late.filter(|id| **id > ledger.last_assigned);
    findings.extend(
        late.map(|id| Place::Assignment(*id).corrupt("it is later than the last one made")),
    );
    if ledger.last_confirmed > ledger.last_assigned {
        findings.push(Place::Ledger.corrupt("it confirms assignments that were never made"));
    }
}

/// Alice's chain values follow from one another over the blocks that are here.
fn check_chain(side: Side, contents: &Contents, findings: &mut Vec<Error>) {
    let ledger = &contents.ledger;
    if ledger.commits == 0 && ledger.chain != chain_start(ledger.history) {
        findings.push(Place::Ledger.corrupt("its chain is not the beginning of its history"));
    }
    if side == Side::Bob {
        return;
    }
    if ledger.commits > 0 && contents.chain.get(&ledger.commits) != Some(&ledger.chain) {
        let place = Place::Chain(ledger.commits);
        findings.push(place.corrupt("it is not what the ledger says"));
    }
    let blocks = contents.blocks.iter();
    let blocks = blocks.map(|(id, block)| (block.record().index, (*id, block.record().check)));
    let abandoned = contents.abandoned.iter();
    let abandoned = abandoned.map(|(id, record)| (record.index, (*id, record.check)));
    let blocks: BTreeMap<u64, _> = blocks.chain(abandoned).collect();
    for (index, value) in &contents.chain {
        let Some(before) = index.checked_sub(1) else {
            continue;
        };
        let before = match before {
            0 => Some(chain_start(ledger.history)),
            before => contents.chain.get(&before).copied(),
        };
        if let (Some(before), Some((id, check))) = (before, blocks.get(index))
            && chain_next(&before, *id, check) != *value
        {
            let place = Place::Chain(*index);
            findings.push(place.corrupt("it does not follow from the one before and its block"));
        }
    }
}
