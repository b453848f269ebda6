//! What Eve does to light on its way, one file each.
//!
//! An attack sees light through an [`EvePort`] and nothing else: it never reads the bytes of a
//! frame, and it can name neither a protocol nor a record nor a key, because this crate depends on
//! none of them.

#![forbid(unsafe_code)]

mod error;
mod intercept_resend;
mod passive;

pub use error::Error;
pub use intercept_resend::InterceptResend;
pub use passive::Passive;

use qkd_bits::PhysicsRng;
use qkd_optics::EvePort;

/// One way of listening in.
pub trait Attack: Send {
    /// Its name, as [`by_name`] takes it.
    fn name(&self) -> &'static str;

    /// Acts on one train. `rng` makes Eve's own choices; how her measurements come out is the
    /// port's business.
    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng);

    /// What it has done so far.
    fn tally(&self) -> AttackTally;
}

/// What an attack has done, in pulses that held light.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttackTally {
    /// Pulses that came by.
    pub pulses_seen: u64,
    /// Pulses that were measured.
    pub intercepted: u64,
    /// Pulses that were sent in their place.
    pub resent: u64,
}

impl AttackTally {
    /// This and another one together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            pulses_seen: self.pulses_seen + other.pulses_seen,
            intercepted: self.intercepted + other.intercepted,
            resent: self.resent + other.resent,
        }
    }
}

/// The names that [`by_name`] knows.
pub const KNOWN: [&str; 2] = ["passive", "intercept-resend"];

/// The attack that `spec` describes: `NAME` or `NAME:ARGUMENT`, such as `intercept-resend:0.1`.
///
/// # Errors
/// [`Error::UnknownAttack`] lists the known names; [`Error::Fraction`] and
/// [`Error::NoArgument`] say what the argument should have been.
pub fn by_name(spec: &str) -> Result<Box<dyn Attack>, Error> {
    let (name, argument) = match spec.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (spec, None),
    };
    match name {
        "passive" => match argument {
            None => Ok(Box::new(Passive::default())),
            Some(argument) => Err(Error::NoArgument {
                attack: "passive",
                argument: argument.to_owned(),
            }),
        },
        "intercept-resend" => {
            let fraction = match argument {
                None => 1.0,
                Some(text) => text.parse().map_err(|_| Error::Fraction(text.to_owned()))?,
            };
            Ok(Box::new(InterceptResend::new(fraction)?))
        }
        _ => Err(Error::UnknownAttack(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_makes_the_attack_of_that_name() {
        for name in KNOWN {
            assert_eq!(by_name(name).map(|attack| attack.name()), Ok(name));
        }
        assert!(by_name("intercept-resend:0.1").is_ok());
    }

    #[test]
    fn a_wrong_specification_is_refused_with_what_was_expected() {
        let message = |spec: &str| match by_name(spec) {
            Ok(attack) => panic!("{spec} made {}", attack.name()),
            Err(error) => error.to_string(),
        };
        let unknown = message("photon-splitting");
        assert!(KNOWN.iter().all(|name| unknown.contains(name)), "{unknown}");
        for fraction in ["1.1", "-0.1", "NaN", "inf", "", "a half"] {
            let refusal = message(&format!("intercept-resend:{fraction}"));
            assert!(refusal.contains("from 0 to 1"), "{refusal}");
        }
        assert!(message("passive:1").contains("takes no argument"));
        assert!(message("").contains("passive"));
    }
}
