//! Two engines back to back, over light that nobody emulates: labels and clicks are drawn directly
//! from the expected counts.

mod away;
mod keys;
mod lies;
mod limits;
mod order;
mod steps;

use std::collections::VecDeque;

use qkd_bits::SecretRng;
use qkd_optics::{Basis, Choice, Detection, Detections, IntensityClass, SlotList};
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

    fn detections(&self) -> Detections {
        let detection = |click: &Click| Detection {
            slot: click.slot,
            basis: click.bob.0,
            bit: click.bob.1,
        };
        self.clicks.iter().map(detection).collect()
    }

    fn record(&self, slots: &SlotList) -> AliceRecord {
        let choices = slots.iter().map(|slot| {
            let (basis, bit, class) = self.clicks[(slot / SPACING) as usize].alice;
            Choice {
                basis,
                bit,
                intensity: IntensityClass(class),
            }
        });
        AliceRecord::new(choices.collect())
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
            let outputs = self
                .bob
                .handle_at_once(Time(0), input)
                .map_err(|e| (false, e))?;
            queue.extend(self.bob_did(outputs));
        }
        while let Some((from_alice, mut message)) = queue.pop_front() {
            tamper(from_alice, &mut message);
            assert!(self.said.len() < MESSAGES_MAX, "they talk for ever");
            self.said.push((from_alice, message.clone()));
            if from_alice {
                let outputs = self.bob.handle_at_once(Time(0), BobInput::Message(message));
                let outputs = outputs.map_err(|error| (false, error))?;
                queue.extend(self.bob_did(outputs));
            } else {
                let outputs = self
                    .alice
                    .handle_at_once(Time(0), AliceInput::Message(message));
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
                AliceOutput::Work(_) => panic!("work is left"),
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
                    let outputs = self.alice.handle_at_once(Time(0), recalled)?;
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
                BobOutput::Work(_) => panic!("work is left"),
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
