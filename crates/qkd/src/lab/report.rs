//! What came out: a JSON object for programs and a table for people.

use std::fmt::Write as _;

use qkd_wire::proto::eve::Tally;
use qkd_wire::proto::node::BlockReport;
use serde::Serialize;

use super::fault::Fault;
use crate::cli::LabArgs;
use crate::words::{grouped, percent, wrapped};

/// The whole result; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What came out.
    pub outcome: Outcome,
    /// Why nothing came out; only with [`Outcome::Fault`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Name of the protocol.
    pub protocol: &'static str,
    /// Name of the hardware preset.
    pub preset: &'static str,
    /// Length of the fibre, km.
    pub distance_km: f64,
    /// Every block that was attempted, in order.
    pub blocks: Vec<Block>,
    /// Whether every key that was fetched at both ends was the same.
    pub keys_agree: bool,
    /// Secret bits of all blocks.
    pub secret_bits: u64,
    /// Emulated time of all blocks, s.
    pub emulated_seconds: f64,
    /// Wall-clock time from the start of the laboratory to the report, s.
    pub wall_seconds: f64,
    /// Secret bits per emulated second.
    pub secret_key_rate_bps: f64,
    /// Whether the message was opened at the other end and read the same.
    pub message_delivered: bool,
    /// Who sat in the fibre; `null` when nobody did.
    pub eve: Option<Eve>,
    /// What only people want to know.
    #[serde(skip)]
    pub notes: Vec<Note>,
}

/// What came out of the laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// At least one block gave a key, keys agreed and the message arrived.
    Key,
    /// Every block was aborted.
    Aborted,
    /// Something failed.
    Fault,
}

/// What became of one block, as both ends reported it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Block {
    /// Block number in its session.
    pub block: u64,
    /// `key` or `aborted`.
    pub outcome: Outcome,
    /// `qber_too_high`, `too_few_detections`, `zero_length` or `verification_failed`; `null` with
    /// a key.
    pub abort: Option<String>,
    /// What was observed: a rate, a count or bits, as the reason says; `null` with a key.
    pub abort_observed: Option<f64>,
    /// The limit it violated, in the same unit; `null` with a key.
    pub abort_limit: Option<f64>,
    /// Sifted key-basis bits.
    pub sifted_bits: u64,
    /// Key-basis error rate, 0 to 1; `null` where it was not learnt.
    pub qber: Option<f64>,
    /// Upper bound on the phase-error rate, 0 to 1; `null` before estimation.
    pub phase_error_rate: Option<f64>,
    /// Public bits of error correction.
    pub leaked_bits: u64,
    /// `leaked_bits` over the Shannon limit; `null` where no error was corrected.
    pub reconciliation_inefficiency: Option<f64>,
    /// Bits of the key; 0 when aborted.
    pub secret_length_bits: u64,
    /// The session that the block number counts in.
    #[serde(skip)]
    pub session: u64,
    /// Emulated time of the block, s.
    #[serde(skip)]
    pub emulated_seconds: f64,
    /// Why it was aborted, in a sentence.
    #[serde(skip)]
    pub text: String,
}

/// Who sat in the fibre.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Eve {
    /// Name of her attack.
    pub attack: String,
    /// Fraction of the pulses she attacks, 0 to 1.
    pub fraction: f64,
    /// Pulses with light that came by; `null` when the laboratory ended before she was asked.
    pub pulses_seen: Option<u64>,
    /// Pulses that she measured; `null` as above.
    pub intercepted: Option<u64>,
    /// Pulses that she sent in their place; `null` as above.
    pub resent: Option<u64>,
}

/// A line of the report for people: a word or two, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub about: &'static str,
    /// What there is to say.
    pub text: String,
}

