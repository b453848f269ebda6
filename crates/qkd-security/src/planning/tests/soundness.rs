//! No input that is accepted gives nonsense, and what is refused is named.

use super::*;

#[test]
fn no_accepted_figure_gives_nonsense() {
    let mut points = 0;
    for theorem in PlanTheorem::ALL {
        for channel in ChannelModel::ALL {
            for (loss_db, dark) in [
                (0.0, 0.0),
                (0.0, 1e-3),
                (0.0, 0.9),
                (30.0, 1e-8),
                (120.0, 0.0),
                (120.0, 1e-3),
                (1000.0, 0.0),
            ] {
                for block_bits in [1, 100_000, 1_000_000_000_000_000] {
                    for (afterpulse, dead_time_slots) in [(0.0, 0), (0.9, 7), (0.02, u64::MAX)] {
                        for error in [0.0, 0.5] {
                            let mut input = under(theorem, snspd(loss_db));
                            input.channel = channel;
                            input.block_bits = block_bits;
                            input.link.dark_count_probability = dark;
                            input.link.afterpulse_probability = afterpulse;
                            input.link.dead_time_slots = dead_time_slots;
                            input.link.misalignment_error = error;
                            assert_sensible(&input);
                            points += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(points, 6 * 2 * 7 * 3 * 3 * 2);
}

#[test]
fn no_figure_at_the_end_of_its_range_gives_nonsense() {
    type Change = fn(&mut PlanInput);
    let ends: [Change; 12] = [
        |i| i.link.clock_hz = 1e-3,
        |i| i.link.clock_hz = 1e15,
        |i| i.link.transmittance_channel = 1e-100,
        |i| i.link.detector_efficiency = 1e-9,
        |i| i.link.key_basis_probability = 1e-6,
        |i| i.link.key_basis_probability = 0.999999,
        |i| i.link.afterpulse_decay_slots = f64::MAX,
        |i| i.link.dark_count_probability = 1.0 - 1e-16,
        |i| i.parameters.secrecy = 1e-100,
        |i| i.parameters.correctness = 1e-100,
        |i| i.reconciliation_inefficiency = 10.0,
        |i| {
            let used = i.theorem.intensities_used();
            let dark = [1e-6, 1e-7, 1e-8].map(|mu| mu * i.link.intensities[0]);
            i.link.intensities[..used].copy_from_slice(&dark[..used]);
            let rare = [1.0 - 1e-7, 1e-7, 0.0];
            i.link.intensity_probabilities = match used {
                3 => vec![1.0 - 2e-7, 1e-7, 1e-7],
                _ => rare[..used].to_vec(),
            };
        },
    ];
    for theorem in PlanTheorem::ALL {
        for channel in ChannelModel::ALL {
            for (i, change) in ends.iter().enumerate() {
                let mut input = under(theorem, ingaas(10.0));
                input.channel = channel;
                change(&mut input);
                assert_sensible(&input);
                // Alone, and with every end that follows it.
                let mut all = input.clone();
                ends[i + 1..].iter().for_each(|change| change(&mut all));
                assert_sensible(&all);
            }
        }
    }
}

#[track_caller]
fn assert_sensible(input: &PlanInput) {
    let point = plan(input).unwrap();
    let about = format!("{input:?}\n{point:?}");
    for rate in [point.qber, point.phase_error_rate] {
        assert!((0.0..=1.0).contains(&rate), "{about}");
    }
    for rate in [point.secret_bits_per_pulse, point.secret_key_rate_bps] {
        assert!(rate >= 0.0 && rate.is_finite(), "{about}");
    }
    assert!(point.secret_bits_per_pulse <= point.repeaterless_bits_per_pulse);
    let lossless = input.link.transmittance_channel == 1.0;
    assert_eq!(point.repeaterless_bits_per_pulse.is_finite(), !lossless);
    assert_eq!(point.block.is_some(), input.theorem.is_finite());
    let Some(block) = point.block else { return };
    assert!(block.length_unclamped.is_finite(), "{about}");
    assert!(
        block.slots >= input.block_bits as f64 && block.slots.is_finite(),
        "{about}"
    );
    assert!(
        block.seconds.is_finite() && block.leaked_bits >= 0.0,
        "{about}"
    );
    let sifted: f64 = block.key_counts.iter().sum();
    assert!(
        (sifted / input.block_bits as f64 - 1.0).abs() < 1e-9,
        "{about}"
    );
    let bits = block.secret_length_bits as f64;
    assert!(
        bits <= sifted && (bits > 0.0) == (point.secret_bits_per_pulse > 0.0),
        "{about}"
    );
    for figure in block.bounds.figures() {
        assert!(figure.value.is_finite(), "{about}");
    }
}

#[test]
fn what_is_refused_is_named_with_its_value() {
    type Change = fn(&mut PlanInput);
    let wrong: [(&str, Change); 20] = [
        ("key_basis_probability is 1.2", |i| {
            i.link.key_basis_probability = 1.2
        }),
        ("transmittance_channel is -1", |i| {
            i.link.transmittance_channel = -1.0
        }),
        ("transmittance_channel is NaN", |i| {
            i.link.transmittance_channel = f64::NAN
        }),
        ("insertion_transmittance is 1.5", |i| {
            i.link.insertion_transmittance = 1.5
        }),
        ("detector_efficiency is 0", |i| {
            i.link.detector_efficiency = 0.0
        }),
        ("dark_count_probability is 1", |i| {
            i.link.dark_count_probability = 1.0
        }),
        ("afterpulse_probability is -0.1", |i| {
            i.link.afterpulse_probability = -0.1
        }),
        ("afterpulse_decay_slots is inf", |i| {
            i.link.afterpulse_decay_slots = f64::INFINITY
        }),
        ("misalignment_error is 0.6", |i| {
            i.link.misalignment_error = 0.6
        }),
        ("clock_hz is 0", |i| i.link.clock_hz = 0.0),
        ("block_bits is 0", |i| i.block_bits = 0),
        ("secrecy is 0", |i| i.parameters.secrecy = 0.0),
        ("correctness is 1", |i| i.parameters.correctness = 1.0),
        ("reconciliation_inefficiency is 0.9", |i| {
            i.reconciliation_inefficiency = 0.9
        }),
        ("number of intensities is 3", |i| {
            i.link.intensities.push(0.01)
        }),
        ("number of intensity_probabilities is 1", |i| {
            i.link.intensity_probabilities.truncate(1)
        }),
        ("intensities[1]) is 0.5", |i| i.link.intensities[1] = 0.5),
        ("intensities[0] is -1", |i| i.link.intensities[0] = -1.0),
        ("entry of intensity_probabilities is 1.2", |i| {
            i.link.intensity_probabilities[0] = 1.2
        }),
        ("sum of intensity_probabilities is 0.95", |i| {
            i.link.intensity_probabilities[1] = 0.5
        }),
    ];
    for (said, change) in wrong {
        let mut input = snspd(10.0);
        change(&mut input);
        let error = plan(&input).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("expected"),
            "{error}"
        );
    }
    let mut input = under(PlanTheorem::GllpVacuumWeak, snspd(10.0));
    input.link.intensities.pop();
    let error = plan(&input).unwrap_err().to_string();
    assert!(error.contains("number of intensities is 2"), "{error}");
    input.link.intensities = vec![0.5, 0.4, 0.1];
    let error = plan(&input).unwrap_err().to_string();
    assert!(error.contains("intensities[0] is 0.5"), "{error}");
}

#[test]
fn formulas_for_infinitely_many_pulses_look_at_no_probabilities() {
    for theorem in [
        PlanTheorem::Gllp,
        PlanTheorem::GllpDecoyInfinite,
        PlanTheorem::GllpVacuumWeak,
    ] {
        let mut input = under(theorem, snspd(5.0));
        let mut rates = Vec::new();
        for probabilities in [vec![], vec![1.0], vec![0.1, 0.2, 0.7]] {
            input.link.intensity_probabilities = probabilities;
            let point = plan(&input).unwrap();
            assert_eq!(point.intensity_probabilities[0], 1.0);
            rates.push(point.secret_bits_per_pulse);
        }
        assert!(rates[0] > 0.0 && rates[0] == rates[1] && rates[1] == rates[2]);
    }
}

#[test]
fn the_models_differ_by_little_where_clicks_are_rare() {
    for theorem in PlanTheorem::ALL {
        let mut input = under(theorem, snspd(20.0));
        // One dark count per slot is what the papers on one decoy say; the rest say per detector.
        input.link.dark_count_probability = 0.0;
        input.block_bits = 10_000_000;
        let [exact, published] = ChannelModel::ALL.map(|channel| {
            input.channel = channel;
            plan(&input).unwrap()
        });
        let ratio = published.secret_key_rate_bps / exact.secret_key_rate_bps;
        assert!((ratio - 1.0).abs() < 0.01, "{theorem}: {ratio}");
        assert!(
            (published.qber / exact.qber - 1.0).abs() < 0.01,
            "{theorem}"
        );
    }
}

#[test]
fn dead_time_takes_no_key_without_decoys_from_a_link_without_errors() {
    for channel in ChannelModel::ALL {
        for (dead_time_slots, loss_db) in [(30, 3.0), (30, 20.0), (1_000_000, 20.0)] {
            let mut input = under(PlanTheorem::Gllp, snspd(loss_db));
            input.channel = channel;
            input.link.misalignment_error = 0.0;
            // At this signal half of the clicks may be of several photons.
            input.link.intensities = vec![0.8 * fibre(loss_db)];
            input.link.dead_time_slots = 0;
            let without = plan(&input).unwrap().secret_bits_per_pulse;
            input.link.dead_time_slots = dead_time_slots;
            let with = plan(&input).unwrap().secret_bits_per_pulse;
            assert!(0.0 < with && with < without, "{input:?}: {with} {without}");
        }
    }
}

#[test]
fn the_exact_model_is_that_of_the_link() {
    let input = ingaas(10.0);
    let block = plan(&input).unwrap().block.unwrap();
    let planned = fixed(&input).unwrap().unwrap();
    let expected = planned.statistics_expected;
    let scale = block.key_counts[0] / expected.key.counts[0];
    for i in [0, 1] {
        for (own, theirs) in [
            (block.key_counts[i], expected.key.counts[i]),
            (block.key_errors[i], expected.key.errors[i]),
            (block.test_counts[i], expected.test.counts[i]),
            (block.test_errors[i], expected.test.errors[i]),
        ] {
            assert!(
                (own / (scale * theirs) - 1.0).abs() < 1e-9,
                "{own} {theirs}"
            );
        }
    }
    let slots = planned.slots_expected * scale;
    assert!((block.slots / slots - 1.0).abs() < 1e-9);
    assert!(planned.acceptance.secret_length_bits < block.secret_length_bits);
    assert!(fixed(&under(PlanTheorem::Lim2014, input)).is_none());
}
