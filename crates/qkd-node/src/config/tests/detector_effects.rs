//! Optional sections of the detectors: read, written back, compared, refused.

use qkd_optics::{BasisChoice, BitAssignment, DeadTimes, DetectorEffects};

use super::*;
use crate::parameters::LinkParameters;

const DETECTOR: &str = "basis_choice = \"active\"
bit_assignment = \"random\"

[detector.efficiency_mismatch]
relative_efficiency = [1, 0.9]
gate_offset_ps = [-20, 20]
arrival_offset_ps = 5

[detector.gating]
hold_off_gates = 12
gate_width_ps = 400
pulse_deviation_ps = 100

[detector.linear_mode]
window_slots = 100_000
blinding_photons = 1e6
threshold_photons = 60

[detector.power_monitor]
window_slots = 1_000_000
alarm_photons = 5e6

[detector.timing_jitter]
deviation_ps = 60

[detector.photocurrent_monitor]
window_slots = 20_000
alarm_electrons = 2e9

[detector.random_efficiency]
window_slots = 200_000
probability = 0.125
transmittance = 0.5

[detector.arrival_monitor]
bin_ps = 62.5
deviation_ps = 55

[protocol]";

fn text() -> String {
    ALICE.replace("\n[protocol]", DETECTOR)
}

fn parameters(text: &str) -> LinkParameters {
    match parse(text, Role::Alice).unwrap_or_else(|error| panic!("{error}")) {
        NodeConfig::Alice(alice) => alice.link.parameters,
        NodeConfig::Bob(_) | NodeConfig::Eve(_) => panic!("another role"),
    }
}

#[test]
fn effects_of_the_detectors_are_read_with_their_defaults_and_read_back() {
    assert_eq!(
        parameters(ALICE).effects.detector,
        DetectorEffects::default()
    );
    let read = parameters(&text());
    let effects = &read.effects.detector;
    assert_eq!(effects.basis_choice, BasisChoice::Active);
    let mismatch = effects.efficiency_mismatch.expect("mismatch");
    assert_eq!(mismatch.relative_efficiency, [1.0, 0.9]);
    assert_eq!(mismatch.gate_deviation_ps, 500.0);
    let gating = effects.gating.expect("gates");
    assert_eq!((gating.hold_off_gates, gating.gate_period_slots), (12, 1));
    let linear_mode = effects.linear_mode.expect("linear mode");
    assert_eq!(linear_mode.threshold_photons, 60.0);
    assert_eq!(
        effects.power_monitor.expect("monitor").window_slots,
        1_000_000
    );
    let current = effects.photocurrent_monitor.expect("ammeter");
    assert_eq!(
        (current.avalanche_electrons, current.electrons_per_photon),
        (1e6, 10.0)
    );
    assert_eq!(
        effects.random_efficiency.expect("attenuator").transmittance,
        0.5
    );
    assert_eq!(effects.arrival_monitor.expect("clock").bin_ps, 62.5);
    assert_eq!(effects.bit_assignment, BitAssignment::Random);
    // A slot is as long as the clock of 1 GHz makes it.
    assert_eq!(effects.timing_jitter.expect("jitter").slot_ps, 1000.0);

    let written = parse(&text(), Role::Alice).expect("good").to_toml();
    assert_eq!(parameters(&written), read, "{written}");
}

#[test]
fn a_difference_in_an_effect_of_the_detectors_is_named_with_both_values() {
    let ours = parameters(&text()).canonical_text();
    let theirs = parameters(&text().replace("deviation_ps = 60", "deviation_ps = 61"));
    assert_eq!(
        crate::parameters::first_difference(&ours, &theirs.canonical_text()).expect("differ"),
        "detector.timing_jitter.deviation_ps is 60.0 here and 61.0 at the peer"
    );
}

#[rustfmt::skip]
const BAD_EFFECTS: &[Bad] = &[
    bad(["\"active\"", "\"passive\"", "\"passive\""], "detector.basis_choice", &["the only choice that a key-length theorem here holds for"]),
    bad(["[detector.gating]", "[detector.gatting]", "gatting"], "[detector.gatting]", &["unknown section", "did you mean `gating`?"]),
    bad(["[1, 0.9]", "[1, 1.1]", "[1, 1.1]"], "detector.efficiency_mismatch.relative_efficiency", &["0 to 1"]),
    bad(["[1, 0.9]", "0.9", "0.9\ngate"], "detector.efficiency_mismatch.relative_efficiency", &["for the detectors of 0 and of 1"]),
    bad(["hold_off_gates = 12", "hold_off_gates = 1.5", "1.5"], "detector.gating.hold_off_gates", &["a whole number of gates"]),
    bad(["gate_width_ps = 400\n", "", "[detector.gating]"], "detector.gating.gate_width_ps", &["missing"]),
    bad(["gate_width_ps = 400", "gate_width_ps = 1200", "1200"], "detector.gating.gate_width_ps", &["duration of a slot, 1000 ps"]),
    bad(["pulse_deviation_ps = 100", "pulse_deviation_ps = -1", "-1\n"], "detector.gating.pulse_deviation_ps", &["from 0 ps"]),
    bad(["window_slots = 100_000", "window_slots = 100", "100\nblinding"], "detector.linear_mode.window_slots", &["at least 10000 slots"]),
    bad(["threshold_photons = 60", "threshold_photons = 0", "0\n\n[detector.power"], "detector.linear_mode.threshold_photons", &["above 0"]),
    bad(["alarm_photons = 5e6", "alarm_photons = -5e6", "-5e6"], "detector.power_monitor.alarm_photons", &["above 0"]),
    bad(["\"random\"", "\"fair\"", "\"fair\""], "detector.bit_assignment", &["\"fixed\", or \"random\""]),
    bad(["alarm_electrons = 2e9", "alarm_electrons = 0", "0\n\n[detector.random"], "detector.photocurrent_monitor.alarm_electrons", &["above 0"]),
    bad(["window_slots = 200_000", "window_slots = 99_999", "99_999"], "detector.random_efficiency.window_slots", &["at least 100000 slots"]),
    bad(["transmittance = 0.5", "transmittance = 1", "1\n\n[detector.arr"], "detector.random_efficiency.transmittance", &["below 1"]),
    bad(["bin_ps = 62.5", "bin_ps = 0", "0\ndeviation"], "detector.arrival_monitor.bin_ps", &["above 0 ps"]),
    bad(["deviation_ps = 60", "deviation_ps = 1001", "1001"], "detector.timing_jitter.deviation_ps", &["duration of a slot"]),
];

