//! Eve's thread: light in, attack, light out.

mod shining;
mod sight;
mod stand;

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use qkd_attacks::{Attack, AttackTally, Site, TowardsAlice};
use qkd_bits::PhysicsRng;
use qkd_optics::{
    EvePort, FRAME_BYTES, FlashFrame, Frame, FrameAddress, FrameEncoder, FrameShape, Inward,
    InwardLight, PulseFrame, ReflectedFrame, Reflections,
};

use super::OnwardSender;
use super::light_in::LightIn;
use shining::Shining;
use sight::Sight;
use stand::Line;
pub use stand::Stand;

/// Distance of two looks at the stop flag.
const IDLE: Duration = Duration::from_millis(20);

/// Photons out of Alice's laboratory that wait for the pulses of their slots, at most.
const REFLECTIONS_MAX: usize = 1 << 20;

/// Pieces of light out of Bob's laboratory that she looks at in one turn.
const BACKWARD_AT_ONCE_MAX: usize = 16;

/// The tap in the fibre, as Eve's control service sees it.
#[derive(Clone)]
pub struct Tap {
    shared: Arc<Shared>,
}

struct Shared {
    stand: Stand,
    running: Mutex<Running>,
    /// What the attacks before this one did.
    earlier: Mutex<AttackTally>,
    tally: Mutex<AttackTally>,
    frames: AtomicU64,
    corrupt: AtomicU64,
    /// Photons that came back out of Alice's laboratory.
    returned: AtomicU64,
    stop: AtomicBool,
}

/// What is being done to the light.
struct Running {
    attack: Box<dyn Attack>,
    spec: String,
    site: Site,
    line: Line,
}

