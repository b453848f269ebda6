//! Alice's transmitter on its own thread, paced by her clock.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use qkd_optics::{Error, FRAME_BYTES, FrameEncoder, Transmitter};
use qkd_protocols::AliceRecord;

use super::{Command, OnwardSender};
use crate::link::{LinkEvent, LinkHandle};
use crate::status::StatusBoard;

/// Distance of two announcements of the clock.
const CLOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Delay from which on lost time is given up: the emulated clock is stretched.
const LAG_MAX: Duration = Duration::from_millis(20);

/// Longest wait for a command while the transmitter is on.
const NAP_MAX: Duration = Duration::from_millis(5);

/// What the thread needs.
pub struct TransmitPath {
    /// The source with its fibre.
    pub transmitter: Transmitter,
    /// Makes its light into frames.
    pub encoder: FrameEncoder,
    /// To Bob, or to whoever pretends to be.
    pub onward: OnwardSender,
    /// Pace, in slots per second of wall-clock time.
    pub slots_per_second_max: f64,
    /// Slots that may wait for Bob's announcement: he wants light, so he has to announce it.
    pub unannounced_slots_max: u64,
    /// Whom to tell.
    pub link: LinkHandle,
    /// What the operator sees.
    pub board: StatusBoard,
}

impl TransmitPath {
    /// Transmits until the command channel closes.
    pub fn run(mut self, commands: &Receiver<Command>) {
        let frame_time = Duration::from_secs_f64(
            f64::from(self.encoder.shape().span) / self.slots_per_second_max,
        );
        let mut pace = Pace::new(frame_time);
        let mut transmitting = false;
        let mut announced_slots = 0;
        loop {
            let command = if transmitting {
                match pace.wait() {
                    None => commands
                        .try_recv()
                        .map_err(|error| error == TryRecvError::Empty),
                    Some(wait) => commands.recv_timeout(wait.min(NAP_MAX)).map_err(is_timeout),
                }
            } else {
                commands.recv().map_err(|_| false)
            };
            match command {
                Ok(Command::Transmit { wanted }) => {
                    transmitting = wanted;
                    pace.restart();
                }
                Ok(Command::Recall {
                    block,
                    slots,
                    end_slot,
                }) => {
                    if let Err(error) = self.recall(block, &slots, end_slot) {
                        self.link
                            .end(format!("Alice's transmitter cannot recall a slot: {error}"));
                        return;
                    }
                    announced_slots = end_slot;
                }
                Ok(Command::Clock { .. }) => {}
                Err(true) if pace.wait().is_none() => {
                    if let Err(error) = self.emit() {
                        self.link
                            .end(format!("Alice's transmitter failed: {error}"));
                        return;
                    }
                    if let Some(took) = pace.emitted() {
                        self.tell_clock(took);
                    }
                    let unannounced = self.transmitter.next_slot() - announced_slots;
                    if unannounced > self.unannounced_slots_max {
                        self.link.end(format!(
                            "Bob wants light, but announced none of {unannounced} slots"
                        ));
                        return;
                    }
                }
                Err(true) => {}
                Err(false) => return,
            }
        }
    }

    fn emit(&mut self) -> Result<(), Error> {
        let train = self.transmitter.transmit(self.encoder.shape().span);
        let mut datagrams = Vec::with_capacity(FRAME_BYTES);
        self.encoder.encode(train, &mut datagrams)?;
        for datagram in datagrams.chunks(FRAME_BYTES) {
            let sent = self.onward.send(datagram);
            self.board.frame_sent(sent);
        }
        Ok(())
    }

    fn tell_clock(&self, took: Duration) {
        let slots = self.transmitter.next_slot();
        self.board.clock(slots, took);
        // A clock that finds no room is told again in a moment.
        drop(self.link.try_tell(LinkEvent::Emitted { slots }));
    }

    fn recall(&mut self, block: u64, slots: &[u64], end_slot: u64) -> Result<(), Error> {
        let mut failed = None;
        let choices = slots.iter().map_while(|&slot| {
            let choice = self.transmitter.choice_at(slot);
            choice.map_err(|error| failed = Some(error)).ok()
        });
        let record = AliceRecord::new(choices);
        if let Some(error) = failed {
            return Err(error);
        }
        self.transmitter.forget_before(end_slot);
        self.link.tell(LinkEvent::Recalled { block, record });
        Ok(())
    }
}

fn is_timeout(error: RecvTimeoutError) -> bool {
    error == RecvTimeoutError::Timeout
}

/// When the next frame is due.
struct Pace {
    frame_time: Duration,
    due: Instant,
    told: Instant,
}

impl Pace {
    fn new(frame_time: Duration) -> Self {
        let now = Instant::now();
        Self {
            frame_time,
            due: now,
            told: now,
        }
    }

    fn restart(&mut self) {
        *self = Self::new(self.frame_time);
    }

    /// Time until the next frame is due; `None` when it is.
    fn wait(&self) -> Option<Duration> {
        let wait = self.due.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    /// A frame went out. Now and then, the wall-clock time since the clock was last told.
    fn emitted(&mut self) -> Option<Duration> {
        let now = Instant::now();
        self.due += self.frame_time;
        if now.saturating_duration_since(self.due) > LAG_MAX {
            self.due = now;
        }
        let took = now - self.told;
        (took >= CLOCK_INTERVAL).then(|| {
            self.told = now;
            took
        })
    }
}
