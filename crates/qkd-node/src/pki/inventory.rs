//! What is in a folder of certificates.

use std::fmt;
use std::fs;

use super::{AUTHORITY, Kind, LabPki, PkiError, write};
use crate::tls::{self, Facts};

/// One certificate of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of its file, without `.pem`.
    pub name: String,
    /// Whose it is.
    pub kind: EntryKind,
    /// What it says.
    pub facts: Facts,
}

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// The authority's; during a change-over there is more than one.
    Authority,
    /// A party's.
    Party(Kind),
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryKind::Authority => f.write_str(AUTHORITY),
            EntryKind::Party(kind) => kind.fmt(f),
        }
    }
}

impl LabPki {
    /// Every certificate in the folder: the authority first, then the parties by name.
    ///
    /// # Errors
    /// When the folder or a certificate in it cannot be read.
    pub fn inventory(&self) -> Result<Vec<Entry>, PkiError> {
        let mut entries = Vec::new();
        for facts in facts_in(self, AUTHORITY)? {
            entries.push(Entry {
                name: AUTHORITY.to_owned(),
                kind: EntryKind::Authority,
                facts,
            });
        }
        for name in self.party_names()? {
            // The first certificate of a file is its owner's, what follows leads to the authority.
            let Some(facts) = facts_in(self, &name)?.into_iter().next() else {
                continue;
            };
            let kind = if facts.for_servers {
                Kind::Node
            } else {
                Kind::Application
            };
            entries.push(Entry {
                name,
                kind: EntryKind::Party(kind),
                facts,
            });
        }
        Ok(entries)
    }

    /// Everybody who has a certificate in the folder, but the authority, sorted.
    pub(super) fn party_names(&self) -> Result<Vec<String>, PkiError> {
        let folder = self.directory();
        let failed = || write::io(folder, "list the folder");
        let mut names = Vec::new();
        for file in fs::read_dir(folder).map_err(failed())? {
            let file = file.map_err(failed())?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".pem"));
            names.extend(
                name.filter(|name| *name != AUTHORITY && !name.starts_with('.'))
                    .map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }
}

fn facts_in(pki: &LabPki, name: &str) -> Result<Vec<Facts>, PkiError> {
    let file = pki.files_of(name).certificate;
    let certificates = tls::read_certificates(&file)?;
    let facts = certificates.iter().map(|der| tls::facts_of(&file, der));
    Ok(facts.collect::<Result<_, _>>()?)
}
