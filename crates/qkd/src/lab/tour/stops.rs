//! What a tour stops at: which attack on which laboratory, from simple to subtle, and how it should end.

use qkd_attacks::Verdict;

use crate::lab::weakness::{Hardware, Weakness};

/// A laboratory, and the attacks that it is shown with.
pub struct Laboratory {
    /// Its name: one word, for programs.
    pub name: &'static str,
    /// What it is like: a sentence.
    pub sentence: &'static str,
    /// What lets somebody in.
    weaknesses: &'static [Weakness],
    /// Whether it has what watches for that.
    watched: bool,
    /// What is done to it.
    pub stops: &'static [Stop],
}

/// One attack.
pub struct Stop {
    /// Its name, with parameters if it needs any.
    pub spec: &'static str,
    /// How it should end there; as the list of attacks says when absent.
    pub told: Option<Verdict>,
}

impl Laboratory {
    /// Makes hardware like this.
    pub fn fit_out(&self, hardware: &mut Hardware) {
        for weakness in self.weaknesses {
            weakness.put_into(hardware);
        }
        if self.watched {
            hardware.watch();
        }
    }
}

impl Stop {
    /// The attack's name.
    pub fn attack(&self) -> &'static str {
        self.spec.split(':').next().unwrap_or(self.spec)
    }
}

/// An attack that ends as the list says.
const fn usual(spec: &'static str) -> Stop {
    Stop { spec, told: None }
}

const fn caught(spec: &'static str, by: &'static str) -> Stop {
    Stop {
        spec,
        told: Some(Verdict::Caught(by)),
    }
}

const fn bounded(spec: &'static str, by: &'static str) -> Stop {
    Stop {
        spec,
        told: Some(Verdict::Bounded(by)),
    }
}

const fn open(spec: &'static str, by: &'static str) -> Stop {
    Stop {
        spec,
        told: Some(Verdict::Open(by)),
    }
}

/// All of it, in the order in which it is walked through.
pub static TOUR: [Laboratory; 5] = [
    Laboratory {
        name: "sound",
        sentence: "Sound hardware, and nothing that watches it but what is counted anyway.",
        weaknesses: &[],
        watched: false,
        stops: &[
            usual("passive"),
            usual("denial-of-service"),
            usual("intercept-resend"),
            usual("beam-splitting"),
            usual("photon-number-splitting"),
            usual("unambiguous-discrimination"),
        ],
    },
    Laboratory {
        name: "weak",
        sentence: "Weak hardware that nobody watches: detectors that bright light turns into \
                   photodiodes, that are awake at different moments and that glow; a door at Alice's \
                   through which light gets in, to her laser, and out again, and her pulses made by \
                   Bob's laser.",
        weaknesses: &[
            Weakness::LinearMode,
            Weakness::UnlikeDetectors,
            Weakness::GlowingDetectors,
            Weakness::OpenDoor,
            Weakness::OpenLaser,
            Weakness::TwoWay,
        ],
        watched: false,
        stops: &[
            open(
                "blinding",
                "a monitor of the light at Bob's entrance would see it",
            ),
            usual("faked-states"),
            usual("phase-remapping"),
            open(
                "time-shift",
                "a clock that looks when light arrives would see it",
            ),
            open("laser-seeding", "diodes at Alice's door would see it"),
            open(
                "trojan-horse:wavelength_nm=1924",
                "isolators would stop it, or [security.side_channels] pay for it",
            ),
            open(
                "back-flash",
                "an isolator would stop it, or [security.side_channels] pay for it",
            ),
        ],
    },
    Laboratory {
        name: "one-by-one",
        sentence: "A click makes one of Bob's detectors sleep and not both, and clicks count in the \
                   middle of a slot alone.",
        weaknesses: &[Weakness::DeadTimes],
        watched: false,
        stops: &[open(
            "dead-time:dead_slots=30,period_slots=93",
            "a dead time that is common to all detectors would end it",
        )],
    },
    Laboratory {
        name: "foreseen",
        sentence: "Bob's generator of bases has a back door, and its maker is Eve.",
        weaknesses: &[Weakness::ForeseenBases],
        watched: false,
        stops: &[usual("random-number")],
    },
    Laboratory {
        name: "watched",
        sentence: "The weak hardware of before, with what sees through it: a monitor of the light at \
                   Bob's entrance, a clock for his clicks, an isolator, diodes at Alice's door, and \
                   a laser of her own.",
        weaknesses: &[
            Weakness::LinearMode,
            Weakness::UnlikeDetectors,
            Weakness::GlowingDetectors,
            Weakness::OpenDoor,
            Weakness::OpenLaser,
        ],
        watched: true,
        stops: &[
            caught("blinding", "the monitor of the incoming light"),
            caught("time-shift", "the clock of Bob's clicks"),
            caught("laser-seeding", "the diodes at Alice's door"),
            caught("trojan-horse", "the watchdog at Alice's door"),
            open(
                "trojan-horse:wavelength_nm=1924",
                "the watchdog is blind to so long a wave, a filter would stop it",
            ),
            bounded("back-flash", "an isolator of 80 dB keeps the light in"),
            caught(
                "dead-time",
                "what her own pulses leave, and she learns nothing: all detectors sleep at once",
            ),
            caught(
                "random-number",
                "the limit on errors: nobody foresees this generator",
            ),
        ],
    },
];

/// How many attacks that are.
pub fn count() -> usize {
    TOUR.iter().map(|laboratory| laboratory.stops.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_that_there_is_is_visited() {
        let stops = || TOUR.iter().flat_map(|laboratory| laboratory.stops);
        for name in qkd_attacks::KNOWN {
            assert!(stops().any(|stop| stop.attack() == name), "{name}");
        }
        for stop in stops() {
            assert!(qkd_attacks::by_name(stop.spec).is_ok(), "{}", stop.spec);
        }
        assert_eq!(stops().count(), count());
    }
}
