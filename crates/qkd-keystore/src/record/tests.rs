use super::*;
use crate::expiry::Clock;
use crate::id::Names;
use crate::material::Holder;
use crate::{AssignedKey, Assignment, KeyRange, SaeId};
use crate::{KeyStore, MemoryStorage, Snapshot, StoreLimits};
use qkd_bits::SecretRng;
use qkd_security::Spent;

/// Where the ledger's chain ends, and its sums begin.
const CHAIN_END: usize = 6 * 8 + 2 * 16 + 32;

const BLOCK: BlockId = BlockId {
    session: 1,
    block: 2,
};

fn vault() -> Vault {
    Vault::new(Side::Bob, &vec![1; 32].into()).unwrap()
}

fn assignment() -> AssignmentRecord {
    let mut rng = SecretRng::from_seed([3; 32]);
    let range = |offset| KeyRange {
        block: BLOCK,
        offset,
        bytes: 16,
    };
    let key = |rng: &mut SecretRng, ranges| AssignedKey {
        key_id: KeyId::random(rng),
        ranges,
    };
    AssignmentRecord {
        void: true,
        assignment: Assignment {
            id: 7,
            master: SaeId::new("master").unwrap(),
            slaves: vec![SaeId::new("één").unwrap(), SaeId::new("b").unwrap()],
            keys: vec![
                key(&mut rng, vec![range(0), range(32)]),
                key(&mut rng, vec![range(64)]),
            ],
        },
    }
}

#[test]
fn records_are_read_as_they_were_written_and_no_prefix_of_them_is() {
    let ledger = Ledger {
        boot_epoch: 1,
        boot_id: [2; 16],
        commits: 3,
        chain: [4; 32],
        spent_max: Spent {
            runs: 10,
            secrecy: 1e-9,
            correctness: 1e-14,
        },
        commits_uncounted: 2,
        last_assigned: 5,
        last_confirmed: 6,
        last_accepted: 7,
        peer_boot_epoch: 8,
        peer_boot_id: [9; 16],
        clock: Clock {
            store_s: 10,
            wall_s: 11,
        },
        history: 12,
        quarantine: "because".into(),
    };
    assert_eq!(
        Ledger::decode(FORMAT, &ledger.encode()),
        Some(ledger.clone())
    );
    // Format 1 had neither sums nor the number of those that are in none.
    let mut old = ledger.encode();
    old.drain(CHAIN_END..CHAIN_END + 7 * 8);
    let migrated = Ledger {
        spent_max: Spent::default(),
        commits_uncounted: 3,
        clock: Clock::default(),
        history: 0,
        ..ledger.clone()
    };
    assert_eq!(Ledger::decode(1, &old), Some(migrated));
    // Before format 6 there was one history, and before format 5 nobody wrote the time down.
    let mut old = ledger.encode();
    old.drain(CHAIN_END + 6 * 8..CHAIN_END + 7 * 8);
    let first = Ledger {
        history: 0,
        ..ledger
    };
    assert_eq!(Ledger::decode(5, &old), Some(first.clone()));
    old.drain(CHAIN_END + 4 * 8..CHAIN_END + 6 * 8);
    let timeless = Ledger {
        clock: Clock::default(),
        ..first
    };
    for format in [2, 3, 4] {
        assert_eq!(Ledger::decode(format, &old), Some(timeless.clone()));
    }
    let block = BlockRecord {
        check: [1; 8],
        index: 2,
        cursors: [3, 4],
        holders: [Holder::Other, Holder::Nobody],
    };
    let bytes = block.encode();
    assert_eq!(BlockRecord::decode(FORMAT, &bytes), Some(block));
    let as_cut = BlockRecord {
        holders: [Holder::First; 2],
        ..block
    };
    for format in [1, 2, 3] {
        assert_eq!(
            BlockRecord::decode(format, &bytes[..bytes.len() - 2]),
            Some(as_cut)
        );
        assert_eq!(BlockRecord::decode(format, &bytes), None);
    }
    let abandoned = AbandonedRecord {
        check: [1; 8],
        index: 2,
    };
    let bytes = abandoned.encode();
    assert_eq!(AbandonedRecord::decode(&bytes), Some(abandoned));
    assert_eq!(AbandonedRecord::decode(&bytes[1..]), None);
    let record = assignment();
    let bytes = record.encode();
    for cut in 0..bytes.len() {
        assert_eq!(AssignmentRecord::decode(&bytes[..cut]), None);
    }
    assert_eq!(AssignmentRecord::decode(&bytes), Some(record.clone()));
    let key = KeyRecord {
        assignment: 7,
        master: record.assignment.master,
        slaves: record.assignment.slaves,
        served: vec![SaeId::new("c").unwrap()],
        since_s: 1_800_000_000,
        ranges: record.assignment.keys[0].ranges.clone(),
    };
    let bytes = key.encode();
    for cut in 0..bytes.len() {
        assert_eq!(
            KeyRecord::decode(FORMAT, &bytes[..cut], &mut Names::default()),
            None
        );
    }
    assert_eq!(
        KeyRecord::decode(FORMAT, &bytes, &mut Names::default()),
        Some(key.clone())
    );
    // Before format 3 nobody wrote down since when a key waits, and only one slave got it.
    let old = &bytes[..bytes.len() - 8 - 4 - (4 + 1)];
    let undated = KeyRecord {
        served: Vec::new(),
        since_s: 0,
        ..key
    };
    for format in [1, 2] {
        assert_eq!(
            KeyRecord::decode(format, old, &mut Names::default()),
            Some(undated.clone())
        );
    }
}

