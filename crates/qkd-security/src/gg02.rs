//! GG02: coherent states with Gaussian modulation, measured by homodyne or heterodyne detection,
//! reverse reconciliation. Grosshans and Grangier, PRL 88, 057902 (2002); Grosshans, Van Assche,
//! Wenger, Brouri, Cerf and Grangier, Nature 421, 238 (2003).
//!
//! Collective attacks, bounded by Holevo's quantity of a Gaussian state with the covariances seen
//! (García-Patrón and Cerf, PRL 97, 190503 (2006); Navascués, Grosshans and Acín, PRL 97, 190502
//! (2006)). Trusted detector: its loss and electronic noise are calibrated and not Eve's. A
//! discrete modulation and a local oscillator that Eve can reach are outside these formulas.
//!
//! Noise is in shot-noise units (SNU, the variance of the vacuum is 1), excess noise at the
//! entrance of the line. [`Gg02::rate`] is asymptotic, [`Gg02::finite_rate`] for finite blocks.

mod finite;

use crate::mathematics::{ln_1p, log2};
use crate::range;
use crate::{Error, Figure, Standing};
pub use finite::{FiniteRate, FiniteSize};
use std::f64::consts::LN_2;

/// What [`Gg02::rate`] is worth.
pub const STANDING: Standing = Standing::Asymptotic;

/// What [`Gg02::finite_rate`] is worth.
pub const FINITE_STANDING: Standing = Standing::FiniteCollective;

/// Most that noises and modulation may be, SNU; what they do to χ_BE beyond it is below what doubles
/// can tell.
const SNU_MAX: f64 = 1e6;

/// A line of 120 dB.
const TRANSMITTANCE_MIN: f64 = 1e-12;

const EFFICIENCY_MIN: f64 = 1e-6;

/// What rounding may take from a χ_BE of 0, bits: eigenvalues next to 1 are known to 1e-8, their
/// entropies to some 2e-7.
const ROUNDING_BITS: f64 = 1e-6;

/// What Bob measures of each symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quadratures {
    /// One quadrature, chosen at random: homodyne detection.
    One,
    /// Both at once, each with half of the light: heterodyne detection.
    Both,
}

/// Modulation, line and detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gg02 {
    /// Homodyne or heterodyne.
    pub quadratures: Quadratures,
    /// V_A: variance of each quadrature that Alice modulates, SNU, above 0 and at most 1e6.
    pub modulation_variance_snu: f64,
    /// T: transmittance of the line alone, \[1e-12, 1\].
    pub transmittance_channel: f64,
    /// ξ: excess noise at the entrance of the line, SNU, 0 to 1e6.
    pub excess_noise_snu: f64,
    /// η: efficiency of Bob's detection, \[1e-6, 1\].
    pub detector_efficiency: f64,
    /// v_el: electronic noise, SNU at the detector's output, 0 to 1e6.
    pub electronic_noise_snu: f64,
    /// β: share of the mutual information that reconciliation extracts, (0, 1].
    pub reconciliation_efficiency: f64,
}

/// What [`Gg02`] gives; all but the noises in bits per symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gg02Rate {
    /// χ_line = 1/T − 1 + ξ, SNU at the entrance.
    pub line_noise_snu: f64,
    /// χ_det: the detector's noise, SNU at its own entrance.
    pub detection_noise_snu: f64,
    /// χ_tot = χ_line + χ_det/T, SNU at the entrance of the line.
    pub total_noise_snu: f64,
    /// λ₁ to λ₄: symplectic eigenvalues, of Eve's state and of it given Bob's outcome.
    pub symplectic_eigenvalues: [f64; 4],
    /// I_AB.
    pub mutual_information_bits: f64,
    /// χ_BE: at most so much Eve knows of Bob's outcome.
    pub holevo_bits: f64,
    /// β I_AB − χ_BE; negative means no key.
    pub secret_bits_per_symbol: f64,
}

