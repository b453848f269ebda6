//! Links on which attacks are put to the test.

use qkd_security::{DecoySource, IntensityClass, LinkModel};
use qkd_sim::{Link, presets};

/// A link of so much loss with equal bases and detectors of this efficiency that do nothing else.
pub fn link(
    intensities: [f64; 2],
    probabilities: [f64; 2],
    loss_db: f64,
    efficiency: f64,
    seed: u64,
) -> Link {
    let mut link = presets::snspd(0.0, seed).expect("the preset is sound");
    link.model = LinkModel {
        source: DecoySource::new(intensities, probabilities).expect("in range"),
        key_basis_probability: 0.5,
        transmittance_channel: qkd_optics::transmittance(loss_db),
        detector_efficiency: efficiency,
        dark_count_probability: 0.0,
        dead_time_slots: 0,
        misalignment_error: 0.0,
        ..link.model
    };
    link
}

/// One on which pulses of several photons are one in a hundred of those that arrive.
pub fn faint(seed: u64) -> Link {
    link([0.5, 0.1], [0.9, 0.1], 14.0, 1.0, seed)
}

/// 1 − e^(−μη): the probability that a pulse makes a detector click.
pub fn detection_probability(model: &LinkModel, class: IntensityClass) -> f64 {
    let mean = model.source.intensities()[class.index()]
        * model.transmittance_channel
        * model.detector_efficiency;
    -(-mean).exp_m1()
}

/// Probability of so many photons.
pub fn poisson(mean: f64, photons: u32) -> f64 {
    let ways: f64 = (1..=photons).map(f64::from).product();
    (-mean).exp() * mean.powi(photons as i32) / ways
}
