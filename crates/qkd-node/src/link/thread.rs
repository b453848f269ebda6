//! The thread that serves a link: it asks the engine what follows from each event, and does it.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Instant;

use qkd_delivery::Kme;
use qkd_session::{Time, Work, Worked};
use qkd_wire::link::{LinkMessage, RelayOutcome, RelayedMessage};

use super::queue::Listener;
use super::workers::Workers;
use super::{
    Broken, FrameSender, Instruments, LinkAnswers, LinkEffect, LinkEngine, LinkEvent, LinkFault,
    Queueable, Queued, Unsent,
};
use crate::quantum::Command;
use crate::shutdown::Shutdown;

/// Events whose answers share an envelope, at most.
const EVENTS_PER_TURN_MAX: usize = 256;

/// From so many bytes on what was said waits for nothing more.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// How often a turn lets others go first.
const YIELDS_PER_TURN_MAX: usize = 4;

/// What the thread needs.
pub(super) struct LinkThread {
    pub(super) engine: LinkEngine,
    /// When its time began.
    pub(super) began: Instant,
    pub(super) shared: Instruments,
    /// To the peer.
    pub(super) outgoing: FrameSender,
    /// To the optical instruments.
    pub(super) commands: Sender<Command>,
    /// Whom the mailboxes answer.
    pub(super) answers: LinkAnswers,
    /// Where steps of blocks run that take their time.
    pub(super) workers: Workers,
    /// What the peer's clock said in this turn.
    pub(super) clock: Option<u64>,
    /// What came of steps that were run at once.
    pub(super) worked: VecDeque<Worked>,
    /// Steps that other threads have.
    pub(super) computing: usize,
    /// What waits in the queue when the node is asked to stop is not handled any more: a link may break
    /// at any time, and blocks under way would hold the node up.
    pub(super) shutdown: Shutdown,
}

impl LinkThread {
    /// Handles events until the link ends, and says why.
    pub(super) fn run(mut self, mut events: Listener<Queued>) -> String {
        while let Some(first) = events.next() {
            if let Err(over) = self.turn(first, &mut events) {
                // The peer hears what was said before the end; if it cannot, it needs it no more.
                let _too_late = self.flush();
                return match over {
                    Over::Because(reason) => reason,
                    Over::InstrumentsStopped => last_words(events),
                };
            }
            let board = &self.shared.board;
            let engine = &self.engine;
            board.link_health(engine.rejects(), engine.progress(), engine.traffic());
        }
        "the connection was dropped".into()
    }

    /// Handles what waits in the queue, then sends what is to be said about it in one envelope.
    ///
    /// While other threads work on blocks, those that are ready to run go first once more, so that
    /// what their blocks have to say shares the envelope: on a machine with nothing else to do that
    /// takes no time. What comes in the meantime without end cannot hold the envelope up.
    fn turn(&mut self, first: Queued, events: &mut Listener<Queued>) -> Result<(), Over> {
        let mut first = Some(first);
        let mut yields = 0;
        for _ in 0..EVENTS_PER_TURN_MAX {
            let next = first
                .take()
                .or_else(|| self.next_in_turn(events, &mut yields));
            let Some(Queued { event, _place }) = next else {
                break;
            };
            if self.shutdown.is_requested() {
                return Err(Over::Because("this node is shutting down".into()));
            }
            self.handle(event)?;
        }
        if let Some(emitted_slots) = self.clock.take() {
            self.command(Command::Clock { emitted_slots })?;
        }
        self.flush()
    }

    /// What waits in the queue, if need be after those who are ready to run went first.
    fn next_in_turn(&self, events: &mut Listener<Queued>, yields: &mut usize) -> Option<Queued> {
        let waiting = events.try_next();
        if waiting.is_some() || *yields == YIELDS_PER_TURN_MAX || !self.more_will_be_said() {
            return waiting;
        }
        *yields += 1;
        std::thread::yield_now();
        events.try_next()
    }

    /// Whether blocks are being worked on that may have something for the same envelope.
    fn more_will_be_said(&self) -> bool {
        self.computing > 0 && self.engine.unsent_bytes() < WAITING_BYTES_MAX
    }

    fn handle(&mut self, event: Queueable) -> Result<(), Over> {
        let event = match event {
            Queueable::Event(event) => {
                if let LinkEvent::Worked(_) = event {
                    self.computing -= 1;
                }
                event
            }
            Queueable::Tick => LinkEvent::Tick {
                demand: !self.outgoing.is_congested() && self.shared.hub.demand(),
                outflow: self.outgoing.outflow(),
            },
            Queueable::End(reason) => return Err(Over::Because(reason)),
        };
        self.tell(event)?;
        while let Some(worked) = self.worked.pop_front() {
            self.tell(LinkEvent::Worked(worked))?;
        }
        Ok(())
    }

