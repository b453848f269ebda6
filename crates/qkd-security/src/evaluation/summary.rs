use super::link::{Sifted, note_leaked_too_little};
use super::{BlockTheorem, Counts, DecoyBlock, Disclosed, Evaluation, Link};
use crate::mathematics::exp_m1;
use crate::theorem::{LEAKED_BITS, LENGTH_UNCLAMPED};
use crate::tomamichel2012::{self, PhaseErrors};
use crate::{Error, Figure, SecurityParameters, SideChannels, binary_entropy, range};

/// What the block was made with.
#[derive(Clone, Debug, PartialEq)]
pub enum SummarySource {
    /// A source of single photons (BB84) or of pairs (BBM92): [`tomamichel2012`].
    SinglePhotons {
        /// How many bits of the other basis showed `phase_error_rate`; `None` when that is a bound
        /// already.
        test_bits: Option<f64>,
    },
    /// Weak pulses with decoys; `phase_error_rate` is the bound on the key's single photons.
    Decoy(DecoySummary),
}

/// The source of weak pulses behind a [`MeasuredSummary`].
#[derive(Clone, Debug, PartialEq)]
pub struct DecoySummary {
    /// Which theorem is applied.
    pub theorem: BlockTheorem,
    /// Mean photons per pulse, the signal first.
    pub intensities: Vec<f64>,
    /// How often each is sent; all equally often when nobody says.
    pub intensity_probabilities: Option<Vec<f64>>,
}

/// What a table gives of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredSummary {
    /// Source and theorem.
    pub source: SummarySource,
    /// n: sifted bits of the key basis.
    pub block_bits: f64,
    /// Q: share of wrong bits among them, \[0, ½\].
    pub qber: f64,
    /// φ: phase error rate, \[0, ½\].
    pub phase_error_rate: f64,
    /// P(Z), when it is known; reported, and not used by any bound.
    pub key_basis_probability: Option<f64>,
    /// Sifted bits of the key basis per second.
    pub sifted_rate_bps: Option<f64>,
    /// The line, to hold the rates against its clock and the repeaterless bound.
    pub link: Link,
    /// ε_sec and ε_cor.
    pub parameters: SecurityParameters,
    /// What error correction said in public.
    pub disclosed: Disclosed,
}

