use super::*;

/// GYS 2004 with one slot per 500 ns.
fn gys(distance_km: f64) -> LinkModel {
    LinkModel {
        source: DecoySource::new([0.48, 0.05], [0.5, 0.5]).unwrap(),
        key_basis_probability: 0.7,
        clock_hz: 2e6,
        transmittance_channel: 10_f64.powf(-0.021 * distance_km),
        insertion_transmittance: 1.0,
        detector_efficiency: 0.045,
        dark_count_probability: 8.5e-7,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.033,
    }
}

#[test]
fn gains_equal_the_gys_reference_within_the_papers_approximation() {
    // L_km, Q_mu, E_mu from Ma, Qi, Zhao, Lo 2005. The paper adds Y0 instead of combining it, so Q
    // differs by 2e-6; its line for the errors knows no double click, so E differs by about Q².
    let rows = [
        (0.0, 0.0213700905851, 0.0330371500531),
        (10.0, 0.0132318538907, 0.033059999151),
        (30.0, 0.00505243616187, 0.033157132119),
        (40.0, 0.0031189810632, 0.0332545382559),
    ];
    for (distance_km, gain, qber) in rows {
        let link = gys(distance_km);
        let own = link.gain(0.48);
        assert!((own / gain - 1.0).abs() < 2e-6, "gain at {distance_km} km");
        let own_qber = link.error_gain(0.48) / own;
        let apart = (own_qber / qber - 1.0).abs();
        assert!(apart < gain * gain + 2e-6, "{apart} at {distance_km} km");
    }
}

/// Click probabilities by summing over photon numbers and where each photon goes.
fn summed_gains(link: &LinkModel, intensity: f64) -> (f64, f64) {
    let (eta, wrong_way) = (link.transmittance(), link.misalignment_error);
    let dark = link.dark_count_probability;
    let (mut gain, mut errors) = (0.0, 0.0);
    let mut poisson = (-intensity).exp();
    for photons in 0..60 {
        if photons > 0 {
            poisson *= intensity / f64::from(photons);
        }
        // Neither detector, only the right one, only the wrong one dark: inclusion–exclusion.
        let none = (1.0 - eta).powi(photons) * (1.0 - dark).powi(2);
        let wrong_silent = (1.0 - eta * wrong_way).powi(photons) * (1.0 - dark);
        let right_silent = (1.0 - eta * (1.0 - wrong_way)).powi(photons) * (1.0 - dark);
        let wrong_alone = right_silent - none;
        let both = 1.0 - wrong_silent - right_silent + none;
        gain += poisson * (1.0 - none);
        errors += poisson * (wrong_alone + both / 2.0);
    }
    (gain, errors)
}

