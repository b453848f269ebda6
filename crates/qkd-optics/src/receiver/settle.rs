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
                None => {
                    let click = click(choose(z, secret), detectors, secret);
                    if self.exchanges_detectors() && secret.bit() {
                        click.exchanged()
                    } else {
                        click
                    }
                }
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
        click(light.basis(), light.exits() | exits, secret).assigned_as(light)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::click_law::tests::{active_law, law};

    /// The secret source gives coins of both sides within a hundred draws.
    fn settled(law: &ClickLaw, light: Option<Outcome>, detectors: u8) -> Vec<Outcome> {
        let mut secret = SecretRng::from_seed([1; 32]);
        let mut seen: Vec<Outcome> = Vec::new();
        for _ in 0..100 {
            let outcome = law.settle(light, detectors, &mut secret);
            if !seen.contains(&outcome) {
                seen.push(outcome);
            }
        }
        seen.sort_by_key(|outcome| outcome.code());
        seen
    }

    fn sorted(mut outcomes: Vec<Outcome>) -> Vec<Outcome> {
        outcomes.sort_by_key(|outcome| outcome.code());
        outcomes
    }

    const Z: Basis = Basis::Z;
    const X: Basis = Basis::X;

    #[test]
    fn noise_is_measured_in_the_basis_of_the_light_in_its_slot() {
        let law = active_law();
        let unseen = Some(Outcome::new(X, 0, false));
        let one = Outcome::new(X, 2, false);
        assert!(settled(&law, unseen, 2) == [one]);
        let doubles = [false, true].map(|coin| Outcome::new(X, BOTH, coin));
        assert!(settled(&law, Some(one), 1) == doubles);
        // A coin that has fallen is not thrown again.
        assert!(settled(&law, Some(doubles[1]), 1) == [doubles[1]]);
        let either = [Z, X].map(|basis| Outcome::new(basis, 1, false));
        assert!(settled(&law, None, 1) == either, "no basis was chosen yet");
    }

    #[test]
    fn of_four_detectors_those_that_fire_say_the_basis_and_a_coin_when_they_disagree() {
        let law = law();
        assert!(settled(&law, None, 0b0100) == [Outcome::new(X, 1, false)]);
        let (z1, x0) = (Outcome::new(Z, 2, false), Outcome::new(X, 1, false));
        let either = sorted(vec![z1.across_bases(), x0.across_bases()]);
        assert!(settled(&law, None, 0b0110) == either);
        assert!(settled(&law, Some(z1), 0b0100) == either);
        // Light across the bases has had its coin: noise in the other pair changes nothing.
        assert!(settled(&law, Some(z1.across_bases()), 0b0100) == [z1.across_bases()]);
        let unseen = Some(Outcome::new(Z, 0, false));
        assert!(
            settled(&law, unseen, 0b0100) == [x0],
            "nothing chose a basis for it"
        );
    }
}
