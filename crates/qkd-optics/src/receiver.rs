//! Bob's receiver: choice of basis, detectors, one dead time, squashing.

mod click_law;
mod click_table;
mod counters;
mod dead_time;
mod noise;
mod outcome;
mod scratch;
mod settle;

use std::ops::Range;

use qkd_bits::{PhysicsRng, SecretRng, SecretStream};

use crate::light::Pulse;
use crate::{Channel, Conditions, Detection, Detectors, Error, PulseTrain};
use click_law::ClickLaw;
use click_table::ClickTable;
pub use counters::ReceiverCounters;
use dead_time::DeadTime;
use noise::{Cause, Noise, Planned};
use outcome::{BOTH, Outcome};
use scratch::{BLOCK_PULSES, Click, Scratch};

/// Bob's receiver, which ages slot by slot whether light arrives or not.
///
/// A photon survives insertion loss and detector efficiency; one measured in its own basis takes
/// the wrong exit with the misalignment error, in the other basis either exit with probability ½.
/// Dark counts fall into every slot, also those of lost frames. A click in either detector blinds
/// both for the dead time, and what would have clicked meanwhile is discarded (common dead time:
/// independent ones publish bits). When both fire, the bit is a fair coin (squashing): double
/// clicks are never dropped.
///
/// What becomes of a pulse - Bob's basis, which detectors fire, the coin - is one draw from an
/// exact table of its state and photon number; the cost follows pulses, not slots.
pub struct Receiver {
    detectors: Detectors,
    channel: Option<Box<dyn Channel + Send>>,
    conditions: Conditions,
    /// First slot in which the conditions may be others.
    conditions_until: u64,
    law: ClickLaw,
    table: ClickTable,
    noise: Noise,
    dead_time: DeadTime,
    next_slot: u64,
    scratch: Box<Scratch>,
    /// Chooses basis and clicks of every pulse, 32 bits for each.
    pulses: SecretStream,
    /// What few pulses need beyond that, in the order of the pulses.
    further: SecretRng,
    /// Bases and coins of what fires without a pulse of its own.
    secret: SecretRng,
    /// Decides what detectors do on their own.
    physics: PhysicsRng,
    counters: ReceiverCounters,
}

impl Receiver {
    /// A receiver at slot 0. `secret` chooses bases and what pulses do there, as both come from one
    /// draw; `physics` decides what detectors do on their own.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first parameter that cannot be.
    pub fn new(
        detectors: Detectors,
        mut secret: SecretRng,
        mut physics: PhysicsRng,
    ) -> Result<Self, Error> {
        detectors.check()?;
        let conditions = Conditions::STILL;
        let law = ClickLaw::new(&detectors, &conditions);
        let mut noise = Noise::new();
        noise.set(law.noise(), 0, &mut physics);
        Ok(Self {
            channel: None,
            conditions,
            conditions_until: u64::MAX,
            table: ClickTable::new(&law),
            law,
            noise,
            dead_time: DeadTime::new(&detectors, &mut physics),
            detectors,
            next_slot: 0,
            scratch: Scratch::new(),
            pulses: SecretStream::new(secret.fork()),
            further: secret.fork(),
            secret,
            physics,
            counters: ReceiverCounters::default(),
        })
    }

    /// The same receiver behind a channel whose conditions change over time. Conditions that cannot
    /// be (see [`Conditions::check`]) are those of a channel that lets nothing pass.
    #[must_use]
    pub fn with_channel(mut self, channel: Box<dyn Channel + Send>) -> Self {
        self.channel = Some(channel);
        self.conditions_until = self.next_slot;
        self
    }

