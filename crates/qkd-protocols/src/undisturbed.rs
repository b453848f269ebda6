//! What the instruments and the counts of an undisturbed link show: what monitors compare with.

use qkd_optics::{ARRIVAL_BINS, Basis, BitAssignment, Detectors};
use qkd_security::LinkModel;
use qkd_security::mathematics::exp;

use crate::LinkSetup;

/// Expectations of an undisturbed link, from the same model as its plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Undisturbed {
    /// Photons per slot at Bob's entrance: signal and steady light.
    pub photons_per_slot: f64,
    /// Electrons per slot through Bob's detectors; 0 where nobody measures them.
    pub electrons_per_slot: f64,
    /// Registered clicks per slot.
    pub clicks_per_slot: f64,
    /// Share of registered clicks in which both detectors fired.
    pub double_click_share: f64,
    /// Probability that a bit of Bob's is 1.
    pub one_probability: f64,
    /// Probability that it is detector 1 that clicked, whatever bit it stood for.
    pub second_detector_probability: f64,
    /// Probability that a click fires the same detector once more.
    pub afterpulse_probability: f64,
    /// Probability that Bob measured in Z.
    pub key_basis_probability: f64,
    /// Share of decoys among the sifted bits of the key basis.
    pub decoy_share: f64,
    /// Error rates of the key and of the test basis, both intensities together, as planned.
    pub error_rates: [f64; 2],
    /// The same at their best: what preparation does wrong in this basis and not in the other, the
    /// light of the best moment, and none of the errors that come and go.
    pub least_error_rates: [f64; 2],
    /// How clicks of light in time spread over the bins of the arrival monitor; nothing without one.
    pub arrival_shares: Option<[f64; ARRIVAL_BINS]>,
    /// Share of registered clicks that have no light of their slot, or not alone.
    pub noise_share: f64,
    /// Clicks per slot while Bob weakens the light, over those while he does not; nothing where he
    /// never does.
    pub weakened_ratio: Option<f64>,
}

impl LinkSetup {
    /// What an undisturbed link shows.
    pub fn undisturbed(&self) -> Undisturbed {
        let (link, detectors) = (&self.link, &self.hardware.detectors);
        let expected = link.expected();
        let unlike = Fired::on_average(link, detectors, relative_efficiencies(detectors));
        let alike = Fired::on_average(link, detectors, [1.0; 2]);
        let [zero, one] = unlike.bits;
        let second_detector_probability = one / (zero + one);
        let counts = &expected.per_detection;
        Undisturbed {
            photons_per_slot: photons_at_entrance(self),
            electrons_per_slot: match &detectors.effects.photocurrent_monitor {
                Some(monitor) => expected.registered_probability * monitor.avalanche_electrons,
                None => 0.0,
            },
            clicks_per_slot: expected.registered_probability,
            double_click_share: link.double_click_share() * ratio(unlike.doubles, alike.doubles),
            one_probability: match detectors.effects.bit_assignment {
                BitAssignment::Fixed => second_detector_probability,
                BitAssignment::Random => 0.5,
            },
            second_detector_probability,
            afterpulse_probability: link.afterpulse_probability,
            key_basis_probability: link.key_basis_probability,
            decoy_share: counts.key.counts[1] / counts.key.total_counts(),
            error_rates: [counts.key, counts.test].map(|basis| basis.qber()),
            least_error_rates: least_error_rates(self),
            arrival_shares: (detectors.effects.arrival_monitor).map(|monitor| monitor.shares(0.0)),
            noise_share: {
                let dark = link.dark_count_probability;
                let clicks = expected.click_probability;
                (dark * (2.0 - dark) / clicks + expected.afterpulse_share).min(1.0)
            },
            weakened_ratio: detectors.effects.random_efficiency.map(|random| {
                // The model has the mean of both kinds of windows.
                let mean = random.mean_transmittance();
                let of = |transmittance: f64| {
                    let model = LinkModel {
                        detector_efficiency: link.detector_efficiency * transmittance / mean,
                        ..*link
                    };
                    model.expected().registered_probability
                };
                of(random.transmittance) / of(1.0)
            }),
        }
    }
}

