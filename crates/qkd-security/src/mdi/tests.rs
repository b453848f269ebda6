use super::*;
use crate::reference_table::Table;

/// Arms of half the distance each, 0.2 dB/km, detectors of 14.5 %.
fn link(distance_km: f64) -> Mdi {
    Mdi {
        intensities: Arms::both(0.5),
        transmittances: Arms::both(0.145 * 10_f64.powf(-0.01 * distance_km)),
        dark_count_probability: 6.02e-6,
        misalignment_error: 0.015,
        reconciliation_inefficiency: 1.16,
    }
}

#[test]
fn reference_rows_are_reproduced() {
    let table = Table::parse(include_str!("reference.csv"));
    for row in table.rows() {
        let there = Mdi {
            intensities: Arms::both(row.number("mdi_mu")),
            ..link(row.number("L_km"))
        };
        let rate = there.rate().unwrap();
        row.assert_equal("mdi_Qrect", rate.rectilinear.gain);
        row.assert_equal("mdi_Erect", rate.rectilinear.qber);
        row.assert_equal("mdi_Y11", rate.single_photon_yield);
        row.assert_equal("mdi_e11", rate.phase_error_rate);
        row.assert_within("mdi_R", rate.secret_bits_per_pulse_pair, 1e-8);
        let best = there
            .optimal_intensity(Interval {
                from: 0.01,
                to: 1.0,
            })
            .unwrap();
        row.assert_within("mdi_mu", best.argument, 1e-3);
        // Without key the best intensity is the smallest, which the reference only approaches.
        if row.number("mdi_R") > 0.0 {
            row.assert_within("mdi_R", best.value, 1e-6);
        }
    }
}

#[test]
fn two_photon_pulses_make_a_quarter_of_errors_in_the_diagonal_basis() {
    let weak = Mdi {
        intensities: Arms::both(1e-3),
        dark_count_probability: 0.0,
        ..link(0.0)
    };
    let diagonal = weak.diagonal().unwrap();
    // Ma and Razavi: E tends to ¼ + e_d/2 for weak signals.
    assert!((diagonal.qber - 0.2575).abs() < 1e-4, "{diagonal:?}");
    let dark = Mdi {
        transmittances: Arms::both(0.0),
        ..link(0.0)
    };
    // Any two of the four detectors that make a Bell state: 4 pairs, p_d² each.
    let gain = dark.diagonal().unwrap().gain / (4.0 * 6.02e-6_f64.powi(2));
    assert!((gain - 1.0).abs() < 1e-4, "{gain}");
    assert_eq!(dark.diagonal().unwrap().qber, 0.5);
    let gain = dark.rate().unwrap().rectilinear.gain / (4.0 * 6.02e-6_f64.powi(2));
    assert!((gain - 1.0).abs() < 1e-4, "{gain}");
}

fn observed(link: &Mdi, alice: [f64; 3], bob: [f64; 3]) -> ObservedMdi {
    let matrix = |show: &dyn Fn(&Mdi) -> Announced| {
        let mut matrix = GainMatrix {
            gains: [[0.0; 3]; 3],
            errors: [[0.0; 3]; 3],
        };
        for (i, alice) in alice.into_iter().enumerate() {
            for (j, bob) in bob.into_iter().enumerate() {
                let intensities = Arms { alice, bob };
                let shown = show(&Mdi {
                    intensities,
                    ..*link
                });
                matrix.gains[i][j] = shown.gain;
                matrix.errors[i][j] = shown.qber;
            }
        }
        matrix
    };
    ObservedMdi {
        alice_intensities: alice,
        bob_intensities: bob,
        key_basis: matrix(&|link| link.key_basis().unwrap()),
        test_basis: matrix(&|link| link.diagonal().unwrap()),
        reconciliation_inefficiency: link.reconciliation_inefficiency,
    }
}

/// Figures of an implementation by others (PyPI `qkd` 0.2.0), both for arms that differ.
#[test]
fn unequal_arms_agree_with_an_independent_implementation() {
    let eta = 0.145 * 10_f64.powf(-0.25);
    let link = Mdi {
        intensities: Arms {
            alice: 0.4,
            bob: 0.3,
        },
        transmittances: Arms {
            alice: eta,
            bob: eta / 2.0,
        },
        ..link(0.0)
    };
    let near = |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 1e-9);
    let diagonal = link.diagonal().unwrap();
    near(diagonal.gain, 0.000_488_874_242_688_573_2);
    near(diagonal.qber, 0.306_505_288_732_106_14);
    let rate = link.rate().unwrap();
    near(rate.rectilinear.gain, 0.000_193_385_735_141_596_54);
    near(rate.rectilinear.qber, 0.016_315_632_453_409_768);
    near(rate.single_photon_yield, 0.001_663_564_858_906_183_8);
    near(rate.phase_error_rate, 0.015_411_855_293_059_435);
}

