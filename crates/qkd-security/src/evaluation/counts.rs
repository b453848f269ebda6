use super::link::{Sifted, note_leaked_too_little};
use super::{Evaluation, Link};
use crate::mathematics::log2;
use crate::planning::{PlanTheorem, known_side_channels};
use crate::statistics::{KEY_BASIS, TEST_BASIS, check_basis};
use crate::{
    BasisStatistics, DecoySource, Error, Exposure, Figure, Leakage, SecurityParameters,
    SideChannels, Standing, Statistics, binary_entropy, lim2014, range, rusca2018, wiesemann2024,
};
use std::fmt;
use std::str::FromStr;

/// Those of [`PlanTheorem`] that give a length for the counts of a block; asymptotic formulas take
/// no counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BlockTheorem {
    /// One decoy, corrected: [`wiesemann2024`].
    #[default]
    Wiesemann2024,
    /// One decoy as first published, for comparison: [`rusca2018`].
    Rusca2018,
    /// Two decoys, for comparison: [`lim2014`].
    Lim2014,
}

impl BlockTheorem {
    /// Every theorem there is.
    pub const ALL: [BlockTheorem; 3] = [
        BlockTheorem::Wiesemann2024,
        BlockTheorem::Rusca2018,
        BlockTheorem::Lim2014,
    ];

    /// The name in files and reports.
    pub fn name(self) -> &'static str {
        PlanTheorem::from(self).name()
    }

    /// What its length is worth.
    pub fn standing(self) -> Standing {
        PlanTheorem::from(self).standing()
    }

    /// How many intensities it takes.
    pub fn intensities(self) -> usize {
        PlanTheorem::from(self).intensities_used()
    }
}

impl From<BlockTheorem> for PlanTheorem {
    fn from(theorem: BlockTheorem) -> Self {
        match theorem {
            BlockTheorem::Wiesemann2024 => PlanTheorem::Wiesemann2024,
            BlockTheorem::Rusca2018 => PlanTheorem::Rusca2018,
            BlockTheorem::Lim2014 => PlanTheorem::Lim2014,
        }
    }
}

impl fmt::Display for BlockTheorem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BlockTheorem {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = BlockTheorem::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| Error::UnknownTheorem {
            name: name.to_owned(),
            known: BlockTheorem::ALL.map(BlockTheorem::name).join(", "),
        })
    }
}

/// What one basis showed, for each intensity in the order of the source; expectation values may be
/// fractional.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Counts {
    /// Detections in slots where both sides chose this basis.
    pub counts: Vec<f64>,
    /// How many of them carry different bits at Alice and Bob.
    pub errors: Vec<f64>,
}

impl Counts {
    /// Detections of all intensities.
    pub fn total_counts(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Errors divided by detections, all intensities together; 0 without detections.
    pub fn qber(&self) -> f64 {
        let counts = self.total_counts();
        if counts > 0.0 {
            self.errors.iter().sum::<f64>() / counts
        } else {
            0.0
        }
    }

    /// What error correction has to do for each intensity.
    fn classes(&self) -> impl Iterator<Item = Sifted> + Clone {
        let pairs = self.counts.iter().zip(&self.errors);
        let seen = pairs.filter(|(bits, _)| **bits > 0.0);
        seen.map(|(&bits, errors)| Sifted {
            bits,
            qber: errors / bits,
        })
    }
}

/// Decoy-state BB84: the source and what both bases showed.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoyBlock {
    /// Which theorem is applied; it decides how long all lists are.
    pub theorem: BlockTheorem,
    /// Mean photons per pulse, the signal first.
    pub intensities: Vec<f64>,
    /// How often each is sent.
    pub intensity_probabilities: Vec<f64>,
    /// Z, whose bits become the key.
    pub key: Counts,
    /// X, whose bits are disclosed.
    pub test: Counts,
    /// What the laboratories may have leaked; [`wiesemann2024`] alone reckons with it.
    pub side_channels: SideChannels,
    /// How long the block may have lasted: without it there is no key where light may have come back.
    pub exposure: Option<Exposure>,
}

