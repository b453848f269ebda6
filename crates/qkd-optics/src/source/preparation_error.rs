//! State-preparation error.

use crate::source::check_probability;
use crate::{Basis, Error};

/// How often the modulator makes the orthogonal state of the basis that Alice chose.
///
/// A real modulator over- or under-rotates by an angle δ, so that the state it makes lies between
/// the four ideal ones (Tamaki, Curty, Kato, Lo, Azuma, Phys. Rev. A 90, 052314 (2014)). Light here
/// is one of four symbols; the error is therefore the rotation averaged over its sign: the
/// orthogonal state with probability sin²(δ/2), which gives the same error rate in Alice's own
/// basis. What that leaves out is all that depends on the sign: outcomes in the other basis stay
/// balanced, and Eve's advantage from states that are not two mutually unbiased bases, which is
/// what Tamaki's loss-tolerant theorem is about, does not exist in this emulation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PreparationError {
    /// Probability of the orthogonal state in basis Z.
    pub key_basis: f64,
    /// Probability of the orthogonal state in basis X.
    pub test_basis: f64,
}

impl PreparationError {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_probability("preparation_error.key_basis", self.key_basis)?;
        check_probability("preparation_error.test_basis", self.test_basis)
    }

    /// The probability in `basis`.
    pub fn in_basis(&self, basis: Basis) -> f64 {
        match basis {
            Basis::Z => self.key_basis,
            Basis::X => self.test_basis,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;
    use crate::{Detection, Detectors, PulseTrain, Receiver, Transmitter};
    use qkd_bits::{PhysicsRng, SecretRng};

    fn measured(train: PulseTrain, key_basis_probability: f64) -> Vec<Detection> {
        let detectors = Detectors {
            detector_efficiency: 1.0,
            dark_count_probability: 0.0,
            dead_time_slots: 0,
            afterpulse_probability: 0.0,
            afterpulse_decay_slots: 0.0,
            misalignment_error: 0.0,
            insertion_transmittance: 1.0,
            key_basis_probability,
            effects: Default::default(),
        };
        let secret = SecretRng::from_seed([7; 32]);
        let receiver = Receiver::new(detectors, secret, PhysicsRng::from_seed(7));
        let mut clicks = Vec::new();
        let mut receiver = receiver.expect("valid detectors");
        receiver.detect(train, &mut clicks).expect("in order");
        clicks
    }

    /// A perfect receiver sees the error of each basis and nothing in the other.
    #[test]
    fn the_record_keeps_what_alice_chose_and_bob_gets_what_was_made() {
        let mut sloppy = source();
        sloppy.intensities = vec![0.05];
        sloppy.intensity_probabilities = vec![1.0];
        sloppy.key_basis_probability = 0.5;
        sloppy.effects.preparation_error = PreparationError {
            key_basis: 0.03,
            test_basis: 0.1,
        };
        for (bob_in_z, basis, wrong) in [(1.0, Basis::Z, 0.03), (0.0, Basis::X, 0.1)] {
            let secret = SecretRng::from_seed([5; 32]);
            let mut alice = Transmitter::new(sloppy.clone(), 1.0, secret).expect("valid source");
            let clicks = measured(alice.transmit(2_000_000), bob_in_z);
            let (mut matched, mut errors) = (0u32, 0u32);
            for click in clicks {
                let choice = alice.choice_at(click.slot).expect("known");
                if choice.basis == basis {
                    matched += 1;
                    errors += u32::from(choice.bit != click.bit);
                }
            }
            let n = f64::from(matched);
            // Two photons of a wrong state click together: no double clicks to settle.
            let off = (f64::from(errors) - n * wrong) / (n * wrong * (1.0 - wrong)).sqrt();
            assert!(
                n > 40_000.0 && off.abs() < 4.9,
                "{basis:?}: {off:.2} sigma of {n}"
            );
        }
    }
}
