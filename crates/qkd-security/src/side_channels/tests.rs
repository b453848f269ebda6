use super::*;
use crate::concentration::{Trials, binomial_tail_above};
use crate::{
    BlockPlan, KeyLength, Leakage, LinkModel, Margin, Refusal, SecurityParameters, Statistics,
    Theorem, binary_entropy,
};

const PARAMETERS: SecurityParameters = SecurityParameters {
    secrecy: 1e-10,
    correctness: 1e-15,
};

fn stated(reflected_photons: f64, back_flash_probability: f64) -> SideChannels {
    SideChannels {
        reflected_photons,
        back_flash_probability,
    }
}

/// Superconducting detectors behind 25 km of fibre, with laboratories that leak so much.
fn link(leaks: SideChannels) -> LinkModel {
    let source = DecoySource::new([0.33, 0.115], [0.45, 0.55]).unwrap();
    LinkModel {
        source: source.with_side_channels(leaks).unwrap(),
        key_basis_probability: 0.8,
        clock_hz: 1e9,
        transmittance_channel: 0.316,
        insertion_transmittance: 1.0,
        detector_efficiency: 0.8,
        dark_count_probability: 1e-8,
        dead_time_slots: 30,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 50.0,
        misalignment_error: 0.01,
    }
}

fn plan(link: &LinkModel) -> BlockPlan {
    let (theorem, margin) = (Theorem::Wiesemann2024, Margin::default());
    BlockPlan::derive(link, 1_000_000, &PARAMETERS, theorem, &margin).unwrap()
}

/// The length of one and the same block under these assumptions.
fn length(leaks: SideChannels, slots_max: f64) -> KeyLength {
    let link = link(leaks);
    let statistics: Statistics<f64> = link.expected().per_detection.scaled(1.6e6);
    let source = link.source.exposed(Exposure {
        slots_max,
        key_basis_probability: link.key_basis_probability,
    });
    Theorem::Wiesemann2024.secret_length(statistics, &source, &Leakage::default(), &PARAMETERS)
}

#[test]
fn what_is_not_stated_changes_no_bit_of_any_figure() {
    let tight = length(SideChannels::NONE, 3e8);
    assert_eq!(tight.side_channels, None);
    assert_eq!(tight.side_channel_bits(), 0.0);
    let names: Vec<_> = tight.figures().iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), 9, "{names:?}");
    // With more slots, with fewer, with none that are known: the same to the last bit.
    let link = link(SideChannels::NONE);
    let statistics = link.expected().per_detection.scaled(1.6e6);
    let leakage = Leakage::default();
    let unexposed =
        Theorem::Wiesemann2024.secret_length(statistics, &link.source, &leakage, &PARAMETERS);
    for other in [length(SideChannels::NONE, 1.0), unexposed] {
        assert_eq!(
            other.length_unclamped.to_bits(),
            tight.length_unclamped.to_bits()
        );
        assert_eq!(other, tight);
    }
}

#[test]
fn more_light_more_slots_or_more_flashes_never_lengthen_the_key() {
    let at = |photons, flashes, slots| length(stated(photons, flashes), slots).length_unclamped;
    let tight = at(0.0, 0.0, 3e8);
    let mut before = tight;
    for photons in [
        1e-15, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0,
    ] {
        let now = at(photons, 0.0, 3e8);
        assert!(now <= before, "{photons}: {now} after {before}");
        assert!(at(photons, 0.0, 3e9) <= now && at(photons, 0.01, 3e8) < now);
        before = now;
    }
    assert!(at(1e-7, 0.0, 3e8) > 0.5 * tight, "isolation as it is built");
    let mut before = tight;
    for flashes in [1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.9] {
        let now = at(0.0, flashes, 3e8);
        assert!(now < before, "{flashes}: {now} after {before}");
        before = now;
    }
}

/// `attack_signatures.csv`: e′ at e = 1 %, where the block is so long that chance plays no part.
#[test]
fn in_a_long_block_the_published_phase_error_rates_come_out() {
    for (photons, single_photon_yield, expected) in [
        (1e-8, 0.01, 0.010_283),
        (1e-6, 1.0, 0.010_283),
        (1e-5, 0.01, 0.020_847),
        (1e-4, 0.01, 0.057_293),
        (1e-3, 1.0, 0.020_847),
        (1e-3, 0.01, 0.274_267),
    ] {
        let slots_max = 1e17;
        let source = link(stated(photons, 0.0)).source.exposed(Exposure {
            slots_max,
            key_basis_probability: 0.5,
        });
        let single = slots_max * 0.25 * source.single_photon_probability() * single_photon_yield;
        let detected = SinglePhotons {
            key: 2.0 * single,
            test: single,
        };
        let imbalance = imbalance_max(&source, detected, FailureProbability(1e-24));
        let found = trojan_horse::worsened(0.01, imbalance);
        assert!((found - expected).abs() < 2e-6, "{photons}: {found}");
        // In a short one it is worse.
        let short = SinglePhotons {
            key: 1e-9 * detected.key,
            test: 1e-9 * detected.test,
        };
        let source = source.exposed(Exposure {
            slots_max: 1e-9 * slots_max,
            key_basis_probability: 0.5,
        });
        let short = imbalance_max(&source, short, FailureProbability(1e-24));
        assert!(short > imbalance);
    }
}

