//! Key-store messages to protobuf and back.

use qkd_keystore::{
    AssignedKey, Assignment, BlockId, Comparison, DiscardReason, InDoubt, KeyId, KeyRange, Resume,
    SaeId, StoreMessage,
};
use qkd_security::Spent;

use super::field::{array, at_most, out_of_range, reason, required, sae_id, shortened};
use crate::DecodeError;
use crate::proto::link as proto;
use proto::store_message::Kind;

/// Undecided blocks in one resume.
pub const IN_DOUBT_MAX: usize = 1 << 12;

/// Applications named as slaves of one assignment.
pub const SLAVES_PER_ASSIGNMENT_MAX: usize = 1 << 10;

/// Keys of one assignment.
pub const KEYS_PER_ASSIGNMENT_MAX: usize = 1 << 14;

/// Pieces of key that are compared at once.
pub const RANGES_PER_COMPARISON_MAX: usize = 1 << 8;

/// Pieces of one key.
pub const RANGES_PER_KEY_MAX: usize = 1 << 12;

pub(super) fn encode(message: &StoreMessage) -> proto::StoreMessage {
    let kind = match message {
        StoreMessage::Resume(resume) => Kind::Resume(encode_resume(resume)),
        StoreMessage::Prepared { block, check } => Kind::Prepared(proto::Prepared {
            block: encode_block(block),
            check: check.to_vec(),
        }),
        StoreMessage::Commit {
            block,
            index,
            chain,
            spent,
        } => Kind::Commit(proto::Commit {
            block: encode_block(block),
            index: *index,
            chain: chain.to_vec(),
            spent: encode_spent(spent),
        }),
        StoreMessage::Committed { block, index } => Kind::Committed(proto::Committed {
            block: encode_block(block),
            index: *index,
        }),
        StoreMessage::Discard { block, reason } => Kind::Discard(proto::Discard {
            block: encode_block(block),
            reason: encode_discard_reason(*reason).into(),
        }),
        StoreMessage::Assign(assignment) => Kind::Assign(encode_assignment(assignment)),
        &StoreMessage::AssignAccepted { id } => Kind::AssignAccepted(proto::AssignAccepted { id }),
        StoreMessage::AssignRefused { id, reason } => Kind::AssignRefused(proto::AssignRefused {
            id: *id,
            reason: shortened(reason),
        }),
        StoreMessage::Void(assignment) => Kind::Void(encode_assignment(assignment)),
        &StoreMessage::VoidAccepted { id } => Kind::VoidAccepted(proto::VoidAccepted { id }),
        StoreMessage::Give { block } => Kind::Give(encode_block_id(block)),
        StoreMessage::Taken { block } => Kind::Taken(encode_block_id(block)),
        StoreMessage::Compare(comparison) => Kind::Compare(proto::Compare {
            pad: Some(encode_assignment(&comparison.pad)),
            ranges: comparison.ranges.iter().map(encode_range).collect(),
            point: comparison.point.to_vec(),
            tag: comparison.tag.to_vec(),
        }),
        &StoreMessage::Compared { id, is_equal } => Kind::Compared(proto::Compared {
            id,
            equal: is_equal,
        }),
        StoreMessage::Quarantine { reason } => Kind::Quarantine(proto::Quarantine {
            reason: shortened(reason),
        }),
    };
    proto::StoreMessage { kind: Some(kind) }
}

pub(super) fn decode(message: proto::StoreMessage) -> Result<StoreMessage, DecodeError> {
    Ok(match required("store.kind", message.kind)? {
        Kind::Resume(resume) => StoreMessage::Resume(Box::new(decode_resume(resume)?)),
        Kind::Prepared(prepared) => StoreMessage::Prepared {
            block: decode_block("prepared.block", prepared.block)?,
            check: array("prepared.check", &prepared.check)?,
        },
        Kind::Commit(commit) => StoreMessage::Commit {
            block: decode_block("commit.block", commit.block)?,
            index: commit.index,
            chain: array("commit.chain", &commit.chain)?,
            spent: decode_spent(required("commit.spent", commit.spent)?)?,
        },
        Kind::Committed(committed) => StoreMessage::Committed {
            block: decode_block("committed.block", committed.block)?,
            index: committed.index,
        },
        Kind::Discard(discard) => StoreMessage::Discard {
            block: decode_block("discard.block", discard.block)?,
            reason: decode_discard_reason(discard.reason)?,
        },
        Kind::Assign(assignment) => StoreMessage::Assign(decode_assignment(assignment)?),
        Kind::AssignAccepted(proto::AssignAccepted { id }) => StoreMessage::AssignAccepted { id },
        Kind::AssignRefused(refused) => StoreMessage::AssignRefused {
            id: refused.id,
            reason: reason("assign_refused.reason", refused.reason)?,
        },
        Kind::Void(assignment) => StoreMessage::Void(decode_assignment(assignment)?),
        Kind::VoidAccepted(proto::VoidAccepted { id }) => StoreMessage::VoidAccepted { id },
        Kind::Give(block) => StoreMessage::Give {
            block: decode_block("give", Some(block))?,
        },
        Kind::Taken(block) => StoreMessage::Taken {
            block: decode_block("taken", Some(block))?,
        },
        Kind::Compare(compare) => {
            items("compare.ranges", &compare.ranges, RANGES_PER_COMPARISON_MAX)?;
            let ranges = compare.ranges.into_iter().map(decode_range);
            StoreMessage::Compare(Box::new(Comparison {
                pad: decode_assignment(required("compare.pad", compare.pad)?)?,
                ranges: ranges.collect::<Result<_, _>>()?,
                point: array("compare.point", &compare.point)?,
                tag: array("compare.tag", &compare.tag)?,
            }))
        }
        Kind::Compared(proto::Compared { id, equal }) => StoreMessage::Compared {
            id,
            is_equal: equal,
        },
        Kind::Quarantine(quarantine) => StoreMessage::Quarantine {
            reason: reason("quarantine.reason", quarantine.reason)?,
        },
    })
}

