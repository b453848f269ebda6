//! Two engines back to back, over light that nobody emulates: labels and clicks are drawn directly
//! from the expected counts.

mod lies;

use std::collections::VecDeque;

use qkd_bits::SecretRng;
use qkd_optics::{Basis, Choice, Detection, IntensityClass};
use qkd_protocols::{AliceRecord, DecoyBb84, Hardware, LinkSetup, Protocol};
use qkd_security::{BlockPlan, DecoySource, LinkModel, Margin, SecurityParameters, Theorem};

use crate::{
    AbortReason, Alice, AliceInput, AliceOutput, BlockReport, Bob, BobInput, BobOutput, Distilled,
    Error, Message, Outcome, SessionId, SessionLimits, Time,
};

/// Slots from one detection to the next.
const SPACING: u64 = 3;

/// Rounds of reconciliation, parts and all: far more than two blocks take.
const MESSAGES_MAX: usize = 10_000;

fn setup() -> LinkSetup {
    let link = LinkModel {
        source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).unwrap(),
        key_basis_probability: 0.8,
        clock_hz: 1e9,
        transmittance_channel: 0.3,
        insertion_transmittance: 1.0,
        detector_efficiency: 0.8,
        dark_count_probability: 1e-8,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 50.0,
        misalignment_error: 0.01,
    };
    let parameters = SecurityParameters {
        secrecy: 1e-10,
        correctness: 1e-15,
    };
    let (theorem, margin) = (Theorem::default(), Margin::default());
    let plan = BlockPlan::derive(&link, 200_000, &parameters, theorem, &margin).unwrap();
    assert!(plan.acceptance.secret_length_bits > 0);
    LinkSetup {
        hardware: Hardware::of(&link),
        link,
        plan,
        theorem,
        parameters,
    }
}

/// What happened in one slot at either end.
struct Click {
    slot: u64,
    alice: (Basis, bool, u8),
    bob: (Basis, bool),
}

/// Clicks as the expected channel gives them, but for the error rate of matching bases.
fn clicks(setup: &LinkSetup, number: usize, error_rate: f64, seed: u8) -> Vec<Click> {
    let mut rng = SecretRng::from_seed([seed; 32]);
    let counts = setup.plan.statistics_expected.key.counts;
    let decoy_share = counts[1] / (counts[0] + counts[1]);
    let basis = |rng: &mut SecretRng| {
        if rng.chance(setup.link.key_basis_probability) {
            Basis::Z
        } else {
            Basis::X
        }
    };
    let mut click = |i| {
        let (sent, measured) = (basis(&mut rng), basis(&mut rng));
        let (bit, class) = (rng.bit(), u8::from(rng.chance(decoy_share)));
        let flip = if sent == measured { error_rate } else { 0.5 };
        Click {
            slot: SPACING * i,
            alice: (sent, bit, class),
            bob: (measured, bit ^ rng.chance(flip)),
        }
    };
    (0..number as u64).map(&mut click).collect()
}

/// Two engines, the clicks between them, and what came out.
struct Pair {
    alice: Alice,
    bob: Bob,
    clicks: Vec<Click>,
    alice_keys: Vec<Distilled>,
    bob_keys: Vec<Distilled>,
    alice_reports: Vec<BlockReport>,
    bob_reports: Vec<BlockReport>,
    said: Vec<(bool, Message)>,
    /// Runs that spend their budget.
    begun: Vec<u64>,
}

const LIMITS: SessionLimits = SessionLimits {
    blocks_in_flight_max: 2,
    blocks_max: None,
};

/// What the network, or the peer itself, does to a message; `true` when Alice said it.
type Tamper = fn(bool, &mut Message);

