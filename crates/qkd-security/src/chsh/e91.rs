//! The settings of E91 and what each pair of them is for. Ekert, PRL 67, 661 (1991).
//!
//! Angles are those of a polariser, in radians; the state is (|HH⟩ + |VV⟩)/√2, so equal angles
//! give equal outcomes. Ekert's own state is the singlet, with opposite outcomes.

use super::Correlators;
use crate::Error;
use crate::mathematics::cos;
use crate::range;
use std::f64::consts::{FRAC_PI_4, FRAC_PI_8};

/// Alice's three settings, radians.
pub const ALICE_ANGLES_RAD: [f64; 3] = [0.0, FRAC_PI_8, FRAC_PI_4];

/// Bob's three settings, radians.
pub const BOB_ANGLES_RAD: [f64; 3] = [0.0, FRAC_PI_8, -FRAC_PI_8];

/// What becomes of a coincidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Equal angles: a bit of the key.
    Key,
    /// One of the four correlators of S.
    Test,
    /// Neither; may be disclosed to estimate errors.
    Discarded,
}

/// Indices into [`ALICE_ANGLES_RAD`] and [`BOB_ANGLES_RAD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Alice's, 0 to 2.
    pub alice: usize,
    /// Bob's, 0 to 2.
    pub bob: usize,
}

impl Settings {
    /// What a coincidence of these settings is for; no other index than 0 to 2 is of any use.
    ///
    /// Key: (0, 0) and (π/8, π/8). Test: Alice 0 or π/4 with Bob ±π/8.
    pub fn purpose(self) -> Use {
        match (self.alice, self.bob) {
            (0, 0) | (1, 1) => Use::Key,
            (0 | 2, 1 | 2) => Use::Test,
            _ => Use::Discarded,
        }
    }
}

/// Share of the coincidences that make key when both sides choose their settings evenly: 2/9.
pub const KEY_SHARE: f64 = 2.0 / 9.0;

/// The four correlators of a pair of visibility `visibility`, V cos 2(a − b): S = 2√2 V.
///
/// # Errors
/// [`Error::OutOfRange`] unless the visibility lies in \[0, 1\].
pub fn expected_correlators(visibility: f64) -> Result<Correlators, Error> {
    let holds = (0.0..=1.0).contains(&visibility);
    range::require("visibility", visibility, holds, "between 0 and 1")?;
    let correlator = |alice: usize, bob: usize| {
        visibility * cos(2.0 * (ALICE_ANGLES_RAD[alice] - BOB_ANGLES_RAD[bob]))
    };
    Ok(Correlators {
        a0_b0: correlator(0, 1),
        a0_b1: correlator(0, 2),
        a1_b0: correlator(2, 1),
        a1_b1: correlator(2, 2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chsh::TSIRELSON;

    #[test]
    fn the_settings_reach_the_largest_violation() {
        for visibility in [1.0, 0.9, 0.5, 0.0] {
            let chsh = expected_correlators(visibility).unwrap().chsh().unwrap();
            assert!((chsh - TSIRELSON * visibility).abs() < 1e-14);
        }
        assert!(expected_correlators(1.1).is_err());
    }

    #[test]
    fn key_comes_from_equal_angles_only() {
        let mut key = 0;
        let mut test = 0;
        for (alice, alice_rad) in ALICE_ANGLES_RAD.iter().enumerate() {
            for (bob, bob_rad) in BOB_ANGLES_RAD.iter().enumerate() {
                let equal = alice_rad == bob_rad;
                let purpose = Settings { alice, bob }.purpose();
                assert_eq!(equal, purpose == Use::Key, "{alice} {bob}");
                key += u32::from(purpose == Use::Key);
                test += u32::from(purpose == Use::Test);
            }
        }
        assert_eq!(f64::from(key) / 9.0, KEY_SHARE);
        assert_eq!(test, 4);
    }
}
