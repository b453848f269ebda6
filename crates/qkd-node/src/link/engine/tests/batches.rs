//! What is said together goes under one tag, in its order.

use qkd_wire::link::{MESSAGES_PER_PAYLOAD_MAX, decode_payload};

use super::*;

fn clock(emitted_slots: u64) -> LinkEvent {
    LinkEvent::Emitted {
        slots: emitted_slots,
    }
}

/// The names of the messages of an envelope.
fn said(envelope: &Envelope) -> Vec<&'static str> {
    let messages = decode_payload(&envelope.payload).unwrap();
    messages.iter().map(LinkMessage::name).collect()
}

#[test]
fn what_is_said_before_a_flush_shares_an_envelope_and_is_heard_in_order() {
    let (mut alice, mut bob) = pair();
    for slots in 1..=3 {
        assert!(alice.handle(Time(0), clock(slots)).unwrap().is_empty());
    }
    let envelope = alice.flush().unwrap().unwrap();
    assert!(alice.flush().unwrap().is_none(), "nothing is said twice");
    let effects = deliver(vec![envelope], &mut bob).unwrap();
    assert!(matches!(
        effects[..],
        [
            LinkEffect::Clock { emitted_slots: 1 },
            LinkEffect::Clock { emitted_slots: 2 },
            LinkEffect::Clock { emitted_slots: 3 }
        ]
    ));
    check_alive(&mut alice, &mut bob);
}

#[test]
fn a_full_envelope_does_not_wait_for_the_flush() {
    let (mut alice, mut bob) = pair();
    let mut effects = Vec::new();
    for slots in 0..=MESSAGES_PER_PAYLOAD_MAX as u64 {
        effects.extend(alice.handle(Time(0), clock(slots)).unwrap());
    }
    assert_eq!(effects.len(), 1);
    effects.extend(alice.flush().unwrap());
    let heard = deliver(effects, &mut bob).unwrap();
    assert_eq!(heard.len(), MESSAGES_PER_PAYLOAD_MAX + 1);
}

/// What was said before is under the old key, what is said after under the new one.
#[test]
fn a_refresh_ends_the_envelope_that_others_began() {
    let (mut alice, mut bob) = pair();
    refresh_bits(&mut alice, 0, 7);
    refresh_bits(&mut bob, 0, 7);
    let mut effects = alice.handle(Time(0), clock(1)).unwrap();
    effects.extend(alice.handle(Time(0), committed(block(0))).unwrap());
    effects.extend(alice.handle(Time(0), clock(2)).unwrap());
    effects.extend(alice.flush().unwrap());
    let envelopes = sent(effects);
    let of = |envelope: &Envelope| (envelope.epoch, said(envelope));
    let shown: Vec<_> = envelopes.iter().map(of).collect();
    assert_eq!(shown, [(0, vec!["clock", "rekey"]), (1, vec!["clock"])]);
    let all = envelopes.into_iter().map(LinkEffect::Send).collect();
    let answers = deliver(all, &mut bob).unwrap();
    deliver(answers, &mut alice).unwrap();
    assert_eq!((epochs(&alice), epochs(&bob)), ((1, 1), (1, 1)));
    check_alive(&mut alice, &mut bob);
}

#[test]
fn a_refresh_before_the_end_of_its_envelope_ends_the_link_and_switches_nothing() {
    let (mut alice, mut bob) = pair();
    refresh_bits(&mut alice, 0, 7);
    refresh_bits(&mut bob, 0, 7);
    let rekey = alice.handle(Time(0), committed(block(0))).unwrap();
    let mut forged = sent(rekey).remove(0).payload;
    let (mut liar, _) = pair();
    liar.handle(Time(0), clock(1)).unwrap();
    let more = liar.flush().unwrap().into_iter().collect();
    forged.extend(sent(more).remove(0).payload);
    let (mut alice, _) = pair();
    let forged = alice.channel.seal(forged).unwrap();
    let fault = deliver(vec![LinkEffect::Send(forged)], &mut bob)
        .err()
        .unwrap();
    assert!(matches!(fault, LinkFault::Malformed(_)), "{fault}");
    assert_eq!(epochs(&bob), (0, 0));
}

/// The disk of one side is no business of the other's.
#[test]
fn what_was_said_leaves_before_the_store_is_given_anything() {
    let (mut alice, mut bob) = pair();
    let store = |index| {
        LinkMessage::Store(qkd_keystore::StoreMessage::Committed {
            block: block(0),
            index,
        })
    };
    let words = say(&mut bob, store(1));
    let envelope = on_the_wire(&sent(words)[0]);
    assert!(alice.handle(Time(0), clock(1)).unwrap().is_empty());
    let effects = alice
        .handle(Time(0), LinkEvent::Envelope(envelope))
        .unwrap();
    assert!(matches!(
        &effects[..],
        [LinkEffect::Send(_), LinkEffect::Store(_)]
    ));
}

/// An envelope that ends the link has had its effect until then.
#[test]
fn what_is_heard_before_a_fault_is_still_done() {
    let (mut alice, mut bob) = pair();
    let store = qkd_keystore::StoreMessage::Committed {
        block: block(0),
        index: 1,
    };
    let wrong = Message::Transmission { wanted: true };
    for message in [LinkMessage::Store(store), LinkMessage::Session(wrong)] {
        alice.handle(Time(0), LinkEvent::Outgoing(message)).unwrap();
    }
    // Bob was about to say something himself.
    bob.handle(Time(0), LinkEvent::Outgoing(LinkMessage::Heartbeat))
        .unwrap();
    let words = alice.flush().unwrap().into_iter().collect();
    let envelope = on_the_wire(&sent(words)[0]);
    let broken = bob.handle(Time(0), LinkEvent::Envelope(envelope)).err();
    let Broken { effects, fault } = broken.unwrap();
    assert!(matches!(fault, LinkFault::Session(_)), "{fault}");
    assert!(matches!(
        &effects[..],
        [LinkEffect::Send(_), LinkEffect::Store(_)]
    ));
}
