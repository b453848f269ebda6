//! The highest clock at which no light is lost.

use qkd_node::presets::Preset;

use super::args::LinkBenchArgs;
use super::fault::Fault;
use super::machine;
use super::pair::{self, Link, Seen};
use crate::words::metric;

/// Length of a probe, s.
const PROBE_SECONDS: f64 = 0.5;

/// Probes and measurements of a row at most: the last measurement counts, whatever it lost.
const PROBES_MAX: u32 = 7;
const MEASUREMENTS_MAX: u32 = 3;

/// The next clock, of what was sustained at one that was too high.
const LOWER: f64 = 0.92;

/// The next clock, of one that lost nothing, at most.
const HIGHER: f64 = 1.4;

/// A clock that lost nothing is high enough when it is so near to one that lost light.
const NEAR: f64 = 1.04;

/// The lowest clock that is tried, Hz.
const CLOCK_MIN_HZ: f64 = 1e3;

/// Measures a row. `tell` hears what is being tried.
///
/// # Errors
/// When a run gives no figures.
pub async fn highest(
    args: &LinkBenchArgs,
    preset: Preset,
    distance_km: f64,
    tell: impl Fn(&str),
) -> Result<Seen, Fault> {
    let mut link = Link {
        preset,
        distance_km,
        clock_hz: args.clock_hz,
        seconds: PROBE_SECONDS.min(args.seconds),
        core: args.one_core.then(machine::last_core),
    };
    let row = format!("{} {distance_km} km", preset.name());
    let mut search = Search::from(args.clock_hz);
    for _ in 0..PROBES_MAX {
        let Some(clock_hz) = search.next() else { break };
        link.clock_hz = clock_hz;
        tell(&format!("{row}: trying {}", metric(clock_hz, "Hz")));
        let seen = pair::run(&link).await?;
        search.saw(seen.sustained_clock_hz(), seen.lost_light());
    }
    link.seconds = args.seconds;
    link.clock_hz = search.found();
    let mut measurement = 1;
    loop {
        let clock = metric(link.clock_hz, "Hz");
        tell(&format!("{row}: measuring {clock} for {} s", link.seconds));
        let seen = pair::run(&link).await?;
        if !seen.lost_light() || measurement == MEASUREMENTS_MAX {
            return Ok(seen);
        }
        link.clock_hz = lower(seen.sustained_clock_hz());
        measurement += 1;
    }
}

fn lower(sustained_hz: f64) -> f64 {
    (LOWER * sustained_hz).max(CLOCK_MIN_HZ)
}

/// What the probes have said: down until nothing is lost, then up again as far as it goes.
#[derive(Debug)]
struct Search {
    /// The clock being tried, Hz.
    clock_hz: f64,
    /// What was sustained when it failed for the first time, Hz. Once is a hiccup.
    failed_hz: Option<f64>,
    /// The highest clock that lost nothing, Hz.
    good_hz: Option<f64>,
    /// The lowest clock that lost light twice, Hz.
    bad_hz: Option<f64>,
}

impl Search {
    fn from(target_hz: f64) -> Self {
        Self {
            clock_hz: target_hz,
            failed_hz: None,
            good_hz: None,
            bad_hz: None,
        }
    }

    /// The clock to try next; `None` when trying more would tell little.
    fn next(&self) -> Option<f64> {
        let done = match (self.good_hz, self.bad_hz) {
            (Some(good), Some(bad)) => bad <= NEAR * good,
            // The first clock tried is the highest one wanted.
            (Some(_), None) => true,
            (None, bad) => bad.is_some_and(|bad| bad <= CLOCK_MIN_HZ),
        };
        (!done).then_some(self.clock_hz)
    }

