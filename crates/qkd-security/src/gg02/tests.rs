use super::*;
use crate::reference_table::{Row, Table};

fn link(row: &Row) -> Gg02 {
    let heterodyne = row.text("label").starts_with("het");
    Gg02 {
        quadratures: if heterodyne {
            Quadratures::Both
        } else {
            Quadratures::One
        },
        modulation_variance_snu: row.number("VA"),
        transmittance_channel: row.number("T"),
        excess_noise_snu: row.number("xi"),
        detector_efficiency: row.number("eta"),
        electronic_noise_snu: row.number("vel"),
        reconciliation_efficiency: row.number("beta"),
    }
}

fn fibre(distance_km: f64) -> Gg02 {
    Gg02 {
        quadratures: Quadratures::One,
        modulation_variance_snu: 5.0,
        transmittance_channel: 10_f64.powf(-0.02 * distance_km),
        excess_noise_snu: 0.01,
        detector_efficiency: 0.6,
        electronic_noise_snu: 0.1,
        reconciliation_efficiency: 0.95,
    }
}

fn block(symbols: f64) -> FiniteSize {
    FiniteSize {
        symbols,
        estimation_symbols: symbols / 2.0,
        estimation_deviations: 6.5,
        smoothing_failure: 1e-10,
        amplification_failure: 1e-10,
    }
}

#[test]
fn asymptotic_rows_are_reproduced() {
    let table = Table::parse(include_str!("reference.csv"));
    for row in table.rows() {
        // The file prints T to twelve digits, which the digits of the rest follow.
        let rate = link(&row).rate().unwrap();
        row.assert_equal("I_AB", rate.mutual_information_bits);
        row.assert_within("chi_BE", rate.holevo_bits, 1e-8);
        row.assert_within("K_bit_per_symbol", rate.secret_bits_per_symbol, 1e-8);
        if row.text("label").starts_with("Lodewyck") {
            let per_second = |bits: f64| 350e3 * bits;
            row.assert_equal("I_350kHz", per_second(rate.mutual_information_bits));
            row.assert_equal("chi_350kHz", per_second(rate.holevo_bits));
            row.assert_within("K_350kHz", per_second(rate.secret_bits_per_symbol), 1e-8);
        }
    }
}

#[test]
fn finite_rows_are_reproduced() {
    let table = Table::parse(include_str!("finite_reference.csv"));
    for row in table.rows() {
        let link = fibre(row.number("L_km"));
        let rate = link.finite_rate(&block(row.number("N"))).unwrap();
        row.assert_equal("T_min", rate.transmittance_min);
        row.assert_equal("xi_max", rate.excess_noise_max_snu);
        row.assert_equal("Delta_n", rate.penalty_bits);
        row.assert_within("K_per_symbol", rate.secret_bits_per_symbol, 1e-8);
    }
}

#[test]
fn a_perfect_line_and_detector_leave_eve_nothing() {
    for quadratures in [Quadratures::One, Quadratures::Both] {
        let perfect = Gg02 {
            quadratures,
            transmittance_channel: 1.0,
            excess_noise_snu: 0.0,
            detector_efficiency: 1.0,
            electronic_noise_snu: 0.0,
            reconciliation_efficiency: 1.0,
            ..fibre(0.0)
        };
        let rate = perfect.rate().unwrap();
        // Pure states: λ = 1 up to rounding, and −x log x of a rounding error is 1e-14 or so.
        assert!(rate.holevo_bits.abs() < 1e-12, "{rate:?}");
    }
}

/// Two samples of half the light know the line about as well as one of all of it.
#[test]
fn heterodyne_estimates_are_as_good_but_cost_a_larger_penalty() {
    let one = fibre(25.0).finite_rate(&block(1e9)).unwrap();
    let both = Gg02 {
        quadratures: Quadratures::Both,
        ..fibre(25.0)
    };
    let both = both.finite_rate(&block(1e9)).unwrap();
    assert!((both.transmittance_min / one.transmittance_min - 1.0).abs() < 1e-5);
    assert!((both.penalty_bits / one.penalty_bits - 11.0 / 7.0).abs() < 1e-3);
    assert!(both.secret_bits_per_symbol > 0.0);
}

#[test]
fn a_longer_block_approaches_the_asymptotic_rate_from_below() {
    let limit = fibre(25.0).rate().unwrap().secret_bits_per_symbol / 2.0;
    let mut before = f64::NEG_INFINITY;
    for symbols in [1e7, 1e8, 1e9, 1e11, 1e14] {
        let rate = fibre(25.0).finite_rate(&block(symbols)).unwrap();
        assert!(rate.secret_bits_per_symbol > before && rate.secret_bits_per_symbol < limit);
        before = rate.secret_bits_per_symbol;
    }
    assert!((before / limit - 1.0).abs() < 1e-3);
}

