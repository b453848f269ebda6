//! Messages of every kind, drawn at random.

use proptest::collection::vec;
use proptest::prelude::*;
use qkd_bits::BitString;
use qkd_keystore::{
    AssignedKey, Assignment, BlockId, Comparison, DiscardReason, InDoubt, KeyId, KeyRange, Resume,
    SaeId, StoreMessage,
};
use qkd_messaging::SealedMessage;
use qkd_security::{BasisStatistics, Spent, Statistics};
use qkd_session::{Abort, AbortReason, Message};

use super::super::*;

fn bits(len: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = BitString> {
    vec(any::<bool>(), len).prop_map(|bits| bits.into_iter().collect())
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |number| number.is_finite())
}

fn parts() -> impl Strategy<Value = (u32, u32)> {
    (1..=PARTS_MAX).prop_flat_map(|parts| (0..parts, Just(parts)))
}

fn announcement() -> impl Strategy<Value = Message> {
    let gaps = vec(
        (1u64..1 << 50, 0u32..50).prop_map(|(gap, shift)| (gap >> shift).max(1)),
        0..40,
    );
    (any::<u64>(), parts(), 0u64..1 << 60, gaps, any::<u16>()).prop_flat_map(
        |(block, (part, parts), first_slot, mut gaps, rest)| {
            if let (0, Some(gap)) = (part, gaps.first_mut()) {
                *gap -= 1;
            }
            let end_slot = first_slot + gaps.iter().sum::<u64>() + u64::from(rest) + 1;
            bits(gaps.len()).prop_map(move |bases| Message::Announcement {
                block,
                part,
                parts,
                first_slot,
                end_slot,
                gaps: gaps.iter().copied().collect(),
                bases,
            })
        },
    )
}

fn disclosure() -> impl Strategy<Value = Message> {
    (any::<u64>(), parts(), vec(any::<(bool, bool)>(), 0..200)).prop_flat_map(
        |(block, (part, parts), slots)| {
            let bases: BitString = slots.iter().map(|slot| slot.0).collect();
            let decoys: BitString = slots.iter().map(|slot| slot.1).collect();
            bits(0..=bases.count_ones()).prop_map(move |test_bits| Message::Disclosure {
                block,
                part,
                parts,
                bases: bases.clone(),
                decoys: decoys.clone(),
                test_bits,
            })
        },
    )
}

fn basis_statistics() -> impl Strategy<Value = BasisStatistics> {
    any::<[u64; 2]>().prop_flat_map(|counts| {
        (0..=counts[0], 0..=counts[1]).prop_map(move |(signal, decoy)| BasisStatistics {
            counts,
            errors: [signal, decoy],
        })
    })
}

fn abort() -> impl Strategy<Value = Abort> {
    let reason = proptest::sample::select(AbortReason::ALL.to_vec());
    (reason, finite(), finite()).prop_map(|(reason, observed, limit)| Abort {
        reason,
        observed,
        limit,
    })
}

fn session() -> impl Strategy<Value = Message> {
    let round = || (any::<u64>(), any::<u32>(), bits(0..300));
    prop_oneof![
        any::<bool>().prop_map(|wanted| Message::Transmission { wanted }),
        any::<u64>().prop_map(|emitted_slots| Message::Clock { emitted_slots }),
        announcement(),
        disclosure(),
        (any::<u64>(), any::<u64>(), 0.0..=1.0, any::<[u8; 32]>()).prop_map(
            |(block, key_bits, prior_qber, seed)| Message::ReconciliationPlan {
                block,
                key_bits,
                prior_qber,
                seed,
            }
        ),
        round().prop_map(|(block, round, bits)| Message::Parities { block, round, bits }),
        round().prop_map(|(block, round, bits)| Message::Comparison { block, round, bits }),
        any::<(u64, [u8; 16], [u8; 16])>().prop_map(|(block, hash_key, tag)| {
            Message::Verification {
                block,
                hash_key,
                tag,
            }
        }),
        (any::<u64>(), basis_statistics(), basis_statistics()).prop_map(|(block, key, test)| {
            Message::Verified {
                block,
                statistics: Statistics { key, test },
            }
        }),
        (any::<(u64, u64, [u8; 16])>(), parts(), bits(0..300)).prop_map(
            |((block, output_bits, confirmation_point), (part, parts), seed)| {
                Message::Amplification {
                    block,
                    part,
                    parts,
                    output_bits,
                    confirmation_point,
                    seed,
                }
            }
        ),
        (any::<u64>(), abort()).prop_map(|(block, abort)| Message::Abort { block, abort }),
    ]
}

fn block() -> impl Strategy<Value = BlockId> {
    any::<(u64, u64)>().prop_map(|(session, block)| BlockId { session, block })
}

fn name() -> impl Strategy<Value = SaeId> {
    "\\PC{1,20}".prop_map(|name| SaeId::new(name).expect("at most 80 bytes"))
}

fn range() -> impl Strategy<Value = KeyRange> {
    (block(), any::<u32>(), any::<u32>()).prop_map(|(block, offset, bytes)| KeyRange {
        block,
        offset: offset / 2,
        bytes: (bytes / 2).max(1),
    })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let ranges = vec(range(), 0..=RANGES_PER_COMPARISON_MAX);
    (assignment(), ranges, any::<[u8; 16]>(), any::<[u8; 16]>()).prop_map(
        |(pad, ranges, point, tag)| Comparison {
            pad,
            ranges,
            point,
            tag,
        },
    )
}

