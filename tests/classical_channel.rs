//! What somebody inside TLS, between Alice and Bob, can do: hold them up, and nothing else.

mod forged;
mod replayed;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use qkd_auth::Authentication;
use qkd_wire::proto::link::frame::Kind;
use qkd_wire::proto::link::{Envelope, Frame, Opening, Proof, Refusal};
use qkd_wire::proto::node::{LinkState, NodeStatus, RejectCounters};

use crate::support::{Direction, Interceptor, Node, Nodes, Recorded, agree_on_all_keys};

/// Ten seconds of silence end a session; the next one and its first key take a few more.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

/// What is done to an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgery {
    FlipPayload,
    FlipTag,
    FlipLastTagBit,
    NextSequence,
    NextEpoch,
    LastEpoch,
    ShortTag,
    LongTag,
    NoTag,
    Garbage,
    Empty,
    Replay,
    Reflect,
}

const FORGERIES: [Forgery; 13] = [
    Forgery::FlipPayload,
    Forgery::FlipTag,
    Forgery::FlipLastTagBit,
    Forgery::NextSequence,
    Forgery::NextEpoch,
    Forgery::LastEpoch,
    Forgery::ShortTag,
    Forgery::LongTag,
    Forgery::NoTag,
    Forgery::Garbage,
    Forgery::Empty,
    Forgery::Replay,
    Forgery::Reflect,
];

impl Forgery {
    /// A forgery made of a genuine envelope, and whom it is sent to.
    fn of(self, direction: Direction, genuine: &Envelope) -> (Direction, Envelope) {
        let mut forged = genuine.clone();
        match self {
            Self::FlipPayload => {
                let mut payload = forged.payload.to_vec();
                match payload.last_mut() {
                    Some(byte) => *byte ^= 1,
                    None => payload.push(0),
                }
                forged.payload = payload.into();
            }
            Self::FlipTag => forged.tag[0] ^= 0x80,
            Self::FlipLastTagBit => forged.tag[31] ^= 1,
            Self::NextSequence => forged.sequence += 1,
            Self::NextEpoch => forged.epoch += 1,
            Self::LastEpoch => forged.epoch = forged.epoch.wrapping_sub(1),
            Self::ShortTag => forged.tag.truncate(31),
            Self::LongTag => forged.tag.push(0),
            Self::NoTag => forged.tag.clear(),
            Self::Garbage => {
                forged.payload = (0..=255).collect();
                forged.tag.fill(0);
            }
            Self::Empty => forged.payload.clear(),
            Self::Replay => {}
            Self::Reflect => return (direction.back(), forged),
        }
        (direction, forged)
    }

    /// The counter that rises where the forgery arrives.
    fn counter(self) -> fn(&mut RejectCounters) -> &mut u64 {
        match self {
            Self::FlipPayload
            | Self::FlipTag
            | Self::FlipLastTagBit
            | Self::NextSequence
            | Self::Garbage
            | Self::Empty => |rejects| &mut rejects.wrong_tag,
            Self::NextEpoch | Self::LastEpoch => |rejects| &mut rejects.wrong_epoch,
            Self::ShortTag | Self::LongTag | Self::NoTag => |rejects| &mut rejects.tag_length,
            Self::Replay => |rejects| &mut rejects.replay,
            Self::Reflect => |rejects| &mut rejects.reflection,
        }
    }
}

fn rejects(status: &NodeStatus) -> RejectCounters {
    status.rejects.expect("a node counts what it rejects")
}

fn total(status: &NodeStatus) -> u64 {
    let RejectCounters {
        replay,
        gap,
        reflection,
        wrong_epoch,
        wrong_tag,
        tag_length,
        malformed,
        handshakes,
    } = rejects(status);
    replay + gap + reflection + wrong_epoch + wrong_tag + tag_length + malformed + handshakes
}

fn receiver(nodes: &Nodes, direction: Direction) -> &Node {
    match direction {
        Direction::ToBob => nodes.bob(),
        Direction::ToAlice => nodes.alice(),
    }
}

/// Both ends, with the man in the middle; light stops when the keys of one block are in store.
async fn quiet_link(authentication: Authentication) -> (Nodes, Interceptor) {
    // 80 keys are fewer than one block gives.
    let link = Nodes::builder().key_count_max(80);
    let mut nodes = link.authentication(authentication).prepare();
    // A block takes about a second, so that none is full before the last one is in store.
    nodes.alice_config.slots_per_second_max = 2e7;
    nodes.alice_config.link.session.blocks_in_flight_max = 1;
    nodes.bob_config.link.session.blocks_in_flight_max = 1;
    nodes.start_bob().await;
    let middle = Interceptor::between(&mut nodes).await;
    nodes.start_alice().await;
    quiet(&nodes, &middle).await;
    (nodes, middle)
}

