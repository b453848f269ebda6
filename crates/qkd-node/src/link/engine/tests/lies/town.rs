//! Alice and Bob with engines, key stores and applications, and all that they say in a day: two blocks
//! that become keys, one that cannot, requests, refusals, gifts, messages. No socket, disk or light.

use std::collections::VecDeque;
use std::sync::Arc;

use qkd_auth::Envelope;
use qkd_bits::SecretRng;
use qkd_keystore::{
    DeliveredKey, Health, Input, KeyFetch, KeyRequest, KeyStore, MemoryStorage, Output, SaeId,
    Side, StoreLimits,
};
use qkd_messaging::SealedMessage;
use qkd_session::Time;
use qkd_wire::link::{LinkMessage, RelayOutcome, RelayedMessage};

use super::super::{Forge, connected, on_the_wire};
use super::light::{ERROR_RATES, Light};
use super::seen::Seen;
use crate::link::engine::LinkEngine;
use crate::link::{Broken, LinkEffect, LinkEvent, Outflow};

/// Envelopes in one run: 25 times what an honest one takes. A liar can keep the error correction of each
/// block at 2,000 questions and answers, and no more.
const ENVELOPES_MAX: usize = 13_000;

/// Bytes of all envelopes of one run: the same.
const BYTES_MAX: usize = 16 << 20;

/// One side.
struct End {
    engine: LinkEngine,
    store: KeyStore,
}

/// What is done to an envelope on its way by somebody without the key: what arrives, and where.
pub type Trick = Box<dyn FnMut(Side, Envelope) -> Vec<(Side, qkd_wire::proto::link::Envelope)>>;

/// Both sides, and what lies between them.
pub struct Town {
    ends: [End; 2],
    wire: VecDeque<(Side, qkd_wire::proto::link::Envelope)>,
    trick: Option<Trick>,
    light: Arc<Light>,
    /// First slot that Bob has not been told of.
    measured: u64,
    emitted: u64,
    now: Time,
    connections: u64,
    /// What happened.
    pub seen: Seen,
}

/// The place of a side in a pair.
pub fn place(side: Side) -> usize {
    match side {
        Side::Alice => 0,
        Side::Bob => 1,
    }
}

fn store(side: Side) -> KeyStore {
    let limits = StoreLimits {
        key_size_bits: 64,
        // Bob's second request is one too many for Alice.
        unfetched_each_max: 4,
        keys_per_request_max: 1_000,
        ..StoreLimits::default()
    };
    let limits = match side {
        Side::Alice => limits,
        Side::Bob => StoreLimits {
            unfetched_each_max: 1_000,
            ..limits
        },
    };
    let rng = SecretRng::from_seed([200 + place(side) as u8; 32]);
    let key = vec![9; 32].into();
    KeyStore::open(side, Box::new(MemoryStorage::new()), key, rng, limits).unwrap()
}

fn application(side: Side) -> SaeId {
    SaeId::new(format!("sae-{side}")).unwrap()
}

impl Town {
    /// Both sides, with nothing said yet. What they say passes through `forges` before it is sealed,
    /// and through `trick` after that.
    pub fn new(forges: Option<[Forge; 2]>, trick: Option<Trick>) -> Self {
        let light = Light::shared();
        let (mut alice, mut bob) = connected(&light.setup, 0, Time(0));
        if let Some([of_alice, of_bob]) = forges {
            alice.forge = Some(of_alice);
            bob.forge = Some(of_bob);
        }
        let end = |engine, side| End {
            engine,
            store: store(side),
        };
        Self {
            ends: [end(alice, Side::Alice), end(bob, Side::Bob)],
            wire: VecDeque::new(),
            trick,
            light,
            measured: 0,
            emitted: 0,
            now: Time(0),
            connections: 0,
            seen: Seen::default(),
        }
    }

    /// All that is done in a day, as far as the connection holds.
    pub fn live(&mut self) {
        self.connect();
        self.pass_seconds(1);
        for block in 0..ERROR_RATES.len() {
            self.shine(block);
            match block {
                0 => self.use_first_block(),
                2 => self.use_last_block(),
                _ => {}
            }
        }
        self.fetch_all();
        // Longer than anybody may wait for anything.
        self.pass_seconds(45);
    }

    fn use_first_block(&mut self) {
        self.request(Side::Alice, 1);
        self.request(Side::Bob, 3);
        self.request(Side::Bob, 3);
        self.relay(Side::Alice);
        self.relay(Side::Bob);
    }

    /// Alice asks for all she has, so that Bob gives her of his.
    fn use_last_block(&mut self) {
        let all = self.ends[0].store.status().stored_key_count as u32;
        self.request(Side::Alice, all.saturating_sub(1));
        self.request(Side::Alice, 1);
        self.request(Side::Alice, 2);
    }

