//! Two ends of a channel with somebody hostile in between.

// The helpers of a test may fail it; clippy excuses test functions only.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use qkd_auth::{
    Authentication, Channel, Envelope, Error, Handshake, PreSharedKey, RefreshId, Reject,
    RejectCounters, Role,
};
use qkd_bits::{SecretBytes, SecretRng};

/// Runs a test with channels of each kind; what it is given makes both ends of one from a seed.
fn with_each(test: impl Fn(&dyn Fn(u8) -> (Channel, Channel))) {
    for authentication in Authentication::ALL {
        println!("{authentication}");
        test(&|seed| pair(authentication, seed));
    }
}

fn pair(authentication: Authentication, seed: u8) -> (Channel, Channel) {
    let psk = PreSharedKey::new(vec![7; 32].into()).unwrap();
    let mut rng = SecretRng::from_seed([seed; 32]);
    let mut start =
        |role| Handshake::start(role, &psk, authentication, Vec::new(), &mut rng).unwrap();
    let ((alice, a), (bob, b)) = (start(Role::Alice), start(Role::Bob));
    let (alice, proof_a) = alice.receive_opening(b).unwrap();
    let (bob, proof_b) = bob.receive_opening(a).unwrap();
    (
        alice.receive_proof(&proof_b).unwrap(),
        bob.receive_proof(&proof_a).unwrap(),
    )
}

/// Every way to alter one envelope: each field, each bit of the tag, each length.
fn alterations(genuine: &Envelope) -> Vec<(String, Envelope)> {
    let mut altered = Vec::new();
    let mut add = |what: String, alter: &dyn Fn(&mut Envelope)| {
        let mut envelope = genuine.clone();
        alter(&mut envelope);
        assert_ne!(&envelope, genuine, "{what} alters nothing");
        altered.push((what, envelope));
    };
    for bit in 0..32 {
        add(format!("epoch bit {bit}"), &|e| e.epoch ^= 1 << bit);
    }
    for bit in 0..64 {
        add(format!("sequence bit {bit}"), &|e| e.sequence ^= 1 << bit);
    }
    for bit in 0..256 {
        add(format!("tag bit {bit}"), &|e| {
            e.tag[bit / 8] ^= 1 << (bit % 8)
        });
    }
    for bit in 0..genuine.payload.len() * 8 {
        add(format!("payload bit {bit}"), &|e| {
            e.payload[bit / 8] ^= 1 << (bit % 8);
        });
    }
    for bytes in 0..genuine.payload.len() {
        add(format!("payload cut to {bytes}"), &|e| {
            e.payload.truncate(bytes);
        });
    }
    let to_whole_block = 16 - genuine.payload.len() % 16;
    for zeros in [1, to_whole_block, 16, 64] {
        add(format!("payload extended by {zeros} zeros"), &|e| {
            e.payload.extend(vec![0; zeros]);
        });
    }
    let blocks = genuine.payload.len() / 16;
    for (first, second) in (1..blocks).map(|second| (second - 1, second)) {
        add(format!("blocks {first} and {second} exchanged"), &|e| {
            let (blocks, _) = e.payload.as_chunks_mut::<16>();
            blocks.swap(first, second);
        });
    }
    add("tag zero".into(), &|e| e.tag = [0; 32]);
    altered
}

#[test]
fn every_alteration_is_rejected_and_the_genuine_envelope_is_accepted_next() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let ends_in_zeros = [&[7; 21][..], &[0; 19]].concat();
        let of_blocks: Vec<u8> = (0..160).collect();
        for payload in [b"first".to_vec(), ends_in_zeros, of_blocks] {
            let genuine = alice.seal(payload.clone()).unwrap();
            let altered = alterations(&genuine);
            let before = bob.counters().total();
            for (what, envelope) in &altered {
                let reject = bob.open(envelope.clone()).unwrap_err();
                let expected = if envelope.epoch == genuine.epoch {
                    Reject::WrongTag
                } else {
                    Reject::WrongEpoch
                };
                assert_eq!(reject, expected, "{what}");
            }
            assert_eq!(bob.counters().total() - before, altered.len() as u64);
            assert_eq!(bob.open(genuine), Ok(payload));
        }
    });
}

#[test]
fn a_tag_of_any_other_length_is_rejected() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let genuine = alice.seal(b"payload".to_vec()).unwrap();
        let long = [&genuine.tag[..], &[0]].concat();
        for tag in (0..32)
            .map(|bytes| &genuine.tag[..bytes])
            .chain([&long[..]])
        {
            assert_eq!(
                bob.open_parts(0, 0, genuine.payload.clone(), tag),
                Err(Reject::TagLength)
            );
        }
        assert_eq!(bob.counters().tag_length, 33);
        let opened = bob.open_parts(0, 0, genuine.payload.clone(), &genuine.tag);
        assert_eq!(opened, Ok(genuine.payload));
    });
}