fn encode_block(block: &BlockId) -> Option<proto::BlockId> {
    Some(encode_block_id(block))
}

fn encode_block_id(block: &BlockId) -> proto::BlockId {
    proto::BlockId {
        session: block.session,
        block: block.block,
    }
}

fn decode_block(
    field: &'static str,
    block: Option<proto::BlockId>,
) -> Result<BlockId, DecodeError> {
    let proto::BlockId { session, block } = required(field, block)?;
    Ok(BlockId { session, block })
}

fn encode_spent(spent: &Spent) -> Option<proto::Spent> {
    let &Spent {
        runs,
        secrecy,
        correctness,
    } = spent;
    Some(proto::Spent {
        runs,
        secrecy,
        correctness,
    })
}

fn decode_spent(spent: proto::Spent) -> Result<Spent, DecodeError> {
    let proto::Spent {
        runs,
        secrecy,
        correctness,
    } = spent;
    if runs > Spent::RUNS_MAX {
        return Err(out_of_range("spent.runs", runs, "2^48 at most"));
    }
    let sum = |field, value: f64| {
        (0.0..=runs as f64)
            .contains(&value)
            .then_some(value)
            .ok_or_else(|| out_of_range(field, value, "from 0 to the number of runs"))
    };
    Ok(Spent {
        runs,
        secrecy: sum("spent.secrecy", secrecy)?,
        correctness: sum("spent.correctness", correctness)?,
    })
}

fn encode_resume(resume: &Resume) -> proto::Resume {
    proto::Resume {
        boot_epoch: resume.boot_epoch,
        boot_id: resume.boot_id.to_vec(),
        commits: resume.commits,
        chain: resume.chain.to_vec(),
        spent: encode_spent(&resume.spent),
        last_assigned: resume.last_assigned,
        last_confirmed: resume.last_confirmed,
        last_accepted: resume.last_accepted,
        in_doubt: resume
            .in_doubt
            .iter()
            .map(|in_doubt| proto::InDoubt {
                block: encode_block(&in_doubt.block),
                check: in_doubt.check.to_vec(),
            })
            .collect(),
        abandoned: resume.abandoned.iter().map(encode_block_id).collect(),
    }
}

fn decode_resume(resume: proto::Resume) -> Result<Resume, DecodeError> {
    items("resume.in_doubt", &resume.in_doubt, IN_DOUBT_MAX)?;
    items("resume.abandoned", &resume.abandoned, IN_DOUBT_MAX)?;
    Ok(Resume {
        boot_epoch: resume.boot_epoch,
        boot_id: array("resume.boot_id", &resume.boot_id)?,
        commits: resume.commits,
        chain: array("resume.chain", &resume.chain)?,
        spent: decode_spent(required("resume.spent", resume.spent)?)?,
        last_assigned: resume.last_assigned,
        last_confirmed: resume.last_confirmed,
        last_accepted: resume.last_accepted,
        in_doubt: resume
            .in_doubt
            .into_iter()
            .map(|in_doubt| {
                Ok(InDoubt {
                    block: decode_block("in_doubt.block", in_doubt.block)?,
                    check: array("in_doubt.check", &in_doubt.check)?,
                })
            })
            .collect::<Result<_, DecodeError>>()?,
        abandoned: resume
            .abandoned
            .into_iter()
            .map(|block| decode_block("resume.abandoned", Some(block)))
            .collect::<Result<_, DecodeError>>()?,
    })
}

fn encode_assignment(assignment: &Assignment) -> proto::Assignment {
    let encode_key = |key: &AssignedKey| proto::AssignedKey {
        key_id: key.key_id.as_bytes().to_vec(),
        ranges: key.ranges.iter().map(encode_range).collect(),
    };
    proto::Assignment {
        id: assignment.id,
        master_sae_id: assignment.master.as_str().to_owned(),
        slave_sae_ids: assignment
            .slaves
            .iter()
            .map(|slave| slave.as_str().to_owned())
            .collect(),
        keys: assignment.keys.iter().map(encode_key).collect(),
    }
}

