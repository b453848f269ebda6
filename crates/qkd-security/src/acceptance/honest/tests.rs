//! Probabilities of refusal against blocks drawn count by count.

use super::*;
use crate::Margin;
use crate::concentration::binomial_probability;
use crate::{BasisStatistics, DecoySource};

const PARAMETERS: SecurityParameters = SecurityParameters {
    secrecy: 1e-4,
    correctness: 1e-9,
};
const INEFFICIENCY: f64 = 1.15;

/// A link on which errors are neither few nor the only thing that matters.
fn link() -> LinkModel {
    LinkModel {
        source: DecoySource::new([0.33, 0.115], [0.45, 0.55]).expect("in range"),
        key_basis_probability: 0.7,
        clock_hz: 1e9,
        transmittance_channel: 0.1,
        insertion_transmittance: 1.0,
        detector_efficiency: 0.5,
        dark_count_probability: 1e-6,
        dead_time_slots: 20,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 50.0,
        misalignment_error: 0.02,
    }
}

fn plan(link: &LinkModel, margin: &Margin) -> BlockPlan {
    BlockPlan::derive(link, 200_000, &PARAMETERS, Theorem::Wiesemann2024, margin)
        .expect("a valid link")
}

fn honest(plan: &BlockPlan, link: &LinkModel) -> HonestBlock {
    plan.honest_block(link, Theorem::Wiesemann2024, &PARAMETERS, INEFFICIENCY)
        .expect("a valid link")
}

/// Margins so tight that chance alone refuses a good part of the blocks.
fn tight(deviations: f64, length_deviations: f64) -> Margin {
    Margin {
        deviations,
        length_deviations,
        model_error: 0.0,
        model_count: 0.0,
        reconciliation_inefficiency_max: Some(INEFFICIENCY),
        ..Margin::default()
    }
}

/// A small generator: what matters is that nothing of the formulas is in it.
struct Coin(u64);

impl Coin {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A binomial count, by walking outwards from its mode.
    fn binomial(&mut self, trials: u64, share: f64) -> u64 {
        let mode = (((trials + 1) as f64 * share) as u64).min(trials);
        let odds = share / (1.0 - share);
        let of = Trials {
            successes: mode,
            trials,
        };
        let (mut up, mut down) = (mode, mode);
        let mut at_up = binomial_probability(of, share);
        let mut at_down = at_up;
        let mut left = self.uniform() - at_up;
        let mut last = mode;
        while left > 0.0 && at_up + at_down > 1e-15 {
            at_up *= (trials - up) as f64 / (up + 1) as f64 * odds;
            up += 1;
            left -= at_up;
            last = up;
            if left > 0.0 && down > 0 {
                at_down *= down as f64 / (trials - down + 1) as f64 / odds;
                down -= 1;
                left -= at_down;
                last = down;
            }
        }
        last.min(trials)
    }

    /// A block of exactly `detections` detections that are independent of each other.
    fn block(&mut self, shares: &Statistics<f64>, detections: u64) -> Statistics {
        let (mut left, mut rest) = (detections, 1.0);
        let mut draw = |share: f64| {
            let count = self.binomial(left, share / rest);
            left -= count;
            rest -= share;
            count
        };
        let mut basis = |shares: &BasisStatistics<f64>| {
            let mut seen = BasisStatistics::default();
            for i in [0, 1] {
                seen.errors[i] = draw(shares.errors[i]);
                seen.counts[i] = seen.errors[i] + draw(shares.counts[i] - shares.errors[i]);
            }
            seen
        };
        Statistics {
            key: basis(&shares.key),
            test: basis(&shares.test),
        }
    }
}

/// Which requirements a block fails, one by one.
fn failed(plan: &BlockPlan, link: &LinkModel, seen: &Statistics) -> Vec<Requirement> {
    let limits = &plan.acceptance;
    let mut failed = Vec::new();
    for (basis, counts_min, errors_max) in [
        (
            TestedBasis::Key,
            limits.key_counts_min,
            limits.key_errors_max,
        ),
        (
            TestedBasis::Test,
            limits.test_counts_min,
            limits.test_errors_max,
        ),
    ] {
        for class in IntensityClass::ALL {
            let i = class.index();
            if seen.basis(basis).counts[i] < counts_min[i] {
                failed.push(Requirement::CountsMin(basis, class));
            }
            if seen.basis(basis).errors[i] > errors_max[i] {
                failed.push(Requirement::ErrorsMax(basis, class));
            }
        }
    }
    let leakage = leakage(seen);
    if leakage.from_alice_bits > limits.leaked_bits_max {
        failed.push(Requirement::LeakedBitsMax);
    }
    let length = Theorem::Wiesemann2024.secret_length(*seen, &link.source, &leakage, &PARAMETERS);
    if length.secret_length_bits() < limits.secret_length_bits {
        failed.push(Requirement::SecretLength);
    }
    failed
}

fn leakage(seen: &Statistics) -> Leakage {
    Leakage {
        from_alice_bits: parities(&(*seen).into(), INEFFICIENCY).ceil() as u64,
        verification_tag_bits: VERIFICATION_BITS,
        ..Leakage::default()
    }
}

