//! What stands in the title, in the legend and on the axes.

use clap::Parser;
use qkd_security::planning::ChannelModel;

use super::*;
use crate::cli::{Cli, Command};

fn series(configuration: &str, block_bits: u64, clock_hz: f64) -> Series {
    let row = |distance_km: f64| Row {
        configuration: configuration.to_owned(),
        theorem: "wiesemann2024",
        standing: String::new(),
        channel_model: "exact",
        block_bits: Some(block_bits),
        distance_km: Some(distance_km),
        loss_db: 0.2 * distance_km,
        qber: 0.01,
        phase_error_rate: 0.02,
        secret_length_bits: Some(1000),
        secret_bits_per_pulse: 1e-3,
        secret_key_rate_bps: 1e-3 * clock_hz,
        repeaterless_bits_per_pulse: (distance_km > 0.0).then_some(0.1),
        intensities: vec![0.5, 0.1],
        intensity_probabilities: vec![0.5, 0.5],
        key_basis_probability: 0.5,
        reconciliation_inefficiency: 1.1,
        block_seconds: Some(1.0),
        fixed_length_bits: None,
        fixed_key_rate_bps: None,
    };
    Series {
        title: Title {
            configuration: configuration.to_owned(),
            theorem: PlanTheorem::Wiesemann2024,
            channel: ChannelModel::Exact,
            block_bits: Some(block_bits),
            clock_hz,
        },
        rows: vec![row(0.0), row(10.0)],
        notes: Vec::new(),
    }
}

/// What `qkd plan` with a picture and `more` asks for.
fn args(more: &[&str]) -> TableArgs {
    let all = ["qkd", "plan", "--preset", "snspd", "--svg", "rates.svg"];
    let cli = Cli::try_parse_from(all.iter().chain(more)).unwrap();
    let Command::Plan(plan) = cli.command else {
        panic!("{cli:?}");
    };
    plan.table
}

fn labels(chart: &Chart) -> Vec<&str> {
    chart.curves.iter().map(|it| it.label.as_str()).collect()
}

#[test]
fn the_title_has_what_is_common_and_the_legend_what_differs() {
    let one = chart(&[series("snspd", 10_000_000, 1e9)], &args(&[]));
    assert_eq!(
        one.title,
        "Secret key rate: snspd, wiesemann2024, blocks of 10⁷ bits"
    );
    assert_eq!(labels(&one), ["snspd", "repeaterless bound"]);
    let sizes = chart(
        &[
            series("snspd", 100_000, 1e9),
            series("snspd", 5_000_000, 1e9),
        ],
        &args(&[]),
    );
    assert_eq!(sizes.title, "Secret key rate: snspd, wiesemann2024");
    assert_eq!(
        labels(&sizes),
        ["10⁵ bits", "5×10⁶ bits", "repeaterless bound"]
    );
    let mut limit = series("snspd", 100_000, 1e9);
    limit.title.theorem = PlanTheorem::GllpDecoyInfinite;
    limit.title.block_bits = None;
    let theorems = chart(&[series("snspd", 100_000, 1e9), limit], &args(&[]));
    assert_eq!(theorems.title, "Secret key rate: snspd, blocks of 10⁵ bits");
    assert_eq!(
        labels(&theorems)[..2],
        ["wiesemann2024", "gllp-decoy-infinite"]
    );
}

#[test]
fn a_bound_is_drawn_once_for_each_clock() {
    let all = chart(
        &[
            series("a", 1_234_567, 1e9),
            series("b", 1_234_567, 1e9),
            series("c", 1_234_567, 1e8),
        ],
        &args(&[]),
    );
    assert_eq!(
        all.title,
        "Secret key rate: wiesemann2024, blocks of 1,234,567 bits"
    );
    assert_eq!(
        labels(&all),
        [
            "a",
            "b",
            "c",
            "repeaterless bound, a, b",
            "repeaterless bound, c"
        ]
    );
    assert_eq!(all.curves[4].points[1], (10.0, 1e7));
    assert_eq!(all.curves[4].style, CurveStyle::Bound);
    let clocks = [1e9, 1e9, 1e9, 1e8];
    let all: Vec<Series> = ["a", "b", "c", "d"]
        .into_iter()
        .zip(clocks)
        .map(|(name, clock_hz)| series(name, 1000, clock_hz))
        .collect();
    assert_eq!(
        labels(&chart(&all, &args(&[])))[4..],
        ["repeaterless bound, a and 2 more", "repeaterless bound, d"]
    );
}

