//! What each lie of a peer leads to: an error that names it, and no key.

use qkd_bits::BitString;
use qkd_optics::SlotList;

use super::{Pair, Tamper};
use crate::{Gaps, Message};

/// A lie, who must notice it, and a piece of what it is called.
struct Lie {
    tell: Tamper,
    noticed_by_alice: bool,
    complaint: &'static str,
}

fn check_lies(lies: &[Lie]) {
    for (number, lie) in lies.iter().enumerate() {
        let mut pair = Pair::one_block(0.01);
        let Err((at_alice, error)) = pair.run(pair.end_of_clicks(), lie.tell) else {
            panic!("lie {number} ({}) was believed", lie.complaint);
        };
        let error = error.to_string();
        assert_eq!(at_alice, lie.noticed_by_alice, "lie {number}: {error}");
        assert!(error.contains(lie.complaint), "lie {number}: {error}");
        let keys = if at_alice {
            &pair.alice_keys
        } else {
            &pair.bob_keys
        };
        assert!(
            keys.is_empty(),
            "lie {number}: whoever noticed it has a key"
        );
    }
}

const fn to_alice(complaint: &'static str, tell: Tamper) -> Lie {
    Lie {
        tell,
        noticed_by_alice: true,
        complaint,
    }
}

const fn to_bob(complaint: &'static str, tell: Tamper) -> Lie {
    Lie {
        tell,
        noticed_by_alice: false,
        complaint,
    }
}

/// The same list of gaps with some of them changed.
fn respaced(gaps: &mut Gaps, change: fn(&mut [u64])) {
    let mut slots = SlotList::new(0);
    slots.append(gaps.clone(), u64::MAX).expect("honest gaps");
    let slots: Vec<u64> = slots.iter().collect();
    let before = std::iter::once(&0).chain(&slots);
    let mut list: Vec<u64> = slots
        .iter()
        .zip(before)
        .map(|(slot, last)| slot - last)
        .collect();
    change(&mut list);
    *gaps = list.into_iter().collect();
}

#[test]
fn alice_notices_every_false_announcement() {
    check_lies(&[
        to_alice("slot is not rising", |_, m| {
            if let Message::Announcement { gaps, .. } = m {
                respaced(gaps, |gaps| gaps[1] = 0);
            }
        }),
        to_alice("slot is not rising or beyond", |_, m| {
            if let Message::Announcement { gaps, .. } = m {
                respaced(gaps, |gaps| gaps[0] += 1 << 40);
            }
        }),
        to_alice("slot is not rising or beyond", |_, m| {
            if let Message::Announcement { gaps, .. } = m {
                respaced(gaps, |gaps| gaps[1] = u64::MAX);
            }
        }),
        to_alice("list of long gaps", |_, m| {
            if let Message::Announcement { gaps, .. } = m {
                *gaps = Gaps::from_bytes(gaps.short().to_vec(), vec![0xff; 11]);
            }
        }),
        to_alice("number of bases", |_, m| {
            if let Message::Announcement { bases, .. } = m {
                bases.push(true);
            }
        }),
        to_alice("number of detections", |_, m| {
            if let Message::Announcement {
                gaps,
                bases,
                part: 1,
                ..
            } = m
            {
                gaps.extend([1]);
                bases.push(true);
            }
        }),
        to_alice("block number is 1, expected 0", |_, m| {
            if let Message::Announcement { block, .. } = m {
                *block = 1;
            }
        }),
        to_alice("range of slots", |_, m| {
            if let Message::Announcement {
                first_slot,
                end_slot,
                ..
            } = m
            {
                *end_slot = *first_slot;
            }
        }),
        to_alice("range of slots", |_, m| {
            if let Message::Announcement {
                end_slot, part: 1, ..
            } = m
            {
                *end_slot += 1;
            }
        }),
        to_alice("number of parts is 9, expected 1 to 2", |_, m| {
            if let Message::Announcement { parts, .. } = m {
                *parts = 9;
            }
        }),
        to_alice("part is 1, expected 0", |_, m| {
            if let Message::Announcement { part, .. } = m {
                *part = 1;
            }
        }),
    ]);
}