#[test]
fn closed_gains_equal_the_sum_over_photon_numbers() {
    let bright = LinkModel {
        detector_efficiency: 0.8,
        dark_count_probability: 1e-3,
        ..gys(5.0)
    };
    for link in [bright, gys(0.0), gys(60.0)] {
        for intensity in [0.05, 0.48, 2.0] {
            let (gain, errors) = summed_gains(&link, intensity);
            assert!((link.gain(intensity) / gain - 1.0).abs() < 1e-9);
            assert!((link.error_gain(intensity) / errors - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn without_light_half_of_the_detections_are_errors() {
    let link = gys(0.0);
    assert!((link.error_gain(0.0) / link.gain(0.0) - 0.5).abs() < 1e-12);
}

#[test]
fn gain_keeps_its_digits_where_one_minus_exp_would_cancel() {
    let link = LinkModel {
        dark_count_probability: 0.0,
        transmittance_channel: 1e-15,
        ..gys(0.0)
    };
    let expected = 1e-15 * 0.045 * 0.48;
    assert!((link.gain(0.48) / expected - 1.0).abs() < 1e-12);
}

/// A link whose click probability per slot is `p`, to look at dead time and afterpulses alone.
fn clicking(p: f64) -> LinkModel {
    LinkModel {
        dark_count_probability: 1.0 - (1.0 - p).sqrt(),
        transmittance_channel: 1e-300,
        ..gys(0.0)
    }
}

#[test]
fn dead_time_follows_the_gated_formula() {
    for (rate, blocked) in [(1e-6, 1000), (1e-4, 50), (0.01, 50), (0.1, 50)] {
        let link = LinkModel {
            dead_time_slots: blocked,
            ..clicking(rate)
        };
        let expected = 1.0 / (blocked as f64 + 1.0 / rate);
        let own = link.expected().registered_probability;
        assert!((own / expected - 1.0).abs() < 1e-9, "{own} at {rate}");
    }
}

#[test]
fn a_cascade_of_afterpulses_multiplies_the_rate_by_its_geometric_sum() {
    // Where light is rare, every click of light is followed by a/(1−a) afterpulses.
    let link = LinkModel {
        afterpulse_probability: 0.2,
        ..clicking(1e-9)
    };
    let expected = link.expected();
    assert!((expected.registered_probability / (1e-9 / 0.8) - 1.0).abs() < 1e-6);
    assert!((expected.afterpulse_share - 0.2).abs() < 1e-6);
}

#[test]
fn sifted_shares_add_up_to_the_bases_and_classes() {
    let link = LinkModel {
        afterpulse_probability: 0.05,
        afterpulse_decay_slots: 7.0,
        dead_time_slots: 10,
        ..gys(20.0)
    };
    let expected = link.expected();
    let shares = expected.per_detection;
    assert!((shares.key.total_counts() - 0.49).abs() < 1e-12);
    assert!((shares.test.total_counts() - 0.09).abs() < 1e-12);
    // Afterpulses are wrong half of the time, and where light is rare they come alone.
    let clean = gys(20.0).expected().per_detection.key.qber();
    let mixed = 0.95 * clean + 0.05 / 2.0;
    assert!((shares.key.qber() - mixed).abs() < 0.05 * 0.02);
    for class in IntensityClass::ALL {
        let of_class = link.expected_of(class);
        let i = class.index();
        let counted = of_class.gain * 0.5 * 0.49;
        assert!((expected.per_slot().key.counts[i] / counted - 1.0).abs() < 1e-12);
        let qber = shares.test.errors[i] / shares.test.counts[i];
        assert!(
            (qber / of_class.qber - 1.0).abs() < 1e-12,
            "bases are alike"
        );
    }
}

#[test]
fn without_afterpulses_the_spread_is_that_of_a_gated_dead_time() {
    let (p, k) = (0.03, 40.0);
    let link = LinkModel {
        dead_time_slots: 40,
        ..clicking(p)
    };
    let cycle: f64 = k + 1.0 / p;
    let own = link.spread().registered;
    // Var N = n σ²/μ³ of a renewal process whose intervals are geometric but for a constant.
    let exact = (1.0 - p) / (p * p) / cycle.powi(3);
    assert!((own / exact - 1.0).abs() < 1e-9, "{own} against {exact}");
    // Slots that have nothing to do with each other: a binomial count.
    let free = clicking(p).spread().registered;
    assert!((free / (p * (1.0 - p)) - 1.0).abs() < 1e-9, "{free}");
}

#[test]
fn figures_outside_their_range_are_named() {
    let broken = [
        (
            "key_basis_probability",
            LinkModel {
                key_basis_probability: 1.0,
                ..gys(0.0)
            },
        ),
        (
            "transmittance_channel",
            LinkModel {
                transmittance_channel: 0.0,
                ..gys(0.0)
            },
        ),
        (
            "insertion_transmittance",
            LinkModel {
                insertion_transmittance: 1.1,
                ..gys(0.0)
            },
        ),
        (
            "detector_efficiency",
            LinkModel {
                detector_efficiency: f64::NAN,
                ..gys(0.0)
            },
        ),
        (
            "dark_count_probability",
            LinkModel {
                dark_count_probability: -1e-9,
                ..gys(0.0)
            },
        ),
        (
            "afterpulse_probability",
            LinkModel {
                afterpulse_probability: 1.0,
                ..gys(0.0)
            },
        ),
        (
            "afterpulse_decay_slots",
            LinkModel {
                afterpulse_decay_slots: -1.0,
                ..gys(0.0)
            },
        ),
        (
            "misalignment_error",
            LinkModel {
                misalignment_error: 0.6,
                ..gys(0.0)
            },
        ),
        (
            "clock_hz",
            LinkModel {
                clock_hz: 0.0,
                ..gys(0.0)
            },
        ),
    ];
    for (name, link) in broken {
        let error = link.checked().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert!(gys(0.0).checked().is_ok());
}
