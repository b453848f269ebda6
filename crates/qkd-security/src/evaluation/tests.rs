use super::*;
use crate::concentration::{FailureProbability, SplitSizes, serfling_deviation};
use crate::mathematics::{exp, exp_m1, pow};
use crate::reference_table::Table;
use crate::{Exposure, SecurityParameters, SideChannels};

#[track_caller]
pub(super) fn figure(evaluation: &Evaluation, name: &str) -> f64 {
    let found = evaluation.figure(name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", evaluation.figures))
}

#[track_caller]
pub(super) fn assert_within(value: f64, expected: f64, relative: f64) {
    let near = (value - expected).abs() <= relative * expected.abs();
    assert!(near, "{value} is not {expected}");
}

/// A source of decoy BB84 and what a pulse of each intensity does on average.
struct Sent<'a> {
    intensities: &'a [f64],
    probabilities: &'a [f64],
    /// P(Z).
    key_basis_probability: f64,
    /// Clicks and errors per pulse that holds so many photons on average.
    clicks: &'a dyn Fn(f64) -> f64,
    errors: &'a dyn Fn(f64) -> f64,
}

impl Sent<'_> {
    fn basis(&self, pulses: f64) -> Counts {
        let values = |value: &dyn Fn(f64) -> f64| {
            let sent = self.intensities.iter().zip(self.probabilities);
            sent.map(|(&mu, p)| pulses * p * value(mu)).collect()
        };
        Counts {
            counts: values(self.clicks),
            errors: values(self.errors),
        }
    }

    /// A block of `block_bits` bits of the key basis.
    fn block(&self, theorem: BlockTheorem, block_bits: f64) -> DecoyBlock {
        let key_pulses = block_bits / self.basis(1.0).total_counts();
        let ratio = (1.0 / self.key_basis_probability - 1.0).powi(2);
        DecoyBlock {
            theorem,
            intensities: self.intensities.to_vec(),
            intensity_probabilities: self.probabilities.to_vec(),
            key: self.basis(key_pulses),
            test: self.basis(key_pulses * ratio),
            side_channels: SideChannels::NONE,
            exposure: None,
        }
    }

    fn measured(&self, block: DecoyBlock, parameters: SecurityParameters) -> MeasuredCounts {
        MeasuredCounts {
            block,
            key_basis_probability: Some(self.key_basis_probability),
            parameters,
            disclosed: Disclosed::Inefficiency(1.16),
            verification_bits: None,
            seconds: None,
            link: Link::default(),
        }
    }
}

fn evaluated(counts: MeasuredCounts) -> Evaluation {
    let evaluation = Measured::Counts(counts).evaluate().unwrap();
    assert_eq!(evaluation.notes, Vec::<String>::new());
    evaluation
}

#[test]
fn counts_give_the_reference_lengths_of_two_decoys() {
    let (dark, afterpulse) = (6e-7, 0.04);
    for row in Table::parse(include_str!("../lim2014/reference.csv")).rows() {
        if row.text("clip") == "0" {
            continue;
        }
        let eta = 0.1 * pow(10.0, -0.02 * row.number("L_km"));
        let light = |mu: f64| 1.0 - (1.0 - 2.0 * dark) * exp(-eta * mu);
        let sent = Sent {
            intensities: &[0.5, 0.1, 2e-4],
            probabilities: &[0.4, 0.4, 0.2],
            key_basis_probability: 0.7,
            clicks: &|mu| light(mu) * (1.0 + afterpulse),
            errors: &|mu| dark - 5e-3 * exp_m1(-eta * mu) + afterpulse * light(mu) / 2.0,
        };
        let parameters = SecurityParameters {
            secrecy: 1e-10,
            correctness: 1e-15,
        };
        let block = sent.block(BlockTheorem::Lim2014, row.number("nX"));
        let found = evaluated(sent.measured(block, parameters));
        for (column, name) in [
            ("nZ", "test_bits"),
            ("e_obs", "qber"),
            ("sX1", "single_photon_key_min"),
            ("vZ1", "single_photon_test_errors_max"),
            ("phi_X", "phase_error_rate"),
            ("lambda_EC", "leaked_bits"),
            ("l_unclamped", "length_unclamped_bits"),
        ] {
            row.assert_within(column, figure(&found, name), 1e-6);
        }
        let length = row.number("l_unclamped").max(0.0).floor();
        assert_eq!(found.secret_length_bits, Some(length as u64));
    }
}

