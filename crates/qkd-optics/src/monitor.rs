//! The names of what watches a link, and what one of them says when it is not content.
//!
//! A monitor only says what it saw beside what it should have seen. What is done about it, abort the
//! block or note it, is the session's business and nobody's here.

use std::fmt;

use qkd_bits::HealthAlarm;

/// Everything that watches a link for somebody in it, each by one sign.
///
/// The sign is what instruments or public counts show. No monitor proves an eavesdropper, and none
/// of them replaces the bound on the key length: they see what the bound's assumptions leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Monitor {
    /// Light at Bob's entrance, added up over windows.
    InputPower,
    /// Current that Bob's detectors draw, added up over windows.
    Photocurrent,
    /// Clicks of more than one of Bob's detectors at once.
    DoubleClicks,
    /// Clicks while Bob weakens the light at random, against those while he does not.
    RandomEfficiency,
    /// Clicks of one of Bob's detectors against those of the other.
    DetectorBalance,
    /// Times within the slot at which each of Bob's detectors clicks.
    ArrivalTimes,
    /// Decoys among the sifted detections.
    DecoyShare,
    /// Errors in either basis.
    ErrorRates,
    /// Ones among Bob's bits, and Z among his bases.
    RawKeyBias,
    /// Light that comes into Alice's laboratory through the fibre.
    BackwardLight,
    /// Mean power that leaves Alice's laboratory.
    OutputPower,
    /// Health of the random numbers behind bases, bits and intensities.
    RandomNumbers,
}

impl Monitor {
    /// Every monitor, each at its [index](Self::index).
    pub const ALL: [Self; 12] = [
        Self::InputPower,
        Self::Photocurrent,
        Self::DoubleClicks,
        Self::RandomEfficiency,
        Self::DetectorBalance,
        Self::ArrivalTimes,
        Self::DecoyShare,
        Self::ErrorRates,
        Self::RawKeyBias,
        Self::BackwardLight,
        Self::OutputPower,
        Self::RandomNumbers,
    ];

    /// Its place among [all](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in configurations, reports and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::InputPower => "input_power",
            Self::Photocurrent => "photocurrent",
            Self::DoubleClicks => "double_clicks",
            Self::RandomEfficiency => "random_efficiency",
            Self::DetectorBalance => "detector_balance",
            Self::ArrivalTimes => "arrival_times",
            Self::DecoyShare => "decoy_share",
            Self::ErrorRates => "error_rates",
            Self::RawKeyBias => "raw_key_bias",
            Self::BackwardLight => "backward_light",
            Self::OutputPower => "output_power",
            Self::RandomNumbers => "random_numbers",
        }
    }

    /// The one with this [name](Self::name).
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|monitor| monitor.name() == name)
    }

    /// What the numbers of its [`Alarm`] count or measure.
    pub fn quantity(self) -> &'static str {
        match self {
            Self::InputPower => "photons in a window at Bob's entrance",
            Self::Photocurrent => "electrons in a window through Bob's detectors",
            Self::DoubleClicks => "double clicks",
            Self::RandomEfficiency => "clicks while the light was weakened",
            Self::DetectorBalance => "clicks of Bob's second detector",
            Self::ArrivalTimes => "clicks in one bin of the time within a slot",
            Self::DecoyShare => "decoys among the sifted detections",
            Self::ErrorRates => "errors in one basis",
            Self::RawKeyBias => "ones, or bases Z, among Bob's raw bits",
            Self::BackwardLight => "photons in a window into Alice's laboratory",
            Self::OutputPower => "mean photons in a pulse that leaves Alice's laboratory",
            Self::RandomNumbers => "equal or repeated random samples",
        }
    }

    /// One sentence on what it watches for.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::InputPower => "Bright light at Bob's entrance blinds detectors or controls them.",
            Self::Photocurrent => {
                "Blind detectors draw a current that no rate of single photons draws."
            }
            Self::DoubleClicks => {
                "Honest pulses of several photons fire both detectors now and then; who controls the \
                 detectors, or resends single photons, changes how often."
            }
            Self::RandomEfficiency => {
                "Clicks of photons become fewer when the light is weakened; clicks that somebody \
                 else decides do not follow."
            }
            Self::DetectorBalance => {
                "Light that is shifted to where one detector sees better makes that one click more."
            }
            Self::ArrivalTimes => "Pulses that were delayed arrive beside their time in the slot.",
            Self::DecoyShare => {
                "Who treats pulses by their photon number treats signals and decoys differently."
            }
            Self::ErrorRates => "Measuring disturbs, and not always both bases alike.",
            Self::RawKeyBias => "Bits and bases come from fair coins, or from somebody else.",
            Self::BackwardLight => {
                "Light sent into the transmitter brings its settings back out, or seeds its laser."
            }
            Self::OutputPower => "A seeded laser emits more than the intensities that were agreed.",
            Self::RandomNumbers => "A generator that is stuck or biased can be guessed.",
        }
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a monitor saw, beside what it expected and what it would have let pass. All three are in the
/// unit of the monitor's [quantity](Monitor::quantity).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// Who says so.
    pub monitor: Monitor,
    /// What it saw.
    pub observed: f64,
    /// What an undisturbed link shows on average.
    pub expected: f64,
    /// The bound that was crossed: an upper one when it lies above the expectation.
    pub limit: f64,
}

impl From<HealthAlarm> for Alarm {
    fn from(failed: HealthAlarm) -> Self {
        Self {
            monitor: Monitor::RandomNumbers,
            observed: f64::from(failed.observed),
            expected: failed.test.expected(),
            // The limit of a health test sounds already, that of an alarm would have passed.
            limit: f64::from(failed.limit) - 1.0,
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.observed >= self.expected {
            "at most"
        } else {
            "at least"
        };
        write!(
            f,
            "{}: {} {} where {} are expected and {side} {} pass",
            self.monitor,
            rounded(self.observed),
            self.monitor.quantity(),
            rounded(self.expected),
            rounded(self.limit)
        )
    }
}

/// A number as a person reads it: whole where it is large, four digits where it is not.
fn rounded(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e9 || (magnitude > 0.0 && magnitude < 1e-3) {
        format!("{value:.3e}")
    } else if value == value.trunc() || magnitude >= 1e4 {
        format!("{value:.0}")
    } else {
        format!("{value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_monitor_is_at_its_index_and_under_its_own_name() {
        for (index, monitor) in Monitor::ALL.into_iter().enumerate() {
            assert_eq!(monitor.index(), index);
            assert_eq!(Monitor::by_name(monitor.name()), Some(monitor));
            assert!(monitor.sentence().ends_with('.'), "{monitor}");
        }
        assert_eq!(Monitor::by_name("power"), None);
    }

    #[test]
    fn an_alarm_says_what_was_seen_and_what_would_have_passed() {
        let alarm = Alarm {
            monitor: Monitor::DoubleClicks,
            observed: 0.0,
            expected: 210.5,
            limit: 61.0,
        };
        assert_eq!(
            alarm.to_string(),
            "double_clicks: 0 double clicks where 210.5000 are expected and at least 61 pass"
        );
    }
}
