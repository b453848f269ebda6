//! A tour as people read it, in 80 columns.

use std::fmt::Write as _;

use qkd_attacks::Site;
use qkd_optics::Monitor;

use super::stops::Laboratory;
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
        "{attacks} attacks on a link of {} km, {} each; {pace}. Without Eve decoys are detected \
         {:.3} times as often as signals (column \"decoys\"), and Bob sees as many detections as \
         expected (column \"rate\", 100 %). What Eve learns is told by theory: nobody here scores her, \
         the simulator does. Ctrl-C ends the tour.",
        args.distance,
        counted(args.blocks, "block"),
        expected.decoy_ratio,
    );
    format!("{}\n", wrapped(&text, WIDTH).join("\n"))
}

/// Where the next attacks are done.
pub fn laboratory(laboratory: &Laboratory, number: usize) -> String {
    let title = format!("Laboratory {number}. {}", laboratory.sentence);
    format!(
        "\n{}\n{}\n",
        "═".repeat(WIDTH),
        wrapped(&title, WIDTH).join("\n")
    )
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
    let by_a_monitor = |one: &&SeenBlock| {
        let reason = one.abort.as_ref();
        reason.is_some_and(|reason| visit.monitors.contains(reason))
    };
    // What a monitor said follows.
    let why = why.filter(|one| one.outcome != Outcome::Key && !by_a_monitor(one));
    if let Some(block) = why {
        say("Bob saw", &block.text);
    }
    let of_power = Monitor::InputPower.name();
    if visit.power_alarms > 0 && !visit.monitors.iter().any(|one| one == of_power) {
        let windows = counted(visit.power_alarms, "window");
        say(
            "alarms",
            &format!("the monitor of the incoming light sounded in {windows}"),
        );
    }
    for alarm in &visit.monitors_said {
        say("alarm", alarm);
    }
    for alarm in &visit.alarms {
        say("node", alarm);
    }
    let pulses = grouped(visit.pulses_seen);
    let (taken, sent) = (grouped(visit.intercepted), grouped(visit.resent));
    let did = match (visit.pulses_seen, visit.intercepted, visit.resent) {
        (0, _, 0) => "looked at none of Alice's pulses".to_owned(),
        (0, _, _) => format!("stopped {taken} pulses, sent {sent} of her own"),
        (_, 0, 0) => format!("saw {pulses} pulses with light and measured none"),
        (_, _, 0) => format!("saw {pulses} pulses with light and handled {taken}"),
        (_, _, _) => format!(
            "saw {pulses} pulses with light, took or measured {taken}, sent {sent} in their place"
        ),
    };
    say("Eve", &did);
    if visit.caught_photons > 0 {
        let photons = grouped(visit.caught_photons);
        say("", &format!("caught {photons} photons of Bob's detectors"));
    }
    if visit.returned_photons > 0 {
        let photons = grouped(visit.returned_photons);
        say(
            "",
            &format!("got {photons} photons back out of Alice's laboratory"),
        );
    }
    let is_key = visit.blocks.iter().any(|one| one.outcome == Outcome::Key);
    let gain = visit.gain_by_theory;
    let got = match is_key {
        true => format!("{gain}, by theory: nobody scores her here"),
        false => {
            format!("nothing of a key, for there is none; of the sifted bits, by theory: {gain}")
        }
    };
    say("she got", &got);
    say("verdict", &visit.sentence);
    text
}

/// All of it once more.
pub fn closing(visits: &[Visit]) -> String {
    let mut text = format!("\n{}\n", "─".repeat(WIDTH));
    let width = visits.iter().map(|visit| visit.attack.len()).max();
    let width = width.unwrap_or(0);
    let mut laboratory = "";
    for visit in visits {
        if laboratory != visit.laboratory {
            laboratory = visit.laboratory;
            let _ = writeln!(text, "{laboratory}");
        }
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
    use crate::lab::tour::stops::TOUR;
    use qkd_wire::proto::eve::Attack;

    #[test]
    fn every_attack_fits_80_columns() {
        let visited = |laboratory: &'static Laboratory| {
            let stops = laboratory.stops.iter();
            stops.map(move |stop| (laboratory, stop))
        };
        for (laboratory, stop) in TOUR.iter().flat_map(visited) {
            let set = Attack {
                spec: format!("{}:loss_db=5", stop.spec),
                name: stop.attack().to_owned(),
                site: "lossless-line".to_owned(),
            };
            let mut visit = Visit::new((laboratory.name, stop), set).unwrap();
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
            visit.monitors = vec!["double_clicks".to_owned()];
            visit.monitors_said = vec!["double clicks: 553 where at least 3252 pass".to_owned()];
            (visit.caught_photons, visit.returned_photons) = (1_234_567, 7_654_321);
            visit.judge();
            let all = [
                super::laboratory(laboratory, 5),
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
