use crate::{Error, Standing};
use std::fmt;
use std::str::FromStr;

/// The formulas that a link can be planned with, chosen by name.
///
/// Wider than [`crate::Theorem`]: it also has what the literature compares with, which is no ground
/// to make a key on. [`standing`](Self::standing) says what each is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PlanTheorem {
    /// One decoy, finite key, corrected: [`crate::wiesemann2024`].
    #[default]
    Wiesemann2024,
    /// One decoy, finite key, as first published: [`crate::rusca2018`].
    Rusca2018,
    /// Two decoys, finite key: [`crate::lim2014`].
    Lim2014,
    /// No decoy, asymptotic: [`crate::gllp::without_decoys`].
    Gllp,
    /// Infinitely many decoys, asymptotic: [`crate::gllp::with_decoys`] and
    /// [`crate::decoy::AsymptoticChannel::single_photons`].
    GllpDecoyInfinite,
    /// A weak decoy and vacuum, asymptotic: [`crate::gllp::with_decoys`] and
    /// [`crate::decoy::TwoDecoys`].
    GllpVacuumWeak,
}

impl PlanTheorem {
    /// Every formula there is, the default first.
    pub const ALL: [PlanTheorem; 6] = [
        PlanTheorem::Wiesemann2024,
        PlanTheorem::Rusca2018,
        PlanTheorem::Lim2014,
        PlanTheorem::Gllp,
        PlanTheorem::GllpDecoyInfinite,
        PlanTheorem::GllpVacuumWeak,
    ];

    /// The name in configurations and reports.
    pub fn name(self) -> &'static str {
        match self {
            PlanTheorem::Wiesemann2024 => "wiesemann2024",
            PlanTheorem::Rusca2018 => "rusca2018",
            PlanTheorem::Lim2014 => "lim2014",
            PlanTheorem::Gllp => "gllp",
            PlanTheorem::GllpDecoyInfinite => "gllp-decoy-infinite",
            PlanTheorem::GllpVacuumWeak => "gllp-vacuum-weak",
        }
    }

    /// What its figures are worth.
    pub fn standing(self) -> Standing {
        match self {
            PlanTheorem::Wiesemann2024 => Standing::FiniteKey,
            PlanTheorem::Rusca2018 | PlanTheorem::Lim2014 => Standing::FiniteKeyApproximate,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite | PlanTheorem::GllpVacuumWeak => {
                Standing::Asymptotic
            }
        }
    }

    /// How many intensities it needs, the brightest first; a last one may be 0 (vacuum) where three
    /// are needed.
    pub fn intensities(self) -> usize {
        match self {
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite => 1,
            PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => 2,
            PlanTheorem::Lim2014 | PlanTheorem::GllpVacuumWeak => 3,
        }
    }
}

impl fmt::Display for PlanTheorem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PlanTheorem {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        PlanTheorem::ALL
            .into_iter()
            .find(|theorem| theorem.name() == name)
            .ok_or_else(|| Error::UnknownTheorem {
                name: name.to_owned(),
                known: PlanTheorem::ALL.map(PlanTheorem::name).join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Theorem;

    #[test]
    fn every_theorem_is_found_by_its_name() {
        for theorem in PlanTheorem::ALL {
            assert_eq!(theorem.name().parse::<PlanTheorem>(), Ok(theorem));
        }
        let error = "gllp-one".parse::<PlanTheorem>().unwrap_err().to_string();
        assert!(error.contains("gllp-vacuum-weak"), "{error}");
    }

    #[test]
    fn keys_are_made_by_what_is_proven_for_a_finite_block() {
        for theorem in PlanTheorem::ALL {
            let makes_keys = theorem.name().parse::<Theorem>().is_ok();
            assert_eq!(makes_keys, theorem.standing() == Standing::FiniteKey);
        }
        for theorem in Theorem::ALL {
            assert!(theorem.name().parse::<PlanTheorem>().is_ok());
        }
    }
}
