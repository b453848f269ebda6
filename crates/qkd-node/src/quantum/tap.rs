//! Eve's thread: light in, attack, light out.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qkd_attacks::{Attack, AttackTally};
use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, FRAME_BYTES, Fibre, FrameEncoder, FrameShape, PulseFrame};

use super::OnwardSender;

/// Distance of two looks at the stop flag.
const IDLE: Duration = Duration::from_millis(20);

/// The tap in the fibre, as Eve's control service sees it.
#[derive(Clone)]
pub struct Tap {
    shared: Arc<Shared>,
}

struct Shared {
    attack: Mutex<Box<dyn Attack>>,
    spec: Mutex<String>,
    /// What the attacks before this one did.
    earlier: Mutex<AttackTally>,
    tally: Mutex<AttackTally>,
    frames: AtomicU64,
    corrupt: AtomicU64,
    stop: AtomicBool,
}

impl Tap {
    /// A tap that runs the attack called `spec`.
    ///
    /// # Errors
    /// When there is no such attack.
    pub fn new(spec: &str) -> Result<Self, qkd_attacks::Error> {
        let attack = qkd_attacks::by_name(spec)?;
        Ok(Self {
            shared: Arc::new(Shared {
                earlier: Mutex::default(),
                tally: Mutex::new(attack.tally()),
                attack: Mutex::new(attack),
                spec: Mutex::new(spec.to_owned()),
                frames: AtomicU64::new(0),
                corrupt: AtomicU64::new(0),
                stop: AtomicBool::new(false),
            }),
        })
    }

    /// Changes the attack from the next frame on.
    ///
    /// # Errors
    /// When there is no such attack; the present one goes on.
    pub fn set(&self, spec: &str) -> Result<(), qkd_attacks::Error> {
        let attack = qkd_attacks::by_name(spec)?;
        let mut running = lock(&self.shared.attack);
        let mut tally = lock(&self.shared.tally);
        let mut earlier = lock(&self.shared.earlier);
        *earlier = earlier.plus(*tally);
        *tally = attack.tally();
        *running = attack;
        *lock(&self.shared.spec) = spec.to_owned();
        Ok(())
    }

    /// The attack that is running, as it was named.
    pub fn spec(&self) -> String {
        lock(&self.shared.spec).clone()
    }

    /// What all attacks have done since the tap was set.
    pub fn tally(&self) -> AttackTally {
        let tally = lock(&self.shared.tally);
        tally.plus(*lock(&self.shared.earlier))
    }

    /// Datagrams that passed, and those that were no frames.
    pub fn datagrams(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.shared.frames), count(&self.shared.corrupt))
    }

    /// Ends [`run`](Self::run).
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
    }

    /// Attacks until stopped. Datagrams that are no frames are not light and go nowhere.
    ///
    /// # Errors
    /// When the listening socket takes no time-out.
    pub fn run(
        &self,
        listening: &UdpSocket,
        mut onward: OnwardSender,
        mut outgoing: Fibre,
        mut nature: PhysicsRng,
    ) -> std::io::Result<()> {
        listening.set_read_timeout(Some(IDLE))?;
        let mut eve = nature.fork();
        let mut encoder: Option<FrameEncoder> = None;
        let mut buffer = [0; FRAME_BYTES + 1];
        let mut datagrams = Vec::new();
        while !self.shared.stop.load(Ordering::Acquire) {
            let Ok(bytes) = listening.recv(&mut buffer) else {
                continue;
            };
            let Ok(frame) = PulseFrame::decode(&buffer[..bytes]) else {
                self.shared.corrupt.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let shape = outgoing_shape(&frame);
            let encoder = match &mut encoder {
                Some(encoder) if *encoder.shape() == shape => encoder,
                stale => stale.insert(FrameEncoder::new(shape)),
            };
            let mut port = EvePort::new(frame.into_light(), nature.fork());
            {
                let mut attack = lock(&self.shared.attack);
                attack.act(&mut port, &mut eve);
                *lock(&self.shared.tally) = attack.tally();
            }
            let light = outgoing.carry(port.finish(), &mut nature);
            datagrams.clear();
            if encoder.encode(light, &mut datagrams).is_ok() {
                for datagram in datagrams.chunks(FRAME_BYTES) {
                    // Bob may not be there yet.
                    let _lost = onward.send(datagram);
                }
                self.shared.frames.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// What leaves her looks as what came: the same session, epoch, width and slots.
fn outgoing_shape(frame: &PulseFrame) -> FrameShape {
    let header = frame.header();
    let slots = header.slots();
    FrameShape {
        session: header.address.session,
        link: header.address.link,
        epoch: header.address.epoch,
        word_bits: header.word_bits,
        // A frame's slots are at most its span, a 32-bit number.
        span: (slots.end - slots.start) as u32,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
