//! Clicks without light: dark counts and afterpulses to come.

use qkd_bits::PhysicsRng;

use super::Fired;
use crate::sampling::GeometricGap;

/// The clicks that will happen without light, the next one always at hand.
pub(super) struct Noise {
    dark_gap: GeometricGap,
    /// Next dark count of each detector.
    next_dark: [u64; 2],
    /// Scheduled afterpulses (slot, detector), the latest first, so that the next is popped.
    afterpulses: Vec<(u64, bool)>,
    next_slot: u64,
}

impl Noise {
    pub fn new(dark_count_probability: f64, physics: &mut PhysicsRng) -> Self {
        let dark_gap = GeometricGap::new(dark_count_probability);
        let next_dark = [(); 2].map(|()| dark_gap.draw(physics.next_u64()));
        let mut noise = Self {
            dark_gap,
            next_dark,
            afterpulses: Vec::new(),
            next_slot: 0,
        };
        noise.find_next();
        noise
    }

    /// The slot of the next click without light.
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
                let gap = self.dark_gap.draw(physics.next_u64());
                *next = slot.saturating_add(1).saturating_add(gap);
            }
        }
        while let Some(&(at, detector)) = self.afterpulses.last()
            && at <= slot
        {
            fired.afterpulse |= 1 << u8::from(detector);
            self.afterpulses.pop();
        }
        self.find_next();
        fired
    }

    /// Plans an afterpulse.
    pub fn schedule(&mut self, slot: u64, detector: bool) {
        let position = self.afterpulses.partition_point(|&(at, _)| at > slot);
        self.afterpulses.insert(position, (slot, detector));
        self.find_next();
    }

    fn find_next(&mut self) {
        let afterpulse = self.afterpulses.last().map_or(u64::MAX, |&(at, _)| at);
        self.next_slot = self.next_dark[0].min(self.next_dark[1]).min(afterpulse);
    }
}