#[test]
fn alice_notices_every_lie_of_the_reconciliation_and_everything_out_of_turn() {
    check_lies(&[
        to_alice("sifted key length", |_, m| {
            if let Message::ReconciliationPlan { key_bits, .. } = m {
                *key_bits += 1;
            }
        }),
        to_alice("prior error rate", |_, m| {
            if let Message::ReconciliationPlan { prior_qber, .. } = m {
                *prior_qber = f64::NAN;
            }
        }),
        to_alice("round is 3, expected 2", |_, m| {
            if let Message::Comparison { round, .. } = m
                && *round == 2
            {
                *round = 3;
            }
        }),
        to_alice("comparison: peer sent", |_, m| {
            if let Message::Comparison { bits, .. } = m {
                bits.push(false);
            }
        }),
        to_alice("peer's statistics", |_, m| {
            if let Message::Verified { statistics, .. } = m {
                statistics.key.errors[0] -= 1;
            }
        }),
        to_alice("peer's statistics", |_, m| {
            if let Message::Verified { statistics, .. } = m {
                statistics.test.counts[1] += 1;
            }
        }),
        to_alice(
            "verified while it waits for a reconciliation plan",
            |_, m| {
                if let Message::ReconciliationPlan { block, .. } = m {
                    *m = Message::Verified {
                        block: *block,
                        statistics: Default::default(),
                    };
                }
            },
        ),
        to_alice("it was never announced", |_, m| {
            if let Message::ReconciliationPlan { block, .. } = m {
                *block = 5;
            }
        }),
        to_alice("only Alice says that", |from_alice, m| {
            if !from_alice {
                *m = Message::Clock { emitted_slots: 1 };
            }
        }),
    ]);
}

#[test]
fn bob_notices_every_lie_and_everything_out_of_turn() {
    check_lies(&[
        to_bob("disclosed test bits", |_, m| {
            if let Message::Disclosure {
                test_bits, part: 1, ..
            } = m
            {
                test_bits.push(true);
            }
        }),
        to_bob("disclosure is", |_, m| {
            if let Message::Disclosure {
                bases,
                decoys,
                part: 1,
                ..
            } = m
            {
                bases.push(true);
                decoys.push(true);
            }
        }),
        to_bob("disclosed bases", |_, m| {
            if let Message::Disclosure {
                bases,
                decoys,
                part: 1,
                ..
            } = m
            {
                *bases = bases.slice(0..bases.len() - 1);
                *decoys = decoys.slice(0..decoys.len() - 1);
            }
        }),
        to_bob("part is 1, expected 0", |_, m| {
            if let Message::Disclosure { part, .. } = m {
                *part = 1;
            }
        }),
        to_bob("round is 1, expected 0", |_, m| {
            if let Message::Parities { round, .. } = m {
                *round = 1;
            }
        }),
        to_bob("parities: peer sent", |_, m| {
            if let Message::Parities { bits, .. } = m {
                *bits = BitString::new();
            }
        }),
        to_bob("output length", |_, m| {
            if let Message::Amplification { output_bits, .. } = m {
                *output_bits += 1;
            }
        }),
        to_bob("peer's seed", |_, m| {
            if let Message::Amplification { seed, .. } = m {
                seed.push(true);
            }
        }),
        to_bob("peer sent 0 bits", |_, m| {
            if let Message::Amplification { seed, .. } = m {
                *seed = BitString::new();
            }
        }),
        to_bob(
            "amplification while it waits for the verification",
            |_, m| {
                if let Message::Verification { block, .. } = m {
                    *m = Message::Amplification {
                        block: *block,
                        part: 0,
                        parts: 1,
                        output_bits: 1,
                        confirmation_point: [0; 16],
                        seed: BitString::new(),
                    };
                }
            },
        ),
        to_bob("it was never announced", |from_alice, m| {
            if let Message::Disclosure { block, .. } = m
                && from_alice
            {
                *block = 1;
            }
        }),
        to_bob("only Bob says that", |from_alice, m| {
            if from_alice {
                *m = Message::Transmission { wanted: true };
            }
        }),
    ]);
}
