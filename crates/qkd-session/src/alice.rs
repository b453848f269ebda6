//! Alice: answers announcements, referees the reconciliation, decides, draws the seed.

mod admission;
mod announcing;
mod block;

use qkd_bits::SecretRng;
use qkd_optics::{Alarm, SlotList};
use qkd_protocols::{AliceRecord, Protocol};
use qkd_security::SecurityParameters;

pub(crate) use block::AliceBlock;

use crate::blocks::{Blocks, Context};
use crate::{
    BlockReport, Distilled, Error, Message, Monitors, SessionId, SessionLimits, Time, Work, Worked,
};
use block::Told;

/// What Alice's engine is told.
pub enum AliceInput {
    /// A message of Bob's, already authenticated.
    Message(Message),
    /// The transmitter's memory of the slots an [`AliceOutput::Recall`] asked for, in that order.
    Recalled {
        /// Block the recall was for.
        block: u64,
        /// What was sent in those slots.
        record: AliceRecord,
    },
    /// What monitors of the transmitter say about the slots of the block that is recalled next.
    Alarms(Vec<Alarm>),
    /// What came of an [`AliceOutput::Work`].
    Worked(Worked),
}

/// What Alice's engine wants done.
pub enum AliceOutput {
    /// Run this, on whatever thread, and give back what it returns.
    Work(Work),
    /// Send this to Bob.
    Send(Message),
    /// A run of the protocol has begun, as Alice has a whole announcement: it spends its budget
    /// whatever becomes of it. Before this she has said nothing of her bases, intensities or bits;
    /// the count shall be durable before she does.
    Begun {
        /// Block number.
        block: u64,
        /// What it may spend.
        budget: SecurityParameters,
    },
    /// Start or pause the transmitter.
    Transmit {
        /// Whether Bob wants light.
        wanted: bool,
    },
    /// Ask the transmitter what it sent in these slots, then forget everything before the end.
    Recall {
        /// Block number; rises from one recall to the next.
        block: u64,
        /// Announced slots, strictly rising.
        slots: SlotList,
        /// First slot of the block.
        first_slot: u64,
        /// First slot after the block.
        end_slot: u64,
    },
    /// A key to commit on both sides.
    Distilled(Distilled),
    /// A block has ended.
    Report(Box<BlockReport>),
}

/// Alice's end of one session: it opens blocks and passes on what they are told. What blocks do is
/// [`Work`].
pub struct Alice {
    limits: SessionLimits,
    secret: SecretRng,
    blocks: Blocks<AliceBlock>,
    next_slot: u64,
    /// Of the block that is recalled next.
    alarms: Vec<Alarm>,
}

impl Alice {
    /// An engine for one session.
    pub fn new(
        session: SessionId,
        protocol: Box<dyn Protocol>,
        limits: SessionLimits,
        secret: SecretRng,
    ) -> Self {
        Self {
            limits,
            secret,
            blocks: Blocks::new(Context::new(session, protocol)),
            next_slot: 0,
            alarms: Vec::new(),
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
    pub fn handle(&mut self, _now: Time, input: AliceInput) -> Result<Vec<AliceOutput>, Error> {
        let mut outputs = Vec::new();
        match input {
            AliceInput::Message(Message::Transmission { wanted }) => {
                outputs.push(AliceOutput::Transmit { wanted });
            }
            AliceInput::Message(message) => self.message(message, &mut outputs)?,
            AliceInput::Recalled { block, record } => self.recalled(block, record, &mut outputs)?,
            AliceInput::Alarms(alarms) => self.alarms.extend(alarms),
            AliceInput::Worked(worked) => self.worked(worked, &mut outputs)?,
        }
        Ok(outputs)
    }

    /// [`handle`](Self::handle) for a caller without threads: every step is run here and now, and
    /// no output is [`AliceOutput::Work`].
    ///
    /// # Errors
    /// Those of [`handle`](Self::handle).
    pub fn handle_at_once(
        &mut self,
        now: Time,
        input: AliceInput,
    ) -> Result<Vec<AliceOutput>, Error> {
        let mut outputs = Vec::new();
        for output in self.handle(now, input)? {
            match output {
                AliceOutput::Work(work) => {
                    let worked = AliceInput::Worked(work.run());
                    outputs.extend(self.handle_at_once(now, worked)?);
                }
                output @ (AliceOutput::Send(_)
                | AliceOutput::Begun { .. }
                | AliceOutput::Transmit { .. }
                | AliceOutput::Recall { .. }
                | AliceOutput::Distilled(_)
                | AliceOutput::Report(_)) => outputs.push(output),
            }
        }
        Ok(outputs)
    }

    /// The first block, if there is one, that stands still until it is told something.
    pub fn first_waiting(&self) -> Option<u64> {
        self.blocks.first_waiting()
    }

    fn message(&mut self, message: Message, out: &mut Vec<AliceOutput>) -> Result<(), Error> {
        let Some(number) = message.block() else {
            return Err(message.unexpected(0, "only Alice says that"));
        };
        if let Message::Announcement {
            parts,
            first_slot,
            end_slot,
            ..
        } = message
        {
            self.admit(number, parts, first_slot..end_slot)?;
        }
        if number >= self.blocks.begun() {
            return Err(message.unexpected(number, "it was never announced"));
        }
        // A block that ended here may still be on its way to its end at Bob.
        self.blocks.tell(number, Told::Message(message))?;
        self.set_off(number, out);
        Ok(())
    }

    fn recalled(
        &mut self,
        number: u64,
        record: AliceRecord,
        out: &mut Vec<AliceOutput>,
    ) -> Result<(), Error> {
        if !self.blocks.has_opened(number) {
            return Err(Error::Misuse {
                block: number,
                input: "recalled slots",
            });
        }
        // Bob may have aborted while the transmitter was asked: then there is no key that the alarms could
        // stop, and they tell nothing of the slots of any other block.
        let alarms = std::mem::take(&mut self.alarms);
        self.blocks.tell(number, Told::Recalled(record, alarms))?;
        self.set_off(number, out);
        Ok(())
    }

    fn worked(&mut self, worked: Worked, out: &mut Vec<AliceOutput>) -> Result<(), Error> {
        let stepped = worked.alices().ok_or(Error::Misuse {
            block: 0,
            input: "a step of Bob's",
        })?;
        let number = stepped.number();
        self.blocks.take_back(stepped, out)?;
        // A peer that is faster at the last step could else pile blocks up here that wait for it.
        if self.blocks.over_for_peer() <= self.limits.blocks_in_flight_max {
            self.blocks.open(out);
        }
        self.set_off(number, out);
        Ok(())
    }

    fn set_off(&mut self, number: u64, out: &mut Vec<AliceOutput>) {
        let step = self.blocks.set_off(number);
        out.extend(step.map(|step| AliceOutput::Work(step.into())));
    }
}

impl From<BlockReport> for AliceOutput {
    fn from(report: BlockReport) -> Self {
        Self::Report(Box::new(report))
    }
}
