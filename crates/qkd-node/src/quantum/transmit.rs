//! Alice's transmitter on its own thread, paced by her clock.
//!
//! One turn makes the trains that are due, sends their datagrams together and updates the board
//! once. Then a look at the commands, and a nap until the next train is due.

mod pace;
mod stretch;

use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use qkd_optics::{
    Alarm, Doorway, Error, FRAME_BYTES, FrameAddress, FrameEncoder, FrameShape, SlotList,
    Transmitter,
};
use qkd_protocols::AliceRecord;
use qkd_session::Action;

use super::onward::DATAGRAMS_AT_ONCE_MAX;
use super::{Command, OnwardSender};
use crate::link::{LinkEvent, LinkHandle};
use crate::status::StatusBoard;
use pace::Pace;
use stretch::ClockWatch;

/// Trains per second, at least: light waits no longer for its train to end.
const TRAINS_PER_SECOND_MIN: f64 = 50.0;

/// Pieces of backward light that are looked at in one turn: a flood waits, and most of it is lost.
const BACKWARD_AT_ONCE_MAX: usize = 16;

/// Bytes that the record of her slots may have beside what it takes when nobody shines light at her: she notes
/// how bright each change made her laser.
const CHANGES_BYTES_MAX: u64 = 1 << 20;

/// The shape of the frames in which the light of a transmitter leaves, at most so many slots of it in
/// a second of wall-clock time.
///
/// # Errors
/// When its figures make none; those of a transmitter that was built do.
pub fn shape(
    address: FrameAddress,
    transmitter: &Transmitter,
    slots_per_second_max: f64,
) -> Result<FrameShape, Error> {
    let slots_per_second = transmitter.source().clock_hz.min(slots_per_second_max);
    let span_max = (slots_per_second / TRAINS_PER_SECOND_MIN).max(1.0) as u32;
    FrameShape::for_density(address, transmitter.density(), span_max)
}

/// What the thread needs.
pub struct TransmitPath {
    /// The source with its fibre.
    pub transmitter: Transmitter,
    /// What comes in from the fibre, and out again.
    pub doorway: Doorway,
    /// Makes its light into frames.
    pub encoder: FrameEncoder,
    /// To Bob, or to whoever pretends to be.
    pub onward: OnwardSender,
    /// Pace, in slots per second of wall-clock time.
    pub slots_per_second_max: f64,
    /// Slots that may wait for Bob's announcement: he wants light, so he has to announce it.
    pub unannounced_slots_max: u64,
    /// What happens once the generator of her choices has failed: anything but a stop lets light go on.
    pub failed_generator: Action,
    /// Whom to tell.
    pub link: LinkHandle,
    /// What the operator sees.
    pub board: StatusBoard,
}

impl TransmitPath {
    /// Transmits until the command channel closes.
    pub fn run(self, commands: &Receiver<Command>) {
        let link = self.link.clone();
        if let Err(reason) = Emitting::new(self).until_closed(commands) {
            link.end(reason);
        }
    }
}

struct Emitting {
    path: TransmitPath,
    pace: Pace,
    watch: ClockWatch,
    transmitting: bool,
    announced_slots: u64,
    /// What she remembers of slots that Bob has not announced, in bytes at most.
    remembered_bytes_max: u64,
    /// Datagrams of this turn.
    datagrams: Vec<u8>,
    /// Datagrams of this turn with light that was shone in and comes out again.
    reflected: Vec<u8>,
}

impl Emitting {
    fn new(path: TransmitPath) -> Self {
        let slots = f64::from(path.encoder.shape().span);
        let train_time = Duration::from_secs_f64(slots / path.slots_per_second_max);
        let clock_hz = path.transmitter.source().clock_hz;
        // A run is forgotten as a whole, and there is one more before anybody counts.
        let slots =
            (path.unannounced_slots_max).saturating_add(2 * u64::from(path.encoder.shape().span));
        let undisturbed = path.transmitter.undisturbed_bytes(slots);
        Self {
            remembered_bytes_max: undisturbed.saturating_add(CHANGES_BYTES_MAX),
            pace: Pace::new(train_time, Instant::now()),
            watch: ClockWatch::new(clock_hz, path.slots_per_second_max),
            transmitting: false,
            announced_slots: 0,
            datagrams: Vec::with_capacity(2 * DATAGRAMS_AT_ONCE_MAX * FRAME_BYTES),
            reflected: Vec::new(),
            path,
        }
    }

