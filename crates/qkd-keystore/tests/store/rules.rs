//! What each side may do, and what it gets when it does something else.

use qkd_bits::{BitString, SecretBits};
use qkd_keystore::{
    Alarm, Assignment, DiscardReason, Error, Input, KeyId, KeyRange, Output, RequestError, Side,
    StoreLimits, StoreMessage,
};

use crate::world::{World, block, fetch, key_of, request, sae};

/// A connected world with one committed block of `bits`.
fn world(bits: usize) -> World {
    let mut world = World::connected();
    world.commit_block(1, bits);
    world
}

fn message(world: &mut World, to: Side, message: StoreMessage) -> Result<Vec<Output>, Error> {
    world.node(to).store.handle(Input::Message(message))
}

#[test]
fn each_half_of_a_block_serves_one_direction() {
    let mut world = world(1024);
    let material = key_of(1, 1024).to_secret_bytes();
    for side in [Side::Alice, Side::Bob] {
        assert_eq!(world.status(side).available_bits, 512);
        assert_eq!(world.status(side).stored_key_count, 2);
    }
    let of_alice = world.ask(Side::Alice, request(2, 128)).unwrap();
    let of_bob = world.ask(Side::Bob, request(1, 256)).unwrap();
    let at_bob = world.fetch(Side::Bob, "slave", &of_alice).unwrap();
    let at_alice = world.fetch(Side::Alice, "slave", &of_bob).unwrap();
    assert_eq!(at_bob.concat(), material.expose()[..32]);
    assert_eq!(at_alice.concat(), material.expose()[64..96]);
}

#[test]
fn a_key_may_span_blocks() {
    let mut world = world(192);
    world.commit_block(2, 192);
    let ids = world.ask(Side::Alice, request(1, 160)).unwrap();
    let key = world.fetch(Side::Bob, "slave", &ids).unwrap().remove(0);
    let [first, second] = [1, 2].map(|number| key_of(number, 192).to_secret_bytes());
    assert_eq!(key[..12], first.expose()[..12]);
    assert_eq!(key[12..], second.expose()[..8]);
}

#[test]
fn a_block_is_committed_in_whichever_order_both_sides_finish() {
    for sides in [[Side::Alice, Side::Bob], [Side::Bob, Side::Alice]] {
        let mut world = World::connected();
        for side in sides {
            assert_eq!(world.status(Side::Alice).committed_blocks, 0);
            world.distil(side, 7, 512);
            world.settle();
        }
        for side in sides {
            assert!(world.node(side).committed.contains(&block(7)), "{side}");
        }
    }
}

#[test]
fn unequal_check_values_discard_the_block_on_both_sides_with_an_alarm() {
    let mut world = World::connected();
    for (side, check) in [(Side::Bob, [1; 8]), (Side::Alice, [2; 8])] {
        let key = key_of(1, 512);
        let block = block(1);
        world.input(side, Input::Distilled { block, key, check });
        world.settle();
    }
    for side in [Side::Alice, Side::Bob] {
        let node = world.node(side);
        assert!(node.discarded.contains(&block(1)));
        assert_eq!(node.alarms, [Alarm::CheckMismatch { block: block(1) }]);
        assert_eq!(world.status(side).available_bits, 0);
        assert_eq!(world.status(side).undecided_blocks, 0);
    }
}

#[test]
fn blocks_without_a_byte_for_each_side_and_blocks_without_room_are_discarded() {
    let mut world = World::connected();
    world.commit_block(1, 15);
    assert!(world.node(Side::Alice).discarded.contains(&block(1)));
    assert!(world.node(Side::Bob).discarded.contains(&block(1)));

    let mut world = World::new(StoreLimits {
        material_bytes_max: 100,
        ..StoreLimits::default()
    });
    world.connect();
    world.settle();
    world.commit_block(1, 800);
    world.commit_block(2, 16);
    for side in [Side::Alice, Side::Bob] {
        assert!(world.node(side).committed.contains(&block(1)));
        assert!(world.node(side).discarded.contains(&block(2)));
    }
}