    /// When the first connection is over: an honest one, on which the stores compare their histories.
    pub fn reconnect_honestly(&mut self) {
        self.trick = None;
        self.wire.clear();
        for side in [Side::Alice, Side::Bob] {
            let outputs = self.ends[place(side)].store.handle(Input::Disconnected);
            self.stored(side, outputs, &mut VecDeque::new());
        }
        self.connections += 1;
        let (alice, bob) = connected(&self.light.setup, self.connections, self.now);
        self.ends[0].engine = alice;
        self.ends[1].engine = bob;
        let fault = self.seen.fault.take();
        self.connect();
        self.fetch_all();
        self.pass_seconds(5);
        let again = std::mem::replace(&mut self.seen.fault, fault);
        if let Some((side, words)) = again {
            self.seen.alarms.push(format!("{side} again: {words}"));
        }
    }

    fn connect(&mut self) {
        for side in [Side::Alice, Side::Bob] {
            let outputs = self.ends[place(side)].store.handle(Input::Connected);
            let mut events = VecDeque::new();
            self.stored(side, outputs, &mut events);
            self.happen(side, events);
        }
        self.settle();
    }

    /// One second after the other, in each of which both sides look at the clock.
    fn pass_seconds(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = Time(self.now.0 + 1_000_000_000_000);
            for side in [Side::Alice, Side::Bob] {
                let tick = LinkEvent::Tick {
                    demand: true,
                    outflow: Outflow::default(),
                };
                self.happen(side, [tick].into());
            }
            self.settle();
        }
    }

    /// Alice emits the light of one block, and Bob measures what her clock has passed.
    fn shine(&mut self, block: usize) {
        let end = self.light.ends[block];
        self.emitted = end;
        self.happen(Side::Alice, [LinkEvent::Emitted { slots: end }].into());
        self.settle();
        let passed = self.seen.clock;
        if passed > self.measured {
            let detections = self.light.detections(self.measured, end.min(passed));
            self.measured = passed;
            let event = LinkEvent::Detections {
                detections: Box::new(detections),
                next_slot: passed,
                readings: Box::default(),
            };
            self.happen(Side::Bob, [event].into());
        }
        self.settle();
        self.pass_seconds(1);
    }

    fn request(&mut self, owner: Side, number: u32) {
        if self.seen.fault.is_some() {
            return;
        }
        let request = KeyRequest {
            number,
            size_bits: 64,
            master: application(owner),
            slaves: vec![application(owner.peer())],
        };
        let input = Input::Request { ticket: 1, request };
        let outputs = self.ends[place(owner)].store.handle(input);
        let mut events = VecDeque::new();
        self.stored(owner, outputs, &mut events);
        self.happen(owner, events);
        self.settle();
    }

    fn relay(&mut self, from: Side) {
        let message = RelayedMessage {
            from: application(from),
            to: application(from.peer()),
            sealed: SealedMessage {
                key_id: [1; 16],
                sender: 1,
                sequence: 2,
                ciphertext: vec![3; 40],
            },
        };
        let said = LinkMessage::Relay { number: 7, message };
        self.happen(from, [LinkEvent::Outgoing(said)].into());
        self.settle();
    }

    /// Slaves fetch every key that their masters got.
    fn fetch_all(&mut self) {
        for owner in [Side::Alice, Side::Bob] {
            let peer = owner.peer();
            for &key_id in self.seen.given[place(owner)].clone().keys() {
                let fetched = self.ends[place(peer)].store.fetch(&KeyFetch {
                    caller: application(peer),
                    master: Some(application(owner)),
                    key_ids: vec![key_id],
                });
                for DeliveredKey { key_id, key } in fetched.unwrap_or_default() {
                    let bytes = key.expose().to_vec();
                    let before = self.seen.fetched[place(peer)].insert(key_id, bytes);
                    assert!(before.is_none(), "a key left {peer} twice");
                }
            }
        }
    }

    /// Carries envelopes until both sides are silent.
    fn settle(&mut self) {
        while let Some((to, envelope)) = self.wire.pop_front() {
            self.seen.envelopes += 1;
            self.seen.bytes += envelope.payload.len();
            assert!(self.seen.envelopes < ENVELOPES_MAX, "they talk for ever");
            assert!(self.seen.bytes < BYTES_MAX, "they talk without measure");
            self.happen(to, [LinkEvent::Envelope(envelope)].into());
        }
    }

    /// What a turn of the link's thread does with these events.
    fn happen(&mut self, side: Side, mut events: VecDeque<LinkEvent>) {
        while let Some(event) = events.pop_front() {
            if self.seen.fault.is_some() {
                return;
            }
            let handled = self.ends[place(side)].engine.handle(self.now, event);
            let (effects, fault) = match handled {
                Ok(effects) => (effects, None),
                Err(Broken { effects, fault }) => (effects, Some(fault.to_string())),
            };
            for effect in effects {
                self.perform(side, effect, &mut events);
            }
            if let Some(fault) = fault {
                self.end(side, fault);
            }
        }
        match self.ends[place(side)].engine.flush() {
            Ok(Some(effect)) => self.perform(side, effect, &mut events),
            Ok(None) => {}
            Err(fault) => self.end(side, fault.to_string()),
        }
    }

    fn end(&mut self, side: Side, fault: String) {
        self.seen.fault.get_or_insert((side, fault));
    }

    fn perform(&mut self, side: Side, effect: LinkEffect, events: &mut VecDeque<LinkEvent>) {
        match effect {
            LinkEffect::Work(work) => events.push_front(LinkEvent::Worked(work.run())),
            LinkEffect::Send(envelope) => self.send(side, envelope),
            LinkEffect::Transmit { .. } => {}
            LinkEffect::Recall {
                block,
                slots,
                end_slot,
                ..
            } => {
                let sent = self.emitted;
                if end_slot > sent {
                    let words = format!(
                        "Bob announced block {block} up to slot {end_slot}, but only {sent} slots were sent"
                    );
                    return self.end(side, words);
                }
                let record = self.light.record(&slots);
                events.push_front(LinkEvent::Recalled { block, record });
            }
            LinkEffect::Clock { emitted_slots } => {
                self.seen.clock = self.seen.clock.max(emitted_slots);
            }
            LinkEffect::Begun { budget } => self.store(side, Input::Begun { budget }, events),
            LinkEffect::Distilled { block, key, check } => {
                let bytes = key.to_secret_bytes().expose().to_vec();
                self.seen.distilled[place(side)].insert(block, bytes);
                self.store(side, Input::Distilled { block, key, check }, events);
            }
            LinkEffect::Store(message) => self.store(side, Input::Message(message), events),
            LinkEffect::Relay { number, message } => {
                self.seen.relayed[place(side)].push(message);
                let outcome = RelayOutcome::Stored;
                let answer = LinkMessage::RelayAnswer { number, outcome };
                events.push_back(LinkEvent::Outgoing(answer));
            }
            LinkEffect::RelayAnswer { number, outcome } => {
                self.seen.relay_answers[place(side)].push((number, outcome));
            }
            LinkEffect::Report(report) => self.seen.reports[place(side)].push(*report),
        }
    }

    fn send(&mut self, from: Side, envelope: Envelope) {
        match &mut self.trick {
            Some(trick) => self.wire.extend(trick(from, envelope)),
            None => self.wire.push_back((from.peer(), on_the_wire(&envelope))),
        }
    }

    fn store(&mut self, side: Side, input: Input, events: &mut VecDeque<LinkEvent>) {
        let outputs = self.ends[place(side)].store.handle(input);
        self.stored(side, outputs, events);
    }

    /// Does what a store wants done, or ends the link as the keeper of the store does.
    fn stored(
        &mut self,
        side: Side,
        outputs: Result<Vec<Output>, qkd_keystore::Error>,
        events: &mut VecDeque<LinkEvent>,
    ) {
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(error) => {
                return self.end(side, format!("the key store refused an input: {error}"));
            }
        };
        for output in outputs {
            match output {
                Output::Send(message) => {
                    events.push_back(LinkEvent::Outgoing(LinkMessage::Store(message)));
                }
                Output::Committed { block, spent, .. } => {
                    self.seen.committed[place(side)].push(block);
                    events.push_back(LinkEvent::Committed { block, spent });
                }
                Output::Discarded { block, reason } => {
                    events.push_back(LinkEvent::Discarded { block, reason });
                }
                Output::Answer { result, .. } => {
                    self.seen.answers[place(side)] += 1;
                    for DeliveredKey { key_id, key } in result.unwrap_or_default() {
                        let bytes = key.expose().to_vec();
                        let before = self.seen.given[place(side)].insert(key_id, bytes);
                        assert!(before.is_none(), "a key left {side} twice");
                    }
                }
                Output::Alarm(alarm) => self.seen.alarms.push(alarm.to_string()),
            }
        }
    }

    /// Whether one of the stores is sealed, and why.
    pub fn quarantine(&self) -> Option<String> {
        self.ends
            .iter()
            .find_map(|end| match end.store.status().health {
                Health::Quarantined { reason } => Some(reason),
                Health::Sound | Health::Sealed => None,
            })
    }

    /// Envelopes that both sides rejected.
    pub fn rejected(&self) -> u64 {
        self.ends
            .iter()
            .map(|end| end.engine.rejects().total())
            .sum()
    }

    /// Whether no block of either side waits for the other.
    pub fn nobody_waits(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.engine.first_waiting().is_none())
    }
}
