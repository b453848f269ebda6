//! Clicks without light of their slot: dark counts, background, afterpulses, displaced clicks.

use qkd_bits::PhysicsRng;

use super::click_law::DETECTORS;
use crate::sampling::GeometricGap;

/// The clicks that will happen without a pulse in their slot, the next one always at hand.
pub(super) struct Noise {
    /// Slots from one gate to the next: nothing is seen, and nothing fires, in between.
    gate_period_slots: u64,
    probabilities: [f64; DETECTORS],
    gaps: [GeometricGap; DETECTORS],
    /// Next dark count or background click of each detector.
    next_dark: [u64; DETECTORS],
    /// Events to come, the latest first, so that the next is popped.
    planned: Vec<Planned>,
    next_slot: u64,
}

/// A click that is certain to come, should the receiver be alive then.
#[derive(Clone, Copy)]
pub(super) struct Planned {
    pub slot: u64,
    /// Detector, in the order of the [click law](super::click_law).
    pub detector: u8,
    pub cause: Cause,
}

/// Why a detector fires without light of its slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A charge that an earlier avalanche left behind.
    Afterpulse,
    /// Light of another slot, registered early or late.
    Jitter,
}

/// Which detectors fire in one slot: a bit for each, by cause.
#[derive(Clone, Copy, Default)]
pub(super) struct Fired {
    pub dark: u8,
    pub afterpulse: u8,
    pub displaced: u8,
}

impl Fired {
    /// All of them.
    pub fn detectors(self) -> u8 {
        self.dark | self.afterpulse | self.displaced
    }
}

impl Noise {
    /// A receiver in which nothing fires on its own yet.
    pub fn new(gate_period_slots: u64) -> Self {
        Self {
            gate_period_slots,
            probabilities: [0.0; DETECTORS],
            gaps: [0.0; DETECTORS].map(GeometricGap::new),
            next_dark: [u64::MAX; DETECTORS],
            planned: Vec::new(),
            next_slot: u64::MAX,
        }
    }

    /// From slot `from` on, every detector fires with its probability. Slots being independent, the
    /// waiting time may start anew whenever a probability changes.
    pub fn set(&mut self, probabilities: [f64; DETECTORS], from: u64, physics: &mut PhysicsRng) {
        for (detector, probability) in probabilities.into_iter().enumerate() {
            if self.probabilities[detector] != probability {
                self.probabilities[detector] = probability;
                self.gaps[detector] = GeometricGap::new(probability);
                let gap = self.gaps[detector].draw(physics.next_u64());
                let first = self.gate_from(from);
                self.next_dark[detector] =
                    first.saturating_add(gap.saturating_mul(self.gate_period_slots));
            }
        }
        self.find_next();
    }

    /// The slot of the next click without light of its own.
    #[inline]
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// Takes what fires in `slot`, which is the [`next_slot`](Self::next_slot).
    pub fn take(&mut self, slot: u64, physics: &mut PhysicsRng) -> Fired {
        let mut fired = Fired::default();
        for (detector, next) in self.next_dark.iter_mut().enumerate() {
            if *next == slot {
                fired.dark |= 1 << detector;
                let gap = self.gaps[detector].draw(physics.next_u64());
                let slots = gap.saturating_add(1).saturating_mul(self.gate_period_slots);
                *next = slot.saturating_add(slots);
            }
        }
        while let Some(&event) = self.planned.last()
            && event.slot <= slot
        {
            match event.cause {
                Cause::Afterpulse => fired.afterpulse |= 1 << event.detector,
                Cause::Jitter => fired.displaced |= 1 << event.detector,
            }
            self.planned.pop();
        }
        self.find_next();
        fired
    }

    /// Plans a click. A charge is released into the next gate; light between gates is not seen.
    pub fn plan(&mut self, mut event: Planned) {
        let gate = self.gate_from(event.slot);
        match event.cause {
            Cause::Afterpulse => event.slot = gate,
            Cause::Jitter if event.slot == gate => {}
            Cause::Jitter => return,
        }
        let position = self
            .planned
            .partition_point(|other| other.slot > event.slot);
        self.planned.insert(position, event);
        self.find_next();
    }

    /// Without avalanches there are no charges left of them.
    pub fn forget_afterpulses(&mut self) {
        self.planned
            .retain(|event| event.cause != Cause::Afterpulse);
        self.find_next();
    }

    /// The first gate in `slot` or after it.
    fn gate_from(&self, slot: u64) -> u64 {
        match slot % self.gate_period_slots {
            0 => slot,
            past => slot.saturating_add(self.gate_period_slots - past),
        }
    }

    fn find_next(&mut self) {
        let planned = self.planned.last().map_or(u64::MAX, |event| event.slot);
        self.next_slot = self.next_dark.into_iter().fold(planned, u64::min);
    }
}
