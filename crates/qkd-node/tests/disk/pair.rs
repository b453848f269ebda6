//! Two key stores on two disks, everything between them, and the checker that sees what leaves them.

use std::collections::VecDeque;
use std::path::Path;

use qkd_bits::{PhysicsRng, SecretRng};
use qkd_keystore::invariants::{Checker, Event, Refusal, SeenKey, Standing};
use qkd_keystore::{
    Alarm, BlockId, DeliveredKey, Error, Health, Input, KeyFetch, KeyRequest, KeyStore, Output,
    RequestError, SaeId, Side, StorageError, StoreLimits, StoreMessage,
};
use qkd_node::storage::RedbStorage;

use super::platter::Platter;

/// What a store is kept on.
pub trait Disk {
    /// Opens the file on it as a node does.
    fn storage(&self) -> Result<RedbStorage, StorageError>;

    /// Whatever is wrong with it is over.
    fn heal(&self);
}

impl Disk for Platter {
    fn storage(&self) -> Result<RedbStorage, StorageError> {
        RedbStorage::on(Path::new("disk"), self.open())
    }

    fn heal(&self) {
        self.trouble_is_over();
    }
}

pub const SIDES: [Side; 2] = [Side::Alice, Side::Bob];

/// Bits of a block.
const BLOCK_BITS: usize = 4096;

pub struct Pair<D> {
    disks: [D; 2],
    pub alarms: [Vec<Alarm>; 2],
    stores: [Option<KeyStore>; 2],
    queues: [VecDeque<StoreMessage>; 2],
    connected: bool,
    checker: Checker,
    boots: u8,
    blocks: u64,
    tickets: u64,
}

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

/// Opens what is on a disk as a node does.
pub fn open(side: Side, disk: &impl Disk, seed: u8) -> Result<KeyStore, Error> {
    let storage = disk.storage()?;
    KeyStore::open(
        side,
        Box::new(storage),
        vec![side as u8 + 1; 32].into(),
        SecretRng::from_seed([seed.wrapping_mul(2) + side as u8; 32]),
        StoreLimits::default(),
    )
}

impl Pair<Platter> {
    /// Two new stores on disks in memory, connected.
    pub fn new() -> Self {
        Self::on([Platter::default(), Platter::default()])
    }
}

impl<D: Disk> Pair<D> {
    /// Two new stores, connected.
    pub fn on(disks: [D; 2]) -> Self {
        let stores = SIDES.map(|side| Some(open(side, &disks[side as usize], 0).unwrap()));
        let mut pair = Self {
            disks,
            alarms: [Vec::new(), Vec::new()],
            stores,
            queues: [VecDeque::new(), VecDeque::new()],
            connected: false,
            checker: Checker::new(),
            boots: 0,
            blocks: 0,
            tickets: 0,
        };
        pair.connect();
        pair
    }

    pub fn disk(&self, side: Side) -> &D {
        &self.disks[side as usize]
    }

    pub fn health(&self, side: Side) -> Option<Health> {
        let store = self.stores[side as usize].as_ref()?;
        Some(store.status().health)
    }

    pub fn keys_answered(&self) -> u64 {
        self.checker.counts().answered
    }

    pub fn connect(&mut self) {
        if !self.connected && self.stores.iter().all(Option::is_some) {
            self.connected = true;
            for side in SIDES {
                self.input(side, Input::Connected);
            }
            self.settle();
        }
    }

