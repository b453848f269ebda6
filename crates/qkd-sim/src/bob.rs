//! Bob's laboratory: his receiver and his engine.

use qkd_optics::{Detections, PulseFrame, Receiver};
use qkd_session::{Action, BlockReport, Bob, BobInput, BobOutput, Distilled, Message, Time};

use crate::Error;

pub(crate) struct BobLaboratory {
    pub(crate) receiver: Receiver,
    pub(crate) engine: Bob,
    failed_generator: Action,
    pub(crate) distilled: Vec<Distilled>,
    pub(crate) reports: Vec<BlockReport>,
}

impl BobLaboratory {
    pub(crate) fn new(receiver: Receiver, engine: Bob, failed_generator: Action) -> Self {
        Self {
            receiver,
            engine,
            failed_generator,
            distilled: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Asks for light.
    pub(crate) fn begin(&mut self, now: Time) -> Result<Vec<Message>, Error> {
        let outputs = self
            .engine
            .handle_at_once(now, BobInput::Demand { wanted: true })?;
        Ok(self.keep(outputs))
    }

    /// Measures the frames and lives through the slots up to `next_slot`.
    pub(crate) fn measure(
        &mut self,
        now: Time,
        frames: Vec<PulseFrame>,
        next_slot: u64,
    ) -> Result<Vec<Message>, Error> {
        let mut detections = Detections::default();
        for frame in frames {
            self.receiver.detect(frame.into_light(), &mut detections)?;
        }
        self.receiver.advance_to(next_slot, &mut detections);
        if self.failed_generator == Action::Stop
            && let Some(alarm) = self.receiver.generator_alarm()
        {
            return Err(qkd_optics::Error::Generator(alarm).into());
        }
        let next_slot = self.receiver.next_slot();
        let readings = BobInput::Readings(Box::new(self.receiver.take_readings()));
        let nothing = self.engine.handle_at_once(now, readings)?;
        let mut answers = self.keep(nothing);
        let outputs = self.engine.handle_at_once(
            now,
            BobInput::Detections {
                detections,
                next_slot,
            },
        )?;
        answers.extend(self.keep(outputs));
        Ok(answers)
    }

    /// Handles one message of Alice's and returns the answers.
    pub(crate) fn hear(&mut self, now: Time, message: Message) -> Result<Vec<Message>, Error> {
        let outputs = self
            .engine
            .handle_at_once(now, BobInput::Message(message))?;
        Ok(self.keep(outputs))
    }

    fn keep(&mut self, outputs: Vec<BobOutput>) -> Vec<Message> {
        let mut answers = Vec::new();
        for output in outputs {
            match output {
                // Done at once.
                BobOutput::Work(_) => {}
                BobOutput::Send(message) => answers.push(message),
                BobOutput::Distilled(distilled) => self.distilled.push(distilled),
                BobOutput::Report(report) => self.reports.push(*report),
            }
        }
        answers
    }
}
