//! Which source the bench's link has.
//!
//! Where light is what a link is short of, the best source makes the most key per slot: bright
//! pulses, of which many hold two photons that give no key. Where detections come faster than they
//! can be distilled, the best source makes the most key per detection, and slots are spent freely.
//! The bench is of the second kind.

use qkd_security::Error;

use crate::parameters::LinkParameters;

/// Slots from one detection to the next, on average and about: so many as the link's detectors leave
/// at 50 km with the source of their preset. Without such a figure the best signal would be as dim
/// as dark counts allow.
pub const SLOTS_PER_DETECTION: f64 = 100.0;

/// Decoy over signal, share of signals and share of the key basis from which the search goes on.
const STARTS: [[f64; 3]; 3] = [[0.15, 0.25, 0.3], [0.3, 0.5, 0.6], [0.78, 0.85, 0.92]];

/// By what the search multiplies and divides odds, the last of which it ends with.
const STEPS: [f64; 5] = [1.5, 1.22, 1.1, 1.05, 1.025];

/// The same link with the source that has the most secret bits per detection, fixed lengths of whole
/// blocks compared; nothing when no source was found that has any. The same on every machine.
///
/// # Errors
/// When a figure of the link is out of range.
pub(super) fn best(parameters: &LinkParameters) -> Result<Option<LinkParameters>, Error> {
    let search = Search { parameters };
    let (mut at, mut value) = ([0.0; 3], 0.0);
    for share in STARTS[0] {
        for signals in STARTS[1] {
            for key_basis in STARTS[2] {
                search.climb(
                    [share, signals, key_basis].map(|share| share / (1.0 - share)),
                    &mut at,
                    &mut value,
                )?;
            }
        }
    }
    if value <= 0.0 {
        return Ok(None);
    }
    for step in STEPS {
        while search.climb_around(step, &mut at, &mut value)? {}
    }
    search.link(&at).map(Some)
}

struct Search<'a> {
    parameters: &'a LinkParameters,
}

impl Search<'_> {
    /// Tries the six neighbours of the best place so far; whether one of them was better.
    fn climb_around(&self, step: f64, at: &mut [f64; 3], value: &mut f64) -> Result<bool, Error> {
        let centre = *at;
        let mut better = false;
        for coordinate in 0..3 {
            for factor in [step, 1.0 / step] {
                let mut next = centre;
                next[coordinate] *= factor;
                better |= self.climb(next, at, value)?;
            }
        }
        Ok(better)
    }

    /// Goes to `next` if that is better; whether it was.
    fn climb(&self, next: [f64; 3], at: &mut [f64; 3], value: &mut f64) -> Result<bool, Error> {
        let plan = self.link(&next)?.block_plan()?;
        let found = plan.acceptance.secret_length_bits as f64 / plan.detections as f64;
        let better = found > *value;
        if better {
            (*at, *value) = (next, found);
        }
        Ok(better)
    }

    /// The link with a source of these odds, as bright as [`SLOTS_PER_DETECTION`] says.
    fn link(&self, at: &[f64; 3]) -> Result<LinkParameters, Error> {
        let [share, signals, key_basis] = at.map(|odds| odds / (1.0 + odds));
        let model = self.parameters.link_model()?;
        let live_slots = (SLOTS_PER_DETECTION - model.dead_time_slots as f64).max(2.0);
        // Nearly every click has one photon: so many reach the detectors in a slot.
        let detected = 1.0 / live_slots;
        let transmittance =
            model.transmittance_channel * model.insertion_transmittance * model.detector_efficiency;
        let signal = detected / transmittance / (signals + (1.0 - signals) * share);
        let mut link = self.parameters.clone();
        link.source.intensities = [signal, signal * share];
        link.source.intensity_probabilities = [signals, 1.0 - signals];
        link.protocol.key_basis_probability = key_basis;
        Ok(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::distill::planned;
    use crate::presets;

    fn parameters(block_bits: u64) -> LinkParameters {
        let mut parameters = presets::snspd(10.0);
        parameters.security.block_bits = block_bits;
        parameters
    }

    fn secret_per_detection(link: &LinkParameters) -> f64 {
        let planned = planned(link).unwrap();
        planned.secret_bits_per_slot * planned.slots_per_detection
    }

    #[test]
    fn no_source_of_a_grid_with_as_many_detections_makes_more_key_of_one() {
        for block_bits in [1_000_000, 10_000_000] {
            let parameters = parameters(block_bits);
            let best = secret_per_detection(&best(&parameters).unwrap().unwrap());
            let search = Search {
                parameters: &parameters,
            };
            for share in [0.1, 0.17, 0.25, 0.35, 0.5] {
                for signals in [0.2, 0.3, 0.4, 0.55, 0.75] {
                    for key_basis in [0.7, 0.8, 0.84, 0.88, 0.95] {
                        let shares: [f64; 3] = [share, signals, key_basis];
                        let other = search.link(&shares.map(|share| share / (1.0 - share)));
                        let other = secret_per_detection(&other.unwrap());
                        assert!(other < 1.002 * best, "{shares:?}: {other}, best {best}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_source_is_dim_and_has_the_detections_that_are_said_and_more_key_of_each() {
        let parameters = parameters(1_000_000);
        let best = best(&parameters).unwrap().unwrap();
        assert!(best.source.intensities[0] < 0.15, "{:?}", best.source);
        let planned = planned(&best).unwrap();
        let slots = planned.slots_per_detection;
        assert!((slots / SLOTS_PER_DETECTION - 1.0).abs() < 0.05, "{slots}");
        let (here, field) = (
            secret_per_detection(&best),
            secret_per_detection(&parameters),
        );
        assert!(here > 1.2 * field, "{here} and {field}");
    }

    #[test]
    fn where_nothing_is_secret_there_is_no_best_source() {
        let mut parameters = parameters(1_000_000);
        parameters.protocol.misalignment_error = 0.11;
        assert_eq!(best(&parameters), Ok(None));
    }
}