fn encode_range(range: &KeyRange) -> proto::KeyRange {
    proto::KeyRange {
        block: encode_block(&range.block),
        offset: range.offset,
        bytes: range.bytes,
    }
}

fn decode_assignment(assignment: proto::Assignment) -> Result<Assignment, DecodeError> {
    let proto::Assignment {
        id,
        master_sae_id,
        slave_sae_ids,
        keys,
    } = assignment;
    items(
        "assignment.slave_sae_ids",
        &slave_sae_ids,
        SLAVES_PER_ASSIGNMENT_MAX,
    )?;
    items("assignment.keys", &keys, KEYS_PER_ASSIGNMENT_MAX)?;
    Ok(Assignment {
        id,
        master: sae_id("assignment.master_sae_id", master_sae_id)?,
        slaves: slave_sae_ids
            .into_iter()
            .map(|slave| sae_id("assignment.slave_sae_ids", slave))
            .collect::<Result<Vec<SaeId>, _>>()?,
        keys: keys
            .into_iter()
            .map(decode_assigned_key)
            .collect::<Result<_, _>>()?,
    })
}

fn decode_assigned_key(key: proto::AssignedKey) -> Result<AssignedKey, DecodeError> {
    items("assigned_key.ranges", &key.ranges, RANGES_PER_KEY_MAX)?;
    Ok(AssignedKey {
        key_id: KeyId::from_bytes(array("assigned_key.key_id", &key.key_id)?),
        ranges: key
            .ranges
            .into_iter()
            .map(decode_range)
            .collect::<Result<_, _>>()?,
    })
}

fn decode_range(range: proto::KeyRange) -> Result<KeyRange, DecodeError> {
    let proto::KeyRange {
        block,
        offset,
        bytes,
    } = range;
    if bytes == 0 || offset.checked_add(bytes).is_none() {
        let found = format!("{bytes} bytes at {offset}");
        return Err(out_of_range(
            "key_range.bytes",
            found,
            "1 byte or more, ending below 2^32",
        ));
    }
    Ok(KeyRange {
        block: decode_block("key_range.block", block)?,
        offset,
        bytes,
    })
}

fn items<T>(field: &'static str, items: &[T], max: usize) -> Result<(), DecodeError> {
    at_most(field, items.len() as u64, max).map(drop)
}

fn encode_discard_reason(reason: DiscardReason) -> proto::DiscardReason {
    match reason {
        DiscardReason::CheckMismatch => proto::DiscardReason::CheckMismatch,
        DiscardReason::Interrupted => proto::DiscardReason::Interrupted,
        DiscardReason::StoreFull => proto::DiscardReason::StoreFull,
        DiscardReason::TooSmall => proto::DiscardReason::TooSmall,
    }
}

fn decode_discard_reason(reason: i32) -> Result<DiscardReason, DecodeError> {
    match proto::DiscardReason::try_from(reason) {
        Ok(proto::DiscardReason::CheckMismatch) => Ok(DiscardReason::CheckMismatch),
        Ok(proto::DiscardReason::Interrupted) => Ok(DiscardReason::Interrupted),
        Ok(proto::DiscardReason::StoreFull) => Ok(DiscardReason::StoreFull),
        Ok(proto::DiscardReason::TooSmall) => Ok(DiscardReason::TooSmall),
        Ok(proto::DiscardReason::Unspecified) | Err(_) => Err(out_of_range(
            "discard.reason",
            reason,
            "one of the reasons 1 to 4 of the protocol",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_no_runs_can_have_is_refused_by_the_name_of_its_field() {
        let spent = |runs, secrecy, correctness| {
            decode_spent(proto::Spent {
                runs,
                secrecy,
                correctness,
            })
        };
        let said = |result: Result<Spent, DecodeError>| result.unwrap_err().to_string();
        for (runs, most) in [
            (0, 0.0),
            (3, 3.0),
            (Spent::RUNS_MAX, Spent::RUNS_MAX as f64),
        ] {
            assert!(spent(runs, most, most).is_ok_and(|spent| spent.is_possible()));
            let above = (most + 1e-9).max(most.next_up());
            for wrong in [-1e-12, above, f64::MAX, f64::NAN, f64::INFINITY] {
                assert!(said(spent(runs, wrong, 0.0)).contains("`spent.secrecy`"));
                assert!(said(spent(runs, 0.0, wrong)).contains("`spent.correctness`"));
            }
        }
        for runs in [Spent::RUNS_MAX + 1, 1 << 60, u64::MAX] {
            assert!(said(spent(runs, 0.0, 0.0)).contains("`spent.runs`"));
        }
    }
}
