use super::*;

/// A train of `span` slots from slot 100 on, with pulses (offset, photons, state).
fn train(span: u32, pulses: &[(u32, u8, State)]) -> PulseTrain {
    PulseTrain {
        start_slot: 100,
        span,
        pulses: pulses
            .iter()
            .map(|&(offset, photons, state)| Pulse {
                offset,
                photons,
                state,
            })
            .collect(),
    }
}

fn port(pulses: &[(u32, u8, State)]) -> EvePort {
    EvePort::new(train(50, pulses), PhysicsRng::from_seed(1))
}

fn content(train: &PulseTrain) -> Vec<(u32, u8, u8)> {
    let pulses = train.pulses.iter();
    pulses
        .map(|p| (p.offset, p.photons, p.state.code()))
        .collect()
}

const Z0: fn() -> State = || State::new(Basis::Z, false);
const X1: fn() -> State = || State::new(Basis::X, true);

#[test]
fn light_that_is_let_go_by_is_unharmed() {
    let pulses = [(3, 1, Z0()), (4, 7, X1()), (49, 2, Z0())];
    let untouched = port(&pulses).finish();
    assert_eq!(content(&untouched), content(&train(50, &pulses)));
    assert_eq!((untouched.start_slot(), untouched.span()), (100, 50));
    let mut eve = port(&pulses);
    let mut seen = Vec::new();
    while let Some(pulse) = eve.next_pulse() {
        seen.push((pulse.slot(), pulse.photons()));
        pulse.forward();
    }
    assert_eq!(seen, [(103, 1), (104, 7), (149, 2)]);
    assert_eq!(content(&eve.finish()), content(&train(50, &pulses)));
}

#[test]
fn a_blocked_a_measured_and_a_dropped_pulse_are_gone() {
    let mut eve = port(&[(1, 1, Z0()), (2, 1, Z0()), (3, 1, Z0()), (4, 1, X1())]);
    eve.next_pulse().expect("first").block();
    let _ = eve.next_pulse().expect("second").measure(Basis::Z);
    drop(eve.next_pulse().expect("third"));
    assert_eq!(content(&eve.finish()), [(4, 1, X1().code())]);
}

#[test]
fn the_own_basis_tells_the_bit_and_the_other_a_coin_for_each_photon() {
    let (mut ones, mut majority) = (0u32, 0u32);
    let mut eve = EvePort::new(
        train(
            40_000,
            &(0..40_000).map(|i| (i, 3, X1())).collect::<Vec<_>>(),
        ),
        PhysicsRng::from_seed(2),
    );
    for i in 0..40_000u32 {
        let pulse = eve.next_pulse().expect("there are 40,000");
        if i % 2 == 0 {
            let seen = pulse.measure(Basis::X);
            assert!(seen.bit && seen.outcomes == [0, 3] && seen.photons == 3);
        } else {
            let seen = pulse.measure(Basis::Z);
            assert_eq!(seen.outcomes[0] + seen.outcomes[1], 3);
            assert_eq!(seen.bit, seen.outcomes[1] >= 2);
            ones += u32::from(seen.outcomes[1]);
            majority += u32::from(seen.bit);
        }
    }
    let sigmas = |hits: u32, trials: f64| (f64::from(hits) - trials / 2.0) / (trials / 4.0).sqrt();
    assert!(sigmas(ones, 60_000.0).abs() < 5.0 && sigmas(majority, 20_000.0).abs() < 5.0);
}

#[test]
fn injected_light_keeps_the_order_and_lets_earlier_light_pass() {
    let mut eve = port(&[(5, 1, Z0()), (10, 1, Z0()), (20, 1, Z0())]);
    eve.inject(107, Basis::X, true, 4).expect("after the first");
    let _ = eve.next_pulse().expect("the second").measure(Basis::X);
    eve.inject(110, Basis::X, true, 1)
        .expect("in the emptied slot");
    eve.inject(149, Basis::X, true, 1)
        .expect("in the last slot");
    let x1 = X1().code();
    let z0 = Z0().code();
    let expected = [
        (5, 1, z0),
        (7, 4, x1),
        (10, 1, x1),
        (20, 1, z0),
        (49, 1, x1),
    ];
    assert_eq!(content(&eve.finish()), expected);
}

#[test]
fn light_cannot_be_injected_into_the_past_into_light_or_outside_the_train() {
    let mut eve = port(&[(5, 1, Z0()), (10, 1, Z0())]);
    eve.next_pulse().expect("the first").forward();
    for (slot, photons, reason) in [
        (99, 1, "not a slot of this train"),
        (150, 1, "not a slot of this train"),
        (u64::MAX, 1, "not a slot of this train"),
        (120, 0, "vacuum"),
        (104, 1, "already been caught"),
        (105, 1, "already left"),
        (110, 1, "not caught"),
    ] {
        let refusal = eve
            .inject(slot, Basis::Z, false, photons)
            .expect_err("impossible");
        assert!(refusal.to_string().contains(reason), "{slot}: {refusal}");
    }
    assert_eq!(content(&eve.finish()).len(), 2);
}
