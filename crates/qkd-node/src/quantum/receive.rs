//! Bob's receiver: one thread that empties the socket and measures.
//!
//! A second thread would take the other core from post-processing, and hand it every byte twice.
//! Between two batches it looks at the clock and at the link's commands; nothing here waits but for
//! light.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qkd_optics::{
    Detections, FRAME_BYTES, FlashFrame, FrameOrder, PulseTrain, Readings,
    Receiver as OpticalReceiver, Verdict,
};
use qkd_session::Action;

use super::Command;
use super::light_in::LightIn;
use crate::link::{LinkEvent, LinkHandle};
use crate::status::StatusBoard;

/// Distance of two looks at clocks and commands.
const IDLE: Duration = Duration::from_millis(5);

/// Detections handed to the link at once, at most.
const BATCH_MAX: usize = 1 << 16;

/// Detections that wait for a busy link, at most. Then light stays in the socket until that
/// overflows: it is lost.
const DETECTIONS_WAITING_MAX: usize = 1 << 20;

/// Time after which what Alice's clock covers and no frame brought is lost, when no datagram waits.
const OVERDUE: Duration = Duration::from_millis(200);

/// The same whatever waits: a stranger who keeps the socket filled cannot stop Bob's time.
const OVERDUE_MAX: Duration = Duration::from_secs(2);

/// Time without a datagram that is no light: Alice is busy with a block, or has paused.
const DARK: Duration = Duration::from_millis(100);

/// Slots to live through at once: neither Alice's word for the time nor a frame that claims to be far
/// ahead makes an endless night.
const AT_ONCE_MAX_SLOTS: u64 = 1 << 24;

/// What the measuring thread needs.
pub struct ReceivePath {
    /// The detectors.
    pub receiver: OpticalReceiver,
    /// Puts frames into order.
    pub order: FrameOrder,
    /// What happens once the generator of Bob's choices has failed.
    pub failed_generator: Action,
    /// Whom to tell.
    pub link: LinkHandle,
    /// What the operator sees.
    pub board: StatusBoard,
}

impl ReceivePath {
    /// Starts the thread; it ends when the command channel closes.
    ///
    /// # Errors
    /// When the system has no socket or thread left.
    pub fn start(
        self,
        socket: &UdpSocket,
        commands: Receiver<Command>,
    ) -> std::io::Result<Vec<JoinHandle<()>>> {
        let light = LightIn::new(socket.try_clone()?)?;
        let thread = std::thread::Builder::new()
            .name("quantum-receive".into())
            .spawn(move || {
                // The link has dropped its end: nobody wants detections any more.
                let Stopped = Measuring::new(self).run(light, &commands);
            })?;
        Ok(vec![thread])
    }
}

/// The command channel has closed.
struct Stopped;

struct Measuring {
    path: ReceivePath,
    began: Instant,
    /// Light in slot order that has not been measured yet.
    trains: VecDeque<PulseTrain>,
    detections: Detections,
    /// What the instruments showed that the link does not know yet.
    readings: Readings,
    /// What Alice says she has emitted. Frames of slots beyond it are not hers, or early.
    emitted_slots: u64,
    reported_slot: u64,
    looked: Instant,
    /// Whether light is wanted, and since when it has flowed: from the first slots that it brought.
    wanted: bool,
    lit_since: Option<Instant>,
    /// When the last datagram was seen.
    light_seen: Instant,
    clocks: VecDeque<(Instant, u64)>,
    glow: Glow,
}

/// The light that clicks send back.
#[derive(Default)]
struct Glow {
    /// First slot of which no click has glowed yet.
    next_slot: u64,
    datagrams: Vec<u8>,
}

impl Measuring {
    fn new(path: ReceivePath) -> Self {
        let now = Instant::now();
        Self {
            path,
            began: now,
            trains: VecDeque::new(),
            detections: Detections::default(),
            readings: Readings::default(),
            emitted_slots: 0,
            reported_slot: 0,
            looked: now,
            wanted: false,
            lit_since: None,
            light_seen: now,
            clocks: VecDeque::new(),
            glow: Glow::default(),
        }
    }

