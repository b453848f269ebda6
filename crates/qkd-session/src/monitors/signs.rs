//! The signs that monitors look for, each against what an undisturbed block shows.

use std::ops::RangeInclusive;

use qkd_optics::{ARRIVAL_BINS, Alarm, Detections, Level, Monitor, Readings};
use qkd_security::BasisStatistics;
use qkd_security::concentration::{
    FailureProbability, Trials, binomial_count_max, binomial_count_min, binomial_tail_above,
    binomial_tail_below,
};

use super::Monitors;
use super::unsteady::unsteady_room;

/// How much more or fewer double clicks the model may be wrong about.
const DOUBLE_CLICKS_FACTOR: f64 = 2.0;
/// Share by which the ratio of clicks while the light is weakened may differ from the model's.
const WEAKENED_SHARE: f64 = 0.1;
/// How far detectors, bits and bases may be from the model's probabilities.
const BALANCE: f64 = 0.005;
/// By how much the share of a bin of arrival times may differ from the model's.
const ARRIVALS: f64 = 0.002;
/// Share by which decoys may be more or fewer than the model says.
const DECOY_SHARE: f64 = 0.1;
/// Share of the least errors below which a link is better than a link can be.
const FEWEST_ERRORS: f64 = 0.25;
/// Share by which errors may be more: acceptance limits are narrower, but not for each basis alone.
const MOST_ERRORS: f64 = 0.5;

/// Counts of Bob's raw bits in one basis, sifted or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RawKey {
    /// How many.
    pub bits: u64,
    /// Ones among them.
    pub ones: u64,
}

impl RawKey {
    /// Adds those of `detections` that were measured in Z to the first, in X to the second.
    pub(crate) fn count([z, x]: &mut [Self; 2], detections: &Detections) {
        let (bases, bits) = (detections.bases(), detections.bits().expose());
        let (in_x, ones) = (bases.count_ones() as u64, bits.count_ones() as u64);
        let ones_in_x = bits.count_ones_and(bases) as u64;
        x.bits += in_x;
        x.ones += ones_in_x;
        z.bits += bases.len() as u64 - in_x;
        z.ones += ones - ones_in_x;
    }
}

/// Successes among trials that are each expected to succeed with a probability in a range.
struct Count {
    monitor: Monitor,
    of: Trials,
    expected: f64,
    probable: RangeInclusive<f64>,
}

impl Count {
    /// An alarm when the successes are too many or too few, each with at most this probability.
    fn alarm(self, failure: FailureProbability) -> Option<Alarm> {
        let Trials { successes, trials } = self.of;
        let (least, most) = self.probable.into_inner();
        let (least, most) = (least.clamp(0.0, 1.0), most.clamp(0.0, 1.0));
        let limit = if binomial_tail_above(self.of, most) <= failure.0 {
            binomial_count_max(trials, most, failure)
        } else if binomial_tail_below(self.of, least) <= failure.0 {
            binomial_count_min(trials, least, failure)
        } else {
            return None;
        };
        Some(Alarm {
            monitor: self.monitor,
            observed: successes as f64,
            expected: self.expected * trials as f64,
            limit: limit as f64,
        })
    }
}

fn around(expected: f64, share: f64) -> RangeInclusive<f64> {
    expected * (1.0 - share)..=expected * (1.0 + share)
}

impl Monitors {
    /// What Bob's instruments say about the slots of a block.
    pub(crate) fn of_readings(&self, readings: &Readings) -> Vec<Alarm> {
        let expected = &self.undisturbed;
        let level = |monitor, level: &Option<Level>, per_slot: f64| {
            let level = level.filter(|level| level.reached > 0)?;
            Some(Alarm {
                monitor,
                observed: level.highest,
                expected: per_slot * level.window_slots as f64,
                limit: level.limit,
            })
        };
        let alarms = [
            level(
                Monitor::InputPower,
                &readings.input_power,
                expected.photons_per_slot,
            ),
            level(
                Monitor::Photocurrent,
                &readings.photocurrent,
                expected.electrons_per_slot,
            ),
            self.double_clicks(readings),
            self.weakened(readings),
            self.detector_balance(readings),
        ];
        let arrivals = self.arrivals(readings);
        let generator = readings.generator.map(Alarm::from);
        let alarms = alarms.into_iter().flatten().chain(arrivals);
        self.heeded(alarms.chain(generator))
    }

    /// The bin of either histogram that strays; the worst one of all that do.
    fn arrivals(&self, readings: &Readings) -> Option<Alarm> {
        let (arrivals, shares) = (readings.arrivals?, self.undisturbed.arrival_shares?);
        let noise = self.undisturbed.noise_share;
        let even = 1.0 / ARRIVAL_BINS as f64;
        let mut alarms: Vec<Alarm> = Vec::new();
        for histogram in arrivals {
            let trials = histogram.iter().sum();
            for (successes, light) in histogram.into_iter().zip(shares) {
                let share = |noise: f64| (1.0 - noise) * light + noise * even;
                // Light may be twice or half of what it is in the model, and noise with it.
                let ends = [share(0.5 * noise), share((2.0 * noise).min(1.0))];
                let count = Count {
                    monitor: Monitor::ArrivalTimes,
                    of: Trials { successes, trials },
                    expected: share(noise),
                    probable: ends[0].min(ends[1]) - ARRIVALS..=ends[0].max(ends[1]) + ARRIVALS,
                };
                alarms.extend(count.alarm(self.failure(4 * ARRIVAL_BINS)));
            }
        }
        let apart = |alarm: &Alarm| (alarm.observed - alarm.limit).abs();
        alarms
            .into_iter()
            .max_by(|a, b| apart(a).total_cmp(&apart(b)))
    }

