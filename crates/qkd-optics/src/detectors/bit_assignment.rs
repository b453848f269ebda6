//! Which detector stands for which bit.

/// How the two detectors of a basis are assigned to the bits 0 and 1.
///
/// Detectors are never quite equal, and who knows how they differ (by arrival time, wavelength or
/// polarisation) learns from a click which of them it was likely to be. When Bob exchanges them at
/// random in every slot, and tells nobody, that says nothing about his bit: his modulator then uses
/// four settings, hence the name *four-state Bob* (Nielsen et al., J. Mod. Opt. 48, 1921 (2001);
/// against unequal detectors: LaGasse, US 2006/0280305; Qi, Fung, Lo and Ma, Quantum Inf. Comput. 7,
/// 73 (2007)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BitAssignment {
    /// One detector for 0, the other for 1, always.
    #[default]
    Fixed,
    /// Bob's random numbers exchange the two, slot by slot. For the active choice of basis alone.
    Random,
}
