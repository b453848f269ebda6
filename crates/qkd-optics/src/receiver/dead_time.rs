//! What of the clicks is registered: the dead time, and who is next to leave an afterpulse.

use qkd_bits::PhysicsRng;

use super::scratch::Click;
use crate::Detectors;
use crate::sampling::GeometricGap;

/// The dead time common to all detectors, and the charge traps behind it.
pub(super) struct DeadTime {
    /// From a registered click to the first slot in which the detectors are alive again.
    recovery_slots: u64,
    alive_from: u64,
    /// Registered clicks from one that leaves an afterpulse to the next.
    afterpulse_gap: GeometricGap,
    afterpulse_delay: GeometricGap,
    /// Registered clicks up to, and with, the next one that leaves an afterpulse.
    until_afterpulse: u64,
}

/// What a run of clicks came to.
#[derive(Default)]
pub(super) struct Run {
    /// Clicks looked at.
    pub taken: usize,
    /// Clicks registered, at the front of the buffer.
    pub registered: usize,
    /// Double clicks among those.
    pub doubles: u64,
}

impl DeadTime {
    pub fn new(detectors: &Detectors, physics: &mut PhysicsRng) -> Self {
        let mut dead_time = Self {
            recovery_slots: detectors.blind_slots().saturating_add(1),
            alive_from: 0,
            afterpulse_gap: GeometricGap::new(detectors.afterpulse_probability),
            afterpulse_delay: GeometricGap::with_decay(detectors.afterpulse_decay_slots),
            until_afterpulse: 0,
        };
        dead_time.choose_next_afterpulse(physics);
        dead_time
    }

    #[inline]
    pub fn is_alive(&self, slot: u64) -> bool {
        slot >= self.alive_from
    }

    /// Registers those of `clicks`, whose slots count from `start_slot`, that lie before slot
    /// `end` and in no dead time, and writes them to `registered`, which is as long. Stops after
    /// a click that leaves an afterpulse. No branch depends on what happened to a photon.
    pub fn run(
        &mut self,
        start_slot: u64,
        clicks: &[Click],
        end: u64,
        registered: &mut [Click],
    ) -> Run {
        let registered = &mut registered[..clicks.len()];
        let limit = usize::try_from(self.until_afterpulse).unwrap_or(usize::MAX);
        let mut run = Run::default();
        let mut alive_from = self.alive_from;
        for click in clicks {
            let slot = start_slot + click.offset();
            if slot >= end || run.registered == limit {
                break;
            }
            run.taken += 1;
            registered[run.registered] = *click;
            let alive = slot >= alive_from;
            run.registered += usize::from(alive);
            run.doubles += u64::from(alive & click.outcome().is_double());
            let recovered = slot.saturating_add(self.recovery_slots);
            alive_from = if alive { recovered } else { alive_from };
        }
        self.alive_from = alive_from;
        self.until_afterpulse -= run.registered as u64;
        run
    }

    /// Registers one click in a slot in which the detectors are alive.
    pub fn register(&mut self, slot: u64) {
        self.alive_from = slot.saturating_add(self.recovery_slots);
        self.until_afterpulse -= 1;
    }

    /// The slot of the afterpulse that the last registered click leaves, if it leaves one.
    #[inline]
    pub fn afterpulse(&mut self, physics: &mut PhysicsRng) -> Option<u64> {
        if self.until_afterpulse > 0 {
            return None;
        }
        let delay = self.afterpulse_delay.draw(physics.next_u64());
        self.choose_next_afterpulse(physics);
        Some(self.alive_from.saturating_add(delay))
    }

    /// Clicks leave afterpulses independently of each other: the number of them from one that does
    /// to the next is geometric.
    fn choose_next_afterpulse(&mut self, physics: &mut PhysicsRng) {
        let gap = self.afterpulse_gap.draw(physics.next_u64());
        self.until_afterpulse = gap.saturating_add(1);
    }
}
