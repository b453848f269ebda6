//! A quantum emitter: one photon, sometimes none, seldom two.

use crate::Error;

/// A single-photon source such as a quantum dot, by what is measured of it.
///
/// P(2) follows from g²(0) = 2 P(2) / (P(1) + 2 P(2))² with P(1) + P(2) the brightness, and there
/// are never three. (For small g² that is P(2) ≈ g² P(1)²/2; Senellart, Solomon, White, Nat.
/// Nanotechnol. 12, 1026 (2017); in key distribution: Waks, Santori, Yamamoto, Phys. Rev. A 66,
/// 042315 (2002).) An intensity below the source's mean photon number is made by attenuation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinglePhoton {
    /// Probability of one or more photons per slot at the source's output.
    pub brightness: f64,
    /// g²(0): how much likelier a second photon is with a first one there, as a share of a laser's.
    pub second_order_coherence: f64,
}

impl SinglePhoton {
    pub(super) fn check(&self, brightest: f64) -> Result<(), Error> {
        if !(self.brightness > 0.0 && self.brightness <= 1.0) {
            return Err(Error::OutOfRange {
                name: "brightness",
                value: self.brightness,
                expected: "above 0 and at most 1",
            });
        }
        // With more, no law on 0, 1 and 2 photons has this brightness.
        let g2 = self.second_order_coherence;
        if !(g2 >= 0.0 && g2 * self.brightness <= 0.5) {
            return Err(Error::OutOfRange {
                name: "second_order_coherence",
                value: g2,
                expected: "0 to 1/(2 × brightness)",
            });
        }
        // Rounding must not refuse an intensity that was computed from `mean_photons`.
        if brightest > self.mean_photons() * (1.0 + 1e-12) {
            return Err(Error::OutOfRange {
                name: "intensities",
                value: brightest,
                expected: "at most the mean photon number of the single-photon source",
            });
        }
        Ok(())
    }

    /// Mean photon number at the source's output, P(1) + 2 P(2): its largest intensity.
    pub fn mean_photons(&self) -> f64 {
        self.brightness + self.pair_probability()
    }

    /// P(0), P(1), P(2) at the source's output.
    pub(super) fn law(&self) -> [f64; 3] {
        let two = self.pair_probability();
        [1.0 - self.brightness, self.brightness - two, two]
    }

    /// The transmittance that leaves `intensity` photons on average.
    pub(super) fn attenuation(&self, intensity: f64) -> f64 {
        (intensity / self.mean_photons()).min(1.0)
    }

    /// The smaller root P(2) of g² (B + P(2))² = 2 P(2), written without cancellation.
    fn pair_probability(&self) -> f64 {
        let product = self.second_order_coherence * self.brightness;
        let root = (1.0 - 2.0 * product).max(0.0).sqrt();
        product * self.brightness / ((1.0 - product) + root)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;
    use crate::{PhotonStatistics, SourceEffects};

    #[test]
    fn two_photons_are_as_rare_as_the_coherence_says_and_three_never_come() {
        for (brightness, g2) in [(0.57, 0.012), (0.2, 0.5), (1.0, 0.0), (0.5, 1.0)] {
            let emitter = SinglePhoton {
                brightness,
                second_order_coherence: g2,
            };
            let mut dot = source();
            dot.intensities = vec![emitter.mean_photons(), 0.3 * emitter.mean_photons()];
            dot.effects = SourceEffects {
                photon_statistics: PhotonStatistics::SinglePhoton(emitter),
                ..SourceEffects::default()
            };
            assert_eq!(dot.check(), Ok(()));
            // Loss changes photon numbers, but not g².
            for (class, transmittance) in [(0, 1.0), (1, 1.0), (0, 0.01)] {
                let intensity = dot.intensities[class];
                let law = dot.photon_law(intensity, transmittance);
                assert_eq!(law.len(), 3);
                let mean = law[1] + 2.0 * law[2];
                assert!((mean - intensity * transmittance).abs() < 1e-15);
                assert!((2.0 * law[2] - g2 * mean * mean).abs() < 1e-15 * g2.max(1e-3));
            }
            let law = dot.photon_law(dot.intensities[0], 1.0);
            assert!((law[1] + law[2] - brightness).abs() < 1e-15);
        }
    }

    #[test]
    fn an_emitter_cannot_be_brighter_than_it_is() {
        let emitter = SinglePhoton {
            brightness: 0.2,
            second_order_coherence: 0.01,
        };
        let mut dot = source();
        dot.effects.photon_statistics = PhotonStatistics::SinglePhoton(emitter);
        assert!(dot.check().is_err(), "0.5 photons from a brightness of 0.2");
        let bunched = SinglePhoton {
            second_order_coherence: 2.6,
            ..emitter
        };
        assert!(bunched.check(0.1).is_err());
    }
}
