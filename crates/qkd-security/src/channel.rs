//! What a link is expected to show: the exact counts of two threshold detectors.

mod receiver;
mod spread;
mod trapped;

use crate::error::require;
use crate::{BasisStatistics, DecoySource, Error, IntensityClass, Statistics};
pub(crate) use receiver::{Receiver, Registering, RegisteringTable, Response};
pub(crate) use spread::ShareSpread;
pub use spread::Spread;
pub(crate) use trapped::Memory;
use trapped::{Mark, Trapped};

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
    /// Share of the registered detections that have an afterpulse in them, alone or with light.
    pub afterpulse_share: f64,
    /// Expected sifted counts and errors *per registered detection*.
    pub per_detection: Statistics<f64>,
}

impl Expected {
    /// Expected sifted counts and errors per slot that Alice's clock goes through.
    pub fn per_slot(&self) -> Statistics<f64> {
        self.per_detection.scaled(self.registered_probability)
    }
}

/// What the detections of one intensity are expected to show, dead time and afterpulses included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassExpected {
    /// Registered detections per slot sent with the intensity, any basis: the gain as Alice and Bob
    /// can count it.
    pub gain: f64,
    /// Share of wrong bits where both bases are equal.
    pub qber: f64,
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
        self.receiver().coherent(intensity).gain
    }

    /// E_μ Q_μ: probability that a live slot clicks and, both bases being equal, the bit is wrong.
    ///
    /// With a = ημ(1−e_d) and b = ημ e_d reaching the right and the wrong detector and a double
    /// click giving a random bit: P(wrong)(1 − P(right)/2).
    pub fn error_gain(&self, intensity: f64) -> f64 {
        self.receiver().coherent(intensity).error_gain
    }

    /// The link without its source.
    pub(crate) fn receiver(&self) -> Receiver {
        Receiver {
            transmittance: self.transmittance(),
            dark_count_probability: self.dark_count_probability,
            misalignment_error: self.misalignment_error,
            memory: Memory {
                dead_time_slots: self.dead_time_slots as f64,
                afterpulse_probability: self.afterpulse_probability,
                afterpulse_decay_slots: self.afterpulse_decay_slots,
            },
        }
    }

    /// Everything a block is expected to show, per registered detection.
    ///
    /// Exact for the receiver described above: a common dead time of k whole slots in which
    /// everything is discarded, afterpulses included; afterpulses an exponential time after it,
    /// taken down to whole slots, that later clicks do not remove, that fire on top of light or of
    /// each other, and that may leave the next one. A stretch between two registered detections
    /// depends on the past only through the number n of charges still trapped: it takes
    /// k + 1/c(n) slots, c(n) being the click probability with n charges, and what is registered at
    /// its end is any click of a slot with n charges. Without afterpulses that is the gated formula
    /// 1/(k + 1/p). `trapped.rs` has the law of n, and the two places where it approximates.
    pub fn expected(&self) -> Expected {
        let trapped = self.trapped();
        let share = |mark| trapped.mean(|n| trapped.in_live_slot(mark, n) / trapped.live_click(n));
        let cycle = trapped.mean(|n| 1.0 / trapped.live_click(n));
        Expected {
            click_probability: trapped.click_probability,
            registered_probability: 1.0 / (self.dead_time_slots as f64 + cycle),
            afterpulse_share: share(Mark::afterpulse()),
            per_detection: self.marks().map(share),
        }
    }

    /// What the detections of `class` are expected to show.
    pub fn expected_of(&self, class: IntensityClass) -> ClassExpected {
        let expected = self.expected();
        let [both_key, _] = self.both_in_basis();
        let (per_slot, i) = (expected.per_slot().key, class.index());
        ClassExpected {
            gain: per_slot.counts[i] / (both_key * self.source.probabilities()[i]),
            qber: per_slot.errors[i] / per_slot.counts[i],
        }
    }

    /// Share of the registered detections in which both detectors fired, afterpulses left out.
    ///
    /// Bases equal, light divides as (1−e_d) to e_d; bases different, in halves. Dead time takes
    /// double clicks and others alike.
    pub fn double_click_share(&self) -> f64 {
        let receiver = self.receiver();
        let halved = Receiver {
            misalignment_error: 0.5,
            ..receiver
        };
        let same_basis = self.both_in_basis().iter().sum::<f64>();
        let both = |of: &Receiver, intensity| {
            let response = of.coherent(intensity);
            response.right * response.wrong
        };
        let doubles = |intensity| {
            same_basis * both(&receiver, intensity) + (1.0 - same_basis) * both(&halved, intensity)
        };
        let clicks = |intensity| receiver.coherent(intensity).gain;
        self.source.average(doubles) / self.source.average(clicks)
    }

    fn trapped(&self) -> Trapped {
        let receiver = self.receiver();
        let gain = |intensity| receiver.coherent(intensity).gain;
        Trapped::new(receiver.memory, self.source.average(gain))
    }

    /// Probabilities that both sides are in the key basis, and in the test basis.
    fn both_in_basis(&self) -> [f64; 2] {
        [self.key_basis_probability, 1.0 - self.key_basis_probability].map(|p| p * p)
    }

    /// What makes a click a sifted count, or an error, of each class and basis.
    fn marks(&self) -> Statistics<Mark> {
        let receiver = self.receiver();
        let [key, test] = self.both_in_basis().map(|both| BasisStatistics {
            counts: self.per_class(|class| receiver.coherent(class).click_mark().thinned(both)),
            errors: self.per_class(|class| receiver.coherent(class).error_mark().thinned(both)),
        });
        Statistics { key, test }
    }

    fn per_class(&self, mark: impl Fn(f64) -> Mark) -> [Mark; 2] {
        IntensityClass::ALL.map(|class| {
            let i = class.index();
            mark(self.source.intensities()[i]).thinned(self.source.probabilities()[i])
        })
    }
}

#[cfg(test)]
mod tests;