#[test]
fn counts_and_seconds_give_the_reference_rates_of_one_decoy_as_first_published() {
    let dark = 1e-8;
    for row in Table::parse(include_str!("../rusca2018/reference.csv")).rows() {
        let eta = 0.5 * pow(10.0, -row.number("att_dB") / 10.0);
        let sent = Sent {
            intensities: &[0.5, 0.15],
            probabilities: &[0.7, 0.3],
            key_basis_probability: 0.9,
            clicks: &|mu| 1.0 - (1.0 - dark) * exp(-eta * mu),
            errors: &|mu| -0.01 * exp_m1(-eta * mu) + dark / 2.0,
        };
        let parameters = SecurityParameters {
            secrecy: 1e-9,
            correctness: 1e-15,
        };
        let block = sent.block(BlockTheorem::Rusca2018, row.number("nZ"));
        let mut measured = sent.measured(block, parameters);
        let click = sent.basis(1.0).total_counts();
        let seconds = row.number("N_live") / 1e9 * (1.0 + 1e9 * click * 100e-9);
        measured.seconds = Some(seconds);
        let found = evaluated(measured);
        row.assert_within("QBER_Z", figure(&found, "qber"), 1e-6);
        row.assert_within("nX", figure(&found, "test_bits"), 1e-6);
        row.assert_within("sZ1_low", figure(&found, "single_photon_key_min"), 1e-6);
        if row.number("l_unclamped") != -1.0 {
            row.assert_within("phi_Z", figure(&found, "phase_error_rate"), 1e-6);
            let unclamped = figure(&found, "length_unclamped_bits");
            row.assert_within("l_unclamped", unclamped, 1e-6);
        }
        // Whole bits: a length of 1e6 loses up to 1e-6 of itself.
        let rate = found.secret_key_rate_bps.unwrap();
        row.assert_within("SKR_bps", rate, 1e-6);
    }
}

#[test]
fn counts_give_the_reference_lengths_of_one_decoy_corrected() {
    let dark = 200.0 / 625e6;
    // N_sent, L_km, phi, l_unclamped
    for [pulses, distance_km, phi, length] in [
        [1e8, 0.0, 0.0560718607579, 8536202.08952],
        [1e9, 100.0, 0.226028355115, -138431.147673],
        [1e10, 100.0, 0.0737130538521, 5768796.55191],
        [1e12, 150.0, 0.0508966077097, 74581026.9161],
    ] {
        let eta = pow(10.0, -0.02 * distance_km);
        let sent = Sent {
            intensities: &[0.5, 0.15],
            probabilities: &[0.7, 0.3],
            key_basis_probability: 0.9,
            clicks: &|mu| 1.0 - (1.0 - dark) * exp(-eta * mu),
            errors: &|mu| -0.02 * exp_m1(-eta * mu) + dark / 2.0,
        };
        let parameters = SecurityParameters {
            secrecy: 1e-12,
            correctness: 1e-12,
        };
        let key = sent.basis(pulses * 0.81).total_counts();
        let block = sent.block(BlockTheorem::Wiesemann2024, key);
        let found = evaluated(sent.measured(block, parameters));
        assert_within(figure(&found, "phase_error_rate"), phi, 1e-6);
        assert_within(figure(&found, "length_unclamped_bits"), length, 1e-6);
    }
}

/// Boaron et al., PRL 121, 190502 (2018), table I: secrecy 1e-9, correctness 1e-15.
pub(super) fn boaron(block_bits: f64, qber: f64, phase_error_rate: f64) -> MeasuredSummary {
    MeasuredSummary {
        source: SummarySource::Decoy(DecoySummary {
            theorem: BlockTheorem::Rusca2018,
            intensities: vec![0.49, 0.18],
            intensity_probabilities: Some(vec![0.5, 0.5]),
        }),
        block_bits,
        qber,
        phase_error_rate,
        key_basis_probability: None,
        sifted_rate_bps: None,
        link: Link::default(),
        parameters: SecurityParameters {
            secrecy: 1e-9,
            correctness: 1e-15,
        },
        disclosed: Disclosed::Inefficiency(1.1),
    }
}