#[test]
fn replayed_reordered_and_reflected_envelopes_are_rejected() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let first = alice.seal(vec![1]).unwrap();
        let second = alice.seal(vec![2]).unwrap();
        assert_eq!(bob.open(second.clone()), Err(Reject::Gap));
        assert_eq!(bob.open(first.clone()), Ok(vec![1]));
        assert_eq!(bob.open(first.clone()), Err(Reject::Replay));
        assert_eq!(bob.open(second), Ok(vec![2]));
        assert_eq!(bob.open(first.clone()), Err(Reject::Replay));
        assert_eq!(alice.open(first), Err(Reject::Reflection));
        assert_eq!(
            bob.counters(),
            RejectCounters {
                gap: 1,
                replay: 2,
                ..RejectCounters::default()
            }
        );
        let answer = bob.seal(vec![3]).unwrap();
        assert_eq!(alice.open(answer), Ok(vec![3]));
        assert_eq!(alice.counters().reflection, 1);
    });
}

#[test]
fn an_envelope_of_another_session_is_rejected() {
    with_each(|pair| {
        let (mut alice, _) = pair(1);
        let (mut later, mut bob) = pair(2);
        let old = alice.seal(b"genuine once".to_vec()).unwrap();
        assert_eq!(bob.open(old), Err(Reject::WrongTag));
        assert!(bob.open(later.seal(vec![1]).unwrap()).is_ok());
    });
}

#[test]
fn a_direction_of_its_own_makes_equal_envelopes_differ() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let (a, b) = (alice.seal(vec![1]).unwrap(), bob.seal(vec![1]).unwrap());
        assert_eq!((a.epoch, a.sequence), (b.epoch, b.sequence));
        assert_ne!(a.tag, b.tag);
    });
}

/// A payload and its tag, taken from one place of the conversation to another one.
#[test]
fn what_was_sealed_fits_no_other_sequence_number_direction_or_epoch() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let mut genuine = Vec::new();
        for epoch in 0..2 {
            for payload in [vec![1; 40], vec![2; 40]] {
                let sealed = alice.seal(payload.clone()).unwrap();
                genuine.push(sealed.clone());
                assert_eq!(bob.open(sealed), Ok(payload.clone()));
                let sealed = bob.seal(payload.clone()).unwrap();
                genuine.push(sealed.clone());
                assert_eq!(alice.open(sealed), Ok(payload));
            }
            refresh(&mut alice, &mut bob, epoch + 1, 9);
        }
        for envelope in &genuine {
            for end in [&mut alice, &mut bob] {
                let (payload, tag) = (envelope.payload.clone(), &envelope.tag);
                let moved = end.open_parts(2, envelope.sequence, payload, tag);
                assert_eq!(moved, Err(Reject::WrongTag));
            }
        }
        let (first, second) = (
            alice.seal(vec![3; 40]).unwrap(),
            alice.seal(vec![4; 40]).unwrap(),
        );
        let moved = bob.open_parts(2, 0, second.payload.clone(), &second.tag);
        assert_eq!(moved, Err(Reject::WrongTag), "another sequence number");
        let moved = bob.open_parts(2, 0, second.payload.clone(), &first.tag);
        assert_eq!(moved, Err(Reject::WrongTag), "payloads exchanged");
        assert_eq!(
            alice.open_parts(2, 1, first.payload.clone(), &first.tag),
            Err(Reject::WrongTag)
        );
        assert!(bob.open(first).is_ok() && bob.open(second).is_ok());
    });
}

#[test]
fn ends_that_tag_in_different_ways_reject_each_other() {
    let [hmac, polyval] = Authentication::ALL;
    let (mut alice, mut alices_bob) = pair(hmac, 1);
    let (mut other_alice, mut bob) = pair(polyval, 1);
    let (sealed, other) = (
        alice.seal(vec![1]).unwrap(),
        other_alice.seal(vec![1]).unwrap(),
    );
    assert_eq!(bob.open(sealed), Err(Reject::WrongTag));
    assert_eq!(alices_bob.open(other), Err(Reject::WrongTag));
}

fn block(number: u64) -> RefreshId {
    RefreshId {
        session: 4,
        block: number,
    }
}

fn distilled(byte: u8) -> SecretBytes {
    vec![byte; 32].into()
}

