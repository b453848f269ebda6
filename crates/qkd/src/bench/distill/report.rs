//! The rows, for people and for programs.

use serde::Serialize;

use super::args::DistillBenchArgs;
use super::peer::Peer;
use super::row::Row;
use crate::bench::machine::Machine;
use crate::words::{grouped, percent, three_digits, wrapped};

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

    /// For people.
    pub fn table(&self) -> String {
        let mut text = lines_of(&self.machine.line());
        if !self.machine.optimised {
            text.push_str("This program was not built for speed (cargo build --release).\n");
        }
        let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
        lines.extend(self.rows.iter().map(cells));
        text.push('\n');
        text.push_str(&aligned(&lines, &LEFT));
        text.push('\n');
        text.push_str(&lines_of(
            "Input bits per second of CPU time, of one core and one role; a bare role is both: they \
             do the same. f counts Alice's parities; failed blocks come with the 95 % interval of \
             their rate.",
        ));
        if let Some(peer) = &self.peer {
            text.push('\n');
            text.push_str(&peer.table());
        }
        text.trim_end().to_owned()
    }
}

const COLUMNS: usize = 10;

const TITLES: [&str; COLUMNS] = [
    "stage", "role", "QBER", "bits", "blocks", "Mb/s", "ns/bit", "f", "rounds", "",
];

/// Columns of words, not of figures.
const LEFT: [usize; 3] = [0, 1, 9];

fn cells(row: &Row) -> Vec<String> {
    let or_nothing = |number: Option<f64>, digits: usize| {
        number.map_or(String::new(), |number| format!("{number:.digits$}"))
    };
    let cells: [String; COLUMNS] = [
        row.stage.name().to_owned(),
        row.role.map_or("", |role| role.name()).to_owned(),
        row.qber.map_or(String::new(), percent),
        grouped(row.block_bits as u64),
        grouped(row.blocks),
        three_digits(row.throughput_bps / 1e6),
        three_digits(row.ns_per_bit),
        or_nothing(row.reconciliation_inefficiency, 4),
        or_nothing(row.rounds, 1),
        remark(row),
    ];
    cells.to_vec()
}

/// What else there is to say about a row.
fn remark(row: &Row) -> String {
    match (row.failures, row.output_bits, row.ratio_to_hash) {
        (Some(failures), _, _) => {
            let end = |rate: Option<f64>| three_digits(rate.unwrap_or(0.0));
            let (low, high) = (end(row.failure_rate_low), end(row.failure_rate_high));
            format!("{} failed ({low} to {high})", grouped(failures))
        }
        (None, Some(output), _) => format!("to {} bits", grouped(output as u64)),
        (None, None, Some(ratio)) => format!("{:.0} % of SHA-256", 100.0 * ratio),
        (None, None, None) => String::new(),
    }
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