    /// Pulses with two photons fire both detectors in proportion to the light: a link that lets less
    /// of it pass than the model says has fewer double clicks among its clicks, and lost frames make
    /// clicks rare and not double clicks among them.
    fn double_clicks(&self, readings: &Readings) -> Option<Alarm> {
        let expected = &self.undisturbed;
        let share = expected.double_click_share;
        let clicks_per_slot = readings.clicks as f64 / readings.slots.max(1) as f64;
        let light = clicks_per_slot / expected.clicks_per_slot;
        let count = Count {
            monitor: Monitor::DoubleClicks,
            of: Trials {
                successes: readings.double_clicks,
                trials: readings.clicks,
            },
            expected: share,
            probable: share * light.min(1.0) / DOUBLE_CLICKS_FACTOR
                ..=share * light.max(1.0) * DOUBLE_CLICKS_FACTOR,
        };
        count.alarm(self.failure(2))
    }

    fn weakened(&self, readings: &Readings) -> Option<Alarm> {
        let (weakened, ratio) = (readings.weakened?, self.undisturbed.weakened_ratio?);
        let others = (readings.slots - weakened.slots) as f64;
        // Of all clicks so many fall into weakened slots, when these have `ratio` times as many.
        let share = |ratio: f64| {
            let clicks = ratio * weakened.slots as f64;
            clicks / (clicks + others).max(1.0)
        };
        let (least, most) = around(ratio, WEAKENED_SHARE).into_inner();
        let room = unsteady_room(&weakened, share(ratio), readings.clicks)?;
        let count = Count {
            monitor: Monitor::RandomEfficiency,
            of: Trials {
                successes: weakened.clicks,
                trials: readings.clicks,
            },
            expected: share(ratio),
            probable: share(least) - room..=share(most) + room,
        };
        count.alarm(self.failure(2))
    }

    /// Where detectors stand for bits at random, the bits themselves cannot tell.
    fn detector_balance(&self, readings: &Readings) -> Option<Alarm> {
        let [zero, one] = readings.detector_clicks?;
        self.balance(one, zero + one)
    }

    fn balance(&self, second: u64, all: u64) -> Option<Alarm> {
        let expected = self.undisturbed.second_detector_probability;
        let room = BALANCE + self.afterpulse_room(all);
        let count = Count {
            monitor: Monitor::DetectorBalance,
            of: Trials {
                successes: second,
                trials: all,
            },
            expected,
            probable: expected - room..=expected + room,
        };
        count.alarm(self.failure(4))
    }

    /// Afterpulses repeat a detector, so that the share of one strays by √((1+p)/(1−p)) times as
    /// much as that of coins: what seven deviations of so many are more by.
    fn afterpulse_room(&self, trials: u64) -> f64 {
        let p = self.undisturbed.afterpulse_probability;
        let more = ((1.0 + p) / (1.0 - p)).sqrt() - 1.0;
        7.0 * more * 0.5 / (trials.max(1) as f64).sqrt()
    }

    /// What the raw key itself says, basis by basis: of Z and of X.
    pub(crate) fn of_raw_key(&self, bases: [RawKey; 2], readings: &Readings) -> Vec<Alarm> {
        let expected = &self.undisturbed;
        let [z, x] = bases;
        let bits = z.bits + x.bits;
        // Of unlike detectors the model knows bits and bases to first order alone.
        let unlike = (expected.second_detector_probability - 0.5).abs() > 1e-9;
        let unlike = if unlike { BALANCE } else { 0.0 };
        let bias = |successes, expected: f64, room: f64| {
            let count = Count {
                monitor: Monitor::RawKeyBias,
                of: Trials {
                    successes,
                    trials: bits,
                },
                expected,
                probable: expected - room..=expected + room,
            };
            count.alarm(self.failure(4))
        };
        let mut alarms = Vec::new();
        alarms.extend(bias(z.bits, expected.key_basis_probability, unlike));
        let room = unlike + self.afterpulse_room(bits);
        alarms.extend(bias(z.ones + x.ones, expected.one_probability, room));
        if readings.detector_clicks.is_none() {
            alarms.extend(self.balance(z.ones, z.bits));
            alarms.extend(self.balance(x.ones, x.bits));
        }
        self.heeded(alarms)
    }

    /// What sifting says.
    pub(crate) fn of_sifting(&self, key_counts: [u64; 2]) -> Vec<Alarm> {
        let expected = self.undisturbed.decoy_share;
        let [signal, decoy] = key_counts;
        let count = Count {
            monitor: Monitor::DecoyShare,
            of: Trials {
                successes: decoy,
                trials: signal + decoy,
            },
            expected,
            probable: around(expected, DECOY_SHARE),
        };
        self.heeded(count.alarm(self.failure(2)))
    }

    /// What the errors of one basis say: `index` 0 for the key basis, 1 for the test basis.
    pub(crate) fn of_errors(&self, index: usize, basis: &BasisStatistics) -> Vec<Alarm> {
        let expected = self.undisturbed.error_rates[index];
        let least = self.undisturbed.least_error_rates[index].min(expected);
        let count = Count {
            monitor: Monitor::ErrorRates,
            of: Trials {
                successes: basis.total_errors(),
                trials: basis.total_counts(),
            },
            expected,
            probable: least * FEWEST_ERRORS..=expected * (1.0 + MOST_ERRORS),
        };
        self.heeded(count.alarm(self.failure(4)))
    }
}
