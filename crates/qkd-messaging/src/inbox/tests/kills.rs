//! Either program is killed at every single step and started again.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::*;

/// The process was killed.
struct Killed;

/// Kills at a step.
struct Fuel(Cell<u32>);

impl Fuel {
    fn steps(count: u32) -> Self {
        Self(Cell::new(count))
    }

    fn endless() -> Self {
        Self::steps(u32::MAX)
    }

    /// Between any two actions on the world.
    fn step(&self) -> Result<(), Killed> {
        let left = self.0.get().checked_sub(1).ok_or(Killed)?;
        self.0.set(left);
        Ok(())
    }
}

/// What outlives the processes.
#[derive(Default)]
struct World {
    sender_disk: Option<Vec<u8>>,
    receiver_disk: Option<Vec<u8>>,
    keys_made: u8,
    keys_fetched: HashSet<KeyId>,
    /// Every sealed message that ever left the sender.
    seen: HashMap<(KeyId, u64), SealedMessage>,
    mailbox: VecDeque<(u64, SealedMessage)>,
    last_stored: Option<SealedMessage>,
    delivery: u64,
    /// Message number and its bytes.
    files: BTreeMap<u64, Vec<u8>>,
    complete: Vec<u64>,
    /// Complete ones that the user was told of.
    told: HashSet<u64>,
    cut_off: HashSet<u64>,
    refused: u32,
}

const BODIES: [&[u8]; 3] = [b"one, ", b"two, ", b"three"];

impl World {
    /// The relay: an exact repetition of the last message is stored once.
    fn submit(&mut self, message: &SealedMessage) {
        let nonce = (message.key_id, message.sequence);
        let known = self.seen.entry(nonce).or_insert_with(|| message.clone());
        assert_eq!(known, message, "two messages under one nonce");
        if self.last_stored.as_ref() != Some(message) {
            self.last_stored = Some(message.clone());
            self.delivery += 1;
            self.mailbox.push_back((self.delivery, message.clone()));
        }
    }

