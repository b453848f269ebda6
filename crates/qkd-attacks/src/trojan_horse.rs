//! Look into Alice's laboratory with light of one's own.

use qkd_bits::PhysicsRng;
use qkd_optics::{EvePort, INWARD_PHOTONS_MAX, InwardLight, Monitor};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, TowardsAlice, Verdict};

/// The Trojan horse (Vakhitov et al., J. Mod. Opt. 48, 2023 (2001); Lucamarini et al., Phys. Rev. X 5,
/// 031030 (2015)).
///
/// Eve shines light into Alice's laboratory, between her pulses or at another wavelength. A little of it
/// is reflected behind the modulator and carries her setting when it comes out. Eve keeps it until the
/// bases are public: with μ_out photons of it in a slot she has the bit with probability 1 − e^(−μ_out).
/// Alice's own pulses pass untouched, so that nothing shows in Bob's counts.
pub struct TrojanHorse {
    light: InwardLight,
    record: Record,
}

impl TrojanHorse {
    pub(crate) const NAME: &'static str = "trojan-horse";
    pub(crate) const KEYS: &'static [&'static str] = &["photons", "wavelength_nm"];
    pub(crate) const ABOUT: About = About {
        summary: "She shines light into Alice's laboratory and reads what comes back.",
        lesson: "Every glass surface behind the modulator is a mirror that shows its setting. Nothing \
                 of it is in Bob's counts, so that isolators and filters must keep it faint, and a \
                 proof has to reckon with what is left.",
        defaults: &["1000000", "1536"],
        site: Site::AlicesDoor,
        gain: "a bit with probability 1 − e^(−μ_out), for μ_out photons that come back",
        verdict: Verdict::Bounded(
            "isolators and filters keep faint what comes back, and Alice watches what comes in",
        ),
        monitors: &[Monitor::BackwardLight],
    };

    /// The attack with this light at Alice's door.
    pub fn new(light: InwardLight) -> Self {
        Self {
            light,
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        Ok(Self::new(inward_light(&parameters, 1536.0)?))
    }
}

/// The light that `photons` and `wavelength_nm` describe.
pub(crate) fn inward_light(
    parameters: &Parameters<'_>,
    wavelength_nm: f64,
) -> Result<InwardLight, Error> {
    let range = 0.0..=INWARD_PHOTONS_MAX;
    Ok(InwardLight {
        photons: parameters.number("photons", 1e6, range, "photons per slot")?,
        wavelength_nm: parameters.number("wavelength_nm", wavelength_nm, 1000.0..=2500.0, "nm")?,
    })
}

impl Attack for TrojanHorse {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, _rng: &mut PhysicsRng) {
        for photons in port.take_reflections() {
            self.record.tally.intercepted += 1;
            self.record
                .notebook
                .write(photons.slot(), Note::Kept(photons));
        }
    }

    fn towards_alice(&self) -> TowardsAlice {
        TowardsAlice::Light(self.light)
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}
