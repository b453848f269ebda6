//! One block of the report, from what both ends say about it.

use qkd_wire::proto::node::{BlockReport, MonitorAlarm};
use serde::{Serialize, Serializer};

use super::Outcome;
use crate::account;
use crate::lab::fault::Fault;
use crate::words::{grouped, percent};

/// What became of one block, as both ends reported it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Block {
    /// Block number in its session.
    pub block: u64,
    /// `key` or `aborted`.
    pub outcome: Outcome,
    /// `qber_too_high`, `too_few_detections`, `zero_length`, `verification_failed` or the name of the
    /// monitor that stopped it; `null` with a key.
    pub abort: Option<String>,
    /// What was observed: a rate, a count or bits, as the reason says; `null` with a key.
    pub abort_observed: Option<f64>,
    /// The limit it violated, in the same unit; `null` with a key.
    pub abort_limit: Option<f64>,
    /// Sifted key-basis bits.
    pub sifted_bits: u64,
    /// Key-basis error rate, 0 to 1; `null` where it was not learnt.
    pub qber: Option<f64>,
    /// Upper bound on the phase-error rate, 0 to 1; `null` before estimation.
    pub phase_error_rate: Option<f64>,
    /// Public bits of error correction.
    pub leaked_bits: u64,
    /// `leaked_bits` over the Shannon limit; `null` where no error was corrected.
    pub reconciliation_inefficiency: Option<f64>,
    /// Net bits of the key, for applications; 0 when aborted.
    pub secret_length_bits: u64,
    /// The theorem that lengths come from.
    pub theorem: String,
    /// Bits of every accepted block, fixed before this one began.
    pub fixed_length_bits: u64,
    /// Bits of those spent on the key check; 0 when aborted.
    pub check_bits: u64,
    /// Bits of those mixed into the authentication keys; 0 when aborted.
    pub refresh_bits: u64,
    /// ε_sec that the block spent, with a key or without.
    pub secrecy: f64,
    /// ε_cor that the block spent, with a key or without.
    pub correctness: f64,
    /// What the pair had spent with its key; `null` without one.
    pub budget: Option<Budget>,
    /// What the monitors of both ends said about it.
    pub alarms: Vec<Alarm>,
    /// Every figure that the ends know of it, by name.
    pub figures: Figures,
    /// The session that the block number counts in.
    #[serde(skip)]
    pub session: u64,
    /// Emulated time of the block, s.
    #[serde(skip)]
    pub emulated_seconds: f64,
    /// Why it was aborted, in a sentence.
    #[serde(skip)]
    pub text: String,
}

/// What a monitor saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alarm {
    /// Its name.
    pub monitor: String,
    /// What it saw, in the unit of its quantity.
    pub observed: f64,
    /// What an undisturbed link shows.
    pub expected: f64,
    /// The bound that was crossed.
    pub limit: f64,
    /// All of it in one sentence.
    #[serde(skip)]
    pub text: String,
}

impl From<&MonitorAlarm> for Alarm {
    fn from(alarm: &MonitorAlarm) -> Self {
        Self {
            monitor: alarm.monitor.clone(),
            observed: alarm.observed,
            expected: alarm.expected,
            limit: alarm.limit,
            text: alarm.text.clone(),
        }
    }
}

/// What a pair has spent of its failure budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// Blocks that it had begun, with a key or without.
    pub blocks: u64,
    /// Sum of ε_sec.
    pub secrecy: f64,
    /// Sum of ε_cor.
    pub correctness: f64,
}

/// Figures of a block by name, in the order in which they came to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures(pub(super) Vec<(String, f64)>);

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(name, value)| (name, JsonNumber(*value))),
        )
    }
}

struct JsonNumber(f64);

impl Serialize for JsonNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        account::number(&self.0, serializer)
    }
}

