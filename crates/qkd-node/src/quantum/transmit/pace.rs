//! When the next train is due.

use std::time::{Duration, Instant};

/// Distance of two announcements of the clock.
const CLOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Delay from which on lost time is given up: the emulated clock is stretched.
const LAG_MAX: Duration = Duration::from_millis(20);

/// Shortest nap: shorter trains leave together, in one call and after one awakening.
const NAP_MIN: Duration = Duration::from_micros(500);

/// Absolute deadlines, one for each train. Time is an argument.
pub(super) struct Pace {
    train_time: Duration,
    due: Instant,
    told: Instant,
    /// Up to here, time with light was counted.
    counted: Instant,
    /// Until then nothing is sent although it is due.
    asleep_until: Instant,
}

impl Pace {
    /// Trains of `train_time` each, the first one due at once.
    pub fn new(train_time: Duration, now: Instant) -> Self {
        Self {
            train_time,
            due: now,
            told: now,
            counted: now,
            asleep_until: now,
        }
    }

    /// The next train is due at once, whatever was missed.
    pub fn restart(&mut self, now: Instant) {
        *self = Self::new(self.train_time, now);
    }

    /// Time to wait; `None` while a train is due. A wait that has begun lasts [`NAP_MIN`] at least.
    pub fn wait(&mut self, now: Instant) -> Option<Duration> {
        if self.due > now && self.asleep_until <= now {
            self.asleep_until = self.due.max(now + NAP_MIN);
        }
        let wait = self.asleep_until.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// A train went out. What is too late by more than [`LAG_MAX`] is never caught up.
    pub fn emitted(&mut self, now: Instant) {
        self.due += self.train_time;
        if now.saturating_duration_since(self.due) > LAG_MAX {
            self.due = now;
        }
    }

    /// Whether it is time to tell the clock again.
    pub fn is_to_tell(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.told) >= CLOCK_INTERVAL
    }

    /// The clock is told: the time with light since it was told last. Light that has left before its
    /// time lasts until its train ends.
    pub fn tell(&mut self, now: Instant) -> Duration {
        self.told = now;
        let until = self.due.max(now);
        let took = until.saturating_duration_since(self.counted);
        self.counted = self.counted.max(until);
        took
    }

    /// Nothing could be emitted for `time`, which ends now. A delay that is caught up is none; a
    /// longer one is time without light.
    pub fn blocked(&mut self, time: Duration) {
        if time > LAG_MAX {
            self.due += time;
            self.counted += time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a clock of which each train costs `cost` for `time`, and returns the trains sent and the
    /// naps taken.
    fn run(train_time: Duration, cost: Duration, time: Duration) -> (u32, u32) {
        let began = Instant::now();
        let mut now = began;
        let mut pace = Pace::new(train_time, now);
        let (mut trains, mut naps) = (0, 0);
        while now < began + time {
            match pace.wait(now) {
                Some(wait) => {
                    now += wait;
                    naps += 1;
                }
                None => {
                    now += cost;
                    pace.emitted(now);
                    trains += 1;
                }
            }
        }
        (trains, naps)
    }

    #[test]
    fn a_machine_that_is_fast_enough_keeps_the_clock_and_naps_long() {
        let second = Duration::from_secs(1);
        for micros in [8, 100, 3000] {
            let train_time = Duration::from_micros(micros);
            let (trains, naps) = run(train_time, train_time / 4, second);
            let expected = 1_000_000 / micros as u32;
            assert!(
                trains.abs_diff(expected) <= expected / 500 + 1,
                "{micros} µs: {trains} trains"
            );
            assert!(naps <= 2001, "{micros} µs: {naps} naps");
        }
    }

    #[test]
    fn a_machine_that_is_too_slow_never_naps_and_gives_up_time() {
        let (train_time, cost) = (Duration::from_micros(10), Duration::from_micros(20));
        let (trains, naps) = run(train_time, cost, Duration::from_secs(1));
        assert_eq!((trains, naps), (50_000, 0));
    }

    #[test]
    fn a_short_delay_is_caught_up_and_a_long_one_is_not() {
        let train_time = Duration::from_millis(1);
        for (delay_ms, expected) in [(10, 11), (100, 2)] {
            let began = Instant::now();
            let mut pace = Pace::new(train_time, began);
            let now = began + Duration::from_millis(delay_ms);
            let mut trains = 0;
            while pace.wait(now).is_none() {
                pace.emitted(now);
                trains += 1;
            }
            // The one that was due, then all that were missed, or only the next one.
            assert_eq!(trains, expected, "{delay_ms} ms");
        }
    }

    #[test]
    fn light_that_is_on_for_a_moment_only_is_told_as_long_as_its_trains_last() {
        let train_time = Duration::from_millis(20);
        for (lit_ms, told_ms) in [(0, 20), (5, 20), (30, 40)] {
            let began = Instant::now();
            let mut pace = Pace::new(train_time, began);
            let mut now = began;
            assert_eq!(pace.tell(now), Duration::ZERO, "no light yet");
            let dark = began + Duration::from_millis(lit_ms);
            while now < dark || pace.wait(now).is_none() {
                match pace.wait(now) {
                    Some(wait) => now = dark.min(now + wait),
                    None => pace.emitted(now),
                }
            }
            let told = pace.tell(now);
            assert_eq!(told, Duration::from_millis(told_ms), "{lit_ms} ms");
            assert_eq!(pace.tell(now), Duration::ZERO, "{lit_ms} ms, twice");
        }
    }

    #[test]
    fn time_in_which_nothing_can_be_emitted_is_neither_light_nor_caught_up() {
        let train_time = Duration::from_millis(1);
        for (blocked_ms, trains, told_ms) in [(10, 11, 11), (500, 1, 1)] {
            let began = Instant::now();
            let mut pace = Pace::new(train_time, began);
            let blocked = Duration::from_millis(blocked_ms);
            let now = began + blocked;
            pace.blocked(blocked);
            let mut emitted = 0;
            while pace.wait(now).is_none() {
                pace.emitted(now);
                emitted += 1;
            }
            assert_eq!(emitted, trains, "{blocked_ms} ms");
            assert_eq!(pace.tell(now), told_ms * train_time, "{blocked_ms} ms");
        }
    }
}