impl Gg02Rate {
    /// Every figure with its meaning and unit, in the order in which the rate is made of them.
    pub fn figures(&self) -> Vec<Figure> {
        let snu = |name, value, meaning| Figure::plain(name, value, meaning).measured_in("SNU");
        let bits =
            |name, value, meaning| Figure::plain(name, value, meaning).measured_in("bits/symbol");
        let [first, second, third, fourth] = self.symplectic_eigenvalues;
        let (of_eve, given_bob) = ("of Eve's state", "of Eve's state once Bob has measured");
        vec![
            snu(
                "line_noise_snu",
                self.line_noise_snu,
                "noise of the line at its entrance (χ_line)",
            ),
            snu(
                "detection_noise_snu",
                self.detection_noise_snu,
                "noise of the detection at its own entrance (χ_det)",
            ),
            snu(
                "total_noise_snu",
                self.total_noise_snu,
                "both at the entrance of the line (χ_tot)",
            ),
            Figure::plain("symplectic_eigenvalue_1", first, of_eve),
            Figure::plain("symplectic_eigenvalue_2", second, of_eve),
            Figure::plain("symplectic_eigenvalue_3", third, given_bob),
            Figure::plain("symplectic_eigenvalue_4", fourth, given_bob),
            bits(
                "mutual_information_bits",
                self.mutual_information_bits,
                "between Alice and Bob (I_AB)",
            ),
            bits(
                "holevo_bits",
                self.holevo_bits,
                "what Eve knows of Bob's outcome, at most (χ_BE)",
            ),
            bits(
                "secret_bits_per_symbol",
                self.secret_bits_per_symbol,
                "β I_AB − χ_BE; below zero no key",
            ),
        ]
    }
}

impl Gg02 {
    /// The same when every figure lies in its range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure that does not, and the range.
    pub fn checked(self) -> Result<Self, Error> {
        let variance = self.modulation_variance_snu;
        let holds = variance > 0.0 && variance <= SNU_MAX;
        let snu = "shot-noise units above 0 and at most 1e6";
        range::require("modulation_variance_snu", variance, holds, snu)?;
        let (line, detector) = (self.transmittance_channel, self.detector_efficiency);
        let holds = (TRANSMITTANCE_MIN..=1.0).contains(&line);
        let expected = "a transmittance from 1e-12 to 1 (no unit)";
        range::require("transmittance_channel", line, holds, expected)?;
        let holds = (EFFICIENCY_MIN..=1.0).contains(&detector);
        let expected = "an efficiency from 1e-6 to 1 (no unit)";
        range::require("detector_efficiency", detector, holds, expected)?;
        let share = self.reconciliation_efficiency;
        let expected = "a number above 0 and at most 1 (no unit)";
        let holds = share > 0.0 && share <= 1.0;
        range::require("reconciliation_efficiency", share, holds, expected)?;
        for (what, value) in [
            ("excess_noise_snu", self.excess_noise_snu),
            ("electronic_noise_snu", self.electronic_noise_snu),
        ] {
            let holds = (0.0..=SNU_MAX).contains(&value);
            range::require(what, value, holds, "shot-noise units from 0 to 1e6")?;
        }
        Ok(self)
    }

    /// Asymptotic rate β I_AB − χ_BE.
    ///
    /// Lodewyck et al., PRA 76, 042305 (2007), section II, for homodyne detection; for heterodyne
    /// detection Fossier, Diamanti, Debuisschert, Tualle-Brouri and Grangier, J. Phys. B
    /// 42, 114014 (2009).
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range, and χ_BE where rounding has
    /// left nothing of it.
    pub fn rate(&self) -> Result<Gg02Rate, Error> {
        self.checked()?.evaluate()
    }

