//! What an operator does to a store that no node has open.
//!
//! **A quarantined store.** The two histories contradict each other: one store was restored from a copy,
//! altered or emptied. Which keys are then safe, nobody can tell from inside: a copy has forgotten what
//! was fetched, given away or voided since it was made, so any byte that it holds may have left it
//! before, and the bytes of its peer may be assigned there a second time. The one state that is safe
//! whatever happened is that neither side holds anything of the old history. [`begin_history`] brings one
//! side there: all material, keys, assignments and blocks in doubt go, and the chain begins anew at a
//! value that follows from a random [`History`].
//!
//! One side alone cannot talk itself sound. Two stores deliver to each other only after both have said
//! where they stand, chain value included; that of a new history is met by no other chain. So the first
//! connection after one side was emptied quarantines both, unless the other was emptied *into the same
//! history*: its operator was told the same word. What the pair has spent of its failure budget is kept.
//!
//! **A block in doubt** whose coordinator is gone for good: [`abandon`]; what becomes of it when she comes
//! back stands in the header of `abandon.rs`.
//!
//! A store that was sealed because its storage failed needs nothing of this: opening it again reads what
//! is durable, and that is all or nothing of each commit.

use qkd_bits::{SecretBytes, SecretRng};

use crate::inspect::{Examined, examine};
use crate::record::{AbandonedRecord, Ledger, Place, chain_start, identity};
use crate::{BlockId, Change, Error, History, Inspection, Side, Storage};

/// Which blocks are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandon {
    /// This one.
    Block(BlockId),
    /// All that are in doubt.
    AllInDoubt,
}

/// Discards all keys of a store and begins `history`, durably and at once. Returns what the store held
/// before. Nothing of it can ever be delivered on this side again, and nothing new before the
/// peer's store was brought into the same history.
///
/// # Errors
/// [`Error::Damaged`] when the store is not whole, [`Error::HistoryBegun`] when this is its history
/// already, and as [`inspect`](crate::inspect()). Nothing is changed then.
pub fn begin_history(
    storage: &mut dyn Storage,
    store_key: &SecretBytes,
    rng: &mut SecretRng,
    history: History,
) -> Result<Inspection, Error> {
    let before = whole(storage, store_key)?;
    if before.inspection.history == Some(history) {
        return Err(Error::HistoryBegun { history });
    }
    let old = &before.contents.ledger;
    let ledger = Ledger {
        boot_epoch: old.boot_epoch + 1,
        boot_id: rng.array(),
        chain: chain_start(history.number()),
        history: history.number(),
        spent_max: old.spent_max,
        commits_uncounted: old.commits_uncounted,
        // Numbers of assignments do not come twice, as far as this store knows.
        last_assigned: old.last_assigned,
        clock: old.clock,
        ..Ledger::default()
    };
    let mut changes: Vec<Change> = places(&before).map(Place::delete).collect();
    changes.push(Place::Ledger.put(&before.vault, ledger.encode()));
    let side = before.inspection.side;
    changes.push(Place::Identity.put(&before.vault, identity(side)));
    storage.commit(&changes)?;
    Ok(before.inspection)
}

/// Gives blocks in doubt up, durably and at once, and returns which. Their material is gone from this side;
/// the peer is told when it comes back.
///
/// # Errors
/// [`Error::Damaged`] when the store is not whole, [`Error::NothingInDoubt`] when it is Alice's,
/// [`Error::NotInDoubt`] when the block is not, and as [`inspect`](crate::inspect()). Nothing is
/// changed then.
pub fn abandon(
    storage: &mut dyn Storage,
    store_key: &SecretBytes,
    which: Abandon,
) -> Result<Vec<BlockId>, Error> {
    let store = whole(storage, store_key)?;
    if store.inspection.side == Side::Alice {
        return Err(Error::NothingInDoubt);
    }
    let in_doubt = &store.inspection.in_doubt;
    let blocks = match which {
        Abandon::Block(block) if !in_doubt.contains(&block) => {
            return Err(Error::NotInDoubt { block });
        }
        Abandon::Block(block) => vec![block],
        Abandon::AllInDoubt => in_doubt.clone(),
    };
    let mut changes = Vec::new();
    for &id in &blocks {
        let Some(block) = store.contents.blocks.get(&id) else {
            continue;
        };
        let record = AbandonedRecord {
            check: block.record().check,
            index: 0,
        };
        changes.push(Place::Material(id).delete());
        changes.push(Place::Block(id).delete());
        changes.push(Place::Abandoned(id).put(&store.vault, record.encode()));
    }
    if !changes.is_empty() {
        storage.commit(&changes)?;
    }
    Ok(blocks)
}

/// The store, if all of it is intact: nobody decides about what cannot be read.
fn whole(storage: &mut dyn Storage, store_key: &SecretBytes) -> Result<Examined, Error> {
    let store = examine(storage, store_key)?;
    match store.inspection.findings.first() {
        None => Ok(store),
        Some(first) => Err(Error::Damaged {
            findings: store.inspection.findings.len(),
            first: first.to_string(),
        }),
    }
}

/// Where all records stand but identity and ledger.
fn places(store: &Examined) -> impl Iterator<Item = Place> {
    let contents = &store.contents;
    let blocks = contents.blocks.keys();
    (blocks.flat_map(|&id| [Place::Material(id), Place::Block(id)]))
        .chain(contents.abandoned.keys().map(|&id| Place::Abandoned(id)))
        .chain(contents.assignments.keys().map(|&id| Place::Assignment(id)))
        .chain(contents.keys.iter().map(|(id, _)| Place::Key(*id)))
        .chain(contents.chain.keys().map(|&index| Place::Chain(index)))
}
