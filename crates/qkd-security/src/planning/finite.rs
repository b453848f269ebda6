//! Blocks of finite length, at their expected counts.

use super::channel::ClassRate;
use super::{CLASSES_MAX, Frame, Outcome, PlanBounds, Setting};
use crate::lim2014::{self, BasisCounts, LoweredCounts};
use crate::mathematics::log2;
use crate::{
    BasisStatistics, DecoySource, Error, Exposure, Margin, Statistics, binary_entropy, rusca2018,
    wiesemann2024,
};

/// What a block is expected to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    key: BasisCounts,
    test: BasisCounts,
    /// λ_EC = f n h(E), not rounded.
    leaked_bits: f64,
    /// How long the running system waits for such a block, in slots.
    slots_max: f64,
}

/// A theorem, applied to what a block is expected to show. All charge log₂(2/ε_cor) for the
/// verification.
pub(super) type Bounding = fn(&Frame, &Setting, &Expectation) -> Result<PlanBounds, Error>;

/// A block of `block_bits` expected sifted key-basis bits, bounded by `bounding`.
pub(super) fn outcome(
    frame: &Frame,
    setting: &Setting,
    bounding: Bounding,
) -> Result<Outcome, Error> {
    let rates = frame.channel.rates(setting);
    let z = setting.key_basis_probability;
    let (both_key, both_test) = (z * z, (1.0 - z) * (1.0 - z));
    let classes = setting.probabilities.iter().zip(&rates);
    let clicks: f64 = classes
        .map(|(probability, rate)| probability * rate.clicks)
        .sum();
    let slots = frame.block_bits / (both_key * clicks);
    let key = counts(setting, &rates, slots * both_key);
    let test = counts(setting, &rates, slots * both_test);
    let entropy = binary_entropy(key.qber().min(0.5));
    let expectation = Expectation {
        key,
        test,
        leaked_bits: frame.reconciliation_inefficiency * key.total_counts() * entropy,
        slots_max: slots * Margin::default().slots_factor,
    };
    Ok(Outcome::Block {
        slots,
        key,
        test,
        leaked_bits: expectation.leaked_bits,
        bounds: bounding(frame, setting, &expectation)?,
    })
}

/// [`crate::wiesemann2024`].
pub(super) fn wiesemann2024(
    frame: &Frame,
    setting: &Setting,
    expectation: &Expectation,
) -> Result<PlanBounds, Error> {
    let parameters = frame.parameters;
    let charged = expectation.leaked_bits + log2(2.0 / parameters.correctness);
    let (statistics, source) = one_decoy(setting, expectation)?;
    let exposure = Exposure {
        slots_max: expectation.slots_max,
        key_basis_probability: setting.key_basis_probability,
    };
    let source = source.with_side_channels(frame.side_channels)?;
    let source = source.exposed(exposure);
    let length = wiesemann2024::secret_length_charged(&statistics, &source, charged, &parameters);
    Ok(PlanBounds::Wiesemann2024(length))
}

/// [`crate::rusca2018`].
pub(super) fn rusca2018(
    frame: &Frame,
    setting: &Setting,
    expectation: &Expectation,
) -> Result<PlanBounds, Error> {
    let (statistics, source) = one_decoy(setting, expectation)?;
    let block = rusca2018::Block {
        statistics,
        source,
        leaked_bits: expectation.leaked_bits,
        parameters: frame.parameters,
    };
    Ok(PlanBounds::Rusca2018(rusca2018::secret_length(&block)?))
}

/// [`crate::lim2014`], counts lowered below zero clipped.
pub(super) fn lim2014(
    frame: &Frame,
    setting: &Setting,
    expectation: &Expectation,
) -> Result<PlanBounds, Error> {
    let block = lim2014::Block {
        key: expectation.key,
        test: expectation.test,
        source: lim2014::Source::new(setting.intensities, setting.probabilities)?,
        leaked_bits: expectation.leaked_bits,
        parameters: frame.parameters,
        lowered_counts: LoweredCounts::Clipped,
    };
    Ok(PlanBounds::Lim2014(lim2014::secret_length(&block)?))
}

fn counts(setting: &Setting, rates: &[ClassRate; CLASSES_MAX], slots: f64) -> BasisCounts {
    let sent = setting.probabilities.map(|probability| slots * probability);
    BasisCounts {
        counts: [0, 1, 2].map(|i| sent[i] * rates[i].clicks),
        errors: [0, 1, 2].map(|i| sent[i] * rates[i].errors),
    }
}

/// The first two classes, which are all there are.
fn one_decoy(
    setting: &Setting,
    expectation: &Expectation,
) -> Result<(Statistics<f64>, DecoySource), Error> {
    let pair = |values: &[f64; CLASSES_MAX]| [values[0], values[1]];
    let [key, test] = [&expectation.key, &expectation.test].map(|basis| BasisStatistics {
        counts: pair(&basis.counts),
        errors: pair(&basis.errors),
    });
    let source = DecoySource::new(pair(&setting.intensities), pair(&setting.probabilities))?;
    Ok((Statistics { key, test }, source))
}