/// Draws blocks and wants every requirement to fail as often as it is said to, within five standard
/// deviations of the draw. The sum must not be smaller than what is seen.
fn check(plan: &BlockPlan, link: &LinkModel, [blocks, seed]: [u64; 2]) {
    let said = honest(plan, link);
    let shares = link.expected().per_detection;
    let mut coin = Coin(seed);
    let mut refused = 0.0;
    let mut seen: Vec<(RefusalChance, f64)> = said.refusals.iter().map(|r| (*r, 0.0)).collect();
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..blocks {
        let block = coin.block(&shares, plan.detections);
        let failed = failed(plan, link, &block);
        let verdict = plan.acceptance.test(
            &block,
            &leakage(&block),
            &link.source,
            &PARAMETERS,
            Theorem::Wiesemann2024,
        );
        assert_eq!(
            verdict.is_err(),
            !failed.is_empty(),
            "{failed:?} {verdict:?}"
        );
        refused += f64::from(u8::from(verdict.is_err()));
        for (chance, times) in &mut seen {
            *times += f64::from(u8::from(failed.contains(&chance.requirement)));
        }
        let length = Theorem::Wiesemann2024
            .secret_length(block, &link.source, &leakage(&block), &PARAMETERS)
            .length_unclamped;
        sum += length;
        squares += length * length;
    }
    let blocks = blocks as f64;
    for (chance, times) in seen {
        let p = chance.probability;
        let apart = times / blocks - p;
        let room = 5.0 * (p * (1.0 - p) / blocks).sqrt() + 3.0 / blocks;
        assert!(
            apart.abs() < room,
            "{:?}: {p} said, {} seen (seed {seed})",
            chance.requirement,
            times / blocks
        );
    }
    let total = said.total();
    let seen = refused / blocks;
    let room = 5.0 * (seen * (1.0 - seen) / blocks).sqrt();
    assert!(seen < total + room, "{seen} refused, {total} said");
    let mean = sum / blocks;
    let deviation = (squares / blocks - mean * mean).sqrt();
    let ratio = plan.length_deviation_bits / deviation;
    // 5/√(2·blocks) is 2.5 %, and the slopes are not quite constant.
    assert!(
        (0.96..1.04).contains(&ratio),
        "{deviation} bits seen, {ratio} of it said"
    );
}

#[test]
fn blocks_are_refused_as_often_as_tight_margins_say() {
    for (margin, seed) in [
        (tight(1.0, 1.0), 1),
        (tight(1.5, 1.5), 2),
        (tight(2.0, 2.0), 3),
    ] {
        let link = link();
        check(&plan(&link, &margin), &link, [20_000, seed]);
    }
}

#[test]
fn each_limit_written_by_hand_is_failed_as_often_as_said() {
    let link = link();
    let mut plan = plan(&link, &tight(6.0, 6.0));
    let expected = plan.statistics_expected;
    // Close enough to the expected figures to be crossed often, each in its own way.
    plan.acceptance.key_counts_min[1] = (expected.key.counts[1] - 50.0) as u64;
    plan.acceptance.test_errors_max[0] = (expected.test.errors[0] + 20.0) as u64;
    plan.acceptance.leaked_bits_max = parities(&expected, INEFFICIENCY) as u64 + 300;
    check(&plan, &link, [20_000, 4]);
}

#[test]
fn default_margins_refuse_fewer_than_one_honest_block_in_a_hundred_thousand() {
    let margin = Margin::default();
    let link = link();
    let plan = plan(&link, &margin);
    let f = plan.reconciliation_inefficiency_max;
    let honest = plan
        .honest_block(&link, Theorem::Wiesemann2024, &PARAMETERS, f)
        .expect("a valid link");
    assert!(honest.total() < 1e-5, "{honest:?}");
    assert_eq!(honest.refusals.len(), 11);
}

#[test]
fn a_block_that_cannot_pass_is_refused_for_certain() {
    let link = link();
    let mut plan = plan(&link, &Margin::default());
    plan.acceptance.secret_length_bits = 0;
    assert_eq!(honest(&plan, &link).of(Requirement::SecretLength), 1.0);
    plan.acceptance.key_counts_min[0] = plan.detections + 1;
    let class = Requirement::CountsMin(TestedBasis::Key, IntensityClass::Signal);
    let blocked = honest(&plan, &link);
    assert_eq!(blocked.of(class), 1.0);
    assert_eq!(blocked.total(), 1.0);
    plan.slots_max = plan.detections - 1;
    assert_eq!(honest(&plan, &link).of(Requirement::Detections), 1.0);
}

#[test]
fn blocks_closed_after_the_expected_slots_are_full_every_other_time() {
    for afterpulse_probability in [0.0, 0.1] {
        let link = LinkModel {
            afterpulse_probability,
            ..link()
        };
        let mut plan = plan(&link, &Margin::default());
        for (slots, p) in [(0.0, 0.5), (1.0, 0.158_655), (-2.0, 0.977_250)] {
            plan.slots_max = (plan.slots_expected + slots * plan.slots_deviation) as u64;
            let own = honest(&plan, &link).of(Requirement::Detections);
            assert!((own - p).abs() < 0.01, "{own} at {slots} deviations");
        }
    }
}

#[test]
fn an_inefficiency_below_shannons_limit_is_refused_by_name() {
    let link = link();
    let plan = plan(&link, &Margin::default());
    let error = plan
        .honest_block(&link, Theorem::Wiesemann2024, &PARAMETERS, 0.9)
        .unwrap_err();
    assert!(error.to_string().contains("reconciliation_inefficiency"));
}
