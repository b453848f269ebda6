//! An account: figures with what they say and their unit, as people and as programs read them.

use qkd_wire::proto::node;
use serde::{Serialize, Serializer};

use crate::output::one_line;
use crate::words::{grouped, significant, wrapped};

/// Columns of a terminal that was never made wider.
const WIDTH: usize = 80;

/// One figure of an account; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Its name, lower-case words joined by underscores.
    pub name: String,
    /// What it says, in a few words.
    pub meaning: String,
    /// The number itself; whole numbers are written without a fraction.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// `bits`, `detections`, …; empty for a number without a unit.
    pub unit: String,
}

impl From<node::Figure> for Item {
    fn from(figure: node::Figure) -> Self {
        Self {
            name: figure.name,
            meaning: figure.meaning,
            value: figure.value,
            unit: figure.unit,
        }
    }
}

/// The figures as lines for people: number and unit in columns, then what it says.
pub fn lines(items: &[Item]) -> Vec<String> {
    let numbers: Vec<String> = items.iter().map(Item::number).collect();
    let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let digits = widest(&mut numbers.iter().map(|number| number.chars().count()));
    let unit = widest(&mut items.iter().map(|item| item.unit.chars().count()));
    let indent = 2 + digits + 1 + unit + 2;
    let mut lines = Vec::new();
    for (item, number) in items.iter().zip(&numbers) {
        let meaning = one_line(&item.meaning);
        let mut rows = wrapped(&meaning, WIDTH.saturating_sub(indent)).into_iter();
        let first = rows.next().unwrap_or_default();
        let name = one_line(&item.unit);
        lines.push(format!("  {number:>digits$} {name:<unit$}  {first}"));
        lines.extend(rows.map(|row| format!("{:indent$}{row}", "")));
    }
    lines
}

impl Item {
    fn number(&self) -> String {
        let Self { value, unit, .. } = self;
        let sign = if *value < 0.0 { "−" } else { "" };
        match whole(*value) {
            Some(number) => format!("{sign}{}", grouped(number.unsigned_abs())),
            // Bits and detections are many: what stands after the point is of no use.
            None if !unit.is_empty() && value.abs() >= 1.0 => {
                format!("{sign}{}", grouped(value.abs().round() as u64))
            }
            None => significant(*value),
        }
    }
}

/// The same number without a fraction, when it has none.
fn whole(value: f64) -> Option<i64> {
    // Beyond 2^53 neighbouring whole numbers cannot be told apart.
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
}

/// A number as JSON: whole ones without a fraction.
///
/// # Errors
/// When the serializer fails.
pub fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match whole(*value) {
        Some(number) => serializer.serialize_i64(number),
        None => serializer.serialize_f64(*value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(value: f64, unit: &str, meaning: &str) -> Item {
        Item {
            name: "name".to_owned(),
            meaning: meaning.to_owned(),
            value,
            unit: unit.to_owned(),
        }
    }

    #[test]
    fn figures_stand_in_columns_and_long_meanings_go_on_below() {
        let long = "a meaning that has so many words that it does not fit into what is left of a \
                    line of eighty columns";
        let items = [
            item(1_001_243.0, "bits", "in the key basis"),
            item(812_345.678, "detections", "at least"),
            item(-1234.5, "bits", long),
            item(0.034_123_456, "", "phase errors"),
            item(3.00003e-10, "", "ε"),
        ];
        let expected = [
            "    1,001,243 bits        in the key basis",
            "      812,346 detections  at least",
            "       −1,235 bits        a meaning that has so many words that it does not fit",
            "                          into what is left of a line of eighty columns",
            "     0.034123             phase errors",
            "  3.00003e-10             ε",
        ];
        assert_eq!(lines(&items), expected);
    }

    #[test]
    fn whole_numbers_have_no_fraction_in_json_and_others_lose_nothing() {
        let json = |value| serde_json::to_string(&item(value, "bits", "m")).unwrap();
        assert!(json(1e6).contains(r#""value":1000000,"#), "{}", json(1e6));
        assert!(json(-3.0).contains(r#""value":-3,"#));
        assert!(json(0.1).contains(r#""value":0.1,"#));
    }
}
