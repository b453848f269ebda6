//! Two ends of a link without a socket: what each event does, and what nothing may do.

use qkd_auth::{Authentication, Envelope, Handshake, PreSharedKey, Role};
use qkd_bits::SecretRng;
use qkd_keystore::SaeId;
use qkd_messaging::SealedMessage;
use qkd_protocols::{AliceRecord, LinkSetup};
use qkd_security::{SecurityParameters, Spent, Theorem};
use qkd_session::SessionLimits;
use qkd_wire::link::{RelayOutcome, RelayedMessage};

use super::*;
use crate::link::Outflow;
use crate::presets;

mod batches;
mod lies;
mod refreshes;

/// What a liar makes of a payload before it seals it.
pub(super) type Forge = Box<dyn FnMut(Vec<u8>) -> Vec<u8> + Send>;

const SESSION: SessionId = SessionId(5);

/// Alice's and Bob's end after a handshake, at time zero.
pub(in crate::link) fn pair() -> (LinkEngine, LinkEngine) {
    let setup = presets::snspd(25.0).setup().unwrap();
    connected(&setup, 0, Time(0))
}

/// Both ends of connection `number` of a link, after its handshake.
fn connected(setup: &LinkSetup, number: u64, now: Time) -> (LinkEngine, LinkEngine) {
    let psk = || PreSharedKey::new(vec![1; 32].into()).unwrap();
    let secret = |seed: u8| SecretRng::from_seed([seed + number as u8; 32]);
    let start = |role, seed| {
        let tags = Authentication::default();
        Handshake::start(role, &psk(), tags, Vec::new(), &mut secret(seed)).unwrap()
    };
    let (alice, opening_a) = start(Role::Alice, 1);
    let (bob, opening_b) = start(Role::Bob, 101);
    let (alice, proof_a) = alice.receive_opening(opening_b).unwrap();
    let (bob, proof_b) = bob.receive_opening(opening_a).unwrap();
    let alice = alice.receive_proof(&proof_b).ok().unwrap();
    let bob = bob.receive_proof(&proof_a).ok().unwrap();
    let limits = SessionLimits {
        blocks_in_flight_max: 2,
        blocks_max: None,
    };
    let session = SessionId(SESSION.0 + number);
    let protocol = || qkd_protocols::by_name("bb84", setup.clone()).unwrap();
    let party_a = Party::Alice(Alice::new(session, protocol(), limits, secret(51)));
    let party_b = Party::Bob(Bob::new(session, protocol(), limits, 0.01, secret(151)));
    (
        LinkEngine::new(session, party_a, alice, now),
        LinkEngine::new(session, party_b, bob, now),
    )
}

/// What the pair had spent with every commit here.
const SPENT: Spent = Spent {
    runs: 3,
    secrecy: 3e-10,
    correctness: 3e-15,
};

fn committed(block: BlockId) -> LinkEvent {
    LinkEvent::Committed {
        block,
        spent: SPENT,
    }
}

fn seconds(seconds: u64) -> Time {
    Time(seconds * 1_000_000_000_000)
}

fn on_the_wire(envelope: &Envelope) -> qkd_wire::proto::link::Envelope {
    qkd_wire::proto::link::Envelope {
        epoch: envelope.epoch,
        sequence: envelope.sequence,
        payload: envelope.payload.clone().into(),
        tag: envelope.tag.to_vec(),
    }
}

/// The envelopes among the effects.
fn sent(effects: Vec<LinkEffect>) -> Vec<Envelope> {
    let envelope = |effect| match effect {
        LinkEffect::Send(envelope) => Some(envelope),
        LinkEffect::Work(_)
        | LinkEffect::Transmit { .. }
        | LinkEffect::Recall { .. }
        | LinkEffect::Clock { .. }
        | LinkEffect::Begun { .. }
        | LinkEffect::Distilled { .. }
        | LinkEffect::Store(_)
        | LinkEffect::Relay { .. }
        | LinkEffect::RelayAnswer { .. }
        | LinkEffect::Report(_) => None,
    };
    effects.into_iter().filter_map(envelope).collect()
}

/// Gives `to` what `effects` sends, at time zero; all that comes of it.
fn deliver(effects: Vec<LinkEffect>, to: &mut LinkEngine) -> Result<Vec<LinkEffect>, LinkFault> {
    let mut all = Vec::new();
    for envelope in sent(effects) {
        all.extend(handle(
            to,
            Time(0),
            LinkEvent::Envelope(on_the_wire(&envelope)),
        )?);
    }
    Ok(all)
}

