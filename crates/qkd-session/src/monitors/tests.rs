//! Each sign by itself: an undisturbed block shows it to nobody, a disturbed one does.

use qkd_optics::{Alarm, Level, Monitor, Readings, Weakened, Windows};
use qkd_protocols::Undisturbed;
use qkd_security::BasisStatistics;

use super::{Action, Actions, Monitors, RawKey};
use crate::AbortReason;

fn undisturbed() -> Undisturbed {
    Undisturbed {
        photons_per_slot: 0.02,
        electrons_per_slot: 1e4,
        clicks_per_slot: 0.01,
        double_click_share: 0.002,
        one_probability: 0.5,
        second_detector_probability: 0.5,
        afterpulse_probability: 0.0,
        key_basis_probability: 0.8,
        decoy_share: 0.3,
        error_rates: [0.01, 0.01],
        least_error_rates: [0.01, 0.01],
        arrival_shares: None,
        noise_share: 0.0,
        weakened_ratio: Some(0.5),
    }
}

fn monitors() -> Monitors {
    Monitors::new(undisturbed())
}

/// A hundred thousand clicks as they are expected.
fn readings() -> Readings {
    Readings {
        slots: 10_000_000,
        clicks: 100_000,
        double_clicks: 200,
        detector_clicks: None,
        input_power: None,
        photocurrent: None,
        arrivals: None,
        // A tenth of the slots with half of the clicks: 1/19 of all.
        weakened: Some(weakened(5_263)),
        generator: None,
    }
}

/// A tenth of a hundred windows, with so many clicks, in light that does not change.
fn weakened(clicks: u64) -> Weakened {
    Weakened {
        slots: 1_000_000,
        clicks,
        windows: [
            scattering(90, 1_053.0, 1_053.0),
            scattering(10, clicks as f64 / 10.0, clicks as f64 / 10.0),
        ],
    }
}

/// Windows with this mean and variance of clicks.
fn scattering(count: u64, mean: f64, variance: f64) -> Windows {
    let n = count as f64;
    Windows {
        count,
        clicks: (n * mean) as u64,
        squares: (n * mean * mean + (n - 1.0) * variance) as u128,
    }
}

fn raw_key() -> [RawKey; 2] {
    [(80_000, 40_000), (20_000, 10_000)].map(|(bits, ones)| RawKey { bits, ones })
}

fn names(alarms: &[Alarm]) -> Vec<Monitor> {
    alarms.iter().map(|alarm| alarm.monitor).collect()
}

#[test]
fn an_expected_block_raises_no_alarm() {
    let monitors = monitors();
    assert_eq!(monitors.of_readings(&readings()), []);
    assert_eq!(monitors.of_raw_key(raw_key(), &readings()), []);
    assert_eq!(monitors.of_sifting([70_000, 30_000]), []);
    let basis = BasisStatistics {
        counts: [70_000, 30_000],
        errors: [700, 300],
    };
    assert_eq!(monitors.of_errors(0, &basis), []);
    assert_eq!(monitors.of_readings(&Readings::default()), [], "no slots");
}

#[test]
fn missing_and_added_double_clicks_are_seen_and_few_clicks_prove_nothing() {
    let of = |clicks, double_clicks| {
        let readings = Readings {
            slots: 100 * clicks,
            clicks,
            double_clicks,
            weakened: None,
            ..readings()
        };
        names(&monitors().of_readings(&readings))
    };
    assert_eq!(of(100_000, 0), [Monitor::DoubleClicks]);
    assert_eq!(of(100_000, 1_000), [Monitor::DoubleClicks]);
    assert_eq!(of(100_000, 130), []);
    // With twenty expected, and half as many granted, none has a probability of e⁻¹⁰.
    assert_eq!(of(10_000, 0), []);
}

/// Lost frames leave fewer clicks per slot and as many double clicks among them.
#[test]
fn a_link_that_lets_less_light_pass_may_have_fewer_double_clicks() {
    let dark = |double_clicks| Readings {
        slots: 50_000_000,
        double_clicks,
        weakened: None,
        ..readings()
    };
    for double_clicks in [40, 200] {
        assert_eq!(monitors().of_readings(&dark(double_clicks)), []);
    }
}

