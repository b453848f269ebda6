//! Where in a configuration file something stands, and what is wrong there.

use std::fmt;
use std::path::{Path, PathBuf};

/// A spot in a configuration file, for people: what an editor jumps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The configuration file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key with its section, such as `quantum.listen`; a section stands in brackets.
    pub key: String,
}

impl Place {
    /// The place of byte `offset` of `text`.
    pub(super) fn of(file: &Path, text: &str, offset: usize, key: impl Into<String>) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key.into(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(f, "{file}:{}:{}: {}", self.line, self.column, self.key)
    }
}

/// Why a configuration was refused. No variant is ever raised after a socket was opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file itself cannot be read.
    #[error("{file}: cannot read the configuration: {source}; expected a readable UTF-8 TOML file")]
    Unreadable {
        /// The configuration file.
        file: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not TOML.
    #[error("{place}: not TOML: {found}")]
    Syntax {
        /// Where reading stopped.
        place: Box<Place>,
        /// What the parser met and what it expected.
        found: String,
    },
    /// A key or section that nobody reads.
    #[error("{place}: unknown {kind}{}; expected {expected}", did_you_mean(.suggestion))]
    Unknown {
        /// Where it stands.
        place: Box<Place>,
        /// `key` or `section`.
        kind: &'static str,
        /// The nearest name that would be read.
        suggestion: Option<String>,
        /// Everything that would be read there.
        expected: String,
    },
    /// A key or section without which the node cannot run.
    #[error("{place}: missing; expected {expected}")]
    Missing {
        /// The section that lacks it.
        place: Box<Place>,
        /// What its value has to be.
        expected: String,
    },
    /// A value of the wrong type, out of range, or in contradiction to another.
    #[error("{place}: found {found}, expected {expected}{}", did_you_mean(.suggestion))]
    Unsuitable {
        /// Where the value stands.
        place: Box<Place>,
        /// The value, as written.
        found: String,
        /// What it has to be.
        expected: String,
        /// The nearest name that would be taken.
        suggestion: Option<String>,
    },
    /// A value that goes with nothing else that is asked for, or the lack of one.
    #[error("{place}: {found}, but {reason}")]
    Contradiction {
        /// Where the value stands, or the section that lacks it.
        place: Box<Place>,
        /// The value, as written, or that it is missing.
        found: String,
        /// What it does not go with: a clause.
        reason: String,
    },
    /// A file that the configuration names cannot be used.
    #[error("{place}: {reason}")]
    File {
        /// Where the file is named.
        place: Box<Place>,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

impl ConfigError {
    /// Where in the configuration the fault is; `None` when the file could not be read at all.
    pub fn place(&self) -> Option<&Place> {
        match self {
            ConfigError::Unreadable { .. } => None,
            ConfigError::Syntax { place, .. }
            | ConfigError::Unknown { place, .. }
            | ConfigError::Missing { place, .. }
            | ConfigError::Unsuitable { place, .. }
            | ConfigError::Contradiction { place, .. }
            | ConfigError::File { place, .. } => Some(place),
        }
    }
}

fn did_you_mean(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(name) => format!(", did you mean `{name}`?"),
        None => String::new(),
    }
}

/// The member of `known` that `typed` most likely meant: at most one edit in three letters (and
/// never fewer than two) away.
pub fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|name| (edit_distance(typed, name), *name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Insertions, deletions and substitutions between two words (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word_and_strangers_find_none() {
        let known = ["listen", "peer", "distance_km"];
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("distanse_km", &known), Some("distance_km"));
        assert_eq!(nearest("certificate", &known), None);
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let place = Place::of(Path::new("f"), "a = 1\nµµ = 2", 11, "k");
        assert_eq!((place.line, place.column), (2, 4));
    }
}
