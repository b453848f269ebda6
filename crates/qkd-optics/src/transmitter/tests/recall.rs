//! What Alice remembers, and how it is asked for.

use super::*;

/// Basis, bit and whether it is a decoy, for comparison.
fn plain(choice: Choice) -> (Basis, bool, bool) {
    (choice.basis, choice.bit, choice.intensity.0 > 0)
}

/// Short trains, long trains, one that holds no light, and what was sent in them.
fn sent(eta: f64) -> (Transmitter, Vec<(u64, State)>) {
    let mut alice = transmitter(eta, 21);
    let mut light = Vec::new();
    for span in [300, 1, 1, 50_000, 2, 7_000, 1, 1, 1, 20_000] {
        let train = alice.transmit(span);
        let slots = train.pulses.iter();
        light.extend(slots.map(|pulse| (train.start_slot + u64::from(pulse.offset), pulse.state)));
    }
    (alice, light)
}

#[test]
fn many_slots_are_recalled_as_one_at_a_time() {
    for eta in [1.0, 0.1, 0.005] {
        let (alice, light) = sent(eta);
        let mut slots: Vec<u64> = light.iter().map(|&(slot, _)| slot).collect();
        // Some slots without light among them.
        slots.extend((0..alice.next_slot()).step_by(37));
        slots.sort_unstable();
        slots.dedup();
        let one_by_one = slots
            .iter()
            .map(|&slot| alice.choice_at(slot).expect("known"));
        let one_by_one: Vec<_> = one_by_one.map(plain).collect();
        let at_once = alice.recall(&slot_list(&slots)).expect("known");
        assert_eq!(at_once.len(), slots.len());
        assert_eq!(at_once.iter().map(plain).collect::<Vec<_>>(), one_by_one);
    }
}

#[test]
fn what_is_recalled_is_what_was_sent() {
    let (alice, light) = sent(0.2);
    let slots: Vec<u64> = light.iter().map(|&(slot, _)| slot).collect();
    let choices = alice.recall(&slot_list(&slots)).expect("known");
    assert!(
        choices
            .iter()
            .zip(&light)
            .all(|(choice, (_, state))| State::new(choice.basis, choice.bit) == *state)
    );
    assert!(light.len() > 5_000);
}

#[test]
fn one_slot_out_of_reach_spoils_the_recall_before_its_first_answer() {
    let (mut alice, _) = sent(0.2);
    alice.forget_before(1_000);
    let failed = |slots: &[u64]| alice.recall(&slot_list(slots)).err();
    assert_eq!(failed(&[1_000, 1_001]), None);
    assert_eq!(failed(&[]), None);
    let forgotten = Error::Forgotten {
        slot: 999,
        kept_from: 1_000,
    };
    assert_eq!(failed(&[999, 1_000, 2_000]), Some(forgotten));
    assert!(matches!(
        failed(&[1_000, u64::MAX - 1]),
        Some(Error::NotYetSent { .. })
    ));
}

/// A run holds its offsets in 27 bits: longer trains are several runs.
#[test]
fn a_train_longer_than_a_run_is_remembered_as_a_whole() {
    let mut alice = transmitter(1e-5, 22);
    let train = alice.transmit(3 * RUN_SLOTS_MAX + 5);
    let slots: Vec<u64> = train
        .pulses
        .iter()
        .map(|pulse| pulse.offset.into())
        .collect();
    assert!(slots.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(slots.last() > Some(&u64::from(2 * RUN_SLOTS_MAX)));
    let choices = alice.recall(&slot_list(&slots)).expect("known");
    let same =
        |(choice, pulse): (Choice, &Pulse)| State::new(choice.basis, choice.bit) == pulse.state;
    assert!(choices.iter().zip(&train.pulses).all(same));
}

#[test]
fn memory_that_is_forgotten_is_used_again() {
    let mut alice = transmitter(0.3, 23);
    for _ in 0..50 {
        for _ in 0..4 {
            let _ = alice.transmit(2_000);
        }
        alice.forget_before(alice.next_slot());
        assert_eq!(alice.record.spares(), 4);
    }
}
