//! Optional keys of source and channel: read, written back, compared, refused.

use qkd_optics::{Background, HeraldedPairs, PhotonStatistics, SharedLength};

use super::*;
use crate::parameters::{HardwareEffects, LinkParameters};

const SOURCE: &str = "[source]
photon_statistics = \"weak-coherent\"
extinction_ratio_db = 30
intensity_relative_deviation = 0.02
preparation_error = [0.001, 0.002]
";

const CHANNEL: &str = "
[channel.background]
photons_per_slot = 1e-7

[channel.daylight]
radiance_w_per_m2_sr_nm = 1e-6
field_of_view_urad = 100
receiver_diameter_m = 1
wavelength_nm = 850
filter_bandwidth_nm = 1
gate_time_ps = 1000

[channel.shared_fibre]
co_propagating_dbm = -20
filter_bandwidth_nm = 0.1
gate_time_ps = 200

[channel.polarisation_drift]
drift_rad_per_sqrt_s = 0.01
compensation_interval_s = 10

[channel.satellite_pass]
altitude_km = 500
elevation_max_deg = 70
divergence_urad = 5
receiver_diameter_m = 1.2

[channel.turbulence]
scintillation_index = 0.1
coherence_time_ms = 5

[detector]";

fn text() -> String {
    ALICE
        .replace("[source]\n", SOURCE)
        .replace("\n[detector]", CHANNEL)
}

fn parameters(text: &str) -> LinkParameters {
    match parse(text, Role::Alice).unwrap_or_else(|error| panic!("{error}")) {
        NodeConfig::Alice(alice) => alice.link.parameters,
        NodeConfig::Bob(_) | NodeConfig::Eve(_) => panic!("another role"),
    }
}

#[test]
fn effects_are_off_unless_the_file_has_them() {
    assert_eq!(parameters(ALICE).effects, HardwareEffects::default());
    let canonical = parameters(ALICE).canonical_text();
    assert_eq!(canonical.lines().count(), 18, "{canonical}");
}

#[test]
fn effects_are_read_with_their_defaults_and_read_back() {
    let read = parameters(&text());
    let source = &read.effects.source;
    assert_eq!(source.preparation_error.test_basis, 0.002);
    assert_eq!(source.photon_statistics, PhotonStatistics::WeakCoherent);
    let channel = &read.effects.channel;
    let background = channel.background.expect("background");
    let shared = background.shared_fibre.expect("shared fibre");
    assert_eq!(shared.co_propagating_dbm, Some(-20.0));
    assert_eq!(shared.counter_propagating_dbm, None);
    assert_eq!(
        (shared.raman_per_km_nm, shared.window.wavelength_nm),
        (2e-9, 1550.0)
    );
    let fibre = SharedLength {
        distance_km: 25.0,
        attenuation_db_per_km: 0.2,
    };
    assert_eq!(shared.fibre, fibre);
    let pass = channel.satellite_pass.expect("pass");
    assert_eq!((pass.elevation_min_deg, pass.step_ms), (20.0, 10.0));
    assert_eq!(pass.beam.telescope_transmittance, 1.0);

    let written = parse(&text(), Role::Alice).expect("good").to_toml();
    assert_eq!(parameters(&written), read, "{written}");
    let free_space = "[channel.free_space]\nrange_km = 3\ndivergence_urad = 20\nreceiver_diameter_m = 0.3\n[detector]";
    let fixed = parameters(&ALICE.replace("[detector]", free_space));
    let path = fixed.effects.channel.free_space.expect("path");
    assert_eq!(
        (path.elevation_deg, path.beam.zenith_transmittance),
        (90.0, 1.0)
    );
    let sections = fixed.to_toml();
    assert!(
        sections.contains("[channel.free_space]\nrange_km = 3.0\n"),
        "{sections}"
    );
}

/// The example of the manual page, in a whole file.
#[test]
fn the_example_of_the_manual_is_accepted() {
    let page = include_str!("../../../../qkd/manual/optics.md");
    let example = page.split("```").nth(1).expect("an example");
    let (path, gates) = example.split_at(example.find("[detector.").expect("gates"));
    let (_, path) = path.split_once("distance_km = 0\n").expect("a path in air");
    let text = ALICE
        .replace("\n[detector]", &format!("{path}\n[detector]"))
        .replace("[protocol]", &format!("{gates}\n[protocol]"));
    let effects = parameters(&text).effects;
    assert!(effects.channel.free_space.is_some() && effects.channel.turbulence.is_some());
    assert!(effects.channel.background.expect("daylight").photons() > 0.0);
    assert!(effects.detector.gating.is_some());
}

/// Both sides must agree on every effect, as on every other parameter.
#[test]
fn a_difference_in_an_effect_is_named_with_both_values() {
    let ours = parameters(&text()).canonical_text();
    let theirs = parameters(&text().replace("elevation_max_deg = 70", "elevation_max_deg = 75"));
    assert_eq!(
        crate::parameters::first_difference(&ours, &theirs.canonical_text()).expect("differ"),
        "channel.satellite_pass.elevation_max_deg is 70.0 here and 75.0 at the peer"
    );
    let mut none = parameters(&text());
    none.effects.channel.background = None::<Background>;
    let said = crate::parameters::first_difference(&ours, &none.canonical_text());
    assert!(said.expect("differ").ends_with("not set at the peer"));
}

