//! Measure, and send what clicks where Eve wants it or hardly at all.

use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, CraftedPulse, Direction, EvePort, Monitor};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::time_shift::FavourablePs;
use crate::{About, Attack, Error, Record, Site, Verdict, either};

/// Faked states under efficiency mismatch (Makarov, Anisimov and Skaar, Phys. Rev. A 74, 022313
/// (2006)).
///
/// Eve measures in a random basis and gets b. She sends the opposite bit in the opposite basis, timed
/// for the detector of b. In her basis Bob gets b with the good detector or its opposite with the bad
/// one; in the other basis he would get the opposite of b for certain, with the bad one: mostly
/// nothing. With the bad detector r times as efficient as the good one his QBER is 2r/(1+3r), and
/// of the sifted bits she knows (1+r)/(1+3r).
pub struct FakedStates {
    favourable_ps: FavourablePs,
    record: Record,
}

impl FakedStates {
    pub(crate) const NAME: &'static str = "faked-states";
    pub(crate) const KEYS: &'static [&'static str] = FavourablePs::KEYS;
    pub(crate) const ABOUT: About = About {
        summary: "She measures and sends the opposite bit when one detector hardly sees.",
        lesson: "Two detectors that are not awake at quite the same time can be addressed one by \
                 one. If they are unlike enough, Eve's errors look like a bad day.",
        defaults: &["-100", "100"],
        site: Site::BobsDoor,
        gain: "(1+r)/(1+3r) of the bits, where one detector sees r times as well as the other",
        verdict: Verdict::Caught("the errors in the test basis"),
        monitors: &[Monitor::ErrorRates, Monitor::ArrivalTimes],
    };

    /// The attack with shifts of −1270 to 1270 ps.
    pub fn new(favourable_ps: FavourablePs) -> Self {
        Self {
            favourable_ps,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self::new(FavourablePs::read(&parameters)?))
    }
}

impl Attack for FakedStates {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            let basis = either(rng);
            let other = match basis {
                Basis::Z => Basis::X,
                Basis::X => Basis::Z,
            };
            let seen = pulse.measure(basis);
            self.record.tally.intercepted += 1;
            let faked = CraftedPulse {
                direction: Direction::of(other, !seen.bit),
                photons: seen.photons.into(),
                arrival_ps: self.favourable_ps.of(seen.bit),
            };
            // The slot was emptied just now: the port has no reason to refuse.
            if port.inject_crafted(seen.slot, &faked).is_ok() {
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