#[test]
fn a_published_table_gives_the_published_rates() {
    // Loss, intensities, block, errors of bits and phases, sifted and secret rate in bit/s. How
    // often each intensity was sent the table does not say: with signals in nine of ten pulses
    // instead of half of them the rate is 15 % lower.
    for (loss_db, intensities, [block_bits, qber, phase], [sifted, secret]) in [
        (42.7, [0.49, 0.18], [8.2e6, 0.005, 0.022], [12e3, 4.9e3]),
        (51.3, [0.48, 0.18], [8.2e6, 0.004, 0.037], [1.9e3, 0.79e3]),
        (69.3, [0.35, 0.15], [4.1e5, 0.010, 0.043], [17.0, 6.5]),
    ] {
        for theorem in [BlockTheorem::Rusca2018, BlockTheorem::Wiesemann2024] {
            let mut row = boaron(block_bits, qber, phase);
            row.source = SummarySource::Decoy(DecoySummary {
                theorem,
                intensities: intensities.to_vec(),
                intensity_probabilities: Some(vec![0.5, 0.5]),
            });
            row.sifted_rate_bps = Some(sifted);
            row.link = Link {
                loss_db: Some(loss_db),
                clock_hz: Some(2.5e9),
            };
            let found = Measured::Summary(row).evaluate().unwrap();
            let ratio = found.secret_key_rate_bps.unwrap() / secret;
            assert!(
                (0.95..1.16).contains(&ratio),
                "{theorem} at {loss_db} dB: {ratio}"
            );
            assert!(found.secret_bits_per_pulse.unwrap() > 0.0);
            let bound = figure(&found, "repeaterless_bits_per_pulse");
            assert_within(
                bound,
                std::f64::consts::LOG2_E * pow(10.0, -loss_db / 10.0),
                1e-3,
            );
            assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
        }
    }
}

#[test]
fn a_rate_beyond_the_repeaterless_bound_is_said_to_be_wrong() {
    let mut row = boaron(1e7, 0.005, 0.022);
    row.sifted_rate_bps = Some(1e6);
    row.link = Link {
        loss_db: Some(60.0),
        clock_hz: Some(1e9),
    };
    let notes = Measured::Summary(row).evaluate().unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("without repeaters")),
        "{notes:?}"
    );
}

#[test]
fn what_a_table_leaves_out_is_assumed_aloud() {
    let mut row = boaron(1e7, 0.005, 0.022);
    let even = Measured::Summary(row.clone()).evaluate().unwrap();
    let SummarySource::Decoy(source) = &mut row.source else {
        panic!("{row:?}");
    };
    source.intensity_probabilities = None;
    let assumed = Measured::Summary(row).evaluate().unwrap();
    assert_eq!(assumed.secret_length_bits, even.secret_length_bits);
    assert!(
        assumed
            .notes
            .iter()
            .any(|note| note.contains("equally often"))
    );
}

#[test]
fn a_summary_without_intensities_is_of_single_photons_or_pairs() {
    let mut row = boaron(1e6, 0.02, 0.02);
    row.source = SummarySource::SinglePhotons { test_bits: None };
    row.sifted_rate_bps = Some(1e3);
    let entropy = |p: f64| -p * p.log2() - (1.0 - p) * (1.0 - p).log2();
    let overhead = (2.0 / (1e-18_f64 * 1e-15)).log2();
    let expected = 1e6 * (1.0 - 2.1 * entropy(0.02)) - overhead;
    let found = Measured::Summary(row.clone()).evaluate().unwrap();
    assert_eq!(found.theorem, "bbm92");
    assert_eq!(found.secret_length_bits, Some(expected as u64));
    assert_within(found.secret_key_rate_bps.unwrap(), expected / 1e3, 1e-6);
    row.source = SummarySource::SinglePhotons {
        test_bits: Some(1e5),
    };
    let sampled = Measured::Summary(row).evaluate().unwrap();
    let sizes = SplitSizes {
        observed: 1e5,
        inferred: 1e6,
    };
    let event = FailureProbability((1e-9_f64 / 4.0).powi(2));
    let deviation = serfling_deviation(sizes, event);
    assert_within(
        figure(&sampled, "phase_error_rate"),
        0.02 + deviation,
        1e-12,
    );
    assert!(sampled.secret_length_bits < found.secret_length_bits);
}

pub(super) fn small_block() -> MeasuredCounts {
    let sent = Sent {
        intensities: &[0.5, 0.15],
        probabilities: &[0.7, 0.3],
        key_basis_probability: 0.9,
        clicks: &|mu| 0.1 * mu,
        errors: &|mu| 0.001 * mu,
    };
    let parameters = SecurityParameters {
        secrecy: 1e-10,
        correctness: 1e-15,
    };
    sent.measured(sent.block(BlockTheorem::Wiesemann2024, 1e7), parameters)
}

