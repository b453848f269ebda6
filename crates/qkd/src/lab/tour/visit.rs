//! One attack of a tour: what Alice and Bob saw of it, and how it ended.

use qkd_attacks::Verdict;
use qkd_node::parameters::LinkParameters;
use qkd_wire::proto::eve::{Attack, Tally};
use serde::Serialize;

use super::stops::Stop;
use crate::lab::report::{Block, Outcome};
use crate::lab::watch::View;

/// What an honest link shows.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Gain of the decoys over that of the signals.
    pub decoy_ratio: f64,
    /// Detections per slot.
    pub detections_per_slot: f64,
    /// Share of the pulses that are signals, and that are decoys.
    probabilities: [f64; 2],
}

impl Expected {
    /// Of a link without Eve.
    ///
    /// # Errors
    /// When the link cannot be planned.
    pub fn of(parameters: &LinkParameters) -> Result<Self, qkd_security::Error> {
        let plan = parameters.block_plan()?;
        let counts = parameters.link_model()?.expected().per_slot().key.counts;
        let probabilities = parameters.source.intensity_probabilities;
        Ok(Self {
            decoy_ratio: ratio(counts, probabilities),
            detections_per_slot: plan.detections as f64 / plan.slots_expected,
            probabilities,
        })
    }
}

/// Gain of the decoys over that of the signals, from detections of both.
fn ratio([signal, decoy]: [f64; 2], [of_signals, of_decoys]: [f64; 2]) -> f64 {
    (decoy / of_decoys) / (signal / of_signals)
}

/// One attack; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Visit {
    /// Its name.
    pub attack: String,
    /// The same with its parameters.
    pub spec: String,
    /// What laboratory it was done to: `sound`, `weak`, `one-by-one`, `foreseen` or `watched`.
    pub laboratory: &'static str,
    /// Where Eve stood: `bobs-door`, `alices-door` or `lossless-line`.
    pub site: String,
    /// What is behind it.
    pub lesson: &'static str,
    /// What Alice and Bob saw, block by block.
    pub blocks: Vec<SeenBlock>,
    /// Windows in which the monitor of the incoming light sounded at Bob.
    pub power_alarms: u64,
    /// Monitors that raised an alarm about any of the blocks, by name.
    pub monitors: Vec<String>,
    /// What they said the first time.
    #[serde(skip)]
    pub monitors_said: Vec<String>,
    /// What else the nodes complained of.
    pub alarms: Vec<String>,
    /// Pulses with light that came by.
    pub pulses_seen: u64,
    /// Those that she measured or kept photons of.
    pub intercepted: u64,
    /// Pulses that she sent in their place.
    pub resent: u64,
    /// Photons of Bob's detectors that she caught.
    pub caught_photons: u64,
    /// Photons that came back to her out of Alice's laboratory.
    pub returned_photons: u64,
    /// What she learnt, by theory: the services do not score her.
    pub gain_by_theory: &'static str,
    /// How it should end: `caught`, `bounded` or `open`.
    pub told: &'static str,
    /// How it ended: `caught`, `bounded`, `open` or `missed`.
    pub verdict: &'static str,
    /// The same in words.
    pub sentence: String,
    /// Whether it ended as the table of attacks says, or better.
    pub is_as_told: bool,
    #[serde(skip)]
    ending: Verdict,
}

/// What both ends saw of one block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeenBlock {
    /// Its number.
    pub block: u64,
    /// `key` or `aborted`.
    pub outcome: Outcome,
    /// Why it was aborted; `null` with a key.
    pub abort: Option<String>,
    /// The same in a sentence.
    #[serde(skip)]
    pub text: String,
    /// Error rate of the key basis, 0 to 1; `null` for a block refused before it was known.
    pub key_qber: Option<f64>,
    /// Error rate of the test basis, 0 to 1; `null` without a detection there.
    pub test_qber: Option<f64>,
    /// Gain of the decoys over that of the signals; `null` without a signal.
    pub decoy_ratio: Option<f64>,
    /// Detections per slot, as a share of what is expected; `null` when unknown.
    pub detections_share: Option<f64>,
    /// Net secret bits.
    pub secret_length_bits: u64,
}