fn assignment() -> impl Strategy<Value = Assignment> {
    let key = (any::<[u8; 16]>(), vec(range(), 0..4)).prop_map(|(id, ranges)| AssignedKey {
        key_id: KeyId::from_bytes(id),
        ranges,
    });
    (any::<u64>(), name(), vec(name(), 0..3), vec(key, 0..5)).prop_map(
        |(id, master, slaves, keys)| Assignment {
            id,
            master,
            slaves,
            keys,
        },
    )
}

fn spent() -> impl Strategy<Value = Spent> {
    let share = || 0.0..=1.0_f64;
    (0..=Spent::RUNS_MAX, share(), share()).prop_map(|(runs, secrecy, correctness)| Spent {
        runs,
        secrecy: secrecy * runs as f64,
        correctness: correctness * runs as f64,
    })
}

fn resume() -> impl Strategy<Value = Resume> {
    let in_doubt = (block(), any::<[u8; 8]>()).prop_map(|(block, check)| InDoubt { block, check });
    let numbers = any::<[u64; 5]>();
    (
        numbers,
        any::<[u8; 16]>(),
        any::<[u8; 32]>(),
        vec(in_doubt, 0..5),
        vec(block(), 0..5),
        spent(),
    )
        .prop_map(
            |(numbers, boot_id, chain, in_doubt, abandoned, spent)| Resume {
                boot_epoch: numbers[0],
                boot_id,
                commits: numbers[1],
                chain,
                spent,
                last_assigned: numbers[2],
                last_confirmed: numbers[3],
                last_accepted: numbers[4],
                in_doubt,
                abandoned,
            },
        )
}

fn store() -> impl Strategy<Value = StoreMessage> {
    let discarded = prop_oneof![
        Just(DiscardReason::CheckMismatch),
        Just(DiscardReason::Interrupted),
        Just(DiscardReason::StoreFull),
        Just(DiscardReason::TooSmall),
    ];
    prop_oneof![
        resume().prop_map(|resume| StoreMessage::Resume(Box::new(resume))),
        (block(), any::<[u8; 8]>())
            .prop_map(|(block, check)| StoreMessage::Prepared { block, check }),
        (block(), any::<u64>(), any::<[u8; 32]>(), spent()).prop_map(
            |(block, index, chain, spent)| StoreMessage::Commit {
                block,
                index,
                chain,
                spent,
            }
        ),
        (block(), any::<u64>()).prop_map(|(block, index)| StoreMessage::Committed { block, index }),
        (block(), discarded).prop_map(|(block, reason)| StoreMessage::Discard { block, reason }),
        assignment().prop_map(StoreMessage::Assign),
        any::<u64>().prop_map(|id| StoreMessage::AssignAccepted { id }),
        (any::<u64>(), "\\PC{0,40}")
            .prop_map(|(id, reason)| StoreMessage::AssignRefused { id, reason }),
        assignment().prop_map(StoreMessage::Void),
        any::<u64>().prop_map(|id| StoreMessage::VoidAccepted { id }),
        block().prop_map(|block| StoreMessage::Give { block }),
        block().prop_map(|block| StoreMessage::Taken { block }),
        comparison().prop_map(|comparison| StoreMessage::Compare(Box::new(comparison))),
        (any::<u64>(), any::<bool>())
            .prop_map(|(id, is_equal)| StoreMessage::Compared { id, is_equal }),
        "\\PC{0,40}".prop_map(|reason| StoreMessage::Quarantine { reason }),
    ]
}

fn relayed() -> impl Strategy<Value = RelayedMessage> {
    let sealed = (
        any::<[u8; 16]>(),
        any::<u32>(),
        any::<u64>(),
        vec(any::<u8>(), CIPHERTEXT_BYTES_MIN..200),
    );
    (name(), name(), sealed).prop_map(|(from, to, (key_id, sender, sequence, ciphertext))| {
        RelayedMessage {
            from,
            to,
            sealed: SealedMessage {
                key_id,
                sender,
                sequence,
                ciphertext,
            },
        }
    })
}

fn relay_outcome() -> impl Strategy<Value = RelayOutcome> {
    prop_oneof![
        Just(RelayOutcome::Stored),
        Just(RelayOutcome::MailboxFull),
        Just(RelayOutcome::UnknownApplication),
        Just(RelayOutcome::StorageFailed),
    ]
}

pub(in crate::link) fn link_message() -> impl Strategy<Value = LinkMessage> {
    prop_oneof![
        4 => session().prop_map(LinkMessage::Session),
        3 => store().prop_map(LinkMessage::Store),
        1 => any::<(u32, u64, u64, [u8; 16])>().prop_map(|(epoch, session, block, check)| {
            LinkMessage::Rekey(Rekey { epoch, id: RefreshId { session, block }, check })
        }),
        1 => (any::<u64>(), relayed())
            .prop_map(|(number, message)| LinkMessage::Relay { number, message }),
        1 => (any::<u64>(), relay_outcome())
            .prop_map(|(number, outcome)| LinkMessage::RelayAnswer { number, outcome }),
        1 => Just(LinkMessage::Heartbeat),
    ]
}
