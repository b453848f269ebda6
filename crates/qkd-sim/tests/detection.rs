//! Which share of intercepted detections is caught, by the exact tails of the acceptance limits, and
//! one run that agrees. The manual's table is this one.

use qkd_security::concentration::{Trials, binomial_tail_below};
use qkd_security::{BasisStatistics, BlockPlan, Margin, Theorem};
use qkd_session::{AbortReason, Outcome};
use qkd_sim::{Eve, Link, presets};

const MANUAL: &str = include_str!("../../qkd/manual/monitors.md");

fn planned(block_bits: u64) -> (Link, BlockPlan) {
    let mut link = presets::snspd(25.0, 7).expect("the preset is sound");
    link.block_bits = block_bits;
    let (theorem, margin) = (Theorem::Wiesemann2024, Margin::default());
    let plan = BlockPlan::derive(&link.model, block_bits, &link.parameters, theorem, &margin);
    (link, plan.expect("it can be planned"))
}

/// Probability that a block passes every limit on errors when Eve measures and resends a share of
/// what Bob detects: QBER f/4 + (1 − f/2)·e₀ in each class and basis. The theorem may refuse it all
/// the same: this is an upper bound.
fn missed(plan: &BlockPlan, share: f64) -> f64 {
    let (expected, limits) = (plan.statistics_expected, &plan.acceptance);
    let passes = |basis: &BasisStatistics<f64>, errors_max: [u64; 2], class: usize| {
        let counts = basis.counts[class];
        let qber = share / 4.0 + (1.0 - share / 2.0) * basis.errors[class] / counts;
        let of = Trials {
            successes: errors_max[class],
            trials: counts.round() as u64,
        };
        if of.successes >= of.trials {
            return 1.0;
        }
        binomial_tail_below(of, qber)
    };
    let mut passing = 1.0;
    for class in 0..2 {
        passing *= passes(&expected.key, limits.key_errors_max, class);
        passing *= passes(&expected.test, limits.test_errors_max, class);
    }
    passing
}

/// The smallest share that is missed with this probability at most, rounded up to 0.01 %.
fn smallest(plan: &BlockPlan, missed_max: f64) -> f64 {
    let (mut least, mut most) = (0, 10_000);
    while least < most {
        let middle = (least + most) / 2;
        if missed(plan, f64::from(middle) * 1e-4) <= missed_max {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    f64::from(most) * 1e-4
}

#[test]
fn the_smallest_share_that_is_caught_is_the_manuals() {
    let rows = [10_000, 100_000, 1_000_000, 10_000_000].map(|block_bits| {
        let (_, plan) = planned(block_bits);
        let [half, sure] = [0.5, 1e-6].map(|most| 100.0 * smallest(&plan, most));
        format!("| {block_bits} | {half:.2} % | {sure:.2} % |\n")
    });
    let table = rows.concat();
    assert!(MANUAL.contains(&table), "not in monitors.md:\n{table}");
}

#[test]
fn full_interception_is_caught_in_every_block_but_one_in_a_million() {
    for block_bits in [1_000, 10_000, 1_000_000] {
        let missed = missed(&planned(block_bits).1, 1.0);
        assert!(missed <= 1e-6, "{block_bits} bits: missed with {missed:e}");
    }
}

/// Fifty blocks, not one of which passes.
#[test]
fn blocks_that_are_intercepted_are_refused_one_after_the_other() {
    let (mut link, _) = planned(10_000);
    link.blocks = 50;
    link.attack = Some(Eve::at_bobs_door("intercept-resend"));
    let outcome = link.run().expect("the link can be built");
    for report in outcome.bob {
        assert!(
            matches!(report.outcome, Outcome::Aborted(abort) if abort.reason == AbortReason::QberTooHigh),
            "block {}: {:?}",
            report.block,
            report.outcome
        );
    }
}