#[test]
fn each_direction_switches_on_its_own_while_envelopes_are_in_flight() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let rekey = alice.stage(block(1), distilled(9)).unwrap();
        // Bob has envelopes in flight when Alice announces and switches.
        let in_flight = [bob.seal(vec![1]).unwrap(), bob.seal(vec![2]).unwrap()];
        let last = alice.seal(b"rekey".to_vec()).unwrap();
        alice.switch_sending().unwrap();
        let fresh = alice.seal(b"epoch 1".to_vec()).unwrap();
        assert_eq!((last.epoch, fresh.epoch, fresh.sequence), (0, 1, 0));

        assert!(bob.open(last.clone()).is_ok());
        assert_eq!(
            bob.open(fresh.clone()),
            Err(Reject::WrongEpoch),
            "the new epoch begins when Bob has acted on the announcement"
        );
        assert_eq!(bob.stage(block(1), distilled(9)), Ok(rekey));
        bob.switch_receiving(&rekey).unwrap();
        assert_eq!(bob.open(fresh), Ok(b"epoch 1".to_vec()));
        assert_eq!(bob.open(last), Err(Reject::WrongEpoch), "old epoch");

        // Bob's direction is still of the old epoch, and his envelopes arrive.
        for (payload, envelope) in [1, 2].into_iter().zip(in_flight.clone()) {
            assert_eq!(alice.open(envelope), Ok(vec![payload]));
        }
        let answer = bob.seal(b"rekey too".to_vec()).unwrap();
        bob.switch_sending().unwrap();
        assert!(alice.open(answer).is_ok());
        alice.switch_receiving(&rekey).unwrap();
        assert_eq!(alice.open(bob.seal(vec![3]).unwrap()), Ok(vec![3]));
        let [old, _] = in_flight;
        assert_eq!(alice.open(old), Err(Reject::WrongEpoch));
        assert_eq!((alice.staged(), bob.staged()), (None, None));
    });
}

/// Stages equal bits on both ends and switches both directions.
fn refresh(alice: &mut Channel, bob: &mut Channel, number: u64, byte: u8) {
    let rekey = alice.stage(block(number), distilled(byte)).unwrap();
    assert_eq!(bob.stage(block(number), distilled(byte)), Ok(rekey));
    alice.switch_sending().unwrap();
    bob.switch_receiving(&rekey).unwrap();
    bob.switch_sending().unwrap();
    alice.switch_receiving(&rekey).unwrap();
}

#[test]
fn refreshes_follow_each_other_and_mix_into_the_old_root() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let (mut other_alice, mut other_bob) = pair(2);
        for number in 1..5 {
            refresh(&mut alice, &mut bob, number, 9);
            refresh(&mut other_alice, &mut other_bob, number, 9);
            assert_eq!(alice.sending_epoch(), number as u32);
            assert_eq!(bob.open(alice.seal(vec![1]).unwrap()), Ok(vec![1]));
            assert_eq!(alice.open(bob.seal(vec![2]).unwrap()), Ok(vec![2]));
            // The same distilled bits in another channel do not give its keys: the old root counts.
            assert_eq!(
                bob.open(other_alice.seal(vec![1]).unwrap()),
                Err(Reject::WrongTag)
            );
        }
    });
}

#[test]
fn ends_that_staged_different_bits_notice_before_they_switch() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        let rekey = alice.stage(block(1), distilled(1)).unwrap();
        bob.stage(block(1), distilled(2)).unwrap();
        assert_eq!(bob.switch_receiving(&rekey), Err(Error::RekeyMismatch));
        assert_eq!(bob.receiving_epoch(), 0);
        bob.unstage().unwrap();
        bob.stage(block(2), distilled(1)).unwrap();
        assert_eq!(bob.switch_receiving(&rekey), Err(Error::RekeyMismatch));
        assert_eq!(bob.open(alice.seal(vec![1]).unwrap()), Ok(vec![1]));
    });
}

#[test]
fn a_refresh_out_of_turn_is_refused() {
    with_each(|pair| {
        let (mut alice, mut bob) = pair(1);
        assert_eq!(alice.switch_sending(), Err(Error::NothingStaged));
        let short = alice.stage(block(1), vec![0; 31].into());
        assert_eq!(short, Err(Error::RefreshTooShort { bytes: 31, min: 32 }));
        let rekey = alice.stage(block(1), distilled(1)).unwrap();
        assert_eq!(bob.switch_receiving(&rekey), Err(Error::NothingStaged));
        assert_eq!(
            alice.stage(block(2), distilled(1)),
            Err(Error::RefreshPending)
        );
        alice.switch_sending().unwrap();
        assert_eq!(alice.switch_sending(), Err(Error::NothingStaged));
        assert_eq!(alice.unstage(), Err(Error::RefreshPending));
        assert_eq!(
            alice.stage(block(2), distilled(1)),
            Err(Error::RefreshPending)
        );
    });
}

proptest! {
    #[test]
    fn arbitrary_envelopes_are_rejected_and_change_nothing(
        epoch in 0u32..3, sequence in 0u64..3,
        payload in proptest::collection::vec(any::<u8>(), 0..64),
        tag in proptest::collection::vec(any::<u8>(), 0..40),
        is_hashed: bool,
    ) {
        let (mut alice, mut bob) = pair(Authentication::ALL[usize::from(is_hashed)], 1);
        prop_assert!(bob.open_parts(epoch, sequence, payload, &tag).is_err());
        prop_assert_eq!(bob.counters().total(), 1);
        prop_assert_eq!(bob.open(alice.seal(vec![1]).unwrap()), Ok(vec![1]));
    }
}