#[test]
fn clicks_that_do_not_follow_the_light_are_seen() {
    for (clicks, seen) in [(0, true), (2_500, true), (5_400, false), (10_000, true)] {
        let readings = Readings {
            weakened: Some(weakened(clicks)),
            ..readings()
        };
        let alarms = monitors().of_readings(&readings);
        assert_eq!(!alarms.is_empty(), seen, "{clicks}: {alarms:?}");
    }
}

/// Light that comes and goes: half of all windows are dark, so that ten of a hundred have 50 % more or
/// fewer clicks than they should every other time. A thousand windows are judged as before.
#[test]
fn clicks_of_light_that_changes_may_stray_as_much_as_it_does() {
    for (windows, clicks, seen) in [
        (100, 2_500, false),
        (100, 8_000, false),
        (10_000, 250_000, true),
        (10_000, 800_000, true),
        (10_000, 560_000, false),
    ] {
        let few = windows / 10;
        let of = |count, mean: f64| scattering(count, mean, mean * mean);
        let readings = Readings {
            slots: 100_000 * windows,
            clicks: 1_000 * windows,
            double_clicks: 2 * windows,
            weakened: Some(Weakened {
                slots: 100_000 * few,
                clicks,
                windows: [of(windows - few, 1_053.0), of(few, 526.0)],
            }),
            ..readings()
        };
        let alarms = monitors().of_readings(&readings);
        assert_eq!(
            !alarms.is_empty(),
            seen,
            "{clicks} of {windows}: {alarms:?}"
        );
    }
}

/// What one window shows is no measure of how much windows differ.
#[test]
fn few_windows_are_not_judged_where_light_changes() {
    let of = |windows: [Windows; 2]| {
        let readings = Readings {
            weakened: Some(Weakened {
                windows,
                ..weakened(0)
            }),
            ..readings()
        };
        monitors().of_readings(&readings).len()
    };
    assert_eq!(
        of([scattering(90, 1_053.0, 1_053.0), scattering(10, 0.0, 0.0)]),
        1
    );
    assert_eq!(
        of([scattering(90, 1_053.0, 1_053.0), Windows::default()]),
        0
    );
    assert_eq!(
        of([scattering(5, 1_053.0, 1e6), scattering(1, 0.0, 0.0)]),
        0
    );
}

#[test]
fn a_level_that_was_reached_is_an_alarm_with_the_highest_window() {
    let level = Level {
        window_slots: 10_000,
        windows: 1_000,
        reached: 3,
        highest: 7e9,
        limit: 1e6,
    };
    let readings = Readings {
        input_power: Some(level),
        photocurrent: Some(level),
        ..readings()
    };
    let alarms = monitors().of_readings(&readings);
    assert_eq!(names(&alarms), [Monitor::InputPower, Monitor::Photocurrent]);
    assert_eq!((alarms[0].observed, alarms[0].limit), (7e9, 1e6));
    assert_eq!((alarms[0].expected, alarms[1].expected), (200.0, 1e8));
}

/// One alarm in 10⁹ blocks is 6.2σ for each of four questions, 983 of 10⁵ coins.
#[test]
fn bits_and_bases_that_stray_beyond_chance_are_seen() {
    let of = |[z, x]: [(u64, u64); 2]| {
        let raw = [z, x].map(|(bits, ones)| RawKey { bits, ones });
        names(&monitors().of_raw_key(raw, &readings()))
    };
    assert_eq!(of([(80_000, 40_775), (20_000, 10_195)]), []);
    assert_eq!(
        of([(80_000, 40_800), (20_000, 10_200)]),
        [Monitor::RawKeyBias]
    );
    // σ of the bases is 126.
    assert_eq!(of([(80_770, 40_385), (19_230, 9_615)]), []);
    assert_eq!(
        of([(80_800, 40_400), (19_200, 9_600)]),
        [Monitor::RawKeyBias]
    );
    // Opposite in the two bases: no bias of all bits together.
    assert_eq!(
        of([(80_000, 42_000), (20_000, 8_000)]),
        [Monitor::DetectorBalance, Monitor::DetectorBalance]
    );
}

