//! The walk through all attacks.

use std::time::Duration;

use serde_json::Value;

use super::{nothing_is_left, start};
use crate::process::{PATIENCE, Running, STOP_WITHIN};

/// All attacks, on a machine that does other things too.
const TOUR: Duration = Duration::from_secs(4 * PATIENCE.as_secs());

#[test]
fn a_tour_visits_every_attack_and_each_ends_as_it_is_told() {
    let mut lab = start(&["--tour", "--json", "--blocks", "1"]);
    let status = lab.end_within(TOUR);
    nothing_is_left(&lab);
    assert_eq!(status.code(), Some(0), "{}", lab.story());
    let able = |name: &&str| qkd_attacks::about(name).is_some_and(|about| about.in_daemons);
    let names: Vec<&str> = qkd_attacks::KNOWN.into_iter().filter(able).collect();
    let printed = lab.stdout();
    let visits: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let visited: Vec<&str> = visits
        .iter()
        .filter_map(|one| one["attack"].as_str())
        .collect();
    assert_eq!(visited, names, "{}", lab.story());
    for visit in &visits {
        assert_eq!(visit["is_as_told"], true, "{visit}");
        assert_eq!(visit["blocks"].as_array().map(Vec::len), Some(1), "{visit}");
    }
    let of = |name: &str| visits.iter().find(|one| one["attack"] == name).unwrap();
    let seen = &of("intercept-resend")["blocks"][0];
    assert_eq!(seen["abort"], "qber_too_high", "{seen}");
    assert!(seen["test_qber"].as_f64() > Some(0.2), "{seen}");
    let seen = &of("denial-of-service")["blocks"][0];
    // Dark counts are left.
    assert!(seen["detections_share"].as_f64() < Some(1e-3), "{seen}");
    assert_eq!(of("passive")["blocks"][0]["outcome"], "key");
    let places = ["beam-splitting", "blinding"].map(|name| of(name)["site"].clone());
    assert_eq!(places, ["lossless-line", "bobs-door"]);
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
