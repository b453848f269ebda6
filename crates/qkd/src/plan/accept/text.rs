//! Limits as a section to paste, and as JSON.

use std::fmt::Write as _;

use qkd_node::parameters::{AcceptLimits, delivered_bits};
use serde::Serialize;

use super::{Limits, bits};
use crate::words::{grouped, metric, three_digits, wrapped};

/// Comment lines are no longer.
const WIDTH: usize = 98;

/// The section `[security.accept]`, below comments that say what it is for.
pub(super) fn section(limits: &Limits) -> String {
    let mut text = String::new();
    let mut comment = |line: &str| {
        let gap = if line.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "#{gap}{line}");
    };
    let Limits {
        configuration,
        distance_km,
        loss_db,
        ..
    } = limits;
    // A name of a file may hold anything.
    let configuration: String = configuration.replace(char::is_control, " ");
    comment(&format!(
        "What an honest block of {configuration} shows over {distance_km} km of fibre ({} dB).",
        three_digits(*loss_db)
    ));
    comment(
        "It goes into the configurations of both ends, the same one, in place of one that is there.",
    );
    comment("");
    facts(limits)
        .iter()
        .for_each(|(what, words)| comment(&format!("{what:<18}{words}")));
    comment("");
    comment(&format!(
        "An honest block is refused with a probability of {}, with error correction at its worst:",
        chance(limits.honest.total())
    ));
    for refusal in &limits.honest.refusals {
        let (probability, requirement) = (chance(refusal.probability), refusal.requirement);
        comment(&format!("  {probability:>7}  {requirement}"));
    }
    for sentence in &limits.notes {
        comment("");
        wrapped(sentence, WIDTH)
            .iter()
            .for_each(|line| comment(line));
    }
    text.push('\n');
    text.push_str(&AcceptLimits::all_of(&limits.plan.acceptance).to_toml());
    text
}

fn facts(limits: &Limits) -> Vec<(&'static str, String)> {
    let (plan, margin) = (&limits.plan, &limits.margin);
    let fixed = plan.acceptance.secret_length_bits;
    let expected = plan.length_expected.length_unclamped;
    let second = 1.0 / limits.clock_hz;
    let rate_bps = delivered_bits(fixed) as f64 / (plan.slots_expected * second);
    let mut facts = vec![
        (
            "Block",
            format!(
                "{} detections, at least {} sifted bits",
                grouped(plan.detections),
                grouped(limits.block_bits)
            ),
        ),
        (
            "It takes",
            format!(
                "{} s, ± {} s",
                three_digits(plan.slots_expected * second),
                three_digits(plan.slots_deviation * second)
            ),
        ),
        (
            "Theorem",
            format!(
                "wiesemann2024, secrecy {:?}, correctness {:?}",
                limits.parameters.secrecy, limits.parameters.correctness
            ),
        ),
        (
            "It gives",
            format!(
                "{} at the expected counts, ± {} by chance, f being {:.3}",
                bits(expected),
                bits(plan.length_deviation_bits),
                plan.reconciliation_inefficiency_max
            ),
        ),
        (
            "Fixed length",
            format!(
                "{}, of which applications get {}",
                bits(fixed as f64),
                metric(rate_bps, "bit/s")
            ),
        ),
        (
            "Margin",
            format!(
                "{}: {} standard deviations, {} more errors",
                bits(expected - fixed as f64),
                margin.length_deviations,
                share(margin.model_error)
            ),
        ),
        (
            "Other limits",
            format!(
                "{} standard deviations, {} more errors, {} fewer detections",
                margin.deviations,
                share(margin.model_error),
                share(margin.model_count)
            ),
        ),
    ];
    if plan.length_expected.side_channels.is_some() {
        let charged = bits(plan.length_expected.side_channel_bits());
        let what = format!("{charged} of what it gives are charged already");
        facts.insert(4, ("Side channels", what));
    }
    facts
}

/// A share as per cent, with no more digits than it has.
fn share(share: f64) -> String {
    // What was typed as a short number is one.
    let percent: f64 = format!("{:.9e}", 100.0 * share).parse().unwrap_or(share);
    format!("{percent} %")
}

fn chance(probability: f64) -> String {
    match probability {
        0.0 => "0".to_owned(),
        probability if probability < 0.001 => format!("{probability:.1e}"),
        probability => format!("{probability:.3}"),
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    configuration: &'a str,
    theorem: &'static str,
    distance_km: f64,
    /// Of the fibre alone.
    loss_db: f64,
    block_bits: u64,
    detections: u64,
    slots_expected: f64,
    slots_deviation: f64,
    slots_max: u64,
    block_seconds: f64,
    length_expected_bits: f64,
    length_deviation_bits: f64,
    reconciliation_inefficiency_max: f64,
    fixed_length_bits: u64,
    fixed_key_rate_bps: f64,
    accept: Accept,
    honest_refusal_probability: f64,
    honest_refusals: Vec<Refusal>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Accept {
    key_counts_min: [u64; 2],
    test_counts_min: [u64; 2],
    key_errors_max: [u64; 2],
    test_errors_max: [u64; 2],
    leaked_bits_max: u64,
    secret_length_bits: u64,
}

#[derive(Serialize)]
struct Refusal {
    requirement: String,
    probability: f64,
}

/// One line.
pub(super) fn json(limits: &Limits) -> String {
    let plan = &limits.plan;
    let accept = &plan.acceptance;
    let seconds = plan.slots_expected / limits.clock_hz;
    let json = Json {
        configuration: &limits.configuration,
        theorem: "wiesemann2024",
        distance_km: limits.distance_km,
        loss_db: limits.loss_db,
        block_bits: limits.block_bits,
        detections: plan.detections,
        slots_expected: plan.slots_expected,
        slots_deviation: plan.slots_deviation,
        slots_max: plan.slots_max,
        block_seconds: seconds,
        length_expected_bits: plan.length_expected.length_unclamped,
        length_deviation_bits: plan.length_deviation_bits,
        reconciliation_inefficiency_max: plan.reconciliation_inefficiency_max,
        fixed_length_bits: accept.secret_length_bits,
        fixed_key_rate_bps: delivered_bits(accept.secret_length_bits) as f64 / seconds,
        accept: Accept {
            key_counts_min: accept.key_counts_min,
            test_counts_min: accept.test_counts_min,
            key_errors_max: accept.key_errors_max,
            test_errors_max: accept.test_errors_max,
            leaked_bits_max: accept.leaked_bits_max,
            secret_length_bits: accept.secret_length_bits,
        },
        honest_refusal_probability: limits.honest.total(),
        honest_refusals: refusals(limits),
        notes: &limits.notes,
    };
    // Every field is a number, a text, or made of them: none of them can be refused.
    let mut text = serde_json::to_string(&json).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

fn refusals(limits: &Limits) -> Vec<Refusal> {
    let all = limits.honest.refusals.iter();
    all.map(|refusal| Refusal {
        requirement: refusal.requirement.to_string(),
        probability: refusal.probability,
    })
    .collect()
}
