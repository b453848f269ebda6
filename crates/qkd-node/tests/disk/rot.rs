//! Bytes that change on the disk, writes of which a part is there, and disks put back to an earlier day.

use std::io;

use qkd_bits::PhysicsRng;
use qkd_keystore::{Health, Side};

use super::is_whole_run;
use super::pair::{Pair, SIDES, open};
use super::platter::{Call, Platter, Trouble};

/// Bytes of an image that are flipped in a bounded run; the whole of it flips each.
const FLIPS: usize = 300;

fn lived(rng: &mut PhysicsRng, keys: usize) -> Pair<Platter> {
    let mut pair = Pair::new();
    pair.distil();
    pair.settle();
    for _ in 0..keys {
        for side in SIDES {
            pair.ask(side);
        }
        pair.settle();
        pair.fetch(rng);
        pair.distil();
        pair.settle();
    }
    pair
}

/// What a store says of itself when it is opened on an image: everything that a key could come from.
fn contents(side: Side, image: &[u8]) -> Option<String> {
    let disk = Platter::default();
    disk.put_image(image);
    let store = open(side, &disk, 99).ok()?;
    let status = store.status();
    assert_eq!(status.health, Health::Sound);
    Some(format!("{status:?}"))
}

/// A flipped byte is found when the store is opened, or it lies where nothing stands: then the store is
/// what it was. In neither case does anything wrong come out of it.
#[test]
fn a_byte_that_rots_is_found_or_was_nothing() {
    let mut rng = PhysicsRng::from_seed(3);
    let mut pair = lived(&mut rng, 3);
    let (mut found, mut idle) = (0, 0);
    for side in SIDES {
        pair.end(side);
        let image = pair.disk(side).image();
        let good = contents(side, &image).unwrap();
        let is_whole = is_whole_run();
        let used: Vec<usize> = (0..image.len()).filter(|at| image[*at] != 0).collect();
        let flips = if is_whole {
            used.len()
        } else {
            FLIPS.min(used.len())
        };
        for number in 0..flips {
            let at = if is_whole {
                used[number]
            } else {
                used[rng.below(used.len() as u64) as usize]
            };
            let mut rotten = image.clone();
            rotten[at] ^= 1 << rng.below(8);
            match contents(side, &rotten) {
                None => found += 1,
                Some(said) => {
                    assert_eq!(said, good, "{side}: byte {at}");
                    idle += 1;
                }
            }
        }
    }
    println!("{found} flips found, {idle} where nothing stands");
    assert!(found > 100, "only {found} were found");
}

/// The last write before the power fails is there in part only, up to any byte: what was answered is there,
/// and both sides go on.
#[test]
fn a_torn_last_write_costs_nothing_that_was_answered() {
    let lengths: Vec<usize> = if is_whole_run() {
        (0..=4096).collect()
    } else {
        vec![0, 1, 511, 512, 513, 2048, 4095]
    };
    let mut torn = 0;
    for side in SIDES {
        for after in 0..8 {
            for &length in &lengths {
                torn += u64::from(tear(side, after, length));
            }
        }
    }
    println!("{torn} torn writes");
    assert!(torn > 50, "only {torn} writes were torn");
}

/// Lets the power fail after so many writes, the last of which is there up to `length` bytes; false when
/// it is not that long.
fn tear(side: Side, after: u64, length: usize) -> bool {
    let mut rng = PhysicsRng::from_seed(4);
    let mut pair = lived(&mut rng, 1);
    pair.disk(side).trouble(Trouble {
        call: Some(Call::Write),
        after,
        kind: io::ErrorKind::Other,
        is_lasting: true,
    });
    pair.ask(side);
    pair.settle();
    pair.ask(side.peer());
    pair.settle();
    let last = pair.disk(side).last_write();
    let Some((offset, bytes)) = last.filter(|(_, bytes)| length <= bytes.len()) else {
        return false;
    };
    let (mut torn, before) = (pair.disk(side).image(), pair.disk(side).durable());
    let (start, end) = (offset + length, offset + bytes.len());
    for (at, byte) in torn.iter_mut().enumerate().take(end).skip(start) {
        *byte = before.get(at).copied().unwrap_or(0);
    }
    pair.end(side);
    pair.disk(side).trouble_is_over();
    pair.disk(side).put_image(&torn);
    pair.start(side)
        .unwrap_or_else(|error| panic!("{side}, {length} bytes of write {after}: {error}"));
    pair.check_healed(&mut rng);
    true
}

/// Put back to any earlier state while the other side went on, a disk is found at the next connection.
#[test]
fn a_disk_of_an_earlier_day_quarantines_both() {
    for side in SIDES {
        for later in 0..3 {
            let mut rng = PhysicsRng::from_seed(5);
            let mut pair = lived(&mut rng, 1);
            let old = pair.disk(side).image();
            match later {
                0 => pair.distil(),
                1 => pair.ask(side),
                _ => pair.ask(side.peer()),
            }
            pair.settle();
            pair.end(side);
            pair.disk(side).put_image(&old);
            pair.tampered(side);
            pair.start(side).unwrap();
            pair.connect();
            for side in SIDES {
                let health = pair.health(side);
                let is_quarantined = matches!(health, Some(Health::Quarantined { .. }));
                assert!(is_quarantined, "{side} put back before {later}: {health:?}");
            }
        }
    }
}
