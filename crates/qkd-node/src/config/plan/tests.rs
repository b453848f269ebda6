//! What is planned from a file, and what is refused with its place.

mod misfit;

use qkd_security::planning::{ChannelModel, plan};

use super::*;
use crate::presets;

const LINK: &str = r#"[source]
clock_hz = 1e9
intensities = [0.33, 0.115]
intensity_probabilities = [0.45, 0.55]

[channel]
distance_km = 25
attenuation_db_per_km = 0.2
insertion_loss_db = 0.0

[detector]
detector_efficiency = 0.8
dark_count_probability = 1e-8
dead_time_ns = 30

[protocol]
name = "bb84"
key_basis_probability = 0.8
misalignment_error = 0.01

[security]
theorem = "wiesemann2024"
block_bits = 1_000_000
secrecy = 1e-10
correctness = 1e-15
"#;

/// The link of Gobby, Yuan and Shields (2004) as the asymptotic formulas take it, nothing that has a
/// default.
const ASYMPTOTIC: &str = r#"[source]
clock_hz = 2e6
intensities = [0.48]

[channel]
attenuation_db_per_km = 0.21

[detector]
detector_efficiency = 0.045
dark_count_probability = 8.5e-7

[protocol]
misalignment_error = 0.033
reconciliation_inefficiency = 1.22

[security]
theorem = "gllp-decoy-infinite"
"#;

const PATH: &str = "/home/me/link.toml";

fn parse(text: &str, theorems: &[PlanTheorem]) -> Result<PlanConfig, ConfigError> {
    PlanConfig::parse(text, Path::new(PATH), theorems)
}