/// Why an attack cannot be begun here.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// There is no such attack.
    #[error(transparent)]
    Attack(#[from] qkd_attacks::Error),
    /// The fibre cannot be.
    #[error("[channel]: {0}")]
    Fibre(#[from] qkd_optics::Error),
}

impl Running {
    fn new(spec: &str, stand: &Stand) -> Result<Self, TapError> {
        let name = name_of(spec);
        // Also for its message about a name that there is not.
        let attack = qkd_attacks::by_name(spec)?;
        let Some(about) = qkd_attacks::about(name) else {
            return Err(qkd_attacks::Error::UnknownAttack(name.to_owned()).into());
        };
        let site = stand.site(&about);
        let spec_there = stand.spec(spec, site);
        Ok(Self {
            attack: match spec_there == spec {
                true => attack,
                false => qkd_attacks::by_name(&spec_there)?,
            },
            spec: spec_there,
            site,
            line: stand.line(site)?,
        })
    }
}

impl Tap {
    /// A tap that stands there and runs the attack called `spec`.
    ///
    /// # Errors
    /// When there is no such attack, or it cannot be run here.
    pub fn new(spec: &str, stand: Stand) -> Result<Self, TapError> {
        let mut running = Running::new(spec, &stand)?;
        Ok(Self {
            shared: Arc::new(Shared {
                stand,
                earlier: Mutex::default(),
                tally: Mutex::new(running.attack.record().tally),
                running: Mutex::new(running),
                frames: AtomicU64::new(0),
                corrupt: AtomicU64::new(0),
                returned: AtomicU64::new(0),
                stop: AtomicBool::new(false),
            }),
        })
    }

    /// Changes the attack from the next frame on.
    ///
    /// # Errors
    /// As [`new`](Self::new); the present one goes on.
    pub fn set(&self, spec: &str) -> Result<(), TapError> {
        let mut next = Running::new(spec, &self.shared.stand)?;
        let mut running = lock(&self.shared.running);
        let mut tally = lock(&self.shared.tally);
        let mut earlier = lock(&self.shared.earlier);
        *earlier = earlier.plus(*tally);
        *tally = next.attack.record().tally;
        *running = next;
        Ok(())
    }

    /// The attack that is running: as it was named, with the loss of the fibre that it replaces.
    pub fn spec(&self) -> String {
        lock(&self.shared.running).spec.clone()
    }

    /// Where she stands for it.
    pub fn site(&self) -> Site {
        lock(&self.shared.running).site
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

    /// What she does to Alice's laboratory at present.
    pub fn towards_alice(&self) -> TowardsAlice {
        lock(&self.shared.running).attack.towards_alice()
    }

    /// Photons that came back out of Alice's laboratory since the tap was set.
    pub fn returned_photons(&self) -> u64 {
        self.shared.returned.load(Ordering::Relaxed)
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
        nature: PhysicsRng,
    ) -> std::io::Result<()> {
        let mut light = LightIn::new(listening)?;
        let mut bench = Workbench::new(nature);
        while !self.shared.stop.load(Ordering::Acquire) {
            let datagrams = light.receive(|datagram| self.handle(&mut bench, datagram));
            onward.receive(BACKWARD_AT_ONCE_MAX, |datagram| {
                self.catch(&mut bench, datagram)
            });
            if datagrams == 0 {
                light.wait(IDLE);
                continue;
            }
            // Bob may not be there yet.
            let _left = onward.send(&bench.datagrams);
            bench.datagrams.clear();
            if let Some(datagram) = self.shine(&mut bench, Instant::now()) {
                light.send_back(&datagram);
            }
        }
        Ok(())
    }

    /// One datagram in; what is to leave is appended to the others on the bench. Whether it was light of
    /// Alice's pulses, as far as Eve can tell: where it came from is where her own light goes.
    pub fn handle(&self, bench: &mut Workbench, datagram: &[u8]) -> bool {
        match Frame::decode(datagram) {
            Ok(Frame::Pulses(frame)) => {
                return self.attack(bench, frame);
            }
            Ok(Frame::Reflected(frame)) => self.gather(bench, frame),
            // Nobody but she shines light at Alice.
            Ok(Frame::Inward(_)) | Err(_) => {
                self.shared.corrupt.fetch_add(1, Ordering::Relaxed);
            }
        }
        false
    }

    /// What of this frame's light leaves is appended to what waits on the bench.
    fn attack(&self, bench: &mut Workbench, frame: PulseFrame) -> bool {
        let header = *frame.header();
        let is_believed = bench.sight.see(header);
        let reflections = match bench.reflected_from {
            Some(address) if address == header.address => {
                let reflections = bench.reflections.take(&header.slots());
                let awaited = bench.sight.awaited();
                bench.reflections.forget_before(awaited.start);
                reflections
            }
            Some(_) | None => Reflections::default(),
        };
        let shape = outgoing_shape(&frame);
        let encoder = match &mut bench.encoder {
            Some(encoder) if is_of(encoder.shape(), &shape) => encoder,
            stale => stale.insert(FrameEncoder::new(shape)),
        };
        let light = {
            let Running { attack, line, .. } = &mut *lock(&self.shared.running);
            let arriving = line.before.carry(frame.into_light(), &mut bench.nature);
            let port = EvePort::new(arriving, bench.nature.fork());
            let mut port = port.with_reflections(reflections);
            attack.act(&mut port, &mut bench.eve);
            *lock(&self.shared.tally) = attack.record().tally;
            line.behind.carry(port.finish(), &mut bench.nature)
        };
        if encoder.encode(light, &mut bench.datagrams).is_ok() {
            self.shared.frames.fetch_add(1, Ordering::Relaxed);
        }
        is_believed
    }

    /// Light out of Alice's laboratory, which waits for the pulses of its slots. It is of no use to Bob:
    /// nothing of it goes on. What is of another session than Alice's, or of slots that she does not come
    /// to, is nothing that Eve could have brought about.
    fn gather(&self, bench: &mut Workbench, frame: ReflectedFrame) {
        let (address, slots) = (frame.header().address, frame.slots());
        let awaited = bench.sight.awaited();
        let is_awaited = awaited.start <= slots.start && slots.end <= awaited.end;
        if bench.sight.session() != Some(address) || !is_awaited {
            return;
        }
        if bench.reflected_from != Some(address) {
            (bench.reflected_from, bench.reflections) = (Some(address), Reflections::default());
        }
        let arriving = {
            let line = &mut lock(&self.shared.running).line;
            line.before.carry(frame.into_light(), &mut bench.nature)
        };
        let before = bench.reflections.len();
        bench.reflections.gather(arriving, REFLECTIONS_MAX);
        let returned = bench.reflections.len() - before;
        self.shared
            .returned
            .fetch_add(returned as u64, Ordering::Relaxed);
    }

    /// One datagram that comes out of Bob's laboratory. What she does not catch goes no further: Alice's
    /// instruments would not see it.
    fn catch(&self, bench: &mut Workbench, datagram: &[u8]) {
        let link = bench.sight.session();
        let frame = match FlashFrame::decode(datagram) {
            Ok(frame) if Some(frame.address()) == link => frame,
            // Of a session that is over, or nobody's.
            Ok(_) | Err(_) => return,
        };
        let Running { attack, line, .. } = &mut *lock(&self.shared.running);
        let arrives = line.behind.transmittance();
        let mut photons = frame.into_photons();
        photons.retain(|_| bench.nature.chance(arrives));
        attack.catch(photons, &mut bench.eve);
        *lock(&self.shared.tally) = attack.record().tally;
    }

    /// What Eve sends towards Alice, if anything is due.
    pub fn shine(&self, bench: &mut Workbench, now: Instant) -> Option<[u8; FRAME_BYTES]> {
        let seen = *bench.sight.latest()?;
        let inward = {
            let running = lock(&self.shared.running);
            let weakened = running.line.before.transmittance();
            match running.attack.towards_alice() {
                TowardsAlice::Nothing => None,
                TowardsAlice::Light(light) => Some(Inward::Light(InwardLight {
                    photons: light.photons * weakened,
                    ..light
                })),
                TowardsAlice::Remapped { step } => Some(Inward::TwoWay { step }),
            }
        };
        let Some(inward) = inward else {
            bench.shining = None;
            return None;
        };
        let shining = match &mut bench.shining {
            Some(shining) if shining.is(&inward, &seen) => shining,
            other => other.insert(Shining::new(inward, &seen, now)),
        };
        shining.due(&seen, now)
    }
}

/// What Eve works with.
pub struct Workbench {
    /// Decides what she does.
    eve: PhysicsRng,
    nature: PhysicsRng,
    encoder: Option<FrameEncoder>,
    /// Where Alice's clock is.
    sight: Sight,
    /// What she shines at Alice.
    shining: Option<Shining>,
    /// What came back of it, and of which session that is.
    reflections: Reflections,
    reflected_from: Option<FrameAddress>,
    /// What is to leave.
    pub datagrams: Vec<u8>,
}

impl Workbench {
    /// An empty one. `nature` decides what Eve does and how it comes out.
    pub fn new(mut nature: PhysicsRng) -> Self {
        Self {
            eve: nature.fork(),
            nature,
            encoder: None,
            sight: Sight::default(),
            shining: None,
            reflections: Reflections::default(),
            reflected_from: None,
            datagrams: Vec::new(),
        }
    }
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

/// The name in a specification.
pub fn name_of(spec: &str) -> &str {
    spec.split(':').next().unwrap_or(spec)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
