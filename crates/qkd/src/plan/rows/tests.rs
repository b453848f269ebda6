//! Rows from the words of a command line.

use std::path::Path;

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

/// The link of Gobby, Yuan and Shields (2004) as Ma et al., PRA 72 012326, take it.
const GYS: &str = r#"[source]
clock_hz = 2e6
intensities = [0.48]

[channel]
attenuation_db_per_km = 0.21

[detector]
detector_efficiency = 0.045
dark_count_probability = 8.5e-7

[protocol]
key_basis_probability = 0.5
misalignment_error = 0.033
reconciliation_inefficiency = 1.22

[security]
theorem = "gllp-decoy-infinite"
"#;

/// What `qkd plan` with `arguments` plans, or what it says.
pub fn planned(arguments: &[&str]) -> Result<Vec<Series>, String> {
    let all = ["qkd", "plan"].iter().chain(arguments);
    match Cli::try_parse_from(all) {
        Ok(Cli {
            command: Command::Plan(args),
        }) => all_of(&args.table),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

fn all_of(args: &TableArgs) -> Result<Vec<Series>, String> {
    all(args, &mut Progress::new()).map_err(|fault| fault.to_string())
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_known_rates_of_gys_come_out_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "gys.toml", GYS);
    let all = planned(&["--config", &path, "--distances", "0,100,150"]).unwrap();
    let [series] = all.as_slice() else {
        panic!("{all:?}");
    };
    for (row, expected) in series.rows.iter().zip([2.554577e-3, 1.718436e-5, 0.0]) {
        let rate = row.secret_bits_per_pulse;
        assert!((rate - expected).abs() <= 1e-6 * expected, "{row:?}");
        assert_eq!(row.secret_key_rate_bps, 2e6 * rate);
        assert_eq!((row.block_bits, row.secret_length_bits), (None, None));
        assert_eq!((row.block_seconds, row.fixed_length_bits), (None, None));
        assert_eq!(row.channel_model, "published");
    }
    assert_eq!(series.rows[1].distance_km, Some(100.0));
    assert_eq!(series.rows[1].loss_db, 21.0);
    assert_eq!(series.rows[1].configuration, "gys");
    assert!(series.notes[0].contains("block size"), "{:?}", series.notes);
}

#[test]
fn every_configuration_theorem_and_block_size_has_its_rows() {
    let arguments = ["--preset", "snspd,ingaas", "--distances", "0:20:10"];
    let more = ["--theorem", "gllp,rusca2018", "--block-bits", "1e5,1e6"];
    let all = planned(&[arguments, more].concat()).unwrap();
    let titles: Vec<_> = all
        .iter()
        .map(|series| {
            assert_eq!(series.rows.len(), 3);
            let title = &series.title;
            (
                title.configuration.as_str(),
                title.theorem.name(),
                title.block_bits,
            )
        })
        .collect();
    let expected = [
        ("snspd", "gllp", None),
        ("snspd", "rusca2018", Some(100_000)),
        ("snspd", "rusca2018", Some(1_000_000)),
        ("ingaas", "gllp", None),
        ("ingaas", "rusca2018", Some(100_000)),
        ("ingaas", "rusca2018", Some(1_000_000)),
    ];
    assert_eq!(titles, expected);
}

#[test]
fn configurations_of_one_name_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a/link.toml", "b/link.toml", "snspd.toml", "link-2.toml"];
    let paths = paths.map(|name| file(folder.path(), name, GYS));
    let mut arguments = vec!["--preset", "snspd", "--theorem", "gllp", "--distances", "0"];
    for path in &paths {
        arguments.extend(["--config", path]);
    }
    let all = planned(&arguments).unwrap();
    let names: Vec<&str> = all
        .iter()
        .map(|it| it.title.configuration.as_str())
        .collect();
    assert_eq!(names, ["link", "link-2", "snspd", "link-2-2", "snspd-2"]);
}

#[test]
fn a_link_without_a_length_is_planned_over_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let open = file(folder.path(), "open.toml", GYS);
    let closed = GYS.replace("[channel]", "[channel]\ndistance_km = 25");
    let closed = file(folder.path(), "closed.toml", &closed);
    let all = planned(&["--config", &open, "--config", &closed]).unwrap();
    let kilometres = |series: &Series| -> Vec<f64> {
        series
            .rows
            .iter()
            .filter_map(|row| row.distance_km)
            .collect()
    };
    let open = kilometres(&all[0]);
    assert_eq!((open.len(), open[1], open[50]), (51, 5.0, 250.0));
    assert_eq!(kilometres(&all[1]), [25.0]);
    let drawn = planned(&["--config", &closed, "--svg", "rates.svg"]).unwrap();
    assert_eq!(kilometres(&drawn[0]), open);
}

#[test]
fn a_loss_is_planned_as_the_fibre_that_has_it() {
    let by_loss = planned(&["--preset", "snspd", "--loss-db", "10,26.5"]).unwrap();
    let by_length = planned(&["--preset", "snspd", "--distances", "50,132.5"]).unwrap();
    for (loss, length) in by_loss[0].rows.iter().zip(&by_length[0].rows) {
        assert_eq!(loss.distance_km, None);
        let loss = Row {
            distance_km: length.distance_km,
            ..loss.clone()
        };
        assert_eq!(loss, *length);
    }
}