const WEAKNESSES: &str = "dead_times = \"independent\"

[detector.time_filter]
half_width_ps = 400

[detector.weak_generator]
seed = 77
foreseeable = 0

[detector.back_flash]
probability = 0.06
isolation_db = 3

[protocol]";

fn weak_text() -> String {
    ALICE.replace("\n[protocol]", WEAKNESSES)
}

#[test]
fn what_lets_somebody_into_the_laboratory_is_read_and_read_back_and_warned_of() {
    let sound = parameters(ALICE);
    assert_eq!(sound.effects.detector.dead_times, DeadTimes::Common);
    assert!(sound.effects.uncovered().is_empty());
    let text = weak_text();
    let read = parameters(&text);
    let effects = &read.effects.detector;
    assert_eq!(effects.dead_times, DeadTimes::Independent);
    assert_eq!(effects.time_filter.expect("filter").half_width_ps, 400.0);
    let generator = effects.weak_generator.expect("generator");
    assert_eq!((generator.seed, generator.foreseeable), (77, 0.0));
    let flash = effects.back_flash.expect("light");
    assert_eq!((flash.probability, flash.isolation_db), (0.06, 3.0));
    let written = parse(&text, Role::Alice).expect("good").to_toml();
    assert_eq!(parameters(&written), read, "{written}");
    // A generator of which nothing is foreseen is as good as any.
    assert_eq!(
        read.effects.uncovered().len(),
        2,
        "{:?}",
        read.effects.uncovered()
    );
    let foreseen = text.replace("foreseeable = 0\n", "foreseeable = 1\n");
    let foreseen = foreseen.replace("dead_times = \"independent\"", "");
    let foreseen = foreseen.replace("[detector.time_filter]\nhalf_width_ps = 400", "");
    let warned = parameters(&foreseen).effects.uncovered().join("; ");
    assert!(
        warned.contains("[detector.weak_generator] is not covered"),
        "{warned}"
    );
}

#[rustfmt::skip]
const BAD_WEAKNESSES: &[Bad] = &[
    bad(["\"independent\"", "\"separate\"", "\"separate\""], "detector.dead_times", &["\"common\"", "\"independent\""]),
    bad(["half_width_ps = 400", "half_width_ps = -1", "-1\n"], "detector.time_filter.half_width_ps", &["0 ps or more"]),
    bad(["seed = 77", "seed = 7.5", "7.5"], "detector.weak_generator.seed", &["whole number"]),
    bad(["foreseeable = 0", "foreseeable = 1.5", "1.5"], "detector.weak_generator.foreseeable", &["0 to 1"]),
    bad(["probability = 0.06", "probability = 2", "2\nisolation"], "detector.back_flash.probability", &["0 to 1"]),
    bad(["isolation_db = 3", "isolation_db = -3", "-3"], "detector.back_flash.isolation_db", &["0 dB or more"]),
    bad(["foreseeable = 0", "foreseeable = 1", "[detector.weak_gen"], "detector.weak_generator", &["0 where", "not emulated together"]),
    bad(["dead_times = \"independent\"", "dead_times = \"independent\"\nbit_assignment = \"random\"", "\"random\""], "detector.bit_assignment", &["fixed"]),
    bad(["\n[protocol]", "\n[detector.arrival_monitor]\nbin_ps = 62.5\ndeviation_ps = 60\n\n[protocol]", "[detector.arrival"], "detector.arrival_monitor", &["none where", "filtered by their time"]),
];

#[test]
fn weaknesses_that_cannot_be_or_do_not_go_together_are_refused_at_their_place() {
    let text = weak_text();
    for case in BAD_WEAKNESSES {
        check(&text, Role::Alice, case);
    }
}

#[test]
fn bad_effects_of_the_detectors_are_refused_at_their_place() {
    let text = text();
    for case in BAD_EFFECTS {
        check(&text, Role::Alice, case);
    }
}
