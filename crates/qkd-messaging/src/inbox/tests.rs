//! Both ends of a chain: what is refused, and what a kill at any step does.

mod kills;

use super::*;
use crate::{ChainLimits, Head, Outbox};
use proptest::prelude::*;

const FEW: ChainLimits = ChainLimits {
    messages_max: 3,
    bytes_max: 1 << 34,
};

fn text() -> Option<Head> {
    Some(Head {
        kind: Kind::Text,
        total_bytes: None,
    })
}

fn key_of(id: u8) -> SecretBytes {
    SecretBytes::from(vec![id ^ 0x55; 32])
}

/// A sender and everything it sealed.
struct Sender {
    outbox: Outbox,
    next_key: u8,
}

impl Sender {
    fn new(limits: ChainLimits) -> Self {
        Self {
            outbox: Outbox::new(limits),
            next_key: 1,
        }
    }

    fn seal(&mut self, head: Option<Head>, body: &[u8], last: bool) -> SealedMessage {
        if self.outbox.needs_key() {
            let id = self.next_key;
            self.outbox.take_key([id; 16], key_of(id)).unwrap();
            self.next_key += 1;
        }
        self.outbox.seal(head.as_ref(), body, last).unwrap();
        self.outbox.is_durable();
        let message = self.outbox.to_send().unwrap().clone();
        self.outbox.delivered();
        message
    }

    /// A message of one part.
    fn text(&mut self, body: &[u8]) -> SealedMessage {
        self.seal(text(), body, true)
    }
}

/// Opens as a program does, with a node that has every key.
fn open(inbox: &mut Inbox, message: &SealedMessage) -> Result<Piece, Error> {
    if let Some(id) = inbox.wants_key(message)? {
        inbox.add_key(id, key_of(id[0])).unwrap();
    }
    inbox.open(message)
}

fn body(inbox: &mut Inbox, message: &SealedMessage) -> Vec<u8> {
    match open(inbox, message) {
        Ok(piece) => piece.body.expose().to_vec(),
        Err(error) => panic!("message {} was refused: {error}", message.sequence),
    }
}

fn refused(inbox: &mut Inbox, message: &SealedMessage) -> Error {
    match open(inbox, message) {
        Ok(_) => panic!("message {} was opened", message.sequence),
        Err(error) => error,
    }
}

/// Seven texts under three keys: 3, 3 and 1.
fn seven() -> Vec<SealedMessage> {
    let mut sender = Sender::new(FEW);
    (0..7).map(|i| sender.text(&[i])).collect()
}

#[test]
fn many_messages_go_under_every_key_and_no_number_occurs_twice() {
    let sealed = seven();
    let numbers: Vec<(u8, u64)> = sealed.iter().map(|m| (m.key_id[0], m.sequence)).collect();
    assert_eq!(
        numbers,
        [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0)]
    );
    let mut inbox = Inbox::new();
    let mut how = Vec::new();
    for (i, message) in sealed.iter().enumerate() {
        let piece = open(&mut inbox, message).ok().unwrap();
        assert_eq!(piece.body.expose(), [i as u8]);
        assert_eq!((piece.number, piece.last), (i as u64 + 1, true));
        how.push(piece.continuity);
        // A restart between any two messages changes nothing.
        inbox = Inbox::from_state(inbox.state().expose()).ok().unwrap();
    }
    let (same, next) = (Continuity::SameKey, Continuity::NextKey);
    let new = Continuity::NewChain { replaced: false };
    assert_eq!(how, [new, same, same, next, same, same, next]);
}

#[test]
fn a_key_is_left_before_it_sealed_more_bytes_than_allowed() {
    let mut sender = Sender::new(ChainLimits {
        messages_max: 1 << 16,
        bytes_max: (1 << 20) + 110,
    });
    let keys: Vec<u8> = (0..6).map(|_| sender.text(&[0; 20]).key_id[0]).collect();
    assert_eq!(keys, [1, 1, 1, 2, 2, 2]);
}

#[test]
fn every_message_is_opened_once_whenever_it_is_replayed() {
    let sealed = seven();
    let mut inbox = Inbox::new();
    for opened in 0..sealed.len() {
        body(&mut inbox, &sealed[opened]);
        for replayed in &sealed[..=opened] {
            let error = refused(&mut inbox, replayed);
            let fits = matches!(error, Error::Replay { .. } | Error::FormerKey);
            assert!(fits, "{opened}: {error}");
        }
        inbox = Inbox::from_state(inbox.state().expose()).ok().unwrap();
    }
}

