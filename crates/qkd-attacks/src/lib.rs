//! What Eve does to light on its way, one file each.
//!
//! An attack sees light through an [`EvePort`] and nothing else: it never reads the bytes of a
//! frame, and it can name neither a protocol nor a record nor a key, because this crate depends on
//! none of them. What she makes of her measurements once the bases are public is her [`Notebook`]'s
//! business, which is told what is said in public and nothing else.

#![forbid(unsafe_code)]

mod about;
mod back_flash;
mod beam_splitting;
mod blinding;
mod dead_time;
mod denial_of_service;
mod error;
mod faked_states;
mod intercept_resend;
mod laser_seeding;
mod line_loss;
mod notebook;
mod parameters;
mod passive;
mod phase_remapping;
mod photon_number_splitting;
mod random_number;
mod record;
mod time_shift;
mod trojan_horse;
mod unambiguous_discrimination;

pub use about::{About, Site, Verdict};
pub use back_flash::BackFlash;
pub use beam_splitting::BeamSplitting;
pub use blinding::{Blinding, BlindingSettings};
pub use dead_time::{DeadTime, DeadTimeSettings};
pub use denial_of_service::DenialOfService;
pub use error::Error;
pub use faked_states::FakedStates;
pub use intercept_resend::{InterceptResend, Strategy};
pub use laser_seeding::{Brighter, LaserSeeding};
pub use notebook::{Announced, Grade, Guess, Notebook};
pub use passive::Passive;
pub use phase_remapping::PhaseRemapping;
pub use photon_number_splitting::{Forwarded, PhotonNumberSplitting};
pub use random_number::RandomNumber;
pub use record::{AttackTally, Record};
pub use time_shift::{FavourablePs, TimeShift};
pub use trojan_horse::TrojanHorse;
pub use unambiguous_discrimination::UnambiguousDiscrimination;

use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, EvePort, FlashPhoton, InwardLight};

/// One way of listening in.
pub trait Attack: Send {
    /// Its name, as [`by_name`] takes it.
    fn name(&self) -> &'static str;

    /// Acts on one train. `rng` makes Eve's own choices; how her measurements come out is the
    /// port's business.
    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng);

    /// What she does meanwhile to Alice's laboratory: mostly nothing.
    fn towards_alice(&self) -> TowardsAlice {
        TowardsAlice::Nothing
    }

    /// Gets the light that Bob's clicks have sent back, of the slots that she acted on last: mostly it
    /// goes by.
    fn catch(&mut self, photons: Vec<FlashPhoton>, rng: &mut PhysicsRng) {
        let _gone = (photons, rng);
    }

    /// What it has done so far, and what Eve knows by it.
    fn record(&mut self) -> &mut Record;
}

/// What comes to Alice's laboratory from the fibre.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum TowardsAlice {
    /// Nothing.
    #[default]
    Nothing,
    /// Light that Eve shines into it, all the time.
    Light(InwardLight),
    /// Bob's own pulses of a two-way system, at moments at which Alice's phases come out `step` · 22.5
    /// degrees apart.
    Remapped {
        /// 1 to 4; at 4 they come out right.
        step: u8,
    },
}

impl TowardsAlice {
    /// It in words, which complete "she …"; nothing where nothing comes.
    pub fn words(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Light(InwardLight {
                wavelength_nm,
                photons,
            }) => Some(format!(
                "shines {photons:e} photons per slot at {wavelength_nm} nm into Alice's laboratory"
            )),
            Self::Remapped { step } => Some(format!(
                "shifts the pulses of a two-way system: Alice's phases come out {} degrees apart",
                22.5 * f64::from(step)
            )),
        }
    }
}

/// One of the two bases, by the fall of a fair coin. A table answers: a branch would be mistaken half of
/// the time.
#[inline]
fn either(rng: &mut PhysicsRng) -> Basis {
    const BASES: [Basis; 2] = [Basis::X, Basis::Z];
    BASES[usize::from(rng.bit())]
}

/// Makes an attack of what stands behind the colon of its specification.
type Read = fn(Option<&str>) -> Result<Box<dyn Attack>, Error>;

