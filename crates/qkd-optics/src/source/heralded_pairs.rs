//! Photon pairs, one half of which announces the other.

use super::check_probability;
use super::photon_statistics::SAMPLED_PHOTONS_MAX;
use crate::Error;

/// A heralded source: parametric down-conversion makes pairs, a detector of Alice's watches one arm
/// and a shutter closes the other unless it clicked.
///
/// The number of pairs per pump pulse is that of `modes` equally squeezed modes: 1 is a thermal
/// law, 2 is P(n) = (n+1) λⁿ/(1+λ)ⁿ⁺² with λ = μ/2, the law of a polarisation pair source
/// (X. Ma, C.-H. F. Fung, H.-K. Lo, Phys. Rev. A 76, 012307 (2007)), and many are a
/// Poisson law. A heralding detector that cannot count clicks with 1 − (1−p_d)(1−η_h)ⁿ, and what
/// leaves the laboratory is P(n and herald): the vacuum of heralded light is suppressed (Adachi,
/// Yamamoto, Koashi, Imoto, Phys. Rev. Lett. 99, 180503 (2007)). The intensity of a class is the
/// mean number of *pairs*, set by the pump. The record does not say which slots were heralded: as
/// with a laser, a closed shutter and a pulse that happened to be empty look the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeraldedPairs {
    /// Number of modes, 1 or more.
    pub modes: u32,
    /// Probability that a photon in the heralding arm makes its detector click, coupling included.
    pub herald_efficiency: f64,
    /// Probability per slot that the heralding detector clicks without light.
    pub herald_dark_count_probability: f64,
}

/// Most pairs per slot on average: a thermal law of mean 1 has 10⁻³⁶ beyond what is sampled.
const PAIRS_MAX: f64 = 1.0;
/// With so many modes the law is Poisson to a part in a million.
const MODES_MAX: u32 = 1_000_000;

impl HeraldedPairs {
    pub(super) fn check(&self, brightest: f64) -> Result<(), Error> {
        check_probability("herald_efficiency", self.herald_efficiency)?;
        let dark = self.herald_dark_count_probability;
        check_probability("herald_dark_count_probability", dark)?;
        if !(1..=MODES_MAX).contains(&self.modes) {
            return Err(Error::OutOfRange {
                name: "modes",
                value: f64::from(self.modes),
                expected: "1 to 1000000",
            });
        }
        if brightest > PAIRS_MAX {
            return Err(Error::OutOfRange {
                name: "intensities",
                value: brightest,
                expected: "at most 1 pair on average",
            });
        }
        Ok(())
    }

    /// P(n) of the open arm, before any loss, at a mean of `pairs` pairs per pump pulse.
    pub(super) fn law(&self, pairs: f64) -> Vec<f64> {
        let mut silent = 1.0 - self.herald_dark_count_probability;
        let mut law = Vec::with_capacity(usize::from(SAMPLED_PHOTONS_MAX) + 1);
        for made in self.pair_law(pairs) {
            law.push(made * (1.0 - silent));
            silent *= 1.0 - self.herald_efficiency;
        }
        // A closed shutter is vacuum; what the tail has left over is below rounding.
        let light: f64 = law[1..].iter().sum();
        law[0] = 1.0 - light;
        law
    }

    /// P(n pairs): negative binomial, C(n+M−1, n) xⁿ (1−x)ᴹ with x = (μ/M)/(1 + μ/M).
    fn pair_law(&self, pairs: f64) -> Vec<f64> {
        let modes = f64::from(self.modes);
        let per_mode = pairs / modes;
        let x = per_mode / (1.0 + per_mode);
        let mut p = crate::mathematics::exp(modes * crate::mathematics::ln_1p(-x));
        (0..=SAMPLED_PHOTONS_MAX)
            .map(|n| {
                let now = p;
                p *= x * (f64::from(n) + modes) / (f64::from(n) + 1.0);
                now
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;
    use crate::{PhotonStatistics, SourceEffects};

    fn pairs(modes: u32) -> HeraldedPairs {
        HeraldedPairs {
            modes,
            herald_efficiency: 0.6,
            herald_dark_count_probability: 1e-5,
        }
    }

    /// One mode is thermal, two are the law of Ma, Fung and Lo, a million are Poisson.
    #[test]
    fn pairs_follow_the_law_of_their_number_of_modes() {
        let mu: f64 = 0.3;
        let (thermal, two) = (pairs(1).pair_law(mu), pairs(2).pair_law(mu));
        let poisson = crate::sampling::poisson(mu, SAMPLED_PHOTONS_MAX);
        let many = pairs(MODES_MAX).pair_law(mu);
        let lambda = mu / 2.0;
        for n in 0..12 {
            let power = n as i32;
            let expected = mu.powi(power) / (1.0 + mu).powi(power + 1);
            assert!(
                (thermal[n] / expected - 1.0).abs() < 1e-13,
                "thermal P({n})"
            );
            let expected = (n as f64 + 1.0) * lambda.powi(power) / (1.0 + lambda).powi(power + 2);
            assert!((two[n] / expected - 1.0).abs() < 1e-13, "two modes P({n})");
            assert!((many[n] / poisson[n] - 1.0).abs() < 1e-3, "Poisson P({n})");
        }
        for modes in [1, 2, 7] {
            let law = pairs(modes).pair_law(PAIRS_MAX);
            let mean: f64 = law.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
            assert!((mean - PAIRS_MAX).abs() < 1e-12, "{modes} modes: {mean}");
        }
    }

    /// A thermal law heralds with ημ/(1+ημ) but for dark counts, and heralded light is less than
    /// vacuum by far less than unheralded light.
    #[test]
    fn heralding_leaves_little_vacuum_in_what_is_heralded() {
        let mu = 0.1;
        let mut spdc = source();
        spdc.effects = SourceEffects {
            photon_statistics: PhotonStatistics::HeraldedPairs(pairs(1)),
            ..SourceEffects::default()
        };
        let law = spdc.photon_law(mu, 1.0);
        let light: f64 = law[1..].iter().sum();
        let dark = 1e-5;
        let herald = 1.0 - (1.0 - dark) / (1.0 + 0.6 * mu);
        let empty_heralds = dark / (1.0 + mu);
        assert!((light - (herald - empty_heralds)).abs() < 1e-15, "{light}");
        let vacuum_share = empty_heralds / herald;
        assert!(
            vacuum_share < 2e-4,
            "{vacuum_share} against {}",
            1.0 / (1.0 + mu)
        );
        // Half the loss of the open arm halves the mean, whatever the statistics.
        let mean = |law: &[f64]| -> f64 { law.iter().enumerate().map(|(n, p)| n as f64 * p).sum() };
        let lost = spdc.photon_law(mu, 0.5);
        assert!((mean(&lost) / mean(&law) - 0.5).abs() < 1e-13);
    }

    #[test]
    fn a_source_without_a_heralding_detector_is_dark() {
        let deaf = HeraldedPairs {
            herald_efficiency: 0.0,
            herald_dark_count_probability: 0.0,
            ..pairs(1)
        };
        assert_eq!(deaf.law(0.5)[0], 1.0);
        assert!(deaf.check(1.1).is_err() && pairs(0).check(0.1).is_err());
    }
}
