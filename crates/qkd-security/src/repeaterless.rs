//! What no protocol over a lossy line can exceed. Holds for every protocol that is not a repeater,
//! hence the line in every plot of rate over distance.

use crate::Error;
use crate::mathematics::{ln_1p, pow};
use crate::range;
use std::f64::consts::LN_2;

/// −log₂(1 − η): secret bits per use of a line of this transmittance; infinite at η = 1.
///
/// Pirandola, Laurenza, Ottaviani and Banchi, Nat. Commun. 8, 15043 (2017), equation 19. It counts
/// the line's loss alone (`transmittance_channel`), not the detectors', and one mode per use.
///
/// # Errors
/// [`Error::OutOfRange`] unless the transmittance lies in \[0, 1\].
pub fn bits_per_use(transmittance_channel: f64) -> Result<f64, Error> {
    range::transmittance("transmittance_channel", transmittance_channel)?;
    Ok(-ln_1p(-transmittance_channel) / LN_2)
}

/// −log₂(1 − η^(1/(n+1))): the same with `repeaters` nodes that divide the loss evenly.
///
/// Pirandola, Commun. Phys. 2, 51 (2019). With one node in the middle it is what twin-field
/// protocols must stay below.
///
/// # Errors
/// [`Error::OutOfRange`] unless the transmittance lies in \[0, 1\].
pub fn bits_per_use_with_repeaters(
    transmittance_channel: f64,
    repeaters: u32,
) -> Result<f64, Error> {
    range::transmittance("transmittance_channel", transmittance_channel)?;
    bits_per_use(pow(
        transmittance_channel,
        1.0 / (f64::from(repeaters) + 1.0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("mdi/reference.csv"));
        for row in table.rows() {
            let distance_km = row.number("L_km");
            let bound = bits_per_use(pow(10.0, -0.02 * distance_km)).unwrap();
            // The reference forms 1 − η first and so loses digits as η shrinks.
            if distance_km < 300.0 {
                row.assert_equal("PLOB", bound);
            } else {
                row.assert_near("PLOB", bound);
            }
        }
    }

    #[test]
    fn a_node_in_the_middle_takes_the_root_of_the_loss() {
        let half = bits_per_use(0.01).unwrap();
        let with_node = bits_per_use_with_repeaters(1e-4, 1).unwrap();
        assert!((with_node / half - 1.0).abs() < 1e-12);
        assert_eq!(
            bits_per_use_with_repeaters(0.3, 0).unwrap(),
            bits_per_use(0.3).unwrap()
        );
        assert!(bits_per_use(1.2).is_err());
        assert!(bits_per_use_with_repeaters(-0.1, 1).is_err());
    }
}
