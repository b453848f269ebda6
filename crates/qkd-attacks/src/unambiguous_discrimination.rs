//! Tell the states of bright pulses apart without error, and stop the others.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, Monitor};

use crate::line_loss::LineLoss;
use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// Unambiguous state discrimination (Dušek, Jahma and Lütkenhaus, Phys. Rev. A 62, 022306 (2000)).
///
/// Four states of three photons and more are linearly independent, so that a measurement exists that
/// now and then says for certain which one it was. Eve sends a pulse of that state on its way, needs
/// neither a memory nor the announcement, and stops what she could not tell as far as the loss of the
/// fibre she replaced hides it.
pub struct UnambiguousDiscrimination {
    line: LineLoss,
    record: Record,
}

impl UnambiguousDiscrimination {
    pub(crate) const NAME: &'static str = "unambiguous-discrimination";
    pub(crate) const KEYS: &'static [&'static str] = &[LineLoss::KEY];
    pub(crate) const ABOUT: About = About {
        summary: "She tells the states of three photons and more apart and stops the rest.",
        lesson: "Three photons in the same state carry enough for a measurement that never errs, \
                 though it often says nothing. It costs so many pulses that decoys notice.",
        defaults: &["0"],
        site: Site::LosslessLine,
        gain: "every bit that she could tell",
        verdict: Verdict::Caught("the decoys: bright and faint pulses no longer lose alike"),
        monitors: &[Monitor::DecoyShare],
    };

    /// The attack in place of a fibre that lost `loss_db` decibel.
    pub fn new(loss_db: f64) -> Self {
        Self {
            line: LineLoss::new(loss_db),
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self {
            line: LineLoss::read(&parameters)?,
            ..Self::new(0.0)
        })
    }
}

impl Attack for UnambiguousDiscrimination {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            let (photons, slot) = (pulse.photons(), pulse.slot());
            let (wants, is_behind) = (self.line.wants(), self.line.is_behind());
            self.line.owe(photons);
            if photons < 3 {
                self.line.pass_or_stop(pulse, is_behind);
                continue;
            }
            if !wants {
                pulse.block();
                continue;
            }
            self.record.tally.intercepted += 1;
            let Some((basis, bit)) = pulse.discriminate() else {
                continue;
            };
            // The slot was emptied just now: the port has no reason to refuse.
            if port.inject(slot, basis, bit, 1).is_ok() {
                self.line.pay();
                self.record.sent(slot, Note::Measured { basis, bit });
            }
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