/// What an event does, with the envelope that follows from it.
fn handle(
    engine: &mut LinkEngine,
    now: Time,
    event: LinkEvent,
) -> Result<Vec<LinkEffect>, LinkFault> {
    let mut effects = engine.handle(now, event)?;
    effects.extend(engine.flush()?);
    Ok(effects)
}

fn say(from: &mut LinkEngine, message: LinkMessage) -> Vec<LinkEffect> {
    handle(from, Time(0), LinkEvent::Outgoing(message)).unwrap()
}

fn block(block: u64) -> BlockId {
    BlockId {
        session: SESSION.0,
        block,
    }
}

fn refresh_bits(engine: &mut LinkEngine, block: u64, byte: u8) {
    engine.distilled.insert(block, vec![byte; 32].into());
}

fn epochs(engine: &LinkEngine) -> (u32, u32) {
    (
        engine.channel.sending_epoch(),
        engine.channel.receiving_epoch(),
    )
}

/// Both ends still understand each other.
fn check_alive(alice: &mut LinkEngine, bob: &mut LinkEngine) {
    let (before_a, before_b) = (alice.rejects(), bob.rejects());
    let words = say(alice, LinkMessage::Heartbeat);
    assert!(deliver(words, bob).unwrap().is_empty());
    let words = say(bob, LinkMessage::Heartbeat);
    assert!(deliver(words, alice).unwrap().is_empty());
    assert_eq!((alice.rejects(), bob.rejects()), (before_a, before_b));
}

#[test]
fn alices_commits_refresh_both_directions_one_after_the_other() {
    let (mut alice, mut bob) = pair();
    for number in 0..2 {
        refresh_bits(&mut alice, number, number as u8);
        refresh_bits(&mut bob, number, number as u8);
    }
    let old = say(&mut alice, LinkMessage::Heartbeat);
    let old = sent(old).remove(0);
    handle(&mut bob, Time(0), LinkEvent::Envelope(on_the_wire(&old))).unwrap();

    let first = handle(&mut alice, Time(0), committed(block(0))).unwrap();
    let waiting = handle(&mut alice, Time(0), committed(block(1))).unwrap();
    assert!(waiting.is_empty(), "the second refresh waits for the first");
    assert_eq!(epochs(&alice), (1, 0));
    let mut said = first;
    while !said.is_empty() {
        let answers = deliver(said, &mut bob).unwrap();
        said = deliver(answers, &mut alice).unwrap();
    }
    assert_eq!((epochs(&alice), epochs(&bob)), ((2, 2), (2, 2)));
    check_alive(&mut alice, &mut bob);
    assert!(alice.distilled.is_empty() && bob.distilled.is_empty());

    let replayed = handle(&mut bob, Time(0), LinkEvent::Envelope(on_the_wire(&old)));
    assert!(replayed.unwrap().is_empty());
    assert_eq!(bob.rejects().wrong_epoch, 1);
}

#[test]
fn neither_bobs_commits_nor_those_of_earlier_sessions_begin_a_refresh() {
    let (mut alice, mut bob) = pair();
    refresh_bits(&mut alice, 0, 7);
    refresh_bits(&mut bob, 0, 7);
    assert!(
        handle(&mut bob, Time(0), committed(block(0)))
            .unwrap()
            .is_empty()
    );
    let earlier = BlockId {
        session: SESSION.0 + 1,
        block: 0,
    };
    assert!(
        handle(&mut alice, Time(0), committed(earlier))
            .unwrap()
            .is_empty()
    );
    assert_eq!((epochs(&alice), epochs(&bob)), ((0, 0), (0, 0)));
}

#[test]
fn a_refresh_with_a_block_that_bob_does_not_hold_ends_the_link() {
    let (mut alice, mut bob) = pair();
    refresh_bits(&mut alice, 0, 7);
    refresh_bits(&mut bob, 0, 7);
    assert!(
        handle(
            &mut bob,
            Time(0),
            LinkEvent::Discarded {
                block: block(0),
                reason: qkd_keystore::DiscardReason::StoreFull
            }
        )
        .unwrap()
        .is_empty()
    );
    let rekey = handle(&mut alice, Time(0), committed(block(0))).unwrap();
    let fault = deliver(rekey, &mut bob).err().unwrap();
    assert!(
        matches!(fault, LinkFault::UnknownRefresh { block: 0 }),
        "{fault}"
    );
    assert_eq!(epochs(&bob), (0, 0));
}