    pub fn disconnect(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.queues = Default::default();
            for side in SIDES {
                self.input(side, Input::Disconnected);
            }
        }
    }

    /// Stores whose storage has failed.
    pub fn sealed(&self) -> Option<Side> {
        SIDES
            .into_iter()
            .find(|side| self.health(*side) == Some(Health::Sealed))
    }

    /// The process of a side ends; its disk is as it left it.
    pub fn end(&mut self, side: Side) {
        self.stores[side as usize] = None;
        self.disconnect();
    }

    /// It starts again.
    pub fn start(&mut self, side: Side) -> Result<(), Error> {
        self.boots += 1;
        let store = open(side, self.disk(side), self.boots)?;
        let standing = Standing::from(&store.status());
        self.stores[side as usize] = Some(store);
        self.see(Event::Restarted { side });
        self.see(Event::Stood { side, standing });
        Ok(())
    }

    /// A process that ends and starts again.
    pub fn restart(&mut self, side: Side) {
        self.end(side);
        self.disk(side).heal();
        self.start(side).unwrap();
        self.connect();
    }

    pub fn tampered(&mut self, side: Side) {
        self.see(Event::Tampered { side });
    }

    pub fn input(&mut self, side: Side, input: Input) {
        let Some(store) = &mut self.stores[side as usize] else {
            return;
        };
        match store.handle(input) {
            Ok(outputs) => self.perform(side, outputs),
            // A process that is about to end.
            Err(Error::Sealed) => {}
            Err(error) => panic!("{side}: {error}"),
        }
    }

    fn perform(&mut self, side: Side, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(message) => {
                    if self.connected {
                        self.queues[side.peer() as usize].push_back(message);
                    }
                }
                Output::Committed { block, spent, .. } => {
                    self.see(Event::Committed { side, block, spent });
                }
                Output::Discarded { block, reason } => self.see(Event::Discarded {
                    side,
                    block,
                    reason,
                }),
                Output::Answer { ticket: _, result } => {
                    if let Ok(keys) = result {
                        let keys = seen(&keys);
                        self.see(Event::Answered {
                            owner: side,
                            slaves: vec![sae("slave")],
                            keys,
                        });
                    }
                }
                Output::Alarm(alarm) => {
                    if let Alarm::Quarantined { reason } = &alarm {
                        let reason = reason.clone();
                        self.see(Event::Quarantined { side, reason });
                    }
                    self.alarms[side as usize].push(alarm);
                }
            }
        }
    }

    pub fn deliver_message(&mut self, side: Side) {
        if let Some(message) = self.queues[side as usize].pop_front() {
            self.input(side, Input::Message(message));
        }
    }

    pub fn settle(&mut self) {
        while self.queues.iter().any(|queue| !queue.is_empty()) {
            self.deliver_message(Side::Alice);
            self.deliver_message(Side::Bob);
        }
    }

    /// Both sides distil a block.
    pub fn distil(&mut self) {
        self.blocks += 1;
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&self.blocks.to_be_bytes());
        for side in [Side::Bob, Side::Alice] {
            let key = SecretRng::from_seed(seed).public_bits(BLOCK_BITS).into();
            let block = BlockId {
                session: 1,
                block: self.blocks,
            };
            let check = self.blocks.to_be_bytes();
            self.input(side, Input::Distilled { block, key, check });
        }
    }

    pub fn ask(&mut self, side: Side) {
        self.tickets += 1;
        let ticket = self.tickets;
        let request = KeyRequest {
            number: 1,
            size_bits: 256,
            master: sae("master"),
            slaves: vec![sae("slave")],
        };
        self.input(side, Input::Request { ticket, request });
    }

    /// Fetches one of the keys that are owed, if any is.
    pub fn fetch(&mut self, rng: &mut PhysicsRng) {
        let owed = self.checker.owed();
        if owed.is_empty() {
            return;
        }
        let owed = &owed[rng.below(owed.len() as u64) as usize];
        let side = owed.owner.peer();
        let Some(store) = &mut self.stores[side as usize] else {
            return;
        };
        let (caller, key_ids) = (owed.slave.clone(), vec![owed.key_id]);
        let result = store.fetch(&KeyFetch {
            caller: caller.clone(),
            master: None,
            key_ids: key_ids.clone(),
        });
        self.see(match result {
            Ok(keys) => Event::Fetched {
                side,
                caller,
                keys: seen(&keys),
            },
            Err(RequestError::Sealed) => Event::FetchUnanswered {
                side,
                caller,
                key_ids,
            },
            Err(error) => Event::FetchRefused {
                side,
                caller,
                key_ids,
                refusal: match error {
                    RequestError::NotFound => Refusal::NotFound,
                    other => panic!("{other}"),
                },
            },
        });
    }

    /// Something happens.
    pub fn step(&mut self, rng: &mut PhysicsRng) {
        let side = SIDES[rng.below(2) as usize];
        match rng.below(20) {
            0..3 => self.distil(),
            3..8 => self.ask(side),
            8..12 => self.fetch(rng),
            12..15 => self.deliver_message(side),
            15..19 => self.settle(),
            _ => {
                self.disconnect();
                self.connect();
            }
        }
    }

    /// With all disks healed and both connected, everything owed is there and both agree.
    pub fn check_healed(&mut self, rng: &mut PhysicsRng) {
        for side in SIDES {
            self.disk(side).heal();
        }
        while let Some(side) = self.sealed() {
            self.restart(side);
        }
        self.disconnect();
        self.connect();
        self.settle();
        while !self.checker.owed().is_empty() {
            self.fetch(rng);
        }
        let [alice, bob] = SIDES.map(|side| self.stores[side as usize].as_ref().unwrap().status());
        assert_eq!(
            (&alice.health, &bob.health),
            (&Health::Sound, &Health::Sound)
        );
        self.see(Event::Settled {
            alice: Standing::from(&alice),
            bob: Standing::from(&bob),
        });
        assert_eq!(alice.available_bits, bob.peer_available_bits);
        assert_eq!(bob.available_bits, alice.peer_available_bits);
    }

    fn see(&mut self, event: Event) {
        self.checker.see(event);
        if let Some(violation) = self.checker.violations().first() {
            panic!("{violation}");
        }
    }
}

fn seen(keys: &[DeliveredKey]) -> Vec<SeenKey> {
    let seen = |key: &DeliveredKey| SeenKey::new(key.key_id, key.key.expose());
    keys.iter().map(seen).collect()
}
