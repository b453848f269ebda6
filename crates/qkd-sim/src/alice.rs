//! Alice's laboratory: her transmitter and her engine.

use qkd_optics::{Alarm, PulseTrain, Transmitter};
use qkd_protocols::AliceRecord;
use qkd_security::SecurityParameters;
use qkd_session::{Action, Alice, AliceInput, AliceOutput, BlockReport, Distilled, Message, Time};

use crate::Error;

pub(crate) struct AliceLaboratory {
    pub(crate) transmitter: Transmitter,
    pub(crate) engine: Alice,
    /// What her own diodes say, all through the run.
    door_alarms: Vec<Alarm>,
    failed_generator: Action,
    pub(crate) begun: Vec<SecurityParameters>,
    pub(crate) distilled: Vec<Distilled>,
    pub(crate) reports: Vec<BlockReport>,
}

impl AliceLaboratory {
    pub(crate) fn new(
        transmitter: Transmitter,
        engine: Alice,
        door_alarms: Vec<Alarm>,
        failed_generator: Action,
    ) -> Self {
        Self {
            transmitter,
            engine,
            door_alarms,
            failed_generator,
            begun: Vec::new(),
            distilled: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Nothing leaves once the generator of Alice's choices has failed, if that is to stop her.
    pub(crate) fn transmit(&mut self, span: u32) -> Result<PulseTrain, Error> {
        let train = self.transmitter.transmit(span);
        match self.transmitter.generator_alarm() {
            Some(alarm) if self.failed_generator == Action::Stop => {
                Err(qkd_optics::Error::Generator(alarm).into())
            }
            Some(_) | None => Ok(train),
        }
    }

    /// Handles one message of Bob's and returns the answers.
    pub(crate) fn hear(&mut self, now: Time, message: Message) -> Result<Vec<Message>, Error> {
        let mut answers = Vec::new();
        let mut outputs = self
            .engine
            .handle_at_once(now, AliceInput::Message(message))?;
        while !outputs.is_empty() {
            let mut more = Vec::new();
            for output in outputs {
                match output {
                    // Done at once.
                    AliceOutput::Work(_) => {}
                    AliceOutput::Send(message) => answers.push(message),
                    // Blocks end within a step here, so Bob wants light until the last one.
                    AliceOutput::Transmit { .. } => {}
                    AliceOutput::Begun { budget, .. } => self.begun.push(budget),
                    AliceOutput::Recall {
                        block,
                        slots,
                        end_slot,
                        ..
                    } => {
                        let record = AliceRecord::new(self.transmitter.recall(&slots)?);
                        self.transmitter.forget_before(end_slot);
                        let failed = self.transmitter.generator_alarm().map(Alarm::from);
                        let alarms = self.door_alarms.iter().copied().chain(failed);
                        let alarms = AliceInput::Alarms(alarms.collect());
                        more.extend(self.engine.handle_at_once(now, alarms)?);
                        let recalled = AliceInput::Recalled { block, record };
                        more.extend(self.engine.handle_at_once(now, recalled)?);
                    }
                    AliceOutput::Distilled(distilled) => self.distilled.push(distilled),
                    AliceOutput::Report(report) => self.reports.push(*report),
                }
            }
            outputs = more;
        }
        Ok(answers)
    }
}
