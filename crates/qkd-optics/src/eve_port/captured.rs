//! One pulse in Eve's hands, and everything that can become of it.

use qkd_bits::PhysicsRng;

use super::EvePort;
use super::kept::KeptPhotons;
use crate::light::{CraftedPulse, Pulse, check_arrival};
use crate::{Basis, Direction, Error};

/// A pulse that Eve holds. She must decide what becomes of it; one that is merely dropped is lost.
///
/// ```compile_fail
/// fn peek(pulse: qkd_optics::CapturedPulse<'_>) -> u8 { pulse.pulse.state.code() }
/// ```
#[must_use = "a captured pulse that is dropped is lost: measure, forward or block it"]
pub struct CapturedPulse<'a> {
    pub(super) port: &'a mut EvePort,
    pub(super) pulse: Pulse,
}

/// What is left of a pulse that Eve measured: her knowledge.
///
/// ```compile_fail
/// fn undo(seen: qkd_optics::MeasuredPulse, pulse: qkd_optics::CapturedPulse<'_>) {
///     pulse.measure(seen.basis);
///     pulse.forward();
/// }
/// ```
pub struct MeasuredPulse {
    /// Absolute slot of the pulse.
    pub slot: u64,
    /// Basis she measured in.
    pub basis: Basis,
    /// What most of its photons said, on a tie a fair coin.
    pub bit: bool,
    /// Photons that it held; 255 for a brighter pulse.
    pub photons: u8,
    /// How many of them said 0 and 1.
    pub outcomes: [u8; 2],
}