impl Visit {
    /// An attack on a laboratory that has just begun; nothing when there is none of that name.
    pub fn new((laboratory, stop): (&'static str, &Stop), set: Attack) -> Option<Self> {
        let about = qkd_attacks::about(stop.attack())?;
        let ending = stop.told.unwrap_or(about.verdict);
        Some(Self {
            attack: stop.attack().to_owned(),
            spec: set.spec,
            laboratory,
            site: set.site,
            lesson: about.lesson,
            blocks: Vec::new(),
            power_alarms: 0,
            monitors: Vec::new(),
            monitors_said: Vec::new(),
            alarms: Vec::new(),
            pulses_seen: 0,
            intercepted: 0,
            resent: 0,
            caught_photons: 0,
            returned_photons: 0,
            gain_by_theory: about.gain,
            told: ending.name(),
            verdict: "open",
            sentence: String::new(),
            is_as_told: false,
            ending,
        })
    }

    /// Notes a block.
    pub fn see(&mut self, block: &Block, expected: &Expected) {
        let value = |name: &str| block.figures.value(name);
        let both = |names: [&str; 2]| Some(value(names[0])? + value(names[1])?);
        let per = |count: Option<f64>, of: Option<f64>| {
            let share = count? / of?;
            share.is_finite().then_some(share)
        };
        let signals = both(["key_signal_detections", "test_signal_detections"]);
        let decoys = both(["key_decoy_detections", "test_decoy_detections"]);
        let counts = signals.zip(decoys);
        let decoy_ratio = counts.map(|(s, d)| ratio([s, d], expected.probabilities));
        for alarm in &block.alarms {
            if !self.monitors.contains(&alarm.monitor) {
                self.monitors.push(alarm.monitor.clone());
                self.monitors_said.push(alarm.text.clone());
            }
        }
        self.blocks.push(SeenBlock {
            block: block.block,
            outcome: block.outcome,
            abort: block.abort.clone(),
            text: block.text.clone(),
            key_qber: value("qber"),
            test_qber: per(
                both(["test_signal_errors", "test_decoy_errors"]),
                both(["test_signal_detections", "test_decoy_detections"]),
            ),
            decoy_ratio: decoy_ratio.filter(|ratio| ratio.is_finite()),
            detections_share: per(value("detections"), value("slots"))
                .map(|rate| rate / expected.detections_per_slot),
            secret_length_bits: block.secret_length_bits,
        });
    }

    /// Notes what Eve did between two looks at her.
    pub fn set_tally(&mut self, before: &Tally, now: &Tally) {
        let since = |of: fn(&Tally) -> u64| of(now).saturating_sub(of(before));
        self.pulses_seen = since(|tally| tally.pulses_seen);
        self.intercepted = since(|tally| tally.intercepted);
        self.resent = since(|tally| tally.resent);
        self.caught_photons = since(|tally| tally.caught_photons);
        self.returned_photons = since(|tally| tally.returned_photons);
    }

    /// Says how it ended, once everything has been seen.
    pub fn judge(&mut self) {
        let keys = self.blocks.iter().filter(|one| one.outcome == Outcome::Key);
        let (keys, all) = (keys.count(), self.blocks.len());
        let told = self.ending;
        let reasons = || {
            let mut reasons: Vec<&str> = Vec::new();
            for reason in self.blocks.iter().filter_map(|one| one.abort.as_deref()) {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
            reasons.join(", ")
        };
        let (verdict, sentence, is_as_told) = match told {
            Verdict::Caught(_) if keys == 0 => ("caught", told.sentence(), true),
            // What the theorem counts are pulses of one photon.
            Verdict::Caught(_) if hides_in_the_loss(&self.attack) => (
                "bounded",
                "bounded: the fibre loses too little to hide more, and the decoys leave the rest to \
                 the key length"
                    .to_owned(),
                true,
            ),
            Verdict::Caught(_) => (
                "missed",
                format!("NOT caught in {keys} of {all} blocks"),
                false,
            ),
            // What only lost its light tells nothing of the attack.
            Verdict::Open(_) if keys == 0 => {
                let is_seen = reasons() != "too_few_detections";
                let verdict = if is_seen { "caught" } else { "missed" };
                (verdict, format!("{verdict}: {}", reasons()), is_seen)
            }
            Verdict::Open(_) => ("open", told.sentence(), true),
            Verdict::Bounded(_) if keys == all => ("bounded", told.sentence(), true),
            // Detectors that all sleep see nothing, and tell her nothing.
            Verdict::Bounded(_) if self.is_put_to_sleep() => {
                let sentence = format!("{}; no key comes of it: {}", told.sentence(), reasons());
                ("bounded", sentence, true)
            }
            Verdict::Bounded(_) => {
                let sentence = format!("{} of {all} blocks refused: {}", all - keys, reasons());
                ("missed", sentence, false)
            }
        };
        (self.verdict, self.sentence, self.is_as_told) = (verdict, sentence, is_as_told);
    }

    /// Whether every block ended for the reason that detectors are asleep which her light keeps so.
    fn is_put_to_sleep(&self) -> bool {
        let asleep = |block: &SeenBlock| {
            let reason = block.abort.as_deref();
            matches!(reason, Some("too_few_detections" | "input_power"))
        };
        self.attack == "dead-time" && !self.blocks.is_empty() && self.blocks.iter().all(asleep)
    }

    /// The JSON object, one line.
    pub fn json(&self) -> String {
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"verdict":"fault"}"#.to_owned())
    }
}

/// Whether an attack stops as many pulses as the old fibre would have lost, and no more.
fn hides_in_the_loss(attack: &str) -> bool {
    matches!(
        attack,
        "photon-number-splitting" | "unambiguous-discrimination"
    )
}

/// Which blocks are wholly of one attack, and what the nodes had counted before them.
pub struct Sight {
    session: Option<u64>,
    /// The first block of that session that counts; all of later sessions do.
    first: u64,
    /// Blocks that were done before.
    done: usize,
    power_alarms: u64,
}

impl Sight {
    /// From the block after the next one on: what is on its way now may still reach into that.
    pub fn from_now(view: &View) -> Self {
        let bob = view.status.bob.as_ref();
        let collecting = bob.and_then(|bob| bob.block_in_progress);
        let last = view.finished.iter().map(|block| block.block).max();
        let now = collecting.map_or(last.unwrap_or(0), |block| block.block);
        Self {
            session: bob.and_then(|bob| bob.session),
            first: now + 2,
            done: view.finished.len(),
            power_alarms: 0,
        }
    }