    /// Detects a train and appends its clicks in slot order. Slots between the last train and this
    /// one are vacuum: dark counts and afterpulses go on there, and dead time passes.
    ///
    /// # Errors
    /// [`Error::BehindReceiver`] when the train starts before [`next_slot`](Self::next_slot);
    /// nothing is changed then.
    pub fn detect(&mut self, train: PulseTrain, into: &mut Vec<Detection>) -> Result<(), Error> {
        if train.start_slot < self.next_slot {
            return Err(Error::BehindReceiver {
                start_slot: train.start_slot,
                next_slot: self.next_slot,
            });
        }
        self.advance_to(train.start_slot, into);
        let mut pulses = &train.pulses[..];
        while self.next_slot < train.end_slot() {
            let end = self.enter_conditions().min(train.end_slot());
            let offset = end - train.start_slot;
            let here = pulses.partition_point(|pulse| u64::from(pulse.offset) < offset);
            let (now, later) = pulses.split_at(here);
            let mut blocks = now.chunks(BLOCK_PULSES).peekable();
            while let Some(block) = blocks.next() {
                let block_end = match blocks.peek().and_then(|next| next.first()) {
                    Some(next) => train.start_slot + u64::from(next.offset),
                    None => end,
                };
                self.block(train.start_slot, block, block_end, into);
            }
            self.vacuum_before(end, into);
            pulses = later;
            self.next_slot = end;
        }
        Ok(())
    }

    /// Lets vacuum pass up to, and without, `slot`, and appends the clicks that happen in it. Does
    /// nothing when the receiver is already there.
    pub fn advance_to(&mut self, slot: u64, into: &mut Vec<Detection>) {
        while self.next_slot < slot {
            let end = self.enter_conditions().min(slot);
            self.vacuum_before(end, into);
            self.next_slot = end;
        }
    }

    /// First slot that the receiver has not seen.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// What happened so far.
    pub fn counters(&self) -> ReceiverCounters {
        self.counters
    }

    /// Takes over the conditions of the next slot and returns the first one with others.
    fn enter_conditions(&mut self) -> u64 {
        if self.next_slot >= self.conditions_until
            && let Some(channel) = &mut self.channel
        {
            let (conditions, until) = channel.conditions(self.next_slot);
            self.conditions_until = until.max(self.next_slot.saturating_add(1));
            let conditions = match conditions.check() {
                Ok(()) => conditions,
                Err(_) => Conditions {
                    transmittance: 0.0,
                    ..Conditions::STILL
                },
            };
            if conditions != self.conditions {
                self.conditions = conditions;
                self.law = ClickLaw::new(&self.detectors, &conditions);
                self.table = ClickTable::new(&self.law);
                self.noise
                    .set(self.law.noise(), self.next_slot, &mut self.physics);
            }
        }
        self.conditions_until
    }

    /// A block of pulses, and the vacuum between them, up to and without slot `end`.
    fn block(&mut self, start_slot: u64, pulses: &[Pulse], end: u64, into: &mut Vec<Detection>) {
        let fired = self.fire(pulses);
        let mut next = 0;
        while next < fired || self.noise.next_slot() < end {
            let before = self.noise.next_slot().min(end);
            next += self.run(start_slot, next..fired, before, into);
            // The run may have planned an afterpulse, which it stops for.
            let slot = self.noise.next_slot();
            let clicks = &self.scratch.fired[next..fired];
            let light_is_first = clicks
                .first()
                .is_some_and(|click| start_slot + click.offset() < slot);
            if slot < end && !light_is_first {
                next += self.click_with_noise(slot, start_slot, pulses, next..fired, into);
            }
        }
    }

