//! The exact law of one slot behind the source and its fibre segment.
//!
//! Every sampler of Alice's light draws from this law and from nothing else, so that an effect of
//! the source has to be described once.

use std::ops::RangeInclusive;

use super::photon_statistics::SAMPLED_PHOTONS_MAX;
use crate::light::State;
use crate::{Basis, Choice, IntensityClass, LightDensity, PHOTONS_MAX, Source};

/// Weight of a photon number in one class below which 2⁶⁴ slots would never show it.
const WEIGHT_MIN: f64 = 1e-30;

/// What a slot holds, and what Alice chose for it, with the probability of each.
pub(crate) struct EmissionLaw {
    /// P(class ∧ no photon left), per class.
    pub empty: Vec<f64>,
    /// P(what Alice chose ∧ what left her laboratory), for slots that still hold light.
    pub occupied: Vec<(Emission, f64)>,
}

/// A slot that still holds light.
#[derive(Clone, Copy)]
pub(crate) struct Emission {
    /// What Alice chose.
    pub label: Label,
    /// What the modulator really made.
    pub sent: State,
    /// At least 1.
    pub photons: u8,
}

/// Alice's choice in one byte: the state in the low two bits, the intensity class above.
#[derive(Clone, Copy)]
pub(crate) struct Label(pub u8);

impl Label {
    pub fn new(state: State, class: u8) -> Self {
        Self(class << 2 | state.code())
    }

    #[inline]
    pub fn state(self) -> State {
        State::from_code(self.0)
    }

    #[inline]
    pub fn class(self) -> u8 {
        self.0 >> 2
    }

    pub fn choice(self) -> Choice {
        Choice {
            basis: self.state().basis(),
            bit: self.state().bit(),
            intensity: IntensityClass(self.class()),
        }
    }
}

impl EmissionLaw {
    /// P(a photon is left): numerically exact where almost every slot is empty, because every term
    /// is computed as itself and not as a difference from 1.
    pub fn occupied_probability(&self) -> f64 {
        let total: f64 = self.occupied.iter().map(|(_, weight)| weight).sum();
        total.clamp(0.0, 1.0)
    }

    /// How much light there is in a slot.
    pub fn density(&self) -> LightDensity {
        let share = |photons: RangeInclusive<u8>| {
            let within = |(emission, _): &&(Emission, f64)| photons.contains(&emission.photons);
            let total: f64 = self.occupied.iter().filter(within).map(|(_, w)| w).sum();
            total.clamp(0.0, 1.0)
        };
        LightDensity {
            occupied_probability: self.occupied_probability(),
            few_photons_probability: share(2..=3),
            many_photons_probability: share(4..=PHOTONS_MAX),
        }
    }
}

impl Source {
    /// The law of a slot behind a segment of `segment_transmittance`: P(k) P(basis) ½ P(n | k, η)
    /// of what Alice chose, and of what the modulator made of it. P(n | k, η) is that of the real
    /// intensity of the class and of the source's photon statistics, Poisson(n; μ_k η) for a laser.
    pub(crate) fn emission_law(&self, segment_transmittance: f64) -> EmissionLaw {
        const _: () = assert!(SAMPLED_PHOTONS_MAX < PHOTONS_MAX);
        let mut law = EmissionLaw {
            empty: Vec::with_capacity(self.intensities.len()),
            occupied: Vec::new(),
        };
        let states = self.state_law();
        let intensities = self.real_intensities();
        let classes = intensities.iter().zip(&self.intensity_probabilities);
        for (class, (&intensity, p)) in (0u8..).zip(classes) {
            let photon_law = self.photon_law(intensity, segment_transmittance);
            law.empty.push(p * photon_law[0]);
            for (photons, weight) in (0u8..).zip(photon_law).skip(1) {
                // Rows that nobody would ever see only make the tables fall out of the cache.
                if weight * p < WEIGHT_MIN && photons > 1 {
                    continue;
                }
                for &(chosen, sent, share) in &states {
                    let emission = Emission {
                        label: Label::new(chosen, class),
                        sent,
                        photons,
                    };
                    law.occupied.push((emission, weight * p * share));
                }
            }
        }
        law
    }

    /// What Alice chooses, what is made of it, and how often.
    fn state_law(&self) -> Vec<(State, State, f64)> {
        let mut law = Vec::new();
        for basis in [Basis::Z, Basis::X] {
            let share = match basis {
                Basis::Z => self.key_basis_probability,
                Basis::X => 1.0 - self.key_basis_probability,
            };
            let wrong = self.effects.preparation_error.in_basis(basis);
            for bit in [false, true] {
                let chosen = State::new(basis, bit);
                law.push((chosen, chosen, share * 0.5 * (1.0 - wrong)));
                if wrong > 0.0 {
                    law.push((chosen, State::new(basis, !bit), share * 0.5 * wrong));
                }
            }
        }
        law
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_empty_or_occupied_and_sparse_light_keeps_its_digits() {
        let source = Source {
            clock_hz: 1e9,
            intensities: vec![0.6, 0.15, 0.0],
            intensity_probabilities: vec![0.6, 0.3, 0.1],
            key_basis_probability: 0.8,
            effects: Default::default(),
        };
        let law = source.emission_law(0.5);
        let empty: f64 = law.empty.iter().sum();
        assert!((empty + law.occupied_probability() - 1.0).abs() < 1e-14);
        let sparse = source.emission_law(1e-12).occupied_probability();
        assert!((sparse / (0.6 * 0.6e-12 + 0.3 * 0.15e-12) - 1.0).abs() < 1e-11);
    }
}
