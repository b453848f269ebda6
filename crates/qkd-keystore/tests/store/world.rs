//! Two stores and everything between and around them, with the invariants checked as it goes.

mod witness;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qkd_bits::{SecretBits, SecretRng};
use qkd_keystore::invariants::{Checker, Event, Standing};
use qkd_keystore::{
    Alarm, Assignment, BlockId, Error, Fault, Health, Input, KeyFetch, KeyId, KeyRequest, KeyStore,
    MemoryStorage, Output, RequestError, SaeId, Side, Step, StoreLimits, StoreMessage,
};
use qkd_security::{SecurityParameters, Spent};

/// What each run of the protocol may spend.
pub const BUDGET: SecurityParameters = SecurityParameters {
    secrecy: 1e-10,
    correctness: 1e-15,
};

/// One process with its disk, and what it let out.
pub struct Node {
    pub disk: MemoryStorage,
    pub store: KeyStore,
    /// What this process drew; the next one draws another.
    pub seed: u8,
    pub answers: BTreeMap<u64, Result<Vec<KeyId>, RequestError>>,
    pub delivered: BTreeMap<KeyId, Vec<u8>>,
    pub committed: BTreeSet<BlockId>,
    /// What the pair had spent with each commit.
    pub spent: BTreeMap<BlockId, Spent>,
    pub discarded: BTreeSet<BlockId>,
    pub alarms: Vec<Alarm>,
    /// Nonces that were used under this side's wrapping key, by record.
    nonces: BTreeMap<Vec<u8>, [u8; 12]>,
}

/// Both nodes and the link. Messages are in order and vanish when the link breaks.
pub struct World {
    pub nodes: [Node; 2],
    pub queues: [VecDeque<StoreMessage>; 2],
    pub connected: bool,
    /// Whether inputs are staged only, until [`World::flush`].
    pub holding: bool,
    /// Shares that changed owner.
    pub gives: u64,
    /// Keys answered at the owner and not yet asked for at the peer (the owner's side is given).
    pub fetchable: Vec<(Side, KeyId)>,
    /// Keys that were fetched, or are burnt (the owner's side is given): nobody may get them again.
    gone: Vec<(Side, KeyId)>,
    /// Sees everything, and breaks the test with the first thing that must not be.
    checker: Checker,
    /// Every kind of durable change that there was.
    pub steps: BTreeSet<Step>,
    /// Whom the keys of a request are for.
    slaves: BTreeMap<(Side, u64), Vec<SaeId>>,
    limits: StoreLimits,
    tickets: u64,
}

pub fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

pub fn block(number: u64) -> BlockId {
    BlockId {
        session: 1,
        block: number,
    }
}

/// The key of a block as `bits` true random bits, the same for the same number.
pub fn key_of(number: u64, bits: usize) -> SecretBits {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SecretBits::from(SecretRng::from_seed(seed).public_bits(bits))
}

pub fn request(number: u32, size_bits: u32) -> KeyRequest {
    KeyRequest {
        number,
        size_bits,
        master: sae("master"),
        slaves: vec![sae("slave")],
    }
}

/// A fetch of keys that any master was given.
pub fn fetch(caller: &str, ids: &[KeyId]) -> KeyFetch {
    KeyFetch {
        caller: sae(caller),
        master: None,
        key_ids: ids.to_vec(),
    }
}

/// Opens a store as a process does that drew `seed`.
pub fn open(
    side: Side,
    disk: &MemoryStorage,
    limits: StoreLimits,
    seed: u8,
) -> Result<KeyStore, Error> {
    KeyStore::open(
        side,
        Box::new(disk.clone()),
        vec![side as u8 + 1; 32].into(),
        SecretRng::from_seed([seed.wrapping_mul(2) + side as u8; 32]),
        limits,
    )
}

impl World {
    pub fn new(limits: StoreLimits) -> Self {
        let node = |side| {
            let disk = MemoryStorage::new();
            Node {
                store: open(side, &disk, limits.clone(), 0).unwrap(),
                seed: 0,
                disk,
                answers: BTreeMap::new(),
                delivered: BTreeMap::new(),
                committed: BTreeSet::new(),
                spent: BTreeMap::new(),
                discarded: BTreeSet::new(),
                alarms: Vec::new(),
                nonces: BTreeMap::new(),
            }
        };
        Self {
            nodes: [node(Side::Alice), node(Side::Bob)],
            queues: [VecDeque::new(), VecDeque::new()],
            connected: false,
            holding: false,
            gives: 0,
            fetchable: Vec::new(),
            gone: Vec::new(),
            checker: Checker::new(),
            steps: BTreeSet::new(),
            slaves: BTreeMap::new(),
            limits,
            tickets: 0,
        }
    }

