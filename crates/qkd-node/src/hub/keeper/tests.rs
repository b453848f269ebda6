//! The store's thread, task by task.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use qkd_bits::SecretRng;
use qkd_keystore::{MemoryStorage, SaeId, Side, StoreLimits};
use tokio::sync::watch;

use super::*;

fn keeper() -> Keeper {
    let rng = SecretRng::from_seed([1; 32]);
    let storage = Box::new(MemoryStorage::new());
    let key = vec![1; 32].into();
    let store = KeyStore::open(Side::Alice, storage, key, rng, StoreLimits::default()).unwrap();
    let seen = Seen {
        status: Mutex::new(store.status()),
        changes: watch::Sender::new(()),
        to_masters: AtomicU64::new(0),
        to_slaves: AtomicU64::new(0),
    };
    let room: RoomCheck = Box::new(|| true);
    Keeper::new(store, room, StatusBoard::default(), Arc::new(seen))
}

#[test]
fn whoever_has_gone_away_before_the_store_looks_asks_for_nothing() {
    let mut keeper = keeper();
    for is_gone in [true, false] {
        let (answer, asked) = oneshot::channel();
        let (fetched, asked_too) = oneshot::channel();
        let receivers = (!is_gone).then_some((asked, asked_too));
        let name = SaeId::new("sae").unwrap();
        keeper.take(Task::Request {
            request: KeyRequest {
                number: 1,
                size_bits: 64,
                master: name.clone(),
                slaves: vec![name.clone()],
            },
            answer,
        });
        keeper.take(Task::Fetch {
            fetch: KeyFetch {
                caller: name,
                master: None,
                key_ids: Vec::new(),
            },
            answer: fetched,
        });
        assert_eq!(keeper.waiting.len(), if is_gone { 0 } else { 2 });
        drop(receivers);
    }
}

#[test]
fn whoever_goes_away_while_the_peer_is_asked_is_waited_for_no_longer() {
    let mut keeper = keeper();
    let (stays, _asked) = oneshot::channel();
    let (goes, asked) = oneshot::channel();
    let staying = keeper.ticket(Waiting::Master(stays));
    keeper.ticket(Waiting::Master(goes));
    drop(asked);
    keeper.look_for_who_has_gone();
    assert_eq!(
        keeper.waiting.keys().copied().collect::<Vec<_>>(),
        [staying]
    );
}

#[test]
fn only_the_run_that_writes_down_the_next_ones_waits_for_the_disk() {
    let mut keeper = keeper();
    let budget = SecurityParameters {
        secrecy: 1e-10,
        correctness: 1e-15,
    };
    let mut waited = 0;
    for _ in 0..128 {
        let (done, witness) = sync_channel(1);
        keeper.take(Task::Begun { budget, done });
        if witness.try_recv().is_err() {
            waited += 1;
            keeper.commit();
            assert!(witness.try_recv().is_ok());
        }
    }
    assert_eq!(waited, 2);
    assert_eq!(keeper.store.status().spent.runs, 128);
}
