//! Alice's and Bob's photon paths alone, for whoever measures how fast they are.
//!
//! They are the very threads of the daemons, with the measurer in place of the link: no classical
//! channel, no session, no key. What Bob would announce is forgotten by Alice and looked up by
//! nobody. The other half of a link, without light, is [`distill`]; keys on their way to applications
//! are [`delivery`].

pub mod delivery;
pub mod distill;
pub mod eve;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{
    AlicesDoor, Doorway, FrameCounters, FrameEncoder, FrameOrder, OrderLimits, ReceiverCounters,
    SlotList,
};
use qkd_session::{Action, SessionId};

pub use crate::quantum::RECEIVE_BUFFER_BYTES;
pub use qkd_optics::FRAME_BYTES;

use crate::link::{BareLink, Heard};
use crate::parameters::LinkParameters;
use crate::quantum::{self, Command, Onward, ReceivePath, TransmitPath};
use crate::status::StatusBoard;

/// The only session there is.
const SESSION: SessionId = SessionId(0);

/// Why a photon path cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The link cannot be described.
    #[error("the link cannot be planned: {0}")]
    Parameters(#[from] qkd_security::Error),
    /// The instruments cannot be built.
    #[error(transparent)]
    Optics(#[from] qkd_optics::Error),
    /// There is no such attack.
    #[error(transparent)]
    Attack(#[from] crate::quantum::TapError),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Entropy(#[from] getrandom::Error),
    /// The operating system gave no socket or no thread.
    #[error("no socket or no thread: {0}")]
    Io(#[from] std::io::Error),
    /// An instrument gave up.
    #[error("{0}")]
    Ended(String),
}

/// Alice's photon path. Its thread ends when this is dropped.
pub struct Sending {
    commands: Option<Sender<Command>>,
    link: BareLink,
    board: StatusBoard,
    thread: Option<JoinHandle<()>>,
    _onward: Onward,
    occupied_probability: f64,
    emitted_slots: u64,
}

impl Sending {
    /// Starts the path to Bob at `peer`, with the light off. Its clock is the source's.
    ///
    /// # Errors
    /// When the link makes no sense or the system gives no thread.
    pub fn start(parameters: &LinkParameters, peer: SocketAddr) -> Result<Self, BenchError> {
        let transmitter = parameters.hardware()?.transmitter(random()?)?;
        let occupied_probability = transmitter.occupied_probability();
        let address = quantum::address(SESSION);
        let shape = quantum::shape(address, &transmitter, transmitter.source().clock_hz)?;
        let (link, heard) = BareLink::new();
        let board = StatusBoard::default();
        // The way is an address in numbers; when nobody listens there, the figures say so.
        let onward = Onward::start("the bench's Bob", peer.into(), Box::new(|_fault| {}))?;
        let door = AlicesDoor::default();
        let path = TransmitPath {
            doorway: Doorway::new(door, &transmitter, address, PhysicsRng::from_seed(0))?,
            slots_per_second_max: transmitter.source().clock_hz,
            transmitter,
            encoder: FrameEncoder::new(shape),
            onward: onward.sender(),
            failed_generator: Action::Stop,
            unannounced_slots_max: u64::MAX,
            link,
            board: board.clone(),
        };
        let (commands, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("quantum-transmit".into())
            .spawn(move || path.run(&receiver))?;
        Ok(Self {
            commands: Some(commands),
            link: heard,
            board,
            thread: Some(thread),
            _onward: onward,
            occupied_probability,
            emitted_slots: 0,
        })
    }

    /// Probability that a slot still holds light when it leaves Alice.
    pub fn occupied_probability(&self) -> f64 {
        self.occupied_probability
    }

    /// Switches the light on or off.
    pub fn light(&self, wanted: bool) {
        self.command(Command::Transmit { wanted });
    }

    /// Bob has announced everything before `slot`: what was done there need not be remembered.
    pub fn forget_before(&self, slot: u64) {
        self.command(Command::Recall {
            block: 0,
            slots: SlotList::default(),
            first_slot: 0,
            end_slot: slot,
        });
    }

    /// Slots emitted, as far as the path has said.
    ///
    /// # Errors
    /// [`BenchError::Ended`] when it cannot go on.
    pub fn emitted_slots(&mut self) -> Result<u64, BenchError> {
        while let Some(heard) = self.link.next() {
            match heard {
                Heard::Emitted { slots } => self.emitted_slots = slots,
                Heard::Passed { .. } => {}
                Heard::Ended(reason) => return Err(BenchError::Ended(reason)),
            }
        }
        Ok(self.emitted_slots)
    }

    /// Datagrams that left this process, and those that found no way out.
    pub fn datagrams(&self) -> (u64, u64) {
        let seen = self.board.snapshot();
        (seen.frames_sent, seen.frames_unsent)
    }

    fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A thread that ended has said why.
            let _ended = commands.send(command);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        end(self.commands.take(), self.thread.take());
    }
}

/// Bob's photon path. Its thread ends when this is dropped.
pub struct Receiving {
    commands: Option<Sender<Command>>,
    link: BareLink,
    board: StatusBoard,
    threads: Vec<JoinHandle<()>>,
    socket: UdpSocket,
    passed: Passed,
}

/// How far Bob has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Slots that are measured or lost.
    pub slots: u64,
    /// Detections in them, dead time respected.
    pub detections: u64,
}

impl Receiving {
    /// Starts the path on a port of loopback that the system chooses.
    ///
    /// # Errors
    /// When the link makes no sense or the system gives no socket or thread.
    pub fn start(parameters: &LinkParameters) -> Result<Self, BenchError> {
        let mut secret = random()?;
        let nature = PhysicsRng::from_seed(secret.next_u64());
        let receiver = parameters.hardware()?.receiver(secret, nature)?;
        let socket = quantum::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let (link, heard) = BareLink::new();
        let board = StatusBoard::default();
        let path = ReceivePath {
            receiver,
            order: FrameOrder::new(quantum::address(SESSION), OrderLimits::default(), 0),
            failed_generator: Action::Stop,
            link,
            board: board.clone(),
        };
        let (commands, receiver) = channel();
        Ok(Self {
            threads: path.start(&socket, receiver)?,
            commands: Some(commands),
            link: heard,
            board,
            socket,
            passed: Passed::default(),
        })
    }

    /// Where its light arrives.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr, BenchError> {
        Ok(self.socket.local_addr()?)
    }

    /// The receive buffer that was granted, in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn receive_buffer_bytes(&self) -> Result<usize, BenchError> {
        Ok(quantum::receive_buffer_bytes(&self.socket)?)
    }

    /// Alice's clock has come so far.
    pub fn clock(&self, emitted_slots: u64) {
        if let Some(commands) = &self.commands {
            // A thread that ended has said why.
            let _ended = commands.send(Command::Clock { emitted_slots });
        }
    }

    /// How far the path has come, as far as it has said.
    ///
    /// # Errors
    /// [`BenchError::Ended`] when it cannot go on.
    pub fn passed(&mut self) -> Result<Passed, BenchError> {
        while let Some(heard) = self.link.next() {
            match heard {
                Heard::Passed {
                    next_slot,
                    detections,
                } => {
                    self.passed.slots = next_slot;
                    self.passed.detections += detections as u64;
                }
                Heard::Emitted { .. } => {}
                Heard::Ended(reason) => return Err(BenchError::Ended(reason)),
            }
        }
        Ok(self.passed)
    }

    /// What became of datagrams and photons, as of about the last word on how far it has come.
    pub fn counters(&self) -> (FrameCounters, ReceiverCounters) {
        let seen = self.board.snapshot();
        (seen.frames, seen.detectors)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let threads = std::mem::take(&mut self.threads);
        end(self.commands.take(), threads);
    }
}

