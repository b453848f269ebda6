//! Rates in the limit of infinitely many pulses, nearly all of which are signals: decoys may be as
//! rare as one likes. Both bases make key, so that sifting keeps P(Z)² + P(X)² of the clicks.

use super::channel::ClassRate;
use super::{Frame, Outcome, Setting};
use crate::decoy::{ClassGain, TwoDecoys};
use crate::gllp::{self, PostProcessing};
use crate::{Error, decoy::SinglePhotons};

/// No decoys: every pulse of several photons that dead time lets through is Eve's.
pub(super) fn without_decoys(frame: &Frame, setting: &Setting) -> Result<Outcome, Error> {
    let signal = class_gain(setting, &frame.channel.rates(setting), 0);
    let dead_time_slots = frame.channel.dead_time_slots();
    let rate = gllp::without_decoys(&signal, dead_time_slots, &processing(frame, setting))?;
    let qber = signal.qber;
    Ok(Outcome::Limit { qber, rate })
}

/// Infinitely many decoys: the truth about single photons is known.
pub(super) fn decoy_infinite(frame: &Frame, setting: &Setting) -> Result<Outcome, Error> {
    let signal = class_gain(setting, &frame.channel.rates(setting), 0);
    let single = frame.channel.single_photons(setting);
    with_decoys(frame, setting, &signal, &single)
}

/// Two decoys, the second of which is usually vacuum.
pub(super) fn vacuum_weak(frame: &Frame, setting: &Setting) -> Result<Outcome, Error> {
    let rates = frame.channel.rates(setting);
    let [signal, weak, dim] = [0, 1, 2].map(|i| class_gain(setting, &rates, i));
    let single = TwoDecoys { signal, weak, dim }.single_photons()?;
    with_decoys(frame, setting, &signal, &single)
}

fn with_decoys(
    frame: &Frame,
    setting: &Setting,
    signal: &ClassGain,
    single: &SinglePhotons,
) -> Result<Outcome, Error> {
    let rate = gllp::with_decoys(signal, single, &processing(frame, setting))?;
    let qber = signal.qber;
    Ok(Outcome::Limit { qber, rate })
}

fn class_gain(setting: &Setting, rates: &[ClassRate], class: usize) -> ClassGain {
    ClassGain {
        intensity: setting.intensities[class],
        gain: rates[class].clicks,
        qber: rates[class].qber(),
    }
}

fn processing(frame: &Frame, setting: &Setting) -> PostProcessing {
    let z = setting.key_basis_probability;
    PostProcessing {
        sifted_share: z * z + (1.0 - z) * (1.0 - z),
        reconciliation_inefficiency: frame.reconciliation_inefficiency,
    }
}