#[test]
fn counts_that_do_not_fit_the_basis_probability_are_pointed_at() {
    let mut measured = small_block();
    assert_eq!(evaluated(measured.clone()).notes.len(), 0);
    measured.key_basis_probability = Some(0.8);
    let found = Measured::Counts(measured).evaluate().unwrap();
    assert!(
        found.notes[0].contains("key_basis_probability 0.8"),
        "{:?}",
        found.notes
    );
}

#[test]
fn figures_outside_their_range_are_named() {
    type Spoil = fn(&mut MeasuredCounts);
    let wrong: [(&str, Spoil); 7] = [
        ("number of intensities", |one| {
            one.block.intensities.push(0.01);
        }),
        ("test_basis.errors", |one| one.block.test.errors[0] = 1e12),
        ("intensities[1]", |one| one.block.intensities[1] = 0.6),
        ("leaked_bits is -1", |one| {
            one.disclosed = Disclosed::Bits(-1.0)
        }),
        ("inefficiency is 0.5", |one| {
            one.disclosed = Disclosed::Inefficiency(0.5);
        }),
        ("secrecy is 0", |one| one.parameters.secrecy = 0.0),
        ("seconds is 0", |one| one.seconds = Some(0.0)),
    ];
    for (name, spoil) in wrong {
        let mut measured = small_block();
        spoil(&mut measured);
        let said = Measured::Counts(measured)
            .evaluate()
            .unwrap_err()
            .to_string();
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn a_verification_tag_longer_than_the_theorem_charges_is_charged() {
    let short = evaluated(small_block());
    let mut measured = small_block();
    measured.verification_bits = Some(129.0);
    let long = evaluated(measured);
    let name = "length_unclamped_bits";
    let cost = figure(&short, name) - figure(&long, name);
    assert_within(cost, 129.0 - (2e15_f64).log2(), 1e-6);
}

#[test]
fn a_block_without_detections_has_no_key() {
    let mut measured = small_block();
    measured.key_basis_probability = None;
    for basis in [&mut measured.block.key, &mut measured.block.test] {
        basis.counts.fill(0.0);
        basis.errors.fill(0.0);
    }
    let found = evaluated(measured);
    assert_eq!(found.secret_length_bits, Some(0));
    assert_eq!(found.secret_fraction, Some(0.0));
    assert!(found.figures.iter().all(|figure| figure.value.is_finite()));
}

/// Light that came back and flashes shorten the key as they do on a link, for no other theorem, and for
/// light that came back only where it is known for how long.
#[test]
fn what_may_have_leaked_is_paid_for() {
    let length = |change: &dyn Fn(&mut DecoyBlock)| {
        let mut measured = small_block();
        change(&mut measured.block);
        Measured::Counts(measured)
            .evaluate()
            .map(|it| it.secret_length_bits.unwrap())
    };
    let exposure = Exposure {
        slots_max: 1e9,
        key_basis_probability: 0.9,
    };
    let light = |block: &mut DecoyBlock| block.side_channels.reflected_photons = 1e-9;
    let whole = length(&|_| {}).unwrap();
    let dark = length(&|block| block.exposure = Some(exposure)).unwrap();
    assert_eq!(whole, dark);
    let lit = length(&|block| {
        light(block);
        block.exposure = Some(exposure);
    })
    .unwrap();
    assert!(0 < lit && lit < whole, "{lit} of {whole} bits");
    assert_eq!(length(&light).unwrap(), 0);
    let glowing = length(&|block| block.side_channels.back_flash_probability = 1e-3).unwrap();
    assert!(whole - glowing > 10_000, "{glowing} of {whole} bits");
    let refused = length(&|block| {
        light(block);
        block.theorem = BlockTheorem::Rusca2018;
    });
    let said = refused.unwrap_err().to_string();
    assert!(
        said.contains("reflected_photons") && said.contains("wiesemann2024"),
        "{said}"
    );
    let fewer_slots_than_detections = length(&|block| {
        light(block);
        let slots_max = 1e3;
        block.exposure = Some(Exposure {
            slots_max,
            ..exposure
        });
    });
    let said = fewer_slots_than_detections.unwrap_err().to_string();
    assert!(said.contains("slots_max"), "{said}");
}