impl Block {
    /// One block from what both ends say about it.
    ///
    /// # Errors
    /// [`Fault::Disagreement`] when they differ in the outcome or in the length of the key;
    /// [`Fault::UnknownOutcome`] for an outcome that there is not.
    pub fn merged(alice: &BlockReport, bob: &BlockReport) -> Result<Self, Fault> {
        let outcome = outcome("Alice", alice)?;
        let same = outcome == self::outcome("Bob", bob)?;
        if !same || alice.secret_length_bits != bob.secret_length_bits {
            return Err(Fault::Disagreement {
                block: alice.block,
                alice: told(alice),
                bob: told(bob),
            });
        }
        let first = |texts: [&String; 2]| {
            let said = texts.into_iter().find(|text| !text.is_empty());
            said.cloned()
        };
        let abort = match outcome {
            Outcome::Key | Outcome::Fault => None,
            Outcome::Aborted => first([&alice.abort_reason, &bob.abort_reason]),
        };
        Ok(Self {
            alarms: alice
                .alarms
                .iter()
                .chain(&bob.alarms)
                .map(Alarm::from)
                .collect(),
            session: alice.session,
            block: alice.block,
            outcome,
            abort,
            abort_observed: alice.abort_observed.or(bob.abort_observed),
            abort_limit: alice.abort_limit.or(bob.abort_limit),
            // An end that was told to abort may have learnt less than the other.
            sifted_bits: alice.sifted_bits.max(bob.sifted_bits),
            qber: alice.qber.or(bob.qber),
            phase_error_rate: alice.phase_error_rate.or(bob.phase_error_rate),
            leaked_bits: alice.leaked_bits.max(bob.leaked_bits),
            reconciliation_inefficiency: alice
                .reconciliation_inefficiency
                .or(bob.reconciliation_inefficiency),
            secret_length_bits: alice.secret_length_bits,
            theorem: alice.theorem.clone(),
            fixed_length_bits: alice.fixed_length_bits,
            check_bits: alice.check_bits,
            refresh_bits: alice.refresh_bits,
            secrecy: alice.secrecy,
            correctness: alice.correctness,
            budget: alice.spent.or(bob.spent).map(|spent| Budget {
                blocks: spent.runs,
                secrecy: spent.secrecy,
                correctness: spent.correctness,
            }),
            figures: figures(alice, bob),
            emulated_seconds: alice.emulated_seconds.max(bob.emulated_seconds),
            text: first([&alice.text, &bob.text]).unwrap_or_default(),
        })
    }

    /// The block in one line, as live progress shows it.
    pub fn line(&self) -> String {
        let result = match (self.outcome, &self.abort) {
            (Outcome::Key, _) => format!("{} secret bits", grouped(self.secret_length_bits)),
            (Outcome::Aborted | Outcome::Fault, Some(reason)) => format!("aborted: {reason}"),
            (Outcome::Aborted | Outcome::Fault, None) => "aborted".to_owned(),
        };
        format!(
            "block {}: QBER {}, {} sifted bits, {result}",
            self.block,
            self.qber.map_or("unknown".to_owned(), percent),
            grouped(self.sifted_bits),
        )
    }

    pub(super) fn why(&self, reason: &str) -> String {
        match self.text.as_str() {
            "" => format!("why: {reason}"),
            text => format!("why: {text} ({reason})"),
        }
    }

    pub(super) fn cells(&self) -> [String; 8] {
        let none = || "–".to_owned();
        [
            self.block.to_string(),
            match self.outcome {
                Outcome::Key => "key".to_owned(),
                Outcome::Aborted | Outcome::Fault => "aborted".to_owned(),
            },
            grouped(self.sifted_bits),
            self.qber.map_or_else(none, percent),
            self.phase_error_rate.map_or_else(none, percent),
            grouped(self.leaked_bits),
            self.reconciliation_inefficiency
                .map_or_else(none, |f| format!("{f:.3}")),
            grouped(self.secret_length_bits),
        ]
    }
}

impl Figures {
    /// The figure of that name, if an end knows it.
    pub fn value(&self, name: &str) -> Option<f64> {
        let known = self.0.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| *value)
    }

    /// The figure of that name in whole bits, for people.
    pub(super) fn bits(&self, name: &str) -> String {
        self.value(name)
            .map_or("an unknown number".to_owned(), |value| {
                // Negative lengths are no key.
                grouped(value.max(0.0).floor() as u64)
            })
    }
}

/// What either end knows. Only Bob counts the errors of a block that is refused early.
fn figures(alice: &BlockReport, bob: &BlockReport) -> Figures {
    let [more, fewer] = match alice.figures.len() > bob.figures.len() {
        true => [alice, bob],
        false => [bob, alice],
    };
    let known = |name: &str| more.figures.iter().any(|figure| figure.name == name);
    let rest = fewer.figures.iter().filter(|figure| !known(&figure.name));
    let all = more.figures.iter().chain(rest);
    Figures(all.map(|f| (f.name.clone(), f.value)).collect())
}

fn outcome(service: &'static str, report: &BlockReport) -> Result<Outcome, Fault> {
    match report.outcome.as_str() {
        "key" => Ok(Outcome::Key),
        "aborted" => Ok(Outcome::Aborted),
        other => Err(Fault::UnknownOutcome {
            service,
            block: report.block,
            outcome: other.to_owned(),
        }),
    }
}

fn told(report: &BlockReport) -> String {
    let bits = grouped(report.secret_length_bits);
    match report.abort_reason.as_str() {
        "" => format!("{} of {bits} bits", report.outcome),
        reason => format!("{} ({reason})", report.outcome),
    }
}
