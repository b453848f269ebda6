//! Light that a detector gives off when it clicks.

use crate::Error;
use crate::source::check_probability;
use crate::transmittance;

/// Back-flash: the avalanche of a diode glows, and some of that goes back into the fibre (Kurtsiefer et
/// al., J. Mod. Opt. 48, 2039 (2001); Pinheiro et al., Opt. Express 26, 21020 (2018)). Its polarisation
/// says which detector it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackFlash {
    /// Probability that a click sends a photon back to the receiver's entrance.
    pub probability: f64,
    /// Loss of the receiver's entrance for light that leaves by it, in dB, 0 or more: its isolator.
    pub isolation_db: f64,
}

impl BackFlash {
    /// Refuses what no detector and no isolator does.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the offending field.
    pub fn check(&self) -> Result<(), Error> {
        check_probability("probability", self.probability)?;
        if self.isolation_db >= 0.0 && self.isolation_db.is_finite() {
            return Ok(());
        }
        Err(Error::OutOfRange {
            name: "isolation_db",
            value: self.isolation_db,
            expected: "a loss of 0 dB or more",
        })
    }

    /// Probability that a click lets a photon out into the fibre.
    pub fn leaving_probability(&self) -> f64 {
        self.probability * transmittance(self.isolation_db)
    }
}

/// A photon of a click, on its way out of Bob's receiver. Sealed like all light: whoever catches it may
/// look once.
///
/// ```compile_fail
/// fn peek(photon: &qkd_optics::FlashPhoton) -> bool { photon.bit }
/// ```
pub struct FlashPhoton {
    slot: u64,
    bit: bool,
}

impl FlashPhoton {
    pub(crate) fn new(slot: u64, bit: bool) -> Self {
        Self { slot, bit }
    }

    /// What it says, for the frame that carries it.
    pub(crate) fn bit(&self) -> bool {
        self.bit
    }

    /// Absolute slot of the click.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// Looks: which bit the detector stands for that clicked.
    pub fn measure(self) -> bool {
        self.bit
    }
}
