//! Where Eve stands in the fibre, and what it loses before her and behind her.

use qkd_attacks::{About, Site};
use qkd_optics::{Fibre, transmittance};

use crate::config::EvePosition;

/// The piece of fibre that Eve's process applies the loss of, and where on it she may stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stand {
    position: EvePosition,
    loss_db: f64,
}

/// What Eve's light goes through.
pub(super) struct Line {
    /// From whoever sends to her.
    pub before: Fibre,
    /// From her to Bob.
    pub behind: Fibre,
}

impl Stand {
    /// A stand on a fibre of so much loss. One without loss is Bob's door: all of it lies before her,
    /// in Alice's process.
    pub fn new(position: EvePosition, loss_db: f64) -> Self {
        Self { position, loss_db }
    }

    /// Where she stands for an attack.
    pub fn site(&self, about: &About) -> Site {
        if self.loss_db == 0.0 {
            return Site::BobsDoor;
        }
        match (self.position, about.site) {
            (EvePosition::BobsDoor, _) | (EvePosition::AsNeeded, Site::BobsDoor) => Site::BobsDoor,
            (EvePosition::AlicesDoor, Site::BobsDoor) => Site::AlicesDoor,
            (EvePosition::AlicesDoor | EvePosition::AsNeeded, Site::AlicesDoor) => Site::AlicesDoor,
            (EvePosition::AlicesDoor | EvePosition::AsNeeded, Site::LosslessLine) => {
                Site::LosslessLine
            }
        }
    }

    /// What an attack is asked to do there: one that replaces the fibre has to know what that lost.
    pub(super) fn spec(&self, spec: &str, site: Site) -> String {
        match site {
            Site::BobsDoor | Site::AlicesDoor => spec.to_owned(),
            Site::LosslessLine => qkd_attacks::in_place_of(spec, self.loss_db),
        }
    }

    /// What her light goes through there.
    ///
    /// # Errors
    /// When the fibre's loss is none.
    pub(super) fn line(&self, site: Site) -> Result<Line, qkd_optics::Error> {
        let fibre = || Fibre::new(transmittance(self.loss_db));
        let none = || Fibre::new(1.0);
        Ok(match site {
            Site::BobsDoor => Line {
                before: fibre()?,
                behind: none()?,
            },
            Site::AlicesDoor => Line {
                before: none()?,
                behind: fibre()?,
            },
            Site::LosslessLine => Line {
                before: none()?,
                behind: none()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(position: EvePosition, loss_db: f64, attack: &str) -> Site {
        let about = qkd_attacks::about(attack).unwrap();
        Stand::new(position, loss_db).site(&about)
    }

    #[test]
    fn each_attack_stands_where_it_has_to_or_where_she_must() {
        use EvePosition::{AlicesDoor, AsNeeded, BobsDoor};
        for (position, of_bobs_door, of_a_line) in [
            (AsNeeded, Site::BobsDoor, Site::LosslessLine),
            (AlicesDoor, Site::AlicesDoor, Site::LosslessLine),
            (BobsDoor, Site::BobsDoor, Site::BobsDoor),
        ] {
            assert_eq!(site(position, 5.0, "blinding"), of_bobs_door);
            assert_eq!(site(position, 5.0, "beam-splitting"), of_a_line);
            assert_eq!(site(position, 0.0, "beam-splitting"), Site::BobsDoor);
        }
    }

    #[test]
    fn only_who_replaces_the_fibre_is_told_its_loss() {
        let stand = Stand::new(EvePosition::AsNeeded, 5.0);
        let told = stand.spec("beam-splitting", Site::LosslessLine);
        assert_eq!(told, "beam-splitting:loss_db=5");
        let told = stand.spec("beam-splitting", Site::BobsDoor);
        assert_eq!(told, "beam-splitting");
    }
}
