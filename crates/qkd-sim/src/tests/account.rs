//! The account of every block, held against what really went over the wire and into the stores.

use std::collections::BTreeMap;

use qkd_session::{AUTHENTICATION_REFRESH_BITS, BlockReport, CHECK_BITS, Outcome as Ended};

use super::{Expect, check, short};
use crate::{Eve, Link, Outcome};

/// Whatever became of the blocks of a run: what was said about their keys is what is counted, a key
/// has the length fixed in advance less its costs and no other, both sides tell the same, and each
/// run spent its budget.
pub(super) fn audit(link: &Link, outcome: &Outcome) {
    let seed = link.seed;
    let fixed = link.plan().expect("it was planned before").acceptance;
    for (alice, bob) in outcome.alice.iter().zip(&outcome.bob) {
        for report in [alice, bob] {
            disclosed(outcome, report);
            assert_eq!(report.fixed_length_bits, fixed.secret_length_bits);
            let costs = CHECK_BITS + AUTHENTICATION_REFRESH_BITS;
            match report.outcome {
                Ended::Key { secret_length_bits } => {
                    let gross = secret_length_bits + costs;
                    assert_eq!(gross, fixed.secret_length_bits, "seed {seed}");
                    let bound = report.key_length.expect("a key has a length");
                    assert!(bound.secret_length_bits() >= gross, "seed {seed}");
                    assert!(report.spent.is_some(), "seed {seed}: {report:?}");
                }
                Ended::Aborted(_) => assert_eq!(report.spent, None, "seed {seed}"),
            }
        }
        same_figures(alice, bob);
    }
    let [alice, bob] = outcome.spent;
    assert_eq!(alice.runs, link.blocks, "seed {seed}");
    let ends_with_key = outcome.bob.last().is_some_and(|last| last.spent.is_some());
    assert!(alice == bob || !ends_with_key, "seed {seed}");
    let each = link.parameters.secrecy + link.parameters.correctness;
    let total = link.blocks as f64 * each;
    assert!((alice.total() / total - 1.0).abs() < 1e-12, "seed {seed}");
}

/// Every bit of the messages that tells something about the key is in the ledger, and no other.
fn disclosed(outcome: &Outcome, report: &BlockReport) {
    let told = outcome.transcript.told()[&report.block];
    let counted = report.leakage;
    assert_eq!(counted.from_alice_bits, told.parity_bits, "{report:?}");
    assert_eq!(counted.from_bob_bits, told.comparison_bits, "{report:?}");
    assert_eq!(counted.verification_tag_bits, told.tag_bits, "{report:?}");
    let verdicts = counted.verification_outcome_bits;
    assert_eq!(verdicts, told.verdict_bits, "{report:?}");
    if let Some(length) = &report.key_length {
        let charged = counted.from_alice_bits + told.tag_bits + told.verdict_bits;
        assert!(length.charged_leakage_bits >= charged as f64, "{report:?}");
        assert!(told.parity_bits > 0 && told.tag_bits == 128, "{told:?}");
    }
}

/// A side may know less than the other, and nothing else.
fn same_figures(alice: &BlockReport, bob: &BlockReport) {
    let of_bob: BTreeMap<&str, f64> = by_name(bob);
    for (name, value) in by_name(alice) {
        if let Some(&other) = of_bob.get(name) {
            assert_eq!(value, other, "{name} of block {}", alice.block);
        }
    }
}

fn by_name(report: &BlockReport) -> BTreeMap<&'static str, f64> {
    let figures = report.figures();
    let by_name: BTreeMap<_, _> = figures.iter().map(|f| (f.name, f.value)).collect();
    assert_eq!(by_name.len(), figures.len(), "a name came twice");
    by_name
}

#[test]
fn the_account_of_a_key_has_every_figure_on_both_sides_and_adds_up() {
    let mut link = short(25.0, 12);
    link.blocks = 2;
    let outcome = check(&link, &Expect::Key);
    for (block, (alice, bob)) in outcome.alice.iter().zip(&outcome.bob).enumerate() {
        let (figures, of_bob) = (by_name(alice), by_name(bob));
        assert_eq!(figures, of_bob);
        let sum = |names: &[&str]| names.iter().map(|name| figures[name]).sum::<f64>();
        let sifted = sum(&["key_signal_detections", "key_decoy_detections"]);
        assert_eq!(sifted, figures["sifted_bits"]);
        let wrong = sum(&["key_signal_errors", "key_decoy_errors"]);
        assert_eq!(wrong / sifted, figures["qber"]);
        let parts = ["check_bits", "refresh_bits", "secret_length_bits"];
        assert_eq!(sum(&parts), figures["fixed_length_bits"]);
        let entropy = qkd_security::binary_entropy(figures["phase_error_rate"]);
        let length = figures["single_photon_key_min"] * (1.0 - entropy)
            - figures["charged_leakage_bits"]
            - figures["security_overhead_bits"];
        assert!((length - figures["length_unclamped_bits"]).abs() < 1e-6);
        let inefficiency = figures["reconciliation_inefficiency"];
        assert!((1.0..1.1).contains(&inefficiency), "{inefficiency}");
        let rounds = figures["correction_rounds"];
        assert!((5.0..500.0).contains(&rounds), "{rounds}");
        assert_eq!(figures["pair_runs"], (block + 1) as f64);
        for name in ["test_signal_errors", "test_decoy_errors", "vacuum_key_max"] {
            assert!(figures.contains_key(name), "{name}");
        }
    }
}

#[test]
fn the_account_of_an_intercepted_block_shows_the_counts_that_betray_it_and_no_bit_of_the_key() {
    let mut link = short(25.0, 13);
    link.attack = Some(Eve::at_bobs_door("intercept-resend:0.5"));
    link.blocks = 2;
    let abort = Expect::Abort(qkd_session::AbortReason::QberTooHigh);
    let outcome = check(&link, &abort);
    let bob = by_name(&outcome.bob[1]);
    let share = bob["test_signal_errors"] / bob["test_signal_detections"];
    assert!((0.1..0.16).contains(&share), "{share}");
    assert!(!bob.contains_key("from_alice_bits") && !bob.contains_key("pair_runs"));
    // Alice counts the same block and its slots; the errors only Bob can count.
    let alice = by_name(&outcome.alice[1]);
    assert_eq!(alice["sifted_bits"], bob["sifted_bits"]);
    assert!(!alice.contains_key("test_signal_errors"));
    assert_eq!(outcome.spent[0].runs, 2);
}