    /// Two stores of default limits, connected and agreed.
    pub fn connected() -> Self {
        let mut world = Self::new(StoreLimits::default());
        world.connect();
        world.settle();
        world
    }

    pub fn node(&mut self, side: Side) -> &mut Node {
        &mut self.nodes[side as usize]
    }

    pub fn status(&self, side: Side) -> qkd_keystore::StoreStatus {
        self.nodes[side as usize].store.status()
    }

    /// Hands an input in; a store whose storage failed is a process that dies and starts again.
    pub fn input(&mut self, side: Side, input: Input) {
        if let Input::Request { ticket, request } = &input {
            let slaves = request.slaves.clone();
            self.slaves.insert((side, *ticket), slaves);
        }
        match self.node(side).store.stage(input) {
            Ok(()) => {}
            // A quarantined store says once why, and is deaf from then on.
            Err(Error::Sealed) if self.is_quarantined(side) => {}
            Err(error) => panic!("{side}: {error}"),
        }
        if !self.holding {
            self.flush(side);
        }
    }

    /// Makes what was staged durable, and does what comes of it.
    pub fn flush(&mut self, side: Side) {
        let steps = self.nodes[side as usize].store.staged_steps();
        for step in steps {
            assert!(step.sides().contains(&side), "{step} at {side}");
        }
        self.steps.extend(steps);
        let outputs = self.node(side).store.commit();
        self.perform(side, outputs);
        self.restart_if_sealed(side);
    }

    /// From now on inputs are staged only, or none is any more.
    pub fn hold(&mut self, holding: bool) {
        self.holding = holding;
        if !holding {
            self.flush(Side::Alice);
            self.flush(Side::Bob);
        }
    }

    pub fn is_quarantined(&self, side: Side) -> bool {
        matches!(self.status(side).health, Health::Quarantined { .. })
    }

    pub fn restart_if_sealed(&mut self, side: Side) {
        if self.status(side).health == Health::Sealed {
            self.crash(side);
        }
    }

