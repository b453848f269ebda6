//! The walk through all attacks.

use std::time::Duration;

use serde_json::Value;

use super::{nothing_is_left, start};
use crate::process::{PATIENCE, Running, STOP_WITHIN};

/// All attacks, on a machine that does other things too.
const TOUR: Duration = Duration::from_secs(6 * PATIENCE.as_secs());

#[test]
fn a_tour_visits_every_attack_and_each_ends_as_it_is_told() {
    let mut lab = start(&["--tour", "--json"]);
    let status = lab.end_within(TOUR);
    nothing_is_left(&lab);
    assert_eq!(status.code(), Some(0), "{}", lab.story());
    let printed = lab.stdout();
    let visits: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for name in qkd_attacks::KNOWN {
        assert!(visits.iter().any(|one| one["attack"] == name), "{name}");
    }
    for visit in &visits {
        assert_eq!(visit["is_as_told"], true, "{visit}");
        assert_eq!(visit["blocks"].as_array().map(Vec::len), Some(1), "{visit}");
    }
    let of = |laboratory: &str, name: &str| {
        let it = |one: &&Value| one["laboratory"] == laboratory && one["attack"] == name;
        visits.iter().find(it).unwrap()
    };
    let seen = &of("sound", "intercept-resend")["blocks"][0];
    assert_eq!(seen["abort"], "qber_too_high", "{seen}");
    assert!(seen["test_qber"].as_f64() > Some(0.2), "{seen}");
    let seen = &of("sound", "denial-of-service")["blocks"][0];
    // Dark counts are left.
    assert!(seen["detections_share"].as_f64() < Some(1e-3), "{seen}");
    assert_eq!(of("sound", "passive")["blocks"][0]["outcome"], "key");
    let places =
        ["beam-splitting", "denial-of-service"].map(|name| of("sound", name)["site"].clone());
    assert_eq!(places, ["lossless-line", "bobs-door"]);
    for (attack, monitor) in [
        ("blinding", "input_power"),
        ("time-shift", "arrival_times"),
        ("trojan-horse", "backward_light"),
        ("laser-seeding", "backward_light"),
    ] {
        let seen = of("watched", attack);
        assert_eq!(seen["verdict"], "caught", "{seen}");
        let monitors = seen["monitors"].as_array().unwrap();
        assert!(monitors.iter().any(|one| one == monitor), "{seen}");
    }
    let caught = |laboratory| of(laboratory, "back-flash")["caught_photons"].as_u64();
    assert!(caught("weak") > Some(0) && caught("watched") == Some(0));
}

#[test]
fn a_tour_for_people_fits_80_columns_and_ctrl_c_ends_it() {
    let mut lab = Running::start(&["lab", "--tour", "--pace", "3600"]);
    lab.while_running("first verdict", |lab| {
        lab.stdout().contains("verdict ").then_some(())
    });
    lab.signal("INT");
    let status = lab.family_ends_within(STOP_WITHIN);
    nothing_is_left(&lab);
    assert_eq!(status.code(), Some(130), "{}", lab.story());
    let printed = lab.stdout();
    for line in printed.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    assert!(printed.contains("1 of ") && printed.contains("bounded: she learns nothing"));
}

#[test]
fn a_tour_chooses_the_attacks_itself() {
    for (more, words) in [
        (["--eve", "passive"], "--eve"),
        (["--pace", "fast"], "enter"),
    ] {
        let mut lab = Running::start(&[&["lab", "--tour"], more.as_slice()].concat());
        assert_eq!(lab.end_within(PATIENCE).code(), Some(64), "{}", lab.story());
        assert!(lab.stderr().contains(words), "{}", lab.story());
    }
}