/// What error correction disclosed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disclosed {
    /// So many bits; for [`wiesemann2024`] those that Alice sent.
    Bits(f64),
    /// f n h(Q) bits with this f, \[1, 10\], n and Q of the key basis.
    Inefficiency(f64),
}

impl Disclosed {
    /// λ_EC of a block of `block_bits` with the error rate `qber`, bits.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for negative bits or an inefficiency outside its range.
    pub(super) fn bits(self, block_bits: f64, qber: f64) -> Result<f64, Error> {
        match self {
            Disclosed::Bits(bits) => range::not_negative("leaked_bits", bits, "zero or more bits"),
            // An error rate above one half costs as much as one below it: Bob flips his bits.
            Disclosed::Inefficiency(inefficiency) => {
                Ok(range::inefficiency(inefficiency)? * block_bits * binary_entropy(qber))
            }
        }
    }
}

/// What a theorem finds in the counts of a block.
pub(super) struct DecoyAccount {
    pub figures: Vec<Figure>,
    /// Detections of the key basis that count in full for the key: vacuum, where the theorem has it.
    pub vacuum_counted: f64,
    pub single_photons: f64,
    pub leaked_bits: f64,
    /// What is subtracted besides the bits of error correction.
    pub overhead_bits: f64,
    pub length_unclamped: f64,
}

impl DecoyBlock {
    /// Applies the theorem with `leaked_bits` of error correction.
    pub(super) fn account(
        &self,
        leaked_bits: f64,
        parameters: SecurityParameters,
    ) -> Result<DecoyAccount, Error> {
        let parameters = parameters.checked()?;
        known_side_channels(self.side_channels, self.theorem.into())?;
        let account = match self.theorem {
            BlockTheorem::Wiesemann2024 => self.wiesemann2024(leaked_bits, &parameters),
            BlockTheorem::Rusca2018 => self.rusca2018(leaked_bits, parameters),
            BlockTheorem::Lim2014 => self.lim2014(leaked_bits, parameters),
        }?;
        self.hold_against_counts(&account.figures)?;
        Ok(account)
    }

    /// Of all detections no more can be single photons: a lower bound above them says that the
    /// intensities are not those that made the counts.
    fn hold_against_counts(&self, figures: &[Figure]) -> Result<(), Error> {
        for (name, what, counts) in [
            (
                "single_photon_key_min",
                "the least number of single photons in key_basis by the intensities",
                &self.key,
            ),
            (
                "single_photon_test_min",
                "the least number of single photons in test_basis by the intensities",
                &self.test,
            ),
        ] {
            let all = counts.total_counts();
            let expected = "intensities and counts that fit together: at most all detections of \
                            the basis";
            for figure in figures.iter().filter(|figure| figure.name == name) {
                range::require(what, figure.value, figure.value <= all, expected)?;
            }
        }
        Ok(())
    }

    fn wiesemann2024(
        &self,
        leaked_bits: f64,
        parameters: &SecurityParameters,
    ) -> Result<DecoyAccount, Error> {
        let (source, statistics) = self.one_decoy()?;
        let source = source.with_side_channels(self.side_channels)?;
        let statistics = statistics.checked()?;
        let source = match self.exposure {
            Some(exposure) => {
                let detections = statistics.key.total_counts() + statistics.test.total_counts();
                let expected = "no fewer slots than detections";
                let fits = exposure.slots_max >= detections;
                range::require("slots_max", exposure.slots_max, fits, expected)?;
                source.exposed(exposure)
            }
            None => source,
        };
        let verification = wiesemann2024::charged_leakage(&Leakage::default(), parameters);
        let charged_bits = leaked_bits + verification;
        let length =
            wiesemann2024::secret_length_charged(&statistics, &source, charged_bits, parameters);
        Ok(DecoyAccount {
            figures: length.figures(),
            vacuum_counted: 0.0,
            single_photons: length.single_photon_key_min,
            leaked_bits,
            overhead_bits: verification + length.security_overhead_bits,
            length_unclamped: length.length_unclamped,
        })
    }

