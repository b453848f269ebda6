//! `qkd plan evaluate`: what a laboratory has measured, and the key that is in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use qkd_node::config::Measurement;
use qkd_security::Figure;
use qkd_security::evaluation::Evaluation;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::fault::Fault;
use crate::output::print;
use crate::words::{grouped, metric, percent, wrapped};

const EXAMPLES: &str = "\
The sections of the file say what was measured:
  [key_basis], [test_basis]  detections and errors of decoy-state BB84, for each intensity
  [summary]                  the figures that a paper's table gives, of BB84 or BBM92
  [cv]                       a line of continuous variables (GG02)
  [mdi]                      gains and errors at an untrusted relay
  [chsh]                     four correlators of a Bell test
Beside the first two, [side_channels] states what the laboratories may have leaked.

Example, a file with
  [summary]
  block_bits = 1e7
  qber = 0.01
  phase_error_rate = 0.015
  sifted_rate_bps = 1e4
is evaluated as entangled pairs; with intensities and intensity_probabilities above the section as
weak pulses with decoys. One commented file of each kind is in deploy/examples/plan.

Exit status: 0 evaluated, with a key or without, 1 a fault (its cause is printed), 64 wrong usage.";

/// The options of `qkd plan evaluate`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvaluateArgs {
    /// The TOML file that says what was measured
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Reads, evaluates and prints.
pub fn run(args: &EvaluateArgs) -> Result<(), Fault> {
    let evaluation = Measurement::load(&args.file)?.evaluation;
    let text = match args.json {
        true => json(&evaluation),
        false => text(&args.file, &evaluation),
    };
    print(&text).map_err(Fault::Print)
}

/// Lines are no longer.
const WIDTH: usize = 100;

/// Every figure with its meaning, then the result, what it is worth and what was assumed.
fn text(file: &Path, evaluation: &Evaluation) -> String {
    let name = file.display().to_string();
    let mut text = format!(
        "{}: {}\n\n",
        crate::output::one_line(&name),
        evaluation.theorem
    );
    let rows: Vec<[String; 4]> = evaluation.figures.iter().map(cells).collect();
    let width = |at: usize| {
        rows.iter()
            .map(|row| row[at].chars().count())
            .max()
            .unwrap_or(0)
    };
    let [names, values, units] = [width(0), width(1), width(2)];
    let indent = 2 + names + 1 + values + 1 + units + 2;
    for [name, value, unit, meaning] in &rows {
        let start = format!("  {name:<names$} {value:>values$} {unit:<units$}");
        let meaning = wrapped(meaning, WIDTH.saturating_sub(indent).max(20));
        for (at, line) in meaning.iter().enumerate() {
            let start = if at == 0 { start.as_str() } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{start:<width$}  {line}", width = indent - 2);
        }
    }
    text.push('\n');
    for (about, result) in results(evaluation) {
        let _ = writeln!(text, "  {about:<RESULT_WIDTH$}  {result}");
    }
    for note in &evaluation.notes {
        text.push('\n');
        for line in wrapped(note, WIDTH - 2) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// Room for the longest name of a result.
const RESULT_WIDTH: usize = 15;

fn cells(figure: &Figure) -> [String; 4] {
    [
        figure.name.to_owned(),
        digits(figure.value),
        figure.unit.to_owned(),
        figure.meaning.to_owned(),
    ]
}

fn results(evaluation: &Evaluation) -> Vec<(&'static str, String)> {
    let mut results = Vec::new();
    if let Some(length) = evaluation.secret_length_bits {
        let words = match (length, evaluation.secret_fraction) {
            (0, _) => "0 bits: nothing of this block can be proven secret".to_owned(),
            (_, Some(fraction)) => {
                let share = percent(fraction);
                format!("{} bits, {share} of the sifted bits", grouped(length))
            }
            (_, None) => format!("{} bits", grouped(length)),
        };
        results.push(("secret length", words));
    } else if let Some(fraction) = evaluation.secret_fraction {
        results.push((
            "secret fraction",
            format!("{} of the sifted bits", percent(fraction)),
        ));
    }
    if let Some(bits) = evaluation.secret_bits_per_pulse {
        results.push(("bits per pulse", digits(bits)));
    }
    let rate = match evaluation.secret_key_rate_bps {
        Some(rate) => metric(rate, "bit/s"),
        None => "not known from what the file gives".to_owned(),
    };
    results.push(("secret key rate", rate));
    results.push(("what it is", evaluation.standing.to_string()));
    results
}

/// A number of any size: whole ones in full, others with at least six digits.
fn digits(number: f64) -> String {
    let size = number.abs();
    let sign = if number < 0.0 { "-" } else { "" };
    if number.is_nan() {
        "–".to_owned()
    } else if number.is_infinite() {
        format!("{sign}∞")
    } else if size >= 1e15 || (size < 1e-3 && size > 0.0) {
        let short = format!("{number:e}");
        let long = format!("{number:.5e}");
        if short.len() < long.len() {
            short
        } else {
            long
        }
    } else if size.fract() == 0.0 {
        format!("{sign}{}", grouped(size as u64))
    } else if size >= 1e3 {
        let hundredths = (size * 100.0).round() as u64;
        format!(
            "{sign}{}.{:02}",
            grouped(hundredths / 100),
            hundredths % 100
        )
    } else {
        // Six digits that count.
        let decimals = match size {
            size if size < 0.01 => 8,
            size if size < 0.1 => 7,
            size if size < 1.0 => 6,
            size if size < 10.0 => 5,
            _ => 4,
        };
        let short = format!("{number}");
        let long = format!("{number:.decimals$}");
        if short.len() < long.len() {
            short
        } else {
            long
        }
    }
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Json<'a> {
    theorem: &'a str,
    standing: String,
    secret_length_bits: Option<u64>,
    secret_fraction: Option<f64>,
    secret_bits_per_pulse: Option<f64>,
    secret_key_rate_bps: Option<f64>,
    bounds: Bounds<'a>,
    notes: &'a [String],
}

/// Figures as one object, in the order in which the result is made of them; what is infinite is
/// `null`.
struct Bounds<'a>(&'a [Figure]);

impl Serialize for Bounds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for figure in self.0 {
            map.serialize_entry(figure.name, &figure.value)?;
        }
        map.end()
    }
}

