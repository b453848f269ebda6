//! Which clicks are booked beside their own slot, and where.

use qkd_bits::PhysicsRng;

use crate::TimingJitter;
use crate::sampling::GeometricGap;
use crate::sampling::alias::Alias;

/// Draws the displacement of one fired detector after another.
///
/// Detectors scatter independently, so that the number of them between two displaced ones is
/// geometric: those that stay where they are cost one subtraction.
pub(super) struct Jitter {
    gap: GeometricGap,
    /// Fired detectors up to the next displaced one.
    until_displaced: u64,
    displacements: Alias<i8, 32, 32>,
    /// Of its own, so that the draws follow the pulses however they are cut into trains.
    physics: PhysicsRng,
}

impl Jitter {
    /// Nothing when no click is ever displaced.
    pub fn new(jitter: &TimingJitter, mut physics: PhysicsRng) -> Option<Self> {
        let displacements = Alias::new(&jitter.displacements())?;
        let gap = GeometricGap::new(jitter.displaced_probability());
        Some(Self {
            until_displaced: gap.draw(physics.next_u64()),
            gap,
            displacements,
            physics,
        })
    }

    /// By how many slots the next fired detector is displaced; `None` when it is not.
    #[inline]
    pub fn next_displacement(&mut self) -> Option<i8> {
        if self.until_displaced > 0 {
            self.until_displaced -= 1;
            return None;
        }
        self.until_displaced = self.gap.draw(self.physics.next_u64());
        let word = (self.physics.next_u64() >> 32) as u32;
        let displacement = self.displacements.draw(word, || self.physics.next_u64());
        Some(displacement)
    }
}
