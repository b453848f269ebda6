//! Light that no honest transmitter makes: other directions, other moments, bright pulses.

use super::{Basis, Pulse, State};
use crate::Error;

/// Step of an arrival time within its slot, ps.
pub const ARRIVAL_STEP_PS: f64 = 10.0;
/// Farthest that a pulse can arrive before or after the middle of its slot, ps.
pub const ARRIVAL_MAX_PS: f64 = 1270.0;
/// Most photons of a bright pulse: some picojoules.
pub const BRIGHT_PHOTONS_MAX: u64 = 255 << 15;
/// Brightest steady light, photons per slot.
pub const ILLUMINATION_MAX: f64 = 1e15;

/// A direction on the great circle of the four states of BB84, in sixteen steps of 22.5 degrees.
///
/// Z0 stands at 0, X0 at 90, Z1 at 180 and X1 at 270 degrees. What is measured along a direction
/// says 0 for light that points there and 1 for light that points the other way; for light at an
/// angle φ the probability of 0 is (1 + cos φ)/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Direction(u8);

const STEPS: u8 = 16;
/// Cosines of 0, 22.5, … 180 degrees.
const COSINES: [f64; 9] = {
    let (eighth, quarter, three_eighths) = (
        0.923_879_532_511_286_7,
        std::f64::consts::FRAC_1_SQRT_2,
        0.382_683_432_365_089_8,
    );
    [
        1.0,
        eighth,
        quarter,
        three_eighths,
        0.0,
        -three_eighths,
        -quarter,
        -eighth,
        -1.0,
    ]
};

impl Direction {
    /// Halfway between Z0 and X0: the basis of Breidbart, in which light says its bit with the same
    /// probability cos²(π/8) = 0.8536 whichever basis it was prepared in.
    pub const BREIDBART: Self = Self(2);

    /// The direction of one of the four states.
    #[inline]
    pub fn of(basis: Basis, bit: bool) -> Self {
        let turn = match basis {
            Basis::Z => 0,
            Basis::X => 4,
        };
        Self(turn + if bit { STEPS / 2 } else { 0 })
    }

    /// So many steps of 22.5 degrees from Z0 towards X0; whole turns change nothing.
    #[inline]
    pub fn of_steps(steps: u8) -> Self {
        Self(steps % STEPS)
    }

    /// Steps of 22.5 degrees from Z0, below 16.
    #[inline]
    pub fn steps(self) -> u8 {
        self.0
    }

    /// The direction in which a measurement along this one says `bit`.
    #[must_use]
    #[inline]
    pub fn with_bit(self, bit: bool) -> Self {
        Self::of_steps(self.0 + if bit { STEPS / 2 } else { 0 })
    }

    /// Cosine of the angle to another direction.
    #[inline]
    pub fn cosine_to(self, other: Self) -> f64 {
        let apart = usize::from(self.0.abs_diff(other.0));
        COSINES[apart.min(usize::from(STEPS) - apart)]
    }

    /// Probability that a photon of this direction says 1 when it is measured along `along`.
    #[inline]
    pub(crate) fn one_probability(self, along: Self) -> f64 {
        0.5 * (1.0 - self.cosine_to(along))
    }

    /// The state that stands there, if one of the four does: they stand every fourth step. Which one
    /// is anybody's guess, so that no branch asks.
    #[inline]
    fn state(self) -> Option<State> {
        let code = (self.0 >> 1) & 2 | self.0 >> 3;
        (self.0 & 3 == 0).then(|| State::from_code(code))
    }

    /// The direction of a state.
    #[inline]
    fn of_state(state: State) -> Self {
        let code = state.code();
        Self((code & 2) << 1 | (code & 1) << 3)
    }
}

/// A pulse as Eve makes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CraftedPulse {
    /// Where its light points.
    pub direction: Direction,
    /// Its photons, 1 to [`BRIGHT_PHOTONS_MAX`]; above 255 rounded to eight binary digits.
    pub photons: u64,
    /// When it arrives, relative to the middle of its slot, ps: −[`ARRIVAL_MAX_PS`] to
    /// [`ARRIVAL_MAX_PS`], rounded to [`ARRIVAL_STEP_PS`].
    pub arrival_ps: f64,
}

impl CraftedPulse {
    /// Refuses light that cannot be made.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    #[inline]
    pub fn check(&self) -> Result<(), Error> {
        if !(1..=BRIGHT_PHOTONS_MAX).contains(&self.photons) {
            return Err(Error::OutOfRange {
                name: "photons of a pulse",
                value: self.photons as f64,
                expected: "1 to 8355840 photons",
            });
        }
        check_arrival(self.arrival_ps)
    }

    /// The pulse, in the spelling that every such pulse has.
    #[inline]
    pub(crate) fn pulse(&self, offset: u32) -> Pulse {
        let arrival = arrival_steps(self.arrival_ps);
        match self.direction.state() {
            Some(state) if arrival == 0 && self.photons <= 255 => Pulse {
                offset,
                photons: self.photons as u8,
                state,
                crafted: [0; 2],
            },
            Some(_) | None => {
                let (mantissa, exponent) = scaled(self.photons);
                Pulse {
                    offset,
                    photons: 0,
                    state: State::from_byte(self.direction.0 | exponent << 4),
                    crafted: [mantissa, arrival as u8],
                }
            }
        }
    }
}