impl Block {
    /// One block from what both ends say about it.
    ///
    /// # Errors
    /// [`Fault::Disagreement`] when they differ in the outcome or in the length of the key;
    /// [`Fault::UnknownOutcome`] for an outcome that there is not.
    pub fn merged(alice: &BlockReport, bob: &BlockReport) -> Result<Self, Fault> {
        let outcome = outcome("Alice", alice)?;
        let same = outcome == self::outcome("Bob", bob)?;
        if !same || alice.secret_length_bits != bob.secret_length_bits {
            return Err(Fault::Disagreement {
                block: alice.block,
                alice: told(alice),
                bob: told(bob),
            });
        }
        let first = |texts: [&String; 2]| {
            let said = texts.into_iter().find(|text| !text.is_empty());
            said.cloned()
        };
        let abort = match outcome {
            Outcome::Key | Outcome::Fault => None,
            Outcome::Aborted => first([&alice.abort_reason, &bob.abort_reason]),
        };
        Ok(Self {
            session: alice.session,
            block: alice.block,
            outcome,
            abort,
            abort_observed: alice.abort_observed.or(bob.abort_observed),
            abort_limit: alice.abort_limit.or(bob.abort_limit),
            // An end that was told to abort may have learnt less than the other.
            sifted_bits: alice.sifted_bits.max(bob.sifted_bits),
            qber: alice.qber.or(bob.qber),
            phase_error_rate: alice.phase_error_rate.or(bob.phase_error_rate),
            leaked_bits: alice.leaked_bits.max(bob.leaked_bits),
            reconciliation_inefficiency: alice
                .reconciliation_inefficiency
                .or(bob.reconciliation_inefficiency),
            secret_length_bits: alice.secret_length_bits,
            emulated_seconds: alice.emulated_seconds.max(bob.emulated_seconds),
            text: first([&alice.text, &bob.text]).unwrap_or_default(),
        })
    }

    /// The block in one line, as live progress shows it.
    pub fn line(&self) -> String {
        let result = match (self.outcome, &self.abort) {
            (Outcome::Key, _) => format!("{} secret bits", grouped(self.secret_length_bits)),
            (Outcome::Aborted | Outcome::Fault, Some(reason)) => format!("aborted: {reason}"),
            (Outcome::Aborted | Outcome::Fault, None) => "aborted".to_owned(),
        };
        format!(
            "block {}: QBER {}, {} sifted bits, {result}",
            self.block,
            self.qber.map_or("unknown".to_owned(), percent),
            grouped(self.sifted_bits),
        )
    }

    fn why(&self, reason: &str) -> String {
        match self.text.as_str() {
            "" => format!("why: {reason}"),
            text => format!("why: {text} ({reason})"),
        }
    }

    fn cells(&self) -> [String; 8] {
        let none = || "–".to_owned();
        [
            self.block.to_string(),
            match self.outcome {
                Outcome::Key => "key".to_owned(),
                Outcome::Aborted | Outcome::Fault => "aborted".to_owned(),
            },
            grouped(self.sifted_bits),
            self.qber.map_or_else(none, percent),
            self.phase_error_rate.map_or_else(none, percent),
            grouped(self.leaked_bits),
            self.reconciliation_inefficiency
                .map_or_else(none, |f| format!("{f:.3}")),
            grouped(self.secret_length_bits),
        ]
    }
}

const HEAD: [&str; 8] = [
    "block",
    "outcome",
    "sifted",
    "QBER",
    "phase error",
    "leaked",
    "f",
    "secret",
];

impl Report {
    /// A report in which nothing has happened yet.
    pub fn new(args: &LabArgs, protocol: &'static str) -> Self {
        Self {
            outcome: Outcome::Fault,
            error: None,
            protocol,
            preset: args.preset.name(),
            distance_km: args.distance,
            blocks: Vec::new(),
            keys_agree: false,
            secret_bits: 0,
            emulated_seconds: 0.0,
            wall_seconds: 0.0,
            secret_key_rate_bps: 0.0,
            message_delivered: false,
            eve: args.eve.as_ref().map(|eve| Eve {
                attack: eve.name.clone(),
                fraction: eve.fraction,
                pulses_seen: None,
                intercepted: None,
                resent: None,
            }),
            notes: Vec::new(),
        }
    }

    /// Takes the finished blocks in and sums them up. They stand in the order in which they were
    /// begun: one that is refused early overtakes those still being distilled.
    pub fn set_blocks(&mut self, blocks: &[Block]) {
        self.blocks = blocks.to_vec();
        self.blocks.sort_by_key(|block| {
            let begun = blocks
                .iter()
                .position(|first| first.session == block.session);
            (begun, block.block)
        });
        self.secret_bits = blocks.iter().map(|block| block.secret_length_bits).sum();
        self.emulated_seconds = blocks.iter().map(|block| block.emulated_seconds).sum();
        self.secret_key_rate_bps = if self.emulated_seconds > 0.0 {
            self.secret_bits as f64 / self.emulated_seconds
        } else {
            0.0
        };
    }