impl MeasuredSummary {
    pub(super) fn evaluate(&self) -> Result<Evaluation, Error> {
        let block_bits =
            range::positive("block_bits", self.block_bits, "a number of bits above 0")?;
        let qber = range::error_rate("qber", self.qber)?;
        range::error_rate("phase_error_rate", self.phase_error_rate)?;
        let transmittance = self.link.transmittance()?;
        let leaked_bits = self.disclosed.bits(block_bits, qber)?;
        let mut evaluation = match &self.source {
            SummarySource::SinglePhotons { test_bits } => {
                self.single_photons(*test_bits, leaked_bits)?
            }
            SummarySource::Decoy(source) => self.decoy(source, transmittance, leaked_bits)?,
        };
        let mut about = vec![
            Figure::bits("block_bits", block_bits, "sifted bits of the key basis (n)"),
            Figure::plain("qber", qber, "wrong bits of the key basis (Q)"),
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
        if let Some(probability) = self.key_basis_probability {
            let meaning = "both sides choose the key basis with, P(Z)";
            about.push(Figure::plain("key_basis_probability", probability, meaning));
        }
        about.append(&mut evaluation.figures);
        evaluation.figures = about;
        let bits = block_bits;
        note_leaked_too_little(
            &mut evaluation,
            leaked_bits,
            [Sifted { bits, qber }].into_iter(),
        );
        self.rates(&mut evaluation)?;
        Ok(evaluation)
    }

    fn single_photons(
        &self,
        test_bits: Option<f64>,
        leaked_bits: f64,
    ) -> Result<Evaluation, Error> {
        let phase_error_rate = self.phase_error_rate;
        let bounds = tomamichel2012::secret_length(&tomamichel2012::Block {
            block_bits: self.block_bits,
            phase_errors: match test_bits {
                None => PhaseErrors::Bounded { phase_error_rate },
                Some(test_bits) => PhaseErrors::Seen {
                    phase_error_rate,
                    test_bits,
                },
            },
            leaked_bits,
            parameters: self.parameters,
        })?;
        let figures = bounds.figures();
        let evaluation = Evaluation::new("bbm92", tomamichel2012::STANDING, figures);
        let mut evaluation = evaluation.with_length(bounds.length_unclamped, self.block_bits);
        evaluation.note(
            "No intensities are given: every detection counts as a single photon or a pair. Weak \
             laser pulses need `intensities` and `intensity_probabilities`.",
        );
        if test_bits.is_none() {
            evaluation.note(
                "The phase error rate is taken as a bound; where it is a rate that was seen, give \
                 `test_bits`, the number of bits it was seen in.",
            );
        }
        Ok(evaluation)
    }

    /// Counts per intensity as the loss divides them, the theorem's bound on the single photons in
    /// them, and the phase error rate as stated.
    fn decoy(
        &self,
        source: &DecoySummary,
        transmittance: Option<f64>,
        leaked_bits: f64,
    ) -> Result<Evaluation, Error> {
        let DecoySummary {
            theorem,
            intensities,
            intensity_probabilities,
        } = source;
        let even = vec![1.0 / intensities.len().max(1) as f64; intensities.len()];
        let probabilities = intensity_probabilities.as_ref().unwrap_or(&even);
        let counts = divided(self.block_bits, intensities, probabilities, transmittance);
        let errors = counts.iter().map(|count| count * self.qber).collect();
        let key = Counts { counts, errors };
        let block = DecoyBlock {
            theorem: *theorem,
            intensities: intensities.clone(),
            intensity_probabilities: probabilities.clone(),
            // The bound on the key's single photons asks the key basis alone.
            test: key.clone(),
            key,
            side_channels: SideChannels::NONE,
            exposure: None,
        };
        let account = block.account(leaked_bits, self.parameters)?;
        let private = account.single_photons * (1.0 - binary_entropy(self.phase_error_rate));
        let length_unclamped =
            account.vacuum_counted + private - account.leaked_bits - account.overhead_bits;
        let mut figures = Vec::new();
        for (name, count) in COUNT_NAMES.into_iter().zip(&block.key.counts) {
            let meaning = "of this intensity, by the loss (n_Z)";
            figures.push(Figure::detections(name, *count, meaning));
        }
        let of_the_key = ["vacuum_key_min", "vacuum_key_max", "single_photon_key_min"];
        let kept = account.figures.into_iter();
        figures.extend(kept.filter(|figure| of_the_key.contains(&figure.name)));
        figures.extend([
            Figure::plain(
                "phase_error_rate",
                self.phase_error_rate,
                "phase error rate, as stated (φ)",
            ),
            Figure::bits("leaked_bits", account.leaked_bits, LEAKED_BITS),
            Figure::bits(
                "overhead_bits",
                account.overhead_bits,
                "price of ε_sec and of comparing the keys",
            ),
            Figure::bits("length_unclamped_bits", length_unclamped, LENGTH_UNCLAMPED),
        ]);
        let evaluation = Evaluation::new(theorem.name(), theorem.standing(), figures);
        let mut evaluation = evaluation.with_length(length_unclamped, self.block_bits);
        evaluation.note(
            "The counts per intensity are not measured but follow from loss and intensities, with \
             the same error rate each; the phase error rate is taken as the bound it is said to be.",
        );
        if intensity_probabilities.is_none() {
            evaluation.note(
                "`intensity_probabilities` is not given: all intensities are taken to be sent \
                 equally often.",
            );
        }
        Ok(evaluation)
    }

    fn rates(&self, evaluation: &mut Evaluation) -> Result<(), Error> {
        if let Some(sifted) = self.sifted_rate_bps {
            let sifted = range::positive("sifted_rate_bps", sifted, "bit/s above 0")?;
            let rate = evaluation.secret_fraction.map(|fraction| fraction * sifted);
            evaluation.secret_key_rate_bps = rate;
            let meaning = "time that the block takes";
            let seconds = Figure::plain("block_seconds", self.block_bits / sifted, meaning);
            evaluation.figures.push(seconds.measured_in("s"));
        }
        self.link.hold(evaluation, self.sifted_rate_bps)
    }
}

/// What the detections of each intensity are called.
const COUNT_NAMES: [&str; 3] = ["key_counts_0", "key_counts_1", "key_counts_2"];

/// `total` detections divided among intensities: n_k ∝ p_k (1 − e^(−ημ_k)), or ∝ p_k μ_k, its limit
/// for large loss, when the transmittance is not known. Dark counts are left out: the error rate
/// says that they are few.
fn divided(
    total: f64,
    intensities: &[f64],
    probabilities: &[f64],
    transmittance: Option<f64>,
) -> Vec<f64> {
    let weights: Vec<f64> = intensities
        .iter()
        .zip(probabilities)
        .map(|(&intensity, &probability)| match transmittance {
            Some(eta) if eta > 0.0 => probability * -exp_m1(-eta * intensity),
            Some(_) | None => probability * intensity,
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    // Intensities and probabilities that make no sense are refused with the source.
    let share = |weight: &f64| if sum > 0.0 { total * weight / sum } else { 0.0 };
    weights.iter().map(share).collect()
}
