//! Eve in the fibre, letting everything pass.

use qkd_bits::PhysicsRng;
use qkd_optics::EvePort;

use crate::{Attack, AttackTally};

/// Counts pulses and touches none: the control of every attack.
#[derive(Debug, Default)]
pub struct Passive {
    tally: AttackTally,
}

impl Attack for Passive {
    fn name(&self) -> &'static str {
        "passive"
    }

    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.tally.pulses_seen += 1;
            pulse.forward();
        }
    }

    fn tally(&self) -> AttackTally {
        self.tally
    }
}
