//! Measure in a random basis and send on what was seen.

use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, EvePort};

use crate::{Attack, AttackTally, Error};

/// Intercept-resend on a fraction f of the detections (Bennett and Brassard 1984).
///
/// Each pulse is caught with probability f, measured by ideal detectors in a basis chosen by a fair
/// coin, and replaced by one in the state that was seen with the same number of photons. Bob's
/// detection probability is then that of the original, so that the fraction holds among his
/// detections. He sees a QBER of f/4 + (1 − f/2) e₀.
#[derive(Debug)]
pub struct InterceptResend {
    fraction: f64,
    tally: AttackTally,
}

impl InterceptResend {
    /// The attack on a `fraction` from 0 to 1 of the pulses.
    ///
    /// # Errors
    /// [`Error::Fraction`] outside that range.
    pub fn new(fraction: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(Error::Fraction(fraction.to_string()));
        }
        Ok(Self {
            fraction,
            tally: AttackTally::default(),
        })
    }

    /// The fraction of the pulses that it intercepts.
    pub fn fraction(&self) -> f64 {
        self.fraction
    }
}

impl Attack for InterceptResend {
    fn name(&self) -> &'static str {
        "intercept-resend"
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.tally.pulses_seen += 1;
            if !rng.chance(self.fraction) {
                pulse.forward();
                continue;
            }
            let basis = if rng.bit() { Basis::Z } else { Basis::X };
            let seen = pulse.measure(basis);
            self.tally.intercepted += 1;
            // The slot is the one just emptied, so that the port has no reason to refuse; were it
            // to, the pulse would be lost like any that Eve fails to replace.
            if port
                .inject(seen.slot, seen.basis, seen.bit, seen.photons)
                .is_ok()
            {
                self.tally.resent += 1;
            }
        }
    }

    fn tally(&self) -> AttackTally {
        self.tally
    }
}
