//! Which click a slot shows in which noise fell: Bob's basis, and the bit.

use qkd_bits::SecretRng;

use super::click_law::ClickLaw;
use super::outcome::{BOTH, Outcome};
use crate::Basis;
use crate::detectors::BasisChoice;

impl ClickLaw {
    /// The outcome of a slot in which `detectors` (in the order of the click law) fire without
    /// light, or besides what the `light` in it has done. A slot has one basis: that of its light,
    /// even if the light fired nothing, or else one chosen now.
    pub fn settle(&self, light: Option<Outcome>, detectors: u8, secret: &mut SecretRng) -> Outcome {
        match self.choice() {
            (BasisChoice::Active, z) => match light {
                Some(light) => add(light, detectors, secret),
                None => click(choose(z, secret), detectors, secret),
            },
            (BasisChoice::Passive, _) => passive(light, detectors, secret),
        }
    }
}

/// Four detectors: those that fire say the basis, and a fair coin when they say both.
fn passive(light: Option<Outcome>, detectors: u8, secret: &mut SecretRng) -> Outcome {
    let noise = |basis| match basis {
        Basis::Z => detectors & BOTH,
        Basis::X => detectors >> 2,
    };
    let Some(light) = light.filter(|light| light.fired()) else {
        return match [Basis::Z, Basis::X].map(noise) {
            [_, 0] => click(Basis::Z, noise(Basis::Z), secret),
            [0, _] => click(Basis::X, noise(Basis::X), secret),
            [_, _] => {
                let basis = choose(0.5, secret);
                click(basis, noise(basis), secret).across_bases()
            }
        };
    };
    let other = match light.basis() {
        Basis::Z => Basis::X,
        Basis::X => Basis::Z,
    };
    let own = noise(light.basis());
    if light.is_across_bases() {
        // The coin has fallen already.
        add(light, own, secret).across_bases()
    } else if noise(other) == 0 {
        add(light, own, secret)
    } else if secret.bit() {
        click(other, noise(other), secret).across_bases()
    } else {
        add(light, own, secret).across_bases()
    }
}

fn choose(key_basis_probability: f64, secret: &mut SecretRng) -> Basis {
    if secret.chance(key_basis_probability) {
        Basis::Z
    } else {
        Basis::X
    }
}

fn click(basis: Basis, exits: u8, secret: &mut SecretRng) -> Outcome {
    let coin = exits & BOTH == BOTH && secret.bit();
    Outcome::new(basis, exits, coin)
}

/// Light and noise in the same pair of detectors; a coin that has fallen stays as it is.
fn add(light: Outcome, exits: u8, secret: &mut SecretRng) -> Outcome {
    if light.exits() == BOTH {
        light
    } else {
        click(light.basis(), light.exits() | exits, secret)
    }
}