#[test]
fn a_block_handed_in_twice_is_refused() {
    let mut world = world(512);
    world.distil(Side::Bob, 2, 512);
    for (side, number) in [(Side::Alice, 1), (Side::Bob, 1), (Side::Bob, 2)] {
        let again = Input::Distilled {
            block: block(number),
            key: SecretBits::from(BitString::zeros(512)),
            check: [0; 8],
        };
        let result = world.node(side).store.handle(again);
        assert_eq!(
            result.err(),
            Some(Error::DuplicateBlock {
                block: block(number)
            })
        );
    }
}

#[test]
fn bad_requests_are_answered_with_what_is_wrong() {
    let mut world = world(1024);
    let check = |world: &mut World, request, error| {
        assert_eq!(world.ask(Side::Alice, request), Err(error));
    };
    let number = |number| RequestError::BadNumber { number, max: 128 };
    check(&mut world, request(0, 256), number(0));
    check(&mut world, request(129, 256), number(129));
    let size_bits = 257;
    check(
        &mut world,
        request(1, size_bits),
        RequestError::SizeNotBytes { size_bits },
    );
    for size_bits in [0, 56, 8200] {
        let error = RequestError::BadSize {
            size_bits,
            min_bits: 64,
            max_bits: 8192,
        };
        check(&mut world, request(1, size_bits), error);
    }
    for slaves in [vec![], vec![sae("a"); 17]] {
        let error = RequestError::BadSlaves {
            number: slaves.len() as u32,
            max: 16,
        };
        let mut request = request(1, 256);
        request.slaves = slaves;
        check(&mut world, request, error);
    }
    check(
        &mut world,
        request(3, 256),
        RequestError::TooFewKeys {
            available: 2,
            wanted: 3,
        },
    );
    world.disconnect();
    check(&mut world, request(1, 256), RequestError::PeerUnavailable);
    assert_eq!(world.status(Side::Alice).available_bits, 512, "none burnt");
}

#[test]
fn a_refused_fetch_burns_nothing_and_a_good_one_succeeds_once() {
    let mut world = world(2048);
    let ids = world.ask(Side::Alice, request(2, 256)).unwrap();
    let unknown: KeyId = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let refused = [
        ("slave", vec![ids[0], ids[0]], RequestError::DuplicateKeyId),
        ("slave", vec![ids[0], unknown], RequestError::NotFound),
        (
            "slave",
            vec![],
            RequestError::BadNumber {
                number: 0,
                max: 128,
            },
        ),
        (
            "slave",
            vec![ids[0]; 129],
            RequestError::BadNumber {
                number: 129,
                max: 128,
            },
        ),
        (
            "master",
            ids.clone(),
            RequestError::NotNamedAsSlave {
                caller: sae("master"),
            },
        ),
    ];
    for (caller, asked, error) in refused {
        assert_eq!(world.fetch(Side::Bob, caller, &asked), Err(error));
    }
    let mut of_another = fetch("slave", &ids);
    of_another.master = Some(sae("other"));
    let other_master = world.node(Side::Bob).store.fetch(&of_another);
    assert_eq!(other_master.err(), Some(RequestError::NotFound));
    // The owner delivered them already and has them no more.
    assert_eq!(
        world.fetch(Side::Alice, "slave", &ids),
        Err(RequestError::NotFound)
    );

    assert_eq!(world.fetch(Side::Bob, "slave", &ids).unwrap().len(), 2);
    for id in &ids {
        let again = world.fetch(Side::Bob, "slave", &[*id]);
        assert_eq!(again, Err(RequestError::NotFound));
    }
    world.crash(Side::Bob);
    let after_restart = world.fetch(Side::Bob, "slave", &ids[..1]);
    assert_eq!(after_restart, Err(RequestError::NotFound));
}

#[test]
fn keys_answered_before_a_restart_of_both_sides_can_be_fetched_after_it() {
    let mut world = world(1024);
    let ids = world.ask(Side::Bob, request(1, 512)).unwrap();
    world.crash(Side::Alice);
    world.crash(Side::Bob);
    assert_eq!(world.fetch(Side::Alice, "slave", &ids).unwrap().len(), 1);
}