/// One line.
fn json(evaluation: &Evaluation) -> String {
    let object = Json {
        theorem: evaluation.theorem,
        standing: evaluation.standing.to_string(),
        secret_length_bits: evaluation.secret_length_bits,
        secret_fraction: evaluation.secret_fraction,
        secret_bits_per_pulse: evaluation.secret_bits_per_pulse,
        secret_key_rate_bps: evaluation.secret_key_rate_bps,
        bounds: Bounds(&evaluation.figures),
        notes: &evaluation.notes,
    };
    // Every field is a number, a text, or made of them: none of them can be refused.
    let mut text = serde_json::to_string(&object).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const EXAMPLES: [(&str, &str); 7] = [
        (
            "counts",
            include_str!("../../../../deploy/examples/plan/counts.toml"),
        ),
        (
            "two-decoys",
            include_str!("../../../../deploy/examples/plan/two-decoys.toml"),
        ),
        (
            "summary",
            include_str!("../../../../deploy/examples/plan/summary.toml"),
        ),
        (
            "pairs",
            include_str!("../../../../deploy/examples/plan/pairs.toml"),
        ),
        (
            "cv",
            include_str!("../../../../deploy/examples/plan/cv.toml"),
        ),
        (
            "mdi",
            include_str!("../../../../deploy/examples/plan/mdi.toml"),
        ),
        (
            "chsh",
            include_str!("../../../../deploy/examples/plan/chsh.toml"),
        ),
    ];

    fn evaluated(name: &str) -> Evaluation {
        let (_, text) = EXAMPLES.iter().find(|(known, _)| *known == name).unwrap();
        Measurement::parse(text, Path::new(name))
            .unwrap()
            .evaluation
    }

    #[test]
    fn every_example_is_shown_with_every_figure_within_the_width() {
        for (name, _) in EXAMPLES {
            let evaluation = evaluated(name);
            let shown = text(Path::new("lab.toml"), &evaluation);
            for line in shown.lines() {
                assert!(line.chars().count() <= WIDTH, "{name}: {line:?}");
                assert_eq!(line, line.trim_end(), "{name}");
            }
            for figure in &evaluation.figures {
                let start = format!("\n  {} ", figure.name);
                assert_eq!(
                    shown.matches(&start).count(),
                    1,
                    "{name}: {start:?} in {shown}"
                );
            }
            assert!(shown.contains(&evaluation.standing.to_string()), "{shown}");
        }
    }

    #[test]
    fn the_printed_lengths_and_rates_are_those_of_the_sources() {
        for (name, words) in [
            (
                "counts",
                ["393,373 bits, 39.20 % of the sifted bits", "2.80 Mbit/s"],
            ),
            ("two-decoys", ["2,597,809 bits", "not known"]),
            ("cv", ["0.035154", "12.3 kbit/s"]),
        ] {
            let shown = text(Path::new(name), &evaluated(name));
            for word in words {
                assert!(shown.contains(word), "{name}: no {word:?} in {shown}");
            }
        }
    }

    #[test]
    fn the_object_has_the_bounds_by_name_and_null_for_what_there_is_not() {
        let counts: Value = serde_json::from_str(&json(&evaluated("counts"))).unwrap();
        assert_eq!(counts["theorem"], "wiesemann2024");
        assert_eq!(counts["secret_length_bits"], 393_373);
        assert_eq!(counts["secret_bits_per_pulse"], Value::Null);
        let phase = counts["bounds"]["phase_error_rate"].as_f64().unwrap();
        assert!((phase - 0.057_414_144).abs() < 1e-8, "{phase}");
        let rate = counts["secret_key_rate_bps"].as_f64().unwrap();
        assert!((rate - 393_373.0 / 0.140_602_679).abs() < 1e-3, "{rate}");

        let cv: Value = serde_json::from_str(&json(&evaluated("cv"))).unwrap();
        assert_eq!(cv["secret_length_bits"], Value::Null);
        let bits = cv["secret_bits_per_pulse"].as_f64().unwrap();
        assert!((bits - 0.035_154_09).abs() < 1e-8, "{bits}");
    }

    #[test]
    fn numbers_of_any_size_keep_their_digits() {
        for (number, text) in [
            (1_003_539.0, "1,003,539"),
            (393_373.534_089, "393,373.53"),
            (-6_865.105_8, "-6,865.11"),
            (2.687_004_3, "2.68700"),
            (0.057_414_144_6, "0.0574141"),
            (0.5, "0.5"),
            (1e-10, "1e-10"),
            (9.978_651_64e-4, "9.97865e-4"),
            (8.2e20, "8.2e20"),
            (0.0, "0"),
            (f64::INFINITY, "∞"),
            (f64::NEG_INFINITY, "-∞"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(digits(number), text);
        }
    }
}
