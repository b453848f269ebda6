//! Cut the fibre.

use qkd_bits::PhysicsRng;
use qkd_optics::EvePort;

use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Denial of service: a cut fibre, or one that loses a share of the pulses more than it should.
///
/// Eve learns nothing, and nobody gets a key while she goes on: what cannot be prevented is counted
/// and reported.
pub struct DenialOfService {
    share: f64,
    record: Record,
}

impl DenialOfService {
    pub(crate) const NAME: &'static str = "denial-of-service";
    pub(crate) const KEYS: &'static [&'static str] = &["share"];
    pub(crate) const ABOUT: About = About {
        summary: "She stops pulses, as a cut fibre does.",
        lesson: "Whoever holds the fibre can cut it. Quantum key distribution says so at once, \
                 and promises no more.",
        defaults: &["1"],
        site: Site::BobsDoor,
        gain: "nothing",
        verdict: Verdict::Caught("the count of detections: no key, and none lost"),
        monitors: &[],
    };

    /// Stops a `share` of the pulses, 0 to 1.
    pub fn new(share: f64) -> Self {
        Self {
            share,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self::new(parameters.number("share", 1.0, 0.0..=1.0, "")?))
    }
}

impl Attack for DenialOfService {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        if self.share >= 1.0 {
            port.stop();
        }
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            if rng.chance(self.share) {
                self.record.tally.intercepted += 1;
                pulse.block();
            } else {
                pulse.forward();
            }
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
