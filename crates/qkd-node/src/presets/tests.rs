//! Every preset, emulated over 0 to 250 km, against the exact formulas for two detectors with random
//! double clicks, a common dead time and afterpulses. With `--nocapture` the table is printed.

use qkd_security::LinkModel;
use qkd_sim::{Deviation, FrameLoss, Link};

use super::*;

const DISTANCES_KM: [f64; 7] = [0.0, 25.0, 50.0, 100.0, 150.0, 200.0, 250.0];
/// Detections, or pulses with light, after which a cell has seen enough.
const DETECTIONS: f64 = 120_000.0;
const PULSES: f64 = 2_000_000.0;

/// What a preset must show at every distance: pulses per intensity, detections, and counts and
/// errors of each intensity in each basis within five standard deviations of the formulas, the
/// spread by dead time and afterpulses included. By chance one count in a million fails.
fn check(preset: Preset) {
    for (cell, distance_km) in (0..).zip(DISTANCES_KM) {
        let link = link(preset, distance_km, 400 + cell);
        let model = link.model;
        let counts = link.count_photons(slots(&model)).expect("a sound link");
        let rows = counts.against(&model);
        assert_eq!(rows.len(), 10, "no count is left out");
        let name = preset.name();
        println!(
            "{name} at {distance_km} km, {:.3e} slots",
            counts.slots as f64
        );
        rows.iter().for_each(print);
        for row in &rows {
            assert!(
                row.is_within(5.0),
                "{name} at {distance_km} km, seed {}: {row:?}, {:.2} sigma",
                link.seed,
                row.sigmas()
            );
        }
    }
}

fn link(preset: Preset, distance_km: f64, seed: u64) -> Link {
    let parameters = preset.parameters(distance_km);
    Link {
        protocol: parameters.protocol.name.name(),
        model: parameters.link_model().expect("a sound preset"),
        block_bits: parameters.security.block_bits,
        parameters: parameters.security_parameters(),
        hardware: None,
        door: qkd_optics::AlicesDoor::default(),
        defects: [None; 2],
        attack: None,
        monitors: None,
        frame_loss: FrameLoss::NONE,
        blocks: 1,
        seed,
    }
}

/// Blocks of 10,000 bits at 25 km: `cargo run --release -p qkd-node --example false_alarms` runs a
/// thousand of each preset.
#[test]
fn undisturbed_blocks_of_every_preset_raise_no_alarm() {
    for (preset, seed) in Preset::ALL.into_iter().zip(500..) {
        let mut link = link(preset, 25.0, seed);
        let hardware = preset.parameters(25.0).hardware();
        link.hardware = Some(hardware.expect("a sound preset"));
        link.block_bits = 10_000;
        let seen = link.false_alarms(4, |_| {}).expect("a sound link");
        assert_eq!((seen.blocks, seen.alarms), (4, vec![]), "{preset:?}");
    }
}

fn print(row: &Deviation) {
    println!(
        "  {:<28} {:>14} {:>18.1} {:>+7.2} sigma",
        row.what,
        row.counted,
        row.expected,
        row.sigmas()
    );
}

/// Slots until a cell has seen enough of either.
fn slots(model: &LinkModel) -> u64 {
    let source = &model.source;
    let occupied: f64 = source
        .intensities()
        .iter()
        .zip(source.probabilities())
        .map(|(mean, p)| -p * (-mean * model.transmittance_channel).exp_m1())
        .sum();
    let registered = model.expected().registered_probability;
    (DETECTIONS / registered).min(PULSES / occupied) as u64
}

#[test]
fn snspd_meets_the_formulas() {
    check(Preset::Snspd);
}

#[test]
fn ingaas_meets_the_formulas() {
    check(Preset::Ingaas);
}

#[test]
fn gys2004_meets_the_formulas() {
    check(Preset::Gys2004);
}

#[test]
fn lucamarini2013_meets_the_formulas() {
    check(Preset::Lucamarini2013);
}

#[test]
fn micius2017_meets_the_formulas() {
    check(Preset::Micius2017);
}

#[test]
fn boaron2018_meets_the_formulas() {
    check(Preset::Boaron2018);
}

#[test]
fn no_preset_is_left_out_of_the_table() {
    let checked = [
        Preset::Snspd,
        Preset::Ingaas,
        Preset::Gys2004,
        Preset::Lucamarini2013,
        Preset::Micius2017,
        Preset::Boaron2018,
    ];
    assert_eq!(checked, Preset::ALL);
}

#[test]
fn every_preset_is_found_by_its_name() {
    for preset in Preset::ALL {
        assert_eq!(Preset::from_name(preset.name()), Some(preset));
        assert_eq!(preset.parameters(7.0).channel.distance_km, 7.0);
    }
    assert_eq!(Preset::from_name("apd"), None);
}
