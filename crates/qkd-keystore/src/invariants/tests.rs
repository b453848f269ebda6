use qkd_bits::SecretRng;
use qkd_security::Spent;

use super::*;
use crate::{BlockId, DiscardReason, KeyId, SaeId, Side};

const BLOCK: BlockId = BlockId {
    session: 1,
    block: 7,
};

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

fn id(number: u8) -> KeyId {
    KeyId::from_bytes([number; 16])
}

/// The key with this number: 32 random bytes.
fn bytes(number: u8) -> [u8; 32] {
    SecretRng::from_seed([number; 32]).array()
}

fn key(number: u8) -> SeenKey {
    SeenKey::new(id(number), &bytes(number))
}

fn answered(number: u8) -> Event {
    Event::Answered {
        owner: Side::Alice,
        slaves: vec![sae("one"), sae("two")],
        keys: vec![key(number)],
    }
}

fn fetched(side: Side, caller: &str, key: SeenKey) -> Event {
    Event::Fetched {
        side,
        caller: sae(caller),
        keys: vec![key],
    }
}

fn refused(number: u8, refusal: Refusal) -> Event {
    Event::FetchRefused {
        side: Side::Bob,
        caller: sae("one"),
        key_ids: vec![id(number)],
        refusal,
    }
}

fn unanswered(number: u8) -> Event {
    Event::FetchUnanswered {
        side: Side::Bob,
        caller: sae("one"),
        key_ids: vec![id(number)],
    }
}

fn runs(runs: u64) -> Spent {
    Spent {
        runs,
        secrecy: 1e-10 * runs as f64,
        correctness: 0.0,
    }
}

fn standing(boot_epoch: u64, commits: u64, spent: u64) -> Standing {
    Standing {
        boot_epoch: Some(boot_epoch),
        commits,
        spent: runs(spent),
    }
}

fn stood(standing: Standing) -> Event {
    let side = Side::Bob;
    Event::Stood { side, standing }
}

fn committed(side: Side, spent: u64) -> Event {
    Event::Committed {
        side,
        block: BLOCK,
        spent: runs(spent),
    }
}

fn discarded(side: Side) -> Event {
    Event::Discarded {
        side,
        block: BLOCK,
        reason: DiscardReason::Interrupted,
    }
}

fn used(first: u128, count: u128) -> Event {
    Event::Used {
        side: Side::Alice,
        scope: "nonces of a key".into(),
        first,
        count,
    }
}

fn replayed(before: u8, after: u8) -> Event {
    Event::Replayed {
        side: Side::Bob,
        before: [before; 32],
        after: [after; 32],
    }
}

fn quarantined() -> Event {
    Event::Quarantined {
        side: Side::Bob,
        reason: "histories differ".into(),
    }
}

/// The invariants that a history broke, in the order in which it showed.
fn broken(history: Vec<Event>) -> Vec<Invariant> {
    check(history).iter().map(|found| found.invariant).collect()
}

#[test]
fn a_life_without_fault_breaks_nothing() {
    let history = vec![
        committed(Side::Alice, 1),
        committed(Side::Bob, 1),
        answered(1),
        fetched(Side::Bob, "one", key(1)),
        // The slave was faster than what its master's answer was written down with.
        fetched(Side::Bob, "one", key(2)),
        fetched(Side::Bob, "two", key(2)),
        answered(2),
        refused(2, Refusal::NotFound),
        fetched(Side::Bob, "two", key(1)),
        stood(standing(1, 1, 1)),
        Event::Restarted { side: Side::Bob },
        Event::Settled {
            alice: standing(1, 1, 1),
            bob: standing(2, 1, 1),
        },
        used(1, 5),
        used(6, 1),
        replayed(1, 1),
    ];
    let mut checker = Checker::new();
    history.into_iter().for_each(|event| checker.see(event));
    checker.close();
    assert_eq!(checker.violations(), []);
    let counts = checker.counts();
    assert_eq!((counts.answered, counts.fetched, counts.burnt), (2, 4, 0));
    assert_eq!((counts.committed, counts.restarts), (2, 1));
}

