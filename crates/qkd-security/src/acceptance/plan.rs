use super::chance::{deviation_by_chance, drop_by_chance};
use super::inefficiency::cascade_inefficiency_max;
use crate::error::require;
use crate::{
    Acceptance, BasisStatistics, DecoySource, Error, Exposure, KeyLength, Leakage, LinkModel,
    SecurityParameters, Statistics, Theorem, binary_entropy,
};

/// Bits of the verification: a tag of 128, and whether it agreed.
pub(super) const VERIFICATION_BITS: u64 = 129;

/// Standard deviations by which a block is large enough for its sifted bits. No margin changes it:
/// limits are for the block that both sides measure, whatever they leave to chance.
const BLOCK_DEVIATIONS: f64 = 6.0;

/// How much worse than expected an honest block may look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Standard deviations left to chance in every count and error limit.
    pub deviations: f64,
    /// Standard deviations of the theorem's length left to chance in ℓ: 4.5 fail an honest block
    /// with probability 3.4e-6, one that shows all the errors put down to the model.
    pub length_deviations: f64,
    /// Share by which more errors than the model says are put down to the model.
    pub model_error: f64,
    /// Share by which fewer detections of a class than the model says are put down to the model.
    pub model_count: f64,
    /// f: largest inefficiency of error correction, Alice's bits ÷ (n h(Q)); when absent, what
    /// Cascade keeps to with the errors that are expected.
    pub reconciliation_inefficiency_max: Option<f64>,
    /// A block is closed at this multiple of the slots it is expected to take.
    pub slots_factor: f64,
    /// Bits of the verification: tag and outcome.
    pub verification_bits: u64,
}

impl Default for Margin {
    fn default() -> Self {
        Margin {
            deviations: 6.0,
            length_deviations: 4.5,
            model_error: 0.02,
            model_count: 0.01,
            reconciliation_inefficiency_max: None,
            slots_factor: 4.0,
            verification_bits: VERIFICATION_BITS,
        }
    }
}

impl Margin {
    fn checked(self) -> Result<Self, Error> {
        let rows = [
            ("deviations", self.deviations, 0.0, "a number from 0 to 100"),
            (
                "length_deviations",
                self.length_deviations,
                0.0,
                "a number from 0 to 100",
            ),
            (
                "model_error",
                self.model_error,
                0.0,
                "a share from 0 to 100",
            ),
            (
                "reconciliation_inefficiency_max",
                self.reconciliation_inefficiency_max.unwrap_or(1.0),
                1.0,
                "a number from 1 to 100",
            ),
            (
                "slots_factor",
                self.slots_factor,
                1.0,
                "a number from 1 to 100",
            ),
        ];
        for (what, value, least, expected) in rows {
            require(what, value, (least..=100.0).contains(&value), expected)?;
        }
        let holds = (0.0..1.0).contains(&self.model_count);
        require("model_count", self.model_count, holds, "a share below 1")?;
        Ok(self)
    }

    /// f at its largest, where so much is expected.
    fn inefficiency_max(&self, expected: &Statistics<f64>) -> f64 {
        self.reconciliation_inefficiency_max
            .unwrap_or_else(|| cascade_inefficiency_max(&expected.key))
    }

    /// The most errors put down to chance and model where `expected` are expected.
    fn most(&self, expected: f64) -> f64 {
        let d = self.deviations;
        // The last term is the skew of a Poisson count, which matters where few are expected.
        expected + d * expected.sqrt() + d * d / 6.0
    }

    /// The fewest counts put down to chance where `expected` are expected.
    fn fewest(&self, expected: f64) -> f64 {
        (expected - self.deviations * expected.sqrt()).max(0.0)
    }
}

/// How long a block is and what it must look like, fixed before its first slot.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockPlan {
    /// Registered detections that Bob announces per block. It counts both bases alike: stopping
    /// at a number of *sifted* bits would bias the sampling (Pfister et al., New J. Phys. 18,
    /// 053001).
    pub detections: u64,
    /// Slots after which a block is closed with what there is, to be refused.
    pub slots_max: u64,
    /// Slots that a block is expected to take.
    pub slots_expected: f64,
    /// Standard deviation of the slots that a block takes.
    pub slots_deviation: f64,
    /// The source as the theorem has to be told of it: with the slots in which light may come back.
    pub source: DecoySource,
    /// The limits, and ℓ.
    pub acceptance: Acceptance,
    /// f: largest inefficiency of error correction that limits and ℓ leave room for.
    pub reconciliation_inefficiency_max: f64,
    /// Expected counts and errors of a block.
    pub statistics_expected: Statistics<f64>,
    /// What the theorem gives for exactly the expected counts, f at its largest: ℓ without margin.
    pub length_expected: KeyLength,
    /// Standard deviation, in bits, of what the theorem gives for the counts of honest blocks, to
    /// first order in the counts.
    pub length_deviation_bits: f64,
}

