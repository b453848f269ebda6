//! Every message comes back as it was sent, and no bytes make the decoder panic.

use proptest::collection::vec;
use proptest::prelude::*;
use qkd_bits::BitString;
use qkd_keystore::{
    AssignedKey, Assignment, BlockId, DiscardReason, InDoubt, KeyId, KeyRange, Resume, SaeId,
    StoreMessage,
};
use qkd_messaging::SealedMessage;
use qkd_security::{BasisStatistics, Statistics};
use qkd_session::{Abort, AbortReason, Message};

use super::*;

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
                gaps: gaps.clone(),
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
    let reason = prop_oneof![
        Just(AbortReason::QberTooHigh),
        Just(AbortReason::TooFewDetections),
        Just(AbortReason::ZeroLength),
        Just(AbortReason::VerificationFailed),
    ];
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

fn assignment() -> impl Strategy<Value = Assignment> {
    let range = (block(), any::<u32>(), any::<u32>()).prop_map(|(block, offset, bytes)| KeyRange {
        block,
        offset: offset / 2,
        bytes: (bytes / 2).max(1),
    });
    let key = (any::<[u8; 16]>(), vec(range, 0..4)).prop_map(|(id, ranges)| AssignedKey {
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

fn resume() -> impl Strategy<Value = Resume> {
    let in_doubt = (block(), any::<[u8; 8]>()).prop_map(|(block, check)| InDoubt { block, check });
    let numbers = any::<[u64; 5]>();
    (
        numbers,
        any::<[u8; 16]>(),
        any::<[u8; 32]>(),
        vec(in_doubt, 0..5),
    )
        .prop_map(|(numbers, boot_id, chain, in_doubt)| Resume {
            boot_epoch: numbers[0],
            boot_id,
            commits: numbers[1],
            chain,
            last_assigned: numbers[2],
            last_confirmed: numbers[3],
            last_accepted: numbers[4],
            in_doubt,
        })
}

fn store() -> impl Strategy<Value = StoreMessage> {
    let discarded = prop_oneof![
        Just(DiscardReason::CheckMismatch),
        Just(DiscardReason::Interrupted),
        Just(DiscardReason::StoreFull),
        Just(DiscardReason::TooSmall),
    ];
    prop_oneof![
        resume().prop_map(StoreMessage::Resume),
        (block(), any::<[u8; 8]>())
            .prop_map(|(block, check)| StoreMessage::Prepared { block, check }),
        (block(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(block, index, chain)| {
            StoreMessage::Commit {
                block,
                index,
                chain,
            }
        }),
        (block(), any::<u64>()).prop_map(|(block, index)| StoreMessage::Committed { block, index }),
        (block(), discarded).prop_map(|(block, reason)| StoreMessage::Discard { block, reason }),
        assignment().prop_map(StoreMessage::Assign),
        any::<u64>().prop_map(|id| StoreMessage::AssignAccepted { id }),
        (any::<u64>(), "\\PC{0,40}")
            .prop_map(|(id, reason)| StoreMessage::AssignRefused { id, reason }),
        assignment().prop_map(StoreMessage::Void),
        any::<u64>().prop_map(|id| StoreMessage::VoidAccepted { id }),
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

fn link_message() -> impl Strategy<Value = LinkMessage> {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn every_message_comes_back(message in link_message()) {
        prop_assert_eq!(decode(&encode(&message)), Ok(message));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    /// Mostly well-formed bytes reach deeper into the decoder than arbitrary ones.
    #[test]
    fn damaged_messages_never_panic(
        message in link_message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&message);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode(&bytes);
        let _ = decode(&bytes[..cut.index(bytes.len())]);
    }

    /// Whatever is accepted is within its limits: sent on, it is accepted again.
    #[test]
    fn what_was_decoded_can_be_encoded_again(
        message in link_message(),
        (at, byte) in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let mut bytes = encode(&message);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(message) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&message)), Ok(message));
        }
    }
}

fn session_bytes(kind: proto::session_message::Kind) -> Vec<u8> {
    let message = proto::SessionMessage { kind: Some(kind) };
    let kind = Some(Kind::Session(message));
    proto::LinkMessage { kind }.encode_to_vec()
}

/// An announcement of three detections in slots 10, 11 and 15 of 10..20.
fn three_detections() -> proto::Announcement {
    proto::Announcement {
        block: 1,
        part: 0,
        parts: 1,
        first_slot: 10,
        end_slot: 20,
        gaps: vec![0, 1, 4],
        bases: Some(proto::Bits {
            packed: vec![0b101],
            count: 3,
        }),
    }
}

#[test]
fn a_spoilt_announcement_is_refused_by_the_name_of_its_field() {
    let decoded = |announcement| {
        decode(&session_bytes(proto::session_message::Kind::Announcement(
            announcement,
        )))
    };
    assert!(decoded(three_detections()).is_ok());
    type Spoil = fn(&mut proto::Announcement);
    let cases: [(&str, Spoil); 11] = [
        ("announcement.part", |a| a.part = 1),
        ("announcement.part", |a| a.parts = 0),
        ("announcement.part", |a| a.parts = PARTS_MAX + 1),
        ("announcement.end_slot", |a| a.end_slot = 9),
        ("announcement.gaps", |a| a.end_slot = 15),
        ("announcement.gaps", |a| a.gaps = vec![0, 1, 0]),
        ("announcement.gaps", |a| a.gaps = vec![0, 1, 0x84]),
        ("announcement.bases", |a| a.gaps = vec![0, 1]),
        ("announcement.bases", |a| a.bases = None),
        ("announcement.bases", |a| {
            a.bases = Some(proto::Bits {
                packed: vec![8],
                count: 3,
            })
        }),
        ("announcement.bases", |a| {
            a.bases = Some(proto::Bits {
                packed: Vec::new(),
                count: u64::MAX,
            });
        }),
    ];
    for (index, (field, spoil)) in cases.into_iter().enumerate() {
        let mut announcement = three_detections();
        spoil(&mut announcement);
        let error = decoded(announcement).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{field}`")),
            "case {index}: {error}"
        );
    }
    let mut later = three_detections();
    (later.part, later.parts) = (1, 2);
    assert!(
        decoded(later).is_err(),
        "a later part cannot repeat the last slot"
    );
    let mut beyond = three_detections();
    beyond.gaps = [vec![0xff; 9], vec![1], vec![2], vec![3]].concat();
    assert!(decoded(beyond).is_err(), "slots beyond 64 bits");
}

#[test]
fn values_that_mean_nothing_are_refused_by_the_name_of_their_field() {
    use proto::session_message::Kind as Session;
    let plan = |prior_qber, seed_bytes: usize| {
        Session::ReconciliationPlan(proto::ReconciliationPlan {
            prior_qber,
            seed: vec![0; seed_bytes],
            ..Default::default()
        })
    };
    let abort = |reason, observed| {
        Session::Abort(proto::Abort {
            reason,
            observed,
            ..Default::default()
        })
    };
    let basis = |counts: &[u64], errors: &[u64]| {
        Some(proto::BasisStatistics {
            counts: counts.to_vec(),
            errors: errors.to_vec(),
        })
    };
    let verified = |test| {
        Session::Verified(proto::Verified {
            block: 0,
            statistics: Some(proto::Statistics {
                key: basis(&[9, 9], &[0, 9]),
                test,
            }),
        })
    };
    let cases = [
        ("reconciliation_plan.prior_qber", plan(f64::NAN, 32)),
        ("reconciliation_plan.prior_qber", plan(1.5, 32)),
        ("reconciliation_plan.seed", plan(0.5, 31)),
        ("abort.reason", abort(0, 0.0)),
        ("abort.reason", abort(5, 0.0)),
        ("abort.observed", abort(1, f64::INFINITY)),
        (
            "verified.statistics",
            Session::Verified(proto::Verified::default()),
        ),
        ("statistics.test", verified(None)),
        ("statistics.test", verified(basis(&[1], &[0, 0]))),
        ("statistics.test", verified(basis(&[1, 1, 1], &[0, 0]))),
        ("statistics.test", verified(basis(&[1, 1], &[0, 2]))),
        (
            "parities.bits",
            Session::Parities(proto::Parities::default()),
        ),
        (
            "verification.tag",
            Session::Verification(proto::Verification {
                hash_key: vec![0; 16],
                tag: vec![0; 17],
                ..Default::default()
            }),
        ),
    ];
    for (index, (field, kind)) in cases.into_iter().enumerate() {
        let error = decode(&session_bytes(kind)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{field}`")),
            "case {index}: {error}"
        );
    }
}

#[test]
fn a_relay_without_a_tag_and_an_answer_without_an_outcome_are_refused_by_name() {
    let relay = |ciphertext_bytes| {
        Kind::Relay(proto::Relay {
            from_sae_id: "sae-alice".into(),
            to_sae_id: "sae-bob".into(),
            key_id: vec![0; 16],
            ciphertext: vec![0; ciphertext_bytes],
            ..Default::default()
        })
    };
    let answer = |outcome| Kind::RelayAnswer(proto::RelayAnswer { number: 1, outcome });
    let decoded = |kind| decode(&proto::LinkMessage { kind: Some(kind) }.encode_to_vec());
    assert!(decoded(relay(CIPHERTEXT_BYTES_MIN)).is_ok());
    assert!(decoded(relay(CIPHERTEXT_BYTES_MAX)).is_ok());
    for (field, kind) in [
        ("relay.ciphertext", relay(0)),
        ("relay.ciphertext", relay(CIPHERTEXT_BYTES_MIN - 1)),
        ("relay.ciphertext", relay(CIPHERTEXT_BYTES_MAX + 1)),
        ("relay_answer.outcome", answer(0)),
        ("relay_answer.outcome", answer(5)),
    ] {
        let error = decoded(kind).unwrap_err().to_string();
        assert!(error.contains(&format!("`{field}`")), "{error}");
    }
}

#[test]
fn an_empty_or_oversized_payload_is_no_message() {
    assert!(matches!(decode(&[]), Err(DecodeError::Missing { .. })));
    let long = vec![0; LINK_MESSAGE_BYTES_MAX + 1];
    assert!(matches!(decode(&long), Err(DecodeError::TooLong { .. })));
}

#[test]
fn the_longest_parts_fit_into_a_message() {
    let detections = qkd_session::DETECTIONS_PER_PART_MAX;
    let announcement = LinkMessage::Session(Message::Announcement {
        block: u64::MAX,
        part: PARTS_MAX - 1,
        parts: PARTS_MAX,
        first_slot: 0,
        end_slot: u64::MAX,
        gaps: vec![(1 << 45) + 1; detections],
        bases: BitString::zeros(detections),
    });
    let seed = LinkMessage::Session(Message::Amplification {
        block: 0,
        part: 0,
        parts: 1,
        output_bits: 1,
        confirmation_point: [0; 16],
        seed: BitString::zeros(qkd_session::SEED_BITS_PER_PART_MAX),
    });
    for message in [announcement, seed] {
        assert_eq!(decode(&encode(&message)), Ok(message));
    }
}

#[test]
fn a_reason_too_long_for_the_peer_is_shortened_when_sent() {
    let reason = "ß".repeat(2000);
    let message = LinkMessage::Store(StoreMessage::Quarantine {
        reason: reason.clone(),
    });
    let Ok(LinkMessage::Store(StoreMessage::Quarantine { reason: sent })) =
        decode(&encode(&message))
    else {
        panic!("not a quarantine");
    };
    assert!(
        reason.starts_with(&sent) && sent.len() == 1024,
        "{} bytes",
        sent.len()
    );
}
