//! Bob: collects detections into blocks, announces, corrects, verifies, counts.

mod block;
mod collecting;
mod disclosed;

use qkd_bits::SecretRng;
use qkd_optics::{Detections, Readings};
use qkd_protocols::Protocol;

pub(crate) use block::BobBlock;

use crate::blocks::{Blocks, Context};
use crate::{
    BlockReport, Distilled, Error, Message, Monitors, SessionId, SessionLimits, Time, Work, Worked,
};
use collecting::Collecting;
pub use collecting::UNANNOUNCED_BLOCKS_MAX;

/// What Bob's engine is told.
pub enum BobInput {
    /// What the receiver's instruments show since they were last read, before the detections of the
    /// same slots. Whatever they show concerns every block that has detections among those.
    Readings(Box<Readings>),
    /// The receiver's detections, in slot order, and how far it has come.
    Detections {
        /// Newly registered detections.
        detections: Detections,
        /// Every slot before this one has been measured or lost.
        next_slot: u64,
    },
    /// A message of Alice's, already authenticated.
    Message(Message),
    /// Whether more key is wanted: false when the store is full.
    Demand {
        /// True to collect blocks.
        wanted: bool,
    },
    /// What came of a [`BobOutput::Work`].
    Worked(Worked),
}

/// What Bob's engine wants done.
pub enum BobOutput {
    /// Run this, on whatever thread, and give back what it returns.
    Work(Work),
    /// Send this to Alice.
    Send(Message),
    /// A key to commit on both sides.
    Distilled(Distilled),
    /// A block has ended.
    Report(Box<BlockReport>),
}

/// How far a block has been filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its number in its session.
    pub block: u64,
    /// Detections registered so far.
    pub detections: u64,
    /// Detections that close it.
    pub detections_wanted: u64,
}

/// Bob's end of one session: it collects detections into blocks and passes on what these are told.
/// What blocks do is [`Work`].
pub struct Bob {
    limits: SessionLimits,
    secret: SecretRng,
    collecting: Collecting,
    blocks: Blocks<BobBlock>,
    prior: Prior,
    demand: bool,
    asked_for_light: bool,
}

/// The error rate to expect of the next block.
struct Prior {
    qber: f64,
    /// Number of the block after the one that it was counted in: steps end in any order.
    next_block: u64,
}

impl Bob {
    /// An engine for one session. `prior_qber` is the error rate expected of the first block.
    pub fn new(
        session: SessionId,
        protocol: Box<dyn Protocol>,
        limits: SessionLimits,
        prior_qber: f64,
        secret: SecretRng,
    ) -> Self {
        Self {
            limits,
            secret,
            collecting: Collecting::default(),
            blocks: Blocks::new(Context::new(session, protocol)),
            prior: Prior {
                qber: prior_qber,
                next_block: 0,
            },
            demand: false,
            asked_for_light: false,
        }
    }

    /// The same with `monitors` that watch its blocks.
    #[must_use]
    pub fn with_monitors(mut self, monitors: Monitors) -> Self {
        self.blocks = self.blocks.watched(monitors);
        self
    }

    /// Takes one input at `_now` and returns what is to be done, in order.
    ///
    /// # Errors
    /// When the peer broke the rules ([`Error::Misuse`]: the caller did). The block it concerns is
    /// gone; the caller should end the session.
    pub fn handle(&mut self, _now: Time, input: BobInput) -> Result<Vec<BobOutput>, Error> {
        let mut outputs = Vec::new();
        match input {
            BobInput::Detections {
                detections,
                next_slot,
            } => {
                self.collect(detections, next_slot, &mut outputs)?;
            }
            BobInput::Readings(readings) => self.collecting.read(&readings),
            BobInput::Message(message) => self.message(message, &mut outputs)?,
            BobInput::Demand { wanted } => self.demand = wanted,
            BobInput::Worked(worked) => self.worked(worked, &mut outputs)?,
        }
        self.ask_for_light(&mut outputs);
        Ok(outputs)
    }

    /// [`handle`](Self::handle) for a caller without threads: every step is run here and now, and
    /// no output is [`BobOutput::Work`].
    ///
    /// # Errors
    /// Those of [`handle`](Self::handle).
    pub fn handle_at_once(&mut self, now: Time, input: BobInput) -> Result<Vec<BobOutput>, Error> {
        let mut outputs = Vec::new();
        for output in self.handle(now, input)? {
            match output {
                BobOutput::Work(work) => {
                    let worked = BobInput::Worked(work.run());
                    outputs.extend(self.handle_at_once(now, worked)?);
                }
                output @ (BobOutput::Send(_) | BobOutput::Distilled(_) | BobOutput::Report(_)) => {
                    outputs.push(output);
                }
            }
        }
        Ok(outputs)
    }

    /// How far the block being collected is.
    pub fn progress(&self) -> Progress {
        Progress {
            block: self.blocks.begun(),
            detections: self.collecting.detections.len() as u64,
            detections_wanted: self.blocks.context().protocol.plan().detections,
        }
    }

    /// The first block, if there is one, that stands still until it is told something.
    pub fn first_waiting(&self) -> Option<u64> {
        self.blocks.first_waiting()
    }

    fn message(&mut self, message: Message, out: &mut Vec<BobOutput>) -> Result<(), Error> {
        let Some(number) = message.block() else {
            return Err(message.unexpected(0, "only Bob says that"));
        };
        if !self.blocks.has_opened(number) {
            return Err(message.unexpected(number, "it was never announced"));
        }
        // A block that ended here may still be on its way to its end at Alice.
        self.blocks.tell(number, message)?;
        self.set_off(number, out);
        Ok(())
    }

    fn worked(&mut self, worked: Worked, out: &mut Vec<BobOutput>) -> Result<(), Error> {
        let stepped = worked.bobs().ok_or(Error::Misuse {
            block: 0,
            input: "a step of Alice's",
        })?;
        let number = stepped.number();
        if let Some(qber) = stepped.block().verified_qber()
            && number >= self.prior.next_block
        {
            self.prior = Prior {
                qber,
                next_block: number + 1,
            };
        }
        self.blocks.take_back(stepped, out)?;
        self.blocks.open(out);
        self.set_off(number, out);
        Ok(())
    }

    fn set_off(&mut self, number: u64, out: &mut Vec<BobOutput>) {
        let step = self.blocks.set_off(number);
        out.extend(step.map(|step| BobOutput::Work(step.into())));
    }
}

impl From<BlockReport> for BobOutput {
    fn from(report: BlockReport) -> Self {
        Self::Report(Box::new(report))
    }
}