    /// Whether any block gave a key.
    pub fn has_key(&self) -> bool {
        self.blocks
            .iter()
            .any(|block| block.outcome == Outcome::Key)
    }

    /// Takes in what Eve says that she did.
    pub fn set_tally(&mut self, tally: &Tally) {
        if let Some(eve) = &mut self.eve {
            eve.pulses_seen = Some(tally.pulses_seen);
            eve.intercepted = Some(tally.intercepted);
            eve.resent = Some(tally.resent);
        }
    }

    /// Adds a line for people.
    pub fn note(&mut self, about: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.notes.push(Note { about, text });
    }

    /// The JSON object, one line.
    pub fn json(&self) -> String {
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"outcome":"fault"}"#.to_owned())
    }

    /// The report for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "Alice → Bob: {} over {} km of fibre, preset {}; lengths in bits\n\n",
            self.protocol.to_uppercase(),
            self.distance_km,
            self.preset
        );
        self.write_blocks(&mut text);
        let keys = self
            .blocks
            .iter()
            .filter(|block| block.outcome == Outcome::Key);
        let mut lines = vec![
            Note {
                about: "keys",
                text: format!(
                    "{} of {} blocks gave a key: {} secret bits",
                    keys.count(),
                    self.blocks.len(),
                    grouped(self.secret_bits)
                ),
            },
            Note {
                about: "rate",
                text: format!(
                    "{} secret bits per emulated second ({:.3} s emulated, {:.1} s of your time)",
                    grouped(self.secret_key_rate_bps.round() as u64),
                    self.emulated_seconds,
                    self.wall_seconds
                ),
            },
        ];
        lines.extend(self.notes.iter().cloned());
        if let Some(error) = &self.error {
            lines.push(Note {
                about: "fault",
                text: error.clone(),
            });
        }
        for note in lines {
            let about = std::iter::once(note.about).chain(std::iter::repeat(""));
            for (about, line) in about.zip(wrapped(&note.text, WIDTH - INDENT)) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {about:<9} {line}");
            }
        }
        text
    }

    fn write_blocks(&self, text: &mut String) {
        let rows: Vec<[String; 8]> = self.blocks.iter().map(Block::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.fold(HEAD[column].chars().count(), usize::max)
        };
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let mut row = |cells: &[String]| {
            let padded = cells
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(at, (cell, width))| {
                    if at == OUTCOME_COLUMN {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
            let line = padded.collect::<Vec<_>>().join("  ");
            text.push_str("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        };
        row(&HEAD.map(str::to_owned));
        for (cells, block) in rows.iter().zip(&self.blocks) {
            row(cells);
            if block.outcome != Outcome::Key {
                let reason = block.abort.as_deref().unwrap_or("no reason was reported");
                let indent = 2 + widths[0] + 2;
                for line in wrapped(&block.why(reason), WIDTH - indent) {
                    row(&["".to_owned(), line]);
                }
            }
        }
        text.push('\n');
    }
}

/// Columns of a terminal that was never made wider.
const WIDTH: usize = 80;

/// Columns before the text of a note.
const INDENT: usize = 12;

/// The one column of words.
const OUTCOME_COLUMN: usize = 1;

fn outcome(service: &'static str, report: &BlockReport) -> Result<Outcome, Fault> {
    match report.outcome.as_str() {
        "key" => Ok(Outcome::Key),
        "aborted" => Ok(Outcome::Aborted),
        other => Err(Fault::UnknownOutcome {
            service,
            block: report.block,
            outcome: other.to_owned(),
        }),
    }
}

fn told(report: &BlockReport) -> String {
    let bits = grouped(report.secret_length_bits);
    match report.abort_reason.as_str() {
        "" => format!("{} of {bits} bits", report.outcome),
        reason => format!("{} ({reason})", report.outcome),
    }
}

#[cfg(test)]
#[path = "report/tests.rs"]
mod tests;