    /// The same, with what the nodes have counted up to here.
    pub fn with_counters(self, view: &View) -> Self {
        let power_alarms = power_alarms(view);
        Self {
            power_alarms,
            ..self
        }
    }

    /// Whether the first block that counts is being collected, or done.
    pub fn has_begun(&self, view: &View) -> bool {
        let bob = view.status.bob.as_ref();
        let collecting = bob.and_then(|bob| bob.block_in_progress);
        let counts = |block: u64| {
            let session = bob.and_then(|bob| bob.session);
            block >= self.first || (session.is_some() && session != self.session)
        };
        collecting.is_some_and(|block| counts(block.block)) || self.blocks(view).next().is_some()
    }

    /// The blocks that count and that both have reported.
    pub fn blocks<'v>(&self, view: &'v View) -> impl Iterator<Item = &'v Block> {
        let (session, first) = (self.session, self.first);
        let since = view.finished.iter().skip(self.done);
        since.filter(move |block| Some(block.session) != session || block.block >= first)
    }

    /// Notes what the nodes counted and complained of since.
    pub fn look(&self, view: &View, visit: &mut Visit) {
        visit.power_alarms = power_alarms(view).saturating_sub(self.power_alarms);
        let nodes = [&view.status.alice, &view.status.bob].into_iter().flatten();
        visit.alarms = nodes.flat_map(|node| node.alarms.clone()).collect();
    }
}

