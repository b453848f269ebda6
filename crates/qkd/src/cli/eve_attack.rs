//! What Eve is to do, as people type it.

use qkd_attacks::Site;
use qkd_node::config::nearest;

use crate::lab::weakness::Weakness;

/// An attack that there is, as Eve's configuration writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct EveAttack {
    spec: String,
}

impl EveAttack {
    /// The attack that `spec` describes.
    ///
    /// # Errors
    /// Says what is wrong with it: there is none of that name, or not with these parameters.
    pub fn read(spec: &str) -> Result<Self, String> {
        let read = Self {
            spec: spec.to_owned(),
        };
        let name = read.name();
        match qkd_attacks::by_name(spec) {
            Err(error @ qkd_attacks::Error::UnknownAttack(_)) => {
                let meant = nearest(name, &qkd_attacks::KNOWN);
                let meant = meant.map(|name| format!("; did you mean {name:?}?"));
                return Err(format!("{error}{}", meant.unwrap_or_default()));
            }
            Err(error) => return Err(error.to_string()),
            Ok(_) => {}
        }
        Ok(read)
    }

    /// Looking on.
    pub fn passive() -> Self {
        Self {
            spec: "passive".to_owned(),
        }
    }

    /// Whether it needs the fibre behind her, to put a line of her own in its place or to send light
    /// into it.
    pub fn needs_the_fibre(&self) -> bool {
        qkd_attacks::about(self.name()).is_some_and(|about| match about.site {
            Site::BobsDoor => false,
            Site::AlicesDoor | Site::LosslessLine => true,
        })
    }

    /// What it needs of the hardware, if it needs a flaw.
    pub fn weakness(&self) -> Option<Weakness> {
        Weakness::of(self.name())
    }

    /// Name of the attack.
    pub fn name(&self) -> &str {
        self.spec.split(':').next().unwrap_or(&self.spec)
    }

    /// What stands behind the name, if anything does.
    pub fn parameters(&self) -> Option<&str> {
        self.spec.split_once(':').map(|(_, parameters)| parameters)
    }

    /// Fraction of the pulses that she intercepts and resends, or 0 when she only looks on; nothing
    /// for attacks that are not counted like that.
    pub fn fraction(&self) -> Option<f64> {
        match (self.name(), self.parameters()) {
            ("passive", _) => Some(0.0),
            ("intercept-resend", None) => Some(1.0),
            ("intercept-resend", Some(parameters)) => {
                let given = parameters
                    .split(',')
                    .find_map(|part| match part.split_once('=') {
                        None => Some(part),
                        Some(("fraction", value)) => Some(value),
                        Some(_) => None,
                    });
                given.map_or(Some(1.0), |value| value.parse().ok())
            }
            _ => None,
        }
    }

    /// The attack as Eve's configuration writes it.
    pub fn spec(&self) -> String {
        self.spec.clone()
    }
}

/// The help of an option that takes one.
pub fn help() -> String {
    let names = qkd_attacks::KNOWN;
    let (last, first) = names
        .split_last()
        .map_or(("", &names[..]), |(l, f)| (*l, f));
    format!(
        "Put Eve into the fibre, where her attack has to stand, and into hardware with the flaw \
         that it needs. NAME is {} or {last}; \
         'qkd attack list' says what each does. PARAMETERS are NAME=VALUE,NAME=VALUE, or the value \
         of the first one alone, such as the fraction of pulses, 0 to 1, that intercept-resend:0.1 \
         measures",
        first.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_attack_gets_all_names_and_the_one_that_was_meant() {
        let said = EveAttack::read("intercept-resent:0.1").unwrap_err();
        assert!(
            said.ends_with("did you mean \"intercept-resend\"?"),
            "{said}"
        );
        assert!(
            qkd_attacks::KNOWN.iter().all(|name| said.contains(name)),
            "{said}"
        );
        let said = EveAttack::read("listen").unwrap_err();
        assert!(!said.contains("did you mean"), "{said}");
    }
}