    fn tell(&mut self, event: LinkEvent) -> Result<(), Over> {
        let nanoseconds = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let now = Time(nanoseconds.saturating_mul(1000));
        let (effects, fault) = match self.engine.handle(now, event) {
            Ok(effects) => (effects, None),
            Err(Broken { effects, fault }) => (effects, Some(fault)),
        };
        // What came before a fault is done before the link ends.
        let performed = effects
            .into_iter()
            .try_for_each(|effect| self.perform(effect));
        let Some(fault) = fault else {
            return performed;
        };
        if matches!(fault, LinkFault::Malformed(_)) {
            self.shared.board.malformed();
        }
        Err(Over::Because(fault.to_string()))
    }

    /// Sends what was said since the last envelope.
    fn flush(&mut self) -> Result<(), Over> {
        let flushed = self.engine.flush();
        let flushed = flushed.map_err(|fault| Over::Because(fault.to_string()))?;
        flushed.map_or(Ok(()), |effect| self.perform(effect))
    }

    fn perform(&mut self, effect: LinkEffect) -> Result<(), Over> {
        match effect {
            LinkEffect::Work(work) => self.run_step(work),
            LinkEffect::Send(envelope) => match self.outgoing.send(envelope.into()) {
                // What a stream that has ended no longer takes is not needed any more.
                Ok(()) | Err(Unsent::Ended) => {}
                Err(full @ Unsent::NoRoom { .. }) => return Err(Over::Because(full.to_string())),
            },
            LinkEffect::Transmit { wanted } => {
                tracing::debug!(wanted, "light");
                self.shared.board.light(wanted);
                self.command(Command::Transmit { wanted })?;
            }
            LinkEffect::Recall {
                block,
                slots,
                first_slot,
                end_slot,
            } => {
                tracing::debug!(block, detections = slots.len(), "Bob announced a block");
                self.command(Command::Recall {
                    block,
                    slots,
                    first_slot,
                    end_slot,
                })?;
            }
            // Only the latest matters, however often it is told.
            LinkEffect::Clock { emitted_slots } => self.clock = Some(emitted_slots),
            LinkEffect::Begun { budget } => self.shared.hub.begun(budget),
            LinkEffect::Distilled { block, key, check } => {
                self.shared.hub.distilled(block, key, check);
            }
            LinkEffect::Store(message) => self.shared.hub.message(message),
            LinkEffect::Relay { number, message } => self.take_in(number, message),
            LinkEffect::RelayAnswer { number, outcome } => {
                self.shared.relay.answered(number, outcome);
            }
            LinkEffect::Report(report) => self.shared.board.report(*report),
        }
        Ok(())
    }

    /// A step that is over sooner than another thread would have it is run here.
    fn run_step(&mut self, work: Work) {
        if work.is_short() {
            self.worked.push_back(work.run());
        } else {
            self.computing += 1;
            self.workers
                .run(move |link| link.tell(LinkEvent::Worked(work.run())));
        }
    }

    /// Gives a message of the peer to the mailboxes, whose thread answers it.
    fn take_in(&self, number: u64, message: RelayedMessage) {
        let answers = self.answers.clone();
        let done = move |outcome| answers.say(LinkMessage::RelayAnswer { number, outcome });
        let directory = &self.shared.directory;
        let addresses = (directory.place(&message.from), directory.place(&message.to));
        // The peer speaks for its own applications only.
        if addresses == (Some(Kme::Peer), Some(Kme::Local)) {
            self.shared.mailboxes.put(message, done);
        } else {
            tracing::warn!(
                from = %message.from, to = %message.to,
                "a message between applications that do not sit there and here was refused"
            );
            done(RelayOutcome::UnknownApplication);
        }
    }

    /// Without its instruments a link would live on and never make a key again.
    fn command(&self, command: Command) -> Result<(), Over> {
        self.commands
            .send(command)
            .map_err(|_| Over::InstrumentsStopped)
    }
}

/// Why the link's thread stops.
enum Over {
    /// In words.
    Because(String),
    /// The threads of the optical instruments take no more commands.
    InstrumentsStopped,
}

/// Why the instruments stopped: what they said about it is in the queue already.
fn last_words(mut events: Listener<Queued>) -> String {
    while let Some(Queued { event, .. }) = events.try_next() {
        if let Queueable::End(reason) = event {
            return reason;
        }
    }
    "the optical instruments broke down".into()
}

#[cfg(test)]
mod tests;