/// What is said of `LINK` with `change.0` replaced.
fn said(change: (&str, &str), theorems: &[PlanTheorem]) -> String {
    assert_eq!(LINK.matches(change.0).count(), 1, "{change:?}");
    let text = LINK.replace(change.0, change.1);
    match parse(&text, theorems) {
        Ok(config) => panic!("{change:?} was accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_daemon_s_sections_plan_the_link_that_the_daemon_runs() {
    let config = parse(LINK, &[]).unwrap();
    let parameters = presets::snspd(25.0);
    let fibre = PlanFibre::DistanceKm(25.0);
    assert_eq!(config.distance_km, Some(25.0));
    assert_eq!(config.link_parameters(fibre).unwrap(), parameters);
    let input = config.input(config.security.theorem, fibre).unwrap();
    let model = parameters.link_model().unwrap();
    assert_eq!(input.channel, ChannelModel::Exact);
    assert_eq!(input.block_bits, 1_000_000);
    assert_eq!(
        input.reconciliation_inefficiency,
        RECONCILIATION_INEFFICIENCY
    );
    assert_eq!(input.link.intensities, [0.33, 0.115]);
    assert_eq!(
        input.link.transmittance_channel,
        model.transmittance_channel
    );
    assert_eq!(input.link.dead_time_slots, 30);
    assert!(plan(&input).unwrap().secret_key_rate_bps > 1e5);
}

#[test]
fn a_way_to_tag_messages_changes_no_plan_and_is_one_that_there_is() {
    let with = |name: &str| format!("correctness = 1e-15\nauthentication = \"{name}\"");
    let text = LINK.replace("correctness = 1e-15", &with("polyval-hmac-sha-256"));
    assert_eq!(parse(&text, &[]).unwrap(), parse(LINK, &[]).unwrap());
    let said = said(("correctness = 1e-15", &with("none")), &[]);
    assert!(said.contains("security.authentication"), "{said}");
}

#[test]
fn the_other_sections_of_a_daemon_are_left_unread() {
    let daemon = format!("[node]\nname = 7\n[tls]\n[[sae]]\n[store]\nx = 1\n{LINK}");
    let own = parse(LINK, &[]).unwrap();
    assert_eq!(parse(&daemon, &[]).unwrap(), own);
    for file in ["alice", "bob"] {
        let path = format!("{}/../../deploy/{file}.toml", env!("CARGO_MANIFEST_DIR"));
        let read = PlanConfig::load(Path::new(&path), &[]).unwrap();
        assert_eq!(read, own, "{file}");
    }
}

#[test]
fn a_link_for_an_asymptotic_theorem_says_little_else() {
    let config = parse(ASYMPTOTIC, &[]).unwrap();
    assert_eq!(config.distance_km, None);
    assert_eq!(config.protocol.key_basis_probability, None);
    assert_eq!(config.detector.dead_time_ns, 0.0);
    assert_eq!(config.security.block_bits, 1_000_000);
    let theorem = config.security.theorem;
    let input = config.input(theorem, PlanFibre::DistanceKm(0.0)).unwrap();
    assert_eq!(input.link.intensity_probabilities, [1.0]);
    assert_eq!(input.link.key_basis_probability, 0.5);
    let rate = plan(&input).unwrap().secret_bits_per_pulse;
    // Ma, Qi, Zhao and Lo, PRA 72 012326.
    assert!((rate / 2.554577e-3 - 1.0).abs() < 1e-6, "{rate}");
}

#[test]
fn a_preset_is_planned_as_it_runs() {
    for preset in Preset::ALL {
        for distance_km in [0.0, 50.0, 500.0] {
            let parameters = preset.parameters(distance_km);
            let config = PlanConfig::of_preset(preset);
            let fibre = PlanFibre::DistanceKm(distance_km);
            assert_eq!(config.link_parameters(fibre).unwrap(), parameters);
            let loss_db = parameters.fibre_attenuation_db();
            assert_eq!(config.fibre_loss_db(fibre), loss_db);
        }
    }
}

#[test]
fn a_loss_stands_in_place_of_the_fibre_and_the_receiver_s_stays() {
    let text = LINK.replace("insertion_loss_db = 0.0", "insertion_loss_db = 3.0");
    let config = parse(&text, &[]).unwrap();
    let theorem = config.security.theorem;
    let by_loss = config.input(theorem, PlanFibre::LossDb(10.0)).unwrap();
    let by_length = config.input(theorem, PlanFibre::DistanceKm(50.0)).unwrap();
    assert_eq!(by_loss, by_length);
    assert!((by_loss.link.insertion_transmittance - 0.501).abs() < 0.001);
    assert_eq!(config.fibre_loss_db(PlanFibre::LossDb(26.5)), 26.5);
}

#[test]
fn values_out_of_range_are_told_with_place_unit_and_range() {
    for (change, words) in [
        (
            ("[0.45, 0.55]", "[1.2, -0.2]"),
            [
                ":4:27: source.intensity_probabilities: found the array [1.2, -0.2]",
                "from 0 to 1",
            ],
        ),
        (
            ("[0.45, 0.55]", "[0.45, 0.56]"),
            [":4:27: source.intensity_probabilities:", "with sum 1"],
        ),
        (
            ("[0.45, 0.55]", "[0.2, 0.3, 0.5]"),
            [
                ":4:27: source.intensity_probabilities:",
                "as many probabilities as there are intensities, 2",
            ],
        ),
        (
            ("[0.33, 0.115]", "[0.115, 0.33]"),
            [
                ":3:15: source.intensities: found the array [0.115, 0.33]",
                "each one below the one before",
            ],
        ),
        (
            ("[0.33, 0.115]", "[0.5, 0.2, 0.1, 0.0]"),
            [
                ":3:15: source.intensities:",
                "one to three mean photon numbers",
            ],
        ),
        (
            ("[0.33, 0.115]", "[]"),
            [
                ":3:15: source.intensities:",
                "one to three mean photon numbers",
            ],
        ),
        (
            ("insertion_loss_db = 0.0", "insertion_loss_db = -1"),
            [
                ":9:21: channel.insertion_loss_db: found the integer -1",
                "a loss in dB from 0 to 90",
            ],
        ),
        (
            ("insertion_loss_db = 0.0", "insertion_loss_db = 99"),
            [
                ":9:21: channel.insertion_loss_db: found the integer 99",
                "a loss in dB from 0 to 90",
            ],
        ),
        (
            ("clock_hz = 1e9", "clock_hz = 1e-5"),
            [
                ":2:12: source.clock_hz: found the number 1e-5",
                "in Hz from 0.001 to 1e12",
            ],
        ),
        (
            ("detector_efficiency = 0.8", "detector_efficiency = 1e-12"),
            [
                ":12:23: detector.detector_efficiency: found the number 1e-12",
                "an efficiency from 1e-9 to 1",
            ],
        ),
        (
            ("correctness = 1e-15", "correctness = 1e-200"),
            [
                ":25:15: security.correctness: found the number 1e-200",
                "from 1e-100 to 0.01",
            ],
        ),
        (
            ("distance_km = 25", "distance_km = -5"),
            [
                ":7:15: channel.distance_km: found the integer -5",
                "km from 0 to 1000",
            ],
        ),
        (
            ("secrecy = 1e-10", "secrecy = 0"),
            [
                ":24:11: security.secrecy: found the integer 0",
                "from 1e-100 to 0.01",
            ],
        ),
        (
            ("block_bits = 1_000_000", "block_bits = 1e16"),
            [
                ":23:14: security.block_bits: found the number 1e16",
                "from 100 to 1e15",
            ],
        ),
        (
            ("block_bits = 1_000_000", "block_bits = 1000.5"),
            [
                ":23:14: security.block_bits:",
                "whole number of sifted bits",
            ],
        ),
        (
            ("name = \"bb84\"", "reconciliation_inefficiency = 0.9"),
            [
                ":17:31: protocol.reconciliation_inefficiency: found the number 0.9",
                "from 1 to 10",
            ],
        ),
        (
            ("\"wiesemann2024\"", "\"wiesemann2023\""),
            [
                ":22:11: security.theorem: found the string \"wiesemann2023\"",
                "did you mean `wiesemann2024`?",
            ],
        ),
        (
            ("\"wiesemann2024\"", "\"gllp-decoy\""),
            [":22:11: security.theorem:", "\"gllp-decoy-infinite\""],
        ),
        (
            ("name = \"bb84\"", "nam = \"bb84\""),
            [
                ":17:1: protocol.nam: unknown key, did you mean `name`?",
                "`reconciliation_inefficiency`",
            ],
        ),
        (
            ("[security]", "[eve]\nattack = \"passive\"\n[security]"),
            [":21:1: eve: found a table", "Alice's or Bob's"],
        ),
        (
            ("[security]", "[securty]"),
            [
                ":21:2: [securty]: unknown section, did you mean `security`?",
                "",
            ],
        ),
    ] {
        let said = said(change, &[]);
        for word in words {
            assert!(said.contains(word), "{change:?}: {said}");
        }
        assert!(said.starts_with(PATH), "{said}");
    }
}

#[test]
fn what_only_the_formulas_refuse_is_told_at_the_key_that_it_came_from() {
    for (what, key) in [
        ("clock_hz", "source.clock_hz"),
        ("intensities[1]", "source.intensities"),
        (
            "an entry of intensity_probabilities",
            "source.intensity_probabilities",
        ),
        ("transmittance_channel", "channel.distance_km"),
        ("insertion_transmittance", "channel.insertion_loss_db"),
        ("detector_efficiency", "detector.detector_efficiency"),
        ("key_basis_probability", "protocol.key_basis_probability"),
        (
            "reconciliation_inefficiency",
            "protocol.reconciliation_inefficiency",
        ),
        ("block_bits", "security.block_bits"),
        ("secrecy", "security.secrecy"),
        ("correctness", "security.correctness"),
    ] {
        let error = qkd_security::Error::OutOfRange {
            what,
            value: 1e-200,
            expected: "more",
        };
        assert_eq!(read::key_of(&error), key);
    }
}

#[test]
fn figures_at_the_ends_of_their_ranges_are_planned() {
    for (good, end) in [
        ("insertion_loss_db = 0.0", "insertion_loss_db = 90"),
        ("clock_hz = 1e9", "clock_hz = 0.001"),
        ("detector_efficiency = 0.8", "detector_efficiency = 1e-9"),
        ("secrecy = 1e-10", "secrecy = 1e-100"),
        ("correctness = 1e-15", "correctness = 1e-100"),
    ] {
        let text = LINK.replace(good, end);
        parse(&text, &PlanTheorem::ALL[..2]).unwrap_or_else(|error| panic!("{end}: {error}"));
    }
}

#[test]
fn a_theorem_that_takes_other_intensities_says_so() {
    let own = ("\"wiesemann2024\"", "\"lim2014\"");
    let expected = "link.toml:3:15: source.intensities: found the array [0.33, 0.115], but \
                    lim2014 takes 3 intensities, not 2";
    assert!(said(own, &[]).contains(expected), "{}", said(own, &[]));
    // A theorem that was asked for replaces the file's own.
    parse(&LINK.replace(own.0, own.1), &[PlanTheorem::Gllp]).unwrap();
    let asked = said(
        ("key_basis_probability = 0.8", "key_basis_probability = 0.7"),
        &[PlanTheorem::Gllp, PlanTheorem::GllpVacuumWeak],
    );
    assert!(
        asked.contains("gllp-vacuum-weak takes 3 intensities, not 2"),
        "{asked}"
    );
    for (change, words) in [
        (
            ("[0.33, 0.115]", "[0.33, 0.0]"),
            ["source.intensities", "wiesemann2024"],
        ),
        (
            ("[0.45, 0.55]", "[1, 0]"),
            [
                "source.intensity_probabilities",
                "wiesemann2024 needs a probability above 0",
            ],
        ),
        (
            ("intensity_probabilities = [0.45, 0.55]\n", ""),
            [
                "source.intensity_probabilities: missing, but",
                "wiesemann2024 needs",
            ],
        ),
        (
            ("key_basis_probability = 0.8\n", ""),
            [
                "protocol.key_basis_probability: missing",
                "wiesemann2024 needs",
            ],
        ),
    ] {
        let said = said(change, &[]);
        for word in words {
            assert!(said.contains(word), "{change:?}: {said}");
        }
    }
}

#[test]
fn side_channels_are_planned_with_or_refused_and_never_overlooked() {
    let leaking = (
        "correctness = 1e-15",
        "correctness = 1e-15\nside_channels = { reflected_photons = 1e-6 }",
    );
    let refused = said(leaking, &[PlanTheorem::Gllp]);
    for word in ["security.side_channels", "gllp does not reckon with"] {
        assert!(refused.contains(word), "{refused}");
    }
    let fibre = PlanFibre::DistanceKm(25.0);
    let rate = |text: &str| {
        let config = parse(text, &[]).unwrap();
        let input = config.input(PlanTheorem::Wiesemann2024, fibre).unwrap();
        plan(&input).unwrap().secret_bits_per_pulse
    };
    let (tight, leaks) = (rate(LINK), rate(&LINK.replace(leaking.0, leaking.1)));
    assert!(0.0 < leaks && leaks < tight, "{leaks} of {tight}");
}

#[test]
fn lim2014_refuses_decoys_that_its_bounds_do_not_hold_for() {
    let three = |intensities: &str| {
        let text = LINK
            .replace("[0.33, 0.115]", intensities)
            .replace("[0.45, 0.55]", "[0.4, 0.4, 0.2]");
        parse(&text, &[PlanTheorem::Lim2014])
    };
    let config = three("[0.5, 0.2, 0.0002]").unwrap();
    let fibre = PlanFibre::DistanceKm(25.0);
    let input = config.input(PlanTheorem::Lim2014, fibre).unwrap();
    assert_eq!(input.link.intensity_probabilities, [0.4, 0.4, 0.2]);
    let said = three("[0.5, 0.4, 0.3]").unwrap_err().to_string();
    assert!(
        said.contains("link.toml:3:15: source.intensities:"),
        "{said}"
    );
    assert!(said.contains("lim2014"), "{said}");
    let error = config.link_parameters(fibre).unwrap_err().to_string();
    assert!(error.contains("source.intensities"), "{error}");
}

#[test]
fn a_path_that_says_its_own_loss_takes_no_other() {
    let shared = "[channel.shared_fibre]\nco_propagating_dbm = -10\nfilter_bandwidth_nm = 0.5\n\
                  gate_time_ps = 500\n\n[detector]";
    let space = "[channel.free_space]\nrange_km = 10\ndivergence_urad = 20\nreceiver_diameter_m = 0.3\n\
                 \n[detector]";
    for (section, name) in [
        (shared, "channel.shared_fibre"),
        (space, "channel.free_space"),
    ] {
        let config = parse(&LINK.replace("[detector]", section), &[]).unwrap();
        let theorem = config.security.theorem;
        config.input(theorem, PlanFibre::DistanceKm(10.0)).unwrap();
        let error = config.input(theorem, PlanFibre::LossDb(10.0)).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

#[test]
fn a_garbled_file_is_read_or_refused() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        // xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let words: Vec<&str> =
        "0 -1 1e400 nan inf [] {} \"\" 1_0 = . , # [ ] \n 0.5 1e-320 99999999999999999999"
            .split(' ')
            .collect();
    let (mut read, mut refused) = (0, 0);
    for round in 0..1500 {
        let base = if round % 3 == 0 { ASYMPTOTIC } else { LINK };
        let mut text = base.to_owned();
        for _ in 0..=random(2) {
            let from = random(text.len());
            let to = (from + random(3)).min(text.len());
            text.replace_range(from..to, words[random(words.len())]);
        }
        match parse(&text, [&[][..], &[PlanTheorem::Gllp]][random(2)]) {
            Ok(_) => read += 1,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > 20 && refused > 500, "{read} read, {refused} refused");
}
