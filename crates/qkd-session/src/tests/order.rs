//! Once blocks have begun, none of their words and no key depend on which step ends first; when one
//! begins, it is told the error rate of the latest block that is verified by then.

use qkd_bits::SecretRng;

use super::steps::Steps;
use crate::{BlockReport, BobInput, Distilled, Message};

const BLOCKS: usize = 4;

/// What a block is to whoever listens and to whoever uses its key.
#[derive(PartialEq)]
struct Account {
    alice_said: Vec<Message>,
    bob_said: Vec<Message>,
    reports: [BlockReport; 2],
    keys: [Vec<u64>; 2],
}

fn accounts(steps: &Steps) -> Vec<Account> {
    let said = |block, alices| {
        let by = |(alice, message): &&(bool, Message)| {
            *alice == alices && message.block() == Some(block)
        };
        let all = steps.said.iter().filter(by);
        all.map(|(_, message)| message.clone()).collect()
    };
    let report = |all: &[BlockReport], block| {
        let mut of_block = all.iter().filter(|report| report.block == block);
        of_block.next().expect("the block has ended").clone()
    };
    let key = |all: &[Distilled], block| {
        let mut of_block = all.iter().filter(|key| key.block == block);
        let distilled = of_block.next().expect("the block gave a key");
        distilled.key.expose().words().to_vec()
    };
    let pair = &steps.pair;
    (0..BLOCKS as u64)
        .map(|block| Account {
            alice_said: said(block, true),
            bob_said: said(block, false),
            reports: [
                report(&pair.alice_reports, block),
                report(&pair.bob_reports, block),
            ],
            keys: [key(&pair.alice_keys, block), key(&pair.bob_keys, block)],
        })
        .collect()
}

/// Runs all blocks, choosing at random whether a message is delivered or which step ends next.
fn shuffled(seed: u8) -> Vec<Account> {
    let mut rng = SecretRng::from_seed([seed; 32]);
    let mut steps = Steps::of(BLOCKS, BLOCKS);
    steps.begin().expect("honest");
    loop {
        let patient = rng.chance(0.5);
        if !(patient && steps.deliver().expect("honest")) {
            if steps.work.is_empty() {
                if steps.deliver().expect("honest") {
                    continue;
                }
                return accounts(&steps);
            }
            let next = rng.below(steps.work.len() as u64) as usize;
            steps.work(next).expect("honest");
        }
    }
}

#[test]
fn steps_that_end_in_any_order_give_the_same_words_and_the_same_keys() {
    let mut in_order = Steps::of(BLOCKS, BLOCKS);
    in_order.begin().expect("honest");
    in_order.run_until(|_| false).expect("honest");
    let expected = accounts(&in_order);
    for (block, account) in expected.iter().enumerate() {
        assert!(account.keys[0] == account.keys[1], "block {block}");
        assert!(account.alice_said.len() > 30, "block {block} was too easy");
    }
    for seed in 1..=3 {
        let accounts = shuffled(seed);
        for (block, (given, expected)) in accounts.iter().zip(&expected).enumerate() {
            assert!(given == expected, "block {block} (seed {seed})");
        }
    }
}

/// Gives Bob the detections of the next block.
fn next_block(steps: &mut Steps, number: usize) {
    let mut all = steps.pair.detections();
    let block = all.len() / BLOCKS;
    let mut detections = all.split_off(number * block);
    let _later = detections.split_off(block);
    let next_slot = detections.last_slot().map_or(0, |last| last + 1);
    let detections = BobInput::Detections {
        detections,
        next_slot,
    };
    steps.bob(detections).expect("honest");
}

/// Runs everything but the steps of block `but`, until nothing else is left to do.
fn run_all_but(steps: &mut Steps, but: Option<u64>) {
    loop {
        let others = |(_, work): &(bool, crate::Work)| Some(work.block()) != but;
        if !steps.deliver().expect("honest") {
            match steps.work.iter().position(others) {
                Some(step) => steps.work(step).expect("honest"),
                None => return,
            }
        }
    }
}

/// The error rate that a block was planned for.
fn planned(steps: &Steps, number: u64) -> f64 {
    let plan = |(_, message): &(bool, Message)| {
        if let Message::ReconciliationPlan {
            block, prior_qber, ..
        } = message
            && *block == number
        {
            return Some(*prior_qber);
        }
        None
    };
    steps.said.iter().find_map(plan).expect("it was planned")
}

#[test]
fn a_block_expects_the_error_rate_of_the_latest_block_verified_when_it_begins() {
    let mut plans = Vec::new();
    // Blocks 0 and 1 end before block 2 begins, in either order; or one of them waits for a thread.
    for (first, second) in [(0, Some(1)), (1, Some(0)), (0, None), (1, None)] {
        let mut steps = Steps::of(BLOCKS, BLOCKS);
        let demand = BobInput::Demand { wanted: true };
        steps.bob(demand).expect("honest");
        next_block(&mut steps, 0);
        next_block(&mut steps, 1);
        // Both say their first words, in order; then one waits.
        let disclosed = |steps: &Steps| {
            let disclosure = |block| {
                move |(_, said): &(bool, Message)| {
                    said.name() == "disclosure" && said.block() == Some(block)
                }
            };
            (0..2).all(|block| steps.said.iter().any(disclosure(block)))
        };
        steps.run_until(disclosed).expect("honest");
        run_all_but(&mut steps, Some(1 - first));
        assert_eq!(steps.pair.bob_keys.len(), 1);
        assert_eq!(steps.pair.bob_keys[0].block, first);
        if second.is_some() {
            run_all_but(&mut steps, None);
            assert_eq!(steps.pair.bob_keys.len(), 2);
        }
        next_block(&mut steps, 2);
        run_all_but(&mut steps, None);
        let keys = (steps.pair.alice_keys.len(), steps.pair.bob_keys.len());
        assert_eq!(keys, (3, 3));
        plans.push(planned(&steps, 2));
    }
    let [after_0_and_1, after_1_and_0, after_0, after_1] = plans[..] else {
        panic!("{} plans", plans.len());
    };
    assert_eq!(
        after_0_and_1, after_1_and_0,
        "the latest, not the last to end"
    );
    assert_eq!(after_1, after_1_and_0);
    assert_ne!(after_0, after_1, "it is told what is known by then");
}
