//! Shift the light to where one detector sees better than the other.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, Monitor};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, Verdict};

/// When light has to arrive for one detector to see better than the other, in ps relative to the
/// middle of the slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FavourablePs {
    /// For the detector of 0.
    pub zero: f64,
    /// For the detector of 1.
    pub one: f64,
}

impl FavourablePs {
    /// The parameters that name them.
    pub(crate) const KEYS: &'static [&'static str] = &["zero_ps", "one_ps"];
    const DEFAULT: Self = Self {
        zero: -100.0,
        one: 100.0,
    };

    pub(crate) fn read(parameters: &Parameters<'_>) -> Result<Self, Error> {
        let most = qkd_optics::ARRIVAL_MAX_PS;
        let moment = |key, default| parameters.number(key, default, -most..=most, "ps");
        Ok(Self {
            zero: moment("zero_ps", Self::DEFAULT.zero)?,
            one: moment("one_ps", Self::DEFAULT.one)?,
        })
    }

    /// When the detector of `bit` sees better.
    pub(crate) fn of(self, bit: bool) -> f64 {
        if bit { self.one } else { self.zero }
    }
}

/// The time-shift attack (Qi, Fung, Lo and Ma, Quant. Inf. Comp. 7, 73 (2007); done by Zhao et al.,
/// Phys. Rev. A 78, 042333 (2008)).
///
/// Every pulse passes unmeasured, early or late by the fall of a coin. Where one detector then is m
/// times as efficient as the other, a click is its bit with probability m/(1+m), and Eve has
/// 1 − h(1/(1+m)) bits of it. Nothing is an error.
pub struct TimeShift {
    favourable_ps: FavourablePs,
    record: Record,
}

impl TimeShift {
    pub(crate) const NAME: &'static str = "time-shift";
    pub(crate) const KEYS: &'static [&'static str] = FavourablePs::KEYS;
    pub(crate) const ABOUT: About = About {
        summary: "She sends each pulse early or late, when one detector sees better.",
        lesson: "Eve does not touch the bit at all, she only makes one answer likelier than the \
                 other. It is the attack that was first carried out against a system that had \
                 been sold.",
        defaults: &["-100", "100"],
        site: Site::BobsDoor,
        gain: "1 − h(1/(1+m)) bit, where one detector sees m times as well as the other",
        verdict: Verdict::Open("detectors have to be alike"),
        monitors: &[Monitor::ArrivalTimes, Monitor::DetectorBalance],
    };

    /// The attack with shifts of −1270 to 1270 ps.
    pub fn new(favourable_ps: FavourablePs) -> Self {
        Self {
            favourable_ps,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self::new(FavourablePs::read(&parameters)?))
    }
}

impl Attack for TimeShift {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            self.record.tally.intercepted += 1;
            let slot = pulse.slot();
            let bit = rng.bit();
            // Refused, and lost, only if somebody before her has shifted it already.
            if pulse.forward_later(self.favourable_ps.of(bit)).is_ok() {
                self.record.notebook.write(slot, Note::Likely { bit });
            }
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