#[test]
fn a_refresh_with_different_bits_ends_the_link_before_a_direction_switches() {
    let (mut alice, mut bob) = pair();
    refresh_bits(&mut alice, 0, 7);
    refresh_bits(&mut bob, 0, 8);
    let rekey = handle(&mut alice, Time(0), committed(block(0))).unwrap();
    let fault = deliver(rekey, &mut bob).err().unwrap();
    let expected = LinkFault::Authentication(qkd_auth::Error::RekeyMismatch);
    assert_eq!(fault.to_string(), expected.to_string());
    assert_eq!(epochs(&bob), (0, 0));
}

#[test]
fn altered_replayed_reflected_and_truncated_envelopes_are_counted_and_do_nothing() {
    let (mut alice, mut bob) = pair();
    let clock = Message::Clock { emitted_slots: 9 };
    let genuine = say(&mut alice, LinkMessage::Session(clock));
    let genuine = on_the_wire(&sent(genuine)[0]);
    let mut altered = genuine.clone();
    let mut payload = altered.payload.to_vec();
    payload[0] ^= 1;
    altered.payload = payload.into();
    let mut short = genuine.clone();
    short.tag.pop();
    let mut later = genuine.clone();
    later.epoch = 1;
    let reflected = say(&mut bob, LinkMessage::Heartbeat);
    let reflected = on_the_wire(&sent(reflected)[0]);
    let mut hear = |envelope: &qkd_wire::proto::link::Envelope| {
        let event = LinkEvent::Envelope(envelope.clone());
        handle(&mut bob, Time(0), event).unwrap().len()
    };
    for forged in [&altered, &short, &later, &reflected] {
        assert_eq!(hear(forged), 0);
    }
    assert_eq!(hear(&genuine), 1, "the genuine one still has its effect");
    assert_eq!(hear(&genuine), 0, "but once");
    let rejects = bob.rejects();
    let counted = [
        rejects.wrong_tag,
        rejects.tag_length,
        rejects.wrong_epoch,
        rejects.reflection,
        rejects.replay,
        rejects.gap,
    ];
    assert_eq!(counted, [1, 1, 1, 1, 1, 0]);
}

#[test]
fn an_authentic_payload_that_is_no_message_ends_the_link() {
    let (mut alice, mut bob) = pair();
    let envelope = alice.channel.seal(vec![0xff; 9]).unwrap();
    let fault = deliver(vec![LinkEffect::Send(envelope)], &mut bob).err();
    assert!(matches!(fault, Some(LinkFault::Malformed(_))));
}

#[test]
fn silence_ends_the_link_after_ten_seconds_and_forgeries_do_not_break_it() {
    let (mut alice, mut bob) = pair();
    let tick = || LinkEvent::Tick {
        demand: false,
        outflow: Outflow::default(),
    };
    let heard = say(&mut alice, LinkMessage::Heartbeat);
    let heard = on_the_wire(&sent(heard)[0]);
    handle(&mut bob, seconds(5), LinkEvent::Envelope(heard.clone())).unwrap();
    handle(&mut bob, seconds(14), LinkEvent::Envelope(heard)).unwrap();
    assert!(handle(&mut bob, seconds(15), tick()).is_ok());
    let fault = handle(&mut bob, Time(seconds(15).0 + 1), tick()).err();
    assert!(matches!(
        fault,
        Some(LinkFault::Silence { rejected: 1, .. })
    ));
}

/// A look at the clock in a store that wants keys.
fn wanting() -> LinkEvent {
    LinkEvent::Tick {
        demand: true,
        outflow: Outflow::default(),
    }
}

#[test]
fn an_end_that_has_nothing_to_say_shows_that_it_lives_once_a_second() {
    let (mut alice, _) = pair();
    let mut signs = 0;
    for fifth in 1..=20 {
        let now = Time(fifth * 200_000_000_000);
        let effects = handle(&mut alice, now, wanting()).unwrap();
        signs += sent(effects).len();
    }
    assert_eq!(signs, 4);
}

