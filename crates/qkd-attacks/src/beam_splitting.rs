//! Take what the fibre would have lost.

use qkd_bits::PhysicsRng;
use qkd_optics::EvePort;

use crate::line_loss::LineLoss;
use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Beam splitting: at Alice's door a beam splitter sends to Eve what the fibre would have lost, and a
/// lossless line brings the rest to Bob (Bennett et al., J. Cryptol. 5, 3 (1992)).
///
/// Bob sees what he always saw, exactly. Eve keeps her photons until the basis is public. For light
/// of intensity μ she holds some with probability 1 − e^(−μ(1−η)), whether Bob clicks or not.
pub struct BeamSplitting {
    line: LineLoss,
    record: Record,
}

impl BeamSplitting {
    pub(crate) const NAME: &'static str = "beam-splitting";
    pub(crate) const KEYS: &'static [&'static str] = &[LineLoss::KEY];
    pub(crate) const ABOUT: About = About {
        summary: "She takes the photons that the fibre would have lost.",
        lesson: "What a fibre loses may as well be in Eve's hands. Privacy amplification takes \
                 off what that is worth.",
        defaults: &["0"],
        site: Site::LosslessLine,
        gain: "a bit with probability 1 − e^(−μ(1−η)) of each pulse of intensity μ",
        verdict: Verdict::Bounded("the key length takes it off"),
        monitors: &[],
    };

    /// The attack in place of a fibre that lost `loss_db` decibel.
    pub fn new(loss_db: f64) -> Self {
        Self {
            line: LineLoss::new(loss_db),
            record: Record::default(),
        }
    }

    /// The attack in place of such a fibre.
    pub(crate) fn in_place_of(line: LineLoss) -> Self {
        Self {
            line,
            ..Self::new(0.0)
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self::in_place_of(LineLoss::read(&parameters)?))
    }
}

impl Attack for BeamSplitting {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        while let Some(mut pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            let photons = pulse.photons();
            let lost = |_: &u8| rng.chance(self.line.loss_probability());
            // A beam splitter sends every photon its own way.
            let taken = (0..photons).filter(lost).count() as u8;
            if taken == 0 {
                pulse.forward();
                continue;
            }
            self.record.tally.intercepted += 1;
            let slot = pulse.slot();
            if taken == photons {
                self.record.notebook.write(slot, Note::Kept(pulse.keep()));
                continue;
            }
            if let Some(kept) = pulse.split_off(taken) {
                self.record.notebook.write(slot, Note::Kept(kept));
            }
            self.record.tally.resent += 1;
            pulse.forward();
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