/// The same implementation's bounds from three intensities.
#[test]
fn bounds_agree_with_an_independent_implementation() {
    let intensities = [0.4, 0.05, 0.001];
    let bounds = observed(&link(50.0), intensities, intensities)
        .bounds()
        .unwrap();
    let near = |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 1e-8);
    near(
        bounds.single_photon_yield_key_min,
        0.000_997_865_164_456_826_8,
    );
    near(
        bounds.single_photon_yield_test_min,
        0.000_953_576_471_026_146_3,
    );
    near(bounds.phase_error_rate_max, 0.048_071_205_119_935_54);
    let bounds = observed(&link(50.0), intensities, [0.3, 0.08, 0.002])
        .bounds()
        .unwrap();
    near(
        bounds.single_photon_yield_key_min,
        0.000_869_420_748_181_301_4,
    );
}

#[test]
fn bounds_from_three_intensities_hold_and_are_close() {
    for (alice, bob) in [
        ([0.4, 0.05, 0.0], [0.4, 0.05, 0.0]),
        ([0.4, 0.05, 0.001], [0.3, 0.08, 0.002]),
        ([0.2, 0.02, 0.0], [0.5, 0.03, 0.0]),
    ] {
        for distance_km in [0.0, 50.0, 100.0] {
            let link = link(distance_km);
            let truth = link.rate().unwrap();
            let bounds = observed(&link, alice, bob).bounds().unwrap();
            for bound in [
                bounds.single_photon_yield_key_min,
                bounds.single_photon_yield_test_min,
            ] {
                assert!(bound <= truth.single_photon_yield, "{bounds:?}");
                assert!(bound > 0.6 * truth.single_photon_yield, "{bounds:?}");
            }
            assert!(bounds.phase_error_rate_max >= truth.phase_error_rate);
            assert!(
                bounds.phase_error_rate_max < truth.phase_error_rate + 0.1,
                "{bounds:?}"
            );
            let with_all = Mdi {
                intensities: Arms {
                    alice: alice[0],
                    bob: bob[0],
                },
                ..link
            };
            let best = with_all.rate().unwrap().secret_bits_per_pulse_pair;
            assert!(bounds.secret_bits_per_signal_pair <= best);
            assert!(bounds.secret_bits_per_signal_pair > 0.0, "{bounds:?}");
        }
    }
}

#[test]
fn a_node_that_announces_only_several_photons_gets_no_key() {
    let mut attacked = observed(&link(50.0), [0.4, 0.05, 0.0], [0.4, 0.05, 0.0]);
    // Announcements that take three photons or more fall much faster with the intensity.
    for basis in [&mut attacked.key_basis, &mut attacked.test_basis] {
        basis.gains[1][1] /= 8.0;
    }
    let bounds = attacked.bounds().unwrap();
    assert_eq!(bounds.single_photon_yield_key_min, 0.0);
    assert_eq!(bounds.phase_error_rate_max, 0.5);
    assert!(bounds.secret_bits_per_signal_pair < 0.0);
}

#[test]
fn figures_outside_their_range_are_named() {
    let good = link(10.0);
    let dark = Mdi {
        dark_count_probability: 1.0,
        ..good
    };
    let bright = Mdi {
        intensities: Arms::both(11.0),
        ..good
    };
    let clear = Mdi {
        transmittances: Arms::both(1.1),
        ..good
    };
    for (link, name) in [
        (dark, "dark_count_probability is 1"),
        (bright, "intensities.alice is 11"),
        (clear, "transmittances.alice is 1.1"),
    ] {
        let error = link.rate().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let intensities = [0.4, 0.05, 0.0];
    let good = observed(&good, intensities, intensities);
    let unordered = ObservedMdi {
        bob_intensities: [0.4, 0.5, 0.0],
        ..good
    };
    let error = unordered.bounds().unwrap_err().to_string();
    assert!(
        error.contains("bob_intensities[1] (decoy) is 0.5"),
        "{error}"
    );
    let mut wrong = good;
    wrong.test_basis.errors[1][2] = 1.2;
    let error = wrong.bounds().unwrap_err().to_string();
    assert!(error.contains("test_basis.errors is 1.2"), "{error}");
}

#[test]
fn figures_that_contradict_each_other_are_no_key_but_an_error() {
    let intensities = [0.4, 0.05, 0.001];
    let good = observed(&link(50.0), intensities, intensities);
    // A point that slipped: fewer wrong bits of the decoys than the weakest pulses explain.
    let mut slipped = good;
    slipped.test_basis.errors[1][1] /= 10.0;
    let error = slipped.bounds().unwrap_err().to_string();
    assert!(error.contains("test_basis.errors is -"), "{error}");
    assert!(error.contains("fit together"), "{error}");
    // Gains of the decoys that only more than one click per pair could make.
    let mut bright = good;
    bright.key_basis.gains[1][1] = 0.1;
    let error = bright.bounds().unwrap_err().to_string();
    assert!(error.contains("key_basis.gains is "), "{error}");
    // No wrong bits at all do fit together.
    let mut clean = good;
    clean.test_basis.errors = [[0.0; 3]; 3];
    assert_eq!(clean.bounds().unwrap().phase_error_rate_max, 0.0);
}
