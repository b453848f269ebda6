//! Blind all detectors but one, and know which one clicks.

use qkd_bits::PhysicsRng;
use qkd_optics::{ARRIVAL_MAX_PS, Basis, CraftedPulse, Direction, EvePort, Monitor};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// The dead-time attack (Weier et al., New J. Phys. 13, 073024 (2011)).
///
/// Where every detector has a dead time of its own, a pulse of some photons in one of the four states
/// makes three of four detectors click; the one of the opposite state gets nothing of it and stays
/// awake. The pulse comes when clicks do not count, just before the slots of the signal. What is
/// detected during the dead time then was detected by that one, and Eve knows the bit without having
/// touched it. With a common dead time nothing is detected then at all.
pub struct DeadTime {
    settings: DeadTimeSettings,
    /// First slot of the next period.
    next_slot: u64,
    record: Record,
}

/// When she blinds, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeadTimeSettings {
    /// Slots for which a click blinds a detector.
    pub dead_slots: u64,
    /// Slots from one blinding pulse to the next, more than `dead_slots`.
    pub period_slots: u64,
    /// Photons of a blinding pulse.
    pub photons: u64,
    /// How much before the middle of its slot it arrives, ps.
    pub early_ps: f64,
}

impl Default for DeadTimeSettings {
    /// One pulse follows the other.
    fn default() -> Self {
        Self {
            dead_slots: 30,
            period_slots: 31,
            photons: 100,
            early_ps: 700.0,
        }
    }
}

impl DeadTime {
    pub(crate) const NAME: &'static str = "dead-time";
    pub(crate) const KEYS: &'static [&'static str] =
        &["dead_slots", "period_slots", "photons", "early_ps"];
    pub(crate) const ABOUT: About = About {
        summary: "She makes all detectors but one click just before a signal, which then says its bit.",
        lesson: "A detector that has just clicked is blind for a while, and who knows which one is \
                 awake knows what it will say. When a click of one blinds them all, she has \
                 stopped the link and learnt nothing.",
        defaults: &["30", "31", "100", "700"],
        site: Site::BobsDoor,
        gain: "up to 0.9 bit of every bit, where dead times are independent; nothing where they are \
               common",
        verdict: Verdict::Bounded("the dead time is common to all detectors"),
        monitors: &[Monitor::InputPower],
    };

    /// The attack with these settings; pulses that cannot be made are not sent.
    pub fn new(settings: DeadTimeSettings) -> Self {
        Self {
            settings,
            next_slot: 0,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        let usual = DeadTimeSettings::default();
        let slots = |key, default: f64| parameters.number(key, default, 1.0..=1e9, "slots");
        let dead_slots = slots("dead_slots", usual.dead_slots as f64)?;
        // What one pulse tells has to end before the next one: her notes are slot after slot.
        let longer = dead_slots + 1.0..=2e9;
        let period_slots = parameters.number("period_slots", dead_slots + 1.0, longer, "slots")?;
        let photons = parameters.number("photons", usual.photons as f64, 1.0..=1e6, "photons")?;
        let early_ps = parameters.number("early_ps", usual.early_ps, 0.0..=ARRIVAL_MAX_PS, "ps")?;
        Ok(Self::new(DeadTimeSettings {
            dead_slots: dead_slots as u64,
            period_slots: period_slots as u64,
            photons: photons as u64,
            early_ps,
        }))
    }

    /// Blinds all but one detector from `slot` on. A pulse of Alice's in that slot is lost.
    fn blind(&mut self, slot: u64, port: &mut EvePort, rng: &mut PhysicsRng) {
        let basis = if rng.bit() { Basis::Z } else { Basis::X };
        let bit = rng.bit();
        let pulse = CraftedPulse {
            direction: Direction::of(basis, bit),
            photons: self.settings.photons,
            arrival_ps: -self.settings.early_ps,
        };
        if port.inject_crafted(slot, &pulse).is_err() {
            // What came before has passed by now: the next one is the one in the way.
            if let Some(alices) = port.next_pulse() {
                self.record.tally.intercepted += 1;
                alices.block();
            }
            if port.inject_crafted(slot, &pulse).is_err() {
                return;
            }
        }
        self.record.tally.resent += 1;
        for slot in slot + 1..=slot + self.settings.dead_slots {
            let awake = Note::Measured { basis, bit: !bit };
            self.record.notebook.write(slot, awake);
        }
    }
}

impl Attack for DeadTime {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        let end = port.start_slot() + u64::from(port.span());
        self.next_slot = self.next_slot.max(port.start_slot());
        while self.next_slot < end {
            self.blind(self.next_slot, port, rng);
            self.next_slot += self.settings.period_slots;
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_cannot_follow_before_the_last_one_has_told_what_it_tells() {
        for (argument, sound) in [
            ("dead_slots=10", true),
            ("dead_slots=10,period_slots=11", true),
            ("dead_slots=10,period_slots=10", false),
            ("period_slots=30", false),
        ] {
            assert_eq!(DeadTime::read(Some(argument)).is_ok(), sound, "{argument}");
        }
    }
}
