//! Two engines in one thread, without light or network: clicks are drawn as a link's plan expects
//! them, and each side's time is counted apart.

use std::collections::VecDeque;
use std::time::Duration;

use qkd_bits::SecretRng;
use qkd_optics::{Basis, Choice, Detection, Detections, IntensityClass, SlotList};
use qkd_protocols::{AliceRecord, DecoyBb84, Hardware, LinkSetup, Protocol};
use qkd_security::{BlockPlan, DecoySource, LinkModel, Margin, SecurityParameters, Theorem};
use qkd_session::{
    Alice, AliceInput, AliceOutput, Bob, BobInput, BobOutput, Message, OVERHEAD_BITS, SessionId,
    SessionLimits, Time,
};
use rustix::time::{ClockId, clock_gettime};

/// Slots from one detection to the next.
const SPACING: u64 = 100;

/// What happened in one slot at either end.
struct Click {
    sent: Basis,
    measured: Basis,
    bit: bool,
    wrong: bool,
    class: u8,
}

/// A planned link and the clicks of one block of it.
pub struct Link {
    pub setup: LinkSetup,
    clicks: Vec<Click>,
}

impl Link {
    /// A link with this error rate, planned with `block_bits` sifted bits a block.
    pub fn new(block_bits: u64, qber: f64) -> Self {
        let model = LinkModel {
            source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).expect("a fair source"),
            key_basis_probability: 0.8,
            clock_hz: 1e9,
            transmittance_channel: 0.3,
            insertion_transmittance: 1.0,
            detector_efficiency: 0.8,
            dark_count_probability: 1e-8,
            dead_time_slots: 0,
            afterpulse_probability: 0.0,
            afterpulse_decay_slots: 50.0,
            misalignment_error: qber,
        };
        let parameters = SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        };
        let (theorem, margin) = (Theorem::default(), Margin::default());
        let plan = BlockPlan::derive(&model, block_bits, &parameters, theorem, &margin)
            .expect("a link that gives key");
        let length = plan.acceptance.secret_length_bits;
        assert!(length > OVERHEAD_BITS, "a plan with {length} bits of key");
        let setup = LinkSetup {
            hardware: Hardware::of(&model),
            link: model,
            plan,
            theorem,
            parameters,
        };
        let mut rng = SecretRng::from_seed([1; 32]);
        let counts = setup.plan.statistics_expected.key.counts;
        let decoy_share = counts[1] / (counts[0] + counts[1]);
        let basis = |rng: &mut SecretRng| {
            if rng.chance(model.key_basis_probability) {
                Basis::Z
            } else {
                Basis::X
            }
        };
        let mut click = |_| Click {
            sent: basis(&mut rng),
            measured: basis(&mut rng),
            bit: rng.bit(),
            wrong: rng.chance(qber),
            class: u8::from(rng.chance(decoy_share)),
        };
        let clicks = (0..setup.plan.detections).map(&mut click).collect();
        Self { setup, clicks }
    }

    pub fn detections(&self, first_slot: u64) -> Detections {
        let detection = |(click, slot): (&Click, u64)| Detection {
            slot: first_slot + slot * SPACING,
            basis: click.measured,
            bit: click.bit ^ click.wrong,
        };
        self.clicks.iter().zip(0..).map(detection).collect()
    }

    pub fn record(&self, slots: &SlotList) -> AliceRecord {
        let choices = slots.iter().map(|slot| {
            let click = &self.clicks[(slot / SPACING) as usize % self.clicks.len()];
            Choice {
                basis: click.sent,
                bit: click.bit,
                intensity: IntensityClass(click.class),
            }
        });
        AliceRecord::new(choices.collect())
    }
}

/// Two engines of one session, and what has become of their blocks.
pub struct Pair<'a> {
    link: &'a Link,
    alice: Alice,
    bob: Bob,
    queue: VecDeque<(bool, Message)>,
    /// Messages that were not delivered, because somebody said so.
    pub kept: Vec<Message>,
    /// Time in Alice's and in Bob's engine.
    pub spent: [Duration; 2],
    /// Sifted bits of the blocks that gave a key.
    pub sifted_bits: u64,
    /// Bits of these keys.
    pub secret_bits: u64,
    next_slot: u64,
}

impl<'a> Pair<'a> {
    pub fn new(link: &'a Link) -> Self {
        let protocol = || Box::new(DecoyBb84::new(link.setup.clone())) as Box<dyn Protocol>;
        let limits = SessionLimits {
            blocks_in_flight_max: 256,
            blocks_max: None,
        };
        let secret = |seed| SecretRng::from_seed([seed; 32]);
        let prior = link.setup.plan.qber_expected();
        let mut pair = Self {
            link,
            alice: Alice::new(SessionId(1), protocol(), limits, secret(2)),
            bob: Bob::new(SessionId(1), protocol(), limits, prior, secret(3)),
            queue: VecDeque::new(),
            kept: Vec::new(),
            spent: [Duration::ZERO; 2],
            sifted_bits: 0,
            secret_bits: 0,
            next_slot: 0,
        };
        pair.bob(BobInput::Demand { wanted: true });
        pair
    }

    /// Takes one block as far as it goes without the messages for which `keep` says true.
    pub fn block(&mut self, keep: impl Fn(&Message) -> bool) {
        let detections = self.link.detections(self.next_slot);
        self.next_slot += SPACING * detections.len() as u64;
        let next_slot = self.next_slot;
        self.bob(BobInput::Detections {
            detections,
            next_slot,
        });
        while let Some((from_alice, message)) = self.queue.pop_front() {
            if keep(&message) {
                self.kept.push(message);
            } else if from_alice {
                self.bob(BobInput::Message(message));
            } else {
                self.alice(AliceInput::Message(message));
            }
        }
    }

    fn alice(&mut self, input: AliceInput) {
        let start = processor_time();
        let outputs = self.alice.handle_at_once(Time(0), input);
        self.spent[0] += processor_time() - start;
        for output in outputs.expect("Bob is honest") {
            match output {
                AliceOutput::Send(message) => self.queue.push_back((true, message)),
                AliceOutput::Recall { block, slots, .. } => {
                    let record = self.link.record(&slots);
                    self.alice(AliceInput::Recalled { block, record });
                }
                AliceOutput::Report(report) => self.sifted_bits += report.sifted_bits,
                AliceOutput::Work(_)
                | AliceOutput::Begun { .. }
                | AliceOutput::Transmit { .. }
                | AliceOutput::Distilled(_) => {}
            }
        }
    }

    fn bob(&mut self, input: BobInput) {
        let start = processor_time();
        let outputs = self.bob.handle_at_once(Time(0), input);
        self.spent[1] += processor_time() - start;
        for output in outputs.expect("Alice is honest") {
            match output {
                BobOutput::Send(message) => self.queue.push_back((false, message)),
                BobOutput::Distilled(distilled) => self.secret_bits += distilled.key.len() as u64,
                BobOutput::Work(_) | BobOutput::Report(_) => {}
            }
        }
    }
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.try_into().expect("processor time is not negative")
}
