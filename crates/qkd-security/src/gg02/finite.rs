use super::{Gg02, Gg02Rate, Quadratures};
use crate::mathematics::log2;
use crate::range;
use crate::{Error, Figure};

/// More symbols than a gigahertz sends in eleven days.
const SYMBOLS_MAX: f64 = 1e15;

/// How a block of symbols is divided and how sure its bounds are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FiniteSize {
    /// N: symbols exchanged.
    pub symbols: f64,
    /// m: symbols disclosed to estimate the line, above 0 and below `symbols`.
    pub estimation_symbols: f64,
    /// z: how many standard deviations the estimates are moved, above 0. For a failure of the
    /// estimate of 1e-10 it is 6.467, in the literature 6.5.
    pub estimation_deviations: f64,
    /// ε̄: failure probability of smoothing, (0, 1).
    pub smoothing_failure: f64,
    /// ε_PA: failure probability of privacy amplification, (0, 1).
    pub amplification_failure: f64,
}

/// What a block of finite length gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FiniteRate {
    /// T_min: lower bound of the transmittance of the line; 0 when the estimate is too coarse for
    /// one, and then ξ_max and χ_BE are infinite and the rate is −∞.
    pub transmittance_min: f64,
    /// ξ_max: upper bound of the excess noise, SNU at the entrance of the line.
    pub excess_noise_max_snu: f64,
    /// Δ(n), bits per key symbol.
    pub penalty_bits: f64,
    /// The asymptotic figures of the line itself; its I_AB counts, its χ_BE does not.
    pub expected: Gg02Rate,
    /// χ_BE at T_min and ξ_max, bits per key symbol.
    pub holevo_max_bits: f64,
    /// (n/N)(β I_AB − χ_BE − Δ), bits per exchanged symbol; negative means no key.
    pub secret_bits_per_symbol: f64,
}

impl FiniteRate {
    /// Every figure of the block with its meaning and unit; those of the line itself are
    /// [`Gg02Rate::figures`] of `expected`.
    pub fn figures(&self) -> Vec<Figure> {
        let bits =
            |name, value, meaning| Figure::plain(name, value, meaning).measured_in("bits/symbol");
        vec![
            Figure::plain(
                "transmittance_min",
                self.transmittance_min,
                "transmittance that the estimate allows, at least (T_min)",
            ),
            Figure::plain(
                "excess_noise_max_snu",
                self.excess_noise_max_snu,
                "excess noise that the estimate allows, at most (ξ_max)",
            )
            .measured_in("SNU"),
            bits(
                "holevo_max_bits",
                self.holevo_max_bits,
                "what Eve knows then, at most (χ_BE)",
            ),
            bits(
                "penalty_bits",
                self.penalty_bits,
                "price of the finite number of symbols (Δ)",
            ),
            bits(
                "finite_secret_bits_per_symbol",
                self.secret_bits_per_symbol,
                "(n/N)(β I_AB − χ_BE − Δ); below zero no key",
            ),
        ]
    }
}

impl FiniteSize {
    /// The same when every figure lies in its range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure that does not, and the range.
    pub fn checked(self) -> Result<Self, Error> {
        let holds = self.symbols > 0.0 && self.symbols <= SYMBOLS_MAX;
        let expected = "a number of symbols above 0 and at most 1e15";
        range::require("symbols", self.symbols, holds, expected)?;
        let m = self.estimation_symbols;
        let holds = m > 0.0 && m < self.symbols;
        let expected = "a number of symbols above 0 and below `symbols`";
        range::require("estimation_symbols", m, holds, expected)?;
        let z = self.estimation_deviations;
        range::positive("estimation_deviations", z, "standard deviations above 0")?;
        let expected = "a probability strictly between 0 and 1";
        for (what, value) in [
            ("smoothing_failure", self.smoothing_failure),
            ("amplification_failure", self.amplification_failure),
        ] {
            range::require(what, value, value > 0.0 && value < 1.0, expected)?;
        }
        Ok(self)
    }

    /// Δ(n) = (2 dim H_X + 3) √(log₂(2/ε̄)/n) + (2/n) log₂(1/ε_PA) for n key symbols.
    ///
    /// dim H_X = 2, one bit per symbol, for homodyne detection as in the paper; 4, a bit for each
    /// quadrature, for heterodyne detection, where others keep 2 and so claim too much.
    fn penalty_bits(&self, quadratures: Quadratures) -> f64 {
        let key_symbols = self.symbols - self.estimation_symbols;
        let smoothing_factor = match quadratures {
            Quadratures::One => 7.0,
            Quadratures::Both => 11.0,
        };
        smoothing_factor * (log2(2.0 / self.smoothing_failure) / key_symbols).sqrt()
            - 2.0 / key_symbols * log2(self.amplification_failure)
    }
}

impl Gg02 {
    /// Rate of a block in which the estimates come out as `self` says.
    ///
    /// Leverrier, Grosshans and Grangier, PRA 81, 062343 (2010): the rate k = (n/N)(β I_AB − χ_BE −
    /// Δ(n)) and the bounds t_min and σ²_max of the line's estimates, with the trusted detector put
    /// into the line's model: y = √(ηT) x + noise of variance 1 + v_el + ηTξ. Eve's part is taken
    /// at the pessimistic end of both estimates. I_AB stays at the estimate itself: what
    /// reconciliation extracts is seen, not inferred. Heterodyne detection halves ηT and gives two
    /// samples per symbol.
    ///
    /// Collective attacks. Failures: ε̄ + ε_PA + that of the estimate + that of error correction.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range.
    pub fn finite_rate(&self, size: &FiniteSize) -> Result<FiniteRate, Error> {
        let expected = self.rate()?;
        let size = size.checked()?;
        // Samples per symbol, each with that part of the light.
        let samples_per_symbol = match self.quadratures {
            Quadratures::One => 1.0,
            Quadratures::Both => 2.0,
        };
        let efficiency = self.detector_efficiency / samples_per_symbol;
        let gain = efficiency * self.transmittance_channel;
        let electronic = self.electronic_noise_snu;
        let noise = 1.0 + electronic + gain * self.excess_noise_snu;
        let m = size.estimation_symbols * samples_per_symbol;
        let z = size.estimation_deviations;
        let amplitude_min = gain.sqrt() - z * (noise / (m * self.modulation_variance_snu)).sqrt();
        let transmittance_min = amplitude_min.max(0.0).powi(2) / efficiency;
        let rise = z * std::f64::consts::SQRT_2 / m.sqrt();
        let excess_at_output = gain * self.excess_noise_snu + noise * rise;
        let excess_noise_max_snu = excess_at_output / (efficiency * transmittance_min);
        let worst = Gg02 {
            transmittance_channel: transmittance_min,
            excess_noise_snu: excess_noise_max_snu,
            ..*self
        };
        let holevo_max_bits = if transmittance_min > 0.0 {
            let worst = worst.evaluate();
            // A line of which arithmetic keeps no digits bounds nothing.
            worst.map_or(f64::INFINITY, |rate| rate.holevo_bits)
        } else {
            f64::INFINITY
        };
        let penalty_bits = size.penalty_bits(self.quadratures);
        let per_key_symbol = self.reconciliation_efficiency * expected.mutual_information_bits
            - holevo_max_bits
            - penalty_bits;
        Ok(FiniteRate {
            transmittance_min,
            excess_noise_max_snu,
            penalty_bits,
            expected,
            holevo_max_bits,
            secret_bits_per_symbol: (1.0 - size.estimation_symbols / size.symbols) * per_key_symbol,
        })
    }
}