/// Every attack by its name, with its parameters and what there is to say of it.
#[rustfmt::skip]
const ATTACKS: [(&str, &[&str], About, Read); 15] = [
    (Passive::NAME, Passive::KEYS, Passive::ABOUT, |text| Ok(Box::new(Passive::read(text)?))),
    (InterceptResend::NAME, InterceptResend::KEYS, InterceptResend::ABOUT, |text| Ok(Box::new(InterceptResend::read(text)?))),
    (PhotonNumberSplitting::NAME, PhotonNumberSplitting::KEYS, PhotonNumberSplitting::ABOUT, |text| Ok(Box::new(PhotonNumberSplitting::read(text)?))),
    (BeamSplitting::NAME, BeamSplitting::KEYS, BeamSplitting::ABOUT, |text| Ok(Box::new(BeamSplitting::read(text)?))),
    (UnambiguousDiscrimination::NAME, UnambiguousDiscrimination::KEYS, UnambiguousDiscrimination::ABOUT, |text| Ok(Box::new(UnambiguousDiscrimination::read(text)?))),
    (Blinding::NAME, Blinding::KEYS, Blinding::ABOUT, |text| Ok(Box::new(Blinding::read(text)?))),
    (FakedStates::NAME, FakedStates::KEYS, FakedStates::ABOUT, |text| Ok(Box::new(FakedStates::read(text)?))),
    (TimeShift::NAME, TimeShift::KEYS, TimeShift::ABOUT, |text| Ok(Box::new(TimeShift::read(text)?))),
    (DeadTime::NAME, DeadTime::KEYS, DeadTime::ABOUT, |text| Ok(Box::new(DeadTime::read(text)?))),
    (PhaseRemapping::NAME, PhaseRemapping::KEYS, PhaseRemapping::ABOUT, |text| Ok(Box::new(PhaseRemapping::read(text)?))),
    (TrojanHorse::NAME, TrojanHorse::KEYS, TrojanHorse::ABOUT, |text| Ok(Box::new(TrojanHorse::read(text)?))),
    (BackFlash::NAME, BackFlash::KEYS, BackFlash::ABOUT, |text| Ok(Box::new(BackFlash::read(text)?))),
    (RandomNumber::NAME, RandomNumber::KEYS, RandomNumber::ABOUT, |text| Ok(Box::new(RandomNumber::read(text)?))),
    (LaserSeeding::NAME, LaserSeeding::KEYS, LaserSeeding::ABOUT, |text| Ok(Box::new(LaserSeeding::read(text)?))),
    (DenialOfService::NAME, DenialOfService::KEYS, DenialOfService::ABOUT, |text| Ok(Box::new(DenialOfService::read(text)?))),
];

/// The names that [`by_name`] knows.
pub const KNOWN: [&str; ATTACKS.len()] = {
    let mut names = [""; ATTACKS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ATTACKS[index].0;
        index += 1;
    }
    names
};

/// The parameters of a known attack, the one that the short form sets first; nothing for a name
/// that is not known.
pub fn parameters_of(name: &str) -> Option<&'static [&'static str]> {
    let known = ATTACKS.iter().find(|(known, ..)| *known == name);
    known.map(|(_, parameters, ..)| *parameters)
}

/// What there is to say of a known attack; nothing for a name that is not known.
pub fn about(name: &str) -> Option<About> {
    let known = ATTACKS.iter().find(|(known, ..)| *known == name);
    known.map(|(_, _, about, _)| *about)
}

/// `spec`, with the loss of the fibre that Eve replaces where the attack lives off that loss
/// (`loss_db`) and nobody has said it; any other specification as it is.
pub fn in_place_of(spec: &str, loss_db: f64) -> String {
    let (name, argument) = match spec.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (spec, None),
    };
    let key = line_loss::LineLoss::KEY;
    if !parameters_of(name).is_some_and(|known| known.contains(&key)) {
        return spec.to_owned();
    }
    match argument {
        None => format!("{name}:{key}={loss_db}"),
        // The short form says the first parameter, which the loss is.
        Some(given) if !given.contains('=') => spec.to_owned(),
        Some(given) if given.split(',').any(|part| part.starts_with(key)) => spec.to_owned(),
        Some(given) => format!("{name}:{key}={loss_db},{given}"),
    }
}

