//! Two hubs, each with its thread and its file, and a link that carries their messages.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Barrier;
use std::time::Instant;

use qkd_bits::SecretRng;
use qkd_keystore::{KeyId, SaeId, Side, StoreLimits};

use super::*;
use crate::link::test_link;
use crate::storage::RedbStorage;

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

fn hub(folder: &Path, side: Side) -> Arc<KeyHub> {
    let storage = RedbStorage::open(&folder.join(format!("{side}.redb"))).unwrap();
    let rng = SecretRng::from_seed([side as u8; 32]);
    let limits = StoreLimits::default();
    let key = vec![1; 32].into();
    let store = KeyStore::open(side, Box::new(storage), key, rng, limits).unwrap();
    let room: RoomCheck = Box::new(|| true);
    Arc::new(KeyHub::new(store, u64::MAX, room, StatusBoard::default()).unwrap())
}

/// Two hubs that agree, with `bits` of key.
fn pair(folder: &Path, bits: usize) -> [Arc<KeyHub>; 2] {
    let hubs = [hub(folder, Side::Alice), hub(folder, Side::Bob)];
    test_link(&hubs[0], &hubs[1]);
    // A block that one side has before both have agreed comes to nothing.
    wait_for(&hubs, |status| status.peer_ready);
    for (number, first) in (0..bits).step_by(1 << 20).enumerate() {
        let block = BlockId {
            session: 1,
            block: number as u64,
        };
        let bits = (bits - first).min(1 << 20);
        for hub in &hubs {
            let key = SecretRng::from_seed([number as u8; 32]).public_bits(bits);
            hub.distilled(block, key.into(), [number as u8; 8]);
        }
    }
    wait_for(&hubs, |status| {
        status.available_bits as usize >= bits / 2 - 64
    });
    hubs
}

fn wait_for(hubs: &[Arc<KeyHub>; 2], is_so: impl Fn(&StoreStatus) -> bool) {
    let began = Instant::now();
    for hub in hubs {
        while !is_so(&hub.status()) {
            assert!(began.elapsed().as_secs() < 20, "{:?}", hub.status());
            std::thread::yield_now();
        }
    }
}

fn request(number: u32) -> KeyRequest {
    KeyRequest {
        number,
        size_bits: 64,
        master: sae("master"),
        slaves: vec![sae("slave")],
    }
}

fn fetch(key_ids: &[KeyId]) -> FetchRequest {
    FetchRequest {
        caller: sae("slave"),
        master: sae("master"),
        key_ids: key_ids.to_vec(),
    }
}

#[test]
fn a_key_leaves_each_side_once_however_many_ask_for_it_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob] = pair(folder.path(), 1 << 20);
    let ids: Vec<KeyId> = (0..40)
        .flat_map(|_| {
            alice
                .request(request(128))
                .blocking_recv()
                .unwrap()
                .unwrap()
        })
        .map(|key| key.key_id)
        .collect();
    let threads = 4;
    let start = Barrier::new(threads);
    // Every thread asks for every key, all at the same time: 20,480 races.
    let fetched: Vec<KeyId> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let asked: Vec<_> = ids
                        .chunks(64)
                        .flat_map(|ids| {
                            let asked: Vec<_> =
                                ids.iter().map(|id| bob.fetch(fetch(&[*id]))).collect();
                            asked
                                .into_iter()
                                .map(|answer| answer.blocking_recv().unwrap())
                        })
                        .collect();
                    asked
                })
            })
            .collect();
        let answers = asking.into_iter().flat_map(|thread| thread.join().unwrap());
        answers
            .filter_map(|answer| match answer {
                Ok(keys) => Some(keys[0].key_id),
                Err(RequestError::NotFound) => None,
                Err(error) => panic!("{error}"),
            })
            .collect()
    });
    assert_eq!(fetched.len(), ids.len());
    assert_eq!(fetched.into_iter().collect::<HashSet<_>>().len(), ids.len());
    assert_eq!((alice.delivered().0, bob.delivered().1), (5120, 5120));
}

#[test]
fn both_sides_serve_many_at_once_and_their_keys_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let hubs = pair(folder.path(), 1 << 20);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let [owner, peer] = [&hubs[number % 2], &hubs[1 - number % 2]];
            scope.spawn(move || {
                for _ in 0..20 {
                    let given = owner.request(request(2)).blocking_recv().unwrap().unwrap();
                    let ids: Vec<KeyId> = given.iter().map(|key| key.key_id).collect();
                    let fetched = peer.fetch(fetch(&ids)).blocking_recv().unwrap().unwrap();
                    for (ours, theirs) in given.iter().zip(&fetched) {
                        assert_eq!(ours.key_id, theirs.key_id);
                        assert_eq!(ours.key.expose(), theirs.key.expose());
                    }
                }
            });
        }
    });
}

#[test]
fn what_waits_for_a_link_is_answered_when_it_ends_and_what_was_kept_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let [alice, bob] = pair(folder.path(), 4096);
    let given = alice.request(request(1)).blocking_recv().unwrap().unwrap();
    alice.disconnect();
    let answer = alice.request(request(1)).blocking_recv().unwrap();
    assert_eq!(answer.err(), Some(RequestError::PeerUnavailable));
    bob.disconnect();
    let weak = Arc::downgrade(&bob);
    drop(bob);
    // The link's thread may hold it for a moment, with the last message.
    while weak.strong_count() > 0 {
        std::thread::yield_now();
    }
    let bob = hub(folder.path(), Side::Bob);
    let fetched = bob
        .fetch(fetch(&[given[0].key_id]))
        .blocking_recv()
        .unwrap();
    assert_eq!(fetched.unwrap()[0].key.expose(), given[0].key.expose());
}

#[test]
fn light_is_wanted_until_there_are_keys_enough_in_sum_and_some_in_each_direction() {
    let folder = tempfile::tempdir().unwrap();
    let sound = hub(folder.path(), Side::Alice).status();
    let wants = |available_bits, peer_available_bits, has_room| {
        let status = StoreStatus {
            available_bits,
            peer_available_bits,
            has_room,
            ..sound.clone()
        };
        wants_light(&status, 800)
    };
    assert!(wants(700, 99, true) && wants(0, 0, true));
    // One direction is dry, though the other alone has more than enough.
    assert!(wants(5000, 99, true) && wants(99, 5000, true));
    assert!(!wants(700, 100, true) && !wants(100, 5000, true));
    assert!(!wants(0, 0, false));
}
