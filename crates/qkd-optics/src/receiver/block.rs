//! From a block of pulses to the clicks that are registered.

use std::ops::Range;

use super::Receiver;
use super::noise::{Cause, Planned};
use super::outcome::{BOTH, Outcome};
use super::scratch::Click;
use crate::Detection;
use crate::light::Pulse;

/// Pulses of one train that are looked at together.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// Slot from which their offsets count.
    pub start_slot: u64,
    pub pulses: &'a [Pulse],
}

impl Block<'_> {
    /// By how much the light in a slot arrives later than its fellows, in ps.
    fn later_ps(&self, offset: u64) -> f64 {
        let pulses = self.pulses;
        let found = pulses.binary_search_by_key(&offset, |pulse| u64::from(pulse.offset));
        let crafted = found.ok().and_then(|index| pulses[index].as_crafted());
        crafted.map_or(0.0, |pulse| pulse.arrival_ps)
    }
}

impl Receiver {
    /// A block of pulses, and the vacuum between them, up to and without slot `end`.
    pub(super) fn read(&mut self, block: Block<'_>, end: u64, into: &mut impl Extend<Detection>) {
        if self.one_by_one.is_some() {
            return self.read_one_by_one(block, end, into);
        }
        let start_slot = block.start_slot;
        if let Some(arrivals) = &mut self.arrivals {
            let crafted = |pulse: &Pulse| pulse.as_crafted().is_some();
            arrivals.crafted = block.pulses.iter().any(crafted);
        }
        let fired = self.fire(block);
        let fired = self.scatter(block, fired);
        let mut next = 0;
        while next < fired || self.noise.next_slot() < end {
            let before = self.noise.next_slot().min(end);
            next += self.run(block, next..fired, before, into);
            // The run may have planned an afterpulse, which it stops for.
            let slot = self.noise.next_slot();
            let clicks = &self.scratch.fired[next..fired];
            let light_is_first = clicks
                .first()
                .is_some_and(|click| start_slot + click.offset() < slot);
            if slot < end && !light_is_first {
                next += self.click_with_noise(slot, block, next..fired, into);
            }
        }
    }

