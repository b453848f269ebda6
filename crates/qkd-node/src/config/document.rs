//! A TOML document read key by key, so that every complaint knows its line and column.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{ConfigError, Place, nearest};

/// What a value has to be, in words and in code.
pub(super) struct Rule<T> {
    /// Completes "expected …".
    pub expected: &'static str,
    /// The value, or `None` when it is not what was expected.
    pub read: fn(&DeValue<'_>) -> Option<T>,
    /// Names that are taken, for "did you mean".
    pub known: &'static [&'static str],
}

impl<T> Rule<T> {
    pub(super) const fn new(expected: &'static str, read: fn(&DeValue<'_>) -> Option<T>) -> Self {
        Self {
            expected,
            read,
            known: &[],
        }
    }
}

/// A file that the configuration names, to be looked at once the text is known to be good.
pub(super) struct NamedFile {
    pub place: Box<Place>,
    pub path: PathBuf,
}

/// The text of a configuration file and its name.
pub(super) struct Document<'t> {
    text: &'t str,
    file: &'t Path,
    files: RefCell<Vec<NamedFile>>,
}

impl<'t> Document<'t> {
    pub(super) fn new(text: &'t str, file: &'t Path) -> Self {
        Self {
            text,
            file,
            files: RefCell::default(),
        }
    }

    /// Parses the text; every section must be one of `known`.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'t>>, ConfigError> {
        DeTable::parse(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            ConfigError::Syntax {
                place: self.place(offset, self.key_on_line(offset)),
                found: error.message().trim().replace('\n', ", "),
            }
        })
    }

    /// The files named so far, in the order of reading.
    pub(super) fn into_files(self) -> Vec<NamedFile> {
        self.files.into_inner()
    }

    fn place(&self, offset: usize, key: impl Into<String>) -> Box<Place> {
        Box::new(Place::of(self.file, self.text, offset, key))
    }

    /// The key that a person would say a syntax error is at.
    fn key_on_line(&self, offset: usize) -> String {
        let line = self.text.lines().nth(self.place(offset, "").line - 1);
        let line = line.unwrap_or_default();
        let key = line.split('=').next().unwrap_or_default().trim();
        if key.is_empty() {
            "(empty line)".to_owned()
        } else {
            key.to_owned()
        }
    }
}

/// One table of the document, with the names that may stand in it.
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    /// Dotted name; empty for the document itself.
    name: String,
    table: &'d DeTable<'d>,
    span: Range<usize>,
    /// Whether nothing but sections belongs here, so that a stranger is called one.
    sections_only: bool,
}

impl<'d> Section<'d> {
    /// The document itself: the table of its sections.
    pub(super) fn root(
        document: &'d Document<'d>,
        table: &'d Spanned<DeTable<'d>>,
        known: &[&'static str],
    ) -> Result<Self, ConfigError> {
        let section = Self::whole(document, table);
        section.only(known)?;
        Ok(section)
    }

    /// The document itself, whatever stands in it.
    pub(super) fn whole(document: &'d Document<'d>, table: &'d Spanned<DeTable<'d>>) -> Self {
        Self {
            document,
            name: String::new(),
            table: table.get_ref(),
            span: 0..0,
            sections_only: true,
        }
    }

    /// The document itself, with keys of its own beside its sections.
    pub(super) fn root_with_keys(
        document: &'d Document<'d>,
        table: &'d Spanned<DeTable<'d>>,
        known: &[&'static str],
    ) -> Result<Self, ConfigError> {
        let section = Self {
            sections_only: false,
            ..Self::whole(document, table)
        };
        section.only(known)?;
        Ok(section)
    }

    /// The table `name` inside this one, holding nothing but `known` keys.
    pub(super) fn section(
        &self,
        name: &'static str,
        known: &[&'static str],
    ) -> Result<Section<'d>, ConfigError> {
        match self.section_if_present(name, known)? {
            Some(section) => Ok(section),
            None => Err(ConfigError::Missing {
                place: self.document.place(self.span.start, self.bracketed(name)),
                expected: format!("a section with {}", list(known)),
            }),
        }
    }

    /// As [`section`](Self::section), but it may be absent.
    pub(super) fn section_if_present(
        &self,
        name: &'static str,
        known: &[&'static str],
    ) -> Result<Option<Section<'d>>, ConfigError> {
        let Some(value) = self.table.get(name) else {
            return Ok(None);
        };
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.unsuitable(name, value, format!("a section [{}]", self.dotted(name))));
        };
        let section = Section {
            document: self.document,
            name: self.dotted(name),
            table,
            span: value.span(),
            sections_only: false,
        };
        section.only(known)?;
        Ok(Some(section))
    }

    /// The repeated tables `[[name]]`; none when absent.
    pub(super) fn tables(
        &self,
        name: &'static str,
        known: &[&'static str],
    ) -> Result<Vec<Section<'d>>, ConfigError> {
        let Some(value) = self.table.get(name) else {
            return Ok(Vec::new());
        };
        let wrong = |value| Err(self.unsuitable(name, value, format!("tables [[{name}]]")));
        let DeValue::Array(array) = value.get_ref() else {
            return wrong(value);
        };
        let mut sections = Vec::with_capacity(array.len());
        for element in array {
            let DeValue::Table(table) = element.get_ref() else {
                return wrong(element);
            };
            let section = Section {
                document: self.document,
                name: self.dotted(name),
                table,
                span: element.span(),
                sections_only: false,
            };
            section.only(known)?;
            sections.push(section);
        }
        Ok(sections)
    }