#[test]
fn demand_at_bob_reaches_alices_transmitter_and_her_clock_his_receiver() {
    let (mut alice, mut bob) = pair();
    let wanted = handle(&mut bob, Time(0), wanting()).unwrap();
    assert!(matches!(wanted[0], LinkEffect::Transmit { wanted: true }));
    let effects = deliver(wanted, &mut alice).unwrap();
    assert!(matches!(
        effects[..],
        [LinkEffect::Transmit { wanted: true }]
    ));
    let clock = handle(&mut alice, Time(0), LinkEvent::Emitted { slots: 77 }).unwrap();
    let effects = deliver(clock, &mut bob).unwrap();
    assert!(matches!(
        effects[..],
        [LinkEffect::Clock { emitted_slots: 77 }]
    ));
}

#[test]
fn a_relayed_message_reaches_the_other_end_and_its_answer_comes_back() {
    let (mut alice, mut bob) = pair();
    let relayed = RelayedMessage {
        from: SaeId::new("sae-alice").unwrap(),
        to: SaeId::new("sae-bob").unwrap(),
        sealed: SealedMessage {
            key_id: [1; 16],
            sender: 1,
            sequence: 0,
            ciphertext: vec![2; 20],
        },
    };
    let words = LinkMessage::Relay {
        number: 7,
        message: relayed.clone(),
    };
    let words = say(&mut alice, words);
    let effects = deliver(words, &mut bob).unwrap();
    assert!(matches!(
        &effects[..],
        [LinkEffect::Relay { number: 7, message }] if *message == relayed
    ));
    let answer = LinkMessage::RelayAnswer {
        number: 7,
        outcome: RelayOutcome::Stored,
    };
    let words = say(&mut bob, answer);
    let effects = deliver(words, &mut alice).unwrap();
    assert!(matches!(
        effects[..],
        [LinkEffect::RelayAnswer {
            number: 7,
            outcome: RelayOutcome::Stored
        }]
    ));
}

#[test]
fn what_only_the_other_side_may_say_or_do_ends_the_link() {
    let (mut alice, mut bob) = pair();
    let clock = LinkMessage::Session(Message::Clock { emitted_slots: 1 });
    let words = say(&mut bob, clock);
    let fault = deliver(words, &mut alice).err();
    assert!(matches!(fault, Some(LinkFault::WrongSide("clock"))));

    let (mut alice, mut bob) = pair();
    let words = say(
        &mut alice,
        LinkMessage::Session(Message::Transmission { wanted: true }),
    );
    let fault = deliver(words, &mut bob).err();
    assert!(matches!(fault, Some(LinkFault::Session(_))));

    let detections = LinkEvent::Detections {
        detections: Default::default(),
        next_slot: 1,
        readings: Default::default(),
    };
    let fault = handle(&mut alice, Time(0), detections).err();
    assert!(matches!(fault, Some(LinkFault::WrongSide(_))));
    let recalled = LinkEvent::Recalled {
        block: 0,
        record: AliceRecord::new(Default::default()),
    };
    let fault = handle(&mut bob, Time(0), recalled).err();
    assert!(matches!(fault, Some(LinkFault::WrongSide(_))));
}

#[test]
fn a_key_is_reported_when_it_is_committed_and_not_before() {
    let ended = |outcome| {
        Box::new(BlockReport {
            block: 0,
            first_slot: 0,
            end_slot: 1,
            detections: 1,
            sifted_bits: 1,
            qber: None,
            leakage: Default::default(),
            leaked_bits: 0,
            rounds: None,
            reconciliation_inefficiency: None,
            statistics: None,
            key_length: None,
            sifted: None,
            theorem: Theorem::default(),
            parameters: SecurityParameters {
                secrecy: 1e-10,
                correctness: 1e-15,
            },
            fixed_length_bits: 327,
            spent: None,
            alarms: Vec::new(),
            outcome,
        })
    };
    let key = Outcome::Key {
        secret_length_bits: 7,
    };
    let (mut alice, _) = pair();
    let mut effects = Vec::new();
    alice.report(ended(key), &mut effects);
    assert!(effects.is_empty());
    let effects = handle(&mut alice, Time(0), committed(block(0))).unwrap();
    assert!(matches!(&effects[..], [LinkEffect::Report(report)]
        if report.outcome == key && report.spent == Some(SPENT)));

    let mut effects = Vec::new();
    alice.report(ended(key), &mut effects);
    let discarded = LinkEvent::Discarded {
        block: block(0),
        reason: DiscardReason::CheckMismatch,
    };
    let effects = handle(&mut alice, Time(0), discarded).unwrap();
    assert!(matches!(
        &effects[..],
        [LinkEffect::Report(report)]
            if matches!(report.outcome, Outcome::Aborted(abort) if abort.reason == AbortReason::VerificationFailed)
    ));
}
