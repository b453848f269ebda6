//! Every field of every message, forged by somebody inside TLS who has no key: between two daemons, and
//! in the handshake.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::DynamicMessage;
use qkd_auth::{Authentication, Channel, Handshake, PreSharedKey, Role};
use qkd_bits::SecretRng;
use qkd_wire::link::Frame as Decoded;
use qkd_wire::proto::link::frame::Kind;
use qkd_wire::proto::link::{Envelope, Frame};

use super::{quiet_link, receiver, rejects};
use crate::support::fields::{Change, changed, fields_of, link_type, put, sites, specimens};
use crate::support::{Direction, Recorded, agree_on_all_keys};

/// Recorded payloads up to this length are forged as well as made-up ones.
const PAYLOAD_BYTES_MAX: usize = 2_000;

/// Every change of every field of these messages: what was changed, and the bytes.
fn forgeries(messages: &[DynamicMessage]) -> Vec<(String, Vec<u8>)> {
    let mut forged = Vec::new();
    for message in messages {
        for site in sites(message) {
            for change in Change::ALL {
                let bytes = changed(message, &site, change, messages);
                forged.extend(bytes.map(|bytes| (site.name(), bytes)));
            }
        }
    }
    forged
}

/// Payloads of all kinds: made up from the descriptor, and a few that were said.
fn payloads(record: &[Recorded], direction: Direction) -> Vec<DynamicMessage> {
    let payload = link_type("Payload");
    let made_up = specimens(&link_type("LinkMessage"))
        .into_iter()
        .map(|message| {
            let mut bytes = Vec::new();
            put(1, &message.encode_to_vec(), &mut bytes);
            DynamicMessage::decode(payload.clone(), &bytes[..]).expect("it was just made")
        });
    let said = record.iter().filter(|one| one.direction == direction);
    let short = said.filter(|one| one.envelope.payload.len() <= PAYLOAD_BYTES_MAX);
    let said = short.take(20).map(|one| {
        let bytes = &one.envelope.payload[..];
        DynamicMessage::decode(payload.clone(), bytes).expect("it was said by a daemon")
    });
    made_up.chain(said).collect()
}

#[tokio::test]
async fn every_field_of_every_message_is_forged_in_vain() {
    let (nodes, middle) = quiet_link(Authentication::default()).await;
    let before = [nodes.alice().status().await, nodes.bob().status().await];
    let record = middle.record();
    for direction in Direction::BOTH {
        let node = receiver(&nodes, direction);
        let mut expected = rejects(&node.status().await);
        let forged = forgeries(&payloads(&record, direction));
        let names: BTreeSet<String> = forged.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(
            names,
            fields_of(&link_type("Payload")),
            "fields that nobody forged"
        );
        let genuine = middle.last(direction);
        expected.wrong_tag += forged.len() as u64;
        for (_, payload) in forged {
            let forged = Envelope {
                payload: payload.into(),
                ..genuine.clone()
            };
            middle.inject(direction, forged);
        }
        // Tags of all lengths but the right one, and the one that everybody tries first.
        for length in (0..32).chain(33..=64) {
            let tag = vec![0; length];
            expected.tag_length += 1;
            middle.inject(
                direction,
                Envelope {
                    tag,
                    ..genuine.clone()
                },
            );
        }
        expected.wrong_tag += 1;
        let tag = vec![0; 32];
        middle.inject(
            direction,
            Envelope {
                tag,
                ..genuine.clone()
            },
        );
        let what = format!("all forgeries counted: {expected:?}");
        node.until(&what, |now| rejects(now) == expected).await;
    }
    for (node, before) in [nodes.alice(), nodes.bob()].into_iter().zip(&before) {
        let now = node.status().await;
        assert_eq!(
            (now.session, now.stored_key_count, now.link_state),
            (before.session, before.stored_key_count, before.link_state)
        );
        assert_eq!(now.alarms, Vec::<String>::new());
    }
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
}

#[tokio::test]
async fn every_field_of_an_envelope_is_forged_in_vain() {
    let (nodes, middle) = quiet_link(Authentication::default()).await;
    let before = [nodes.alice().status().await, nodes.bob().status().await];
    for direction in Direction::BOTH {
        let node = receiver(&nodes, direction);
        let genuine = middle.last(direction);
        let bytes = genuine.encode_to_vec();
        let message = DynamicMessage::decode(link_type("Envelope"), &bytes[..]);
        let forged = forgeries(&[message.expect("it was said by a daemon")]);
        let names: BTreeSet<String> = forged.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(
            names,
            fields_of(&link_type("Envelope")),
            "fields that nobody forged"
        );
        let already = super::total(&node.status().await);
        let expected = already + forged.len() as u64;
        for (name, bytes) in forged {
            let envelope = Envelope::decode(&bytes[..]).unwrap_or_else(|e| panic!("{name}: {e}"));
            middle.inject(direction, envelope);
        }
        let what = format!("{expected} forgeries counted");
        node.until(&what, |now| super::total(now) == expected).await;
    }
    for (node, before) in [nodes.alice(), nodes.bob()].into_iter().zip(&before) {
        let now = node.status().await;
        assert_eq!(
            (now.session, now.stored_key_count, now.alarms.len()),
            (before.session, before.stored_key_count, 0)
        );
    }
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
}

