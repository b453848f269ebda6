//! What becomes of whole blocks under each attack: refused and why, or a key, with or without an
//! alarm.

use qkd_optics::{EfficiencyMismatch, LinearMode, PowerMonitor};
use qkd_protocols::Hardware;
use qkd_session::{AbortReason, Outcome as Ended};

use super::{Expect, check, short};
use crate::{Eve, Link, Outcome};

fn attacked(distance_km: f64, seed: u64, eve: Eve) -> Link {
    let mut link = short(distance_km, seed);
    link.attack = Some(eve);
    link
}

fn alarms(outcome: &Outcome) -> u64 {
    outcome.receiver.power_alarms
}

/// The weaker intensity gives half the detections that it should: the limit that it falls short of.
#[test]
fn photon_number_splitting_is_refused_for_the_missing_decoys_and_makes_no_error() {
    let spec = "photon-number-splitting:loss_db=10";
    let link = attacked(50.0, 71, Eve::with_lossless_line(spec));
    let outcome = check(&link, &Expect::Abort(AbortReason::TooFewDetections));
    let report = &outcome.bob[0];
    let Ended::Aborted(abort) = &report.outcome else {
        panic!("it was checked to be refused");
    };
    let decoys = report.sifted.as_ref().expect("it was sifted").key_counts[1];
    assert_eq!(abort.observed, decoys as f64);
    assert!(abort.observed < 0.6 * abort.limit, "{abort:?}");
    let qber = report.qber.expect("the test basis was counted");
    // All of it is misalignment: 12,600 bits at 1 %, five standard deviations.
    assert!((qber - 0.01).abs() < 0.0045, "{qber}");
}

#[test]
fn beam_splitting_leaves_the_key_that_was_planned_without_it() {
    let spec = "beam-splitting:loss_db=10";
    check(
        &attacked(50.0, 72, Eve::with_lossless_line(spec)),
        &Expect::Key,
    );
}

#[test]
fn one_basis_intercepted_is_refused_for_the_errors_of_the_other() {
    let link = attacked(25.0, 73, Eve::at_bobs_door("intercept-resend:basis=z"));
    check(&link, &Expect::Abort(AbortReason::QberTooHigh));
}

/// The counts show nothing: what saves Bob is the look at the light.
#[test]
fn blinded_detectors_give_a_key_that_eve_has_and_an_alarm_in_every_window() {
    let mut link = attacked(25.0, 74, Eve::at_bobs_door("blinding"));
    let mut hardware = Hardware::of(&link.model);
    hardware.detectors.effects.linear_mode = Some(LinearMode {
        window_slots: 10_000,
        blinding_photons: 1e9,
        threshold_photons: 1e6,
    });
    hardware.detectors.effects.power_monitor = Some(PowerMonitor {
        window_slots: 10_000,
        alarm_photons: 1e6,
    });
    link.hardware = Some(hardware);
    let outcome = check(&link, &Expect::Key);
    let qber = outcome.bob[0].qber.expect("a key has a QBER");
    assert!(qber < 0.001, "{qber}");
    let windows = outcome.slots / 10_000;
    assert!(
        alarms(&outcome) > windows * 9 / 10,
        "{} of {windows}",
        alarms(&outcome)
    );
    link.attack = None;
    assert_eq!(alarms(&check(&link, &Expect::Key)), 0, "nobody shone");
}

/// No count shows it and no theorem here covers it: unlike detectors are what has to be excluded.
#[test]
fn shifted_light_on_unlike_detectors_gives_a_key_without_an_alarm() {
    let spec = "time-shift:zero_ps=-100,one_ps=100";
    let mut link = attacked(25.0, 75, Eve::at_bobs_door(spec));
    let mut hardware = Hardware::of(&link.model);
    hardware.detectors.effects.efficiency_mismatch = Some(EfficiencyMismatch {
        relative_efficiency: [1.0, 1.0],
        gate_offset_ps: [-50.0, 50.0],
        gate_deviation_ps: 200.0,
        arrival_offset_ps: 0.0,
    });
    link.hardware = Some(hardware);
    check(&link, &Expect::Key);
}
