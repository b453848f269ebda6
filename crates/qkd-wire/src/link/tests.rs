//! Every message comes back as it was sent, and no bytes make the decoder panic.

pub(super) mod strategies;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use qkd_bits::BitString;
use qkd_keystore::StoreMessage;
use qkd_security::Spent;
use qkd_session::Message;

use super::*;
use strategies::link_message;

/// The bytes of a message in its payload, without the tag and length before it.
fn encode(message: &LinkMessage) -> Vec<u8> {
    to_proto(message.clone()).encode_to_vec()
}

fn decode(bytes: &[u8]) -> Result<LinkMessage, DecodeError> {
    from_proto(proto::LinkMessage::decode(bytes)?)
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
            if let Some(spent) = spent_of(&message) {
                prop_assert!(spent.is_possible(), "{:?}", spent);
            }
            prop_assert_eq!(decode(&encode(&message)), Ok(message));
        }
    }
}

/// What a message says that the pair has spent.
fn spent_of(message: &LinkMessage) -> Option<Spent> {
    let LinkMessage::Store(message) = message else {
        return None;
    };
    if let StoreMessage::Resume(resume) = message {
        return Some(resume.spent);
    }
    if let StoreMessage::Commit { spent, .. } = message {
        return Some(*spent);
    }
    None
}

/// The likeliest damage of an account is a number that is far too large.
#[test]
fn no_bit_flipped_in_an_account_makes_it_one_that_no_runs_can_have() {
    let spent = Spent {
        runs: 12,
        secrecy: 12e-10,
        correctness: 12e-15,
    };
    let bytes = encode(&LinkMessage::Store(StoreMessage::Commit {
        block: qkd_keystore::BlockId {
            session: 1,
            block: 2,
        },
        index: 3,
        chain: [4; 32],
        spent,
    }));
    let (mut refused, mut changed) = (0, 0);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match decode(&damaged) {
            Ok(message) => {
                let told = spent_of(&message).unwrap_or_default();
                assert!(told.is_possible(), "bit {bit}: {told:?}");
                changed += usize::from(told != spent);
            }
            Err(error) => refused += usize::from(error.to_string().contains("`spent.")),
        }
    }
    // Signs and high exponents of both sums are refused, low bits are another possible account.
    assert!(refused >= 4 && changed >= 64, "{refused} {changed}");
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
        gaps: vec![0, 1, 4].into(),
        bases: Some(proto::Bits {
            packed: vec![0b101].into(),
            count: 3,
        }),
        long_gaps: Bytes::new(),
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
    let cases: [(&str, Spoil); 10] = [
        ("announcement.part", |a| a.part = 1),
        ("announcement.part", |a| a.parts = 0),
        ("announcement.part", |a| a.parts = PARTS_MAX + 1),
        ("announcement.end_slot", |a| a.end_slot = 9),
        ("announcement.gaps", |a| {
            a.gaps = vec![1; qkd_session::DETECTIONS_PER_PART_MAX + 1].into();
        }),
        ("announcement.long_gaps", |a| {
            a.long_gaps = vec![0; 31].into()
        }),
        ("announcement.bases", |a| a.gaps = vec![0, 1].into()),
        ("announcement.bases", |a| a.bases = None),
        ("announcement.bases", |a| {
            a.bases = Some(proto::Bits {
                packed: vec![8].into(),
                count: 3,
            })
        }),
        ("announcement.bases", |a| {
            a.bases = Some(proto::Bits {
                packed: Bytes::new(),
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
fn nothing_is_no_message() {
    assert!(matches!(decode(&[]), Err(DecodeError::Missing { .. })));
}

#[test]
fn distances_that_were_said_do_not_keep_the_payload_around_them() {
    let said = |detections: usize, gap: fn(usize) -> u64| {
        LinkMessage::Session(Message::Announcement {
            block: 1,
            part: 0,
            parts: 1,
            first_slot: 0,
            end_slot: u64::MAX,
            gaps: (0..detections).map(gap).collect(),
            bases: BitString::zeros(detections),
        })
    };
    let rare = |at| if at % 1000 == 0 { 300 } else { 7 };
    // The last of a long payload has no long distance: nothing but it holds the payload at the end.
    let mut batch = Batch::default();
    assert_eq!(batch.add(said(100_000, rare)), None);
    assert_eq!(batch.add(said(1_000, |_| 7)), None);
    let payload = batch.take().unwrap();
    let from_the_network = bytes::BytesMut::from(&payload[..]).freeze();
    for payload in [payload.into(), from_the_network] {
        let messages = take_payload(payload).unwrap();
        let expected = [(100_000, 100), (1_000, 0)];
        assert_eq!(messages.len(), expected.len());
        for (message, expected) in messages.into_iter().zip(expected) {
            let LinkMessage::Session(Message::Announcement { gaps, .. }) = message else {
                panic!("announcements were said");
            };
            let (short, long) = gaps.into_bytes();
            assert_eq!((short.len(), long.len()), expected);
            assert!(short.capacity() + long.capacity() < 2 * expected.0);
        }
    }
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
        gaps: std::iter::repeat_n((1 << 45) + 1, detections).collect(),
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
        let mut batch = Batch::default();
        assert_eq!(batch.add(message.clone()), None);
        let payload = batch.take().unwrap();
        assert_eq!(decode_payload(&payload), Ok(vec![message]));
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