    /// Takes in what came of that.
    fn saw(&mut self, sustained_hz: f64, lost_light: bool) {
        if !lost_light {
            self.good_hz = Some(self.clock_hz);
        } else if let Some(before) = self.failed_hz {
            self.bad_hz = Some(self.clock_hz);
            if self.good_hz.is_none() {
                // It never rises here, so that the search comes to an end.
                self.clock_hz = lower(sustained_hz.max(before).min(self.clock_hz));
            }
        } else {
            self.failed_hz = Some(sustained_hz);
            return;
        }
        self.failed_hz = None;
        if let (Some(good), Some(bad)) = (self.good_hz, self.bad_hz) {
            self.clock_hz = (HIGHER * good).min((good + bad) / 2.0);
        }
    }

    /// The clock to measure at.
    fn found(&self) -> f64 {
        self.good_hz.unwrap_or_else(|| {
            let failed_hz = self.failed_hz.unwrap_or(self.clock_hz);
            self.clock_hz.min(failed_hz).max(CLOCK_MIN_HZ)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::side::{AliceFigures, BobFigures};

    fn seen(sustained_hz: f64, lost: u64) -> Seen {
        Seen {
            clock_hz: 1e9,
            receive_buffer_bytes: 4 << 20,
            alice: AliceFigures {
                seconds: 2.0,
                slots: 2_000_000_000,
                cpu_seconds: 1.0,
                frames: 90_000,
                frames_total: 100_000,
                occupied_probability: 0.02,
            },
            bob: BobFigures {
                seconds: 2.0,
                slots: (2.0 * sustained_hz) as u64,
                cpu_seconds: 1.0,
                detections: 1,
                clicks: 2,
                accepted_total: 100_000 - lost,
            },
        }
    }

    /// Searches on a machine of which only the probes in `hiccups` see a tenth of what it can do.
    fn search(target_hz: f64, can_hz: f64, hiccups: &[u32]) -> (f64, u32) {
        let mut search = Search::from(target_hz);
        for probe in 0..PROBES_MAX {
            let Some(clock_hz) = search.next() else {
                return (search.found(), probe);
            };
            let can_hz = match hiccups.contains(&probe) {
                true => can_hz / 10.0,
                false => can_hz,
            };
            search.saw(clock_hz.min(can_hz), clock_hz > can_hz);
        }
        (search.found(), PROBES_MAX)
    }

    #[test]
    fn a_run_that_loses_light_or_time_is_not_clean() {
        for (sustained_hz, lost, expected) in [
            (1e9, 0, false),
            (0.995e9, 10, false),
            (1e9, 11, true),
            (0.985e9, 0, false),
            (0.97e9, 0, true),
            (0.0, 100_000, true),
        ] {
            let seen = seen(sustained_hz, lost);
            assert_eq!(seen.lost_light(), expected, "{sustained_hz} {lost}");
        }
    }

    #[test]
    fn a_backlog_that_is_made_up_for_is_no_faster_clock() {
        assert_eq!(seen(1.2e9, 0).sustained_clock_hz(), 1e9);
    }

    #[test]
    fn a_clock_that_is_kept_is_tried_once() {
        assert_eq!(search(1e9, 2e9, &[]), (1e9, 1));
    }

    #[test]
    fn one_hiccup_does_not_lower_the_clock() {
        assert_eq!(search(1e9, 2e9, &[0]), (1e9, 2));
        for hiccup in 0..PROBES_MAX {
            let (found, _) = search(2.5e9, 0.5e9, &[hiccup]);
            assert!((0.45e9..=0.5e9).contains(&found), "{hiccup}: {found}");
        }
    }

    #[test]
    fn after_two_hiccups_the_clock_rises_again() {
        let (found, probes) = search(1e9, 2e9, &[0, 1]);
        assert!(found > 0.3e9 && probes == PROBES_MAX, "{found}");
    }

    #[test]
    fn a_machine_that_can_do_nothing_ends_at_the_lowest_clock() {
        assert_eq!(search(1e9, 0.0, &[]), (CLOCK_MIN_HZ, 4));
    }
}