#[test]
fn each_invariant_is_seen_to_be_broken_by_the_history_that_breaks_it() {
    use Invariant::*;
    let other = |number: u8| SeenKey::new(id(1), &bytes(number));
    let both = |first: Event| vec![first, fetched(Side::Bob, "two", key(1))];
    let shared = SeenKey::new(id(3), &[&bytes(3)[..20], &bytes(1)[7..15]].concat());
    let after_answer = |rest: Vec<Event>| {
        let mut history = vec![
            answered(1),
            fetched(Side::Bob, "one", key(1)),
            fetched(Side::Bob, "two", key(1)),
        ];
        history.extend(rest);
        history
    };
    let cases: Vec<(&str, Vec<Event>, Vec<Invariant>)> = vec![
        (
            "other bytes at the other side",
            vec![
                answered(1),
                fetched(Side::Bob, "one", other(2)),
                fetched(Side::Bob, "two", key(1)),
            ],
            vec![Agreement],
        ),
        (
            "fetched twice",
            after_answer(vec![fetched(Side::Bob, "one", key(1))]),
            vec![SingleUse],
        ),
        (
            "answered twice",
            after_answer(vec![answered(1)]),
            vec![SingleUse],
        ),
        (
            "eight bytes in a row of another key",
            after_answer(vec![Event::Answered {
                owner: Side::Bob,
                slaves: Vec::new(),
                keys: vec![shared],
            }]),
            vec![SingleUse],
        ),
        ("never fetched", both(answered(1)), vec![NothingLost]),
        (
            "refused though answered",
            [
                both(answered(1)),
                vec![refused(1, Refusal::NotFound), refused(1, Refusal::NotFound)],
            ]
            .concat(),
            vec![NothingLost],
        ),
        (
            "refused to the one it was named for",
            [both(answered(1)), vec![refused(1, Refusal::NotNamed)]].concat(),
            vec![NothingLost],
        ),
        (
            "given to a stranger",
            after_answer(vec![fetched(Side::Bob, "three", key(1))]),
            vec![OnlyNamed],
        ),
        (
            "fetched where it was answered",
            vec![
                answered(1),
                fetched(Side::Alice, "one", key(1)),
                fetched(Side::Bob, "two", key(1)),
            ],
            vec![OnlyNamed],
        ),
        (
            "fetched and never answered",
            vec![fetched(Side::Bob, "one", key(1))],
            vec![OnlyNamed],
        ),
        (
            "discarded, then committed",
            vec![discarded(Side::Bob), committed(Side::Bob, 1)],
            vec![OnlyCommitted],
        ),
        (
            "committed here, discarded there",
            vec![committed(Side::Bob, 1), discarded(Side::Alice)],
            vec![OnlyCommitted],
        ),
        (
            "committed twice",
            vec![committed(Side::Bob, 1), committed(Side::Bob, 1)],
            vec![SingleUse],
        ),
        (
            "a smaller account of one commit at Bob",
            vec![committed(Side::Bob, 1), committed(Side::Alice, 2)],
            vec![Agreement],
        ),
        (
            "a number again",
            vec![used(3, 4), used(6, 1)],
            vec![NoRepetition],
        ),
        (
            "a replay with effect",
            vec![replayed(1, 2)],
            vec![ReplaysAreIdle],
        ),
        (
            "fewer commits",
            vec![stood(standing(1, 2, 2)), stood(standing(1, 1, 2))],
            vec![CountsOnlyGrow],
        ),
        (
            "a smaller account than that of a commit",
            vec![committed(Side::Bob, 2), stood(standing(1, 1, 1))],
            vec![CountsOnlyGrow],
        ),
        (
            "the same boot epoch after a restart",
            vec![
                stood(standing(1, 1, 1)),
                Event::Restarted { side: Side::Bob },
                stood(standing(1, 1, 1)),
            ],
            vec![CountsOnlyGrow],
        ),
        (
            "settled with different commits",
            vec![Event::Settled {
                alice: standing(1, 2, 2),
                bob: standing(1, 1, 2),
            }],
            vec![Agreement],
        ),
        (
            "quarantined for nothing",
            vec![quarantined()],
            vec![Agreement],
        ),
    ];
    for (name, history, expected) in cases {
        assert_eq!(broken(history), expected, "{name}");
    }
}

#[test]
fn an_answer_that_was_lost_may_have_burnt_the_key_or_not_but_it_comes_once() {
    let two = || fetched(Side::Bob, "two", key(1));
    let one = || fetched(Side::Bob, "one", key(1));
    for (rest, expected) in [
        (vec![refused(1, Refusal::NotFound)], vec![]),
        (vec![one()], vec![]),
        (vec![], vec![]),
        (vec![one(), one()], vec![Invariant::SingleUse]),
        (
            vec![refused(1, Refusal::NotFound), one()],
            vec![Invariant::SingleUse],
        ),
    ] {
        let mut history = vec![answered(1), two(), refused(1, Refusal::Unavailable)];
        history.push(unanswered(1));
        history.extend(rest);
        assert_eq!(broken(history.clone()), expected, "{history:?}");
    }
}

#[test]
fn what_is_owed_is_told_until_it_is_fetched_or_its_time_is_over() {
    let mut checker = Checker::new();
    checker.see(answered(1));
    checker.see(unanswered(1));
    let owed = |slave: &str, is_certain| Owed {
        owner: Side::Alice,
        key_id: id(1),
        slave: sae(slave),
        is_certain,
    };
    assert_eq!(checker.owed(), [owed("one", false), owed("two", true)]);
    checker.see(fetched(Side::Bob, "one", key(1)));
    assert_eq!(checker.owed(), [owed("two", true)]);
    checker.see(Event::Expired {
        key_ids: vec![id(1)],
    });
    assert_eq!(checker.owed(), []);
    checker.close();
    assert_eq!(checker.violations(), []);
}

#[test]
fn a_restored_disk_may_be_sealed_and_may_have_forgotten() {
    let history = vec![
        stood(standing(5, 9, 9)),
        Event::Tampered { side: Side::Bob },
        stood(standing(2, 3, 3)),
        quarantined(),
    ];
    assert_eq!(broken(history), []);
}

#[test]
fn a_violation_says_what_was_broken_where_and_how() {
    let violations = check([answered(1), answered(1)]);
    assert_eq!(
        violations[0].to_string(),
        format!(
            "I2 (single use), event 2: key {} was answered to a master at alice and again at alice",
            id(1)
        )
    );
}