/// Waits until no light is wanted and all that follows from the session's block has been said.
async fn quiet(nodes: &Nodes, middle: &Interceptor) {
    for node in [nodes.alice(), nodes.bob()] {
        let full =
            |now: &NodeStatus| now.link_state() == LinkState::Paused && now.stored_key_count > 0;
        node.until("pause with keys in store", full).await;
    }
    for direction in Direction::BOTH {
        let refreshed = |record: &[Recorded]| {
            let present = record.last().map(|last| last.connection);
            let mut present = record.iter().filter(|r| Some(r.connection) == present);
            present.any(|r| r.direction == direction && r.envelope.epoch == 1)
        };
        middle.until("something in the next epoch", refreshed).await;
    }
}

#[tokio::test]
async fn a_forgery_is_counted_by_its_kind_and_changes_nothing_else() {
    forgeries_change_nothing_else(Authentication::HmacSha256).await;
}

#[tokio::test]
async fn a_forgery_is_counted_where_payloads_are_hashed_before_they_are_tagged() {
    forgeries_change_nothing_else(Authentication::PolyvalHmacSha256).await;
}

async fn forgeries_change_nothing_else(authentication: Authentication) {
    let (nodes, middle) = quiet_link(authentication).await;
    let before = [nodes.alice().status().await, nodes.bob().status().await];
    for direction in Direction::BOTH {
        for forgery in FORGERIES {
            let (to, forged) = forgery.of(direction, &middle.last(direction));
            let node = receiver(&nodes, to);
            let mut expected = rejects(&node.status().await);
            *forgery.counter()(&mut expected) += 1;
            middle.inject(to, forged);
            let what = format!("{forgery:?} counted: {expected:?}");
            node.until(&what, |now| rejects(now) == expected).await;
        }
    }
    frames_that_are_no_envelopes(&nodes, &middle).await;
    for (node, before) in [nodes.alice(), nodes.bob()].into_iter().zip(&before) {
        let now = node.status().await;
        assert_eq!(total(&now), total(before) + FORGERIES.len() as u64 + 3);
        assert_eq!(
            (now.session, now.stored_key_count, now.link_state),
            (before.session, before.stored_key_count, before.link_state)
        );
        assert_eq!(now.alarms, Vec::<String>::new());
    }
    // The link goes on: fetching keys takes both stores, and makes room for the next block.
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
    let next = nodes.bob().block_after(before[1].blocks_attempted).await;
    assert_eq!(
        (Some(next.session), next.outcome.as_str()),
        (before[1].session, "key")
    );
}

/// Three that a session has no use for, and a hint that is not the peer's.
async fn frames_that_are_no_envelopes(nodes: &Nodes, middle: &Interceptor) {
    let forged_hint = Refusal {
        reason: "all is lost\u{1b}[2J".to_owned(),
    };
    for direction in Direction::BOTH {
        let node = receiver(nodes, direction);
        let mut expected = rejects(&node.status().await);
        expected.malformed += 3;
        for kind in [
            None,
            Some(Kind::Opening(Opening::default())),
            Some(Kind::Proof(Proof { tag: vec![0; 32] })),
            Some(Kind::Refusal(forged_hint.clone())),
        ] {
            middle.inject_frame(direction, Frame { kind });
        }
        let log = node.until_log("all is lost").await;
        assert!(
            !log.contains('\u{1b}'),
            "a stranger's words reach the terminal as they are"
        );
        node.until("frames counted", |now| rejects(now) == expected)
            .await;
    }
}

#[tokio::test]
async fn forgeries_before_every_envelope_do_not_disturb_a_block() {
    let mut nodes = Nodes::builder().block_bits(250_000).blocks_max(2).prepare();
    nodes.start_bob().await;
    let middle = Interceptor::between(&mut nodes).await;
    let sent = Arc::new(Mutex::new([0; 2]));
    let counts = sent.clone();
    let mut at = 0;
    middle.play(Box::new(move |direction, genuine| {
        at += 1;
        let (to, forged) = FORGERIES[at % FORGERIES.len()].of(direction, &genuine);
        counts.lock().unwrap()[to as usize] += 1;
        vec![(to, forged), (direction, genuine)]
    }));
    nodes.start_alice().await;
    let session = nodes
        .bob()
        .until("session", |s| s.session.is_some())
        .await
        .session;
    for number in 0..2 {
        let block = nodes.bob().block_after(number).await;
        assert_eq!(
            (Some(block.session), block.outcome.as_str()),
            (session, "key")
        );
    }
    quiet_after_blocks(&nodes, 2).await;
    middle.play_honest();
    for direction in Direction::BOTH {
        let sent = sent.lock().unwrap()[direction as usize];
        let node = receiver(&nodes, direction);
        let what = format!("{sent} forgeries counted");
        node.until(&what, |now| total(now) == sent).await;
    }
    let keys = agree_on_all_keys(&nodes).await;
    assert!(keys.len() > 100, "{} keys of two blocks", keys.len());
}

