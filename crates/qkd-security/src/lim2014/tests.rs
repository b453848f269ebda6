use super::*;
use crate::mathematics::{exp_m1, pow};
use crate::reference_table::{Row, Table};

const DARK: f64 = 6e-7;
const AFTERPULSE: f64 = 0.04;
const MISALIGNMENT: f64 = 5e-3;
const KEY_BASIS_PROBABILITY: f64 = 0.7;

fn source() -> Source {
    Source::new([0.5, 0.1, 2e-4], [0.4, 0.4, 0.2]).unwrap()
}

/// The block behind a reference row, and the number of pulses sent for it (section IV).
fn reference(row: Row) -> (Block, f64) {
    let transmittance = 0.1 * pow(10.0, -0.2 * row.number("L_km") / 10.0);
    let source = source();
    let light = |mu: f64| 1.0 - (1.0 - 2.0 * DARK) * exp(-transmittance * mu);
    let clicks = |mu: f64| light(mu) * (1.0 + AFTERPULSE);
    let errors = |mu: f64| {
        let misaligned = -MISALIGNMENT * exp_m1(-transmittance * mu);
        DARK + misaligned + AFTERPULSE * light(mu) / 2.0
    };
    let both_key = KEY_BASIS_PROBABILITY * KEY_BASIS_PROBABILITY;
    let both_test = (1.0 - KEY_BASIS_PROBABILITY) * (1.0 - KEY_BASIS_PROBABILITY);
    let pulses = row.number("nX") / (both_key * source.average(clicks));
    let basis = |both: f64| {
        let per_class = |value: &dyn Fn(f64) -> f64| {
            [0, 1, 2]
                .map(|i| pulses * both * source.probabilities()[i] * value(source.intensities()[i]))
        };
        BasisCounts {
            counts: per_class(&clicks),
            errors: per_class(&errors),
        }
    };
    let key = basis(both_key);
    let block = Block {
        key,
        test: basis(both_test),
        source,
        leaked_bits: 1.16 * key.total_counts() * binary_entropy(key.qber()),
        parameters: SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        },
        lowered_counts: match row.text("clip") {
            "0" => LoweredCounts::AsPrinted,
            _ => LoweredCounts::Clipped,
        },
    };
    (block, pulses)
}

/// The paper's X, which makes the key there, is our Z.
#[test]
fn reference_rows_are_reproduced() {
    let table = Table::parse(include_str!("reference.csv"));
    for row in table.rows() {
        let (block, pulses) = reference(row);
        let found = secret_length(&block).unwrap();
        row.assert_equal("N_sent", pulses);
        row.assert_equal("nZ", block.test.total_counts());
        row.assert_equal("e_obs", block.key.qber());
        row.assert_equal("lambda_EC", found.leaked_bits);
        row.assert_within("sX0", found.vacuum_key_min, 1e-6);
        row.assert_within("sX1", found.single_photon_key_min, 1e-8);
        row.assert_within("sZ0", found.vacuum_test_min, 1e-6);
        row.assert_within("sZ1", found.single_photon_test_min, 1e-8);
        row.assert_within("vZ1", found.single_photon_test_errors_max, 1e-8);
        row.assert_within("phi_X", found.phase_error_rate, 1e-8);
        row.assert_within("l_unclamped", found.length_unclamped, 1e-6);
        let per_pulse = found.length_unclamped.max(0.0) / pulses;
        row.assert_within("R_per_pulse", per_pulse, 1e-6);
        assert_eq!(
            found.secret_length_bits() > 0,
            row.number("R_per_pulse") > 0.0
        );
    }
}

#[test]
fn clipping_never_shortens_the_key() {
    let table = Table::parse(include_str!("reference.csv"));
    for row in table.rows() {
        let (mut block, _) = reference(row);
        block.lowered_counts = LoweredCounts::AsPrinted;
        let printed = secret_length(&block).unwrap().length_unclamped;
        block.lowered_counts = LoweredCounts::default();
        let clipped = secret_length(&block).unwrap().length_unclamped;
        assert!(clipped >= printed, "{clipped} below {printed}");
    }
}

#[test]
fn impossible_figures_are_refused_by_name() {
    let intensities = [
        ([0.5, 0.1, -0.1], "intensities[2]"),
        ([0.5, 0.1, 0.1], "intensities[1]"),
        ([0.5, 0.4, 0.2], "intensities[0]"),
        ([f64::NAN, 0.4, 0.2], "intensities[0]"),
    ];
    for (intensities, name) in intensities {
        let error = Source::new(intensities, [0.4, 0.4, 0.2]).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = Source::new([0.5, 0.1, 0.0], [0.4, 0.4, 0.3]).unwrap_err();
    assert!(error.to_string().contains("sum of intensity_probabilities"));

    let table = Table::parse(include_str!("reference.csv"));
    let (block, _) = reference(table.rows().next().unwrap());
    let mut wrong = block;
    wrong.test.errors[2] = wrong.test.counts[2] * 1.1;
    let error = secret_length(&wrong).unwrap_err().to_string();
    assert!(error.contains("test_basis.errors"), "{error}");
    let mut wrong = block;
    wrong.leaked_bits = -1.0;
    let error = secret_length(&wrong).unwrap_err().to_string();
    assert!(error.contains("leaked_bits is -1"), "{error}");
}

#[test]
fn no_detections_give_no_key_and_no_nan() {
    let block = Block {
        key: BasisCounts::default(),
        test: BasisCounts::default(),
        source: source(),
        leaked_bits: 0.0,
        parameters: SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        },
        lowered_counts: LoweredCounts::default(),
    };
    let found = secret_length(&block).unwrap();
    assert_eq!(found.secret_length_bits(), 0);
    assert!(found.length_unclamped.is_finite());
    assert_eq!(found.phase_error_rate, 0.5);
}
