//! Bob's receiver: choice of basis, detectors, one dead time, squashing.

mod arrivals;
mod block;
mod click_law;
mod click_table;
mod counters;
mod dead_time;
mod foreseen;
mod integrator;
mod jitter;
mod noise;
mod one_by_one;
mod outcome;
mod readings;
mod scratch;
mod settle;
mod surroundings;

use std::borrow::Borrow;

use qkd_bits::{Defect, HealthAlarm, PhysicsRng, SecretRng, SecretStream};

use crate::{BitAssignment, Channel, Detection, Detectors, Error, FlashPhoton, PulseTrain};
use arrivals::ArrivalClock;
pub use arrivals::Arrivals;
use block::Block;
use click_law::ClickLaw;
use click_table::ClickTable;
pub use counters::ReceiverCounters;
use dead_time::DeadTime;
use foreseen::Foreseen;
use jitter::Jitter;
use noise::Noise;
use one_by_one::OneByOne;
pub use readings::{Level, Readings, Weakened, Windows};
use scratch::{BLOCK_PULSES, Scratch};
use surroundings::Surroundings;

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
    surroundings: Surroundings,
    law: ClickLaw,
    table: ClickTable,
    noise: Noise,
    dead_time: DeadTime,
    one_by_one: Option<OneByOne>,
    foreseen: Option<Box<Foreseen>>,
    jitter: Option<Jitter>,
    /// Slots from one gate to the next, 1 without gating.
    gate_period_slots: u64,
    next_slot: u64,
    scratch: Box<Scratch>,
    /// Chooses basis and clicks of every pulse, 32 bits for each.
    pulses: SecretStream,
    /// What few pulses need beyond that, in the order of the pulses.
    further: SecretRng,
    /// Bases and coins of what fires without a pulse of its own.
    secret: SecretRng,
    /// Decides what detectors do on their own.
    /// Decides which clicks send light back: a generator of its own, as who asks about flashes does so when
    /// it suits him.
    flashes: Option<PhysicsRng>,
    physics: PhysicsRng,
    counters: ReceiverCounters,
    /// Registered clicks of each detector alone, where bits are assigned to them at random.
    detector_clicks: Option<[u64; 2]>,
    arrivals: Option<ArrivalClock>,
    /// First slot, and what was counted, that the instruments were not read for yet.
    read_until: (u64, ReceiverCounters),
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
        let surroundings = Surroundings::new(&detectors, &mut secret);
        let (conditions, response) = (surroundings.conditions(), surroundings.response());
        let law = ClickLaw::new(&detectors, &conditions, response);
        let mut noise = Noise::new(detectors.gate_period_slots());
        noise.set(law.noise(), 0, &mut physics);
        Ok(Self {
            surroundings,
            table: ClickTable::new(&law),
            law,
            noise,
            dead_time: DeadTime::new(&detectors, &mut physics),
            one_by_one: OneByOne::new(&detectors),
            foreseen: Foreseen::new(&detectors, &conditions, response),
            jitter: match &detectors.effects.timing_jitter {
                Some(jitter) => Jitter::new(jitter, physics.fork()),
                None => None,
            },
            flashes: (detectors.effects.back_flash.as_ref()).map(|_| physics.fork()),
            gate_period_slots: detectors.gate_period_slots(),
            detector_clicks: match detectors.effects.bit_assignment {
                BitAssignment::Fixed => None,
                BitAssignment::Random => Some([0; 2]),
            },
            arrivals: (detectors.effects.arrival_monitor)
                .map(|monitor| ArrivalClock::new(monitor, &mut physics)),
            detectors,
            next_slot: 0,
            scratch: Scratch::new(),
            pulses: SecretStream::new(secret.fork()),
            further: secret.fork(),
            secret,
            physics,
            counters: ReceiverCounters::default(),
            read_until: Default::default(),
        })
    }

    /// The same receiver behind a channel whose conditions change over time. Conditions that cannot
    /// be (see [`Conditions::check`](crate::Conditions::check)) are those of a channel that lets nothing pass.
    #[must_use]
    pub fn with_channel(mut self, channel: Box<dyn Channel + Send>) -> Self {
        self.surroundings.set_channel(channel, self.next_slot);
        self
    }

    /// Detects a train and appends its clicks in slot order: to [`Detections`](crate::Detections)
    /// where a block is made of them, to any list else. Slots between the last train and this
    /// one are vacuum: dark counts and afterpulses go on there, and dead time passes.
    ///
    /// # Errors
    /// [`Error::BehindReceiver`] when the train starts before [`next_slot`](Self::next_slot);
    /// nothing is changed then.
    pub fn detect(
        &mut self,
        train: PulseTrain,
        into: &mut impl Extend<Detection>,
    ) -> Result<(), Error> {
        if train.start_slot < self.next_slot {
            return Err(Error::BehindReceiver {
                start_slot: train.start_slot,
                next_slot: self.next_slot,
            });
        }
        self.advance_to(train.start_slot, into);
        self.surroundings.shine(train.extras.illumination_photons);
        let mut pulses = &train.pulses[..];
        while self.next_slot < train.end_slot() {
            let end = self.enter_surroundings().min(train.end_slot());
            let offset = end - train.start_slot;
            let here = pulses.partition_point(|pulse| u64::from(pulse.offset) < offset);
            let (now, later) = pulses.split_at(here);
            self.surroundings.illuminate(now, end - self.next_slot);
            for pulses in now.chunks(BLOCK_PULSES) {
                let start_slot = train.start_slot;
                let last = pulses.last().map_or(0, |pulse| u64::from(pulse.offset));
                let block_end = start_slot + last + 1;
                self.read(Block { start_slot, pulses }, block_end, into);
                self.next_slot = block_end;
            }
            self.vacuum_before(end, into);
            pulses = later;
            self.next_slot = end;
        }
        Ok(())
    }

    /// As [`detect`](Self::detect), but lives through `slots_max` slots at most, vacuum before the
    /// train included, and returns the rest of the train, if there is any. A frame may claim to be
    /// far ahead, and dark slots cost time and memory when conditions change or much is dark.
    ///
    /// # Errors
    /// As [`detect`](Self::detect).
    pub fn detect_some(
        &mut self,
        mut train: PulseTrain,
        slots_max: u64,
        into: &mut impl Extend<Detection>,
    ) -> Result<Option<PulseTrain>, Error> {
        let end = self.next_slot.saturating_add(slots_max);
        if train.start_slot < self.next_slot || end >= train.end_slot() {
            return self.detect(train, into).map(|()| None);
        }
        if end <= train.start_slot {
            self.advance_to(end, into);
            return Ok(Some(train));
        }
        let later = train.split_off(end);
        self.detect(train, into)?;
        Ok(Some(later))
    }

    /// Lets vacuum pass up to, and without, `slot`, and appends the clicks that happen in it. Does
    /// nothing when the receiver is already there.
    pub fn advance_to(&mut self, slot: u64, into: &mut impl Extend<Detection>) {
        if self.next_slot < slot {
            self.surroundings.shine(0.0);
        }
        while self.next_slot < slot {
            let end = self.enter_surroundings().min(slot);
            self.surroundings.illuminate(&[], end - self.next_slot);
            self.vacuum_before(end, into);
            self.next_slot = end;
        }
    }

    /// First slot that the receiver has not seen.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// The light that these clicks send back into the fibre: photons of those that glow, in the same
    /// order. Of a double click either detector may be the one. Takes no look at the clicks where no
    /// detector glows.
    pub fn flash_back(
        &mut self,
        clicks: impl IntoIterator<Item = impl Borrow<Detection>>,
    ) -> Vec<FlashPhoton> {
        let back_flash = &self.detectors.effects.back_flash;
        let (Some(flash), Some(flashes)) = (back_flash, &mut self.flashes) else {
            return Vec::new();
        };
        let leaves = flash.leaving_probability();
        let clicks = clicks.into_iter();
        let glowing = clicks.filter(|_| flashes.chance(leaves));
        glowing
            .map(|click| FlashPhoton::new(click.borrow().slot, click.borrow().bit))
            .collect()
    }

    /// How the generator of its choices has failed, if it has: what was detected since must not be
    /// used.
    pub fn generator_alarm(&self) -> Option<HealthAlarm> {
        self.pulses.alarm()
    }

    /// Breaks that generator: to see whether it is noticed.
    pub fn spoil_generator(&mut self, defect: Defect) {
        self.pulses.spoil(defect);
    }

    /// What happened so far.
    pub fn counters(&self) -> ReceiverCounters {
        ReceiverCounters {
            power_alarms: self.surroundings.alarms(),
            ..self.counters
        }
    }

    /// What the instruments have shown since they were last read, up to
    /// [`next_slot`](Self::next_slot). A window of a monitor counts where it ends.
    #[must_use]
    pub fn take_readings(&mut self) -> Readings {
        let (slot, counters) = self.read_until;
        let new = self.counters.since(&counters);
        let mut readings = Readings {
            slots: self.next_slot - slot,
            clicks: new.clicks,
            double_clicks: new.double_clicks,
            detector_clicks: self.detector_clicks.as_mut().map(std::mem::take),
            arrivals: self.arrivals.as_mut().map(ArrivalClock::take),
            generator: self.generator_alarm(),
            ..Readings::default()
        };
        let clicks = self.counters.clicks;
        self.surroundings
            .read(self.next_slot, clicks, &mut readings);
        self.read_until = (self.next_slot, self.counters);
        readings
    }

    /// Takes over what holds from the next slot on, and returns the first slot in which that may
    /// have changed.
    fn enter_surroundings(&mut self) -> u64 {
        if (self.surroundings).enter(self.next_slot, self.counters.clicks) {
            let surroundings = &self.surroundings;
            let (conditions, response) = (surroundings.conditions(), surroundings.response());
            self.law = ClickLaw::new(&self.detectors, &conditions, response);
            self.table = ClickTable::new(&self.law);
            self.foreseen = Foreseen::new(&self.detectors, &conditions, response);
            let noise = self.law.noise();
            self.noise.set(noise, self.next_slot, &mut self.physics);
            if !self.law.has_avalanches() {
                self.noise.forget_afterpulses();
            }
        }
        self.surroundings.until()
    }
}

#[cfg(test)]
mod tests;