#[test]
fn an_assignment_cut_off_by_the_link_is_void_on_both_sides() {
    // The link breaks before the peer heard of it, and after.
    for heard in [false, true] {
        let mut world = world(1024);
        let ticket = world.request(Side::Alice, request(1, 256));
        let StoreMessage::Assign(assignment) = world.queues[1][0].clone() else {
            panic!("an assignment is in flight");
        };
        let ids = [assignment.keys[0].key_id];
        if heard {
            world.deliver_message(Side::Bob);
            assert_eq!(world.status(Side::Bob).assigned_count, 1);
        }
        world.disconnect();
        assert_eq!(
            world.node(Side::Alice).answers[&ticket],
            Err(RequestError::PeerUnavailable)
        );
        world.connect();
        world.settle();
        assert_eq!(
            world.fetch(Side::Bob, "slave", &ids),
            Err(RequestError::NotFound)
        );
        assert_eq!(world.status(Side::Alice).available_bits, 256);
        assert_eq!(world.status(Side::Bob).peer_available_bits, 256);
        world.check_healed();
    }
}

#[test]
fn assignments_of_bits_that_are_not_the_owners_or_not_fresh_are_refused() {
    let mut world = world(1024);
    world.ask(Side::Alice, request(1, 256)).unwrap();
    world.request(Side::Alice, request(2, 64));
    let Some(StoreMessage::Assign(genuine)) = world.queues[1].pop_front() else {
        panic!("an assignment is in flight");
    };
    let before = world.node(Side::Bob).disk.snapshot();
    let alterations: [fn(&mut Assignment); 12] = [
        |a| a.id = 1,
        |a| a.id = 0,
        |a| a.keys.clear(),
        |a| a.slaves.clear(),
        |a| a.slaves.push(a.slaves[0].clone()),
        |a| a.keys[0].ranges.clear(),
        |a| a.keys[1].key_id = a.keys[0].key_id,
        |a| a.keys[0].ranges[0].offset = 0,
        |a| a.keys[1].ranges[0].offset -= 1,
        |a| a.keys[0].ranges[0].offset = 64,
        |a| a.keys[0].ranges[0].offset = u32::MAX,
        |a| a.keys[0].ranges[0].block = block(9),
    ];
    for (index, alter) in alterations.into_iter().enumerate() {
        let mut altered = genuine.clone();
        alter(&mut altered);
        let id = altered.id;
        let outputs = message(&mut world, Side::Bob, StoreMessage::Assign(altered)).unwrap();
        let [Output::Send(StoreMessage::AssignRefused { id: refused, .. })] = &outputs[..] else {
            panic!("alteration {index} was not refused");
        };
        assert_eq!(*refused, id);
        assert!(world.node(Side::Bob).disk.snapshot() == before);
    }
    let foreign = Assignment {
        id: 99,
        keys: vec![qkd_keystore::AssignedKey {
            key_id: genuine.keys[0].key_id,
            ranges: vec![KeyRange {
                block: block(1),
                offset: 64,
                bytes: 8,
            }],
        }],
        ..genuine.clone()
    };
    let result = message(&mut world, Side::Bob, StoreMessage::Void(foreign));
    assert!(matches!(result, Err(Error::PeerMisbehaved { .. })));
    assert!(world.node(Side::Bob).disk.snapshot() == before);
    world.input(Side::Bob, Input::Message(StoreMessage::Assign(genuine)));
    assert_eq!(world.status(Side::Bob).assigned_count, 3);
}

#[test]
fn a_refusing_peer_is_named_and_the_bits_are_burnt() {
    let mut world = World::new(StoreLimits {
        key_count_max: 1,
        ..StoreLimits::default()
    });
    world.connect();
    world.settle();
    world.commit_block(1, 1024);
    let error = world.ask(Side::Alice, request(2, 64)).unwrap_err();
    let RequestError::PeerRefused { reason } = error else {
        panic!("{error}");
    };
    assert_eq!(reason, "too many keys wait to be fetched");
    world.check_healed();
    assert_eq!(world.status(Side::Bob).peer_available_bits, 512 - 128);
}