#[test]
fn places_are_read_as_they_were_written() {
    let key_id = KeyId::random(&mut SecretRng::from_seed([1; 32]));
    for place in [
        Place::Identity,
        Place::Ledger,
        Place::Chain(1),
        Place::Material(BLOCK),
        Place::Block(BLOCK),
        Place::Abandoned(BLOCK),
        Place::Assignment(9),
        Place::Key(key_id),
    ] {
        assert_eq!(Place::from_bytes(&place.to_bytes()), Ok(place));
    }
    for bytes in [&b""[..], b"z", b"i0", b"c123", b"m12345678"] {
        assert!(Place::from_bytes(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_damaged_or_moved_record_is_found() {
    let vault = vault();
    let place = Place::Block(BLOCK);
    let Change::Put { value, .. } = place.put(&vault, b"content".to_vec()) else {
        panic!("a put puts");
    };
    assert_eq!(place.content(&vault, &value), Ok(&b"content"[..]));
    assert!(Place::Chain(1).content(&vault, &value).is_err());
    for bit in 0..value.len() * 8 {
        let mut damaged = value.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(place.content(&vault, &damaged).is_err(), "bit {bit}");
    }
    for bytes in 0..value.len() {
        assert!(place.content(&vault, &value[..bytes]).is_err());
    }
}

/// The same records as format 1 had them.
fn downgraded(vault: &Vault, snapshot: &Snapshot) -> Snapshot {
    let mut old = Snapshot::default();
    for (key, value) in snapshot.records() {
        let place = Place::from_bytes(key).unwrap();
        let mut content = place.content(vault, value).unwrap().to_vec();
        if place == Place::Ledger {
            content.drain(CHAIN_END..CHAIN_END + 7 * 8);
        }
        let mut body = vec![1];
        body.extend_from_slice(&content);
        let tag = vault.tag(key, &body);
        body.extend_from_slice(&tag);
        old.records_mut().insert(key.clone(), body);
    }
    old
}

#[test]
fn a_store_of_format_1_opens_and_says_how_many_of_its_commits_are_in_no_sum() {
    let disk = MemoryStorage::new();
    let open = || {
        let rng = SecretRng::from_seed([5; 32]);
        let limits = StoreLimits::default();
        KeyStore::open(
            Side::Bob,
            Box::new(disk.clone()),
            vec![1; 32].into(),
            rng,
            limits,
        )
        .unwrap()
    };
    let mut store = open();
    store.ledger.commits = 3;
    store.ledger.chain = [7; 32];
    store.ledger.spent_max.runs = 4;
    store.make_durable().unwrap();
    disk.restore(&downgraded(&vault(), &disk.snapshot()));
    for epoch in 2..4 {
        let status = open().status();
        assert_eq!((status.commits, status.commits_uncounted), (3, 3));
        assert_eq!((status.spent.runs, status.boot_epoch), (0, epoch));
    }
}