pub(crate) fn check_arrival(arrival_ps: f64) -> Result<(), Error> {
    if (-ARRIVAL_MAX_PS..=ARRIVAL_MAX_PS).contains(&arrival_ps) {
        return Ok(());
    }
    Err(Error::OutOfRange {
        name: "arrival_ps",
        value: arrival_ps,
        expected: "-1270 to 1270 ps",
    })
}

/// Rounded, halves away from zero. `round` is a call of the mathematics library where the machine's
/// instructions are the oldest, and this is done for every pulse.
#[inline]
fn arrival_steps(arrival_ps: f64) -> i8 {
    let steps = arrival_ps / ARRIVAL_STEP_PS;
    (steps + 0.5f64.copysign(steps)) as i8
}

/// Eight digits and the power of two behind them: the leading digit is set unless the power is 0.
fn scaled(photons: u64) -> (u8, u8) {
    let mut photons = photons.min(BRIGHT_PHOTONS_MAX);
    let mut exponent = 0;
    while photons > 255 {
        photons = photons.div_ceil(2);
        exponent += 1;
    }
    (photons as u8, exponent)
}

impl Pulse {
    /// What it is, when it is none that an honest transmitter makes.
    #[inline]
    pub fn as_crafted(&self) -> Option<CraftedPulse> {
        let [mantissa, arrival] = self.crafted;
        (self.photons == 0).then(|| CraftedPulse {
            direction: Direction(self.state.byte() & 15),
            photons: u64::from(mantissa) << (self.state.byte() >> 4),
            arrival_ps: f64::from(arrival as i8) * ARRIVAL_STEP_PS,
        })
    }

    /// The same pulse as somebody describes it who sees all of it.
    #[inline]
    pub fn description(&self) -> CraftedPulse {
        self.as_crafted().unwrap_or_else(|| CraftedPulse {
            direction: Direction::of_state(self.state),
            photons: self.photons.into(),
            arrival_ps: 0.0,
        })
    }

    /// Its photons, however bright it is.
    #[inline]
    pub fn quanta(&self) -> u64 {
        match self.photons {
            0 => u64::from(self.crafted[0]) << (self.state.byte() >> 4),
            photons => photons.into(),
        }
    }

    /// Whether it is written as every pulse like it is.
    pub fn is_canonical(&self) -> bool {
        if self.photons > 0 {
            return self.crafted == [0; 2] && self.state.byte() < 4;
        }
        let crafted = self.description();
        crafted.check().is_ok() && {
            let written = crafted.pulse(self.offset);
            written.photons == 0
                && written.state.byte() == self.state.byte()
                && written.crafted == self.crafted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_directions_are_translated_both_ways() {
        for basis in [Basis::Z, Basis::X] {
            for bit in [false, true] {
                let (state, direction) = (State::new(basis, bit), Direction::of(basis, bit));
                assert!(Direction::of_state(state) == direction);
                assert!(direction.state() == Some(state), "{direction:?}");
            }
        }
        let standing = (0..STEPS).filter(|&steps| Direction::of_steps(steps).state().is_some());
        assert_eq!(standing.collect::<Vec<_>>(), [0, 4, 8, 12]);
    }

    #[test]
    fn light_halfway_between_two_bases_says_its_bit_in_both_alike() {
        for basis in [Basis::Z, Basis::X] {
            for bit in [false, true] {
                let one = Direction::of(basis, bit).one_probability(Direction::BREIDBART);
                let right = if bit { one } else { 1.0 - one };
                assert!((right - 0.853_553_390_593_273_8).abs() < 1e-15, "{basis:?}");
            }
        }
        let z1 = Direction::of(Basis::Z, true);
        assert_eq!(z1.cosine_to(Direction::of(Basis::Z, false)), -1.0);
        assert_eq!(z1.cosine_to(Direction::of(Basis::X, true)), 0.0);
        assert_eq!(Direction::of_steps(16), Direction::of(Basis::Z, false));
    }

    #[test]
    fn every_pulse_has_one_spelling_and_reads_back() {
        for (steps, photons, arrival_ps) in [
            (0, 1, 0.0),
            (4, 255, 0.0),
            (2, 1, 0.0),
            (0, 3, -1270.0),
            (8, 256, 0.0),
            (15, BRIGHT_PHOTONS_MAX, 40.0),
        ] {
            let made = CraftedPulse {
                direction: Direction::of_steps(steps),
                photons,
                arrival_ps,
            };
            assert_eq!(made.check(), Ok(()));
            let pulse = made.pulse(7);
            assert!(pulse.is_canonical(), "{made:?}");
            assert_eq!(pulse.description(), made);
            assert_eq!(pulse.quanta(), photons);
            assert_eq!(
                pulse.as_crafted().is_none(),
                steps % 4 == 0 && photons < 256 && arrival_ps == 0.0
            );
        }
        let odd = CraftedPulse {
            direction: Direction::BREIDBART,
            photons: 1001,
            arrival_ps: 4.0,
        };
        let read = odd.pulse(0).description();
        assert_eq!((read.photons, read.arrival_ps), (1004, 0.0));
        assert!(CraftedPulse { photons: 0, ..odd }.check().is_err());
        assert!(
            CraftedPulse {
                arrival_ps: f64::NAN,
                ..odd
            }
            .check()
            .is_err()
        );
    }
}
