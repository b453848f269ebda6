//! Watch Bob's detectors glow.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, FlashPhoton};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Catching back-flashes (Kurtsiefer et al., J. Mod. Opt. 48, 2039 (2001); Pinheiro et al., Opt. Express
/// 26, 21020 (2018)).
///
/// A detector that clicks gives off light, and what of it comes back out of Bob's receiver says which
/// detector it was. Eve touches nothing that travels from Alice to Bob, so that nobody sees anything;
/// of the sifted bits she has p·T·η: the probability of a flash, the transmittance of Bob's entrance
/// backwards, and the efficiency of her detectors.
pub struct BackFlash {
    efficiency: f64,
    record: Record,
}

impl BackFlash {
    pub(crate) const NAME: &'static str = "back-flash";
    pub(crate) const KEYS: &'static [&'static str] = &["efficiency"];
    pub(crate) const ABOUT: About = About {
        summary: "She watches the light that Bob's detectors give off when they click.",
        lesson: "An avalanche glows, and its light finds the way back into the fibre. She never \
                 touches a pulse of Alice's, so that an isolator at Bob's door has to stop her.",
        defaults: &["1"],
        site: Site::BobsDoor,
        gain: "p·T·η of the bits: flash probability, way out and efficiency of her detectors",
        verdict: Verdict::Bounded("an isolator at Bob's door keeps the light in"),
        monitors: &[],
    };

    /// The attack with detectors of an `efficiency` from 0 to 1.
    pub fn new(efficiency: f64) -> Self {
        Self {
            efficiency,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        let efficiency = parameters.number("efficiency", 1.0, 0.0..=1.0, "")?;
        Ok(Self::new(efficiency))
    }
}

impl Attack for BackFlash {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// What goes from Alice to Bob passes.
    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            pulse.forward();
        }
    }

    fn catch(&mut self, photons: Vec<FlashPhoton>, rng: &mut PhysicsRng) {
        for photon in photons {
            if rng.chance(self.efficiency) {
                self.record.tally.caught += 1;
                let slot = photon.slot();
                let bit = photon.measure();
                self.record.notebook.write(slot, Note::Seen { bit });
            }
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
