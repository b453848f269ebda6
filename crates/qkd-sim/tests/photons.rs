//! Source, fibre and receiver against the closed formulas, where every approximation would show:
//! short fibres, many dark counts, many afterpulses, dead times from none to long.

use qkd_sim::{Link, presets};

/// What an emulated link must show: every count within five standard deviations of the formulas,
/// the spread by dead time and afterpulses included. By chance one count in a million fails.
fn check(link: &Link, slots: u64) {
    let counts = link.count_photons(slots).expect("the link can be built");
    for seen in counts.against(&link.model) {
        assert!(
            seen.is_within(5.0),
            "{}: {} counted, {:.1} ± {:.1} expected, {:.1} sigma; {counts:?}\n{link:?}",
            seen.what,
            seen.counted,
            seen.expected,
            seen.standard_deviation,
            seen.sigmas()
        );
    }
}

/// A link with the parameters that strain the formulas.
fn strained(dead_time_slots: u64, afterpulse: [f64; 2], seed: u64) -> Link {
    let mut link = presets::snspd(5.0, seed).expect("the preset is sound");
    let [probability, decay_slots] = afterpulse;
    link.model.dead_time_slots = dead_time_slots;
    link.model.afterpulse_probability = probability;
    link.model.afterpulse_decay_slots = decay_slots;
    link.model.dark_count_probability = 1e-3;
    link.model.misalignment_error = 0.03;
    link
}

#[test]
fn dead_times_and_dark_counts_meet_the_formulas() {
    for (seed, dead_time_slots) in (1..).zip([0, 1, 50]) {
        check(&strained(dead_time_slots, [0.0, 0.0], seed), 3_000_000);
    }
}

#[test]
fn a_tenth_of_afterpulses_meets_the_formulas_at_every_dead_time_and_decay() {
    let mut seed = 10;
    for dead_time_slots in [0, 1, 50] {
        for decay_slots in [0.0, 1.0, 20.0, 500.0] {
            seed += 1;
            check(
                &strained(dead_time_slots, [0.1, decay_slots], seed),
                800_000,
            );
        }
    }
}

#[test]
fn afterpulses_after_rare_light_meet_the_formulas() {
    for (seed, dead_time_slots) in (30..).zip([0, 1, 50]) {
        let mut link = strained(dead_time_slots, [0.1, 20.0], seed);
        link.model.transmittance_channel = 1e-4;
        link.model.dark_count_probability = 1e-5;
        check(&link, 3_000_000_000);
    }
}

#[test]
fn bright_pulses_and_a_wide_misalignment_meet_the_formulas() {
    let mut link = strained(0, [0.3, 2.0], 40);
    link.model.source = qkd_security::DecoySource::new([8.0, 1.0], [0.5, 0.5]).expect("in range");
    link.model.transmittance_channel = 0.5;
    link.model.misalignment_error = 0.25;
    check(&link, 400_000);
    link.model.dead_time_slots = 1;
    check(&link, 400_000);
}
