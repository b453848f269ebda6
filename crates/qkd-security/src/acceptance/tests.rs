use super::*;
use crate::LinkModel;

const PARAMETERS: SecurityParameters = SecurityParameters {
    secrecy: 1e-10,
    correctness: 1e-15,
};
const BLOCK_BITS: u64 = 1_000_000;

/// The three published systems that a node can be configured as, at `distance_km`.
fn systems(distance_km: f64) -> [(&'static str, LinkModel); 3] {
    let source =
        |intensities: [f64; 2]| DecoySource::new(intensities, [0.45, 0.55]).expect("in range");
    let snspd = LinkModel {
        source: source([0.33, 0.115]),
        key_basis_probability: 0.8,
        clock_hz: 1e9,
        transmittance_channel: 10_f64.powf(-0.02 * distance_km),
        insertion_transmittance: 1.0,
        detector_efficiency: 0.8,
        dark_count_probability: 1e-8,
        dead_time_slots: 30,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 50.0,
        misalignment_error: 0.01,
    };
    let ingaas = LinkModel {
        source: source([0.32, 0.11]),
        key_basis_probability: 0.78,
        detector_efficiency: 0.2,
        dark_count_probability: 1e-6,
        dead_time_slots: 100,
        afterpulse_probability: 0.02,
        ..snspd
    };
    let gys2004 = LinkModel {
        source: source([0.24, 0.07]),
        key_basis_probability: 0.7,
        clock_hz: 2e6,
        transmittance_channel: 10_f64.powf(-0.021 * distance_km),
        detector_efficiency: 0.045,
        dark_count_probability: 8.5e-7,
        dead_time_slots: 0,
        misalignment_error: 0.033,
        ..snspd
    };
    [("snspd", snspd), ("ingaas", ingaas), ("gys2004", gys2004)]
}

fn plan(link: &LinkModel) -> BlockPlan {
    let margin = Margin::default();
    BlockPlan::derive(
        link,
        BLOCK_BITS,
        &PARAMETERS,
        Theorem::Wiesemann2024,
        &margin,
    )
    .expect("a valid link")
}

fn whole(statistics: &Statistics<f64>) -> Statistics {
    let basis = |basis: &BasisStatistics<f64>| BasisStatistics {
        counts: basis.counts.map(|count| count.round() as u64),
        errors: basis.errors.map(|count| count.round() as u64),
    };
    Statistics {
        key: basis(&statistics.key),
        test: basis(&statistics.test),
    }
}

/// What error correction would leak on these counts at the worst f that is planned for, with both
/// sides' bits counted.
fn leakage(plan: &BlockPlan, statistics: &Statistics) -> Leakage {
    let key = &statistics.key;
    let shannon = key.total_counts() as f64 * crate::binary_entropy(key.qber());
    let parities = plan.reconciliation_inefficiency_max * shannon;
    Leakage {
        from_alice_bits: parities as u64,
        from_bob_bits: parities as u64,
        verification_tag_bits: 128,
        verification_outcome_bits: 1,
    }
}

fn test(plan: &BlockPlan, link: &LinkModel, statistics: &Statistics) -> Result<Accepted, Refusal> {
    let leakage = leakage(plan, statistics);
    plan.acceptance.test(
        statistics,
        &leakage,
        &link.source,
        &PARAMETERS,
        Theorem::Wiesemann2024,
    )
}

#[test]
fn the_expected_block_is_accepted_with_the_planned_length() {
    for distance_km in [0.0, 25.0, 50.0] {
        for (name, link) in systems(distance_km) {
            let plan = plan(&link);
            let accepted = test(&plan, &link, &whole(&plan.statistics_expected))
                .unwrap_or_else(|refusal| panic!("{name} at {distance_km} km: {refusal}"));
            assert!(accepted.secret_length_bits > 0);
            assert_eq!(
                accepted.secret_length_bits,
                plan.acceptance.secret_length_bits
            );
            assert!(accepted.length.secret_length_bits() >= accepted.secret_length_bits);
        }
    }
}

#[test]
fn margins_cost_less_than_a_sixth_of_the_length() {
    for distance_km in [0.0, 25.0, 50.0] {
        for (name, link) in systems(distance_km) {
            let plan = plan(&link);
            let ratio =
                plan.acceptance.secret_length_bits as f64 / plan.length_expected.length_unclamped;
            let least = if name == "gys2004" { 0.83 } else { 0.90 };
            assert!(ratio > least, "{name} at {distance_km} km: {ratio}");
        }
    }
}

/// Xorshift and Box–Muller: enough randomness for counts in the hundreds and more.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn count(&mut self, mean: f64) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
        (mean + mean.sqrt() * normal).max(0.0)
    }

    /// A block of exactly `detections` detections with these expectations.
    fn block(&mut self, expected: &Statistics<f64>, detections: f64) -> Statistics {
        let mut drawn = *expected;
        let mut total = 0.0;
        for basis in [&mut drawn.key, &mut drawn.test] {
            for class in [0, 1] {
                let correct = self.count(basis.counts[class] - basis.errors[class]);
                basis.errors[class] = self.count(basis.errors[class]);
                basis.counts[class] = correct + basis.errors[class];
                total += basis.counts[class];
            }
        }
        let sifted = expected.key.total_counts() + expected.test.total_counts();
        total += self.count(detections - sifted);
        whole(&drawn.scaled(detections / total))
    }
}

