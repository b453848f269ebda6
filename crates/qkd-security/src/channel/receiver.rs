//! The receiver without a source: what light of any kind makes two threshold detectors do.

mod table;

use super::trapped::{Mark, Memory, Trapped};
use crate::mathematics::{exp_m1, ln_1p};
pub(crate) use table::RegisteringTable;

/// Bob's side of a link, with the fibre before it: everything but what Alice sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    /// η: probability that a photon Alice sends can click.
    pub transmittance: f64,
    /// p_d: probability of a click without light, per detector and slot.
    pub dark_count_probability: f64,
    /// e_d: probability that a photon goes to the wrong detector of the right basis.
    pub misalignment_error: f64,
    /// What the detectors do after a click.
    pub memory: Memory,
}

/// What a pulse does in a live slot, without afterpulses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response {
    /// Probability of a click, the same in either basis.
    pub gain: f64,
    /// Probability of a click with a wrong bit, bases equal.
    pub error_gain: f64,
    /// Probability that the detector of the right bit fires, bases equal.
    pub right: f64,
    /// Probability that the detector of the wrong bit fires, bases equal.
    pub wrong: f64,
}

impl Response {
    /// Clicks of the pulse, as the chain of trapped charges takes them.
    pub fn click_mark(&self) -> Mark {
        Mark::click(self.gain)
    }

    /// Errors of the pulse, as the chain of trapped charges takes them.
    pub fn error_mark(&self) -> Mark {
        Mark::error(self.error_gain, self.wrong, self.right)
    }
}

/// What becomes of pulses under dead time and afterpulses, when so many live slots click: whatever a
/// pulse is, its registered clicks and errors are sums of these shares of the slots.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registering {
    fired: f64,
    one_silent: f64,
    light: f64,
}

impl Registering {
    /// Registered detections that bear `mark`, per slot whose pulse has it.
    pub fn rate(&self, mark: Mark) -> f64 {
        mark.fired * self.fired + mark.one_silent * self.one_silent + mark.light * self.light
    }
}

impl Receiver {
    /// A pulse of mean photon number `intensity` and random phase.
    ///
    /// Gain 1 − (1−p_d)² e^(−ημ), exact for two detectors. With a = ημ(1−e_d) and b = ημ e_d
    /// reaching the right and the wrong detector and a double click giving a random bit, errors are
    /// P(wrong)(1 − P(right)/2).
    pub fn coherent(&self, intensity: f64) -> Response {
        let light = self.transmittance * intensity;
        let dark = ln_1p(-self.dark_count_probability);
        let [right, wrong] = [1.0 - self.misalignment_error, self.misalignment_error]
            .map(|share| -exp_m1(dark - light * share));
        Response {
            // As a sum of small terms: at long distance 1 − e^(…) would cancel.
            gain: -exp_m1(2.0 * dark - light),
            error_gain: wrong * (1.0 - right / 2.0),
            right,
            wrong,
        }
    }

    /// A pulse of exactly one photon, which takes one way only.
    ///
    /// Inclusion and exclusion of which detectors stay silent, written so that nothing cancels:
    /// Y₁ = p_d(2 − p_d) + η(1−p_d)² and e₁Y₁ = \[p_d(2 − p_d) + η(1−p_d)(2e_d − p_d)\]/2.
    pub fn single_photon(&self) -> Response {
        let (eta, dark) = (self.transmittance, self.dark_count_probability);
        let (bright, error) = (1.0 - dark, self.misalignment_error);
        let none = dark * (2.0 - dark);
        Response {
            gain: none + eta * bright * bright,
            error_gain: (none + eta * bright * (2.0 * error - dark)) / 2.0,
            right: dark + bright * eta * (1.0 - error),
            wrong: dark + bright * eta * error,
        }
    }

    /// Dead time and afterpulses where live slots click with `click_probability`, which is above 0.
    pub fn registering(&self, click_probability: f64) -> Registering {
        let trapped = Trapped::new(self.memory, click_probability);
        let share = |mark| trapped.mean(|n| trapped.in_live_slot(mark, n) / trapped.live_click(n));
        let cycle = trapped.mean(|n| 1.0 / trapped.live_click(n));
        let per_slot = 1.0 / (self.memory.dead_time_slots + cycle);
        let [fired, one_silent, light] = Mark::PARTS.map(|part| per_slot * share(part));
        Registering {
            fired,
            one_silent,
            light,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Q_μ e^μ = Σ Y_n μⁿ/n!, so its slope without light is Y₁; the same for the errors.
    #[test]
    fn single_photons_are_the_slope_of_coherent_light() {
        for dark_count_probability in [0.0, 1e-6, 1e-2] {
            let receiver = Receiver {
                transmittance: 0.3,
                dark_count_probability,
                misalignment_error: 0.02,
                memory: Memory {
                    dead_time_slots: 0.0,
                    afterpulse_probability: 0.0,
                    afterpulse_decay_slots: 0.0,
                },
            };
            let step = 1e-4;
            let slope = |value: fn(&Response) -> f64| {
                let at = |mu: f64| value(&receiver.coherent(mu)) * mu.exp();
                (at(step) - at(-step)) / (2.0 * step)
            };
            let single = receiver.single_photon();
            let gain = slope(|pulse| pulse.gain);
            let errors = slope(|pulse| pulse.error_gain);
            assert!((gain / single.gain - 1.0).abs() < 1e-6, "{single:?}");
            assert!(
                (errors / single.error_gain - 1.0).abs() < 1e-6,
                "{single:?}"
            );
            // One photon takes one way: both detectors fire only with the help of the dark.
            let both = single.right + single.wrong - single.gain;
            assert!((0.0..=2.0 * dark_count_probability + 1e-15).contains(&both));
        }
    }
}
