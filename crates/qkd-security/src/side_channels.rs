//! What leaves the two laboratories by ways that it should not, and what a block pays for it.
//!
//! Nothing of it can be counted on the link. The operator states how much there may be; a theorem
//! takes the statement as it takes the intensities, and shortens the key.

use crate::back_flash::LeavingFlashes;
use crate::bisection::last_holding;
use crate::concentration::{FailureProbability, chernoff_count_max};
use crate::mathematics::ln;
use crate::trojan_horse;
use crate::{DecoySource, Error, range};

/// What may leave the laboratories, as the operator states it of the hardware: assumptions, which
/// nothing here can check. None by default.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SideChannels {
    /// μ_out: mean photon number per slot of the light that may come back out of Alice's laboratory
    /// and carry the setting of her phase modulator (basis and bit), 0 to 1.
    pub reflected_photons: f64,
    /// Probability that a click of Bob's detectors lets a photon out into the fibre, 0 to below 1:
    /// that of a flash times the transmittance of his entrance backwards.
    pub back_flash_probability: f64,
}

impl SideChannels {
    /// Laboratories that leak nothing.
    pub const NONE: SideChannels = SideChannels {
        reflected_photons: 0.0,
        back_flash_probability: 0.0,
    };

    /// The same when both figures lie in their ranges.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the one that does not.
    pub fn checked(self) -> Result<Self, Error> {
        let photons = self.reflected_photons;
        let holds = (0.0..=1.0).contains(&photons);
        let expected = "a mean photon number per slot from 0 to 1";
        range::require("reflected_photons", photons, holds, expected)?;
        range::below_one("back_flash_probability", self.back_flash_probability)?;
        Ok(self)
    }

    /// Whether a proof that knows of neither holds.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Bits that flashes may have told of `key_bits` sifted bits, but for the probability `failure`.
    pub(crate) fn back_flash_bits(self, key_bits: f64, failure: FailureProbability) -> f64 {
        let probability = self.back_flash_probability;
        if probability == 0.0 {
            return 0.0;
        }
        let key_bits = key_bits.ceil() as u64;
        let charged = LeavingFlashes { probability }.charged_bits(key_bits, failure.0);
        // What cannot be reckoned is told in full.
        charged.unwrap_or(key_bits) as f64
    }
}

/// How long a block lets light come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exposure {
    /// Slots after which a block is closed, fixed before its first: Eve may have stopped light in
    /// as many as that.
    pub slots_max: f64,
    /// Probability of Z, at Alice and at Bob alike.
    pub key_basis_probability: f64,
}

/// Detections of single photons in one block, at least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SinglePhotons {
    pub key: f64,
    pub test: f64,
}

/// Δ′ of a block: at most so large a share of the detected single photons shows its basis to who
/// has the returned light, ½ at most; 0 where none returns.
///
/// Lucamarini et al., Phys. Rev. X 5, 031030 (2015), divide Δ by the smaller of the yields that
/// single photons have in the two bases: Eve lets those pass that told her. Here, for each basis, the
/// number of slots that have one photon, that basis at both ends, and a quantum coin that falls to
/// the wrong side is binomial whatever Eve does: among all slots that a block may take it is bounded
/// but for the probability `failure`, and all of them are put among the detected ones. Without a
/// known [`Exposure`] it is ½: no key.
pub(crate) fn imbalance_max(
    source: &DecoySource,
    detected: SinglePhotons,
    failure: FailureProbability,
) -> f64 {
    let photons = source.side_channels().reflected_photons;
    if photons == 0.0 {
        return 0.0;
    }
    let Some(exposure) = source.exposure() else {
        return 0.5;
    };
    let per_slot = source.single_photon_probability() * trojan_horse::imbalance(photons);
    let z = exposure.key_basis_probability;
    let share = |both: f64, detected: f64| {
        let mean = exposure.slots_max * both * both * per_slot;
        rare_count_max(mean, failure) / detected
    };
    let worse = share(z, detected.key).max(share(1.0 - z, detected.test));
    // A NaN of an empty basis is no less than everything.
    if worse < 0.5 { worse } else { 0.5 }
}

/// A count of independent events stays below this, but for probability ε, when `mean` are expected:
/// the x with (e·m/x)^x e^(−m) = ε, the multiplicative bound of Chernoff (Mitzenmacher and Upfal,
/// theorem 4.4) before it is simplified; of much use where few are expected.
fn rare_count_max(mean: f64, failure: FailureProbability) -> f64 {
    let most = chernoff_count_max(mean, failure);
    if mean <= 0.0 || !most.is_finite() {
        return most;
    }
    let likely = |x: f64| x * (ln(x) - ln(mean) - 1.0) + mean < failure.log_inverse();
    let count = last_holding(mean..=most, likely).unwrap_or(most);
    // Beyond the last that is likely.
    (count * (1.0 + 1e-9)).min(most)
}

/// What a block pays for [`SideChannels`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SideChannelCharge {
    /// e: at most this rate of phase errors if no light came back.
    pub phase_error_rate_without: f64,
    /// Δ′: see Lucamarini et al.; ½ where the bases are told apart for all that Eve keeps.
    pub imbalance: f64,
    /// Bits that flashes may have told.
    pub back_flash_bits: f64,
}

#[cfg(test)]
mod tests;
