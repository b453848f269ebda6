//! Says when the emulated clock runs slower than the hardware's.

use std::time::Duration;

use crate::words::stretched_clock;

/// Light to look at before each word.
const LOOK: Duration = Duration::from_secs(1);

/// Time of light between two words at least.
const SAID_DISTANCE: Duration = Duration::from_secs(10);

/// A clock that is nearer to its target than this is on it.
const TOLERANCE: f64 = 0.05;

/// One that was not is back on it when it is nearer than this: at the edge it would be said forever.
const TOLERANCE_BACK: f64 = 0.03;

/// A change of the rate by this factor is worth a word.
const CHANGE: f64 = 1.25;

/// Watches how far the clock comes in how much time with light.
pub(super) struct ClockWatch {
    clock_hz: f64,
    /// What the operator allows, in slots per second.
    slots_per_second_max: f64,
    slots: u64,
    took: Duration,
    slots_before: u64,
    /// What was last said, its rate, and the time since then.
    said: Option<(Pace, f64, Duration)>,
}

/// How a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Stretched,
    Slowed,
    OnTarget,
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    /// This machine is too slow for it.
    Stretched { slots_per_second: f64 },
    /// The operator asked for it.
    Slowed { slots_per_second: f64 },
    /// It was stretched, and is not any more.
    OnTarget,
}

impl ClockWatch {
    pub fn new(clock_hz: f64, slots_per_second_max: f64) -> Self {
        Self {
            clock_hz,
            slots_per_second_max,
            slots: 0,
            took: Duration::ZERO,
            slots_before: 0,
            said: None,
        }
    }

    /// The clock has come to `slots`; the last of them took `took`. Logs what is worth it.
    pub fn seen(&mut self, slots: u64, took: Duration) {
        match self.word(slots, took) {
            Some(Word::Stretched { slots_per_second }) => {
                let clock = stretched_clock(slots_per_second, self.clock_hz);
                tracing::warn!("emulated {clock}: this machine cannot keep up");
            }
            Some(Word::Slowed { slots_per_second }) => {
                let clock = stretched_clock(slots_per_second, self.clock_hz);
                tracing::info!("emulated {clock}, as [quantum] slots_per_second_max asks");
            }
            Some(Word::OnTarget) => tracing::info!("emulated clock is back at its pace"),
            None => {}
        }
    }

    fn word(&mut self, slots: u64, took: Duration) -> Option<Word> {
        self.slots += slots.saturating_sub(self.slots_before);
        self.slots_before = slots;
        self.took += took;
        if let Some((_, _, since)) = &mut self.said {
            *since += took;
        }
        if self.took < LOOK {
            return None;
        }
        let slots_per_second = self.slots as f64 / self.took.as_secs_f64();
        (self.slots, self.took) = (0, Duration::ZERO);
        let pace = self.pace(slots_per_second);
        let news = match self.said {
            None => pace != Pace::OnTarget,
            Some((before, said, since)) => {
                let change = (slots_per_second / said).max(said / slots_per_second);
                since >= SAID_DISTANCE && (pace != before || change >= CHANGE)
            }
        };
        if !news {
            return None;
        }
        self.said = Some((pace, slots_per_second, Duration::ZERO));
        Some(match pace {
            Pace::Stretched => Word::Stretched { slots_per_second },
            Pace::Slowed => Word::Slowed { slots_per_second },
            Pace::OnTarget => Word::OnTarget,
        })
    }

    fn pace(&self, slots_per_second: f64) -> Pace {
        let missed = |target: f64, by: Pace| {
            let before = self.said.is_some_and(|(before, _, _)| before == by);
            let tolerance = if before { TOLERANCE_BACK } else { TOLERANCE };
            slots_per_second < target * (1.0 - tolerance)
        };
        if missed(
            self.slots_per_second_max.min(self.clock_hz),
            Pace::Stretched,
        ) {
            Pace::Stretched
        } else if missed(self.clock_hz, Pace::Slowed) {
            Pace::Slowed
        } else {
            Pace::OnTarget
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All words of a clock that runs at these rates, each for so many seconds.
    fn words(max: f64, rates: &[(f64, u32)]) -> Vec<Word> {
        let mut watch = ClockWatch::new(1e9, max);
        let (mut slots, mut words) = (0, Vec::new());
        for &(rate, seconds) in rates {
            for _ in 0..50 * seconds {
                slots += (rate / 50.0) as u64;
                words.extend(watch.word(slots, Duration::from_millis(20)));
            }
        }
        words
    }

    #[test]
    fn a_clock_on_target_is_not_worth_a_word() {
        assert_eq!(words(1e9, &[(0.97e9, 60)]), []);
        assert_eq!(words(2e9, &[(2e9, 60)]), []);
    }

    #[test]
    fn a_stretched_clock_is_said_once_and_again_when_it_changes_much() {
        let slow = |slots_per_second| Word::Stretched { slots_per_second };
        assert_eq!(words(1e9, &[(4e8, 60)]), [slow(4e8)]);
        assert_eq!(words(1e9, &[(4e8, 60), (4.5e8, 60)]), [slow(4e8)]);
        let changing = words(1e9, &[(4e8, 60), (2e8, 60), (1e9, 60)]);
        assert_eq!(changing, [slow(4e8), slow(2e8), Word::OnTarget]);
        let jumping: Vec<(f64, u32)> = [(4e8, 1), (1e8, 1)].repeat(60);
        assert!(words(1e9, &jumping).len() <= 13);
    }

    #[test]
    fn a_clock_that_comes_back_to_its_target_or_leaves_it_is_said_however_near_it_was() {
        let slow = |slots_per_second| Word::Stretched { slots_per_second };
        let near = [(9e8, 20), (1e9, 20), (9.4e8, 20)];
        assert_eq!(words(1e9, &near), [slow(9e8), Word::OnTarget, slow(9.4e8)]);
        // To and fro about the edge is one word.
        let edge: Vec<(f64, u32)> = [(9.4e8, 11), (9.6e8, 11)].repeat(10);
        assert_eq!(words(1e9, &edge), [slow(9.4e8)]);
    }

    #[test]
    fn a_moment_of_light_is_no_measure_of_the_clock() {
        let mut watch = ClockWatch::new(1e9, 1e9);
        assert_eq!(watch.word(1000, Duration::from_millis(900)), None);
        let caught_up = watch.word(980_000_000, Duration::from_millis(100));
        assert_eq!(caught_up, None);
    }

    #[test]
    fn a_clock_that_the_operator_slows_is_no_fault_of_the_machine() {
        let slots_per_second = 2e7;
        assert_eq!(
            words(2e7, &[(2e7, 60)]),
            [Word::Slowed { slots_per_second }]
        );
    }
}
