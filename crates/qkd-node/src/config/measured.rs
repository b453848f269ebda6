//! What a laboratory has measured, one kind in a file, read and evaluated.
//!
//! The sections of a file say of which kind it is: `[key_basis]` and `[test_basis]` hold detections
//! and errors of decoy-state BB84, `[summary]` the figures of a paper's table, `[cv]` a line of
//! continuous variables, `[mdi]` gains and errors at an untrusted relay, `[chsh]` a Bell test.

mod bell;
mod decoy;
mod gaussian;
mod relay;
mod rules;
#[cfg(test)]
mod tests;

use std::path::Path;

use qkd_security::evaluation::{Disclosed, Evaluation, Measured};

use super::document::{Document, Rule, Section};
use super::place::ConfigError;
use super::read;

/// A measurement and what it is worth as a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// What was read.
    pub measured: Measured,
    /// What the theorem for it says.
    pub evaluation: Evaluation,
}

impl Measurement {
    /// Reads and evaluates the file at `path`.
    ///
    /// # Errors
    /// On the first fault, with its place: also where figures that are each in range do not fit
    /// together.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&read::text(path)?, path)
    }

    /// The same for `text`; `path` is only its name in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let document = Document::new(text, path);
        let table = document.parse()?;
        refuse_link(&Section::whole(&document, &table))?;
        let mut known = SECTIONS.to_vec();
        known.extend(KEYS);
        known.push("side_channels");
        let root = Section::root_with_keys(&document, &table, &known)?;
        match kind(&root)? {
            Kind::Counts => decoy::counts(&root),
            Kind::Summary => decoy::summary(&root),
            Kind::Gaussian => gaussian::read(&root),
            Kind::Relay => relay::read(&root),
            Kind::Bell => bell::read(&root),
        }
    }

    /// Evaluates what was read; a complaint goes to the key of `main` or `others` that it speaks of,
    /// and to `main` where it speaks of none.
    fn of(
        measured: Measured,
        main: &Section<'_>,
        others: &[&Section<'_>],
    ) -> Result<Self, ConfigError> {
        match measured.evaluate() {
            Ok(evaluation) => Ok(Self {
                measured,
                evaluation,
            }),
            Err(error) => Err(complaint(&error, main, others)),
        }
    }
}

/// Sections that say of which kind a file is.
pub(super) const SECTIONS: &[&str] = &["key_basis", "test_basis", "summary", "cv", "mdi", "chsh"];

/// What may stand above the sections; which of them a file may have its kind decides.
const KEYS: &[&str] = &[
    "theorem",
    "intensities",
    "intensity_probabilities",
    "key_basis_probability",
    "secrecy",
    "correctness",
    "leaked_bits",
    "reconciliation_inefficiency",
    "verification_bits",
    "seconds",
    "clock_hz",
    "sifted_rate_bps",
    "loss_db",
];

/// What kinds there are, for whoever gave none.
const KINDS: &str = "one kind of measurement: [key_basis] and [test_basis] (detections and errors \
                     per intensity), [summary] (the figures of a paper's table), [cv] (continuous \
                     variables), [mdi] (gains and errors at a relay) or [chsh] (a Bell test)";

#[derive(Clone, Copy)]
enum Kind {
    Counts,
    Summary,
    Gaussian,
    Relay,
    Bell,
}

/// Whoever gives a link in place of what was measured on it is told which command is for it.
fn refuse_link(root: &Section<'_>) -> Result<(), ConfigError> {
    if SECTIONS.iter().any(|name| root.has(name)) {
        return Ok(());
    }
    let links = read::LINK_SECTIONS.iter();
    match links.into_iter().find(|name| root.has(name)) {
        Some(name) => Err(root.refuse(
            name,
            "what was measured, such as [key_basis] and [test_basis]; this is the configuration \
             of a link, which `qkd plan --config` plans",
        )),
        None => Ok(()),
    }
}