impl Pair {
    fn new(clicks: Vec<Click>, alice: SessionLimits, bob: SessionLimits) -> Self {
        let protocol = || Box::new(DecoyBb84::new(setup())) as Box<dyn Protocol>;
        let session = SessionId(7);
        let secret = |seed| SecretRng::from_seed([seed; 32]);
        Self {
            alice: Alice::new(session, protocol(), alice, secret(101)),
            bob: Bob::new(session, protocol(), bob, 0.01, secret(102)),
            clicks,
            alice_keys: Vec::new(),
            bob_keys: Vec::new(),
            alice_reports: Vec::new(),
            bob_reports: Vec::new(),
            said: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// One honest block's worth of clicks between engines with the usual limits.
    fn one_block(error_rate: f64) -> Self {
        let setup = setup();
        let clicks = clicks(&setup, setup.plan.detections as usize, error_rate, 1);
        Self::new(clicks, LIMITS, LIMITS)
    }

    fn detections(&self) -> Vec<Detection> {
        let detection = |click: &Click| Detection {
            slot: click.slot,
            basis: click.bob.0,
            bit: click.bob.1,
        };
        self.clicks.iter().map(detection).collect()
    }

    fn record(&self, slots: &[u64]) -> AliceRecord {
        AliceRecord::new(slots.iter().map(|slot| {
            let (basis, bit, class) = self.clicks[(slot / SPACING) as usize].alice;
            Choice {
                basis,
                bit,
                intensity: IntensityClass(class),
            }
        }))
    }

    /// Gives Bob all detections at once and lets both talk until they are silent. The error says
    /// whether it was Alice who complained.
    fn run(&mut self, next_slot: u64, tamper: Tamper) -> Result<(), (bool, Error)> {
        let wanted = BobInput::Demand { wanted: true };
        let detections = BobInput::Detections {
            detections: self.detections(),
            next_slot,
        };
        let mut queue = VecDeque::new();
        for input in [wanted, detections] {
            let outputs = self.bob.handle(Time(0), input).map_err(|e| (false, e))?;
            queue.extend(self.bob_did(outputs));
        }
        while let Some((from_alice, mut message)) = queue.pop_front() {
            tamper(from_alice, &mut message);
            assert!(self.said.len() < MESSAGES_MAX, "they talk for ever");
            self.said.push((from_alice, message.clone()));
            if from_alice {
                let outputs = self.bob.handle(Time(0), BobInput::Message(message));
                let outputs = outputs.map_err(|error| (false, error))?;
                queue.extend(self.bob_did(outputs));
            } else {
                let outputs = self.alice.handle(Time(0), AliceInput::Message(message));
                let outputs = outputs.map_err(|error| (true, error))?;
                queue.extend(self.alice_did(outputs).map_err(|error| (true, error))?);
            }
        }
        Ok(())
    }

    fn alice_did(&mut self, outputs: Vec<AliceOutput>) -> Result<Vec<(bool, Message)>, Error> {
        let mut said = Vec::new();
        for output in outputs {
            match output {
                AliceOutput::Send(message) => said.push((true, message)),
                AliceOutput::Transmit { .. } => {}
                AliceOutput::Begun { block, .. } => {
                    // Sound only if she has told nothing of it.
                    let mut told = self.said.iter().filter(|(alice, _)| *alice).chain(&said);
                    assert!(told.all(|(_, told)| told.block() != Some(block)));
                    self.begun.push(block);
                }
                AliceOutput::Recall { block, slots, .. } => {
                    let record = self.record(&slots);
                    let recalled = AliceInput::Recalled { block, record };
                    let outputs = self.alice.handle(Time(0), recalled)?;
                    said.extend(self.alice_did(outputs)?);
                }
                AliceOutput::Distilled(distilled) => self.alice_keys.push(distilled),
                AliceOutput::Report(report) => self.alice_reports.push(*report),
            }
        }
        Ok(said)
    }

    fn bob_did(&mut self, outputs: Vec<BobOutput>) -> Vec<(bool, Message)> {
        let mut said = Vec::new();
        for output in outputs {
            match output {
                BobOutput::Send(message) => said.push((false, message)),
                BobOutput::Distilled(distilled) => self.bob_keys.push(distilled),
                BobOutput::Report(report) => self.bob_reports.push(*report),
            }
        }
        said
    }

    fn end_of_clicks(&self) -> u64 {
        SPACING * self.clicks.len() as u64
    }

    fn check_aborted(&self, reason: AbortReason) {
        assert!(self.alice_keys.is_empty() && self.bob_keys.is_empty());
        for reports in [&self.alice_reports, &self.bob_reports] {
            let [report] = reports.as_slice() else {
                panic!("{} reports of one block", reports.len());
            };
            assert!(
                matches!(&report.outcome, Outcome::Aborted(abort) if abort.reason == reason),
                "{report:?}"
            );
        }
    }
}

fn honest(_: bool, _: &mut Message) {}

#[test]
fn an_honest_pair_gets_the_same_key_check_and_refresh_of_each_block_and_the_length_fixed_before() {
    let setup = setup();
    let number = 2 * setup.plan.detections as usize;
    let mut pair = Pair::new(clicks(&setup, number, 0.01, 1), LIMITS, LIMITS);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    assert_eq!((pair.alice_keys.len(), pair.bob_keys.len()), (2, 2));
    assert_eq!(pair.begun, [0, 1]);
    for (alice, bob) in pair.alice_keys.iter().zip(&pair.bob_keys) {
        assert_eq!((alice.block, alice.check), (bob.block, bob.check));
        assert!(alice.key.expose() == bob.key.expose());
        assert!(alice.refresh.expose() == bob.refresh.expose());
        assert_eq!(alice.refresh.len(), 32);
        let paid = alice.key.len() as u64 + 256 + 64;
        assert_eq!(paid, setup.plan.acceptance.secret_length_bits);
    }
    let [first, second] = [&pair.alice_keys[0], &pair.alice_keys[1]];
    assert!(first.key.expose() != second.key.expose());
    for (alice, bob) in pair.alice_reports.iter().zip(&pair.bob_reports) {
        assert_eq!(alice.statistics, bob.statistics);
        assert_eq!(alice.leakage, bob.leakage);
        assert_eq!(alice.outcome, bob.outcome);
    }
}

/// The order that the proof demands: Bob is committed, then Alice discloses, and the seed comes
/// after the verdict on the keys.
#[test]
fn alice_discloses_after_the_whole_announcement_and_draws_the_seed_after_the_verification() {
    let mut pair = Pair::one_block(0.01);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    let place = |name: &str, last: bool| {
        let mut places = (0..pair.said.len()).filter(|&i| pair.said[i].1.name() == name);
        let place = if last {
            places.next_back()
        } else {
            places.next()
        };
        place.unwrap_or_else(|| panic!("no {name}"))
    };
    assert!(
        place("announcement", true) > place("announcement", false),
        "one part shows nothing"
    );
    assert!(place("announcement", true) < place("disclosure", false));
    assert!(place("disclosure", true) < place("reconciliation plan", false));
    assert!(place("reconciliation plan", false) < place("parities", false));
    assert!(place("comparison", true) < place("verification", false));
    assert!(place("verified", false) < place("amplification", false));
}

#[test]
fn too_many_errors_abort_on_both_sides_before_a_parity_is_told() {
    let mut pair = Pair::one_block(0.06);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    pair.check_aborted(AbortReason::QberTooHigh);
    assert!(
        pair.said
            .iter()
            .all(|(_, message)| message.name() != "parities")
    );
}

#[test]
fn a_wrong_tag_or_a_false_parity_ends_in_failed_verification_and_no_key() {
    let lies: [Tamper; 2] = [
        |_, message| {
            if let Message::Verification { tag, .. } = message {
                tag[15] ^= 0x80;
            }
        },
        |_, message| {
            if let Message::Parities { bits, round: 0, .. } = message {
                bits.flip(0);
            }
        },
    ];
    for lie in lies {
        let mut pair = Pair::one_block(0.01);
        pair.run(pair.end_of_clicks(), lie).unwrap();
        pair.check_aborted(AbortReason::VerificationFailed);
        // What was said stays said, and the run has spent its budget.
        let said = |of: fn(&Message) -> usize| {
            let bits = pair.said.iter().map(|(_, message)| of(message) as u64);
            bits.sum::<u64>()
        };
        let parities = said(|message| {
            if let Message::Parities { bits, .. } = message {
                bits.len()
            } else {
                0
            }
        });
        let comparisons = said(|message| {
            if let Message::Comparison { bits, .. } = message {
                bits.len()
            } else {
                0
            }
        });
        for report in pair.alice_reports.iter().chain(&pair.bob_reports) {
            let counted = report.leakage;
            assert_eq!(counted.from_alice_bits, parities);
            assert_eq!(counted.from_bob_bits, comparisons);
            assert_eq!(counted.verification_tag_bits, 128);
            assert_eq!(counted.verification_outcome_bits, 1);
        }
        assert_eq!(pair.begun, [0]);
    }
}

#[test]
fn a_block_on_a_dead_fibre_ends_at_its_last_slot_with_too_few_detections() {
    let setup = setup();
    let plan = &setup.plan;
    for number in [0, 5, plan.detections as usize - 1] {
        let mut pair = Pair::new(clicks(&setup, number, 0.01, 3), LIMITS, LIMITS);
        pair.run(plan.slots_max - 1, honest).unwrap();
        assert!(pair.bob_reports.is_empty(), "closed too early");
        let outputs = pair.bob.handle(
            Time(0),
            BobInput::Detections {
                detections: Vec::new(),
                next_slot: plan.slots_max,
            },
        );
        let announced = pair.bob_did(outputs.unwrap());
        assert!(
            announced.iter().all(|(_, message)| matches!(
                message,
                Message::Announcement { block: 0, first_slot: 0, end_slot, .. }
                    if *end_slot == plan.slots_max
            )) && !announced.is_empty(),
            "{number} detections"
        );
        let mut queue: VecDeque<_> = announced.into();
        while let Some((from_alice, message)) = queue.pop_front() {
            queue.extend(if from_alice {
                let outputs = pair.bob.handle(Time(0), BobInput::Message(message));
                pair.bob_did(outputs.unwrap())
            } else {
                let outputs = pair.alice.handle(Time(0), AliceInput::Message(message));
                pair.alice_did(outputs.unwrap()).unwrap()
            });
        }
        pair.check_aborted(AbortReason::TooFewDetections);
    }
}

#[test]
fn bob_begins_no_block_beyond_his_limits_however_much_light_and_time_there_is() {
    let setup = setup();
    let number = 3 * setup.plan.detections as usize;
    for (limits, blocks) in [
        (
            SessionLimits {
                blocks_max: Some(1),
                ..LIMITS
            },
            1,
        ),
        (LIMITS, 2),
    ] {
        let mut pair = Pair::new(clicks(&setup, number, 0.01, 4), LIMITS, limits);
        let inputs = [
            BobInput::Demand { wanted: true },
            BobInput::Detections {
                detections: pair.detections(),
                next_slot: 10 * setup.plan.slots_max,
            },
        ];
        let mut said = Vec::new();
        for input in inputs {
            let outputs = pair.bob.handle(Time(0), input).unwrap();
            said.extend(pair.bob_did(outputs));
        }
        let last = said.iter().filter_map(|(_, message)| message.block()).max();
        assert_eq!(last, Some(blocks - 1));
        assert_eq!(
            said.last(),
            Some(&(false, Message::Transmission { wanted: false }))
        );
        assert_eq!(
            pair.bob.progress().detections,
            0,
            "detections of no block are kept"
        );
    }
}

#[test]
fn alice_refuses_more_blocks_at_once_than_she_takes() {
    let setup = setup();
    let number = 2 * setup.plan.detections as usize;
    let one = SessionLimits {
        blocks_in_flight_max: 1,
        ..LIMITS
    };
    let mut pair = Pair::new(clicks(&setup, number, 0.01, 5), one, LIMITS);
    let (at_alice, error) = pair.run(pair.end_of_clicks(), honest).unwrap_err();
    assert!(
        at_alice && error.to_string().contains("expected at most 1"),
        "{error}"
    );
    assert!(pair.alice_keys.is_empty() && pair.bob_keys.is_empty());
}

#[test]
fn an_ended_block_is_not_touched_by_what_comes_late() {
    let mut pair = Pair::one_block(0.01);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    let said = std::mem::take(&mut pair.said);
    for (from_alice, message) in said {
        if message.block().is_none() || message.name() == "announcement" {
            continue;
        }
        let silent = if from_alice {
            let outputs = pair.bob.handle(Time(0), BobInput::Message(message));
            outputs.unwrap().is_empty()
        } else {
            let outputs = pair.alice.handle(Time(0), AliceInput::Message(message));
            outputs.unwrap().is_empty()
        };
        assert!(silent);
    }
    assert_eq!((pair.alice_keys.len(), pair.bob_keys.len()), (1, 1));
}

#[test]
fn a_slot_is_never_announced_twice() {
    let mut pair = Pair::one_block(0.01);
    pair.run(pair.end_of_clicks(), honest).unwrap();
    let first = |said: &&(bool, Message)| said.1.name() == "announcement";
    let (_, mut again) = pair.said.iter().find(first).unwrap().clone();
    if let Message::Announcement { block, .. } = &mut again {
        *block = 1;
    }
    let refused = pair.alice.handle(Time(0), AliceInput::Message(again));
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("range of slots"), "{error}");
}

#[test]
fn what_no_block_waits_for_is_the_callers_mistake() {
    let mut pair = Pair::one_block(0.01);
    let recalled = AliceInput::Recalled {
        block: 0,
        record: pair.record(&[]),
    };
    let refused = pair.alice.handle(Time(0), recalled);
    assert!(matches!(refused, Err(Error::Misuse { block: 0, .. })));
    let detections = |next_slot| BobInput::Detections {
        detections: Vec::new(),
        next_slot,
    };
    assert!(pair.bob.handle(Time(0), detections(100)).is_ok());
    let refused = pair.bob.handle(Time(0), detections(99));
    assert!(matches!(refused, Err(Error::Misuse { .. })));
}