async fn quiet_after_blocks(nodes: &Nodes, blocks: u64) {
    for node in [nodes.alice(), nodes.bob()] {
        let is = |s: &NodeStatus| s.blocks_with_key == blocks && s.stored_key_count > 0;
        node.until("keys of all blocks", is).await;
    }
}

/// What is done once to the envelopes themselves, so that the receiver never gets all of them.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Drop,
    Swap,
    Alter,
}

impl Loss {
    /// Does it once in each direction, from the next envelopes on.
    fn trick(self) -> impl FnMut(Direction, Envelope) -> Vec<(Direction, Envelope)> + Send {
        let mut done = [false; 2];
        let mut held: [Option<Envelope>; 2] = [None, None];
        move |direction, envelope| {
            let at = direction as usize;
            if let Some(first) = held[at].take() {
                return vec![(direction, envelope), (direction, first)];
            }
            if std::mem::replace(&mut done[at], true) {
                return vec![(direction, envelope)];
            }
            match self {
                Self::Drop => Vec::new(),
                Self::Swap => {
                    held[at] = Some(envelope);
                    Vec::new()
                }
                Self::Alter => vec![Forgery::FlipPayload.of(direction, &envelope)],
            }
        }
    }
}

async fn a_loss_is_survived(loss: Loss) {
    let (nodes, middle) = quiet_link(Authentication::default()).await;
    let before = nodes.bob().status().await;
    let lost = Instant::now();
    middle.play(Box::new(loss.trick()));
    for node in [nodes.alice(), nodes.bob()] {
        let seen = node.until("a gap", |now| rejects(now).gap > 0).await;
        let expected = RejectCounters {
            gap: rejects(&seen).gap,
            wrong_tag: u64::from(matches!(loss, Loss::Alter)),
            ..RejectCounters::default()
        };
        assert_eq!(rejects(&seen), expected, "{loss:?}");
        assert_eq!(seen.stored_key_count, before.stored_key_count, "{loss:?}");
    }
    let mut faults = String::new();
    for node in [nodes.alice(), nodes.bob()] {
        let renewed = |now: &NodeStatus| now.session.is_some() && now.session != before.session;
        faults += &node.until("a new session", renewed).await.link_fault;
    }
    assert!(
        faults.contains("no genuine envelope for"),
        "{loss:?}: {faults}"
    );
    an_old_envelope_means_nothing(&nodes, &middle).await;

    // What was in store is still good, and what is fetched makes room for another block.
    assert!(!agree_on_all_keys(&nodes).await.is_empty(), "{loss:?}");
    let block = nodes.bob().block_after(before.blocks_attempted).await;
    assert_eq!(block.outcome, "key", "{loss:?}");
    assert_ne!(Some(block.session), before.session, "{loss:?}");
    quiet(&nodes, &middle).await;
    assert!(
        lost.elapsed() < RECOVERED_WITHIN,
        "{loss:?}: {:?}",
        lost.elapsed()
    );
    assert!(!agree_on_all_keys(&nodes).await.is_empty(), "{loss:?}");
}

/// Replays the first envelope of the session before this one.
async fn an_old_envelope_means_nothing(nodes: &Nodes, middle: &Interceptor) {
    let Recorded {
        direction,
        envelope,
        ..
    } = middle.record().swap_remove(0);
    let node = receiver(nodes, direction);
    let mut expected = rejects(&node.status().await);
    expected.wrong_tag += 1;
    middle.inject(direction, envelope);
    node.until("the old envelope rejected", |now| rejects(now) == expected)
        .await;
}

/// Drops the announcement of the first block, or a part of it.
async fn a_loss_within_a_block_is_survived() {
    let mut nodes = Nodes::builder().prepare();
    nodes.alice_config.slots_per_second_max = 2e7;
    nodes.start_bob().await;
    let middle = Interceptor::between(&mut nodes).await;
    let mut dropped = false;
    middle.play(Box::new(move |direction, envelope| {
        let announces = direction == Direction::ToAlice && envelope.payload.len() > 10_000;
        let drop_it = announces && !std::mem::replace(&mut dropped, true);
        (!drop_it)
            .then_some((direction, envelope))
            .into_iter()
            .collect()
    }));
    nodes.start_alice().await;
    let first = nodes
        .bob()
        .until("a session", |now| now.session.is_some())
        .await;
    let block = nodes.bob().block_after(0).await;
    assert_eq!(block.outcome, "key");
    assert_ne!(Some(block.session), first.session);
    let stored = |now: &NodeStatus| now.stored_key_count > 0;
    for node in [nodes.alice(), nodes.bob()] {
        node.until("keys", stored).await;
    }
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
}

#[tokio::test]
async fn a_lost_swapped_or_altered_envelope_costs_a_session_and_no_key() {
    tokio::join!(
        a_loss_is_survived(Loss::Drop),
        a_loss_is_survived(Loss::Swap),
        a_loss_is_survived(Loss::Alter),
        a_loss_within_a_block_is_survived(),
    );
}
