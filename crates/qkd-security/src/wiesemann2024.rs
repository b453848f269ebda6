//! One decoy, finite key: Wiesemann, Krause, Tupkary, Lütkenhaus, Rusca and Walenta,
//! "A consolidated and accessible security proof for finite-size decoy-state quantum key
//! distribution", arXiv:2405.16578, which corrects Rusca et al., APL 112, 171104 (2018).
//!
//! ℓ = s⁻_Z1 (1 − h(φ)) − λ − 4 log₂(15 / (ε_sec 2^¼)), every bound failing with probability at
//! most ε₀ = ε_sec/15.
//!
//! Choices, since one formula has several readings:
//! - The paper makes the key in X and tests in Z; here the key is in **Z** and the test in **X**.
//! - No vacuum term: vacuum detections are all given to Eve.
//! - Hoeffding's deviation of a class uses the count of *all* classes of that basis.
//! - A class's count moved by its deviation is clipped to between zero and the count of all
//!   classes, where its mean must lie, and the single-photon bounds are clipped at zero: all stay
//!   valid and get tighter.
//! - Vacuum is bounded by twice its errors, deviation inside the bracket: s⁺₀ = min over the
//!   classes of 2(τ₀ e^μ_k/p_k (m_k + δ_m) + δ_n).
//! - The phase-error term is Serfling's with failure probability **ε₀²**, because smoothing the
//!   entropy by ε₀ takes an event of probability ε₀²: that is "ln(1/ε₀) without the ½".
//! - Stated side channels ([`SideChannels`](crate::SideChannels)) shorten the key further, see
//!   [`secret_length`].
//! - Verification costs the larger of log₂(2/ε_cor), the paper's term, and of the tag and outcome
//!   bits that were really sent: a tag longer than ε_cor needs tells Eve its whole length.
//!
//! Assumptions: phase randomisation; basis, bit and intensity independent of each other and
//! unknown to Eve; detection independent of Bob's basis; squashing (Bob measures a qubit or
//! nothing, see [`charged_leakage`]); no side channels but those stated; a number of announced
//! detections fixed in advance, so that the choice of when to stop depends on no basis.

use crate::concentration::{
    FailureProbability, SplitSizes, hoeffding_deviation, serfling_deviation,
};
use crate::mathematics::{exp, log2, pow};
use crate::side_channels::{SinglePhotons, imbalance_max};
use crate::{
    BasisStatistics, DecoySource, IntensityClass, KeyLength, Leakage, SecurityParameters,
    SideChannelCharge, Standing, Statistics, binary_entropy, trojan_horse,
};

/// What [`secret_length`] is worth.
pub const STANDING: Standing = Standing::FiniteKey;

/// Number of equal parts that ε_sec is divided into (arXiv:2405.16578, one-decoy theorem).
const SECRECY_PARTS: f64 = 15.0;

/// How many secret bits a block with these statistics holds (arXiv:2405.16578, one decoy).
///
/// `statistics` may be observed counts or expectation values; counts are dimensionless, lengths
/// are bits. Never fails: without enough data the length is negative.
///
/// Where the laboratories may leak ([`SideChannels`](crate::SideChannels) of the source):
///
/// - Light that comes back out of Alice's laboratory makes φ to e′(φ, Δ′) of Lucamarini et al., Phys.
///   Rev. X 5, 031030 (2015), plus √(ln(1/ε)/(2 s⁻_Z1)). Their relation is one of probabilities; a finite
///   block has each of its figures at the worse end. The sampling deviation is in φ before, Δ′ counts
///   quantum coins of all slots that a block may take, and the last term (Azuma's, as Wang, Tamaki and
///   Curty, arXiv:1803.09508, have it for leaky sources) takes the mean phase error rate to the one of
///   the block. With Serfling's these are four statements that smoothing rests on: each may fail with ε₀²/4.
/// - A click of Bob's whose light got out is a bit that Eve has: so many are subtracted as there may be
///   but for ε₀, for which ε_sec is divided into one part more. Which clicks glow is taken to be chance, and
///   the bits of those to be told after the last pulse.
pub fn secret_length(
    statistics: impl Into<Statistics<f64>>,
    source: &DecoySource,
    leakage: &Leakage,
    parameters: &SecurityParameters,
) -> KeyLength {
    let charged_leakage_bits = charged_leakage(leakage, parameters);
    secret_length_charged(&statistics.into(), source, charged_leakage_bits, parameters)
}

