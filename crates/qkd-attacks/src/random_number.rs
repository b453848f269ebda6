//! Know beforehand in which basis Bob measures.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, Monitor, WeakGenerator};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Intercept-resend with a back door in Bob's generator of bases (Bouda et al., Phys. Rev. A 86, 062308
/// (2012)).
///
/// Eve measures in the basis that she foresees for Bob and sends on what she saw. Where she is right,
/// with probability g, she has the bit and makes no error; else half of the sifted bits are wrong. The
/// QBER is (1 − g)/2 and she has g of the sifted bits. Against a sound generator g is ½: a plain
/// intercept-resend. Pulses of several photons pass: all in one state again, those that Alice prepared
/// in the other basis would no longer fire both detectors, and the double clicks be missed.
pub struct RandomNumber {
    seed: u64,
    record: Record,
}

impl RandomNumber {
    pub(crate) const NAME: &'static str = "random-number";
    pub(crate) const KEYS: &'static [&'static str] = &["seed"];
    pub(crate) const ABOUT: About = About {
        summary: "She knows Bob's generator and measures each photon in the basis that it will say.",
        lesson: "A generator with a back door is as fair as any, to everybody but its maker. Health \
                 tests find one that has failed, never one that is foreseen.",
        defaults: &["1"],
        site: Site::BobsDoor,
        gain: "a share g of the bits of single photons at a QBER of (1 − g)/2, where she is right \
               about the basis in g",
        verdict: Verdict::Open("the generator has to be Bob's own"),
        monitors: &[Monitor::ErrorRates],
    };

    /// The attack on the generator that has this number in its back door.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        // Numbers beyond are no longer told apart.
        let seed = parameters.number("seed", 1.0, 0.0..=9e15, "")?;
        Ok(Self::new(seed as u64))
    }
}

impl Attack for RandomNumber {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            if pulse.photons() > 1 {
                pulse.forward();
                continue;
            }
            self.record.tally.intercepted += 1;
            let basis = WeakGenerator::foreseen(self.seed, pulse.slot());
            let seen = pulse.measure(basis);
            // The slot was emptied just now: the port has no reason to refuse.
            let sent = port.inject(seen.slot, basis, seen.bit, seen.photons);
            if sent.is_ok() {
                let bit = seen.bit;
                let note = Note::Measured { basis, bit };
                self.record.sent(seen.slot, note);
            }
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