    /// The value of a key that has to be there.
    pub(super) fn required<T>(&self, key: &str, rule: &Rule<T>) -> Result<T, ConfigError> {
        match self.optional(key, rule)? {
            Some(value) => Ok(value),
            None => Err(self.missing(key, rule.expected)),
        }
    }

    /// The value of a key that may be absent.
    pub(super) fn optional<T>(&self, key: &str, rule: &Rule<T>) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.table.get(key) else {
            return Ok(None);
        };
        match (rule.read)(value.get_ref()) {
            Some(read) => Ok(Some(read)),
            None => {
                let typed = value.get_ref().as_str().unwrap_or_default();
                Err(ConfigError::Unsuitable {
                    place: self.document.place(value.span().start, self.dotted(key)),
                    found: describe(value.get_ref()),
                    expected: rule.expected.to_owned(),
                    suggestion: nearest(typed, rule.known).map(str::to_owned),
                })
            }
        }
    }

    /// The file named by `key`, relative to the folder of the configuration.
    pub(super) fn file(&self, key: &'static str) -> Result<PathBuf, ConfigError> {
        let rule = Rule::new("the path of a file, as a string", |value| {
            value
                .as_str()
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        });
        let folder = self.document.file.parent().unwrap_or(Path::new(""));
        let path = folder.join(self.required(key, &rule)?);
        self.document.files.borrow_mut().push(NamedFile {
            place: self.place_of(key),
            path: path.clone(),
        });
        Ok(path)
    }

    /// A complaint about the value of `key`, which parsed but cannot stand.
    pub(super) fn refuse(&self, key: &str, expected: impl Into<String>) -> ConfigError {
        match self.table.get(key) {
            Some(value) => self.unsuitable(key, value, expected.into()),
            None => self.missing(key, expected.into()),
        }
    }

    /// A complaint about `key`, there or not, that does not go with something else.
    pub(super) fn contradict(&self, key: &str, reason: &str) -> ConfigError {
        let found = match self.table.get(key) {
            Some(value) => format!("found {}", describe(value.get_ref())),
            None => "missing".to_owned(),
        };
        ConfigError::Contradiction {
            place: self.place_of(key),
            found,
            reason: reason.to_owned(),
        }
    }

    /// Where `key` stands; where the section begins when it does not.
    pub(super) fn place_of(&self, key: &str) -> Box<Place> {
        let span = self.table.get(key).map_or(self.span.clone(), Spanned::span);
        self.document.place(span.start, self.dotted(key))
    }

    fn missing(&self, key: &str, expected: impl Into<String>) -> ConfigError {
        ConfigError::Missing {
            place: self.document.place(self.span.start, self.dotted(key)),
            expected: expected.into(),
        }
    }

    fn unsuitable(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: String) -> ConfigError {
        ConfigError::Unsuitable {
            place: self.document.place(value.span().start, self.dotted(key)),
            found: describe(value.get_ref()),
            expected,
            suggestion: None,
        }
    }

    /// Whether `key` stands in this table.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The keys of this table, without the tables inside it.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let values = self
            .table
            .iter()
            .filter(|(_, value)| !value.get_ref().is_table());
        values.map(|(key, _)| key.get_ref().as_ref())
    }

    /// The last word of its name; empty for the document itself.
    pub(super) fn last_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }

    /// A complaint about the table as a whole.
    pub(super) fn refuse_whole(&self, found: String, expected: String) -> ConfigError {
        ConfigError::Unsuitable {
            place: self
                .document
                .place(self.span.start, format!("[{}]", self.name)),
            found,
            expected,
            suggestion: None,
        }
    }

    /// Refuses keys that are not `known`.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), ConfigError> {
        let stranger = self
            .table
            .iter()
            .filter(|(key, _)| !known.contains(&key.get_ref().as_ref()))
            .min_by_key(|(key, _)| key.span().start);
        let Some((key, value)) = stranger else {
            return Ok(());
        };
        let name = key.get_ref().as_ref();
        let is_section = self.sections_only || value.get_ref().is_table();
        Err(ConfigError::Unknown {
            place: self.document.place(
                key.span().start,
                if is_section {
                    self.bracketed(name)
                } else {
                    self.dotted(name)
                },
            ),
            kind: if is_section { "section" } else { "key" },
            suggestion: nearest(name, known).map(str::to_owned),
            expected: list(known),
        })
    }

    fn dotted(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn bracketed(&self, key: &str) -> String {
        format!("[{}]", self.dotted(key))
    }
}

fn list(known: &[&'static str]) -> String {
    match known {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., last] => format!("`{}` or `{last}`", first.join("`, `")),
    }
}

/// A value as its writer would recognise it.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {:?}", text.as_ref()),
        DeValue::Integer(number) => format!("the integer {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(boolean) => format!("the boolean {boolean}"),
        DeValue::Datetime(time) => format!("the date or time {time}"),
        DeValue::Array(array) => {
            let all: Vec<String> = array.iter().map(|one| short(one.get_ref())).collect();
            format!("the array [{}]", all.join(", "))
        }
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn short(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", text.as_ref()),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(boolean) => boolean.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "[…]".to_owned(),
        DeValue::Table(_) => "{…}".to_owned(),
    }
}
