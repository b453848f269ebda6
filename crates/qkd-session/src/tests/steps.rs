//! Two engines whose steps are run by somebody else, one at a time and in whatever order.

use std::collections::VecDeque;

use super::{Pair, clicks, setup};
use crate::{
    Alice, AliceInput, AliceOutput, Bob, BobInput, BobOutput, Error, Message, SessionLimits, Time,
    Work,
};

/// What somebody still has to do.
pub(super) struct Steps {
    pub(super) pair: Pair,
    /// Steps that nobody has run; `true` for Alice's.
    pub(super) work: Vec<(bool, Work)>,
    pub(super) to_alice: VecDeque<Message>,
    pub(super) to_bob: VecDeque<Message>,
    /// Blocks that Alice's transmitter is asked about.
    pub(super) recalls: VecDeque<(u64, qkd_optics::SlotList)>,
    /// Everything said, `true` for Alice's.
    pub(super) said: Vec<(bool, Message)>,
    recalled: Option<u64>,
}

impl Steps {
    /// The beginning of `blocks` blocks, all of which Bob has the detections of.
    pub(super) fn of(blocks: usize, blocks_in_flight_max: usize) -> Self {
        let setup = setup();
        let clicks = clicks(&setup, blocks * setup.plan.detections as usize, 0.01, 1);
        let limits = SessionLimits {
            blocks_in_flight_max,
            blocks_max: None,
        };
        Self {
            pair: Pair::new(clicks, limits, limits),
            work: Vec::new(),
            to_alice: VecDeque::new(),
            to_bob: VecDeque::new(),
            recalls: VecDeque::new(),
            said: Vec::new(),
            recalled: None,
        }
    }

    /// Tells Bob of light that is wanted and of everything he detected.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.bob(BobInput::Demand { wanted: true })?;
        let next_slot = self.pair.end_of_clicks();
        self.bob(BobInput::Detections {
            detections: self.pair.detections(),
            next_slot,
        })
    }

    pub(super) fn alice(&mut self, input: AliceInput) -> Result<(), Error> {
        for output in self.pair.alice.handle(Time(0), input)? {
            match output {
                AliceOutput::Work(work) => self.work.push((true, work)),
                AliceOutput::Send(message) => {
                    self.said.push((true, message.clone()));
                    self.to_bob.push_back(message);
                }
                AliceOutput::Transmit { .. } => {}
                AliceOutput::Begun { block, .. } => self.pair.begun.push(block),
                AliceOutput::Recall { block, slots, .. } => {
                    assert!(self.recalled < Some(block), "{block} after a later one");
                    self.recalled = Some(block);
                    self.recalls.push_back((block, slots));
                }
                AliceOutput::Distilled(distilled) => self.pair.alice_keys.push(distilled),
                AliceOutput::Report(report) => self.pair.alice_reports.push(*report),
            }
        }
        Ok(())
    }

    pub(super) fn bob(&mut self, input: BobInput) -> Result<(), Error> {
        for output in self.pair.bob.handle(Time(0), input)? {
            match output {
                BobOutput::Work(work) => self.work.push((false, work)),
                BobOutput::Send(message) => {
                    self.said.push((false, message.clone()));
                    self.to_alice.push_back(message);
                }
                BobOutput::Distilled(distilled) => self.pair.bob_keys.push(distilled),
                BobOutput::Report(report) => self.pair.bob_reports.push(*report),
            }
        }
        Ok(())
    }

    /// Runs step number `index` and gives the engine what comes of it.
    pub(super) fn work(&mut self, index: usize) -> Result<(), Error> {
        let (alices, work) = self.work.swap_remove(index);
        let worked = work.run();
        if alices {
            self.alice(AliceInput::Worked(worked))
        } else {
            self.bob(BobInput::Worked(worked))
        }
    }

    /// Delivers one message, or one answer of the transmitter; false when there is none.
    pub(super) fn deliver(&mut self) -> Result<bool, Error> {
        if let Some((block, slots)) = self.recalls.pop_front() {
            let record = self.pair.record(&slots);
            self.alice(AliceInput::Recalled { block, record })?;
        } else if let Some(message) = self.to_alice.pop_front() {
            self.alice(AliceInput::Message(message))?;
        } else if let Some(message) = self.to_bob.pop_front() {
            self.bob(BobInput::Message(message))?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Goes on, running the oldest step whenever there is nothing to deliver, until `stop` says so
    /// or nothing is left to do.
    pub(super) fn run_until(&mut self, stop: impl Fn(&Self) -> bool) -> Result<(), Error> {
        while !stop(self) {
            if !self.deliver()? {
                if self.work.is_empty() {
                    return Ok(());
                }
                self.work(0)?;
            }
        }
        Ok(())
    }

    /// The number of the waiting step of Alice's for that block.
    pub(super) fn alices_step(&self, block: u64) -> Option<usize> {
        let wanted = |(alices, work): &(bool, Work)| *alices && work.block() == block;
        self.work.iter().position(wanted)
    }
}

#[test]
fn whatever_owns_a_block_can_go_to_another_thread() {
    fn sendable<T: Send>() {}
    sendable::<Work>();
    sendable::<crate::Worked>();
    sendable::<Alice>();
    sendable::<Bob>();
}
