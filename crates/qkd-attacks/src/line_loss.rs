//! The loss of a fibre that Eve has replaced: what she may stop without being missed.

use qkd_optics::CapturedPulse;

use crate::Error;
use crate::parameters::Parameters;

/// Singles pass only when so much is owed that pulses of several photons cannot pay it.
const RESERVE: f64 = 64.0;

/// The account between the fibre that was there and Eve's, which loses nothing.
///
/// Of n photons the old fibre of transmittance η let at least one through with probability
/// 1 − (1 − η)ⁿ. So much is owed to Bob for each pulse; every pulse that Eve lets through pays one.
pub(crate) struct LineLoss {
    loss_probability: f64,
    owed: f64,
}

impl LineLoss {
    /// The parameter that names the loss.
    pub const KEY: &'static str = "loss_db";

    /// A fibre of so much loss; 0 dB owes every pulse.
    pub fn new(loss_db: f64) -> Self {
        Self {
            loss_probability: 1.0 - qkd_optics::transmittance(loss_db),
            owed: 0.0,
        }
    }

    /// The same fibre for light that is so many times as bright as it was: what arrives is not.
    pub fn for_brighter(self, times: f64) -> Self {
        Self {
            loss_probability: 1.0 - (1.0 - self.loss_probability) / times,
            ..self
        }
    }

    /// From `loss_db=…`, 0 to 100 dB.
    pub fn read(parameters: &Parameters<'_>) -> Result<Self, Error> {
        let loss_db = parameters.number(Self::KEY, 0.0, 0.0..=100.0, "dB")?;
        Ok(Self::new(loss_db))
    }

    /// Probability that the fibre loses a photon.
    pub fn loss_probability(&self) -> f64 {
        self.loss_probability
    }

    /// Whether a pulse from which Eve gains something is needed to pay what is owed; asked before
    /// the pulse itself is owed, so that the answer depends on pulses before it alone.
    pub fn wants(&self) -> bool {
        self.owed >= 1.0
    }

    /// Whether so much is owed that one without gain has to help.
    pub fn is_behind(&self) -> bool {
        self.owed >= RESERVE
    }

    /// A pulse has come by.
    pub fn owe(&mut self, photons: u8) {
        self.owed += 1.0 - self.loss_probability.powi(photons.into());
    }

    /// A pulse from which Eve gains nothing has come: it passes when Bob had too few before it
    /// ([`is_behind`](Self::is_behind)), and is stopped otherwise.
    pub fn pass_or_stop(&mut self, pulse: CapturedPulse<'_>, is_behind: bool) {
        if is_behind {
            self.pay();
            pulse.forward();
        } else {
            pulse.block();
        }
    }

    /// A pulse was let through.
    pub fn pay(&mut self) {
        self.owed -= 1.0;
    }
}
