//! The rows as text: for people, as JSON and as CSV.

use std::fmt::{Debug, Write as _};

use qkd_node::parameters::BLOCK_BITS;
use qkd_security::planning::PlanTheorem;
use serde::Serialize;

use super::rows::{Row, Series, Title};
use crate::words::{grouped, metric, percent, three_digits, wrapped};

/// Lines of words are no longer.
const WIDTH: usize = 80;

/// No table is wider.
const TABLE_WIDTH: usize = 100;

/// Rows between two empty lines.
const GROUP: usize = 10;

/// Fewer rows without a key at the end are shown as they are.
const TAIL_MIN: usize = 3;

/// What stands in place of a figure that there is not.
const NOTHING: &str = "–";

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    rows: Vec<&'a Row>,
}

/// One line.
pub fn json(all: &[Series]) -> String {
    let rows = all.iter().flat_map(|series| &series.rows).collect();
    // Every field is a number, a text, or made of them: none of them can be refused.
    let mut text = serde_json::to_string(&Json { rows }).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}

/// A line of names, and one for each row (RFC 4180 with line feeds). Lists of numbers have spaces
/// between them, and what there is not is empty.
pub fn csv(all: &[Series]) -> String {
    let mut text = String::new();
    for row in all.iter().flat_map(|series| &series.rows) {
        let cells = csv_cells(row);
        if text.is_empty() {
            text.push_str(&cells.each_ref().map(|(name, _)| *name).join(","));
            text.push('\n');
        }
        text.push_str(&cells.map(|(_, cell)| quoted(cell)).join(","));
        text.push('\n');
    }
    text
}