#[test]
fn messages_out_of_turn_are_the_peers_fault_and_change_nothing() {
    let misbehaved = |result: Result<Vec<Output>, Error>| match result {
        Err(Error::PeerMisbehaved { .. }) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was accepted"),
    };
    let mut world = World::new(StoreLimits::default());
    let prepared = StoreMessage::Prepared {
        block: block(2),
        check: [0; 8],
    };
    let result = message(&mut world, Side::Alice, prepared.clone());
    assert!(matches!(result, Err(Error::Link(_))));
    world.connect();
    assert!(
        world
            .node(Side::Alice)
            .store
            .handle(Input::Connected)
            .is_err()
    );
    misbehaved(message(&mut world, Side::Alice, prepared.clone()));
    let resume = world.queues[0][0].clone();
    world.settle();
    misbehaved(message(&mut world, Side::Alice, resume));
    world.commit_block(1, 512);
    let reason = DiscardReason::Interrupted;
    let commit = StoreMessage::Commit {
        spent: Default::default(),
        block: block(2),
        index: 2,
        chain: [0; 32],
    };
    let commit_again = StoreMessage::Commit {
        spent: Default::default(),
        block: block(1),
        index: 1,
        chain: [0; 32],
    };
    for (to, out_of_turn) in [
        (Side::Bob, prepared),
        (Side::Alice, commit),
        // Said once more, it contradicts nothing, and seals no store.
        (Side::Bob, commit_again),
        (Side::Alice, StoreMessage::AssignAccepted { id: 1 }),
        (Side::Bob, StoreMessage::VoidAccepted { id: 1 }),
        (
            Side::Bob,
            StoreMessage::AssignRefused {
                id: 1,
                reason: String::new(),
            },
        ),
        (
            Side::Bob,
            StoreMessage::Committed {
                block: block(1),
                index: 1,
            },
        ),
        (
            Side::Alice,
            StoreMessage::Committed {
                block: block(1),
                index: 2,
            },
        ),
        (
            Side::Alice,
            StoreMessage::Prepared {
                block: block(1),
                check: [0; 8],
            },
        ),
        (
            Side::Bob,
            StoreMessage::Discard {
                block: block(1),
                reason,
            },
        ),
    ] {
        let before = world.node(to).disk.snapshot();
        misbehaved(message(&mut world, to, out_of_turn));
        assert!(world.node(to).disk.snapshot() == before);
    }
    world.check_healed();
}

#[test]
fn an_exhausted_block_leaves_nothing_on_either_disk() {
    let mut world = world(512);
    for side in [Side::Alice, Side::Bob] {
        let ids = world.ask(side, request(1, 256)).unwrap();
        assert!(world.fetch(side.peer(), "slave", &ids).is_ok());
    }
    for side in [Side::Alice, Side::Bob] {
        let snapshot = world.node(side).disk.snapshot();
        let kinds: String = snapshot
            .records()
            .keys()
            .map(|key| key[0] as char)
            .collect();
        let expected = match side {
            Side::Alice => "cil",
            Side::Bob => "il",
        };
        assert_eq!(kinds, expected, "{side}: chain, identity and ledger only");
        assert_eq!(world.status(side).committed_blocks, 0);
    }
    world.check_healed();
}

#[test]
fn no_key_byte_reaches_a_disk_unwrapped() {
    let mut world = world(4096);
    world.distil(Side::Bob, 2, 4096);
    world.ask(Side::Alice, request(3, 256)).unwrap();
    for number in [1, 2] {
        let key = key_of(number, 4096).to_secret_bytes();
        for side in [Side::Alice, Side::Bob] {
            let snapshot = world.node(side).disk.snapshot();
            for value in snapshot.records().values() {
                for window in value.windows(6) {
                    let found = key.expose().windows(6).any(|bytes| bytes == window);
                    assert!(!found, "{side} stores bytes of block {number} in the clear");
                }
            }
        }
    }
}
