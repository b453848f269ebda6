use crate::{Error, Standing, lim2014, rusca2018, wiesemann2024};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The formulas a link can be planned with; keys are made under [`Theorem`](crate::Theorem) alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PlanTheorem {
    /// One decoy, finite key, corrected: [`crate::wiesemann2024`].
    #[default]
    Wiesemann2024,
    /// One decoy, finite key, as first published: [`crate::rusca2018`]. For comparison: the proof
    /// was found in need of correction, and γ is a Taylor approximation and no rigorous bound.
    Rusca2018,
    /// Two decoys, finite key: [`crate::lim2014`]. For comparison: γ is a Taylor approximation,
    /// reported not to be a rigorous bound. Counts lowered below zero are clipped there.
    Lim2014,
    /// No decoys, infinitely many pulses: [`crate::gllp::without_decoys`].
    Gllp,
    /// Infinitely many decoys and pulses: [`crate::gllp::with_decoys`] on the exact single photons.
    GllpDecoyInfinite,
    /// Two decoys, the darker one usually vacuum, infinitely many pulses:
    /// [`crate::decoy::TwoDecoys`].
    GllpVacuumWeak,
}

impl PlanTheorem {
    /// Every one there is.
    pub const ALL: [PlanTheorem; 6] = [
        PlanTheorem::Wiesemann2024,
        PlanTheorem::Rusca2018,
        PlanTheorem::Lim2014,
        PlanTheorem::Gllp,
        PlanTheorem::GllpDecoyInfinite,
        PlanTheorem::GllpVacuumWeak,
    ];

    /// The name in configurations and tables.
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

    /// What a rate under it is worth.
    pub fn standing(self) -> Standing {
        match self {
            PlanTheorem::Wiesemann2024 => wiesemann2024::STANDING,
            PlanTheorem::Rusca2018 => rusca2018::STANDING,
            PlanTheorem::Lim2014 => lim2014::STANDING,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite | PlanTheorem::GllpVacuumWeak => {
                Standing::Asymptotic
            }
        }
    }

    /// Whether it is about blocks of finite length; the others know neither `block_bits` nor ε.
    pub fn is_finite(self) -> bool {
        match self {
            PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 | PlanTheorem::Lim2014 => true,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite | PlanTheorem::GllpVacuumWeak => {
                false
            }
        }
    }

    /// How many intensities a configuration may give; [`intensities_used`](Self::intensities_used)
    /// of them matter.
    pub fn intensities(self) -> RangeInclusive<usize> {
        match self {
            PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => 2..=2,
            PlanTheorem::Lim2014 | PlanTheorem::GllpVacuumWeak => 3..=3,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite => 1..=3,
        }
    }

    /// How many of the intensities it uses, the first ones.
    pub fn intensities_used(self) -> usize {
        match self {
            PlanTheorem::Wiesemann2024 | PlanTheorem::Rusca2018 => 2,
            PlanTheorem::Lim2014 | PlanTheorem::GllpVacuumWeak => 3,
            PlanTheorem::Gllp | PlanTheorem::GllpDecoyInfinite => 1,
        }
    }

    /// [`ChannelModel::Exact`] for the theorem of the running system, [`ChannelModel::Published`]
    /// for those that are here to reproduce published work.
    pub fn default_channel(self) -> ChannelModel {
        match self {
            PlanTheorem::Wiesemann2024 => ChannelModel::Exact,
            PlanTheorem::Rusca2018
            | PlanTheorem::Lim2014
            | PlanTheorem::Gllp
            | PlanTheorem::GllpDecoyInfinite
            | PlanTheorem::GllpVacuumWeak => ChannelModel::Published,
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

/// What turns a link's figures into clicks and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ChannelModel {
    /// Two threshold detectors with double clicks, common dead time and afterpulses, exactly: what
    /// the emulated link and a real one show ([`LinkModel`](crate::LinkModel)).
    #[default]
    Exact,
    /// The channel of the theorem's own paper, so that its published figures come out.
    Published,
}

impl ChannelModel {
    /// Both.
    pub const ALL: [ChannelModel; 2] = [ChannelModel::Exact, ChannelModel::Published];

    /// The name in configurations and tables.
    pub fn name(self) -> &'static str {
        match self {
            ChannelModel::Exact => "exact",
            ChannelModel::Published => "published",
        }
    }
}

impl fmt::Display for ChannelModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ChannelModel {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        ChannelModel::ALL
            .into_iter()
            .find(|model| model.name() == name)
            .ok_or_else(|| Error::UnknownChannelModel {
                name: name.to_owned(),
                known: ChannelModel::ALL.map(ChannelModel::name).join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theorem_and_model_is_found_by_its_name() {
        for theorem in PlanTheorem::ALL {
            assert_eq!(theorem.name().parse(), Ok(theorem));
            assert!(theorem.intensities().contains(&theorem.intensities_used()));
        }
        for model in ChannelModel::ALL {
            assert_eq!(model.name().parse(), Ok(model));
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "glp".parse::<PlanTheorem>().unwrap_err().to_string();
        assert!(error.contains("glp") && error.contains("gllp-vacuum-weak"));
        let error = "ideal".parse::<ChannelModel>().unwrap_err().to_string();
        assert!(error.contains("ideal") && error.contains("exact, published"));
    }
}
