//! A tour as people read it, in 80 columns.

use std::fmt::Write as _;

use qkd_attacks::Site;

use super::visit::{Expected, SeenBlock, Visit};
use crate::cli::{LabArgs, Pace};
use crate::lab::report::Outcome;
use crate::words::{counted, grouped, percent, wrapped};

/// Columns of a terminal that was never made wider.
const WIDTH: usize = 80;
/// Columns before what a label says.
const INDENT: usize = 12;

/// What is to be seen.
pub fn opening(attacks: usize, args: &LabArgs, expected: &Expected) -> String {
    let pace = match args.pace {
        Pace::Enter => "Enter goes on to the next one".to_owned(),
        Pace::AtLeast(least) => format!("each stays for at least {} s", least.as_secs_f64()),
    };
    let text = format!(
        "{attacks} attacks on one link of {} km, {} each; {pace}. Without Eve decoys are detected \
         {:.3} times as often as signals (column \"decoys\"), and Bob sees as many detections as \
         expected (column \"rate\", 100 %). What Eve learns is told by theory: nobody here scores her, \
         the simulator does. Ctrl-C ends the tour.",
        args.distance,
        counted(args.blocks, "block"),
        expected.decoy_ratio,
    );
    format!("{}\n", wrapped(&text, WIDTH).join("\n"))
}

/// What begins.
pub fn beginning(visit: &Visit, (number, of): (usize, usize)) -> String {
    let title = format!("{number} of {of}  {}", visit.spec);
    let mut text = format!("\n{title}\n{}\n", "─".repeat(WIDTH));
    for line in wrapped(visit.lesson, WIDTH - 2) {
        let _ = writeln!(text, "  {line}");
    }
    let sites = [Site::BobsDoor, Site::AlicesDoor, Site::LosslessLine];
    let site = sites.into_iter().find(|site| site.name() == visit.site);
    if let Some(site) = site {
        let _ = writeln!(text, "  Eve stands {}.", site.words());
    }
    let _ = writeln!(
        text,
        "\n  {:>6}  {:>9}  {:>9}  {:>7}  {:>7}  outcome",
        "block", "QBER key", "QBER test", "decoys", "rate"
    );
    text
}

/// The last block that was seen.
pub fn block(visit: &Visit) -> String {
    visit.blocks.last().map_or(String::new(), row)
}

fn row(block: &SeenBlock) -> String {
    let none = || "–".to_owned();
    let rate = |rate: Option<f64>| rate.map_or_else(none, percent);
    let decoys = block.decoy_ratio.map(|ratio| format!("{ratio:.3}"));
    let share = block.detections_share;
    let share = share.map(|share| format!("{:.0} %", 100.0 * share));
    let outcome = match (block.outcome, &block.abort) {
        (Outcome::Key, _) => format!("{} secret bits", grouped(block.secret_length_bits)),
        (Outcome::Aborted | Outcome::Fault, Some(reason)) => format!("no key: {reason}"),
        (Outcome::Aborted | Outcome::Fault, None) => "no key".to_owned(),
    };
    format!(
        "  {:>6}  {:>9}  {:>9}  {:>7}  {:>7}  {outcome}\n",
        block.block,
        rate(block.key_qber),
        rate(block.test_qber),
        decoys.unwrap_or_else(none),
        share.unwrap_or_else(none),
    )
}

/// What came of it.
pub fn end(visit: &Visit) -> String {
    let mut text = String::from("\n");
    let mut say = |label: &str, what: &str| {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        for (label, line) in labels.zip(wrapped(what, WIDTH - INDENT)) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {label:<9} {line}");
        }
    };
    let why = visit.blocks.iter().find(|one| !one.text.is_empty());
    if let Some(block) = why.filter(|one| one.outcome != Outcome::Key) {
        say("Bob saw", &block.text);
    }
    if visit.power_alarms > 0 {
        let windows = counted(visit.power_alarms, "window");
        say(
            "alarms",
            &format!("the monitor of the incoming light sounded in {windows}"),
        );
    }
    for alarm in &visit.alarms {
        say("alarms", alarm);
    }
    let pulses = grouped(visit.pulses_seen);
    let did = match (visit.intercepted, visit.resent) {
        (0, 0) => format!("saw {pulses} pulses with light and measured none"),
        (taken, 0) => format!(
            "saw {pulses} pulses with light and handled {}",
            grouped(taken)
        ),
        (taken, sent) => format!(
            "saw {pulses} pulses with light, took or measured {}, sent {} in their place",
            grouped(taken),
            grouped(sent)
        ),
    };
    say("Eve", &did);
    let got = format!(
        "{}, by theory: nobody scores her here",
        visit.gain_by_theory
    );
    say("she got", &got);
    say("verdict", &visit.sentence);
    text
}

/// All of it once more.
pub fn closing(visits: &[Visit]) -> String {
    let mut text = format!("\n{}\n", "─".repeat(WIDTH));
    let width = visits.iter().map(|visit| visit.attack.len()).max();
    let width = width.unwrap_or(0);
    for visit in visits {
        let labels = std::iter::once(visit.attack.as_str()).chain(std::iter::repeat(""));
        for (label, line) in labels.zip(wrapped(&visit.sentence, WIDTH - width - 4)) {
            let _ = writeln!(text, "  {label:<width$}  {line}");
        }
    }
    let hint = "'qkd attack list' has more about each, the manual's attacks.md what each is worth, \
                and 'qkd lab --eve NAME' runs one alone.";
    let _ = writeln!(text, "\n{}", wrapped(hint, WIDTH).join("\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_wire::proto::eve::Attack;

    #[test]
    fn every_attack_fits_80_columns() {
        for name in qkd_attacks::KNOWN {
            let set = Attack {
                spec: format!("{name}:loss_db=5"),
                name: name.to_owned(),
                site: "lossless-line".to_owned(),
            };
            let mut visit = Visit::new(name, set).unwrap();
            visit.blocks.push(SeenBlock {
                block: 123,
                outcome: Outcome::Aborted,
                abort: Some("too_few_detections".to_owned()),
                text: "decoy detections of the key basis: 1234, fewer than 23456".to_owned(),
                key_qber: None,
                test_qber: Some(0.2512),
                decoy_ratio: Some(0.0518),
                detections_share: Some(1.0),
                secret_length_bits: 0,
            });
            visit.power_alarms = 12_345;
            visit.judge();
            let all = [
                beginning(&visit, (10, 15)),
                block(&visit),
                end(&visit),
                closing(&[visit.clone()]),
            ];
            for line in all.iter().flat_map(|text| text.lines()) {
                assert!(line.chars().count() <= WIDTH, "{line:?}");
            }
        }
    }
}
