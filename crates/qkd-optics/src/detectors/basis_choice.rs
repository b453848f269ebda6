//! Who chooses the basis of a measurement.

/// How a photon comes to be measured in a basis.
///
/// With the passive choice the basis is nature's, so that light of Eve's making can steer it, and
/// a pulse of several photons can fire detectors of both bases; Bob then takes one at random
/// (Fung, Chau and Lo, Phys. Rev. A 84, 020303 (2011)). A theorem for the active choice does not
/// cover it: the fraction of detections in a basis is no longer independent of the photon number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BasisChoice {
    /// Bob's random numbers set a modulator; two detectors serve both bases.
    #[default]
    Active,
    /// A beam splitter with the transmittance P(Z) chooses for each photon; four detectors. Timing
    /// jitter is refused with it.
    Passive,
}