#[test]
fn coins_exceed_their_bound_no_more_often_than_it_says() {
    for failure in [1e-3, 1e-12, 1e-24] {
        for (trials, probability) in [
            (1_000_000, 1e-9),
            (1_000_000, 1e-6),
            (1_000_000, 1e-3),
            (100_000_000, 1e-4),
        ] {
            let mean = trials as f64 * probability;
            let most = rare_count_max(mean, FailureProbability(failure));
            let beyond = Trials {
                successes: most.floor() as u64 + 1,
                trials,
            };
            let chance = binomial_tail_above(beyond, probability);
            assert!(chance <= failure, "{mean}: {chance} beyond {most}");
            assert!(most <= chernoff_count_max(mean, FailureProbability(failure)));
        }
    }
}

#[test]
fn what_is_paid_covers_what_the_light_itself_tells() {
    for photons in [1e-7_f64, 1e-6, 1e-5, 1e-4] {
        let leaking = length(stated(photons, 0.0), 3e8);
        let charge = leaking.side_channels.unwrap();
        // Eve lets those pass that told her, as far as the slots that nobody misses reach.
        let told = 3e8 * 0.64 * link(SideChannels::NONE).source.single_photon_probability();
        let told = told * -(-photons).exp_m1();
        assert!(leaking.side_channel_bits() >= told, "{photons}: {told}");
        assert!(leaking.phase_error_rate > charge.phase_error_rate_without);
        let entropy = |rate| binary_entropy(rate);
        let paid = entropy(leaking.phase_error_rate) - entropy(charge.phase_error_rate_without);
        assert_eq!(
            leaking.side_channel_bits(),
            leaking.single_photon_key_min * paid
        );
    }
    let flashing = length(stated(0.0, 0.03), 3e8);
    let charged = flashing.side_channels.unwrap().back_flash_bits;
    let key_bits = link(SideChannels::NONE)
        .expected()
        .per_detection
        .key
        .total_counts()
        * 1.6e6;
    assert!(
        charged > 0.03 * key_bits && charged < 0.034 * key_bits,
        "{charged}"
    );
    assert_eq!(flashing.side_channel_bits(), charged);
}

#[test]
fn too_much_light_leaves_no_key_and_the_refusal_says_why() {
    let link = link(stated(0.1, 0.0));
    let plan = plan(&link);
    assert_eq!(plan.acceptance.secret_length_bits, 0);
    let charge = plan.length_expected.side_channels.unwrap();
    assert_eq!(
        (charge.imbalance, plan.length_expected.phase_error_rate),
        (0.5, 0.5)
    );
    let whole = |counts: [f64; 2]| counts.map(|count| count.round() as u64);
    let basis = |basis: crate::BasisStatistics<f64>| crate::BasisStatistics {
        counts: whole(basis.counts),
        errors: whole(basis.errors),
    };
    let expected = plan.statistics_expected;
    let statistics = Statistics {
        key: basis(expected.key),
        test: basis(expected.test),
    };
    let (limits, leakage) = (&plan.acceptance, Leakage::default());
    let theorem = Theorem::Wiesemann2024;
    let refused = limits.test(&statistics, &leakage, &plan.source, &PARAMETERS, theorem);
    let refusal = refused.unwrap_err();
    assert!(matches!(refusal, Refusal::ZeroLength { .. }));
    let said = refusal.to_string();
    assert!(
        said.contains("charged for the stated side channels"),
        "{said}"
    );
}

#[test]
fn light_that_comes_back_for_nobody_knows_how_long_leaves_no_key() {
    let link = link(stated(1e-12, 0.0));
    let statistics = link.expected().per_detection.scaled(1e9);
    let leakage = Leakage::default();
    let theorem = Theorem::Wiesemann2024;
    let length = theorem.secret_length(statistics, &link.source, &leakage, &PARAMETERS);
    assert_eq!(length.phase_error_rate, 0.5);
    assert_eq!(length.secret_length_bits(), 0);
}

#[test]
fn figures_outside_their_range_are_refused_by_name() {
    let source = link(SideChannels::NONE).source;
    for (leaks, name) in [
        (stated(-1e-9, 0.0), "reflected_photons"),
        (stated(1.1, 0.0), "reflected_photons"),
        (stated(f64::NAN, 0.0), "reflected_photons"),
        (stated(0.0, 1.0), "back_flash_probability"),
        (stated(0.0, f64::NAN), "back_flash_probability"),
    ] {
        let said = source.with_side_channels(leaks).unwrap_err().to_string();
        assert!(said.starts_with(name), "{said}");
    }
}