/// What leaves Alice on average after all fixed loss, and what else comes in.
fn photons_at_entrance(setup: &LinkSetup) -> f64 {
    let source = &setup.hardware.source;
    let sent: f64 = (source.real_intensities().iter())
        .zip(&source.intensity_probabilities)
        .map(|(intensity, probability)| intensity * probability)
        .sum();
    let background = setup.hardware.channel.background_photons();
    sent * setup.hardware.segment_transmittance + background
}

/// Error rates of the key and of the test basis where nothing that changes does harm.
fn least_error_rates(setup: &LinkSetup) -> [f64; 2] {
    let hardware = &setup.hardware;
    let prepared = hardware.source.effects.preparation_error;
    let [key, test] = [Basis::Z, Basis::X].map(|basis| {
        let (e, f) = (
            hardware.detectors.misalignment_error,
            prepared.in_basis(basis),
        );
        let model = LinkModel {
            transmittance_channel: hardware.segment_transmittance,
            misalignment_error: e + f - 2.0 * e * f,
            ..setup.link
        };
        model.expected().per_detection
    });
    [key.key.qber(), test.test.qber()]
}

/// How well each detector sees, over the mean of both.
fn relative_efficiencies(detectors: &Detectors) -> [f64; 2] {
    let efficiencies = detectors.efficiencies();
    let mean = 0.5 * (efficiencies[0] + efficiencies[1]);
    efficiencies.map(|efficiency| ratio(efficiency, mean))
}

/// A ratio of probabilities, 1 where both vanish.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}

/// What a slot does, afterpulses left out.
struct Fired {
    /// Probabilities that it gives 0 and that it gives 1.
    bits: [f64; 2],
    /// Probability that both detectors fire.
    doubles: f64,
}

impl Fired {
    /// For light that falls on both exits alike on average over what Alice sends: exact where both bits
    /// and both detectors are alike, and to first order in the mismatch of the detectors where they
    /// are not.
    ///
    /// Dark counts alone are the same for both. What else fires without light of its slot, background
    /// and clicks that jitter has displaced, was light, and fires a detector as well as that one sees.
    fn on_average(link: &LinkModel, detectors: &Detectors, relative: [f64; 2]) -> Self {
        let dark = detectors
            .dark_count_probability
            .min(link.dark_count_probability);
        let stray = (link.dark_count_probability - dark) / (1.0 - dark);
        let silent = relative.map(|r| (1.0 - dark) * (1.0 - (stray * r).min(1.0)));
        let mut fired = Self {
            bits: [0.0; 2],
            doubles: 0.0,
        };
        let classes = (link.source.intensities().into_iter()).zip(link.source.probabilities());
        for (intensity, probability) in classes {
            let light = link.transmittance() * intensity;
            let error = link.misalignment_error;
            let z = link.key_basis_probability;
            let same_basis = z * z + (1.0 - z) * (1.0 - z);
            // How light divides between the exits, and how often it does.
            let divisions = [
                ([1.0 - error, error], 0.5 * same_basis),
                ([error, 1.0 - error], 0.5 * same_basis),
                ([0.5, 0.5], 1.0 - same_basis),
            ];
            for (shares, weight) in divisions {
                let fires = [0, 1].map(|i| 1.0 - silent[i] * exp(-light * shares[i] * relative[i]));
                let both = fires[0] * fires[1];
                fired.doubles += probability * weight * both;
                for (bit, fires) in fired.bits.iter_mut().zip(fires) {
                    *bit += probability * weight * (fires - 0.5 * both);
                }
            }
        }
        fired
    }
}

#[cfg(test)]
mod tests;
