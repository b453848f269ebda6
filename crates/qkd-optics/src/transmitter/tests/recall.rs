//! What Alice remembers, and how it is asked for.

use super::*;

/// Basis, bit and intensity, for comparison.
fn plain(choice: Choice) -> (Basis, bool, u8) {
    (choice.basis, choice.bit, choice.intensity.0)
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
fn many_slots_are_recalled_as_one_at_a_time_in_any_order() {
    for eta in [1.0, 0.1, 0.005] {
        let (alice, light) = sent(eta);
        let mut slots: Vec<u64> = light.iter().map(|&(slot, _)| slot).collect();
        // Some slots without light among them, some twice.
        slots.extend((0..alice.next_slot()).step_by(37));
        slots.sort_unstable();
        let one_by_one = |slots: &[u64]| {
            let choices = slots
                .iter()
                .map(|&slot| alice.choice_at(slot).expect("known"));
            choices.map(plain).collect::<Vec<_>>()
        };
        let at_once = |slots: &[u64]| {
            let choices = alice.choices_at(slots).expect("known");
            assert_eq!(choices.len(), slots.len());
            choices.map(plain).collect::<Vec<_>>()
        };
        assert_eq!(at_once(&slots), one_by_one(&slots));
        slots.reverse();
        assert_eq!(at_once(&slots), one_by_one(&slots));
        let mut rng = qkd_bits::PhysicsRng::from_seed(1);
        for i in (1..slots.len()).rev() {
            slots.swap(i, rng.below(i as u64 + 1) as usize);
        }
        assert_eq!(at_once(&slots), one_by_one(&slots));
    }
}

#[test]
fn what_is_recalled_is_what_was_sent() {
    let (alice, light) = sent(0.2);
    let slots: Vec<u64> = light.iter().map(|&(slot, _)| slot).collect();
    let choices = alice.choices_at(&slots).expect("known");
    assert!(
        choices
            .zip(&light)
            .all(|(choice, (_, state))| State::new(choice.basis, choice.bit) == *state)
    );
    assert!(light.len() > 5_000);
}

#[test]
fn one_slot_out_of_reach_spoils_the_recall_before_its_first_answer() {
    let (mut alice, _) = sent(0.2);
    alice.forget_before(1_000);
    let failed = |slots: &[u64]| alice.choices_at(slots).map(|choices| choices.len()).err();
    assert_eq!(failed(&[1_000, 1_001]), None);
    assert_eq!(failed(&[]), None);
    let forgotten = Error::Forgotten {
        slot: 999,
        kept_from: 1_000,
    };
    assert_eq!(failed(&[1_000, 999, 2_000]), Some(forgotten));
    assert!(matches!(
        failed(&[1_000, u64::MAX]),
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
    let choices = alice.choices_at(&slots).expect("known");
    let same =
        |(choice, pulse): (Choice, &Pulse)| State::new(choice.basis, choice.bit) == pulse.state;
    assert!(choices.zip(&train.pulses).all(same));
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
