//! What came out: a JSON object for programs and a table for people.

mod block;

use std::fmt::Write as _;

use qkd_wire::proto::eve::Tally;
use qkd_wire::proto::node::FailureBudget;
use serde::Serialize;

pub use self::block::{Alarm, Block};
use crate::cli::LabArgs;
use crate::words::{counted, grouped, significant, wrapped};

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
    /// Net secret bits of all blocks.
    pub secret_bits: u64,
    /// Emulated time of all blocks, s.
    pub emulated_seconds: f64,
    /// Wall-clock time from the start of the laboratory to the report, s.
    pub wall_seconds: f64,
    /// Wall-clock seconds of light per emulated second; `null` before there was any.
    pub stretch_factor: Option<f64>,
    /// Net secret bits per emulated second.
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

/// Who sat in the fibre.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Eve {
    /// Name of her attack.
    pub attack: String,
    /// Its parameters as they were written; `null` when there were none.
    pub parameters: Option<String>,
    /// Fraction of the pulses she intercepts, 0 to 1; `null` for attacks that have none.
    pub fraction: Option<f64>,
    /// Pulses with light that came by; `null` when the laboratory ended before she was asked.
    pub pulses_seen: Option<u64>,
    /// Pulses that she measured; `null` as above.
    pub intercepted: Option<u64>,
    /// Pulses that she sent in their place; `null` as above.
    pub resent: Option<u64>,
    /// Photons of Bob's detectors that she caught; `null` as above.
    pub caught_photons: Option<u64>,
    /// Photons that came back to her out of Alice's laboratory; `null` as above.
    pub returned_photons: Option<u64>,
}

/// A line of the report for people: a word or two, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub about: &'static str,
    /// What there is to say.
    pub text: String,
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
            stretch_factor: None,
            secret_key_rate_bps: 0.0,
            message_delivered: false,
            eve: args.eve.as_ref().map(|eve| Eve {
                attack: eve.name().to_owned(),
                parameters: eve.parameters().map(str::to_owned),
                fraction: eve.fraction(),
                pulses_seen: None,
                intercepted: None,
                resent: None,
                caught_photons: None,
                returned_photons: None,
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
            eve.caught_photons = Some(tally.caught_photons);
            eve.returned_photons = Some(tally.returned_photons);
        }
    }

    /// Adds a line for people.
    pub fn note(&mut self, about: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.notes.push(Note { about, text });
    }

    /// Notes what blocks without a key have spent.
    pub fn note_spent(&mut self, spent: &FailureBudget) {
        let text = format!(
            "{} begun, none with a key; each spent its failure probability all the same: ε ≤ {} so \
             far",
            counted(spent.runs, "block"),
            significant(spent.secrecy + spent.correctness)
        );
        self.note("budget", text);
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
                    "{} of {} blocks gave a key: {} net secret bits",
                    keys.count(),
                    self.blocks.len(),
                    grouped(self.secret_bits)
                ),
            },
            Note {
                about: "rate",
                text: format!(
                    "{} net secret bits per emulated second ({:.3} s emulated, {:.1} s of your time)",
                    grouped(self.secret_key_rate_bps.round() as u64),
                    self.emulated_seconds,
                    self.wall_seconds
                ),
            },
        ];
        lines.extend(self.last_key());
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

    /// Why the last key has as many bits as it has, and what the pair has spent with it.
    fn last_key(&self) -> Vec<Note> {
        let mut with_key = self.blocks.iter().rev();
        let Some(block) = with_key.find(|block| block.outcome == Outcome::Key) else {
            return Vec::new();
        };
        let length = format!(
            "{} bits were fixed before block {} began, less {} for the key check and {} for the \
             authentication keys; {} allows {} for what was counted",
            grouped(block.fixed_length_bits),
            block.block,
            block.check_bits,
            block.refresh_bits,
            block.theorem,
            block.figures.bits("length_unclamped_bits"),
        );
        let budget = block.budget.map(|spent| {
            format!(
                "ε ≤ {} for all keys of this pair: at most {} begun, each {} (secrecy) + {} (correctness); \
                 HMAC is computational and not in it",
                significant(spent.secrecy + spent.correctness),
                counted(spent.blocks, "block"),
                significant(block.secrecy),
                significant(block.correctness),
            )
        });
        let note = |about, text| Note { about, text };
        let mut notes = vec![note("length", length)];
        notes.extend(budget.map(|text| note("budget", text)));
        notes
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
            // The one that stopped it has been named.
            let named = |alarm: &&Alarm| Some(&alarm.monitor) != block.abort.as_ref();
            for alarm in block.alarms.iter().filter(named) {
                let text = format!("alarm of {}", alarm.text);
                for line in wrapped(&text, WIDTH - (2 + widths[0] + 2)) {
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

#[cfg(test)]
#[path = "report/tests.rs"]
mod tests;
