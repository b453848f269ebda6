//! Blind the detectors and make them click at will.

use qkd_bits::PhysicsRng;
use qkd_optics::{BRIGHT_PHOTONS_MAX, CraftedPulse, Direction, EvePort, ILLUMINATION_MAX, Monitor};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict, either};

/// Blinding with faked states (Lydersen et al., Nat. Photonics 4, 686 (2010)).
///
/// Steady light pushes Bob's detectors into linear mode. Eve measures every pulse in a random basis
/// and sends a trigger in the state she saw: bright enough to click when Bob's basis is hers, and not
/// when it is the other and the light halves. Of what she detects Bob sees half, without errors or
/// double clicks, and she knows every bit.
pub struct Blinding {
    settings: BlindingSettings,
    record: Record,
}

/// How bright, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlindingSettings {
    /// Share of the time in which she attacks, 0 to 1; in the rest light passes.
    pub share: f64,
    /// Steady light, photons per slot, at Bob's entrance.
    pub steady_photons: f64,
    /// Photons of a trigger pulse: above the threshold of Bob's detectors, below twice that.
    pub trigger_photons: u64,
    /// Slots from the beginning of the light to the first trigger: until the detectors are blind.
    pub lead_slots: u64,
    /// Slots from one beginning of an attack to the next.
    pub period_slots: u64,
    /// Probability that what she detects becomes a trigger: to keep Bob's rate what it was.
    pub triggered: f64,
}

impl Default for BlindingSettings {
    /// For detectors that 10⁶ photons a slot blind within 10,000 slots and 10⁶ photons trigger.
    fn default() -> Self {
        Self {
            share: 1.0,
            steady_photons: 1e6,
            trigger_photons: 1_500_000,
            lead_slots: 20_000,
            period_slots: 10_000_000,
            triggered: 1.0,
        }
    }
}

impl Blinding {
    pub(crate) const NAME: &'static str = "blinding";
    pub(crate) const KEYS: &'static [&'static str] = &[
        "share",
        "steady_photons",
        "trigger_photons",
        "lead_slots",
        "period_slots",
        "triggered",
    ];
    pub(crate) const ABOUT: About = About {
        summary: "She blinds Bob's detectors with steady light and triggers them at will.",
        lesson: "A detector under bright light is a plain photodiode that clicks when Eve says \
                 so. Nothing in the counts betrays her, so the receiver has to look at the light \
                 itself.",
        defaults: &["1", "1000000", "1500000", "20000", "10000000", "1"],
        site: Site::BobsDoor,
        gain: "every bit",
        verdict: Verdict::Caught("the monitor of the incoming light"),
        monitors: &[Monitor::InputPower, Monitor::Photocurrent],
    };

    /// The attack with these settings; ones that cannot be made send nothing.
    pub fn new(settings: BlindingSettings) -> Self {
        Self {
            settings,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        let usual = BlindingSettings::default();
        let number = |key, default: f64, range, unit| parameters.number(key, default, range, unit);
        let photons_max = BRIGHT_PHOTONS_MAX as f64;
        let (trigger, lead) = (usual.trigger_photons as f64, usual.lead_slots as f64);
        let period = usual.period_slots as f64;
        Ok(Self::new(BlindingSettings {
            share: number("share", usual.share, 0.0..=1.0, "")?,
            steady_photons: number(
                "steady_photons",
                usual.steady_photons,
                0.0..=ILLUMINATION_MAX,
                "photons per slot",
            )?,
            trigger_photons: number("trigger_photons", trigger, 1.0..=photons_max, "photons")?
                as u64,
            lead_slots: number("lead_slots", lead, 0.0..=1e12, "slots")? as u64,
            period_slots: number("period_slots", period, 1.0..=1e15, "slots")? as u64,
            triggered: number("triggered", usual.triggered, 0.0..=1.0, "")?,
        }))
    }

    /// Whether `slot` belongs to an attack, and whether the detectors are blind by then.
    fn phase(&self, slot: u64) -> (bool, bool) {
        let BlindingSettings {
            share,
            lead_slots,
            period_slots,
            ..
        } = self.settings;
        let within = slot % period_slots;
        let attacks = (within as f64) < share * period_slots as f64;
        // Attacks that follow each other without a pause have one beginning.
        let since = if share >= 1.0 { slot } else { within };
        (attacks, since >= lead_slots)
    }
}

impl Attack for Blinding {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        // Light goes on and off between trains.
        let (attacks, _) = self.phase(port.start_slot());
        if attacks && port.illuminate(self.settings.steady_photons).is_err() {
            return;
        }
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            if !attacks {
                pulse.forward();
                continue;
            }
            let basis = either(rng);
            let seen = pulse.measure(basis);
            self.record.tally.intercepted += 1;
            let (_, is_blind) = self.phase(seen.slot);
            if !is_blind || !rng.chance(self.settings.triggered) {
                continue;
            }
            let bit = seen.bit;
            let trigger = CraftedPulse {
                direction: Direction::of(basis, bit),
                photons: self.settings.trigger_photons,
                arrival_ps: 0.0,
            };
            if port.inject_crafted(seen.slot, &trigger).is_ok() {
                self.record.sent(seen.slot, Note::Measured { basis, bit });
            }
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