    /// What becomes of each pulse; returns how many fired a detector.
    fn fire(&mut self, block: Block<'_>) -> usize {
        let pulses = block.pulses;
        let scratch = &mut *self.scratch;
        let words = &mut scratch.words[..pulses.len()];
        self.pulses.fill_u32(words);
        let outcomes = &mut scratch.outcomes[..pulses.len()];
        let mut all = 0;
        for ((pulse, &mut word), outcome) in pulses.iter().zip(&mut *words).zip(&mut *outcomes) {
            *outcome = self.table.draw(pulse, word);
            all |= outcome.code();
        }
        if let Some(foreseen) = &self.foreseen {
            let further = &mut self.further;
            all = 0;
            for ((pulse, &mut word), outcome) in pulses.iter().zip(&mut *words).zip(&mut *outcomes)
            {
                let slot = block.start_slot + u64::from(pulse.offset);
                if let Some(settled) = foreseen.draw(slot, pulse, word, further) {
                    *outcome = settled;
                }
                all |= outcome.code();
            }
        }
        if Outcome::from_code(all).is_open() {
            for ((pulse, &mut word), outcome) in pulses.iter().zip(words).zip(&mut *outcomes) {
                if outcome.is_open() {
                    let (table, law) = (&self.table, &self.law);
                    *outcome = table.close(pulse, word, law, &mut self.further);
                }
            }
        }
        if self.gate_period_slots > 1 {
            for (pulse, outcome) in pulses.iter().zip(&mut *outcomes) {
                let slot = block.start_slot + u64::from(pulse.offset);
                if !slot.is_multiple_of(self.gate_period_slots) {
                    *outcome = outcome.with_exits(0);
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

    /// Moves clicks to where jitter books them; returns how many of the `fired` stay in their slot.
    ///
    /// A click that would be booked in a slot which has been read already goes into the first one
    /// that has not: the receiver sees blocks, not the future. That befalls none but clicks within
    /// a few slots of the beginning of a block.
    fn scatter(&mut self, block: Block<'_>, fired: usize) -> usize {
        let Some(jitter) = &mut self.jitter else {
            return fired;
        };
        let mut stay = 0;
        for index in 0..fired {
            let click = self.scratch.fired[index];
            let outcome = click.outcome();
            let mut exits = outcome.exits();
            for exit in [false, true] {
                let detector = 1 << u8::from(exit);
                if exits & detector == 0 {
                    continue;
                }
                if let Some(slots) = jitter.next_displacement() {
                    exits &= !detector;
                    let own = block.start_slot + click.offset();
                    let slot = own.saturating_add_signed(i64::from(slots));
                    self.noise.plan(Planned {
                        slot: slot.max(self.next_slot),
                        detector: self.law.detector(outcome.basis(), exit),
                        cause: Cause::Jitter,
                    });
                }
            }
            let mut kept = click;
            if exits != outcome.exits() {
                kept = click.with(outcome.with_exits(exits));
                let offset = click.offset();
                let pulses = block.pulses;
                let pulse = pulses.partition_point(|pulse| u64::from(pulse.offset) < offset);
                self.scratch.outcomes[pulse] = kept.outcome();
            }
            self.scratch.fired[stay] = kept;
            stay += usize::from(exits != 0);
        }
        stay
    }

    /// Registers clicks of light alone, before slot `end`; returns how many it has looked at.
    fn run(
        &mut self,
        block: Block<'_>,
        clicks: Range<usize>,
        end: u64,
        into: &mut impl Extend<Detection>,
    ) -> usize {
        let start_slot = block.start_slot;
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
        if let Some(arrivals) = &mut self.arrivals {
            for click in registered {
                let later_ps = if arrivals.crafted {
                    block.later_ps(click.offset())
                } else {
                    0.0
                };
                arrivals.light(click.outcome(), later_ps);
            }
        }
        if let Some([zero, one]) = &mut self.detector_clicks {
            for click in registered {
                let exits = click.outcome().exits();
                *zero += u64::from(exits == 0b01);
                *one += u64::from(exits == 0b10);
            }
        }
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
        block: Block<'_>,
        clicks: Range<usize>,
        into: &mut impl Extend<Detection>,
    ) -> usize {
        let noise = self.noise.take(slot, &mut self.physics);
        let offset = slot - block.start_slot;
        let clicks = &self.scratch.fired[clicks];
        let with_light = clicks.first().is_some_and(|click| click.offset() == offset);
        if !self.dead_time.is_alive(slot) {
            self.counters.discarded_in_dead_time += 1;
            return usize::from(with_light);
        }
        let pulses = block.pulses;
        let found = pulses.binary_search_by_key(&offset, |pulse| u64::from(pulse.offset));
        let light = found.ok().map(|index| self.scratch.outcomes[index]);
        let law = match &self.foreseen {
            Some(foreseen) => foreseen.law_at(slot).unwrap_or(&self.law),
            None => &self.law,
        };
        let outcome = law.settle(light, noise.detectors(), &mut self.secret);
        self.counters.clicks += 1;
        self.counters.double_clicks += u64::from(outcome.is_double());
        self.counters.dark_counts += u64::from(noise.dark != 0);
        self.counters.afterpulses += u64::from(noise.afterpulse != 0);
        self.counters.displaced_clicks += u64::from(noise.displaced != 0);
        if let Some(alone) = &mut self.detector_clicks
            && !outcome.is_double()
        {
            alone[usize::from(outcome.exits() == 0b10)] += 1;
        }
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.noise(outcome);
        }
        self.dead_time.register(slot);
        into.extend([Detection {
            slot,
            basis: outcome.basis(),
            bit: outcome.bit(),
        }]);
        self.leave_afterpulse(outcome);
        usize::from(with_light)
    }

    /// Plans the afterpulse of the click that was just registered, if it leaves one.
    #[inline]
    fn leave_afterpulse(&mut self, outcome: Outcome) {
        if let Some(slot) = self.dead_time.afterpulse(&mut self.physics)
            && self.law.has_avalanches()
        {
            // After a double click either detector may be the one that traps the carrier.
            let exit = if outcome.exits() == BOTH {
                self.physics.bit()
            } else {
                outcome.exits() == 0b10
            };
            self.noise.plan(Planned {
                slot,
                detector: self.law.detector(outcome.basis(), exit),
                cause: Cause::Afterpulse,
            });
        }
    }

    pub(super) fn vacuum_before(&mut self, end: u64, into: &mut impl Extend<Detection>) {
        while self.noise.next_slot() < end {
            let slot = self.noise.next_slot();
            if self.one_by_one.is_some() {
                self.slot_one_by_one(slot, None, into);
                continue;
            }
            let vacuum = Block {
                start_slot: slot,
                pulses: &[],
            };
            self.click_with_noise(slot, vacuum, 0..0, into);
        }
    }
}
