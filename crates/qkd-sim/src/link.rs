//! One link, run from the first pulse to the last key.

use std::collections::VecDeque;

use qkd_attacks::{AttackTally, TowardsAlice};
use qkd_bits::{Defect, PhysicsRng, SecretRng};
use qkd_keystore::Side;
use qkd_optics::{
    Alarm, AlicesDoor, FrameAddress, FrameEncoder, FrameOrder, FrameShape, Monitor, OrderLimits,
    Receiver, ReceiverCounters, Transmitter,
};
use qkd_protocols::{Hardware, LinkSetup};
use qkd_security::{BlockPlan, LinkModel, Margin, SecurityParameters, Spent, Theorem};
use qkd_session::{
    Actions, Alice, BlockReport, Bob, Message, Monitors, SessionId, SessionLimits, Time,
};

use crate::alice::AliceLaboratory;
use crate::bob::BobLaboratory;
use crate::eve::Tap;
use crate::quantum_channel::QuantumChannel;
use crate::stores::{KeyPair, Stores};
use crate::transcript::Transcript;
use crate::{Eve, FrameLoss};

/// Trains between two looks at the engines; the photons of a real link do not wait for them.
const TRAINS_PER_STEP: usize = 2;

/// A link to simulate. Equal links give equal outcomes.
#[derive(Debug, Clone)]
pub struct Link {
    /// The protocol's name.
    pub protocol: &'static str,
    /// The link both sides expect.
    pub model: LinkModel,
    /// The hardware that nature realises; what the model says and nothing else when absent.
    pub hardware: Option<Hardware>,
    /// Sifted key-basis bits of a block.
    pub block_bits: u64,
    /// The failure budget.
    pub parameters: SecurityParameters,
    /// What stands between the fibre and Alice's instruments.
    pub door: AlicesDoor,
    /// How the random generators of Alice and of Bob are broken, if they are.
    pub defects: [Option<Defect>; 2],
    /// Eve, if she is there.
    pub attack: Option<Eve>,
    /// What becomes of a block on an alarm of each monitor; nobody looks when absent, but a generator
    /// that fails ends the run.
    pub monitors: Option<Actions>,
    /// The datagrams that the network loses.
    pub frame_loss: FrameLoss,
    /// Blocks to attempt.
    pub blocks: u64,
    /// What everything random comes from.
    pub seed: u64,
}

/// What came of it.
pub struct Outcome {
    /// Alice's account of each block.
    pub alice: Vec<BlockReport>,
    /// Bob's account of each block.
    pub bob: Vec<BlockReport>,
    /// Every key that the two stores delivered to applications, as each side delivered it.
    pub keys: Vec<KeyPair>,
    /// What Eve did, when she was there.
    pub eve: Option<AttackTally>,
    /// What Bob's receiver counted, its monitor of the incoming light included.
    pub receiver: ReceiverCounters,
    /// Everything said in public.
    pub transcript: Transcript,
    /// What the pair has spent of its failure budget, as Alice's and as Bob's store say.
    pub spent: [Spent; 2],
    /// Slots that Alice's clock went through.
    pub slots: u64,
    /// Slots whose frames were lost.
    pub lost_slots: u64,
}