    /// A process that sends `messages` messages of three parts each.
    fn send(&mut self, messages: usize, fuel: &Fuel) -> Result<(), Killed> {
        let mut outbox = match &self.sender_disk {
            Some(state) => Outbox::from_state(state, FEW).ok().unwrap(),
            None => Outbox::new(FEW),
        };
        self.flush(&mut outbox, fuel)?;
        for _ in 0..messages {
            let mut head = text();
            for (index, body) in BODIES.iter().enumerate() {
                if outbox.needs_key() {
                    fuel.step()?;
                    self.keys_made += 1;
                    let id = self.keys_made;
                    outbox.take_key([id; 16], key_of(id)).unwrap();
                }
                fuel.step()?;
                let last = index + 1 == BODIES.len();
                let state = outbox.seal(head.take().as_ref(), body, last).unwrap();
                fuel.step()?;
                self.sender_disk = Some(state.expose().to_vec());
                fuel.step()?;
                outbox.is_durable();
                self.flush(&mut outbox, fuel)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, outbox: &mut Outbox, fuel: &Fuel) -> Result<(), Killed> {
        if let Some(message) = outbox.to_send() {
            fuel.step()?;
            self.submit(message);
            fuel.step()?;
            outbox.delivered();
        }
        Ok(())
    }

    /// A process that receives all there is, and makes its state durable after every `batch`.
    fn receive(&mut self, batch: usize, fuel: &Fuel) -> Result<(), Killed> {
        let mut inbox = match &self.receiver_disk {
            Some(state) => Inbox::from_state(state).ok().unwrap(),
            None => Inbox::new(),
        };
        let waiting: Vec<_> = self.mailbox.iter().cloned().collect();
        if !waiting.is_empty() {
            self.finish_file(&mut inbox, fuel)?;
        }
        for (index, (delivery, message)) in waiting.iter().enumerate() {
            fuel.step()?;
            self.take(&mut inbox, (*delivery, message), fuel)?;
            let complete = inbox.unfinished().is_some_and(|message| message.complete);
            if complete || index % batch == batch - 1 || index + 1 == waiting.len() {
                fuel.step()?;
                self.receiver_disk = Some(inbox.state().expose().to_vec());
                if complete {
                    fuel.step()?;
                    self.finish_file(&mut inbox, fuel)?;
                    fuel.step()?;
                    self.receiver_disk = Some(inbox.state().expose().to_vec());
                }
                fuel.step()?;
                self.mailbox.retain(|(waiting, _)| waiting > delivery);
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        inbox: &mut Inbox,
        (delivery, message): (u64, &SealedMessage),
        fuel: &Fuel,
    ) -> Result<(), Killed> {
        let opened = match inbox.wants_key(message) {
            Ok(Some(id)) => {
                fuel.step()?;
                assert!(self.keys_fetched.insert(id), "a key is delivered once");
                inbox.add_key(id, key_of(id[0])).unwrap();
                // No step here: it is the one moment at which a node that delivers once loses a key.
                self.receiver_disk = Some(inbox.state().expose().to_vec());
                fuel.step()?;
                inbox.open(message)
            }
            Ok(None) => inbox.open(message),
            Err(error) => Err(error),
        };
        match opened {
            Ok(piece) => {
                inbox.handled(delivery);
                fuel.step()?;
                let file = self.files.entry(piece.number).or_default();
                file.truncate(piece.offset as usize);
                assert_eq!(file.len() as u64, piece.offset, "a hole");
                file.extend_from_slice(piece.body.expose());
                self.cut_off
                    .extend(piece.cut_off.map(|message| message.number));
            }
            Err(_) if inbox.was_handled(delivery) => return Ok(()),
            Err(_) => {
                self.refused += 1;
                inbox.handled(delivery);
            }
        }
        Ok(())
    }

    /// What is complete gets its final name, once, and is told.
    fn finish_file(&mut self, inbox: &mut Inbox, fuel: &Fuel) -> Result<(), Killed> {
        if let Some(message) = inbox.unfinished().filter(|message| message.complete) {
            let number = message.number;
            if !self.complete.contains(&number) {
                self.complete.push(number);
            }
            fuel.step()?;
            self.told.insert(number);
            inbox.settle();
        }
        Ok(())
    }

    fn check(&self, what: &str, sent: usize, cut_off: usize) {
        assert_eq!(self.refused, 0, "{what}");
        assert!(self.mailbox.is_empty(), "{what}");
        for number in &self.complete {
            assert_eq!(self.files[number], BODIES.concat(), "{what}: {number}");
        }
        let complete: HashSet<&u64> = self.complete.iter().collect();
        assert_eq!(complete.len(), self.complete.len(), "{what}: twice");
        assert_eq!(complete, self.told.iter().collect(), "{what}: told");
        let lost = self
            .files
            .keys()
            .filter(|number| !complete.contains(number));
        let lost: HashSet<u64> = lost.copied().collect();
        assert_eq!(lost, self.cut_off, "{what}");
        assert!(lost.len() <= cut_off, "{what}: {lost:?}");
        assert!(complete.len() >= sent, "{what}: {complete:?}");
    }
}

#[test]
fn a_sender_killed_at_any_step_uses_no_nonce_twice_and_leaves_no_gap() {
    for first in 0.. {
        let fuel = Fuel::steps(first);
        let mut world = World::default();
        if world.send(4, &fuel).is_ok() {
            assert!(first > 50, "there were {first} steps only");
            return;
        }
        // Killed a second time while it makes good for the first.
        for second in 0..12 {
            let mut world = World::default();
            assert!(world.send(4, &Fuel::steps(first)).is_err());
            let again = world.send(2, &Fuel::steps(second));
            assert!(world.send(2, &Fuel::endless()).is_ok());
            assert!(world.receive(4, &Fuel::endless()).is_ok());
            let cut_off = 1 + usize::from(again.is_err());
            world.check(&format!("killed at {first}, then {second}"), 2, cut_off);
        }
    }
}

#[test]
fn a_receiver_killed_at_any_step_loses_nothing_and_stores_nothing_twice() {
    for batch in [1, 4] {
        for first in 0.. {
            let mut world = World::default();
            assert!(world.send(4, &Fuel::endless()).is_ok());
            if world.receive(batch, &Fuel::steps(first)).is_ok() {
                assert!(first > 30, "there were {first} steps only");
                break;
            }
            let _killed_or_done = world.receive(batch, &Fuel::steps(first % 7));
            assert!(world.receive(batch, &Fuel::endless()).is_ok());
            world.check(&format!("killed at {first}, by {batch}"), 4, 0);
            assert_eq!(world.complete, [1, 2, 3, 4]);
        }
    }
}
