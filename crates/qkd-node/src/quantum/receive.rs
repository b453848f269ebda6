//! Bob's receiver: one thread empties the socket, one measures.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use qkd_optics::{Detection, FRAME_BYTES, FrameOrder, Receiver as OpticalReceiver};
use socket2::{Domain, Protocol, Socket, Type};

use super::Command;
use crate::link::{LinkEvent, LinkHandle};
use crate::status::StatusBoard;

/// Receive buffer to ask the system for, in bytes.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Datagrams between the two threads: what does not fit is lost light.
const DATAGRAMS_WAITING_MAX: usize = 8192;

/// Distance of two looks at clocks and the stop flag.
const IDLE: Duration = Duration::from_millis(5);

/// Detections handed to the link at once, at most.
const BATCH_MAX: usize = 1 << 16;

/// Time after which what Alice's clock covers and no frame brought is lost, when no datagram waits.
const OVERDUE: Duration = Duration::from_millis(200);

/// The same whatever waits: a stranger who keeps the queue filled cannot stop Bob's time.
const OVERDUE_MAX: Duration = Duration::from_secs(2);

/// Slots to live through at once: Alice's word for the time does not make an endless night.
const GIVEN_UP_AT_ONCE_MAX: u64 = 1 << 33;

/// A datagram of the right size; others are no frames.
type Datagram = Box<[u8]>;

/// Binds the quantum socket with a large receive buffer.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    let got = socket.recv_buffer_size()?;
    if got < SOCKET_BUFFER_BYTES {
        tracing::warn!(
            wanted_bytes = SOCKET_BUFFER_BYTES,
            got_bytes = got,
            "small receive buffer: light may be lost under load; raise net.core.rmem_max"
        );
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// What the measuring thread needs.
pub struct ReceivePath {
    /// The detectors.
    pub receiver: OpticalReceiver,
    /// Puts frames into order.
    pub order: FrameOrder,
    /// Whom to tell.
    pub link: LinkHandle,
    /// What the operator sees.
    pub board: StatusBoard,
}

impl ReceivePath {
    /// Starts both threads; they end when the command channel closes.
    ///
    /// # Errors
    /// When the system has no socket or thread left.
    pub fn start(
        self,
        socket: &UdpSocket,
        commands: Receiver<Command>,
    ) -> std::io::Result<Vec<JoinHandle<()>>> {
        let socket = socket.try_clone()?;
        socket.set_read_timeout(Some(IDLE))?;
        let (sender, datagrams) = sync_channel(DATAGRAMS_WAITING_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let reader = std::thread::Builder::new()
            .name("quantum-read".into())
            .spawn(move || read(&socket, &sender, &stopping))?;
        let detector = std::thread::Builder::new()
            .name("quantum-detect".into())
            .spawn(move || {
                Measuring::new(self).run(&datagrams, &commands);
                stop.store(true, Ordering::Release);
            })?;
        Ok(vec![reader, detector])
    }
}

/// Empties the socket as fast as it fills.
fn read(socket: &UdpSocket, datagrams: &SyncSender<Datagram>, stop: &AtomicBool) {
    // One byte more than a frame, so that a longer datagram is seen to be no frame.
    let mut buffer = [0; FRAME_BYTES + 1];
    while !stop.load(Ordering::Acquire) {
        // Time-outs and errors that strangers cause (ICMP) are no reason to stop.
        let Ok(bytes) = socket.recv(&mut buffer) else {
            continue;
        };
        match datagrams.try_send(buffer[..bytes].into()) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}

struct Measuring {
    path: ReceivePath,
    began: Instant,
    detections: Vec<Detection>,
    /// What Alice says she has emitted. Frames of slots beyond it are not hers, or early.
    emitted_slots: u64,
    reported_slot: u64,
    looked: Instant,
    progressed: Instant,
    clocks: VecDeque<(Instant, u64)>,
}

impl Measuring {
    fn new(path: ReceivePath) -> Self {
        let now = Instant::now();
        Self {
            path,
            began: now,
            detections: Vec::new(),
            emitted_slots: 0,
            reported_slot: 0,
            looked: now,
            progressed: now,
            clocks: VecDeque::new(),
        }
    }

    fn run(mut self, datagrams: &Receiver<Datagram>, commands: &Receiver<Command>) {
        loop {
            match datagrams.recv_timeout(IDLE) {
                Ok(datagram) => self.datagram(&datagram),
                Err(RecvTimeoutError::Timeout) => {
                    self.measure();
                    self.give_up_overdue(OVERDUE);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.looked.elapsed() < IDLE && self.detections.len() < BATCH_MAX {
                continue;
            }
            self.looked = Instant::now();
            loop {
                match commands.try_recv() {
                    Ok(Command::Clock { emitted_slots }) => self.heard_clock(emitted_slots),
                    Ok(Command::Transmit { .. } | Command::Recall { .. }) => {}
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.give_up_overdue(OVERDUE_MAX);
            self.report();
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

    fn datagram(&mut self, datagram: &[u8]) {
        let now_ps = self.began.elapsed().as_nanos() as u64 * 1000;
        // Garbage and strangers are counted by the order itself.
        let _judged = self.path.order.receive(now_ps, datagram);
        self.measure();
    }

    fn measure(&mut self) {
        let now_ps = self.began.elapsed().as_nanos() as u64 * 1000;
        for frame in self.path.order.release(now_ps) {
            // Light for slots that were given up has come too late: it is lost.
            let _late = self
                .path
                .receiver
                .detect(frame.into_light(), &mut self.detections);
        }
    }

    /// Slots that Alice's clock passed so long ago are empty.
    fn give_up_overdue(&mut self, after: Duration) {
        let overdue = self.clocks.partition_point(|(at, _)| at.elapsed() >= after);
        let Some((at, slots)) = self.clocks.drain(..overdue).next_back() else {
            return;
        };
        let receiver = &mut self.path.receiver;
        let most = receiver.next_slot().saturating_add(GIVEN_UP_AT_ONCE_MAX);
        receiver.advance_to(slots.min(most), &mut self.detections);
        if slots > most {
            self.clocks.push_front((at, slots));
        }
    }

    /// Hands on what Alice's authenticated clock covers. The quantum channel is nobody's: without
    /// this, one forged frame of the future would make Bob announce slots that she never sent.
    fn report(&mut self) {
        let next_slot = self.path.receiver.next_slot().min(self.emitted_slots);
        if next_slot <= self.reported_slot {
            self.progressed = self.looked;
            return;
        }
        let covered = self
            .detections
            .partition_point(|detection| detection.slot < next_slot);
        let early = self.detections.split_off(covered);
        let detections = std::mem::replace(&mut self.detections, early);
        let event = LinkEvent::Detections {
            detections,
            next_slot,
        };
        match self.path.link.try_tell(event) {
            Ok(()) => {
                self.reported_slot = next_slot;
                self.path
                    .board
                    .clock(next_slot, self.looked - self.progressed);
                self.path.board.frames(self.path.order.counters());
                self.progressed = self.looked;
            }
            // The link is busy: keep them, and let the queue in front of this thread overflow.
            Err(LinkEvent::Detections { mut detections, .. }) => {
                detections.append(&mut self.detections);
                self.detections = detections;
                if self.detections.len() >= BATCH_MAX {
                    std::thread::sleep(IDLE);
                }
            }
            Err(_other) => {}
        }
    }
}
