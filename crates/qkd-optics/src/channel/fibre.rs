//! A piece of glass that loses photons.

use qkd_bits::PhysicsRng;

use crate::light::Extras;
use crate::mathematics::exp;
use crate::source::check_probability;
use crate::{Error, PulseTrain};

/// Transmittance η = 10^(−dB/10) of an attenuation in decibel.
pub fn transmittance(attenuation_db: f64) -> f64 {
    exp(-attenuation_db * (std::f64::consts::LN_10 / 10.0))
}

/// A fibre segment: each photon survives on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Fibre {
    transmittance: f64,
}

impl Fibre {
    /// A segment with a `transmittance` in [0, 1].
    ///
    /// # Errors
    /// [`Error::OutOfRange`] outside that range.
    pub fn new(transmittance: f64) -> Result<Self, Error> {
        check_probability("transmittance", transmittance)?;
        Ok(Self { transmittance })
    }

    /// Its transmittance, the same in both directions.
    pub fn transmittance(&self) -> f64 {
        self.transmittance
    }

    /// Carries light through: binomial thinning of every pulse.
    pub fn carry(&mut self, mut train: PulseTrain, physics: &mut PhysicsRng) -> PulseTrain {
        if train.extras != Extras::default() {
            self.weaken(&mut train, physics);
        } else if self.transmittance < 1.0 {
            train.pulses.retain_mut(|pulse| {
                pulse.photons = survivors(pulse.photons, self.transmittance, physics);
                pulse.photons > 0
            });
        }
        train
    }

    /// The same for light of which some is crafted: what is too bright to be counted loses its
    /// share without chance.
    #[cold]
    fn weaken(&self, train: &mut PulseTrain, physics: &mut PhysicsRng) {
        train.extras.illumination_photons *= self.transmittance;
        train.pulses.retain_mut(|pulse| {
            let mut light = pulse.description();
            light.photons = match u8::try_from(light.photons) {
                Ok(photons) => survivors(photons, self.transmittance, physics).into(),
                Err(_) => (light.photons as f64 * self.transmittance).round() as u64,
            };
            *pulse = light.pulse(pulse.offset);
            light.photons > 0
        });
    }
}

/// How many of `photons` survive, each with `probability`.
#[inline]
fn survivors(photons: u8, probability: f64, physics: &mut PhysicsRng) -> u8 {
    let mut left = u8::from(physics.chance(probability));
    for _ in 1..photons {
        left += u8::from(physics.chance(probability));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::light::{Pulse, State};

    #[test]
    fn three_decibel_are_a_factor_of_two_and_no_loss_is_none() {
        assert!((transmittance(10.0 * 2f64.log10()) - 0.5).abs() < 1e-15);
        assert_eq!(transmittance(0.0), 1.0);
        assert!((transmittance(200.0) / 1e-20 - 1.0).abs() < 1e-13);
        assert!(Fibre::new(1.01).is_err() && Fibre::new(f64::NAN).is_err());
    }

    /// Three photons at η = 0.3 leave Binomial(3, 0.3).
    #[test]
    fn photons_are_lost_one_by_one() {
        let pulses = (0..200_000).map(|offset| Pulse {
            offset,
            photons: 3,
            state: State::from_code(1),
            crafted: [0; 2],
        });
        let train = PulseTrain {
            start_slot: 5,
            span: 200_000,
            pulses: pulses.collect(),
            extras: Default::default(),
        };
        let mut physics = PhysicsRng::from_seed(8);
        let out = Fibre::new(0.3)
            .expect("in range")
            .carry(train, &mut physics);
        assert_eq!((out.start_slot(), out.span()), (5, 200_000));
        let mut counts = [200_000u32, 0, 0, 0];
        for pulse in &out.pulses {
            counts[usize::from(pulse.photons)] += 1;
            counts[0] -= 1;
        }
        let chi2: f64 = [0.343, 0.441, 0.189, 0.027]
            .iter()
            .zip(counts)
            .map(|(p, c)| (f64::from(c) - 2e5 * p).powi(2) / (2e5 * p))
            .sum();
        assert!(
            chi2 < 30.7,
            "chi-square {chi2} with 3 degrees exceeds its 1e-6 quantile"
        );
    }
}
