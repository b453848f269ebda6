//! Clicks without light of their slot: dark counts, background, afterpulses, displaced clicks.

use qkd_bits::PhysicsRng;

use super::click_law::DETECTORS;
use crate::sampling::GeometricGap;

/// The clicks that will happen without a pulse in their slot, the next one always at hand.
pub(super) struct Noise {
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
}

/// Which detectors fire in one slot: a bit for each, by cause.
#[derive(Clone, Copy, Default)]
pub(super) struct Fired {
    pub dark: u8,
    pub afterpulse: u8,
}

impl Fired {
    /// All of them.
    pub fn detectors(self) -> u8 {
        self.dark | self.afterpulse
    }
}

impl Noise {
    /// A receiver in which nothing fires on its own yet.
    pub fn new() -> Self {
        Self {
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
                self.next_dark[detector] = from.saturating_add(gap);
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
                *next = slot.saturating_add(1).saturating_add(gap);
            }
        }
        while let Some(&event) = self.planned.last()
            && event.slot <= slot
        {
            match event.cause {
                Cause::Afterpulse => fired.afterpulse |= 1 << event.detector,
            }
            self.planned.pop();
        }
        self.find_next();
        fired
    }

    /// Plans a click.
    pub fn plan(&mut self, event: Planned) {
        let position = self
            .planned
            .partition_point(|other| other.slot > event.slot);
        self.planned.insert(position, event);
        self.find_next();
    }

    fn find_next(&mut self) {
        let planned = self.planned.last().map_or(u64::MAX, |event| event.slot);
        self.next_slot = self.next_dark.into_iter().fold(planned, u64::min);
    }
}
