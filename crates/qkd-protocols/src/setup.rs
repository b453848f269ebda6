//! What Alice and Bob agreed on before the first pulse.

use qkd_optics::{DetectorEffects, Detectors, Source};
use qkd_security::{BlockPlan, LinkModel, SecurityParameters, Theorem};

/// The expected link with the plan that was made for it, and the instruments that realise it.
#[derive(Debug, Clone)]
pub struct LinkSetup {
    /// The link as both sides expect it.
    pub link: LinkModel,
    /// Size and acceptance limits of a block.
    pub plan: BlockPlan,
    /// The theorem that bounds the key length.
    pub theorem: Theorem,
    /// The failure budget.
    pub parameters: SecurityParameters,
}

impl LinkSetup {
    /// Alice's source.
    pub fn source(&self) -> Source {
        Source {
            clock_hz: self.link.clock_hz,
            intensities: self.link.source.intensities().to_vec(),
            intensity_probabilities: self.link.source.probabilities().to_vec(),
            key_basis_probability: self.link.key_basis_probability,
        }
    }

    /// Bob's receiver.
    pub fn detectors(&self) -> Detectors {
        Detectors {
            detector_efficiency: self.link.detector_efficiency,
            dark_count_probability: self.link.dark_count_probability,
            dead_time_slots: self.link.dead_time_slots,
            afterpulse_probability: self.link.afterpulse_probability,
            afterpulse_decay_slots: self.link.afterpulse_decay_slots,
            misalignment_error: self.link.misalignment_error,
            insertion_transmittance: self.link.insertion_transmittance,
            key_basis_probability: self.link.key_basis_probability,
            effects: DetectorEffects::default(),
        }
    }
}
