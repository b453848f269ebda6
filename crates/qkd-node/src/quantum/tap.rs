//! Eve's thread: light in, attack, light out.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qkd_attacks::{Attack, AttackTally};
use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, Fibre, FrameEncoder, FrameShape, PulseFrame};

use super::OnwardSender;
use super::light_in::LightIn;

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
    /// When the listening socket cannot be read in batches.
    pub fn run(
        &self,
        listening: UdpSocket,
        mut onward: OnwardSender,
        outgoing: Fibre,
        mut nature: PhysicsRng,
    ) -> std::io::Result<()> {
        let mut light = LightIn::new(listening)?;
        let mut bench = Bench {
            eve: nature.fork(),
            outgoing,
            nature,
            encoder: None,
            datagrams: Vec::new(),
        };
        while !self.shared.stop.load(Ordering::Acquire) {
            if light.receive(|datagram| self.attack(&mut bench, datagram)) == 0 {
                light.wait(IDLE);
                continue;
            }
            // Bob may not be there yet.
            let _left = onward.send(&bench.datagrams);
            bench.datagrams.clear();
        }
        Ok(())
    }

    /// One datagram in; what is to leave is appended to the others.
    fn attack(&self, bench: &mut Bench, datagram: &[u8]) {
        let Ok(frame) = PulseFrame::decode(datagram) else {
            self.shared.corrupt.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let shape = outgoing_shape(&frame);
        let encoder = match &mut bench.encoder {
            Some(encoder) if is_of(encoder.shape(), &shape) => encoder,
            stale => stale.insert(FrameEncoder::new(shape)),
        };
        let mut port = EvePort::new(frame.into_light(), bench.nature.fork());
        {
            let mut attack = lock(&self.shared.attack);
            attack.act(&mut port, &mut bench.eve);
            *lock(&self.shared.tally) = attack.tally();
        }
        let light = bench.outgoing.carry(port.finish(), &mut bench.nature);
        if encoder.encode(light, &mut bench.datagrams).is_ok() {
            self.shared.frames.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What Eve works with.
struct Bench {
    /// Decides what she does.
    eve: PhysicsRng,
    /// The fibre from her to Bob.
    outgoing: Fibre,
    nature: PhysicsRng,
    encoder: Option<FrameEncoder>,
    /// What is to leave.
    datagrams: Vec<u8>,
}

/// What leaves her looks as what came: the same session, epoch, format and slots.
fn outgoing_shape(frame: &PulseFrame) -> FrameShape {
    let header = frame.header();
    FrameShape {
        session: header.address.session,
        link: header.address.link,
        epoch: header.address.epoch,
        format: header.format,
        span: header.span,
    }
}

/// Whether frames of two shapes are of one sequence: their spans differ from frame to frame.
fn is_of(one: &FrameShape, other: &FrameShape) -> bool {
    one.address() == other.address() && one.format == other.format
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