#[test]
fn an_optimised_row_gives_more_and_says_by_which_choices() {
    let arguments = ["--preset", "boaron2018", "--distances", "50,100"];
    let plain = planned(&arguments).unwrap();
    let best = planned(&[&arguments[..], &["--optimise"]].concat()).unwrap();
    for (plain, best) in plain[0].rows.iter().zip(&best[0].rows) {
        assert!(best.secret_key_rate_bps > plain.secret_key_rate_bps);
        assert_ne!(best.intensities, plain.intensities);
        assert!(best.intensities[0] > best.intensities[1]);
        let sum: f64 = best.intensity_probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{best:?}");
        assert!(best.fixed_length_bits.is_some());
    }
}

/// Of each: fixed length, rate of the running system, time of a block on it.
fn of_this_system(arguments: &[&str]) -> Vec<(Option<u64>, Option<f64>)> {
    let all = planned(arguments).unwrap();
    let rows = all.iter().flat_map(|series| &series.rows);
    rows.map(|row| (row.fixed_length_bits, row.fixed_key_rate_bps))
        .collect()
}

#[test]
fn no_system_runs_with_blocks_that_the_daemons_do_not_take() {
    let arguments = ["--preset", "snspd", "--distances", "10", "--block-bits"];
    let sizes = "999,1000,20000000,20000001";
    let found = of_this_system(&[&arguments[..], &[sizes]].concat());
    let runs: Vec<bool> = found.iter().map(|(bits, _)| bits.is_some()).collect();
    assert_eq!(runs, [false, true, true, false]);
    assert!(
        found
            .iter()
            .all(|(bits, rate)| bits.is_some() == rate.is_some())
    );
}

#[test]
fn the_running_system_pays_its_own_bits_before_applications_get_any() {
    let preset = qkd_node::presets::snspd(10.0);
    let plan = preset.block_plan().unwrap();
    let found = of_this_system(&["--preset", "snspd", "--distances", "10"]);
    let seconds = plan.slots_expected / preset.source.clock_hz;
    let bits = plan.acceptance.secret_length_bits;
    assert_eq!(found, [(Some(bits), Some((bits - 320) as f64 / seconds))]);
}

#[test]
fn a_length_that_pays_no_more_than_its_own_block_gives_no_rate() {
    let length = |distance_km: f64| {
        let plan = qkd_node::presets::snspd(distance_km).block_plan().unwrap();
        plan.acceptance.secret_length_bits
    };
    // On the way from many bits to none there are few.
    let (mut near_km, mut far_km) = (10.0, 300.0);
    let few = loop {
        let distance_km = 0.5 * (near_km + far_km);
        assert!(near_km < distance_km && distance_km < far_km);
        match length(distance_km) {
            0 => far_km = distance_km,
            1..=320 => break distance_km,
            321.. => near_km = distance_km,
        }
    };
    for (distance_km, pays) in [(near_km, true), (few, false), (far_km, false)] {
        let distance = distance_km.to_string();
        let found = of_this_system(&["--preset", "snspd", "--distances", &distance]);
        let [(Some(bits), Some(rate))] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((*bits > 0, *rate > 0.0), (pays, pays), "{distance} km");
    }
}

#[test]
fn what_cannot_be_planned_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let noisy = GYS
        .replace(
            "[0.48]",
            "[0.48, 0.1]\nintensity_probabilities = [0.5, 0.5]",
        )
        .replace(
            "[detector]",
            "[detector]\ntiming_jitter = { deviation_ps = 40 }",
        );
    let noisy = file(folder.path(), "noisy.toml", &noisy);
    let cases: [(&[&str], &[&str]); 10] = [
        (
            &["--preset", "snspd", "--theorem", "lim2014"],
            &["snspd: source.intensities: lim2014 takes 3 intensities, not 2"],
        ),
        (
            &["--config", &noisy, "--optimise"],
            &["noisy: detector.timing_jitter: ", "--optimise"],
        ),
        (
            &["--preset", "snspd,ingaas", "--distances", "0:1000:0.015"],
            &["rows are too many", "at most 100000", "0:250:5"],
        ),
        (
            &["--config", "/nowhere/link.toml"],
            &["/nowhere/link.toml: cannot read"],
        ),
        (
            &["--preset", "snspd", "--distances", "0:250"],
            &["--distances", "without a step", "0:250:5"],
        ),
        (
            &["--preset", "snspd", "--distances", "5", "--loss-db", "5"],
            &["cannot be used with"],
        ),
        (
            &["--preset", "snspd", "--block-bits", "10"],
            &["--block-bits", "from 100 to 1e15"],
        ),
        (
            &["--preset", "snspd", "--theorem", "rusca2108"],
            &["'rusca2018'"],
        ),
        (&["--distances", "5"], &["--config", "--preset"]),
        (
            &["--preset", "snspd", "--plot-rate", "per-pulse"],
            &["--svg", "--png"],
        ),
    ];
    for (arguments, words) in cases {
        let said = planned(arguments).unwrap_err();
        for word in words {
            assert!(said.contains(word), "{arguments:?}: {said}");
        }
    }
    planned(&["--config", &noisy, "--theorem", "rusca2018"]).unwrap();
}