    pub fn perform(&mut self, side: Side, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(message) => {
                    self.gives += u64::from(matches!(message, StoreMessage::Give { .. }));
                    assert!(self.connected, "{side} sent {message:?} into nowhere");
                    if let StoreMessage::Assign(assignment) = &message {
                        self.see(Event::Used {
                            side,
                            scope: format!("assignments of {side}"),
                            first: assignment.id.into(),
                            count: 1,
                        });
                    }
                    if let StoreMessage::Compare(comparison) = &message {
                        self.see_pad(side, &comparison.pad);
                    }
                    self.queues[side.peer() as usize].push_back(message);
                }
                Output::Committed { block, spent, .. } => {
                    self.node(side).committed.insert(block);
                    self.node(side).spent.insert(block, spent);
                    self.see(Event::Committed { side, block, spent });
                }
                Output::Discarded { block, reason } => {
                    self.node(side).discarded.insert(block);
                    self.see(Event::Discarded {
                        side,
                        block,
                        reason,
                    });
                }
                Output::Alarm(alarm) => {
                    if let Alarm::Quarantined { reason } = &alarm {
                        let reason = reason.clone();
                        self.see(Event::Quarantined { side, reason });
                    }
                    self.node(side).alarms.push(alarm);
                }
                Output::Answer { ticket, result } => {
                    let result = result.map(|keys| self.answered(side, ticket, keys));
                    let again = self.node(side).answers.insert(ticket, result);
                    assert!(again.is_none(), "{side} answered ticket {ticket} twice");
                }
            }
        }
    }

    /// Bits that pad what is said are never used again.
    fn see_pad(&mut self, side: Side, pad: &Assignment) {
        for range in pad.keys.iter().flat_map(|key| &key.ranges) {
            self.see(Event::Used {
                side: Side::Alice,
                scope: format!("pads of block {}", range.block),
                first: range.offset.into(),
                count: range.bytes.into(),
            });
        }
        self.see(Event::Used {
            side,
            scope: format!("assignments of {side}"),
            first: pad.id.into(),
            count: 1,
        });
    }

    pub fn connect(&mut self) {
        if !self.connected {
            self.connected = true;
            for side in [Side::Alice, Side::Bob] {
                if self.connected {
                    self.input(side, Input::Connected);
                }
            }
        }
    }

    pub fn disconnect(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.queues = Default::default();
            for side in [Side::Alice, Side::Bob] {
                self.input(side, Input::Disconnected);
            }
        }
    }

    /// The process dies and starts again; the other side sees the link break.
    pub fn crash(&mut self, side: Side) {
        let limits = self.limits.clone();
        let node = self.node(side);
        let disk = node.disk.clone();
        // A fault meant for the dead process is over.
        disk.fail_after(u64::MAX / 2, Fault::Lost);
        node.seed = node.seed.wrapping_add(1);
        node.store = open(side, &disk, limits, node.seed).unwrap();
        self.see(Event::Restarted { side });
        let standing = Standing::from(&self.status(side));
        self.see(Event::Stood { side, standing });
        if std::mem::take(&mut self.connected) {
            self.queues = Default::default();
            self.input(side.peer(), Input::Disconnected);
        }
    }

    /// What is on its way to `side`.
    pub fn in_flight(&mut self, side: Side) -> &mut VecDeque<StoreMessage> {
        &mut self.queues[side as usize]
    }

    /// Hands the oldest message in flight to `side`.
    pub fn deliver_message(&mut self, side: Side) {
        if let Some(message) = self.queues[side as usize].pop_front() {
            self.input(side, Input::Message(message));
        }
    }

    /// Delivers until nothing is in flight.
    pub fn settle(&mut self) {
        while self.queues.iter().any(|queue| !queue.is_empty()) {
            self.deliver_message(Side::Alice);
            self.deliver_message(Side::Bob);
        }
    }

    /// Alice answers the announcement of a block.
    pub fn begin(&mut self) {
        self.input(Side::Alice, Input::Begun { budget: BUDGET });
    }

    pub fn distil(&mut self, side: Side, number: u64, bits: usize) {
        self.input(
            side,
            Input::Distilled {
                block: block(number),
                key: key_of(number, bits),
                check: number.to_be_bytes(),
            },
        );
    }

    /// Distils a block on both sides and lets both commit it.
    pub fn commit_block(&mut self, number: u64, bits: usize) {
        self.distil(Side::Bob, number, bits);
        self.distil(Side::Alice, number, bits);
        self.settle();
    }

    pub fn request(&mut self, side: Side, request: KeyRequest) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        self.input(side, Input::Request { ticket, request });
        ticket
    }

    /// Whoever made the `back`th last request goes away, if it was at `side` and is not answered.
    pub fn abandon(&mut self, side: Side, back: u64) {
        let ticket = self.tickets.saturating_sub(back);
        self.input(side, Input::Abandoned { ticket });
    }

    /// Asks, delivers all messages and returns the answer.
    pub fn ask(&mut self, side: Side, wanted: KeyRequest) -> Result<Vec<KeyId>, RequestError> {
        let ticket = self.request(side, wanted);
        self.settle();
        self.node(side).answers[&ticket].clone()
    }

    /// Heals everything, and checks that nothing was lost and the two stores agree.
    pub fn check_healed(&mut self) {
        self.hold(false);
        for node in &mut self.nodes {
            node.disk.fail_after(u64::MAX / 2, Fault::Lost);
        }
        self.disconnect();
        self.connect();
        self.settle();
        while !self.fetchable.is_empty() {
            self.fetch_one(0);
        }
        let [alice, bob] = [Side::Alice, Side::Bob].map(|side| self.status(side));
        for status in [&alice, &bob] {
            assert_eq!(status.health, Health::Sound);
            assert!(status.peer_ready);
            assert_eq!(status.undecided_blocks, 0, "{}", status.side);
            assert_eq!(status.pending_requests, 0, "{}", status.side);
        }
        self.see(Event::Settled {
            alice: Standing::from(&alice),
            bob: Standing::from(&bob),
        });
        assert_eq!(alice.spent, bob.spent);
        assert_eq!(alice.available_bits, bob.peer_available_bits);
        assert_eq!(bob.available_bits, alice.peer_available_bits);
        assert_eq!(self.checker.owed(), [], "all was fetched");
        for (owner, key_id) in std::mem::take(&mut self.gone) {
            let again = self.fetch(owner.peer(), "slave", &[key_id]);
            assert_eq!(again, Err(RequestError::NotFound), "{key_id} of {owner}");
        }
        self.see_nonces();
    }
}
