//! The only way in which an attack touches light.

use qkd_bits::PhysicsRng;

use crate::light::{Pulse, State};
use crate::{Basis, Error, PulseTrain};

/// A pulse train in Eve's hands, and the train that leaves them.
///
/// It offers what physics offers and no more: she may learn without disturbance which pulses hold
/// photons and how many, measure one in a basis (which destroys it), let it pass, stop it, and make
/// pulses of her own. What Alice prepared stays sealed. Time runs forward: pulses that she lets go
/// by, by capturing or injecting later ones, have passed unharmed.
///
/// ```compile_fail
/// fn peek(port: &qkd_optics::EvePort) -> usize { port.waiting.len() }
/// ```
pub struct EvePort {
    start_slot: u64,
    span: u32,
    /// Pulses that have not reached her, the next one last.
    waiting: Vec<Pulse>,
    outgoing: Vec<Pulse>,
    /// Offset of the last pulse she caught: nothing leaves before it any more.
    now: u32,
    physics: PhysicsRng,
}

/// A pulse that Eve holds. She must decide what becomes of it; one that is merely dropped is lost.
///
/// ```compile_fail
/// fn peek(pulse: qkd_optics::CapturedPulse<'_>) -> u8 { pulse.pulse.state.code() }
/// ```
#[must_use = "a captured pulse that is dropped is lost: measure, forward or block it"]
pub struct CapturedPulse<'a> {
    port: &'a mut EvePort,
    pulse: Pulse,
}

/// What is left of a pulse that Eve measured: her knowledge.
pub struct MeasuredPulse {
    /// Absolute slot of the pulse.
    pub slot: u64,
    /// Basis she measured in.
    pub basis: Basis,
    /// What most of its photons said, on a tie a fair coin.
    pub bit: bool,
    /// Photons that it held.
    pub photons: u8,
    /// How many of them said 0 and 1.
    pub outcomes: [u8; 2],
}

impl EvePort {
    /// Puts a train into Eve's hands. `physics` decides how her measurements come out.
    pub fn new(train: PulseTrain, physics: PhysicsRng) -> Self {
        let mut waiting = train.pulses;
        waiting.reverse();
        Self {
            start_slot: train.start_slot,
            span: train.span,
            outgoing: Vec::with_capacity(waiting.len()),
            waiting,
            now: 0,
            physics,
        }
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
    pub fn next_pulse(&mut self) -> Option<CapturedPulse<'_>> {
        let pulse = self.waiting.pop()?;
        self.now = pulse.offset;
        Some(CapturedPulse { port: self, pulse })
    }

    /// Sends a pulse of her own into `slot`. Pulses before it that she has not caught pass.
    ///
    /// # Errors
    /// [`Error::Injection`] when the slot is not of this train, lies before the last pulse that she
    /// caught or sent, already holds light, or when `photons` is 0.
    pub fn inject(&mut self, slot: u64, basis: Basis, bit: bool, photons: u8) -> Result<(), Error> {
        let refuse = |reason| Err(Error::Injection { slot, reason });
        let offset = match slot.checked_sub(self.start_slot).map(u32::try_from) {
            Some(Ok(offset)) if offset < self.span => offset,
            _ => return refuse("it is not a slot of this train"),
        };
        if photons == 0 {
            return refuse("a pulse without a photon is vacuum");
        }
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
        if self
            .waiting
            .last()
            .is_some_and(|next| next.offset == offset)
        {
            return refuse("it holds a pulse that was not caught");
        }
        self.outgoing.push(Pulse {
            offset,
            photons,
            state: State::new(basis, bit),
        });
        Ok(())
    }

    /// Lets everything that is still to come pass and gives the outgoing train away.
    pub fn finish(mut self) -> PulseTrain {
        self.pass_before(u32::MAX);
        // The last offset of a train is below its span, hence below u32::MAX: nothing is left.
        PulseTrain {
            start_slot: self.start_slot,
            span: self.span,
            pulses: self.outgoing,
        }
    }

    fn pass_before(&mut self, offset: u32) {
        while let Some(pulse) = self.waiting.pop_if(|next| next.offset < offset) {
            self.outgoing.push(pulse);
        }
    }
}

impl CapturedPulse<'_> {
    /// Absolute slot of the pulse.
    pub fn slot(&self) -> u64 {
        self.port.start_slot + u64::from(self.pulse.offset)
    }

    /// Number of photons, counted without demolition.
    pub fn photons(&self) -> u8 {
        self.pulse.photons
    }

    /// Measures every photon with ideal detectors, which destroys the pulse. In the basis that the
    /// pulse was prepared in all say its bit, in the other one each says what it likes.
    pub fn measure(self, basis: Basis) -> MeasuredPulse {
        let slot = self.slot();
        let CapturedPulse { port, pulse } = self;
        let photons = pulse.photons;
        let mut ones = 0;
        if pulse.state.basis() == basis {
            ones = if pulse.state.bit() { photons } else { 0 };
        } else {
            for _ in 0..photons {
                ones += u8::from(port.physics.bit());
            }
        }
        let outcomes = [photons - ones, ones];
        let bit = match outcomes[1].cmp(&outcomes[0]) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => port.physics.bit(),
        };
        MeasuredPulse {
            slot,
            basis,
            bit,
            photons,
            outcomes,
        }
    }

    /// Lets it pass unharmed.
    pub fn forward(self) {
        // It was caught in order, and nothing has been sent since: the order is kept.
        self.port.outgoing.push(self.pulse);
    }

    /// Stops it.
    pub fn block(self) {}
}

#[cfg(test)]
#[path = "eve_port/tests.rs"]
mod tests;
