use crate::error::require;
use crate::{BasisStatistics, DecoySource, Error, IntensityClass, Statistics};

/// The expected link: source, fibre and receiver, from which every count can be predicted.
///
/// Active choice of basis with the same probability on both sides, two threshold detectors,
/// double clicks made random (squashing), a dead time common to both detectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkModel {
    /// Signal and decoy.
    pub source: DecoySource,
    /// Probability of Z, at Alice and at Bob alike.
    pub key_basis_probability: f64,
    /// Slots per second.
    pub clock_hz: f64,
    /// Transmittance of the fibre, 10^(−αL/10).
    pub transmittance_channel: f64,
    /// Transmittance of the receiver's optics before the detectors.
    pub insertion_transmittance: f64,
    /// η_d: probability that a photon at a detector makes it click.
    pub detector_efficiency: f64,
    /// p_d: probability of a click without light, per detector and slot.
    pub dark_count_probability: f64,
    /// Slots after a registered click in which both detectors are blind.
    pub dead_time_slots: u64,
    /// Probability that a registered click leaves a charge that fires the detector again.
    pub afterpulse_probability: f64,
    /// Mean time after the end of the dead time at which that happens, in slots.
    pub afterpulse_decay_slots: f64,
    /// e_d: probability that a photon goes to the wrong detector of the right basis.
    pub misalignment_error: f64,
}

/// What a [`LinkModel`] predicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Probability of a click per live slot, any class, any basis, without afterpulses.
    pub click_probability: f64,
    /// Registered detections per slot, after dead time and with afterpulses.
    pub registered_probability: f64,
    /// Share of the registered detections that are afterpulses.
    pub afterpulse_share: f64,
    /// Expected sifted counts and errors *per registered detection*.
    pub per_detection: Statistics<f64>,
}

impl LinkModel {
    /// The same model when every figure lies in its range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure that does not, and the range.
    pub fn checked(self) -> Result<Self, Error> {
        let open = "a probability strictly between 0 and 1";
        let z = self.key_basis_probability;
        require("key_basis_probability", z, z > 0.0 && z < 1.0, open)?;
        let positive = [
            ("transmittance_channel", self.transmittance_channel),
            ("insertion_transmittance", self.insertion_transmittance),
            ("detector_efficiency", self.detector_efficiency),
        ];
        for (what, value) in positive {
            let holds = value > 0.0 && value <= 1.0;
            require(what, value, holds, "a number above 0 and at most 1")?;
        }
        let below_one = [
            ("dark_count_probability", self.dark_count_probability),
            ("afterpulse_probability", self.afterpulse_probability),
        ];
        for (what, value) in below_one {
            let holds = (0.0..1.0).contains(&value);
            require(what, value, holds, "a probability below 1")?;
        }
        let error = self.misalignment_error;
        let holds = (0.0..=0.5).contains(&error);
        require("misalignment_error", error, holds, "between 0 and 0.5")?;
        let clock = self.clock_hz;
        let holds = clock > 0.0 && clock.is_finite();
        require("clock_hz", clock, holds, "a positive frequency in hertz")?;
        let decay = self.afterpulse_decay_slots;
        let holds = decay >= 0.0 && decay.is_finite();
        require("afterpulse_decay_slots", decay, holds, "zero or more slots")?;
        Ok(self)
    }

    /// η = η_channel · η_insertion · η_d: probability that a photon Alice sends can click.
    pub fn transmittance(&self) -> f64 {
        self.transmittance_channel * self.insertion_transmittance * self.detector_efficiency
    }

    /// Q_μ: probability that a live slot sent with mean photon number `intensity` clicks.
    ///
    /// 1 − (1−p_d)² e^(−ημ), exact for two detectors and the same in either basis.
    pub fn gain(&self, intensity: f64) -> f64 {
        // As a sum of small terms: at long distance 1 − e^(…) would cancel.
        let exponent =
            2.0 * (-self.dark_count_probability).ln_1p() - self.transmittance() * intensity;
        -exponent.exp_m1()
    }

    /// E_μ Q_μ: probability that a live slot clicks and, both bases being equal, the bit is wrong.
    ///
    /// With a = ημ(1−e_d) and b = ημ e_d reaching the right and the wrong detector and a double
    /// click giving a random bit: P(wrong)(1 − P(right)/2).
    pub fn error_gain(&self, intensity: f64) -> f64 {
        let light = self.transmittance() * intensity;
        let dark = (-self.dark_count_probability).ln_1p();
        let right = -(dark - light * (1.0 - self.misalignment_error)).exp_m1();
        let wrong = -(dark - light * self.misalignment_error).exp_m1();
        wrong * (1.0 - right / 2.0)
    }

    /// Everything a block is expected to show, per registered detection.
    ///
    /// Registered detections form a renewal process: k blind slots, then the first of the next
    /// click, geometric with p, and of the afterpulse, if there is one. An exponential afterpulse
    /// comes first with probability q = p_ap / (1 + pT), which makes a cycle k + (1−q)/p slots
    /// long (p_ap = 0: the gated formula 1/(k + 1/p); k = T = 0: the cascade p/(1−p_ap)) and makes
    /// every detection an afterpulse with probability q, independently of the others. An
    /// afterpulse falls in a slot that has nothing to do with it: its classes and bases are those
    /// sent, its bit is random. (Left out: light clicking in the very slot of an afterpulse, a
    /// share p of q.)
    pub fn expected(&self) -> Expected {
        let click_probability = self.source.average(|intensity| self.gain(intensity));
        let afterpulse_share =
            self.afterpulse_probability / (1.0 + click_probability * self.afterpulse_decay_slots);
        // Not 1/(k + …): without a click per slot, and so an infinite cycle, it would be NaN.
        let registered_probability = click_probability
            / (self.dead_time_slots as f64 * click_probability + 1.0 - afterpulse_share);
        let both_in = |probability: f64| {
            self.per_detection(
                probability * probability,
                click_probability,
                afterpulse_share,
            )
        };
        Expected {
            click_probability,
            registered_probability,
            afterpulse_share,
            per_detection: Statistics {
                key: both_in(self.key_basis_probability),
                test: both_in(1.0 - self.key_basis_probability),
            },
        }
    }

    fn per_detection(
        &self,
        both_in_basis: f64,
        click: f64,
        afterpulse: f64,
    ) -> BasisStatistics<f64> {
        let mut basis = BasisStatistics {
            counts: [0.0; 2],
            errors: [0.0; 2],
        };
        for class in IntensityClass::ALL.map(IntensityClass::index) {
            let intensity = self.source.intensities()[class];
            let sent = both_in_basis * self.source.probabilities()[class];
            let light = (1.0 - afterpulse) / click;
            basis.counts[class] = sent * (light * self.gain(intensity) + afterpulse);
            basis.errors[class] = sent * (light * self.error_gain(intensity) + afterpulse / 2.0);
        }
        basis
    }
}

#[cfg(test)]
mod tests;