/// The same when `charged_leakage_bits` (λ, verification included) is known, whole or expected.
pub(crate) fn secret_length_charged(
    statistics: &Statistics<f64>,
    source: &DecoySource,
    charged_leakage_bits: f64,
    parameters: &SecurityParameters,
) -> KeyLength {
    let leaks = source.side_channels();
    let parts = match leaks.back_flash_probability > 0.0 {
        true => SECRECY_PARTS + 1.0,
        false => SECRECY_PARTS,
    };
    let failure = parameters.secrecy_share(parts);
    let key = DecoyBounds::of(&statistics.key, source, failure);
    let test = DecoyBounds::of(&statistics.test, source, failure);
    let phase = PhaseErrors::of(&key, &test, source, failure);
    let back_flash_bits = leaks.back_flash_bits(statistics.key.total_counts(), failure);
    let security_overhead_bits = 4.0 * log2(parts / (parameters.secrecy * pow(2.0, 0.25)));
    let length_unclamped = key.single_photon_min * (1.0 - binary_entropy(phase.rate))
        - charged_leakage_bits
        - security_overhead_bits
        - back_flash_bits;
    KeyLength {
        vacuum_key_max: key.vacuum_max,
        vacuum_test_max: test.vacuum_max,
        single_photon_key_min: key.single_photon_min,
        single_photon_test_min: test.single_photon_min,
        single_photon_test_errors_max: test.single_photon_errors_max,
        phase_error_rate: phase.rate,
        charged_leakage_bits,
        security_overhead_bits,
        side_channels: (!leaks.is_none()).then_some(SideChannelCharge {
            phase_error_rate_without: phase.without_light,
            imbalance: phase.imbalance,
            back_flash_bits,
        }),
        length_unclamped,
    }
}

/// λ: the public bits that shorten the key: Alice's parities and the verification.
///
/// **Bob's bits are not charged**, and this is why. In interactive error correction Bob says
/// whether Alice's parity of a set agrees with his. Whatever he says, and which set comes next,
/// is a function of the error pattern W = Z_A ⊕ Z_B, of the public shuffles and of earlier
/// messages. So it is enough to prove the key secret against an Eve who is handed *all* of W
/// (Tupkary and Lütkenhaus, arXiv:2307.00576, do this for key rates by optimisation; for the
/// uncertainty relation it goes as follows).
///
/// 1. With squashing, each single-photon slot of the key leaves Alice and Bob a qubit each. Let
///    them apply, in thought, a CNOT with Alice as control and Bob as target before they measure
///    Z. It commutes with Alice's Z, so Z_A is the same string, and Bob's Z now reads W. Alice's
///    X, had she measured that, would read X_A ⊕ X_B of the state before: the phase errors.
/// 2. Bob measures his qubits in Z and hands W to Eve. The uncertainty relation (Tomamichel and
///    Renner, PRL 106, 110506) between Alice's Z and X, with Eve holding E and W, says
///    H_min(Z_A|E W) ≥ n − H_max(X_A ⊕ X_B), with the same smoothing on both sides. The second
///    term needs no memory at Bob, so it does not matter that he has measured Z.
/// 3. All but a probability ε₀² of X_A ⊕ X_B has weight at most nφ, so H_max ≤ n h(φ): exactly
///    the bound that the sampling in the test basis gives, with or without W. W and X_A ⊕ X_B
///    commute slot by slot, so both exist at once, and the acceptance test may depend on W (the
///    key-basis errors, known after correction) without disturbing the sampling argument.
/// 4. Other slots (vacuum, several photons): their Z_A is classical and given to Eve in full,
///    together with Bob's part, before the relation is applied to the single photons, so it holds
///    with decoys too. H_min(Z_A|…) ≥ H_min(Z_A of the single photons|Z_A of the others, …).
/// 5. Given W the number of bits Alice sends is fixed, so each of them costs at most one bit, and
///    their number itself tells nothing new. The outcome of the verification is a function of W
///    too as long as the hash is linear; one bit is charged all the same.
///
/// So n(1 − h(φ)) bounds the entropy *after* everything Bob said, and λ holds Alice's bits alone.
/// Where **squashing** fails (unequal detectors, double clicks dropped instead of made random)
/// step 1 has no qubit to act on, and Bob's bits would have to be charged as well.
///
/// λ = from_alice_bits + max(log₂(2/ε_cor), tag bits + outcome bits).
pub fn charged_leakage(leakage: &Leakage, parameters: &SecurityParameters) -> f64 {
    let sent = leakage.verification_tag_bits as f64 + leakage.verification_outcome_bits as f64;
    leakage.from_alice_bits as f64 + sent.max(log2(2.0 / parameters.correctness))
}