impl CapturedPulse<'_> {
    /// Absolute slot of the pulse.
    #[inline]
    pub fn slot(&self) -> u64 {
        self.port.start_slot + u64::from(self.pulse.offset)
    }

    /// Number of photons, counted without demolition; 255 for a brighter pulse.
    #[inline]
    pub fn photons(&self) -> u8 {
        u8::try_from(self.pulse.quanta()).unwrap_or(u8::MAX)
    }

    /// Measures every photon with ideal detectors, which destroys the pulse. In the basis that the
    /// pulse was prepared in all say its bit, in the other one each says what it likes.
    #[inline]
    pub fn measure(self, basis: Basis) -> MeasuredPulse {
        let (slot, photons) = (self.slot(), self.photons());
        let [zeros, ones, bit] = self.measure_along(Direction::of(basis, false)).parts();
        MeasuredPulse {
            slot,
            basis,
            bit: bit == 1,
            photons,
            outcomes: [zeros, ones],
        }
    }

    /// Measures every photon along a direction, which destroys the pulse: what is left points there
    /// or the other way.
    ///
    /// ```compile_fail
    /// fn both(pulse: qkd_optics::CapturedPulse<'_>) {
    ///     let along = qkd_optics::Direction::BREIDBART;
    ///     pulse.measure_along(along);
    ///     pulse.measure_along(along);
    /// }
    /// ```
    #[inline]
    pub fn measure_along(self, along: Direction) -> Said {
        let one = self.pulse.description().direction.one_probability(along);
        self.says_one(one)
    }

    /// The same along a direction that none of the sixteen is.
    ///
    /// ```compile_fail
    /// fn both(pulse: qkd_optics::CapturedPulse<'_>, along: qkd_optics::Orientation) {
    ///     pulse.measure_at(along);
    ///     pulse.measure_at(along);
    /// }
    /// ```
    pub fn measure_at(self, along: Orientation) -> Said {
        let direction = self.pulse.description().direction;
        let [z, x] = [Basis::Z, Basis::X].map(|it| direction.cosine_to(Direction::of(it, false)));
        let cosine = z * along.cosine + x * along.sine;
        self.says_one((0.5 * (1.0 - cosine)).clamp(0.0, 1.0))
    }

    /// Every photon says 1 with this probability.
    #[inline]
    fn says_one(self, one: f64) -> Said {
        let photons = self.photons();
        let port = self.port;
        if photons == 1 {
            // The commonest pulse. Whether her direction is its own is anybody's guess: no branch asks.
            let bit = port.physics.chance(one);
            let outcomes = [u8::from(!bit), u8::from(bit)];
            return Said { bit, outcomes };
        }
        let mut ones = 0;
        if one == 0.5 {
            for _ in 0..photons {
                ones += u8::from(port.physics.bit());
            }
        } else if one > 0.0 {
            for _ in 0..photons {
                ones += u8::from(one >= 1.0 || port.physics.chance(one));
            }
        }
        let outcomes = [photons - ones, ones];
        let bit = match outcomes[1].cmp(&outcomes[0]) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => port.physics.bit(),
        };
        Said { bit, outcomes }
    }

    /// Asks which of the four states it is, by the measurement that never errs and often says
    /// nothing; the pulse is gone either way. States of one and two photons are linearly dependent:
    /// there is no such measurement of them. Of n ≥ 3 photons it succeeds with probability
    /// 1 − 2^(1−n/2) for even and 1 − 2^((1−n)/2) for odd n (Dušek, Jahma and Lütkenhaus, Phys. Rev.
    /// A 62, 022306 (2000)). Of light that is none of the four states it says nothing.
    ///
    /// ```compile_fail
    /// fn read(pulse: qkd_optics::CapturedPulse<'_>) {
    ///     pulse.discriminate();
    ///     pulse.forward();
    /// }
    /// ```
    #[inline]
    pub fn discriminate(self) -> Option<(Basis, bool)> {
        let CapturedPulse { port, pulse } = self;
        if pulse.as_crafted().is_some() {
            return None;
        }
        let state = pulse.state;
        let told = port
            .physics
            .chance(discrimination_probability(pulse.photons));
        told.then(|| (state.basis(), state.bit()))
    }

    /// Splits so many photons off, without looking at them, and keeps them. Nothing when that would
    /// leave none, or when there are more than can be counted.
    ///
    /// ```compile_fail
    /// fn peek(mut pulse: qkd_optics::CapturedPulse<'_>) -> u8 {
    ///     pulse.split_off(1).unwrap().pulse.photons
    /// }
    /// ```
    #[inline]
    pub fn split_off(&mut self, photons: u8) -> Option<KeptPhotons> {
        let mut light = self.pulse.description();
        let all = u8::try_from(light.photons).ok()?;
        if photons == 0 || photons >= all {
            return None;
        }
        let kept = KeptPhotons::new(self.slot(), light.direction, photons);
        light.photons -= u64::from(photons);
        self.pulse = light.pulse(self.pulse.offset);
        Some(kept)
    }

    /// Keeps all of it. Nothing leaves in its slot, unless Eve sends something.
    #[inline]
    pub fn keep(self) -> KeptPhotons {
        let direction = self.pulse.description().direction;
        KeptPhotons::new(self.slot(), direction, self.photons())
    }

    /// Lets it pass unharmed.
    #[inline]
    pub fn forward(self) {
        // It was caught in order, and nothing has been sent since: the order is kept.
        self.port.push(self.pulse);
    }

    /// Lets it pass through a longer or a shorter way than the fibre's, so that it arrives
    /// `later_ps` later within its slot, in ps; what came late already stays as late as it was.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] when it would leave its slot's neighbourhood; the pulse is lost then.
    ///
    /// ```compile_fail
    /// fn twice(pulse: qkd_optics::CapturedPulse<'_>) {
    ///     pulse.forward_later(100.0).unwrap();
    ///     pulse.forward();
    /// }
    /// ```
    #[inline]
    pub fn forward_later(self, later_ps: f64) -> Result<(), Error> {
        let mut light: CraftedPulse = self.pulse.description();
        light.arrival_ps += later_ps;
        check_arrival(light.arrival_ps)?;
        self.port.push(light.pulse(self.pulse.offset));
        Ok(())
    }

    /// Stops it.
    #[inline]
    pub fn block(self) {}
}

/// Any direction on the circle of the four states, by the angle from Z0 towards X0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orientation {
    /// Cosine of the angle: 1 for Z0.
    pub cosine: f64,
    /// Sine of the angle: 1 for X0.
    pub sine: f64,
}

/// What a measurement along a direction said.
pub struct Said {
    /// What most photons said, on a tie a fair coin.
    pub bit: bool,
    /// How many of them said 0 and 1.
    pub outcomes: [u8; 2],
}

impl Said {
    fn parts(self) -> [u8; 3] {
        let [zeros, ones] = self.outcomes;
        [zeros, ones, u8::from(self.bit)]
    }
}

/// How often a pulse of so many photons in one of the four states is told apart without error.
fn discrimination_probability(photons: u8) -> f64 {
    let n = i32::from(photons);
    let halvings = match n {
        ..3 => return 0.0,
        _ if n % 2 == 0 => n / 2 - 1,
        _ => (n - 1) / 2,
    };
    1.0 - 0.5f64.powi(halvings)
}

/// What Eve's own measurements are made with, for light that she kept.
pub(super) fn majority(ones: u8, photons: u8, physics: &mut PhysicsRng) -> bool {
    match (2 * u16::from(ones)).cmp(&u16::from(photons)) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => physics.bit(),
    }
}
