//! Light of a two-way system whose modulator works at the wrong moment.

use super::Transmitter;
use crate::{Basis, CraftedPulse, Direction, PulseTrain};

impl Transmitter {
    /// As [`transmit`](Self::transmit), where Eve has shifted the pulses on their way in so that they
    /// meet the edge of the modulator's signal: Alice's phases 0, π/2, π and 3π/2 become 0, δ, 2δ and 3δ
    /// with δ = `step` · 22.5 degrees (Fung et al., Phys. Rev. A 75, 032314 (2007)). At 4 steps all is as
    /// it should be.
    pub fn transmit_remapped(&mut self, span: u32, step: u8) -> PulseTrain {
        let mut train = self.transmit(span);
        for pulse in &mut train.pulses {
            let (basis, bit) = (pulse.state.basis(), pulse.state.bit());
            let remapped = CraftedPulse {
                direction: remapped(basis, bit, step),
                photons: pulse.quanta(),
                arrival_ps: 0.0,
            };
            *pulse = remapped.pulse(pulse.offset);
        }
        train.extras.crafted = train.pulses.iter().any(|pulse| pulse.photons == 0);
        train
    }
}

/// Where a state stands whose phase is so many steps wide.
fn remapped(basis: Basis, bit: bool, step: u8) -> Direction {
    // Z0, X0, Z1 and X1 are the phases 0 to 3.
    let phase = match basis {
        Basis::Z => 0,
        Basis::X => 1,
    };
    Direction::of_steps((phase + if bit { 2 } else { 0 }) * (step % 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_steps_are_the_four_states_and_two_halve_their_angles() {
        for basis in [Basis::Z, Basis::X] {
            for bit in [false, true] {
                let whole = Direction::of(basis, bit);
                assert_eq!(remapped(basis, bit, 4), whole);
                assert_eq!(remapped(basis, bit, 2).steps() * 2, whole.steps());
            }
        }
    }
}