/// The attack that `spec` describes: `NAME`, `NAME:VALUE`, or `NAME:KEY=VALUE,KEY=VALUE`, such as
/// `intercept-resend:0.1` or `intercept-resend:fraction=0.1,basis=breidbart`.
///
/// # Errors
/// [`Error::UnknownAttack`] lists the known names, [`Error::Parameter`] the parameters of the attack;
/// [`Error::Value`] and [`Error::NoArgument`] say what a value should have been.
pub fn by_name(spec: &str) -> Result<Box<dyn Attack>, Error> {
    let (name, argument) = match spec.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (spec, None),
    };
    let known = ATTACKS.iter().find(|(known, ..)| *known == name);
    let (.., read) = known.ok_or_else(|| Error::UnknownAttack(name.to_owned()))?;
    read(argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_makes_the_attack_of_that_name() {
        for name in KNOWN {
            assert_eq!(by_name(name).map(|attack| attack.name()), Ok(name));
            assert!(parameters_of(name).is_some(), "{name}");
        }
        assert_eq!(parameters_of("listen"), None);
        for spec in [
            "intercept-resend:0.1",
            "intercept-resend:basis=breidbart,fraction=0.5",
            "photon-number-splitting:loss_db=15,forward=rest",
            "beam-splitting:10",
            "time-shift:zero_ps=-50,one_ps=1270",
            "blinding:share=0.5,trigger_photons=150",
        ] {
            assert!(by_name(spec).is_ok(), "{spec}");
        }
    }

    #[test]
    fn every_attack_is_described_and_takes_its_own_defaults() {
        for name in KNOWN {
            let about = about(name).expect("it is known");
            let sentences = |text: &str| text.matches(". ").count() + 1;
            assert_eq!(sentences(about.summary), 1, "{name}");
            assert_eq!(sentences(about.lesson), 2, "{name}");
            for text in [about.summary, about.lesson] {
                assert!(text.ends_with('.'), "{name}: {text}");
            }
            for text in [about.gain, about.verdict.by()] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text}");
            }
            let parameters = parameters_of(name).expect("it is known");
            assert_eq!(parameters.len(), about.defaults.len(), "{name}");
            let given = parameters.iter().zip(about.defaults);
            let given: Vec<String> = given.map(|(key, value)| format!("{key}={value}")).collect();
            if !given.is_empty() {
                let spec = format!("{name}:{}", given.join(","));
                assert!(by_name(&spec).is_ok(), "{spec}");
            }
        }
        assert_eq!(about("listen"), None);
    }

    #[test]
    fn an_attack_that_lives_off_the_loss_is_told_of_it_once() {
        for (spec, told) in [
            ("beam-splitting", "beam-splitting:loss_db=5"),
            ("beam-splitting:7", "beam-splitting:7"),
            (
                "photon-number-splitting:forward=rest",
                "photon-number-splitting:loss_db=5,forward=rest",
            ),
            (
                "photon-number-splitting:forward=rest,loss_db=7",
                "photon-number-splitting:forward=rest,loss_db=7",
            ),
            ("intercept-resend:0.1", "intercept-resend:0.1"),
            ("listen", "listen"),
        ] {
            assert_eq!(in_place_of(spec, 5.0), told);
        }
    }

    #[test]
    fn a_wrong_specification_is_refused_with_what_was_expected() {
        let message = |spec: &str| match by_name(spec) {
            Ok(attack) => panic!("{spec} made {}", attack.name()),
            Err(error) => error.to_string(),
        };
        let unknown = message("photon-splitting");
        let strange = message("intercept-resend:fraction=0.1,base=z");
        assert!(
            strange.contains("fraction, basis") && strange.contains("base=z"),
            "{strange}"
        );
        let twice = message("beam-splitting:loss_db=1,loss_db=1");
        assert!(twice.contains("each once"), "{twice}");
        let late = message("time-shift:one_ps=2000");
        assert!(
            late.contains("one_ps") && late.contains("-1270 to 1270 ps"),
            "{late}"
        );
        let basis = message("intercept-resend:basis=y");
        assert!(basis.contains("random, z, x, breidbart"), "{basis}");
        assert!(KNOWN.iter().all(|name| unknown.contains(name)), "{unknown}");
        for fraction in ["1.1", "-0.1", "NaN", "inf", "", "a half"] {
            let refusal = message(&format!("intercept-resend:{fraction}"));
            assert!(refusal.contains("from 0 to 1"), "{refusal}");
        }
        assert!(message("passive:1").contains("takes no argument"));
        assert!(message("").contains("passive"));
    }
}