/// What the decoy method says about one basis.
struct DecoyBounds {
    vacuum_max: f64,
    single_photon_min: f64,
    single_photon_errors_max: f64,
}

impl DecoyBounds {
    fn of(
        basis: &BasisStatistics<f64>,
        source: &DecoySource,
        failure: FailureProbability,
    ) -> DecoyBounds {
        let [signal, decoy] = source.intensities();
        let count_deviation = hoeffding_deviation(basis.total_counts(), failure);
        let error_deviation = hoeffding_deviation(basis.total_errors(), failure);
        // n^± and m^±: counts with their deviation, freed of the Poisson weight of their class
        // and of how often the class is sent.
        let weight = |class: IntensityClass| {
            exp(source.intensities()[class.index()]) / source.probabilities()[class.index()]
        };
        let raised = |class: IntensityClass, values: &[f64; 2], deviation: f64| {
            weight(class) * (values[class.index()] + deviation).min(values[0] + values[1])
        };
        let lowered = |class: IntensityClass, values: &[f64; 2], deviation: f64| {
            weight(class) * (values[class.index()] - deviation).max(0.0)
        };
        let tau_0 = source.vacuum_probability();
        let tau_1 = source.single_photon_probability();

        // Half of the vacuum detections are errors, so errors bound vacuum from above.
        let vacuum_max = IntensityClass::ALL
            .map(|class| {
                2.0 * (tau_0 * raised(class, &basis.errors, error_deviation) + count_deviation)
            })
            .into_iter()
            .fold(f64::INFINITY, f64::min);

        // Rusca et al. 2018, appendix: Gaussian elimination of the multi-photon terms.
        let ratio = (decoy / signal).powi(2);
        let single_photon_min = tau_1 * signal / (decoy * (signal - decoy))
            * (lowered(IntensityClass::Decoy, &basis.counts, count_deviation)
                - ratio * raised(IntensityClass::Signal, &basis.counts, count_deviation)
                - (1.0 - ratio) * vacuum_max / tau_0);

        // Rusca et al. 2018, appendix: errors of the two classes differ by the photons.
        let single_photon_errors_max = tau_1 / (signal - decoy)
            * (raised(IntensityClass::Signal, &basis.errors, error_deviation)
                - lowered(IntensityClass::Decoy, &basis.errors, error_deviation));

        DecoyBounds {
            vacuum_max,
            single_photon_min: single_photon_min.max(0.0),
            single_photon_errors_max: single_photon_errors_max.max(0.0),
        }
    }
}

/// φ, and what light from Alice's laboratory has to do with it.
struct PhaseErrors {
    /// Error rate of the single photons in the test basis plus what sampling may hide, at most ½.
    without_light: f64,
    /// Δ′, at most ½.
    imbalance: f64,
    /// φ, at most ½.
    rate: f64,
}

impl PhaseErrors {
    fn of(
        key: &DecoyBounds,
        test: &DecoyBounds,
        source: &DecoySource,
        failure: FailureProbability,
    ) -> PhaseErrors {
        let light = source.side_channels().reflected_photons > 0.0;
        let detected = SinglePhotons {
            key: key.single_photon_min,
            test: test.single_photon_min,
        };
        if detected.key <= 0.0 || detected.test <= 0.0 {
            return PhaseErrors {
                without_light: 0.5,
                imbalance: if light { 0.5 } else { 0.0 },
                rate: 0.5,
            };
        }
        let sizes = SplitSizes {
            observed: detected.test,
            inferred: detected.key,
        };
        let observed = test.single_photon_errors_max / test.single_photon_min;
        let sampled =
            |event: FailureProbability| (observed + serfling_deviation(sizes, event)).min(0.5);
        let smoothing_event = FailureProbability(failure.0 * failure.0);
        let without_light = sampled(smoothing_event);
        if !light {
            return PhaseErrors {
                without_light,
                imbalance: 0.0,
                rate: without_light,
            };
        }
        // Serfling's, the coins of either basis, and the step from probabilities to the block.
        let event = FailureProbability(smoothing_event.0 / 4.0);
        let imbalance = imbalance_max(source, detected, event);
        let step = hoeffding_deviation(detected.key, event) / detected.key;
        let rate = trojan_horse::worsened(sampled(event), imbalance) + step;
        PhaseErrors {
            without_light,
            imbalance,
            rate: rate.min(0.5),
        }
    }
}

#[cfg(test)]
mod tests;
