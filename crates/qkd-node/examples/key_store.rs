//! How fast two key stores on this disk hand out keys: both engines over their files, in one thread
//! and without a network, so that what is left is the stores and the disk.
//!
//! `cargo run --release -p qkd-node --example key_store -- FOLDER [KEYS_MAX]`
//!
//! For 10³, 10⁴, … keys of 256 bits in store: requests per second of 1 and of 16 clients that share
//! each commit, how long one waits, the same for the fetch, and how long opening the store takes;
//! then the same opening with that many keys assigned and not fetched.

// What fails here has no better place to go.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use qkd_bits::SecretRng;
use qkd_keystore::{
    BlockId, DeliveredKey, Input, KeyFetch, KeyId, KeyRequest, KeyStore, Output, SaeId, Side,
    StoreLimits, StoreMessage,
};
use qkd_node::storage::RedbStorage;

/// Keys of one block: 512 kbit for each direction.
const KEYS_PER_BLOCK: u64 = 2048;

/// Batches per figure.
const BATCHES: u64 = 300;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder on the disk to measure");
    let keys_max: u64 = arguments
        .next()
        .map_or(1_000_000, |text| text.parse().unwrap());
    println!("stored_keys  clients  enc_per_s  enc_p50_ms  enc_p99_ms  dec_per_s  open_ms");
    let mut keys = 1000;
    while keys <= keys_max {
        let folder = tempfile::tempdir_in(&folder).unwrap();
        let mut pair = Pair::new(folder.path(), keys);
        for clients in [1, 16] {
            measure(&mut pair, keys, clients);
        }
        drop(pair);
        keys *= 10;
    }
    let folder = tempfile::tempdir_in(&folder).unwrap();
    let mut pair = Pair::new(folder.path(), keys_max);
    for _ in 0..keys_max / 6400 {
        pair.ask(50, 128);
    }
    let waiting = pair.stores[1].status().assigned_count;
    drop(pair);
    let began = Instant::now();
    open(folder.path(), Side::Bob);
    println!(
        "{waiting} keys that wait for their slaves: opened in {:.0} ms",
        ms(began.elapsed())
    );
}

fn measure(pair: &mut Pair, keys: u64, clients: u64) {
    let mut asking: Vec<Duration> = Vec::new();
    let mut fetching = Duration::ZERO;
    for _ in 0..BATCHES {
        let began = Instant::now();
        let given = pair.ask(clients, 1);
        asking.push(began.elapsed());
        let began = Instant::now();
        pair.fetch(given);
        fetching += began.elapsed();
    }
    let total: Duration = asking.iter().sum();
    asking.sort();
    let percentile = |percent: usize| ms(asking[asking.len() * percent / 100]);
    let per_second = |time: Duration| (BATCHES * clients) as f64 / time.as_secs_f64();
    println!(
        "{keys:11}  {clients:7}  {:9.0}  {:10.2}  {:10.2}  {:9.0}  {:7.0}",
        per_second(total),
        percentile(50),
        percentile(99),
        per_second(fetching),
        ms(pair.reopen()),
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn open(folder: &Path, side: Side) -> KeyStore {
    let storage = RedbStorage::open(&folder.join(format!("{side}.redb"))).unwrap();
    let limits = StoreLimits {
        key_count_max: 2_000_000,
        material_bytes_max: 1 << 30,
        ..StoreLimits::default()
    };
    let mut seed = [side as u8; 32];
    getrandom::fill(&mut seed).unwrap();
    let rng = SecretRng::from_seed(seed);
    KeyStore::open(side, Box::new(storage), vec![1; 32].into(), rng, limits).unwrap()
}

/// Both stores and the messages between them.
struct Pair<'a> {
    folder: &'a Path,
    stores: [KeyStore; 2],
    tickets: u64,
}

impl<'a> Pair<'a> {
    /// Two stores of which Alice's share holds `keys` keys and what will be asked for besides.
    fn new(folder: &'a Path, keys: u64) -> Self {
        let stores = [Side::Alice, Side::Bob].map(|side| open(folder, side));
        let mut pair = Self {
            folder,
            stores,
            tickets: 0,
        };
        pair.connect();
        for number in 0..(keys + BATCHES * 17).div_ceil(KEYS_PER_BLOCK) {
            for side in [Side::Bob, Side::Alice] {
                let mut seed = [7; 32];
                seed[..8].copy_from_slice(&number.to_be_bytes());
                let bits = KEYS_PER_BLOCK as usize * 256 * 2;
                let block = BlockId {
                    session: 1,
                    block: number,
                };
                let key = SecretRng::from_seed(seed).public_bits(bits).into();
                let check = number.to_be_bytes();
                pair.stage(side, Input::Distilled { block, key, check });
                pair.settle();
            }
        }
        pair
    }

    fn connect(&mut self) {
        for side in [Side::Alice, Side::Bob] {
            self.stage(side, Input::Connected);
        }
        self.settle();
    }

    fn stage(&mut self, side: Side, input: Input) {
        self.stores[side as usize].stage(input).unwrap();
    }

    /// Commits in turn until nothing is left to say; what each commit lets out is staged at the
    /// other side as one batch.
    fn settle(&mut self) -> Vec<DeliveredKey> {
        let mut delivered = Vec::new();
        let mut silent = 0;
        let mut side = Side::Alice;
        while silent < 2 {
            silent += 1;
            for output in self.stores[side as usize].commit() {
                match output {
                    Output::Send(message) => {
                        let message: StoreMessage = message;
                        self.stage(side.peer(), Input::Message(message));
                        silent = 0;
                    }
                    Output::Answer { result, .. } => delivered.extend(result.unwrap()),
                    Output::Committed { .. } | Output::Discarded { .. } => {}
                    Output::Alarm(alarm) => panic!("{alarm}"),
                }
            }
            side = side.peer();
        }
        delivered
    }

    fn ask(&mut self, clients: u64, number: u32) -> Vec<KeyId> {
        for _ in 0..clients {
            self.tickets += 1;
            let request = KeyRequest {
                number,
                size_bits: 256,
                master: SaeId::new("master").unwrap(),
                slaves: vec![SaeId::new("slave").unwrap()],
            };
            let ticket = self.tickets;
            self.stage(Side::Alice, Input::Request { ticket, request });
        }
        let given = self.settle();
        assert_eq!(given.len() as u64, clients * u64::from(number));
        given.iter().map(|key| key.key_id).collect()
    }

    fn fetch(&mut self, ids: Vec<KeyId>) {
        let number = ids.len();
        for id in ids {
            self.tickets += 1;
            let fetch = KeyFetch {
                caller: SaeId::new("slave").unwrap(),
                master: None,
                key_ids: vec![id],
            };
            let ticket = self.tickets;
            self.stage(Side::Bob, Input::Fetch { ticket, fetch });
        }
        assert_eq!(self.settle().len(), number);
    }

    /// How long Bob's daemon takes to open the store.
    fn reopen(&mut self) -> Duration {
        self.stage(Side::Alice, Input::Disconnected);
        self.settle();
        let nobody = tempfile::tempdir().unwrap();
        // The file is free once its owner has let go of it.
        drop(std::mem::replace(
            &mut self.stores[1],
            open(nobody.path(), Side::Bob),
        ));
        let began = Instant::now();
        self.stores[1] = open(self.folder, Side::Bob);
        let took = began.elapsed();
        self.connect();
        took
    }
}