#[test]
fn honest_blocks_are_accepted_whatever_chance_does_to_them() {
    for distance_km in [0.0, 25.0, 50.0] {
        for (name, link) in systems(distance_km) {
            let plan = plan(&link);
            let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
            let (mut sum, mut squares) = (0.0, 0.0);
            let blocks = 2000;
            for _ in 0..blocks {
                let block = noise.block(&plan.statistics_expected, plan.detections as f64);
                assert!(block.key.total_counts() >= BLOCK_BITS);
                let accepted = test(&plan, &link, &block)
                    .unwrap_or_else(|refusal| panic!("{name} at {distance_km} km: {refusal}"));
                sum += accepted.length.length_unclamped;
                squares += accepted.length.length_unclamped.powi(2);
            }
            let mean = sum / f64::from(blocks);
            let deviation = (squares / f64::from(blocks) - mean * mean).sqrt();
            let distance = (mean - plan.acceptance.secret_length_bits as f64) / deviation;
            // 4.27 σ of a normal law leave 1e-5; that of 2,000 blocks is known to 1.6 %.
            assert!(distance > 4.27, "{name} at {distance_km} km: {distance} σ");
        }
    }
}

#[test]
fn an_eavesdropper_on_a_tenth_of_the_detections_is_refused_for_the_qber() {
    for (name, link) in systems(25.0) {
        let plan = plan(&link);
        let mut attacked = plan.statistics_expected;
        for basis in [&mut attacked.key, &mut attacked.test] {
            for class in [0, 1] {
                let honest = basis.errors[class];
                let errors = 0.1 / 4.0 * basis.counts[class] + (1.0 - 0.1 / 2.0) * honest;
                // Chance favours Eve by six standard deviations.
                basis.errors[class] = errors - 6.0 * errors.sqrt();
            }
        }
        let refusal = test(&plan, &link, &whole(&attacked)).unwrap_err();
        assert!(
            matches!(refusal, Refusal::QberTooHigh { .. }),
            "{name}: {refusal}"
        );
    }
}