/// What somebody in between makes of the frames of a handshake: whose, which of them, and how.
type Forge<'a> = &'a dyn Fn(Role, Frame) -> Option<Frame>;

/// Both ends of a handshake, with somebody in between; the channels of those who believe in it.
fn shake_hands(forge: Forge<'_>) -> [Option<Channel>; 2] {
    let key = || PreSharedKey::new(vec![1; 32].into()).expect("it is long enough");
    let start = |role, seed| {
        let mut rng = SecretRng::from_seed([seed; 32]);
        let parameters = b"channel.distance_km = 25.0\n".to_vec();
        let tags = Authentication::default();
        Handshake::start(role, &key(), tags, parameters, &mut rng)
            .expect("the parameters are short")
    };
    let ((alice, opening_a), (bob, opening_b)) = (start(Role::Alice, 1), start(Role::Bob, 2));
    let arrives = |from, frame| Decoded::try_from(forge(from, frame)?).ok();
    let opening = |from, opening: qkd_auth::Opening| match arrives(from, opening.into()) {
        Some(Decoded::Opening(opening)) => Some(opening),
        _ => None,
    };
    let proof = |from, proof: qkd_auth::Proof| match arrives(from, proof.into()) {
        Some(Decoded::Proof(proof)) => Some(proof),
        _ => None,
    };
    let (to_bob, to_alice) = (
        opening(Role::Alice, opening_a),
        opening(Role::Bob, opening_b),
    );
    let alice = to_alice.and_then(|theirs| alice.receive_opening(theirs).ok());
    let bob = to_bob.and_then(|theirs| bob.receive_opening(theirs).ok());
    let (Some((alice, proof_a)), Some((bob, proof_b))) = (alice, bob) else {
        return [None, None];
    };
    let (to_bob, to_alice) = (proof(Role::Alice, proof_a), proof(Role::Bob, proof_b));
    [
        to_alice.and_then(|theirs| alice.receive_proof(&theirs).ok()),
        to_bob.and_then(|theirs| bob.receive_proof(&theirs).ok()),
    ]
}

#[test]
fn every_field_of_a_handshake_is_forged_in_vain() {
    assert!(
        shake_hands(&|_, frame| Some(frame))
            .iter()
            .all(Option::is_some)
    );
    let mut names = BTreeSet::new();
    for liar in [Role::Alice, Role::Bob] {
        for is_opening in [true, false] {
            let chosen = |from, frame: &Frame| {
                from == liar && matches!(frame.kind, Some(Kind::Opening(_))) == is_opening
            };
            let mut number = 0;
            loop {
                let tried = std::cell::RefCell::new(None);
                let ends = shake_hands(&|from, frame| {
                    if !chosen(from, &frame) {
                        return Some(frame);
                    }
                    let bytes = frame.encode_to_vec();
                    let message = DynamicMessage::decode(link_type("Frame"), &bytes[..]).ok()?;
                    let mut all = forgeries(&[message, specimen(&frame)]).into_iter();
                    let (name, forged) = all.nth(number)?;
                    let forged = Frame::decode(&forged[..]).unwrap_or_default();
                    let same =
                        Decoded::try_from(forged.clone()).ok() == Decoded::try_from(frame).ok();
                    tried.replace(Some((name, same)));
                    Some(forged)
                });
                let Some((name, same)) = tried.into_inner() else {
                    break;
                };
                let believe = ends.iter().flatten().count();
                // Whoever got a forged proof does not believe in it; its peer did not see it.
                let most = usize::from(!is_opening);
                assert!(
                    same || believe <= most,
                    "{name}: {believe} believe in forgery {number}"
                );
                names.insert(name);
                number += 1;
            }
        }
    }
    let of_handshake = |name: &&String| name.starts_with("opening.") || name.starts_with("proof.");
    let all = fields_of(&link_type("Frame"));
    let silent: Vec<_> = all
        .iter()
        .filter(of_handshake)
        .filter(|name| !names.contains(*name))
        .collect();
    assert!(
        silent.is_empty() && names.len() > 4,
        "fields that nobody forged: {silent:?}"
    );
}

/// Another frame of the same kind.
fn specimen(frame: &Frame) -> DynamicMessage {
    let of_kind = match frame.kind {
        Some(Kind::Opening(_)) => "opening",
        _ => "proof",
    };
    let mut all = specimens(&link_type("Frame")).into_iter();
    let found = all.find(|one| one.fields().any(|(field, _)| field.name() == of_kind));
    found.expect("there is one of each kind")
}
