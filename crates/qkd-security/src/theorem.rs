use crate::{
    DecoySource, Error, Figure, Leakage, SecurityParameters, SideChannelCharge, Statistics,
    binary_entropy, wiesemann2024,
};
use std::fmt;
use std::str::FromStr;

/// The key-length theorems that can be chosen by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theorem {
    /// One decoy, finite key, corrected: [`wiesemann2024`].
    #[default]
    Wiesemann2024,
}

impl Theorem {
    /// Every theorem there is.
    pub const ALL: [Theorem; 1] = [Theorem::Wiesemann2024];

    /// The name in configurations and reports.
    pub fn name(self) -> &'static str {
        match self {
            Theorem::Wiesemann2024 => "wiesemann2024",
        }
    }

    /// How many secret bits a block with these statistics holds, with every intermediate figure.
    ///
    /// `statistics` may be observed counts or expectation values.
    pub fn secret_length(
        self,
        statistics: impl Into<Statistics<f64>>,
        source: &DecoySource,
        leakage: &Leakage,
        parameters: &SecurityParameters,
    ) -> KeyLength {
        match self {
            Theorem::Wiesemann2024 => {
                wiesemann2024::secret_length(statistics, source, leakage, parameters)
            }
        }
    }
}

impl fmt::Display for Theorem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Theorem {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Theorem::ALL
            .into_iter()
            .find(|theorem| theorem.name() == name)
            .ok_or_else(|| Error::UnknownTheorem {
                name: name.to_owned(),
                known: Theorem::ALL.map(Theorem::name).join(", "),
            })
    }
}

/// A key length and the figures it was made from; all are bounds, none an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyLength {
    /// s⁺_Z0: at most so many key-basis detections came from vacuum.
    pub vacuum_key_max: f64,
    /// s⁺_X0: at most so many test-basis detections came from vacuum.
    pub vacuum_test_max: f64,
    /// s⁻_Z1: at least so many key-basis detections came from single photons.
    pub single_photon_key_min: f64,
    /// s⁻_X1: at least so many test-basis detections came from single photons.
    pub single_photon_test_min: f64,
    /// v⁺_X1: at most so many errors among the single photons of the test basis.
    pub single_photon_test_errors_max: f64,
    /// φ: at most this rate of phase errors in the single photons of the key, clamped to ½; e′ where
    /// light may come back out of Alice's laboratory.
    pub phase_error_rate: f64,
    /// λ: bits subtracted for what was said in public, verification included.
    pub charged_leakage_bits: f64,
    /// Bits subtracted for the finite failure probability.
    pub security_overhead_bits: f64,
    /// What was paid for side channels; `None` where none are stated.
    pub side_channels: Option<SideChannelCharge>,
    /// ℓ before it is clamped at zero and rounded down: negative means no key.
    pub length_unclamped: f64,
}

impl KeyLength {
    /// Bits that the stated side channels take away: s⁻_Z1 (h(φ) − h(e)) and what flashes may have
    /// told; 0 where none are stated.
    pub fn side_channel_bits(&self) -> f64 {
        self.side_channels.map_or(0.0, |charge| {
            let without = binary_entropy(charge.phase_error_rate_without);
            let light = binary_entropy(self.phase_error_rate) - without;
            self.single_photon_key_min * light + charge.back_flash_bits
        })
    }

    /// ℓ in whole bits, 0 when there is no key.
    pub fn secret_length_bits(&self) -> u64 {
        whole_bits(self.length_unclamped)
    }

    /// Every figure with its meaning and unit, in the order in which the length is made of them.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![
            Figure::detections("vacuum_key_max", self.vacuum_key_max, VACUUM_KEY_MAX),
            Figure::detections("vacuum_test_max", self.vacuum_test_max, VACUUM_TEST_MAX),
            Figure::detections(
                "single_photon_key_min",
                self.single_photon_key_min,
                SINGLE_PHOTON_KEY_MIN,
            ),
            Figure::detections(
                "single_photon_test_min",
                self.single_photon_test_min,
                SINGLE_PHOTON_TEST_MIN,
            ),
            Figure::detections(
                "single_photon_test_errors_max",
                self.single_photon_test_errors_max,
                SINGLE_PHOTON_TEST_ERRORS_MAX,
            ),
            Figure::plain("phase_error_rate", self.phase_error_rate, PHASE_ERROR_RATE),
            Figure::bits(
                "charged_leakage_bits",
                self.charged_leakage_bits,
                "disclosed, verification included (λ)",
            ),
            Figure::bits(
                "security_overhead_bits",
                self.security_overhead_bits,
                SECRECY_OVERHEAD,
            ),
        ];
        figures.extend(self.side_channels.iter().flat_map(charged));
        figures.push(Figure::bits(
            "length_unclamped_bits",
            self.length_unclamped,
            LENGTH_UNCLAMPED,
        ));
        figures
    }
}

/// What side channels cost, with the sources of the formulas.
fn charged(charge: &SideChannelCharge) -> [Figure; 3] {
    [
        Figure::plain(
            "phase_error_rate_without_light",
            charge.phase_error_rate_without,
            "the same if no light came back out of Alice's laboratory (e); φ is e′ of Lucamarini et al., \
             PRX 5, 031030",
        ),
        Figure::plain(
            "basis_imbalance",
            charge.imbalance,
            "share of the single photons whose basis that light shows, at most (Δ′)",
        ),
        Figure::bits(
            "back_flash_bits",
            charge.back_flash_bits,
            "that light of Bob's clicks may have told, at most (Hoeffding)",
        ),
    ]
}

/// What bounds of the decoy method say, in the words of every account.
pub(crate) const VACUUM_KEY_MIN: &str = "key basis, vacuum, at least (s⁻_Z0)";
pub(crate) const VACUUM_KEY_MAX: &str = "key basis, vacuum, at most (s⁺_Z0)";
pub(crate) const VACUUM_TEST_MIN: &str = "test basis, vacuum, at least (s⁻_X0)";
pub(crate) const VACUUM_TEST_MAX: &str = "test basis, vacuum, at most (s⁺_X0)";
pub(crate) const SINGLE_PHOTON_KEY_MIN: &str = "key basis, one photon, at least (s⁻_Z1)";
pub(crate) const SINGLE_PHOTON_TEST_MIN: &str = "test basis, one photon, at least (s⁻_X1)";
pub(crate) const SINGLE_PHOTON_TEST_ERRORS_MAX: &str = "wrong bits among them, at most (v⁺_X1)";
pub(crate) const PHASE_ERROR_RATE: &str = "phase error rate of the key, at most (φ)";
pub(crate) const LEAKED_BITS: &str = "disclosed by error correction (λ_EC)";
pub(crate) const SECRECY_OVERHEAD: &str = "price of the failure probability ε_sec";
pub(crate) const CORRECTNESS_OVERHEAD: &str = "price of comparing the keys, log₂(2/ε_cor)";
pub(crate) const LENGTH_UNCLAMPED: &str = "ℓ before cutting at zero and rounding";

/// A length as a formula gives it, clamped at zero and rounded down.
pub(crate) fn whole_bits(length_unclamped: f64) -> u64 {
    // A float-to-integer cast saturates: negative lengths and NaN give 0.
    length_unclamped.floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theorem_is_found_by_its_name() {
        for theorem in Theorem::ALL {
            assert_eq!(theorem.name().parse::<Theorem>(), Ok(theorem));
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "rusca2018".parse::<Theorem>().unwrap_err().to_string();
        assert!(
            error.contains("rusca2018") && error.contains("wiesemann2024"),
            "{error}"
        );
    }
}