#[test]
fn figures_outside_their_range_are_named() {
    let good = fibre(10.0);
    let bad = [
        (
            Gg02 {
                modulation_variance_snu: 0.0,
                ..good
            },
            "modulation_variance_snu is 0",
        ),
        (
            Gg02 {
                transmittance_channel: 1.5,
                ..good
            },
            "transmittance_channel is 1.5",
        ),
        (
            Gg02 {
                excess_noise_snu: -0.1,
                ..good
            },
            "excess_noise_snu is -0.1",
        ),
        (
            Gg02 {
                detector_efficiency: 0.0,
                ..good
            },
            "detector_efficiency",
        ),
        (
            Gg02 {
                electronic_noise_snu: f64::NAN,
                ..good
            },
            "electronic_noise_snu",
        ),
        (
            Gg02 {
                reconciliation_efficiency: 1.1,
                ..good
            },
            "reconciliation_efficiency",
        ),
    ];
    for (link, name) in bad {
        let error = link.rate().unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let size = block(1e6);
    let bad = [
        (
            FiniteSize {
                estimation_symbols: 1e6,
                ..size
            },
            "estimation_symbols",
        ),
        (
            FiniteSize {
                smoothing_failure: 0.0,
                ..size
            },
            "smoothing_failure is 0",
        ),
        (
            FiniteSize {
                amplification_failure: 1.0,
                ..size
            },
            "amplification_failure is 1",
        ),
    ];
    for (size, name) in bad {
        let error = good.finite_rate(&size).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn too_few_symbols_leave_no_key_and_no_nan() {
    let size = FiniteSize {
        estimation_symbols: 20.0,
        ..block(1e6)
    };
    let rate = fibre(25.0).finite_rate(&size).unwrap();
    assert_eq!(rate.transmittance_min, 0.0);
    assert_eq!(rate.excess_noise_max_snu, f64::INFINITY);
    assert_eq!(rate.secret_bits_per_symbol, f64::NEG_INFINITY);
}

/// Lines at the ends of every range: V_A, T, ξ, η and v_el, both detections.
fn extreme_lines() -> Vec<Gg02> {
    let mut lines = Vec::new();
    for quadratures in [Quadratures::One, Quadratures::Both] {
        for modulation_variance_snu in [1e-6, 1.0, 18.5, 1e3, 1e6] {
            for transmittance_channel in [1e-12, 1e-6, 0.01, 0.302, 0.999, 1.0 - 1e-9, 1.0] {
                for excess_noise_snu in [0.0, 1e-9, 0.005, 1.0, 1e6] {
                    for detector_efficiency in [1e-6, 0.606, 1.0] {
                        for electronic_noise_snu in [0.0, 0.041, 1e6] {
                            lines.push(Gg02 {
                                quadratures,
                                modulation_variance_snu,
                                transmittance_channel,
                                excess_noise_snu,
                                detector_efficiency,
                                electronic_noise_snu,
                                reconciliation_efficiency: 1.0,
                            });
                        }
                    }
                }
            }
        }
    }
    lines
}

#[test]
fn no_accepted_line_gives_more_than_any_link_without_repeaters() {
    for line in extreme_lines() {
        let rate = line
            .rate()
            .unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(rate.holevo_bits >= 0.0, "{line:?}");
        for value in rate.figures().iter().map(|figure| figure.value) {
            assert!(value.is_finite(), "{line:?}: {rate:?}");
        }
        let bound = crate::repeaterless::bits_per_use(line.transmittance_channel).unwrap();
        let rounding = ROUNDING_BITS;
        assert!(
            rate.secret_bits_per_symbol <= bound + rounding,
            "{line:?}: {rate:?}"
        );
        // More noise in the line never helps.
        let noisier = Gg02 {
            excess_noise_snu: (line.excess_noise_snu * 1.1 + 1e-6).min(1e6),
            ..line
        };
        let noisier = noisier.rate().unwrap().secret_bits_per_symbol;
        assert!(
            noisier <= rate.secret_bits_per_symbol + rounding,
            "{line:?}: {noisier}"
        );
    }
}

#[test]
fn a_line_of_which_arithmetic_keeps_no_digits_is_refused() {
    let good = fibre(10.0);
    for (line, said) in [
        (
            Gg02 {
                modulation_variance_snu: 1e17,
                ..good
            },
            "modulation_variance_snu is 1e17",
        ),
        (
            Gg02 {
                transmittance_channel: 1e-300,
                ..good
            },
            "transmittance_channel",
        ),
        (
            Gg02 {
                excess_noise_snu: 1e7,
                ..good
            },
            "excess_noise_snu is 10000000",
        ),
        (
            Gg02 {
                electronic_noise_snu: 1e7,
                ..good
            },
            "electronic_noise_snu is 10000000",
        ),
    ] {
        let error = line.rate().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let error = good.finite_rate(&block(1e300)).unwrap_err().to_string();
    assert!(error.contains("symbols is 1"), "{error}");
}
