//! No block's words and no key depend on which step ends first.

use qkd_bits::SecretRng;

use super::steps::Steps;
use crate::{BlockReport, Distilled, Message};

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
