//! The list of certificates, for people and for scripts.

use qkd_node::pki::Entry;
use qkd_node::tls::{now_seconds, utc};
use serde_json::{Value, json};

use super::DAY;

/// A table with one line per certificate.
pub(super) fn table(entries: &[Entry]) -> String {
    let now = now_seconds();
    let head = ["NAME", "KIND", "NAMES INSIDE", "VALID UNTIL", "LEFT"].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        [
            entry.name.clone(),
            entry.kind.to_string(),
            match names(entry).join(" ") {
                none if none.is_empty() => "-".to_owned(),
                names => names,
            },
            utc(entry.facts.validity.not_after),
            left(entry.facts.validity.left(now)),
        ]
    });
    let rows: Vec<[String; 5]> = [head].into_iter().chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// One object per certificate.
pub(super) fn json(entries: &[Entry]) -> Value {
    let now = now_seconds();
    let object = |entry: &Entry| {
        let validity = entry.facts.validity;
        json!({
            "name": entry.name,
            "kind": entry.kind.to_string(),
            "names": names(entry),
            "not_before": validity.not_before,
            "not_after": validity.not_after,
            "valid_until": utc(validity.not_after),
            "days_left": validity.left(now).div_euclid(DAY),
            "seconds_left": validity.left(now),
            "in_force": validity.contains(now),
        })
    };
    entries.iter().map(object).collect()
}

/// DNS names and addresses; control characters of a name that others wrote are made visible.
fn names(entry: &Entry) -> Vec<String> {
    let dns = entry.facts.dns_names.iter();
    let dns = dns.map(|name| name.escape_debug().to_string());
    let addresses = entry.facts.addresses.iter().map(ToString::to_string);
    dns.chain(addresses).collect()
}

fn left(seconds: i64) -> String {
    match seconds {
        ..0 => "expired".to_owned(),
        0..172_800 => format!("{} h", seconds / 3600),
        172_800.. => format!("{} days", seconds / DAY),
    }
}
