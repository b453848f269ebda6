//! Eve in the fibre, letting everything pass.

use qkd_bits::PhysicsRng;
use qkd_optics::EvePort;

use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Counts pulses and touches none: the control of every attack.
#[derive(Default)]
pub struct Passive {
    record: Record,
}

impl Passive {
    pub(crate) const NAME: &'static str = "passive";
    pub(crate) const KEYS: &'static [&'static str] = &[];
    pub(crate) const ABOUT: About = About {
        summary: "She counts the pulses that come by and touches none.",
        lesson: "Somebody in the fibre who only looks on changes nothing that anybody could see. \
                 It is the control of every experiment that follows.",
        defaults: &[],
        site: Site::BobsDoor,
        gain: "nothing",
        verdict: Verdict::Bounded("she learns nothing"),
        monitors: &[],
    };

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self::default())
    }
}

impl Attack for Passive {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            pulse.forward();
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
