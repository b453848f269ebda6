//! Make Alice's laser brighter than she thinks.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, InwardLight, Monitor};

use crate::line_loss::LineLoss;
use crate::parameters::Parameters;
use crate::trojan_horse::inward_light;
use crate::{About, Attack, BeamSplitting, Error, Record, Site, TowardsAlice, Verdict};

/// Laser seeding (Huang et al., Phys. Rev. Applied 12, 064043 (2019); Pang et al., Phys. Rev. Applied 13,
/// 034008 (2020)).
///
/// Light that reaches Alice's laser while its pulse builds up makes every pulse x times as bright, signals
/// and decoys alike. Eve splits off what is too much together with what the old fibre would have lost,
/// so that all of Bob's counts are as they were: bounds that are computed with the intensities Alice
/// believes in are wrong, and nothing shows it. She holds photons of a signal pulse with probability
/// 1 − e^(−μ(x−η)) where the bound assumes 1 − e^(−μ(1−η)).
pub struct LaserSeeding {
    light: InwardLight,
    splitting: BeamSplitting,
}

impl LaserSeeding {
    pub(crate) const NAME: &'static str = "laser-seeding";
    pub(crate) const KEYS: &'static [&'static str] =
        &["photons", "wavelength_nm", "brighter", LineLoss::KEY];
    pub(crate) const ABOUT: About = About {
        summary: "She makes Alice's laser brighter and takes what is too much.",
        lesson: "A laser that gets light while its pulse builds up gives more than it was set to. Bob \
                 counts what he always counted, and every bound that trusts Alice's intensities is \
                 too high.",
        defaults: &["1000000", "1550", "2", "0"],
        site: Site::LosslessLine,
        gain: "1 − e^(−μ(x−η)) bit where the bound assumes 1 − e^(−μ(1−η)), of pulses x times as bright",
        verdict: Verdict::Caught("Alice's monitors of the light that comes in and goes out"),
        monitors: &[Monitor::OutputPower, Monitor::BackwardLight],
    };

    /// The attack with this light, which is known to make the pulses `brighter` times as bright, in
    /// place of a fibre that lost `loss_db` decibel.
    pub fn new(light: InwardLight, brighter: Brighter) -> Self {
        Self {
            light,
            splitting: BeamSplitting::in_place_of(
                LineLoss::new(brighter.loss_db).for_brighter(brighter.times),
            ),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        let light = inward_light(&parameters, 1550.0)?;
        let brighter = Brighter {
            times: parameters.number("brighter", 2.0, 1.0..=100.0, "")?,
            loss_db: parameters.number(LineLoss::KEY, 0.0, 0.0..=100.0, "dB")?,
        };
        Ok(Self::new(light, brighter))
    }
}

/// What there is to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brighter {
    /// How many times as bright the pulses become, 1 or more: she has tried it on a laser of that kind.
    pub times: f64,
    /// Loss of the fibre that was there, dB.
    pub loss_db: f64,
}

impl Attack for LaserSeeding {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        self.splitting.act(port, rng);
    }

    fn towards_alice(&self) -> TowardsAlice {
        TowardsAlice::Light(self.light)
    }

    fn record(&mut self) -> &mut Record {
        self.splitting.record()
    }
}