    fn rusca2018(
        &self,
        leaked_bits: f64,
        parameters: SecurityParameters,
    ) -> Result<DecoyAccount, Error> {
        let (source, statistics) = self.one_decoy()?;
        let bounds = rusca2018::secret_length(&rusca2018::Block {
            statistics,
            source,
            leaked_bits,
            parameters,
        })?;
        Ok(DecoyAccount {
            figures: bounds.figures(),
            vacuum_counted: bounds.vacuum_key_min,
            single_photons: bounds.single_photon_key_min,
            leaked_bits,
            overhead_bits: bounds.secrecy_overhead_bits + bounds.correctness_overhead_bits,
            length_unclamped: bounds.length_unclamped,
        })
    }

    fn lim2014(
        &self,
        leaked_bits: f64,
        parameters: SecurityParameters,
    ) -> Result<DecoyAccount, Error> {
        let basis = |counts: &Counts| {
            Ok::<_, Error>(lim2014::BasisCounts {
                counts: self.array(&counts.counts)?,
                errors: self.array(&counts.errors)?,
            })
        };
        let intensities = self.array(&self.intensities)?;
        let probabilities = self.array(&self.intensity_probabilities)?;
        let bounds = lim2014::secret_length(&lim2014::Block {
            source: lim2014::Source::new(intensities, probabilities)?,
            key: basis(&self.key)?,
            test: basis(&self.test)?,
            leaked_bits,
            parameters,
            lowered_counts: lim2014::LoweredCounts::default(),
        })?;
        Ok(DecoyAccount {
            figures: bounds.figures(),
            vacuum_counted: bounds.vacuum_key_min,
            single_photons: bounds.single_photon_key_min,
            leaked_bits,
            overhead_bits: bounds.secrecy_overhead_bits + bounds.correctness_overhead_bits,
            length_unclamped: bounds.length_unclamped,
        })
    }

    fn one_decoy(&self) -> Result<(DecoySource, Statistics<f64>), Error> {
        let basis = |counts: &Counts| {
            Ok::<_, Error>(BasisStatistics {
                counts: self.array(&counts.counts)?,
                errors: self.array(&counts.errors)?,
            })
        };
        let intensities = self.array(&self.intensities)?;
        let probabilities = self.array(&self.intensity_probabilities)?;
        let source = DecoySource::new(intensities, probabilities)?;
        let statistics = Statistics {
            key: basis(&self.key)?,
            test: basis(&self.test)?,
        };
        Ok((source, statistics))
    }

    /// One value for each intensity that the theorem takes.
    fn array<const N: usize>(&self, values: &[f64]) -> Result<[f64; N], Error> {
        values.try_into().map_err(|_| Error::OutOfRange {
            what: "the number of intensities, or of figures for them,",
            value: values.len() as f64,
            expected: "2 (signal and decoy) for wiesemann2024 and rusca2018, 3 for lim2014",
        })
    }
}

/// Detections and errors of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredCounts {
    /// Source and counts, and the theorem for them.
    pub block: DecoyBlock,
    /// P(Z), when it is known: the counts of the two bases are held against it.
    pub key_basis_probability: Option<f64>,
    /// ε_sec and ε_cor.
    pub parameters: SecurityParameters,
    /// What error correction said in public.
    pub disclosed: Disclosed,
    /// What comparing the keys said in public, tags and outcome, bits; a theorem that charges less,
    /// log₂(2/ε_cor), is charged the difference as well. Nothing more when `None`.
    pub verification_bits: Option<f64>,
    /// How long the block took.
    pub seconds: Option<f64>,
    /// The line, to hold the rates against its clock and the repeaterless bound.
    pub link: Link,
}

/// Standard deviations by which the counts of the bases may miss their share before it is said.
const DEVIATIONS_MAX: f64 = 6.0;

