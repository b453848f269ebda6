//! One number of an account: what a key length or a rate was made from.

/// A number with its name, its unit and what it says, so that whoever prints an account needs to
/// know nothing about the theorem behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Its name, in lower-case words joined by underscores, the unit last; no other figure of an
    /// account has it. That of the field it comes from, but for words that the field's type says
    /// (`length_unclamped_bits`, `finite_secret_bits_per_symbol`) or the meaning does
    /// (`phase_error_rate`, a bound).
    pub name: &'static str,
    /// What it says, in a few words that start in lower case, with the symbol of the papers.
    pub meaning: &'static str,
    /// The number itself.
    pub value: f64,
    /// `bits`, `detections`, `bits/symbol`, …; empty for a number without a unit.
    pub unit: &'static str,
}

impl Figure {
    /// A number without a unit: a probability, a share, a ratio.
    pub const fn plain(name: &'static str, value: f64, meaning: &'static str) -> Self {
        Figure {
            name,
            meaning,
            value,
            unit: "",
        }
    }

    /// A number of bits.
    pub const fn bits(name: &'static str, value: f64, meaning: &'static str) -> Self {
        Figure::plain(name, value, meaning).measured_in("bits")
    }

    /// A number of detections, which bounds and expectations may make fractional.
    pub const fn detections(name: &'static str, value: f64, meaning: &'static str) -> Self {
        Figure::plain(name, value, meaning).measured_in("detections")
    }

    /// The same in `unit`.
    pub const fn measured_in(self, unit: &'static str) -> Self {
        Figure { unit, ..self }
    }
}

#[cfg(test)]
mod tests {
    use crate::{DecoySource, Leakage, SecurityParameters, SideChannels, Statistics, Theorem};

    #[test]
    fn an_account_names_every_field_of_a_key_length_once() {
        let leaks = SideChannels {
            reflected_photons: 1e-6,
            back_flash_probability: 1e-3,
        };
        let source = DecoySource::new([0.5, 0.15], [0.7, 0.3]).unwrap();
        let source = source.with_side_channels(leaks).unwrap();
        let parameters = SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        };
        let leakage = Leakage::default();
        let nothing = Statistics::<u64>::default();
        let length = Theorem::Wiesemann2024.secret_length(nothing, &source, &leakage, &parameters);
        let figures = length.figures();
        // The derived Debug output has each field once, so nothing is left out unnoticed. That of the
        // side channels is no figure itself.
        let fields = format!("{length:?}").matches(": ").count() - 1;
        assert_eq!(figures.len(), fields);
        let mut names: Vec<&str> = figures.iter().map(|figure| figure.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), fields);
        for figure in figures {
            assert!(!figure.meaning.is_empty() && !figure.meaning.ends_with('.'));
            let named = figure.name.ends_with("_bits");
            assert_eq!(named, figure.unit == "bits", "{figure:?}");
        }
    }
}