impl BlockPlan {
    /// Plans blocks of at least `block_bits` sifted key-basis bits for the expected `link`.
    ///
    /// ℓ is chosen so that an honest block passes: the theorem's length at the expected counts,
    /// with errors raised by the model margin and f at its largest, minus the root of the summed
    /// squares of what each independent kind of count (correct and wrong, per class and basis)
    /// takes away when it strays by `length_deviations` standard deviations to its worse side. A corner
    /// where all eight stray at once would be no more honest, and cost several times as much.
    /// ℓ is 0 where nothing is left: then every block is refused.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a figure of `link`, `parameters` or `margin` outside its range,
    /// and for a link on which a block would never end.
    pub fn derive(
        link: &LinkModel,
        block_bits: u64,
        parameters: &SecurityParameters,
        theorem: Theorem,
        margin: &Margin,
    ) -> Result<BlockPlan, Error> {
        let link = link.checked()?;
        let parameters = parameters.checked()?;
        let margin = margin.checked()?;
        let bits = block_bits as f64;
        let holds = (1.0..=1e15).contains(&bits);
        require("block_bits", bits, holds, "from 1 to 1e15 bits")?;
        let expected = link.expected();
        let detections = detections_for(bits, link.key_basis_probability.powi(2));
        let slots_expected = detections / expected.registered_probability;
        let slots = slots_expected * margin.slots_factor;
        require(
            "slots per block",
            slots,
            slots < 1e18,
            "a link with more detections",
        )?;

        let source = link.source.exposed(Exposure {
            slots_max: slots.ceil(),
            key_basis_probability: link.key_basis_probability,
        });
        let statistics_expected = expected.per_detection.scaled(detections);
        let inefficiency_max = margin.inefficiency_max(&statistics_expected);
        let length_at = |statistics: Statistics<f64>| {
            let leakage = Leakage {
                from_alice_bits: parities(&statistics, inefficiency_max).ceil() as u64,
                verification_tag_bits: margin.verification_bits,
                ..Leakage::default()
            };
            theorem.secret_length(statistics, &source, &leakage, &parameters)
        };
        let worse = with_more_errors(&statistics_expected, margin.model_error);
        let safe = length_at(worse).length_unclamped
            - drop_by_chance(&worse, margin.length_deviations, |statistics| {
                length_at(statistics).length_unclamped
            });
        let secret_length_bits = safe.floor() as u64;
        Ok(BlockPlan {
            detections: detections as u64,
            slots_max: slots.ceil() as u64,
            slots_expected,
            slots_deviation: (detections * link.slots_variance_per_detection()).sqrt(),
            source,
            acceptance: Acceptance {
                secret_length_bits,
                ..limits(&statistics_expected, inefficiency_max, &margin)
            },
            reconciliation_inefficiency_max: inefficiency_max,
            statistics_expected,
            length_expected: length_at(statistics_expected),
            length_deviation_bits: deviation_by_chance(
                &statistics_expected,
                detections,
                |statistics| length_at(statistics).length_unclamped,
            ),
        })
    }

    /// Expected QBER of the key basis, both classes together.
    pub fn qber_expected(&self) -> f64 {
        self.statistics_expected.key.qber()
    }
}

/// Smallest N with N f − d √(N f (1−f)) ≥ `bits`, as a whole number.
fn detections_for(bits: f64, sifted: f64) -> f64 {
    let spread = BLOCK_DEVIATIONS * (sifted * (1.0 - sifted)).sqrt();
    let root = (spread + (spread * spread + 4.0 * sifted * bits).sqrt()) / (2.0 * sifted);
    (root * root).ceil()
}

fn with_more_errors(statistics: &Statistics<f64>, share: f64) -> Statistics<f64> {
    let basis = |basis: &BasisStatistics<f64>| BasisStatistics {
        counts: basis.counts,
        errors: [0, 1].map(|i| (basis.errors[i] * (1.0 + share)).min(basis.counts[i])),
    };
    Statistics {
        key: basis(&statistics.key),
        test: basis(&statistics.test),
    }
}

/// f n h(Q): what Alice says in error correction of inefficiency f, bits.
pub(super) fn parities(statistics: &Statistics<f64>, reconciliation_inefficiency: f64) -> f64 {
    let key = &statistics.key;
    reconciliation_inefficiency * key.total_counts() * binary_entropy(key.qber().min(0.5))
}

/// All limits but ℓ.
fn limits(expected: &Statistics<f64>, inefficiency_max: f64, margin: &Margin) -> Acceptance {
    let counts_min = |basis: &BasisStatistics<f64>| {
        basis
            .counts
            .map(|count| (margin.fewest(count) * (1.0 - margin.model_count)).floor() as u64)
    };
    let errors_max = |basis: &BasisStatistics<f64>| {
        basis
            .errors
            .map(|count| margin.most(count * (1.0 + margin.model_error)).ceil() as u64)
    };
    let key_counts_min = counts_min(&expected.key);
    let key_errors_max = errors_max(&expected.key);
    // The leakage cap belongs to the most sifted bits and the highest QBER that pass.
    let bits_min = (key_counts_min[0] + key_counts_min[1]).max(1) as f64;
    let bits_max = margin.most(expected.key.total_counts());
    let qber_max = ((key_errors_max[0] + key_errors_max[1]) as f64 / bits_min).min(0.5);
    let leaked = inefficiency_max * bits_max * binary_entropy(qber_max);
    Acceptance {
        key_counts_min,
        test_counts_min: counts_min(&expected.test),
        key_errors_max,
        test_errors_max: errors_max(&expected.test),
        leaked_bits_max: leaked.ceil() as u64,
        secret_length_bits: 0,
    }
}
