//! The channels of the papers, so that their figures come out to the last digit.
//!
//! All are expansions for rare clicks: dark counts are added to light or one detector stands for
//! two, and nobody looks at double clicks. What the receiver really shows is
//! [`ChannelModel::Exact`](super::ChannelModel).
//!
//! Two things are the same for all of them, and some papers have neither. Afterpulses: a click is
//! followed by another with probability p_ap, a random bit (Lim et al., section IV, which takes them
//! from before the dead time, if any). Dead time of k slots: the share 1/(1 + k·D) of the slots is
//! live, D being the mean click probability (Rusca et al., c_DT).

use super::channel::{ClassRate, mean};
use super::{CLASSES_MAX, PlanTheorem, Setting};
use crate::decoy::AsymptoticChannel;
use crate::mathematics::{exp_m1, ln_1p};

/// Which paper's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paper {
    /// Ma, Qi, Zhao and Lo, PRA 72, 012326 (2005), equations 6 to 11, with Y₀ = 1 − (1 − p_d)² for
    /// two detectors.
    Ma2005,
    /// Lim et al., PRA 89, 022307 (2014), section IV: D = 1 − (1 − 2p_d) e^(−ημ), gain D(1 + p_ap),
    /// errors p_d + e_d(1 − e^(−ημ)) + p_ap D/2. The printed η_ch of the errors is read as η.
    Lim2014,
    /// Rusca et al., APL 112, 171104 (2018), and arXiv:2405.16578: one dark count probability per
    /// slot, P = 1 − (1 − p_d) e^(−ημ), errors e_d(1 − e^(−ημ)) + p_d/2.
    Rusca2018,
}

impl Paper {
    pub fn of(theorem: PlanTheorem) -> Self {
        match theorem {
            PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => Paper::Rusca2018,
            PlanTheorem::Lim2014 => Paper::Lim2014,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite | PlanTheorem::GllpVacuumWeak => {
                Paper::Ma2005
            }
        }
    }
}

/// A paper's channel with the figures of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublishedChannel {
    pub paper: Paper,
    /// η of the whole system.
    pub transmittance: f64,
    pub dark_count_probability: f64,
    pub misalignment_error: f64,
    pub afterpulse_probability: f64,
    pub dead_time_slots: f64,
}

impl PublishedChannel {
    /// What each class shows, per slot of Alice's clock.
    pub fn rates(&self, setting: &Setting) -> [ClassRate; CLASSES_MAX] {
        let live = self.live_share(setting);
        setting.intensities.map(|mu| thinned(self.class(mu), live))
    }

    /// What pulses without photons and of exactly one photon show.
    ///
    /// Ma et al. are the only ones to say; the other theorems never ask.
    pub fn photons(&self, setting: &Setting) -> [ClassRate; 2] {
        let live = self.live_share(setting);
        let photons = self.ma2005().single_photons();
        let vacuum = ClassRate::new(photons.vacuum_yield, photons.vacuum_yield / 2.0);
        let errors = photons.photon_yield * photons.error_rate;
        let single = ClassRate::new(photons.photon_yield, errors);
        [vacuum, single].map(|class| thinned(self.with_afterpulses(class), live))
    }

    fn live_share(&self, setting: &Setting) -> f64 {
        1.0 / (1.0 + self.dead_time_slots * mean(setting, |mu| self.class(mu).clicks))
    }

    /// Clicks and errors of a live slot.
    fn class(&self, intensity: f64) -> ClassRate {
        let light = self.transmittance * intensity;
        let (dark, error) = (self.dark_count_probability, self.misalignment_error);
        let misaligned = -error * exp_m1(-light);
        // 1 − (1 − dark) e^(−light) as a sum of small terms.
        let clicks = |dark: f64| -exp_m1(ln_1p(-dark.min(1.0)) - light);
        self.with_afterpulses(match self.paper {
            Paper::Ma2005 => {
                let class = self.ma2005().class(intensity);
                ClassRate::new(class.gain, class.gain * class.qber)
            }
            Paper::Lim2014 => ClassRate::new(clicks(2.0 * dark), misaligned + dark),
            Paper::Rusca2018 => ClassRate::new(clicks(dark), misaligned + dark / 2.0),
        })
    }

    fn ma2005(&self) -> AsymptoticChannel {
        let dark = self.dark_count_probability;
        AsymptoticChannel {
            transmittance: self.transmittance,
            vacuum_yield: dark * (2.0 - dark),
            misalignment_error: self.misalignment_error,
        }
    }

    fn with_afterpulses(&self, class: ClassRate) -> ClassRate {
        let more = self.afterpulse_probability * class.clicks;
        ClassRate::new(class.clicks + more, class.errors + more / 2.0)
    }
}

fn thinned(class: ClassRate, share: f64) -> ClassRate {
    ClassRate::new(class.clicks * share, class.errors * share)
}