    /// The error says why the link has to end.
    fn until_closed(mut self, commands: &Receiver<Command>) -> Result<(), String> {
        loop {
            let wait = self.pace.wait(Instant::now());
            let command = match (self.transmitting, wait) {
                (true, None) => commands.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
                (true, Some(wait)) => commands.recv_timeout(wait),
                (false, _) => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match command {
                Ok(command) => self.obey(command)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    let failed = |error| format!("Alice's transmitter failed: {error}");
                    self.turn().map_err(failed)?;
                    self.check_announced()?;
                }
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Transmit { wanted } => {
                let now = Instant::now();
                if self.transmitting {
                    // The time since it was told last belongs to its last slots.
                    self.tell_clock(now);
                }
                self.transmitting = wanted;
                self.pace.restart(now);
            }
            Command::Recall {
                block,
                slots,
                first_slot,
                end_slot,
            } => {
                self.recall(block, &slots, first_slot..end_slot)?;
            }
            Command::Clock { .. } => {}
        }
        Ok(())
    }

    /// Sends the trains that are due, as many as one call takes.
    fn turn(&mut self) -> Result<(), Error> {
        let path = &mut self.path;
        let span = path.encoder.shape().span;
        self.datagrams.clear();
        self.reflected.clear();
        if path.doorway.matters() {
            let (doorway, next_slot) = (&mut path.doorway, path.transmitter.next_slot());
            path.onward.receive(BACKWARD_AT_ONCE_MAX, |datagram| {
                doorway.receive(datagram, next_slot);
            });
        }
        let mut count = 0;
        while self.pace.wait(Instant::now()).is_none() {
            let train =
                (path.doorway).transmit(&mut path.transmitter, span, &mut self.reflected)?;
            let more = path.encoder.encode(train, &mut self.datagrams)?;
            self.pace.emitted(Instant::now());
            count += more;
            if count + more > DATAGRAMS_AT_ONCE_MAX {
                break;
            }
        }
        // What a generator that has failed made stays in this room.
        if path.failed_generator == Action::Stop
            && let Some(alarm) = path.transmitter.generator_alarm()
        {
            path.board.generator(alarm);
            return Err(Error::Generator(alarm));
        }
        if count == 0 {
            return Ok(());
        }
        // What comes back is in Eve's hands before the pulses that it tells of. It is none of Alice's
        // light: nobody counts what is lost of it.
        if !self.reflected.is_empty() {
            path.onward.send(&self.reflected);
        }
        let left = path.onward.send(&self.datagrams);
        path.board.frames_sent(left, count as u64 - left);
        let now = Instant::now();
        if self.pace.is_to_tell(now) {
            self.tell_clock(now);
        }
        Ok(())
    }

    fn tell_clock(&mut self, now: Instant) {
        let took = self.pace.tell(now);
        let slots = self.path.transmitter.next_slot();
        self.path.board.clock(slots, Some(took));
        self.watch.seen(slots, took);
        // A clock that finds no room is told again in a moment.
        drop(self.path.link.try_tell(LinkEvent::Emitted { slots }));
    }

    fn check_announced(&self) -> Result<(), String> {
        let sent = self.path.transmitter.next_slot();
        let unannounced = sent.saturating_sub(self.announced_slots);
        if unannounced > self.path.unannounced_slots_max {
            return Err(format!(
                "Bob wants light, but announced none of {unannounced} slots"
            ));
        }
        // Light that somebody made brighter takes more memory, slot by slot.
        let (remembered, most) = (
            self.path.transmitter.remembered_bytes(),
            self.remembered_bytes_max,
        );
        if remembered > most {
            return Err(format!(
                "Bob announced none of {unannounced} slots, of which the record has {remembered} bytes, at \
                 most {most} without light in Alice's door"
            ));
        }
        Ok(())
    }

    /// `within` are all slots of the block.
    fn recall(&mut self, block: u64, slots: &SlotList, within: Range<u64>) -> Result<(), String> {
        let began = Instant::now();
        let end_slot = within.end;
        let transmitter = &mut self.path.transmitter;
        let sent = transmitter.next_slot();
        if end_slot > sent {
            return Err(format!(
                "Bob announced block {block} up to slot {end_slot}, but only {sent} slots were sent"
            ));
        }
        let failed = |error| format!("Alice's transmitter cannot recall a slot: {error}");
        let record = AliceRecord::new(transmitter.recall(slots).map_err(failed)?);
        transmitter.forget_before(end_slot);
        let generator = transmitter.generator_alarm().map(Alarm::from);
        let mut alarms = self.path.doorway.take_alarms(within);
        alarms.extend(generator);
        if !alarms.is_empty() {
            self.path.link.tell(LinkEvent::Alarms(alarms));
        }
        self.path.link.tell(LinkEvent::Recalled { block, record });
        self.announced_slots = end_slot;
        self.pace.blocked(began.elapsed());
        Ok(())
    }
}
