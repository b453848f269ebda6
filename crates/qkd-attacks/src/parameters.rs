//! The parameters of an attack, as they are written behind its name.

use std::ops::RangeInclusive;

use crate::Error;

/// What stands behind the colon of `NAME:KEY=VALUE,KEY=VALUE`, or of the short form `NAME:VALUE`,
/// which sets the first parameter.
pub(crate) struct Parameters<'a> {
    attack: &'static str,
    known: &'static [&'static str],
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Parameters<'a> {
    /// Reads the `argument` of an attack that has the parameters `known`.
    ///
    /// # Errors
    /// [`Error::NoArgument`] when it has none, [`Error::Parameter`] for one that it does not have or
    /// that is given twice.
    pub fn read(
        attack: &'static str,
        known: &'static [&'static str],
        argument: Option<&'a str>,
    ) -> Result<Self, Error> {
        let mut parameters = Self {
            attack,
            known,
            given: Vec::new(),
        };
        let Some(argument) = argument else {
            return Ok(parameters);
        };
        let Some(&first) = known.first() else {
            let argument = argument.to_owned();
            return Err(Error::NoArgument { attack, argument });
        };
        for part in argument.split(',') {
            let (key, value) = match part.split_once('=') {
                Some(pair) => pair,
                None if part == argument => (first, part),
                None => return Err(parameters.unknown(part)),
            };
            let repeated = parameters.given.iter().any(|(given, _)| *given == key);
            if repeated || !known.contains(&key) {
                return Err(parameters.unknown(part));
            }
            parameters.given.push((key, value));
        }
        Ok(parameters)
    }

    /// A number in a range; `unit` is empty for a number without one.
    ///
    /// # Errors
    /// [`Error::Value`] for anything else.
    pub fn number(
        &self,
        key: &'static str,
        default: f64,
        range: RangeInclusive<f64>,
        unit: &str,
    ) -> Result<f64, Error> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) | Err(_) => {
                let unit = if unit.is_empty() {
                    ""
                } else {
                    &format!(" {unit}")
                };
                let (low, high) = (range.start(), range.end());
                Err(self.refused(key, text, format!("a number from {low} to {high}{unit}")))
            }
        }
    }

    /// One of several words.
    ///
    /// # Errors
    /// [`Error::Value`] lists them.
    pub fn choice<T: Copy>(
        &self,
        key: &'static str,
        default: T,
        choices: &[(&str, T)],
    ) -> Result<T, Error> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        let found = choices.iter().find(|(name, _)| *name == text);
        found.map(|&(_, choice)| choice).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.refused(key, text, format!("one of {}", names.join(", ")))
        })
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        let found = self.given.iter().find(|(given, _)| *given == key);
        found.map(|&(_, value)| value)
    }

    fn unknown(&self, part: &str) -> Error {
        Error::Parameter {
            attack: self.attack,
            parameter: part.to_owned(),
            known: self.known,
        }
    }

    fn refused(&self, parameter: &'static str, value: &str, expected: String) -> Error {
        Error::Value {
            attack: self.attack,
            parameter,
            value: value.to_owned(),
            expected,
        }
    }
}