fn power_alarms(view: &View) -> u64 {
    view.status.bob.as_ref().map_or(0, |bob| bob.power_alarms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_wire::proto::node::{BlockProgress, BlockReport, NodeStatus};

    fn visit(attack: &'static str, outcomes: &[&str]) -> Visit {
        let stop = Stop {
            spec: attack,
            told: None,
        };
        let mut visit = Visit::new(("sound", &stop), Attack::default()).unwrap();
        let expected = Expected {
            decoy_ratio: 0.35,
            detections_per_slot: 0.05,
            probabilities: [0.5, 0.5],
        };
        for outcome in outcomes {
            let report = BlockReport {
                outcome: (*outcome).to_owned(),
                ..BlockReport::default()
            };
            let block = Block::merged(&report, &report).unwrap();
            visit.see(&block, &expected);
        }
        visit.judge();
        visit
    }

    #[test]
    fn an_attack_ends_as_its_table_says_or_that_is_told() {
        for (attack, outcomes, verdict, is_as_told) in [
            ("passive", ["key", "key"], "bounded", true),
            ("passive", ["key", "aborted"], "missed", false),
            ("intercept-resend", ["aborted", "aborted"], "caught", true),
            ("intercept-resend", ["aborted", "key"], "missed", false),
        ] {
            let visit = visit(attack, &outcomes);
            let ended = (visit.verdict, visit.is_as_told);
            assert_eq!(ended, (verdict, is_as_told), "{}", visit.sentence);
        }
        let missed = visit("intercept-resend", &["aborted", "key"]).sentence;
        assert!(missed.contains("1 of 2"), "{missed}");
    }

    /// Light of Eve's own excuses nothing: a link that was to go on and ended is told.
    #[test]
    fn a_bounded_attack_may_end_a_link_by_putting_its_detectors_to_sleep_and_in_no_other_way() {
        for (attack, reason, verdict, is_as_told) in [
            ("dead-time", "too_few_detections", "bounded", true),
            ("dead-time", "input_power", "bounded", true),
            ("dead-time", "qber_too_high", "missed", false),
            ("beam-splitting", "too_few_detections", "missed", false),
        ] {
            let mut visit = visit(attack, &["aborted", "aborted"]);
            visit.resent = 1_000;
            for block in &mut visit.blocks {
                block.abort = Some(reason.to_owned());
            }
            visit.judge();
            let ended = (visit.verdict, visit.is_as_told);
            assert_eq!(ended, (verdict, is_as_told), "{attack}: {}", visit.sentence);
        }
    }

    #[test]
    fn what_decoys_let_pass_is_in_the_key_length() {
        let visit = visit("unambiguous-discrimination", &["key", "key"]);
        assert_eq!((visit.verdict, visit.is_as_told), ("bounded", true));
    }

    #[test]
    fn blocks_with_light_of_the_attack_before_do_not_count() {
        let status = |block| NodeStatus {
            session: Some(9),
            block_in_progress: Some(BlockProgress {
                block,
                ..BlockProgress::default()
            }),
            ..NodeStatus::default()
        };
        let mut view = View::default();
        view.status.bob = Some(status(4));
        let sight = Sight::from_now(&view);
        for block in 4..8 {
            let report = BlockReport {
                session: 9,
                block,
                outcome: "key".to_owned(),
                ..BlockReport::default()
            };
            view.finished.push(Block::merged(&report, &report).unwrap());
            let begun = sight.has_begun(&view);
            assert_eq!(begun, block >= 6, "{block}");
        }
        let counted: Vec<u64> = sight.blocks(&view).map(|block| block.block).collect();
        assert_eq!(counted, [6, 7]);
    }
}