impl MeasuredCounts {
    pub(super) fn evaluate(&self) -> Result<Evaluation, Error> {
        let block = &self.block;
        check_basis(&KEY_BASIS, &block.key.counts, &block.key.errors)?;
        check_basis(&TEST_BASIS, &block.test.counts, &block.test.errors)?;
        let block_bits = block.key.total_counts();
        let qber = block.key.qber();
        let leaked_bits = self.disclosed.bits(block_bits, qber)?;
        let parameters = self.parameters.checked()?;
        let told_bits = self.verification_bits.unwrap_or(0.0);
        range::not_negative("verification_bits", told_bits, "zero or more bits")?;
        let longer_tag_bits = (told_bits - log2(2.0 / parameters.correctness)).max(0.0);
        let account = block.account(leaked_bits + longer_tag_bits, parameters)?;
        let mut figures = vec![
            Figure::bits("block_bits", block_bits, "sifted bits of the key basis (n)"),
            Figure::bits(
                "test_bits",
                block.test.total_counts(),
                "bits disclosed in the test basis",
            ),
            Figure::plain("qber", qber, "wrong bits of the key basis (Q)"),
            Figure::plain(
                "test_qber",
                block.test.qber(),
                "wrong bits of the test basis",
            ),
            Figure::plain(
                "secrecy",
                self.parameters.secrecy,
                "failure probability ε_sec",
            ),
            Figure::plain(
                "correctness",
                self.parameters.correctness,
                "failure probability ε_cor",
            ),
        ];
        let shannon_bits = block_bits * binary_entropy(qber);
        if shannon_bits > 0.0 {
            let ratio = leaked_bits / shannon_bits;
            let meaning = "bits disclosed over n h(Q) (f)";
            figures.push(Figure::plain("reconciliation_inefficiency", ratio, meaning));
        }
        figures.extend(account.figures);
        let theorem = block.theorem;
        let evaluation = Evaluation::new(theorem.name(), theorem.standing(), figures);
        let mut evaluation = evaluation.with_length(account.length_unclamped, block_bits);
        if let Some(seconds) = self.seconds {
            let seconds = range::positive("seconds", seconds, "a time in seconds above 0")?;
            let length = account.length_unclamped.max(0.0).floor();
            evaluation.secret_key_rate_bps = Some(length / seconds);
            let meaning = "sifted bits of the key basis per second";
            let rate = Figure::plain("sifted_rate_bps", block_bits / seconds, meaning);
            evaluation.figures.push(rate.measured_in("bit/s"));
        }
        note_leaked_too_little(&mut evaluation, leaked_bits, block.key.classes());
        let registered = block_bits + block.test.total_counts();
        let registered_hz = self.seconds.map(|seconds| registered / seconds);
        self.link.hold(&mut evaluation, registered_hz)?;
        self.hold_against_probability(&mut evaluation)?;
        Ok(evaluation)
    }

    /// Both sides choose Z with the same probability, so the detections of the bases have the ratio
    /// of its squares; with another ratio some input is wrong, or detection depends on the basis.
    fn hold_against_probability(&self, evaluation: &mut Evaluation) -> Result<(), Error> {
        let Some(probability) = self.key_basis_probability else {
            return Ok(());
        };
        let holds = probability > 0.0 && probability < 1.0;
        let expected = "a probability above 0 and below 1";
        range::require("key_basis_probability", probability, holds, expected)?;
        let [key, test] = [probability, 1.0 - probability].map(|p| p * p);
        let expected = test / (key + test);
        let seen = self.block.test.total_counts();
        let all = seen + self.block.key.total_counts();
        let deviation = (all * expected * (1.0 - expected)).sqrt();
        if (seen - all * expected).abs() > DEVIATIONS_MAX * deviation {
            evaluation.note(format!(
                "Of {all} detections {seen} are in the test basis; with key_basis_probability \
                 {probability} at both ends it should be {:.0} ± {deviation:.0}. Either the \
                 figures are not of one block, or detection depends on the basis, which every \
                 theorem here rules out.",
                all * expected
            ));
        }
        Ok(())
    }
}
