//! The only way in which an attack touches light.

mod captured;
mod kept;

pub use captured::{CapturedPulse, MeasuredPulse, Orientation, Said};
pub use kept::KeptPhotons;

use std::vec::IntoIter;

use qkd_bits::PhysicsRng;

use crate::light::{Extras, ILLUMINATION_MAX, Pulse};
use crate::{Basis, CraftedPulse, Direction, Error, PulseTrain, Reflections};

/// A pulse train in Eve's hands, and the train that leaves them.
///
/// It offers what physics offers and no more: she may learn without disturbance which pulses hold
/// photons and how many; measure one along a direction or discriminate between its states (which
/// destroys it); split photons off and keep them for later; let it pass, early or late; stop it; make
/// pulses of her own, as faint or as bright as she likes; and shine steady light. What Alice prepared
/// stays sealed. Time runs forward: pulses that she lets go by, by capturing or injecting later ones,
/// have passed unharmed.
///
/// ```compile_fail
/// fn peek(port: &qkd_optics::EvePort) -> usize { port.waiting.len() }
/// ```
pub struct EvePort {
    start_slot: u64,
    span: u32,
    /// Pulses that have not reached her.
    waiting: IntoIter<Pulse>,
    outgoing: Vec<Pulse>,
    /// Offset of the last pulse she caught: nothing leaves before it any more.
    now: u32,
    /// Of the light that leaves.
    extras: Extras,
    /// What comes out of Alice's laboratory of the light that was shone into it.
    reflections: Vec<KeptPhotons>,
    physics: PhysicsRng,
}

impl EvePort {
    /// Puts a train into Eve's hands. `physics` decides how her measurements come out.
    pub fn new(train: PulseTrain, physics: PhysicsRng) -> Self {
        Self {
            start_slot: train.start_slot,
            span: train.span,
            outgoing: Vec::with_capacity(train.pulses.len()),
            waiting: train.pulses.into_iter(),
            now: 0,
            extras: train.extras,
            reflections: Vec::new(),
            physics,
        }
    }

    /// The same with what comes back of light that was shone into Alice's laboratory.
    #[must_use]
    pub fn with_reflections(mut self, reflections: Reflections) -> Self {
        self.reflections = reflections.photons;
        self
    }

    /// Takes all of that light, unseen, in the order of its slots: it goes into Eve's memory.
    pub fn take_reflections(&mut self) -> Vec<KeptPhotons> {
        std::mem::take(&mut self.reflections)
    }

    /// First slot of the train.
    pub fn start_slot(&self) -> u64 {
        self.start_slot
    }

    /// Number of slots of the train.
    pub fn span(&self) -> u32 {
        self.span
    }

    /// Catches the next pulse that is not vacuum: presence is seen without demolition.
    #[inline]
    pub fn next_pulse(&mut self) -> Option<CapturedPulse<'_>> {
        let pulse = self.waiting.next()?;
        self.now = pulse.offset;
        Some(CapturedPulse { port: self, pulse })
    }

    /// Sends a pulse of her own into `slot`. Pulses before it that she has not caught pass.
    ///
    /// # Errors
    /// [`Error::Injection`] when the slot is not of this train, lies before the last pulse that she
    /// caught or sent, already holds light, or when `photons` is 0.
    #[inline]
    pub fn inject(&mut self, slot: u64, basis: Basis, bit: bool, photons: u8) -> Result<(), Error> {
        if photons == 0 {
            let reason = "a pulse without a photon is vacuum";
            return Err(Error::Injection { slot, reason });
        }
        let pulse = CraftedPulse {
            direction: Direction::of(basis, bit),
            photons: photons.into(),
            arrival_ps: 0.0,
        };
        self.inject_crafted(slot, &pulse)
    }

    /// The same for a pulse of any direction, brightness and moment of its slot. An attack has no
    /// other way to make one than to say what she makes of it: nothing of Alice's light goes in.
    ///
    /// # Errors
    /// As [`inject`](Self::inject), and [`Error::OutOfRange`] for a pulse that cannot be made.
    ///
    /// ```compile_fail
    /// fn copy(port: &mut qkd_optics::EvePort, pulse: qkd_optics::CapturedPulse<'_>) {
    ///     port.inject_crafted(0, &pulse.pulse.description()).unwrap();
    /// }
    /// ```
    #[inline]
    pub fn inject_crafted(&mut self, slot: u64, pulse: &CraftedPulse) -> Result<(), Error> {
        pulse.check()?;
        let refuse = |reason| Err(Error::Injection { slot, reason });
        let offset = match slot.checked_sub(self.start_slot).map(u32::try_from) {
            Some(Ok(offset)) if offset < self.span => offset,
            _ => return refuse("it is not a slot of this train"),
        };
        if offset < self.now {
            return refuse("a pulse after it has already been caught");
        }
        if self
            .outgoing
            .last()
            .is_some_and(|last| last.offset >= offset)
        {
            return refuse("light has already left in it or after it");
        }
        self.pass_before(offset);
        let next = self.waiting.as_slice().first();
        if next.is_some_and(|next| next.offset == offset) {
            return refuse("it holds a pulse that was not caught");
        }
        self.push(pulse.pulse(offset));
        Ok(())
    }

    /// Shines steady unpolarised light into the outgoing fibre all through the train, besides what
    /// came in: photons per slot, 0 to [`ILLUMINATION_MAX`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for light that cannot be.
    ///
    /// ```compile_fail
    /// fn peek(port: &qkd_optics::EvePort) -> f64 { port.extras.illumination_photons }
    /// ```
    pub fn illuminate(&mut self, photons_per_slot: f64) -> Result<(), Error> {
        let all = self.extras.illumination_photons + photons_per_slot;
        if !(photons_per_slot >= 0.0 && all <= ILLUMINATION_MAX) {
            return Err(Error::OutOfRange {
                name: "steady light in photons per slot",
                value: photons_per_slot,
                expected: "0 to 1e15 photons per slot",
            });
        }
        self.extras.illumination_photons = all;
        Ok(())
    }

    /// Stops everything that is still to come, as a cut fibre does.
    ///
    /// ```compile_fail
    /// fn peek(port: &mut qkd_optics::EvePort) -> usize { port.stop().len() }
    /// ```
    pub fn stop(&mut self) {
        self.waiting = Vec::new().into_iter();
    }

    /// Lets everything that is still to come pass and gives the outgoing train away.
    pub fn finish(mut self) -> PulseTrain {
        self.pass_before(u32::MAX);
        // The last offset of a train is below its span, hence below u32::MAX: nothing is left.
        PulseTrain {
            start_slot: self.start_slot,
            span: self.span,
            pulses: self.outgoing,
            extras: self.extras,
        }
    }

    #[inline]
    fn pass_before(&mut self, offset: u32) {
        let is_before = |next: &Pulse| next.offset < offset;
        while self.waiting.as_slice().first().is_some_and(is_before) {
            let Some(pulse) = self.waiting.next() else {
                return;
            };
            self.push(pulse);
        }
    }

    #[inline]
    fn push(&mut self, pulse: Pulse) {
        self.extras.crafted |= pulse.photons == 0;
        self.outgoing.push(pulse);
    }
}

#[cfg(test)]
#[path = "eve_port/tests.rs"]
mod tests;