    fn evaluate(&self) -> Result<Gg02Rate, Error> {
        let (variance, loss) = (
            1.0 + self.modulation_variance_snu,
            self.transmittance_channel,
        );
        let (efficiency, electronic) = (self.detector_efficiency, self.electronic_noise_snu);
        let line = 1.0 / loss - 1.0 + self.excess_noise_snu;
        let detection = match self.quadratures {
            Quadratures::One => (1.0 - efficiency + electronic) / efficiency,
            Quadratures::Both => (2.0 - efficiency + 2.0 * electronic) / efficiency,
        };
        let total = line + detection / loss;
        // One half of log₂(1 + signal/noise) for each quadrature.
        let per_quadrature = ln_1p(self.modulation_variance_snu / (1.0 + total)) / (2.0 * LN_2);
        let mutual_information_bits = match self.quadratures {
            Quadratures::One => per_quadrature,
            Quadratures::Both => 2.0 * per_quadrature,
        };
        let symplectic_eigenvalues = self.symplectic_eigenvalues(&Noises {
            variance,
            line,
            detection,
            total,
        });
        let [first, second, third, fourth] = symplectic_eigenvalues.map(thermal_entropy);
        let holevo_bits = first + second - third - fourth;
        let holds = holevo_bits.is_finite() && holevo_bits >= -ROUNDING_BITS;
        let expected = "zero or more bits: the figures of the line leave arithmetic no digits";
        range::require("holevo_bits", holevo_bits, holds, expected)?;
        let holevo_bits = holevo_bits.max(0.0);
        Ok(Gg02Rate {
            line_noise_snu: line,
            detection_noise_snu: detection,
            total_noise_snu: total,
            symplectic_eigenvalues,
            mutual_information_bits,
            holevo_bits,
            secret_bits_per_symbol: self.reconciliation_efficiency * mutual_information_bits
                - holevo_bits,
        })
    }

    fn symplectic_eigenvalues(&self, noises: &Noises) -> [f64; 4] {
        let Noises {
            variance: v,
            line,
            detection,
            total,
        } = *noises;
        let loss = self.transmittance_channel;
        // V − T(V + χ_line), and λ₁ − λ₂: that λ₁² + λ₂² is the square of it and twice the product
        // of both holds because the state before the line is pure. The sum as it is printed, V²(1 −
        // 2T) + 2T + T²(V + χ_line)², would lose the digits of a line with little loss.
        let difference = ((1.0 - loss) * (v - 1.0) - loss * self.excess_noise_snu).abs();
        let root = v * (1.0 - loss + loss * self.excess_noise_snu) + loss;
        let sum = difference * difference + 2.0 * root;
        let first = (difference + (difference * difference + 4.0 * root).sqrt()) / 2.0;
        let second = root / first;
        let output = loss * (v + total);
        let (sum_after, root_after) = match self.quadratures {
            Quadratures::One => (
                (v * root + loss * (v + line) + sum * detection) / output,
                (root * (v + root * detection) / output).sqrt(),
            ),
            Quadratures::Both => (
                (sum * detection * detection
                    + root * root
                    + 1.0
                    + 2.0 * detection * (v * root + loss * (v + line))
                    + 2.0 * loss * (v * v - 1.0))
                    / (output * output),
                (v + root * detection) / output,
            ),
        };
        let [third, fourth] = eigenvalues(sum_after, root_after);
        [first, second, third, fourth]
    }
}

/// Variance of what Alice sends and the noises of line, detector and both, SNU.
struct Noises {
    variance: f64,
    line: f64,
    detection: f64,
    total: f64,
}

/// λ with λ₁² + λ₂² = `sum` and λ₁ λ₂ = `root`. The smaller from the product: as a difference of
/// squares it would lose the digits that its distance from 1 needs.
fn eigenvalues(sum: f64, root: f64) -> [f64; 2] {
    let discriminant = (sum * sum - 4.0 * root * root).max(0.0).sqrt();
    let larger = ((sum + discriminant) / 2.0).sqrt();
    [larger, root / larger]
}

/// G((λ−1)/2), G(x) = (x+1) log₂(x+1) − x log₂ x: entropy of a thermal state, bits.
///
/// Zero at λ = 1 and below it, where rounding may put a pure state.
fn thermal_entropy(eigenvalue: f64) -> f64 {
    let photons = (eigenvalue - 1.0) / 2.0;
    if photons > 1.0 {
        // The same with no difference of large terms.
        (ln_1p(photons) + photons * ln_1p(1.0 / photons)) / LN_2
    } else if photons > 0.0 {
        (photons + 1.0) * ln_1p(photons) / LN_2 - photons * log2(photons)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