fn csv_cells(row: &Row) -> [(&'static str, String); 20] {
    [
        ("configuration", row.configuration.clone()),
        ("theorem", row.theorem.to_owned()),
        ("standing", row.standing.clone()),
        ("channel_model", row.channel_model.to_owned()),
        ("block_bits", shortest(row.block_bits)),
        ("distance_km", shortest(row.distance_km)),
        ("loss_db", shortest([row.loss_db])),
        ("qber", shortest([row.qber])),
        ("phase_error_rate", shortest([row.phase_error_rate])),
        ("secret_length_bits", shortest(row.secret_length_bits)),
        (
            "secret_bits_per_pulse",
            shortest([row.secret_bits_per_pulse]),
        ),
        ("secret_key_rate_bps", shortest([row.secret_key_rate_bps])),
        (
            "repeaterless_bits_per_pulse",
            shortest(row.repeaterless_bits_per_pulse),
        ),
        ("intensities", shortest(&row.intensities)),
        (
            "intensity_probabilities",
            shortest(&row.intensity_probabilities),
        ),
        (
            "key_basis_probability",
            shortest([row.key_basis_probability]),
        ),
        (
            "reconciliation_inefficiency",
            shortest([row.reconciliation_inefficiency]),
        ),
        ("block_seconds", shortest(row.block_seconds)),
        ("fixed_length_bits", shortest(row.fixed_length_bits)),
        ("fixed_key_rate_bps", shortest(row.fixed_key_rate_bps)),
    ]
}

/// Numbers in their shortest exact form.
fn shortest<T: Debug>(numbers: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = numbers.into_iter().map(|one| format!("{one:?}")).collect();
    all.join(" ")
}

fn quoted(cell: String) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

/// One table for each series, below each other, and what is to be said of them.
pub fn text(all: &[Series], optimised: bool) -> String {
    let tables: Vec<String> = all.iter().map(|one| table(one, optimised)).collect();
    let mut text = tables.join("\n");
    let system = rows_of(all).any(|row| row.fixed_length_bits.is_some());
    let own = all.iter().flat_map(|series| &series.notes);
    let unfixed: Vec<String> = all.iter().filter_map(unfixed).collect();
    let unfound = rows_of(all).any(|row| row.secret_bits_per_pulse <= 0.0);
    let notes = own
        .map(String::as_str)
        .chain(system.then_some(SYSTEM_NOTE))
        .chain(unfixed.iter().map(String::as_str))
        .chain((optimised && unfound).then_some(UNFOUND_NOTE));
    let mut said: Vec<&str> = Vec::new();
    for note in notes {
        if said.contains(&note) {
            continue;
        }
        let gap = if said.is_empty() { "\n" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}{}", wrapped(note, WIDTH).join("\n"));
        said.push(note);
    }
    text
}

fn rows_of(all: &[Series]) -> impl Iterator<Item = &Row> {
    all.iter().flat_map(|series| &series.rows)
}

/// Why the running system gives nothing where the theorem has a key.
fn unfixed(series: &Series) -> Option<String> {
    let with_key = || {
        series
            .rows
            .iter()
            .filter(|row| row.secret_bits_per_pulse > 0.0)
    };
    let nothing = |row: &Row| row.fixed_length_bits == Some(0);
    let bits = series.title.block_bits?;
    let ours = match series.title.theorem {
        PlanTheorem::Wiesemann2024 => true,
        PlanTheorem::Rusca2018
        | PlanTheorem::Lim2014
        | PlanTheorem::Gllp
        | PlanTheorem::GllpDecoyInfinite
        | PlanTheorem::GllpVacuumWeak => false,
    };
    if ours && !BLOCK_BITS.contains(&bits) {
        return Some(format!(
            "{}: this system runs no blocks of {} sifted bits, but of {} to {}.",
            series.title.configuration,
            grouped(bits),
            grouped(*BLOCK_BITS.start()),
            grouped(*BLOCK_BITS.end())
        ));
    }
    if !with_key().any(nothing) {
        return None;
    }
    Some(match with_key().all(nothing) {
        true => format!(
            "{}: this system would refuse blocks so small: of {} sifted bits, chance can take all \
             of the key, which leaves no length to fix; larger blocks leave one.",
            series.title.configuration,
            grouped(bits)
        ),
        false => {
            "Where there is a secret key rate and none of this system, chance can take all of \
                  the key, which leaves no length to fix; larger blocks reach farther."
                .to_owned()
        }
    })
}

fn table(series: &Series, optimised: bool) -> String {
    let columns = columns(&series.title, &series.rows, optimised);
    let without_key = series.rows.iter().rev().take_while(|row| !has_key(row));
    let tail = match without_key.count() {
        tail if tail >= TAIL_MIN && tail < series.rows.len() => tail - 1,
        _ => 0,
    };
    let (shown, hidden) = series.rows.split_at(series.rows.len() - tail);
    let cells: Vec<Vec<String>> = columns
        .iter()
        .map(|column| shown.iter().map(|row| (column.cell)(row)).collect())
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .zip(&cells)
        .map(|(column, cells)| {
            let all = cells.iter().map(String::as_str).chain(column.title);
            all.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = heading(&series.title);
    for at in [0, 1] {
        line(&mut text, columns.iter().map(|it| it.title[at]), &widths);
    }
    for at in 0..shown.len() {
        if at > 0 && at % GROUP == 0 {
            text.push('\n');
        }
        line(&mut text, cells.iter().map(|it| it[at].as_str()), &widths);
    }
    if let Some(last) = hidden.last() {
        let (end, unit) = along(last);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "No key from there on, up to {end} {unit}.");
    }
    text
}

fn has_key(row: &Row) -> bool {
    row.secret_bits_per_pulse > 0.0 || row.fixed_length_bits.is_some_and(|bits| bits > 0)
}

fn line<'c>(text: &mut String, cells: impl Iterator<Item = &'c str>, widths: &[usize]) {
    let cells: Vec<String> = cells
        .zip(widths)
        .map(|(cell, width)| format!("{cell:>width$}"))
        .collect();
    text.push_str(cells.join("  ").trim_end());
    text.push('\n');
}

fn heading(title: &Title) -> String {
    let Title {
        configuration,
        theorem,
        channel,
        block_bits,
        clock_hz,
    } = title;
    let blocks = block_bits.map_or(String::new(), |bits| {
        format!(", blocks of {} sifted bits", grouped(bits))
    });
    let words = format!(
        "{configuration}: {theorem}{blocks}, {channel} channel, {}",
        metric(*clock_hz, "Hz")
    );
    let lines = wrapped(&words, TABLE_WIDTH).join("\n");
    format!("{lines}\n{}\n\n", theorem.standing())
}

/// The column of the running system.
const SYSTEM: &str = "this system";

const SYSTEM_NOTE: &str = "this system: what applications get of the length that Alice and Bob fix in \
                           advance for such a link, which leaves room for chance; 320 bits of each \
                           block go to its confirmation and to authentication.";

const UNFOUND_NOTE: &str = "Intensities and probabilities are shown where they give a key.";

struct Column {
    title: [&'static str; 2],
    cell: fn(&Row) -> String,
}

/// With the choices of an optimised row there is no room for what can be told from other columns.
fn columns(title: &Title, rows: &[Row], optimised: bool) -> Vec<Column> {
    let column = |title, cell| Column { title, cell };
    let by_distance = rows.iter().any(|row| row.distance_km.is_some());
    let mut columns = Vec::new();
    if by_distance {
        columns.push(column(["distance", "km"], |row| along(row).0));
    }
    if !(by_distance && optimised) {
        columns.push(column(["loss", "dB"], |row| plain(row.loss_db)));
    }
    columns.push(column(["QBER", ""], |row| percent(row.qber)));
    columns.push(column(["phase", "error"], |row| {
        percent(row.phase_error_rate)
    }));
    if title.block_bits.is_some() {
        columns.push(column(["secret", "bits"], |row| {
            let bits = row.secret_length_bits.filter(|bits| *bits > 0);
            bits.map_or(NOTHING.to_owned(), length)
        }));
    }
    if !optimised {
        columns.push(column(["bits per", "pulse"], |row| {
            positive(row.secret_bits_per_pulse, |bits| format!("{bits:.3e}"))
        }));
    }
    columns.push(column(["secret key", "rate"], |row| {
        positive(row.secret_key_rate_bps, rate)
    }));
    if rows.iter().any(|row| row.fixed_key_rate_bps.is_some()) {
        columns.push(column([SYSTEM, "rate"], |row| {
            positive(row.fixed_key_rate_bps.unwrap_or(0.0), rate)
        }));
    }
    if title.block_bits.is_some() && !optimised {
        columns.push(column(["block", "takes"], |row| {
            row.block_seconds.map_or(NOTHING.to_owned(), duration)
        }));
    }
    if optimised {
        columns.push(column(["intensities", ""], |row| {
            found(row, &row.intensities)
        }));
        columns.push(column(["sent", "with"], |row| {
            found(row, &row.intensity_probabilities)
        }));
        columns.push(column(["key", "basis"], |row| {
            found(row, &[row.key_basis_probability])
        }));
    }
    columns
}

/// What the search found. Where no choice gives a key, the row has the configuration's own.
fn found(row: &Row, numbers: &[f64]) -> String {
    positive(row.secret_bits_per_pulse, |_| list(numbers))
}

/// Where a row is on the axis, and the unit of it.
fn along(row: &Row) -> (String, &'static str) {
    match row.distance_km {
        Some(distance_km) => (plain(distance_km), "km"),
        None => (plain(row.loss_db), "dB"),
    }
}

fn positive(number: f64, words: impl Fn(f64) -> String) -> String {
    match number > 0.0 {
        true => words(number),
        false => NOTHING.to_owned(),
    }
}

/// A length in whole bits as long as that fits into its column.
fn length(bits: u64) -> String {
    match bits {
        0..10_000_000_000 => grouped(bits),
        10_000_000_000.. => format!("{:.3e}", bits as f64),
    }
}

/// Two or three digits in the unit that fits.
fn duration(seconds: f64) -> String {
    const YEAR: f64 = 365.25 * 86_400.0;
    let units = [
        (YEAR, "years"),
        (86_400.0, "d"),
        (3600.0, "h"),
        (60.0, "min"),
        (1.0, "s"),
    ];
    // Two of a larger unit at least: a row of 90 s is no row of 1.5 min. Rounding must not leave a
    // thousand milliseconds.
    let least = |size: f64| if size > 1.0 { 2.0 * size } else { 0.9995 };
    let unit = units.into_iter().find(|(size, _)| seconds >= least(*size));
    let (size, name) = unit.unwrap_or((1e-3, "ms"));
    format!("{} {name}", three_digits(seconds / size))
}

fn rate(bps: f64) -> String {
    metric(bps, "bit/s")
}

/// At most three digits after the point.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn list(numbers: &[f64]) -> String {
    let all: Vec<String> = numbers.iter().map(|one| three_digits(*one)).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests;