#[test]
fn no_message_can_be_left_out_and_the_missing_one_still_opens() {
    let sealed = seven();
    for missing in 0..sealed.len() - 1 {
        let mut inbox = Inbox::new();
        for message in &sealed[..missing] {
            body(&mut inbox, message);
        }
        for later in &sealed[missing + 1..] {
            let error = refused(&mut inbox, later);
            let expected = matches!(
                error,
                Error::Gap { .. }
                    | Error::UnknownStart { .. }
                    | Error::UnknownChain
                    | Error::MissingKey
                    | Error::CutShort { .. }
            );
            assert!(expected, "without {missing}: {error}");
        }
        for (i, message) in sealed.iter().enumerate().skip(missing) {
            assert_eq!(body(&mut inbox, message), [i as u8]);
        }
    }
}

#[test]
fn what_was_cut_out_between_two_keys_is_named() {
    let sealed = seven();
    let mut inbox = Inbox::new();
    body(&mut inbox, &sealed[0]);
    let cut = Error::CutShort {
        sent: 3,
        received: 1,
    };
    assert_eq!(refused(&mut inbox, &sealed[3]), cut);
    assert_eq!(refused(&mut inbox, &sealed[6]), Error::MissingKey);
    assert_eq!(refused(&mut Inbox::new(), &sealed[3]), Error::UnknownChain);
    let late = Error::UnknownStart { received: 1 };
    assert_eq!(refused(&mut Inbox::new(), &sealed[1]), late);
}

#[test]
fn a_forged_message_changes_nothing() {
    let sealed = seven();
    let mut inbox = Inbox::new();
    for message in &sealed {
        for bit in (0..message.ciphertext.len() * 8).step_by(5) {
            let mut forged = message.clone();
            forged.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refused(&mut inbox, &forged), Error::WrongTag);
        }
        let mut other = message.clone();
        other.sender += 1;
        assert!(matches!(
            refused(&mut inbox, &other),
            Error::OtherSender { .. }
        ));
        body(&mut inbox, message);
    }
}

#[test]
fn a_new_chain_is_told_apart_and_ends_the_old_one() {
    let sealed = seven();
    let mut inbox = Inbox::new();
    body(&mut inbox, &sealed[0]);
    let mut lost = Sender::new(FEW);
    lost.next_key = 9;
    let first = lost.text(b"anew");
    let piece = open(&mut inbox, &first).ok().unwrap();
    assert_eq!(piece.continuity, Continuity::NewChain { replaced: true });
    assert_eq!(refused(&mut inbox, &sealed[1]), Error::FormerKey);
    assert_eq!(body(&mut inbox, &lost.text(b"more")), b"more");
}

#[test]
fn a_sender_that_starts_anew_uses_another_key() {
    let mut sender = Sender::new(FEW);
    let before = sender.text(b"1");
    sender.outbox.start_anew();
    assert!(sender.outbox.needs_key() && sender.outbox.to_send().is_none());
    let after = sender.text(b"2");
    assert_ne!(before.key_id, after.key_id);
    assert_eq!(body(&mut Inbox::new(), &after), b"2");
}

#[test]
fn nothing_is_sent_before_it_is_durable_and_nothing_sealed_before_it_is_delivered() {
    let mut outbox = Outbox::new(FEW);
    assert_eq!(
        outbox.seal(text().as_ref(), b"", true).err(),
        Some(Error::NoKey)
    );
    outbox.take_key([1; 16], key_of(1)).unwrap();
    let no_head = outbox.seal(None, b"", true).err();
    assert_eq!(no_head, Some(Error::NoMessage));
    outbox.seal(text().as_ref(), b"x", false).unwrap();
    assert!(outbox.to_send().is_none());
    outbox.delivered();
    let early = outbox.seal(None, b"y", true).err();
    assert_eq!(early, Some(Error::Undelivered));
    outbox.is_durable();
    outbox.delivered();
    outbox.seal(None, b"y", true).unwrap();
}

