//! Bob's receiver: active basis choice, two detectors, one dead time, squashing.

mod noise;

use qkd_bits::{PhysicsRng, SecretRng};

use crate::channel::survivors;
use crate::light::State;
use crate::sampling::GeometricGap;
use crate::{Basis, Detection, Detectors, Error, PulseTrain};
use noise::Noise;

/// Bob's receiver, which ages slot by slot whether light arrives or not.
///
/// A photon survives insertion loss and detector efficiency; one measured in its own basis takes
/// the wrong exit with the misalignment error, in the other basis either exit with probability ½.
/// Dark counts fall into every slot, also those of lost frames. A click in either detector blinds
/// both for the dead time, and what would have clicked meanwhile is discarded (common dead time:
/// independent ones publish bits). When both fire, the bit is a fair coin (squashing): double
/// clicks are never dropped.
pub struct Receiver {
    /// Insertion transmittance times detector efficiency.
    survival: f64,
    misalignment_error: f64,
    key_basis_probability: f64,
    dead_time_slots: u64,
    afterpulse_probability: f64,
    afterpulse_delay: GeometricGap,
    noise: Noise,
    /// First slot in which the detectors are alive again.
    alive_from: u64,
    next_slot: u64,
    /// Chooses bases and settles double clicks: Bob's secrets.
    secret: SecretRng,
    /// Decides what photons do.
    physics: PhysicsRng,
    counters: ReceiverCounters,
}

/// What happened in the receiver so far. The emulated hardware knows more than real hardware would:
/// these are figures for the operator and for tests, never input of a protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// Registered clicks, double clicks counted once.
    pub clicks: u64,
    /// Registered clicks in which both detectors fired.
    pub double_clicks: u64,
    /// Registered clicks with a dark count in them.
    pub dark_counts: u64,
    /// Registered clicks with an afterpulse in them.
    pub afterpulses: u64,
    /// Clicks that fell into a dead time.
    pub discarded_in_dead_time: u64,
}

/// Which detectors fire in one slot: bit 0 and bit 1 of each field.
#[derive(Clone, Copy, Default)]
struct Fired {
    light: u8,
    dark: u8,
    afterpulse: u8,
}

impl Receiver {
    /// A receiver at slot 0. `secret` chooses bases, `physics` decides what nature does.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first parameter that cannot be.
    pub fn new(
        detectors: Detectors,
        secret: SecretRng,
        mut physics: PhysicsRng,
    ) -> Result<Self, Error> {
        detectors.check()?;
        let noise = Noise::new(detectors.dark_count_probability, &mut physics);
        Ok(Self {
            survival: detectors.insertion_transmittance * detectors.detector_efficiency,
            misalignment_error: detectors.misalignment_error,
            key_basis_probability: detectors.key_basis_probability,
            dead_time_slots: detectors.dead_time_slots,
            afterpulse_probability: detectors.afterpulse_probability,
            afterpulse_delay: GeometricGap::with_decay(detectors.afterpulse_decay_slots),
            noise,
            alive_from: 0,
            next_slot: 0,
            secret,
            physics,
            counters: ReceiverCounters::default(),
        })
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
        for pulse in &train.pulses {
            let slot = train.start_slot + u64::from(pulse.offset);
            if self.noise.next_slot() < slot {
                self.vacuum_before(slot, into);
            }
            let photons = survivors(pulse.photons, self.survival, &mut self.physics);
            let noisy = self.noise.next_slot() == slot;
            if photons == 0 && !noisy {
                continue;
            }
            let basis = self.choose_basis();
            let mut fired = if noisy {
                self.noise.take(slot, &mut self.physics)
            } else {
                Fired::default()
            };
            for _ in 0..photons {
                fired.light |= 1 << u8::from(self.exit(pulse.state, basis));
            }
            self.register(slot, basis, fired, into);
        }
        self.advance_to(train.end_slot(), into);
        Ok(())
    }

    /// Lets vacuum pass up to, and without, `slot`, and appends the clicks that happen in it. Does
    /// nothing when the receiver is already there.
    pub fn advance_to(&mut self, slot: u64, into: &mut Vec<Detection>) {
        self.vacuum_before(slot, into);
        self.next_slot = self.next_slot.max(slot);
    }

    /// First slot that the receiver has not seen.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// What happened so far.
    pub fn counters(&self) -> ReceiverCounters {
        self.counters
    }

    fn vacuum_before(&mut self, end: u64, into: &mut Vec<Detection>) {
        while self.noise.next_slot() < end {
            let slot = self.noise.next_slot();
            let fired = self.noise.take(slot, &mut self.physics);
            let basis = self.choose_basis();
            self.register(slot, basis, fired, into);
        }
    }

    #[inline]
    fn choose_basis(&mut self) -> Basis {
        if self.secret.chance(self.key_basis_probability) {
            Basis::Z
        } else {
            Basis::X
        }
    }

    /// The detector that a photon ends up in.
    #[inline]
    fn exit(&mut self, state: State, basis: Basis) -> bool {
        let flip = if state.basis() == basis {
            self.misalignment_error
        } else {
            0.5
        };
        state.bit() ^ self.physics.chance(flip)
    }

    fn register(&mut self, slot: u64, basis: Basis, fired: Fired, into: &mut Vec<Detection>) {
        if slot < self.alive_from {
            self.counters.discarded_in_dead_time += 1;
            return;
        }
        let exits = fired.light | fired.dark | fired.afterpulse;
        let double = exits == 0b11;
        let bit = if double {
            self.secret.bit()
        } else {
            exits == 0b10
        };
        self.counters.clicks += 1;
        self.counters.double_clicks += u64::from(double);
        self.counters.dark_counts += u64::from(fired.dark != 0);
        self.counters.afterpulses += u64::from(fired.afterpulse != 0);
        self.alive_from = slot.saturating_add(self.dead_time_slots).saturating_add(1);
        if self.afterpulse_probability > 0.0 && self.physics.chance(self.afterpulse_probability) {
            let delay = self.afterpulse_delay.draw(self.physics.next_u64());
            // After a double click either detector may be the one that traps the carrier.
            let exit = if double { self.physics.bit() } else { bit };
            self.noise
                .schedule(self.alive_from.saturating_add(delay), exit);
        }
        into.push(Detection { slot, basis, bit });
    }
}

#[cfg(test)]
#[path = "receiver/tests.rs"]
mod tests;