    /// What becomes of each pulse; returns how many fired a detector.
    fn fire(&mut self, pulses: &[Pulse]) -> usize {
        let scratch = &mut *self.scratch;
        let words = &mut scratch.words[..pulses.len()];
        self.pulses.fill_u32(words);
        let outcomes = &mut scratch.outcomes[..pulses.len()];
        let mut all = 0;
        for ((pulse, &mut word), outcome) in pulses.iter().zip(&mut *words).zip(&mut *outcomes) {
            *outcome = self.table.draw(pulse, word);
            all |= outcome.code();
        }
        if Outcome::from_code(all).is_open() {
            for ((pulse, &mut word), outcome) in pulses.iter().zip(words).zip(&mut *outcomes) {
                if outcome.is_open() {
                    let (table, law) = (&self.table, &self.law);
                    *outcome = table.close(pulse, word, law, &mut self.further);
                }
            }
        }
        let fired = &mut scratch.fired[..pulses.len()];
        let mut len = 0;
        for (pulse, outcome) in pulses.iter().zip(outcomes) {
            fired[len] = Click::new(pulse.offset, *outcome);
            len += usize::from(outcome.fired());
        }
        len
    }

    /// Registers clicks of light alone, before slot `end`; returns how many it has looked at.
    fn run(
        &mut self,
        start_slot: u64,
        clicks: Range<usize>,
        end: u64,
        into: &mut Vec<Detection>,
    ) -> usize {
        let scratch = &mut *self.scratch;
        let clicks = &scratch.fired[clicks];
        let run = self
            .dead_time
            .run(start_slot, clicks, end, &mut scratch.registered);
        let registered = &scratch.registered[..run.registered];
        into.extend(registered.iter().map(|click| Detection {
            slot: start_slot + click.offset(),
            basis: click.outcome().basis(),
            bit: click.outcome().bit(),
        }));
        self.counters.clicks += run.registered as u64;
        self.counters.double_clicks += run.doubles;
        self.counters.discarded_in_dead_time += (run.taken - run.registered) as u64;
        if let Some(last) = registered.last() {
            let outcome = last.outcome();
            self.leave_afterpulse(outcome);
        }
        run.taken
    }

    /// What fires in the noise's next slot, together with the light in it, if there is any; returns
    /// how many of the clicks of light that took.
    fn click_with_noise(
        &mut self,
        slot: u64,
        start_slot: u64,
        pulses: &[Pulse],
        clicks: Range<usize>,
        into: &mut Vec<Detection>,
    ) -> usize {
        let noise = self.noise.take(slot, &mut self.physics);
        let offset = slot - start_slot;
        let clicks = &self.scratch.fired[clicks];
        let with_light = clicks.first().is_some_and(|click| click.offset() == offset);
        if !self.dead_time.is_alive(slot) {
            self.counters.discarded_in_dead_time += 1;
            return usize::from(with_light);
        }
        let found = pulses.binary_search_by_key(&offset, |pulse| u64::from(pulse.offset));
        let light = found.ok().map(|index| self.scratch.outcomes[index]);
        let outcome = self.law.settle(light, noise.detectors(), &mut self.secret);
        self.counters.clicks += 1;
        self.counters.double_clicks += u64::from(outcome.is_double());
        self.counters.dark_counts += u64::from(noise.dark != 0);
        self.counters.afterpulses += u64::from(noise.afterpulse != 0);
        self.dead_time.register(slot);
        into.push(Detection {
            slot,
            basis: outcome.basis(),
            bit: outcome.bit(),
        });
        self.leave_afterpulse(outcome);
        usize::from(with_light)
    }

    /// Plans the afterpulse of the click that was just registered, if it leaves one.
    #[inline]
    fn leave_afterpulse(&mut self, outcome: Outcome) {
        if let Some(slot) = self.dead_time.afterpulse(&mut self.physics) {
            // After a double click either detector may be the one that traps the carrier.
            let exit = if outcome.exits() == BOTH {
                self.physics.bit()
            } else {
                outcome.bit()
            };
            self.noise.plan(Planned {
                slot,
                detector: self.law.detector(outcome.basis(), exit),
                cause: Cause::Afterpulse,
            });
        }
    }

    fn vacuum_before(&mut self, end: u64, into: &mut Vec<Detection>) {
        while self.noise.next_slot() < end {
            let slot = self.noise.next_slot();
            self.click_with_noise(slot, slot, &[], 0..0, into);
        }
    }
}

#[cfg(test)]
mod tests;