/// The kind that the sections of a file say it is.
fn kind(root: &Section<'_>) -> Result<Kind, ConfigError> {
    let mut found: Option<(&str, Kind)> = None;
    for (name, kind) in [
        ("key_basis", Kind::Counts),
        ("summary", Kind::Summary),
        ("cv", Kind::Gaussian),
        ("mdi", Kind::Relay),
        ("chsh", Kind::Bell),
    ] {
        let counts = name == "key_basis" && root.has("test_basis");
        if !root.has(name) && !counts {
            continue;
        }
        if let Some((other, _)) = found {
            let expected = format!("one kind of measurement in a file, and this one has [{other}]");
            return Err(root.refuse(name, expected));
        }
        found = Some((name, kind));
    }
    match found {
        Some((_, kind)) => Ok(kind),
        None => Err(root.refuse("what was measured", KINDS)),
    }
}

/// Keys that may stand in a section or above all of them.
struct Keys<'s, 'd> {
    root: &'s Section<'d>,
    section: &'s Section<'d>,
}

impl Keys<'_, '_> {
    /// The value of a key that may be absent, from where it stands.
    fn optional<T>(&self, key: &'static str, rule: &Rule<T>) -> Result<Option<T>, ConfigError> {
        let twice = !std::ptr::eq(self.section, self.root);
        match (self.section.has(key), self.root.has(key)) {
            (true, true) if twice => Err(self
                .section
                .refuse(key, "a key that stands once in the file")),
            (true, true | false) => self.section.optional(key, rule),
            (false, _) => self.root.optional(key, rule),
        }
    }

    /// The table in which `key` stands; the section when it does not.
    fn owner(&self, key: &str) -> &Section<'_> {
        match self.root.has(key) && !self.section.has(key) {
            true => self.root,
            false => self.section,
        }
    }

    /// A complaint about `key` where it stands, or about its absence.
    fn refuse(&self, key: &'static str, expected: &str) -> ConfigError {
        self.owner(key).refuse(key, expected)
    }

    /// What error correction disclosed; `None` when the file does not say.
    fn disclosed(&self) -> Result<Option<Disclosed>, ConfigError> {
        let bits = self.optional("leaked_bits", &rules::BITS)?;
        let inefficiency = self.optional("reconciliation_inefficiency", &rules::INEFFICIENCY)?;
        match (bits, inefficiency) {
            (Some(_), Some(_)) => {
                let expected = "either this or leaked_bits, not both";
                Err(self.refuse("reconciliation_inefficiency", expected))
            }
            (Some(bits), None) => Ok(Some(Disclosed::Bits(bits))),
            (None, Some(inefficiency)) => Ok(Some(Disclosed::Inefficiency(inefficiency))),
            (None, None) => Ok(None),
        }
    }
}

/// What the mathematics refused, at the key that it names.
fn complaint(
    error: &qkd_security::Error,
    main: &Section<'_>,
    others: &[&Section<'_>],
) -> ConfigError {
    let qkd_security::Error::OutOfRange {
        what,
        value,
        expected,
    } = error
    else {
        return main.refuse_whole(error.to_string(), "figures that fit together".to_owned());
    };
    // The longest key that is named there; of several such, one in a section that is named too.
    let mut best: Option<(usize, &Section<'_>, &str)> = None;
    for section in others.iter().copied().chain([main]) {
        let last = section.last_name();
        let named = if what.contains(last) { last.len() } else { 0 };
        for key in section.keys().filter(|key| what.contains(key)) {
            let score = key.len() + named;
            if best.is_none_or(|(found, _, _)| score > found) {
                best = Some((score, section, key));
            }
        }
    }
    let said = format!("{what} is {value}");
    match best {
        Some((_, section, key)) => section.refuse(key, format!("{expected} ({said})")),
        None => main.refuse_whole(said, (*expected).to_owned()),
    }
}