#[test]
fn where_bits_are_assigned_at_random_the_detectors_are_balanced_and_not_the_bits() {
    let readings = Readings {
        detector_clicks: Some([60_000, 40_000]),
        ..readings()
    };
    let monitors = monitors();
    assert_eq!(
        names(&monitors.of_readings(&readings)),
        [Monitor::DetectorBalance]
    );
    assert_eq!(monitors.of_raw_key(raw_key(), &readings), []);
}

#[test]
fn decoys_that_are_missing_and_errors_that_are_missing_are_seen() {
    let monitors = monitors();
    assert_eq!(
        names(&monitors.of_sifting([90_000, 10_000])),
        [Monitor::DecoyShare]
    );
    for (errors, seen) in [(100, true), (600, false), (1_200, false), (2_000, true)] {
        let basis = BasisStatistics {
            counts: [100_000, 0],
            errors: [errors, 0],
        };
        let alarms = monitors.of_errors(1, &basis);
        assert_eq!(!alarms.is_empty(), seen, "{errors}: {alarms:?}");
    }
}

/// What is rare in one basis is judged by what that basis has at its best.
#[test]
fn a_basis_is_not_too_good_for_what_spoils_the_other_basis_or_another_moment() {
    let mut monitors = monitors();
    monitors.undisturbed.error_rates = [0.06; 2];
    monitors.undisturbed.least_error_rates = [0.01, 0.06];
    let of = |index, errors| {
        let basis = BasisStatistics {
            counts: [100_000, 0],
            errors: [errors, 0],
        };
        !monitors.of_errors(index, &basis).is_empty()
    };
    assert_eq!([of(0, 1_000), of(0, 100)], [false, true]);
    assert_eq!([of(1, 6_000), of(1, 1_000)], [false, true]);
    assert!(of(0, 12_000));
}

/// A histogram tells which detector clicked when: of detections that the next block may have, too.
#[test]
fn what_is_said_of_arrival_times_in_public_is_their_name_alone() {
    let alarm = |monitor| Alarm {
        monitor,
        observed: 7.0,
        expected: 5.0,
        limit: 6.0,
    };
    let said = |monitor| {
        let abort = monitors().stopping(&[alarm(monitor)]);
        abort.map(|abort| (abort.observed, abort.limit))
    };
    assert_eq!(said(Monitor::ArrivalTimes), Some((0.0, 0.0)));
    assert_eq!(said(Monitor::DoubleClicks), Some((7.0, 6.0)));
    let abort = monitors().stopping(&[alarm(Monitor::ArrivalTimes)]);
    assert_eq!(
        abort.map(|abort| abort.to_string()).as_deref(),
        Some("alarm arrival_times: its figures are in Bob's account alone")
    );
}

#[test]
fn an_alarm_stops_unless_its_monitor_only_reports_or_is_off() {
    let readings = Readings {
        double_clicks: 0,
        ..readings()
    };
    let of = |action| {
        let mut monitors = monitors();
        monitors.actions = Actions::default().with(Monitor::DoubleClicks, action);
        let alarms = monitors.of_readings(&readings);
        let stopping = monitors.stopping(&alarms).map(|abort| abort.reason);
        (alarms.len(), stopping)
    };
    let stopped = AbortReason::Alarm(Monitor::DoubleClicks);
    assert_eq!(of(Action::Stop), (1, Some(stopped)));
    assert_eq!(of(Action::Report), (1, None));
    assert_eq!(of(Action::Off), (0, None));
}

#[test]
fn of_several_alarms_the_plainest_is_the_reason() {
    let monitors = monitors();
    let none = Readings {
        double_clicks: 0,
        ..readings()
    };
    let mut alarms = monitors.of_readings(&none);
    alarms.extend(monitors.of_sifting([90_000, 10_000]));
    let stopping = monitors.stopping(&alarms).map(|abort| abort.reason);
    assert_eq!(stopping, Some(AbortReason::Alarm(Monitor::DecoyShare)));
}

#[test]
fn every_reason_is_at_its_index() {
    for (index, reason) in AbortReason::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), index, "{}", reason.name());
    }
}