#[test]
fn without_loss_there_is_no_bound_but_a_rate() {
    let all = chart(&[series("c", 1000, 1e8)], &args(&[]));
    // Without loss there is no bound to draw, and the curve of rates starts there.
    assert_eq!(all.curves[0].points[0], (0.0, 1e5));
    assert!(all.curves[1].points[0].1.is_infinite());
}

#[test]
fn a_rate_per_pulse_has_a_bound_that_no_clock_changes() {
    let all = [series("a", 1_000_000, 1e9), series("b", 1_000_000, 1e8)];
    let chart = chart(&all, &args(&["--plot-rate", "per-pulse"]));
    assert_eq!(chart.y_label, "secret bits per pulse");
    assert_eq!(labels(&chart), ["a", "b", "repeaterless bound"]);
    assert_eq!(chart.curves[1].points, [(0.0, 1e-3), (10.0, 1e-3)]);
    assert_eq!(chart.curves[2].points[1], (10.0, 0.1));
}

#[test]
fn a_title_says_that_the_choices_are_the_best() {
    let all = [series("snspd", 10_000_000, 1e9)];
    let chart = chart(&all, &args(&["--optimise"]));
    let title = "Secret key rate: snspd, wiesemann2024, blocks of 10⁷ bits, optimised";
    assert_eq!(chart.title, title);
}

#[test]
fn the_rate_of_this_system_is_drawn_where_it_runs() {
    let mut run = series("run", 1_000_000, 1e9);
    run.rows[0].fixed_key_rate_bps = Some(7e5);
    run.rows[1].fixed_key_rate_bps = Some(0.0);
    let mut other = series("other", 1_000_000, 1e9);
    other.title.theorem = PlanTheorem::Rusca2018;
    let fixed = args(&["--plot-rate", "fixed"]);
    let both = chart(&[run, other], &fixed);
    assert_eq!(both.title, "Key rate of this system: blocks of 10⁶ bits");
    assert_eq!(both.curves[0].points, [(0.0, 7e5), (10.0, 0.0)]);
    assert_eq!(both.curves[0].nothing, "no key");
    assert_eq!(both.curves[1].points, [(0.0, 0.0), (10.0, 0.0)]);
    assert_eq!(both.curves[1].nothing, "not run by this system");
    assert_eq!(both.curves[2].points[1], (10.0, 1e8), "bound per second");
    assert_eq!(both.nothing, "this system would fix no key anywhere");
    let none = chart(&[series("other", 1000, 1e9)], &fixed);
    assert_eq!(none.nothing, "this system runs none of these");
}

/// Colour and dashes of the rates.
fn looks(names: &[&str], sizes: &[u64]) -> Vec<(usize, usize)> {
    let all: Vec<Series> = names
        .iter()
        .flat_map(|name| sizes.iter().map(|bits| series(name, *bits, 1e9)))
        .collect();
    let curves = chart(&all, &args(&[])).curves;
    let looks = curves.iter().filter_map(|curve| match curve.style {
        CurveStyle::Rate { colour, dashes } => Some((colour, dashes)),
        CurveStyle::Bound => None,
    });
    looks.collect()
}

#[test]
fn configurations_have_colours_and_their_block_sizes_dashes() {
    assert_eq!(
        looks(&["a", "b"], &[1000, 2000, 3000]),
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    );
    // Of one alone, each curve has a colour.
    assert_eq!(looks(&["a"], &[1000, 2000]), [(0, 0), (1, 0)]);
    assert_eq!(looks(&["a", "b"], &[1000]), [(0, 0), (1, 0)]);
    // And so it is when the dashes or the colours do not suffice.
    let sizes: Vec<u64> = (1..=5).map(|size| 1000 * size).collect();
    let many = looks(&["a", "b", "c", "d", "e"], &sizes);
    assert_eq!(many[..2], [(0, 0), (1, 0)]);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    assert_eq!(looks(&names, &[1000, 2000])[6..8], [(6, 0), (0, 1)]);
}

#[test]
fn twenty_eight_curves_are_drawn_in_as_many_ways() {
    let sizes: Vec<u64> = (1..=28).map(|size| 1000 * size).collect();
    let looks = looks(&["a"], &sizes);
    for (index, look) in looks.iter().enumerate() {
        assert!(!looks[..index].contains(look), "{index}");
    }
}
