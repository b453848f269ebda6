//! Eve's way from datagram to datagram: the one of her service, without its sockets.

use std::time::{Duration, Instant};

use qkd_attacks::Site;
use qkd_bits::PhysicsRng;
use qkd_optics::{FRAME_BYTES, FrameEncoder};
use qkd_session::SessionId;
use rustix::time::{ClockId, clock_gettime};

use super::{BenchError, random};
use crate::config::EvePosition;
use crate::parameters::LinkParameters;
use crate::quantum::{self, Stand, Tap, Workbench};

/// Datagrams of a round: as many as a network hands over at once, so that the light stays in the cache
/// as it does in the service.
const DATAGRAMS: usize = 46;

/// How fast Eve was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EveSpeed {
    /// Where she stood.
    pub site: Site,
    /// Probability that a slot held light when it came to her process.
    pub occupied_probability: f64,
    /// Slots that she handled.
    pub slots: u64,
    /// Processor time that it took, s.
    pub processor_seconds: f64,
    /// Time that passed, s.
    pub wall_seconds: f64,
}

impl EveSpeed {
    /// Slots in a second of processor time.
    pub fn slots_per_second(&self) -> f64 {
        self.slots as f64 / self.processor_seconds
    }

    /// Pulses with light in a second of processor time.
    pub fn pulses_per_second(&self) -> f64 {
        self.slots_per_second() * self.occupied_probability
    }

    /// The same in a second as it passed, which other processes may have had a part of.
    pub fn pulses_per_wall_second(&self) -> f64 {
        self.slots as f64 * self.occupied_probability / self.wall_seconds
    }
}

/// Lets Eve handle light of a link for that long, over and over the same. With `fibre_is_eves` she
/// stands wherever the attack has to and all loss is her process's; without, at Bob's door.
///
/// # Errors
/// When the link or the attack cannot be.
pub fn measure(
    parameters: &LinkParameters,
    attack: &str,
    fibre_is_eves: bool,
    time: Duration,
) -> Result<EveSpeed, BenchError> {
    let mut hardware = parameters.hardware()?;
    let mut loss_db = 0.0;
    if fibre_is_eves {
        loss_db = parameters.fibre_attenuation_db();
        hardware.segment_transmittance = 1.0;
    }
    let mut secret = random()?;
    let nature = PhysicsRng::from_seed(secret.next_u64());
    let mut transmitter = hardware.transmitter(secret)?;
    let clock_hz = transmitter.source().clock_hz;
    let address = quantum::address(SessionId(0));
    let shape = quantum::shape(address, &transmitter, clock_hz)?;
    let mut encoder = FrameEncoder::new(shape);
    let mut arriving = Vec::new();
    while arriving.len() < DATAGRAMS * FRAME_BYTES {
        let train = transmitter.transmit(encoder.shape().span);
        encoder.encode(train, &mut arriving)?;
    }
    let tap = Tap::new(attack, Stand::new(EvePosition::AsNeeded, loss_db))?;
    let mut bench = Workbench::new(nature);
    let (mut rounds, began, before) = (0, Instant::now(), processor_time());
    while rounds == 0 || began.elapsed() < time {
        bench.datagrams.clear();
        for datagram in arriving.chunks_exact(FRAME_BYTES) {
            tap.handle(&mut bench, datagram);
        }
        rounds += 1;
    }
    Ok(EveSpeed {
        site: tap.site(),
        occupied_probability: transmitter.occupied_probability(),
        slots: rounds * transmitter.next_slot(),
        processor_seconds: (processor_time() - before).as_secs_f64(),
        wall_seconds: began.elapsed().as_secs_f64(),
    })
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // A thread's own time begins at zero.
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn light_is_denser_at_alices_door_than_at_bobs() {
        let speed = |attack, fibre_is_eves| {
            let link = presets::snspd(50.0);
            measure(&link, attack, fibre_is_eves, Duration::ZERO).unwrap()
        };
        let bob = speed("intercept-resend", false);
        let alice = speed("photon-number-splitting", true);
        assert_eq!((bob.site, alice.site), (Site::BobsDoor, Site::LosslessLine));
        let ratio = alice.occupied_probability / bob.occupied_probability;
        assert!((5.0..11.0).contains(&ratio), "{ratio}");
        assert!(bob.slots > 0 && bob.pulses_per_second() > 0.0);
    }
}