#[test]
fn each_limit_that_is_crossed_gives_its_own_refusal() {
    let (_, link) = systems(25.0)[0];
    let plan = plan(&link);
    let limits = &plan.acceptance;
    let honest = whole(&plan.statistics_expected);
    for class in IntensityClass::ALL {
        let i = class.index();
        for basis in [TestedBasis::Key, TestedBasis::Test] {
            let (counts_min, errors_max) = match basis {
                TestedBasis::Key => (limits.key_counts_min[i], limits.key_errors_max[i]),
                TestedBasis::Test => (limits.test_counts_min[i], limits.test_errors_max[i]),
            };
            let change = |change: &dyn Fn(&mut BasisStatistics)| {
                let mut statistics = honest;
                change(match basis {
                    TestedBasis::Key => &mut statistics.key,
                    TestedBasis::Test => &mut statistics.test,
                });
                test(&plan, &link, &statistics)
            };
            let refusal = change(&|seen| seen.errors[i] = errors_max + 1).unwrap_err();
            let counts = match basis {
                TestedBasis::Key => honest.key.counts[i],
                TestedBasis::Test => honest.test.counts[i],
            };
            let expected = Refusal::QberTooHigh {
                basis,
                class,
                errors: errors_max + 1,
                counts,
                errors_max,
            };
            assert_eq!(refusal, expected);
            let refusal = change(&|seen| seen.counts[i] = counts_min - 1).unwrap_err();
            let expected = Refusal::TooFewDetections {
                basis,
                class,
                counts: counts_min - 1,
                counts_min,
            };
            assert_eq!(refusal, expected);
        }
    }
}

#[test]
fn leakage_over_its_cap_is_refused() {
    let (_, link) = systems(25.0)[0];
    let mut plan = plan(&link);
    let honest = whole(&plan.statistics_expected);
    plan.acceptance.leaked_bits_max = leakage(&plan, &honest).from_alice_bits - 1;
    let refusal = test(&plan, &link, &honest).unwrap_err();
    assert!(matches!(refusal, Refusal::ZeroLength { .. }), "{refusal}");
    assert!(refusal.to_string().contains("leaked too much"), "{refusal}");
}

#[test]
fn more_signal_detections_than_planned_are_refused_by_the_theorem() {
    // All inside the limits, which know no largest count; but the decoy bound falls.
    let (_, link) = systems(25.0)[0];
    let plan = plan(&link);
    let mut statistics = whole(&plan.statistics_expected);
    statistics.key.counts[0] += statistics.key.counts[0] / 4;
    let refusal = test(&plan, &link, &statistics).unwrap_err();
    assert!(matches!(refusal, Refusal::ZeroLength { .. }), "{refusal}");
}

#[test]
fn a_planned_length_of_zero_accepts_nothing() {
    let (_, link) = systems(150.0)[2];
    let plan = plan(&link);
    assert_eq!(plan.acceptance.secret_length_bits, 0);
    let refusal = test(&plan, &link, &whole(&plan.statistics_expected)).unwrap_err();
    assert!(matches!(refusal, Refusal::ZeroLength { .. }), "{refusal}");
    assert!(refusal.to_string().contains("planned with length zero"));
}

#[test]
fn a_block_closed_early_names_the_eavesdropper_before_the_missing_detections() {
    let (_, link) = systems(25.0)[0];
    let plan = plan(&link);
    let quarter = plan.statistics_expected.scaled(0.25);
    let refusal = test(&plan, &link, &whole(&quarter)).unwrap_err();
    assert!(
        matches!(refusal, Refusal::TooFewDetections { .. }),
        "{refusal}"
    );
    let mut attacked = quarter;
    attacked.key.errors = attacked.key.counts.map(|count| count / 4.0);
    let refusal = test(&plan, &link, &whole(&attacked)).unwrap_err();
    assert!(matches!(refusal, Refusal::QberTooHigh { .. }), "{refusal}");
    let refusal = test(&plan, &link, &Statistics::default()).unwrap_err();
    assert!(
        matches!(refusal, Refusal::TooFewDetections { .. }),
        "{refusal}"
    );
}

#[test]
fn plans_out_of_range_are_refused_with_the_reason() {
    let (_, link) = systems(25.0)[0];
    let derive = |bits, parameters: SecurityParameters, margin: Margin| {
        BlockPlan::derive(&link, bits, &parameters, Theorem::Wiesemann2024, &margin)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let honest = Margin::default();
    assert!(derive(0, PARAMETERS, honest).contains("block_bits"));
    let never = SecurityParameters {
        secrecy: 0.0,
        ..PARAMETERS
    };
    assert!(derive(1000, never, honest).contains("secrecy"));
    let generous = Margin {
        reconciliation_inefficiency_max: Some(0.9),
        ..honest
    };
    assert!(derive(1000, PARAMETERS, generous).contains("reconciliation_inefficiency_max"));
}
