//! Stop single photons, keep one of several.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, Monitor};

use crate::line_loss::LineLoss;
use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Photon-number splitting (Huttner et al., Phys. Rev. A 51, 1863 (1995); Brassard et al., Phys. Rev.
/// Lett. 85, 1330 (2000)).
///
/// Eve stands at Alice's door with a lossless line to Bob. She counts photons, keeps some of every
/// pulse that has several until the basis is public, and stops single photons as far as the loss of
/// the fibre she replaced hides it. What passes unharmed besides is what that loss cannot hide. With
/// decoys the detections of the weaker intensity are too few.
pub struct PhotonNumberSplitting {
    line: LineLoss,
    forwarded: Forwarded,
    record: Record,
}

/// What Bob gets of a pulse of n photons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// One photon.
    One,
    /// n − 1 photons.
    Rest,
}

impl PhotonNumberSplitting {
    pub(crate) const NAME: &'static str = "photon-number-splitting";
    pub(crate) const KEYS: &'static [&'static str] = &[LineLoss::KEY, "forward"];
    pub(crate) const ABOUT: About = About {
        summary: "She keeps a photon of every pulse that has several and stops single ones.",
        lesson: "A faint laser pulse sometimes holds two photons with the same bit, and one of \
                 them can wait until the basis is public. Sending some pulses fainter, at random, \
                 shows whether single photons still arrive.",
        defaults: &["0", "one"],
        site: Site::LosslessLine,
        gain: "every bit, where the old fibre's loss hides the single photons that she stops",
        verdict: Verdict::Caught("the decoys: bright and faint pulses no longer lose alike"),
        monitors: &[Monitor::DecoyShare],
    };

    /// The attack in place of a fibre that lost `loss_db` decibel.
    pub fn new(loss_db: f64, forwarded: Forwarded) -> Self {
        Self {
            line: LineLoss::new(loss_db),
            forwarded,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        let choices = [("one", Forwarded::One), ("rest", Forwarded::Rest)];
        Ok(Self {
            line: LineLoss::read(&parameters)?,
            ..Self::new(0.0, parameters.choice("forward", Forwarded::One, &choices)?)
        })
    }
}

impl Attack for PhotonNumberSplitting {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        while let Some(mut pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            let photons = pulse.photons();
            let (wants, is_behind) = (self.line.wants(), self.line.is_behind());
            self.line.owe(photons);
            let kept = match self.forwarded {
                Forwarded::One => photons - 1,
                Forwarded::Rest => photons.min(2) - 1,
            };
            if kept == 0 {
                self.line.pass_or_stop(pulse, is_behind);
                continue;
            }
            if !wants {
                pulse.block();
                continue;
            }
            self.line.pay();
            self.record.tally.intercepted += 1;
            let slot = pulse.slot();
            if let Some(photons) = pulse.split_off(kept) {
                self.record.notebook.write(slot, Note::Kept(photons));
            }
            self.record.tally.resent += 1;
            pulse.forward();
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