#[rustfmt::skip]
const BAD_EFFECTS: &[Bad] = &[
    bad(["\"weak-coherent\"", "\"single-photon\"", "\"single-photon\""], "source.photon_statistics", &["the only light that a key-length theorem here holds for"]),
    bad(["\"weak-coherent\"", "\"weak_coherent\"", "\"weak_coherent\""], "source.photon_statistics", &["did you mean `weak-coherent`?"]),
    bad(["extinction_ratio_db = 30", "extinction_ratio_db = -30", "-30"], "source.extinction_ratio_db", &["0 to 200 dB"]),
    bad(["extinction_ratio_db = 30", "extinction_ratio_db = \"30\"", "\"30\""], "source.extinction_ratio_db", &["a number"]),
    bad(["intensity_relative_deviation = 0.02", "intensity_relative_deviation = 0.2", "0.2\nprep"], "source.intensity_relative_deviation", &["0 to 0.125"]),
    bad(["[0.001, 0.002]", "0.001", "0.001\n"], "source.preparation_error", &["of key and test basis"]),
    bad(["[0.001, 0.002]", "[0.001, 0.6]", "[0.001"], "source.preparation_error", &["from 0 to 0.5"]),
    bad(["extinction_ratio_db = 30", "extinction_db = 30", "extinction_db"], "source.extinction_db", &["unknown key", "did you mean `extinction_ratio_db`?"]),
    bad(["[channel.background]", "[channel.backgrund]", "backgrund"], "[channel.backgrund]", &["unknown section", "did you mean `background`?"]),
    bad(["photons_per_slot = 1e-7", "photons_per_slot = -1e-7", "-1e-7"], "channel.background.photons_per_slot", &["zero or more"]),
    bad(["photons_per_slot = 1e-7\n", "", "[channel.background]"], "channel.background.photons_per_slot", &["missing"]),
    bad(["wavelength_nm = 850", "wavelength_nm = 8.5e-7", "8.5e-7"], "channel.daylight.wavelength_nm", &["100 to 10000 nm"]),
    bad(["co_propagating_dbm = -20", "co_propagating_dbm = 40", "40\nfilter"], "channel.shared_fibre.co_propagating_dbm", &["-100 to 30 dBm"]),
    bad(["compensation_interval_s = 10", "compensation_interval_s = 0", "0\n\n[channel.sat"], "channel.polarisation_drift.compensation_interval_s", &["1e-6 to 1e6 s"]),
    bad(["compensation_interval_s = 10", "compensation_interval_s = 6e-3", "6e-3"], "channel.polarisation_drift.compensation_interval_s", &["at least 0.0064 s at this clock"]),
    bad(["drift_rad_per_sqrt_s = 0.01", "drift_rad_per_sqrt_s = 1", "1\ncompensation"], "channel.polarisation_drift.drift_rad_per_sqrt_s", &["π rad gathered"]),
    bad(["coherence_time_ms = 5", "coherence_time_ms = 0.09", "0.09"], "channel.turbulence.coherence_time_ms", &["at least 0.1 ms at this clock"]),
    bad(["photons_per_slot = 1e-7", "photons_per_slot = 200", "200\n\n[channel.day"], "channel.background.photons_per_slot", &["at most 100 photons per slot"]),
    bad(["gate_time_ps = 200", "gate_time_ps = 1001", "1001"], "channel.shared_fibre.gate_time_ps", &["duration of a slot, 1000 ps"]),
    bad(["co_propagating_dbm = -20\n", "", "[channel.shared_fibre]"], "channel.shared_fibre.co_propagating_dbm", &["at this end or at the other"]),
    bad(["filter_bandwidth_nm = 0.1", "filter_bandwidth_nm = 0", "0\ngate_time_ps = 200"], "channel.shared_fibre.filter_bandwidth_nm", &["above 0"]),
    bad(["elevation_max_deg = 70", "elevation_max_deg = 15", "[channel.satellite_pass]"], "channel.satellite_pass.elevation_min_deg", &["below elevation_max_deg"]),
    bad(["elevation_max_deg = 70", "elevation_max_deg = 91", "91"], "channel.satellite_pass.elevation_max_deg", &["5 to 90 degrees"]),
    bad(["divergence_urad = 5", "divergence_urad = 0", "0\nreceiver_diameter_m = 1.2"], "channel.satellite_pass.divergence_urad", &["above 0"]),
    bad(["scintillation_index = 0.1", "scintillation_index = 3", "3\ncoherence"], "channel.turbulence.scintillation_index", &["0 to 1"]),
    bad(["[channel.turbulence]", "[channel.free_space]\nrange_km = 1\ndivergence_urad = 9\nreceiver_diameter_m = 1\n[channel.turbulence]", "[channel.satellite_pass]"], "channel.satellite_pass", &["one of [channel.free_space] and [channel.satellite_pass]"]),
];

#[test]
fn bad_effects_are_refused_at_their_place() {
    let text = text();
    for case in BAD_EFFECTS {
        check(&text, Role::Alice, case);
    }
    let bright = bad(
        [
            "[detector]",
            "[channel.turbulence]\nscintillation_index = 0.5\ncoherence_time_ms = 1\n[detector]",
            "[channel.turbulence]",
        ],
        "channel.turbulence",
        &["turbulence needs a path that loses light"],
    );
    check(ALICE, Role::Alice, &bright);
}

/// What the emulator can make and no theorem here covers stays out of configurations only because
/// of the rule: the instruments themselves take it.
#[test]
fn the_instruments_take_light_that_a_configuration_refuses() {
    let mut pairs = parameters(ALICE);
    pairs.effects.source.photon_statistics = PhotonStatistics::HeraldedPairs(HeraldedPairs {
        modes: 1,
        herald_efficiency: 0.5,
        herald_dark_count_probability: 1e-6,
    });
    let setup = pairs.setup().expect("plans as a laser");
    let secret = qkd_bits::SecretRng::from_seed([1; 32]);
    assert!(setup.hardware.transmitter(secret).is_ok());
}
