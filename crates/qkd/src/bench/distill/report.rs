//! The rows, for people and for programs.

use serde::Serialize;

use super::args::DistillBenchArgs;
use super::peer::Peer;
use super::pipeline;
use super::row::{Role, Row};
use crate::bench::machine::Machine;
use crate::words::{grouped, significant, three_digits, wrapped};

/// Lines of words are no longer.
const WIDTH: usize = 80;

/// All that was measured. In JSON one object.
#[derive(Serialize)]
pub struct Report {
    machine: Machine,
    /// Of each row, s; `null` where a number of blocks was asked for.
    seconds: Option<f64>,
    /// Of each row, where a number was asked for.
    blocks: Option<u64>,
    seed: u64,
    /// Row by row.
    pub rows: Vec<Row>,
    /// The comparison, where one was asked for.
    pub peer: Option<Peer>,
}

impl Report {
    /// A report without a row.
    pub fn new(machine: Machine, args: &DistillBenchArgs) -> Self {
        Self {
            machine,
            seconds: args.blocks.is_none().then_some(args.seconds),
            blocks: args.blocks,
            seed: args.seed,
            rows: Vec::new(),
            peer: None,
        }
    }

    /// One line.
    pub fn json(&self) -> String {
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// The titles, and the rows that are chosen.
    fn lines_of_rows(
        &self,
        chosen: impl Fn(&Row) -> bool,
        titles: &[&str],
        cells: impl Fn(&Row) -> Vec<String>,
    ) -> Vec<Vec<String>> {
        let rows = self.rows.iter().filter(|row| chosen(row));
        let titles = titles.iter().map(|&title| title.to_owned()).collect();
        std::iter::once(titles).chain(rows.map(cells)).collect()
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = lines_of(&self.machine.line());
        if !self.machine.optimised {
            text.push_str("This program was not built for speed (cargo build --release).\n");
        }
        let sees_errors = |row: &Row| row.stage.sees_errors();
        let tables = [
            self.lines_of_rows(
                |row| row.whole.is_none() && sees_errors(row),
                &CORRECTION,
                correction,
            ),
            self.lines_of_rows(|row| !sees_errors(row), &HASHES, hashes),
        ];
        for lines in tables.iter().filter(|lines| lines.len() > 1) {
            text.push('\n');
            text.push_str(&aligned(lines, &LEFT));
        }
        text.push_str(&pipeline::table(&self.rows));
        text.push('\n');
        text.push_str(&lines_of(
            "Input bits per second of CPU time, of one core and one role; where no role is named, both \
             do the same. f counts Alice's parities; beside failed blocks stands the 95 % interval of \
             their rate.",
        ));
        if let Some(peer) = &self.peer {
            text.push('\n');
            text.push_str(&peer.table());
        }
        text.trim_end().to_owned()
    }
}

const CORRECTION: [&str; 10] = [
    "stage", "role", "QBER", "bits", "Mb/s", "ns/bit", "f", "rounds", "blocks", "failed",
];

const HASHES: [&str; 6] = ["stage", "", "bits", "Mb/s", "ns/bit", "blocks"];

/// Columns of words, not of figures.
const LEFT: [usize; 2] = [0, 1];

fn correction(row: &Row) -> Vec<String> {
    let or_nothing = |number: Option<f64>, digits: usize| {
        number.map_or(String::new(), |number| format!("{number:.digits$}"))
    };
    let qber = row
        .qber
        .map(|rate| format!("{} %", significant(100.0 * rate)));
    vec![
        row.stage.name().to_owned(),
        row.role.map_or("", Role::name).to_owned(),
        qber.unwrap_or_default(),
        grouped(row.block_bits as u64),
        three_digits(row.throughput_bps / 1e6),
        three_digits(row.ns_per_bit),
        or_nothing(row.reconciliation_inefficiency, 4),
        or_nothing(row.rounds, 1),
        grouped(row.blocks),
        failed(row),
    ]
}

fn failed(row: &Row) -> String {
    let end = |rate: Option<f64>| three_digits(rate.unwrap_or(f64::NAN));
    let (low, high) = (end(row.failure_rate_low), end(row.failure_rate_high));
    match row.failures {
        None => String::new(),
        Some(0) => format!("0 (< {high})"),
        Some(failures) => format!("{} ({low} to {high})", grouped(failures)),
    }
}

fn hashes(row: &Row) -> Vec<String> {
    let mut what: Vec<String> = Vec::new();
    what.extend(row.authentication.map(str::to_owned));
    let output = row.output_bits;
    what.extend(output.map(|bits| format!("to {} bits", grouped(bits as u64))));
    let ratio = row.ratio_to_hash;
    what.extend(ratio.map(|ratio| format!("{:.0} % of SHA-256", 100.0 * ratio)));
    vec![
        row.stage.name().to_owned(),
        what.join(", "),
        grouped(row.block_bits as u64),
        three_digits(row.throughput_bps / 1e6),
        three_digits(row.ns_per_bit),
        grouped(row.blocks),
    ]
}

/// Lines of cells in columns, two spaces apart; figures stand at the right of theirs.
pub fn aligned(lines: &[Vec<String>], left: &[usize]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate();
        let padded = cells.map(|(at, (cell, &width))| match left.contains(&at) {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        let padded: Vec<String> = padded.collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A text of words in lines that a terminal shows whole.
pub fn lines_of(text: &str) -> String {
    wrapped(text, WIDTH).join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::bench::distill::args::Stage;
    use crate::bench::distill::sample::Samples;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DistillBenchArgs,
    }

    #[test]
    fn a_table_of_all_stages_fits_a_terminal_and_says_what_was_not_measured() {
        let args = Line::parse_from(["qkd"]).args;
        let mut report = Report::new(Machine::of_this(), &args);
        for case in args.cases() {
            let mut samples = Samples::default();
            samples.add(1_000_000, Duration::from_micros(1437));
            let mut row = Row::new(&case, 10_000, &samples);
            match case.stage {
                Stage::Cascade => {
                    row.role = Some(Role::Alice);
                    row.qber = Some(case.qber);
                    row.reconciliation_inefficiency = Some(1.0553);
                    row.rounds = Some(174.85);
                    row = row.with_failures(3);
                }
                Stage::Verify => {}
                Stage::Amplify => row.output_bits = Some(50_000_000),
                Stage::Authenticate => {
                    row.authentication = Some("polyval-hmac-sha-256");
                    row.ratio_to_hash = Some(3.93);
                }
                Stage::Pipeline => unreachable!("it is no case of a stage alone"),
            }
            report.rows.push(row);
        }
        let table = report.table();
        let width = table.lines().map(|line| line.chars().count()).max();
        assert!(width <= Some(95), "{width:?}\n{table}");
        for words in [
            "0.5 %",
            "3 (6.2e-5 to 8.8e-4)",
            "to 50,000,000 bits",
            "polyval-hmac-sha-256, 393 % of SHA-256",
        ] {
            assert!(table.contains(words), "{words}\n{table}");
        }
        assert_eq!(
            table
                .lines()
                .filter(|line| line.starts_with("cascade"))
                .count(),
            21
        );
        report.rows.retain(|row| row.stage == Stage::Verify);
        assert!(!report.table().contains("QBER"), "nothing was corrected");
    }

    #[test]
    fn figures_that_a_stage_does_not_have_are_null() {
        let args = Line::parse_from(["qkd", "--stages", "verify"]).args;
        let mut report = Report::new(Machine::of_this(), &args);
        let case = &args.cases()[0];
        report.rows.push(Row::new(case, 0, &Samples::default()));
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        let row = &json["rows"][0];
        for field in [
            "role",
            "qber",
            "secret_bps",
            "throughput_bps",
            "failure_rate",
        ] {
            assert!(row[field].is_null(), "{field}: {row}");
        }
        assert_eq!(row["stage"], "verify");
    }
}
