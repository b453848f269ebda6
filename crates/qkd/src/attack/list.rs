//! The attacks that there are, for people and for programs.

use std::fmt::Write as _;

use qkd_attacks::{About, KNOWN, about, parameters_of};
use serde::Serialize;

use crate::lab::weakness::Weakness;
use crate::words::wrapped;

/// Columns of a terminal that was never made wider.
const WIDTH: usize = 80;
/// Columns before what a label says.
const INDENT: usize = 14;

/// One attack; its serialized fields are what `--json` promises.
#[derive(Serialize)]
struct Row {
    /// Its name.
    name: &'static str,
    /// Its parameters, the one that the short form sets first.
    parameters: Vec<Parameter>,
    /// What she does.
    summary: &'static str,
    /// What is behind it.
    lesson: &'static str,
    /// `bobs-door`, `alices-door` or `lossless-line`.
    site: &'static str,
    /// The flaw that the hardware has to have; `null` for none.
    needs: Option<&'static str>,
    /// What she learns by theory.
    gain: &'static str,
    /// The monitors that can see it, the surest first.
    monitors: Vec<&'static str>,
    /// `caught`, `bounded` or `open`.
    verdict: &'static str,
    /// By what.
    by: &'static str,
}

#[derive(Serialize)]
struct Parameter {
    name: &'static str,
    default: &'static str,
}

#[derive(Serialize)]
struct All {
    attacks: Vec<Row>,
}

/// All of them.
pub fn list(json: bool) -> String {
    let known = KNOWN.into_iter();
    let rows = known.filter_map(|name| about(name).map(|about| (name, about)));
    if json {
        let attacks = rows.map(|(name, about)| row(name, about)).collect();
        // Every field is a text or a truth value: none of them can be refused.
        return serde_json::to_string(&All { attacks }).unwrap_or_default();
    }
    let mut text = String::new();
    for (name, about) in rows {
        write_one(&mut text, name, &about);
    }
    let note = "Parameters are written as NAME:PARAMETER=VALUE,PARAMETER=VALUE; the first one may be \
                its value alone. loss_db is the loss of the fibre that Eve replaces, where nobody says \
                it.";
    text.push_str(&wrapped(note, WIDTH).join("\n"));
    text
}

fn parameters(name: &str, about: &About) -> Vec<Parameter> {
    let keys = parameters_of(name).unwrap_or_default();
    let both = keys.iter().zip(about.defaults);
    both.map(|(name, default)| Parameter { name, default })
        .collect()
}

fn monitors(about: &About) -> Vec<&'static str> {
    about.monitors.iter().map(|one| one.name()).collect()
}

fn row(name: &'static str, about: About) -> Row {
    Row {
        name,
        parameters: parameters(name, &about),
        summary: about.summary,
        lesson: about.lesson,
        site: about.site.name(),
        needs: Weakness::of(name).map(Weakness::sentence),
        gain: about.gain,
        monitors: monitors(&about),
        verdict: about.verdict.name(),
        by: about.verdict.by(),
    }
}

fn write_one(text: &mut String, name: &str, about: &About) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name}");
    for line in wrapped(about.summary, WIDTH - 2) {
        let _ = writeln!(text, "  {line}");
    }
    let parameters = parameters(name, about);
    let parameters: Vec<String> = parameters
        .iter()
        .map(|one| format!("{}={}", one.name, one.default))
        .collect();
    let mut said = |label: &str, what: &str| {
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        for (label, line) in labels.zip(wrapped(what, WIDTH - INDENT)) {
            let _ = writeln!(text, "  {label:<11} {line}");
        }
    };
    if !parameters.is_empty() {
        said("parameters", &parameters.join(" "));
    }
    said("she stands", about.site.words());
    if let Some(weakness) = Weakness::of(name) {
        said("she needs", weakness.sentence());
    }
    said("she learns", about.gain);
    if !about.monitors.is_empty() {
        said("monitors", &monitors(about).join(", "));
    }
    said("ends", &about.verdict.sentence());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_attack_in_80_columns() {
        let text = list(false);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line:?}");
        }
        for name in KNOWN {
            let stands = |line: &str| line == name;
            assert!(text.lines().any(stands), "{name}: {text}");
        }
        assert!(text.contains("fraction=1 basis=random"), "{text}");
    }

    #[test]
    fn programs_get_every_field_of_every_attack() {
        let all: serde_json::Value = serde_json::from_str(&list(true)).unwrap();
        let attacks = all["attacks"].as_array().unwrap();
        assert_eq!(attacks.len(), KNOWN.len());
        let splitting = attacks.iter().find(|one| one["name"] == "beam-splitting");
        let splitting = splitting.unwrap();
        assert_eq!(splitting["site"], "lossless-line");
        assert_eq!(splitting["verdict"], "bounded");
        assert_eq!(splitting["parameters"][0]["name"], "loss_db");
    }
}