    fn run(mut self, mut light: LightIn, commands: &Receiver<Command>) -> Stopped {
        loop {
            if self.detections.len() >= DETECTIONS_WAITING_MAX {
                match commands.recv_timeout(IDLE) {
                    Ok(command) => self.obey(&command),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Stopped,
                }
            } else if !self.trains.is_empty() {
                self.measure();
            } else if self.batch(&mut light) == 0 {
                light.wait(IDLE);
                if self.batch(&mut light) == 0 {
                    self.give_up_overdue(OVERDUE);
                }
            }
            if self.looked.elapsed() < IDLE && self.detections.len() < BATCH_MAX {
                continue;
            }
            self.looked = Instant::now();
            loop {
                match commands.try_recv() {
                    Ok(command) => self.obey(&command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Stopped,
                }
            }
            self.give_up_overdue(OVERDUE_MAX);
            self.report(&light);
        }
    }

    fn obey(&mut self, command: &Command) {
        match command {
            Command::Clock { emitted_slots } => self.heard_clock(*emitted_slots),
            Command::Transmit { wanted } => {
                self.wanted = *wanted;
                self.lit_since = None;
            }
            Command::Recall { .. } => {}
        }
    }

    /// Measures what waits in the socket, one batch of it; returns how many datagrams that was.
    fn batch(&mut self, light: &mut LightIn) -> usize {
        let now_ps = self.now_ps();
        let path = &mut self.path;
        let datagrams = light.receive(|datagram| {
            // Garbage and strangers are counted by the order itself.
            matches!(path.order.receive(now_ps, datagram), Ok(Verdict::Accepted))
        });
        if datagrams > 0 {
            let now = Instant::now();
            if now.saturating_duration_since(self.light_seen) > DARK {
                self.lit_since = None;
            }
            self.light_seen = now;
        }
        let frames = path.order.release(now_ps);
        self.trains
            .extend(frames.into_iter().map(|frame| frame.into_light()));
        self.measure();
        datagrams
    }

    /// Picoseconds since the session began, for as long as they can be counted: 213 days.
    fn now_ps(&self) -> u64 {
        let nanoseconds = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        nanoseconds.saturating_mul(1000)
    }

    /// Measures the light that is there, until nothing is left of it, too many detections wait or
    /// long nights before it have taken as long as clocks and commands can wait.
    fn measure(&mut self) {
        let began = Instant::now();
        while let Some(train) = self.trains.pop_front() {
            let receiver = &mut self.path.receiver;
            // An error is light for slots that were given up: it has come too late and is lost.
            let rest = receiver.detect_some(train, AT_ONCE_MAX_SLOTS, &mut self.detections);
            if let Ok(Some(rest)) = rest {
                self.trains.push_front(rest);
                if began.elapsed() >= IDLE {
                    return;
                }
            }
            if self.detections.len() >= DETECTIONS_WAITING_MAX {
                return;
            }
        }
    }

    /// One entry for each look is enough, however often Alice says it.
    fn heard_clock(&mut self, emitted_slots: u64) {
        self.emitted_slots = emitted_slots.max(self.emitted_slots);
        match self.clocks.back_mut() {
            Some((at, slots)) if *at == self.looked => *slots = emitted_slots.max(*slots),
            Some(_) | None => self.clocks.push_back((self.looked, emitted_slots)),
        }
    }

    /// Slots that Alice's clock passed so long ago are empty.
    fn give_up_overdue(&mut self, after: Duration) {
        // Light that is there takes its slots itself.
        if !self.trains.is_empty() {
            return;
        }
        let overdue = self.clocks.partition_point(|(at, _)| at.elapsed() >= after);
        let Some((at, slots)) = self.clocks.drain(..overdue).next_back() else {
            return;
        };
        let receiver = &mut self.path.receiver;
        let began = Instant::now();
        while receiver.next_slot() < slots {
            if began.elapsed() >= IDLE || self.detections.len() >= DETECTIONS_WAITING_MAX {
                self.clocks.push_front((at, slots));
                return;
            }
            let most = receiver.next_slot().saturating_add(AT_ONCE_MAX_SLOTS);
            receiver.advance_to(slots.min(most), &mut self.detections);
        }
    }

    /// Hands on what Alice's authenticated clock covers. The quantum channel is nobody's: without
    /// this, one forged frame of the future would make Bob announce slots that she never sent.
    fn report(&mut self, light: &LightIn) {
        if self.path.failed_generator == Action::Stop
            && let Some(alarm) = self.path.receiver.generator_alarm()
        {
            // Nothing more is said of what it chose, however long the link takes to end.
            if self.path.board.generator_fault().is_none() {
                self.path.board.generator(alarm);
                let reason = format!("Bob's receiver failed: {alarm}");
                self.path.link.end(reason);
            }
            return;
        }
        let next_slot = self.path.receiver.next_slot().min(self.emitted_slots);
        if next_slot <= self.reported_slot {
            return;
        }
        let covered = self.detections.count_before(next_slot);
        // Room for as many again: growing would copy all of them several times.
        let mut early = Detections::with_capacity(self.detections.len());
        early.append(&self.detections.split_off(covered));
        let detections = std::mem::replace(&mut self.detections, early);
        self.glow(&detections, next_slot, light);
        // Readings may be of a few slots more, whose detections wait: they concern both batches' blocks.
        self.readings.add(&self.path.receiver.take_readings());
        let event = LinkEvent::Detections {
            detections: Box::new(detections),
            next_slot,
            readings: Box::new(std::mem::take(&mut self.readings)),
        };
        match self.path.link.try_tell(event) {
            Ok(()) => {
                self.reported_slot = next_slot;
                let board = &self.path.board;
                // The first slots after the dark came in a time that nobody knows, and the last
                // ones may have waited for lost light to be overdue.
                let lit = self.lit_since.map(|since| self.looked - since);
                self.lit_since = self.wanted.then_some(self.looked);
                board.clock(next_slot, lit);
                board.frames(self.path.order.counters());
                board.detectors(self.path.receiver.counters());
            }
            // The link is busy: keep them.
            Err(LinkEvent::Detections {
                mut detections,
                readings,
                ..
            }) => {
                self.readings = *readings;
                detections.append(&self.detections);
                self.detections = *detections;
            }
            Err(_other) => {}
        }
    }

    /// Lets out what clicks before `next_slot` give off, each once, whether they are told now or later.
    fn glow(&mut self, detections: &Detections, next_slot: u64, light: &LightIn) {
        let begin = std::mem::replace(&mut self.glow.next_slot, next_slot);
        let clicks = detections.iter().filter(|click| click.slot >= begin);
        let photons = self.path.receiver.flash_back(clicks);
        let datagrams = &mut self.glow.datagrams;
        datagrams.clear();
        FlashFrame::encode(self.path.order.address(), photons, datagrams);
        for datagram in datagrams.chunks(FRAME_BYTES) {
            light.send_back(datagram);
        }
    }
}