/// Why a simulation could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The link cannot be planned.
    #[error("the link cannot be planned: {0}")]
    Security(#[from] qkd_security::Error),
    /// An instrument was given what it cannot do.
    #[error("optics: {0}")]
    Optics(#[from] qkd_optics::Error),
    /// A frame came back as something else.
    #[error("frame: {0}")]
    Frame(#[from] qkd_optics::FrameError),
    /// No such protocol.
    #[error("protocol: {0}")]
    Protocol(#[from] qkd_protocols::Error),
    /// No such attack.
    #[error("attack: {0}")]
    Attack(#[from] qkd_attacks::Error),
    /// An engine found its honest peer misbehaving.
    #[error("session: {0}")]
    Session(#[from] qkd_session::Error),
    /// A key store found its honest peer misbehaving.
    #[error("key store: {0}")]
    Store(#[from] qkd_keystore::Error),
    /// A key store refused an application.
    #[error("key store: {0}")]
    Request(#[from] qkd_keystore::RequestError),
    /// A key store never answered an application.
    #[error("a key store left a request without an answer")]
    NoAnswer,
    /// No such application.
    #[error("application: {0}")]
    Application(#[from] qkd_keystore::InvalidId),
    /// A key store threw a block away.
    #[error("block {block} was discarded: {reason}")]
    Discarded {
        /// The block.
        block: qkd_keystore::BlockId,
        /// Why.
        reason: qkd_keystore::DiscardReason,
    },
    /// A key store raised an alarm.
    #[error("alarm: {0}")]
    Alarm(qkd_keystore::Alarm),
    /// The two ends hold different keys, or one of them is no key.
    #[error("authentication: {0}")]
    Authentication(#[from] qkd_auth::Error),
    /// Somebody without the key spoke for one of them.
    #[error("what a man in the middle said was rejected: {0}")]
    Forged(qkd_auth::Reject),
    /// What came out of the two stores broke an invariant.
    #[error("{0}")]
    Violated(qkd_keystore::invariants::Violation),
}

impl Link {
    /// Runs the link until every block has ended on both sides.
    ///
    /// # Errors
    /// When the link cannot be built; honest engines give no other.
    pub fn run(&self) -> Result<Outcome, Error> {
        Run::new(self)?.into_outcome(self.blocks)
    }

    /// The hardware that nature realises.
    pub(crate) fn hardware(&self) -> Hardware {
        match &self.hardware {
            Some(hardware) => hardware.clone(),
            None => Hardware::of(&self.model),
        }
    }

    /// Alice's transmitter, with the line that her light really takes to whoever gets it first, and as
    /// bright as somebody else makes its laser.
    pub(crate) fn transmitter(&self, secret: SecretRng) -> Result<Transmitter, Error> {
        self.door.check()?;
        let mut hardware = self.hardware();
        if let Some(eve) = &self.attack {
            hardware.segment_transmittance = eve.before(hardware.segment_transmittance);
            if let TowardsAlice::Light(light) = eve.towards_alice()? {
                light.check()?;
                let times = self.door.brightening(&light);
                hardware.source = hardware.source.brightened(times);
            }
        }
        let mut transmitter = hardware.transmitter(secret)?;
        if let Some(defect) = self.defects[0] {
            transmitter.spoil_generator(defect);
        }
        Ok(transmitter)
    }

    /// Bob's receiver.
    pub(crate) fn receiver(
        &self,
        secret: SecretRng,
        nature: PhysicsRng,
    ) -> Result<Receiver, Error> {
        let mut receiver = self.hardware().receiver(secret, nature)?;
        if let Some(defect) = self.defects[1] {
            receiver.spoil_generator(defect);
        }
        Ok(receiver)
    }

    /// What Alice's own diodes say of what Eve does to her laboratory.
    ///
    /// # Errors
    /// When there is no such attack.
    pub fn door_alarms(&self) -> Result<Vec<Alarm>, Error> {
        let Some(eve) = &self.attack else {
            return Ok(Vec::new());
        };
        let TowardsAlice::Light(light) = eve.towards_alice()? else {
            return Ok(Vec::new());
        };
        Ok(self.door.alarms(&light, &self.hardware().source))
    }

    /// The plan both sides make for this link.
    ///
    /// # Errors
    /// When no plan can be made for it.
    pub fn plan(&self) -> Result<BlockPlan, Error> {
        let theorem = Theorem::Wiesemann2024;
        let margin = Margin::default();
        Ok(BlockPlan::derive(
            &self.model,
            self.block_bits,
            &self.parameters,
            theorem,
            &margin,
        )?)
    }
}

struct Run {
    alice: AliceLaboratory,
    bob: BobLaboratory,
    channel: QuantumChannel,
    stores: Stores,
    transcript: Transcript,
    span: u32,
    clock_hz: f64,
    window_seconds: f64,
}

impl Run {
    fn new(link: &Link) -> Result<Self, Error> {
        let setup = LinkSetup {
            link: link.model,
            plan: link.plan()?,
            theorem: Theorem::Wiesemann2024,
            parameters: link.parameters,
            hardware: link.hardware(),
        };
        // Alice and Bob draw from generators that have nothing in common but the test's seed.
        let mut root = [0; 32];
        root[..8].copy_from_slice(&link.seed.to_le_bytes());
        let mut seeds = SecretRng::from_seed(root);
        let mut nature = PhysicsRng::from_seed(link.seed);
        let session = SessionId(link.seed);
        let transmitter = link.transmitter(seeds.fork())?;
        let receiver = link.receiver(seeds.fork(), nature.fork())?;
        let address = FrameAddress {
            session: session.0,
            link: 0,
            epoch: 0,
        };
        let span_max = (link.model.clock_hz / 50.0)
            .max(1.0)
            .min(f64::from(u32::MAX)) as u32;
        let shape = FrameShape::for_density(address, transmitter.density(), span_max)?;
        let limits = SessionLimits {
            blocks_in_flight_max: 3,
            blocks_max: Some(link.blocks),
        };
        let prior = setup.plan.qber_expected();
        let protocol = || qkd_protocols::by_name(link.protocol, setup.clone());
        let mut alice = Alice::new(session, protocol()?, limits, seeds.fork());
        let mut bob = Bob::new(session, protocol()?, limits, prior, seeds.fork());
        if let Some(actions) = link.monitors {
            let monitors = Monitors {
                actions,
                ..Monitors::new(setup.undisturbed())
            };
            alice = alice.with_monitors(monitors.clone());
            bob = bob.with_monitors(monitors);
        }
        let actions = link.monitors.unwrap_or_default();
        let failed_generator = actions.of(Monitor::RandomNumbers);
        let order = OrderLimits::default();
        let tap = match &link.attack {
            Some(eve) => Some(Tap::new(eve, nature.fork(), nature.fork())?),
            None => None,
        };
        Ok(Self {
            alice: AliceLaboratory::new(transmitter, alice, link.door_alarms()?, failed_generator),
            bob: BobLaboratory::new(receiver, bob, failed_generator),
            channel: QuantumChannel::new(
                FrameEncoder::new(shape),
                FrameOrder::new(address, order, 0),
                tap,
                link.frame_loss,
                nature,
            ),
            stores: Stores::new(session, &mut seeds)?,
            transcript: Transcript::default(),
            span: shape.span,
            clock_hz: link.model.clock_hz,
            window_seconds: order.window_ps as f64 * 1e-12,
        })
    }

    fn into_outcome(mut self, blocks: u64) -> Result<Outcome, Error> {
        let begin = self.bob.begin(Time(0))?;
        self.talk(Time(0), begin)?;
        while (self.bob.reports.len() as u64) < blocks || (self.alice.reports.len() as u64) < blocks
        {
            let mut frames = Vec::new();
            let mut now = self.now();
            for _ in 0..TRAINS_PER_STEP {
                let train = self.alice.transmit(self.span)?;
                now = self.now();
                frames.extend(self.channel.carry(train, now.0)?);
            }
            // A frame that the clock says was sent two windows ago is not coming any more.
            let overdue = (2.0 * self.window_seconds * self.clock_hz).ceil() as u64;
            let settled = self.alice.transmitter.next_slot().saturating_sub(overdue);
            let said = self.bob.measure(now, frames, settled)?;
            self.talk(now, said)?;
        }
        self.stores.complete(Side::Alice, &mut self.alice.reports);
        self.stores.complete(Side::Bob, &mut self.bob.reports);
        Ok(Outcome {
            spent: self.stores.spent(),
            slots: self.alice.transmitter.next_slot(),
            lost_slots: self.channel.lost_slots(),
            eve: self.channel.tally(),
            receiver: self.bob.receiver.counters(),
            alice: self.alice.reports,
            bob: self.bob.reports,
            keys: self.stores.deliver_all()?,
            transcript: self.transcript,
        })
    }

    /// Delivers what Bob says, what Alice answers, and so on, until both are silent.
    fn talk(&mut self, now: Time, said: Vec<Message>) -> Result<(), Error> {
        let mut queue: VecDeque<(bool, Message)> =
            said.into_iter().map(|message| (false, message)).collect();
        while let Some((from_alice, message)) = queue.pop_front() {
            self.transcript.add(from_alice, &message);
            let answers = if from_alice {
                self.bob.hear(now, message)?
            } else {
                self.alice.hear(now, message)?
            };
            queue.extend(answers.into_iter().map(|answer| (!from_alice, answer)));
            for budget in self.alice.begun.drain(..) {
                self.stores.begun(budget)?;
            }
            for distilled in self.alice.distilled.drain(..) {
                self.stores.distilled(Side::Alice, distilled)?;
            }
            for distilled in self.bob.distilled.drain(..) {
                self.stores.distilled(Side::Bob, distilled)?;
            }
        }
        Ok(())
    }

    /// The virtual time: Alice's emulated clock.
    fn now(&self) -> Time {
        let slots = self.alice.transmitter.next_slot() as f64;
        Time((slots / self.clock_hz * 1e12) as u64)
    }
}

/// Links to start from.
pub mod presets {
    use qkd_optics::{AlicesDoor, transmittance};
    use qkd_security::{DecoySource, LinkModel, SecurityParameters};

    use super::{FrameLoss, Link};

    /// A 1 GHz link to superconducting detectors over `distance_km` of standard fibre.
    ///
    /// # Errors
    /// Never for the constants in here; the type says what a decoy source may refuse.
    pub fn snspd(distance_km: f64, seed: u64) -> Result<Link, qkd_security::Error> {
        Ok(Link {
            protocol: "bb84",
            model: LinkModel {
                source: DecoySource::new([0.33, 0.115], [0.45, 0.55])?,
                key_basis_probability: 0.8,
                clock_hz: 1e9,
                transmittance_channel: transmittance(0.2 * distance_km),
                insertion_transmittance: 1.0,
                detector_efficiency: 0.8,
                dark_count_probability: 1e-8,
                dead_time_slots: 30,
                afterpulse_probability: 0.0,
                afterpulse_decay_slots: 50.0,
                misalignment_error: 0.01,
            },
            hardware: None,
            block_bits: 1_000_000,
            parameters: SecurityParameters {
                secrecy: 1e-10,
                correctness: 1e-15,
            },
            door: AlicesDoor::default(),
            defects: [None; 2],
            attack: None,
            monitors: None,
            frame_loss: FrameLoss::NONE,
            blocks: 1,
            seed,
        })
    }
}

#[cfg(test)]
#[path = "link/tests.rs"]
mod tests;