#[test]
fn a_message_whose_sender_stopped_is_told_with_the_next() {
    let mut sender = Sender::new(ChainLimits::default());
    let mut inbox = Inbox::new();
    body(&mut inbox, &sender.seal(text(), b"half", false));
    inbox.keep_at(b"somewhere").unwrap();
    inbox = Inbox::from_state(inbox.state().expose()).ok().unwrap();
    let piece = open(&mut inbox, &sender.text(b"whole")).ok().unwrap();
    let cut_off = piece.cut_off.unwrap();
    assert_eq!((cut_off.number, cut_off.received_bytes), (1, 4));
    assert_eq!(cut_off.place, b"somewhere");
    inbox.settle();
    let piece = open(&mut inbox, &sender.text(b"next")).ok().unwrap();
    assert!(piece.cut_off.is_none(), "a complete one was not cut off");
}

#[test]
fn a_lie_about_the_length_ends_the_message_only() {
    let head = |total| Head {
        kind: Kind::Text,
        total_bytes: Some(total),
    };
    for (total, bodies) in [(3, [&b"ab"[..], b"cd"]), (5, [b"ab", b"cd"])] {
        let mut sender = Sender::new(ChainLimits::default());
        let mut inbox = Inbox::new();
        body(
            &mut inbox,
            &sender.seal(Some(head(total)), bodies[0], false),
        );
        let error = refused(&mut inbox, &sender.seal(None, bodies[1], true));
        assert!(matches!(error, Error::Disorder { number: 1, .. }));
        assert!(inbox.unfinished().is_none());
        assert_eq!(body(&mut inbox, &sender.text(b"next")), b"next");
    }
}

#[test]
fn a_damaged_state_is_refused() {
    let mut sender = Sender::new(FEW);
    let mut inbox = Inbox::new();
    for _ in 0..4 {
        body(&mut inbox, &sender.text(b"text"));
    }
    sender.outbox.seal(text().as_ref(), b"x", false).unwrap();
    let (sent, opened) = (sender.outbox.state(), inbox.state());
    for at in 0..sent.len() {
        let mut damaged = sent.expose().to_vec();
        damaged[at] ^= 4;
        assert!(Outbox::from_state(&damaged, FEW).is_err(), "byte {at}");
        assert!(Outbox::from_state(&sent.expose()[..at], FEW).is_err());
    }
    for at in 0..opened.len() {
        let mut damaged = opened.expose().to_vec();
        damaged[at] ^= 4;
        assert!(Inbox::from_state(&damaged).is_err(), "byte {at}");
        assert!(Inbox::from_state(&opened.expose()[..at]).is_err());
    }
    assert!(Inbox::from_state(sent.expose()).is_err());
}

proptest! {
    #[test]
    fn parts_of_any_length_arrive_in_their_places(
        messages in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..5), 1..6),
        messages_max in 1..7u64,
    ) {
        let mut sender = Sender::new(ChainLimits { messages_max, ..FEW });
        let mut inbox = Inbox::new();
        for (index, message) in messages.iter().enumerate() {
            let total = message.iter().map(|part| part.len() as u64).sum();
            let mut head = Some(Head { kind: Kind::Text, total_bytes: Some(total) });
            let mut received = Vec::new();
            for (at, part) in message.iter().enumerate() {
                let last = at + 1 == message.len();
                let sealed = sender.seal(head.take(), part, last);
                let piece = open(&mut inbox, &sealed).ok().unwrap();
                prop_assert_eq!(piece.offset, received.len() as u64);
                prop_assert_eq!((piece.number, piece.last), (index as u64 + 1, last));
                received.extend_from_slice(piece.body.expose());
            }
            prop_assert_eq!(received, message.concat());
        }
    }

    #[test]
    fn whatever_state_is_read_can_be_written_and_read_again(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), magic in any::<bool>(),
    ) {
        let magic = if magic { b"QKDI\x01" } else { b"QKDO\x01" };
        let state = seal_state(magic, bytes.len(), |out| out.extend(&bytes));
        if let Ok(inbox) = Inbox::from_state(state.expose()) {
            // A name is made harmless when it is read, so the second form is the lasting one.
            let again = Inbox::from_state(inbox.state().expose()).ok().unwrap();
            let (once, twice) = (inbox.state(), again.state());
            prop_assert_eq!(once.expose(), twice.expose());
        }
        if let Ok(outbox) = Outbox::from_state(state.expose(), FEW) {
            prop_assert!(outbox.state().len() <= state.len());
        }
    }
}
