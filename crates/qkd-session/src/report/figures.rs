//! The account of a block as a list: every number with its name, its meaning and its unit.

use qkd_security::{BasisStatistics, Figure, Spent, Statistics};

use super::{BlockReport, Outcome, SiftedReport};
use crate::{AUTHENTICATION_REFRESH_BITS, CHECK_BITS};

impl BlockReport {
    /// Every figure that is known of the block, in the order in which they came to be: what was
    /// detected, sifted, said in public, bounded by the theorem, fixed in advance, spent and
    /// delivered. A figure that this side did not learn is missing. Both sides of a block give
    /// equal values to every figure that both know.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![
            count("slots", self.end_slot - self.first_slot, "of the block").measured_in("slots"),
            detections("detections", self.detections, "announced by Bob"),
        ];
        if let Some(sifted) = &self.sifted {
            figures.extend(self.counts(sifted));
        }
        if let Some(statistics) = &self.statistics {
            figures.extend(key_errors(statistics));
        }
        figures.extend(self.qber.map(|rate| self.error_rate(rate)));
        if self.leakage != Default::default() {
            figures.extend(self.disclosed());
        }
        if let Some(length) = &self.key_length {
            figures.extend(length.figures());
        }
        figures.push(bits(
            "fixed_length_bits",
            self.fixed_length_bits,
            "ℓ of every accepted block, fixed before this one began",
        ));
        figures.extend(self.delivered());
        figures.extend(self.budget());
        figures
    }

    fn counts(&self, sifted: &SiftedReport) -> Vec<Figure> {
        let mut figures = vec![bits(
            "sifted_bits",
            self.sifted_bits,
            "in the key basis of both, of either intensity",
        )];
        let [signal, decoy] = sifted.key_counts;
        figures.extend([
            detections("key_signal_detections", signal, "of those, signals"),
            detections("key_decoy_detections", decoy, "of those, decoys"),
        ]);
        let [signal, decoy] = sifted.test_counts;
        figures.extend([
            detections(
                "test_signal_detections",
                signal,
                "signals in the test basis of both",
            ),
            detections(
                "test_decoy_detections",
                decoy,
                "decoys in the test basis of both",
            ),
        ]);
        if let Some([signal, decoy]) = self.test_errors() {
            figures.extend([
                detections(
                    "test_signal_errors",
                    signal,
                    "wrong ones among those signals",
                ),
                detections("test_decoy_errors", decoy, "wrong ones among those decoys"),
            ]);
        }
        figures
    }

    /// Errors of the test basis: Bob's count, which he tells Alice once the keys are verified.
    fn test_errors(&self) -> Option<[u64; 2]> {
        let told = self.statistics.map(|statistics| statistics.test.errors);
        told.or_else(|| self.sifted.and_then(|sifted| sifted.test_errors))
    }

    fn error_rate(&self, rate: f64) -> Figure {
        match self.statistics {
            Some(_) => Figure::plain("qber", rate, "error rate of the key basis"),
            None => Figure::plain("test_qber", rate, "error rate of the test basis"),
        }
    }

    /// λ_EC, bit by bit. What a theorem charges, and why, stands at
    /// [`charged_leakage`](qkd_security::wiesemann2024::charged_leakage).
    fn disclosed(&self) -> Vec<Figure> {
        let said = &self.leakage;
        let mut figures = vec![
            bits(
                "from_alice_bits",
                said.from_alice_bits,
                "parities of her key that Alice sent: charged",
            ),
            bits(
                "from_bob_bits",
                said.from_bob_bits,
                "comparisons that Bob sent: not charged, they tell of errors alone, which the \
                 proof gives to Eve",
            ),
            bits(
                "verification_tag_bits",
                said.verification_tag_bits,
                "hash of the key that Alice sent: charged, or log₂(2/ε_cor) if that is more",
            ),
            bits(
                "verification_outcome_bits",
                said.verification_outcome_bits,
                "Bob's verdict on it: charged with it",
            ),
        ];
        figures.extend(self.rounds.map(|rounds| {
            count(
                "correction_rounds",
                rounds.into(),
                "of error correction: a message of parities and its answer each",
            )
            .measured_in("rounds")
        }));
        figures.extend(self.reconciliation_inefficiency.map(|inefficiency| {
            Figure::plain(
                "reconciliation_inefficiency",
                inefficiency,
                "Alice's parities over the Shannon limit (f)",
            )
        }));
        figures
    }

    fn delivered(&self) -> Vec<Figure> {
        match self.outcome {
            Outcome::Key { secret_length_bits } => vec![
                bits(
                    "check_bits",
                    CHECK_BITS,
                    "of those, spent on showing that both sides have one key",
                ),
                bits(
                    "refresh_bits",
                    AUTHENTICATION_REFRESH_BITS,
                    "of those, mixed into the authentication keys",
                ),
                bits(
                    "secret_length_bits",
                    secret_length_bits,
                    "the rest: the net key, for applications",
                ),
            ],
            Outcome::Aborted(_) => Vec::new(),
        }
    }

    fn budget(&self) -> Vec<Figure> {
        let (secrecy, correctness) = (self.parameters.secrecy, self.parameters.correctness);
        let mut figures = vec![
            Figure::plain(
                "secrecy",
                secrecy,
                "spent by this block, with a key or without (ε_sec)",
            ),
            Figure::plain(
                "correctness",
                correctness,
                "spent by this block, with a key or without (ε_cor)",
            ),
        ];
        figures.extend(self.spent.iter().flat_map(pair));
        figures
    }
}

/// What the pair had spent with this block.
fn pair(spent: &Spent) -> [Figure; 2] {
    [
        count(
            "pair_runs",
            spent.runs,
            "begun by this pair so far, with a key or without",
        )
        .measured_in("blocks"),
        Figure::plain(
            "pair_failure",
            spent.total(),
            "failure probability of all keys of the pair together, at most (ε_total)",
        ),
    ]
}

fn key_errors(statistics: &Statistics) -> [Figure; 2] {
    let BasisStatistics {
        errors: [signal, decoy],
        ..
    } = statistics.key;
    [
        detections(
            "key_signal_errors",
            signal,
            "corrected among the signals of the key basis",
        ),
        detections(
            "key_decoy_errors",
            decoy,
            "corrected among the decoys of the key basis",
        ),
    ]
}

fn count(name: &'static str, value: u64, meaning: &'static str) -> Figure {
    // Exact below 2^53, which a block's numbers do not reach.
    Figure::plain(name, value as f64, meaning)
}

fn bits(name: &'static str, value: u64, meaning: &'static str) -> Figure {
    count(name, value, meaning).measured_in("bits")
}

fn detections(name: &'static str, value: u64, meaning: &'static str) -> Figure {
    count(name, value, meaning).measured_in("detections")
}