/// Closes the commands and waits for the threads that obeyed them.
fn end(commands: Option<Sender<Command>>, threads: impl IntoIterator<Item = JoinHandle<()>>) {
    drop(commands);
    for thread in threads {
        // A panic in there has been printed.
        let _panicked = thread.join();
    }
}

fn random() -> Result<SecretRng, BenchError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(SecretRng::from_seed(seed))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::presets::Preset;

    #[test]
    fn every_preset_can_be_measured_from_0_to_200_km() {
        for preset in Preset::ALL {
            for distance_km in [0.0, 10.0, 200.0] {
                let mut parameters = preset.parameters(distance_km);
                parameters.source.clock_hz = 2.5e9;
                parameters
                    .hardware()
                    .unwrap_or_else(|error| panic!("{preset:?}: {error}"));
            }
        }
    }

    #[test]
    fn slots_that_were_never_sent_cannot_be_announced() {
        let parameters = crate::presets::snspd(25.0);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut alice = Sending::start(&parameters, nobody).unwrap();
        alice.forget_before(1000);
        let began = Instant::now();
        let reason = loop {
            match alice.emitted_slots() {
                Err(error) => break error.to_string(),
                Ok(_) => assert!(began.elapsed() < Duration::from_secs(20), "it lives on"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(
            reason,
            "Bob announced block 0 up to slot 1000, but only 0 slots were sent"
        );
    }

    #[test]
    fn what_alice_emits_passes_bob_and_is_detected() {
        let mut parameters = crate::presets::snspd(25.0);
        parameters.source.clock_hz = 1e6;
        let mut bob = Receiving::start(&parameters).unwrap();
        let mut alice = Sending::start(&parameters, bob.address().unwrap()).unwrap();
        alice.light(true);
        let began = Instant::now();
        while bob.passed().unwrap().detections < 1000 {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "no light arrives"
            );
            let emitted_slots = alice.emitted_slots().unwrap();
            bob.clock(emitted_slots);
            alice.forget_before(bob.passed().unwrap().slots.min(emitted_slots));
            std::thread::sleep(Duration::from_millis(5));
        }
        let (frames, detectors) = bob.counters();
        assert!(frames.accepted > 0 && frames.accepted <= alice.datagrams().0);
        assert!(detectors.clicks >= 1000);
    }
}
