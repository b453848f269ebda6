use super::*;
use crate::light::State;

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
                crafted: [0; 2],
            })
            .collect(),
        extras: Default::default(),
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

#[test]
fn measured_halfway_between_the_bases_every_state_says_its_bit_in_85_percent() {
    let pulses: Vec<_> = (0..40_000)
        .map(|i| (i, 1, State::from_code(i as u8)))
        .collect();
    let mut eve = EvePort::new(train(40_000, &pulses), PhysicsRng::from_seed(3));
    let mut right = 0u32;
    for (_, _, state) in &pulses {
        let pulse = eve.next_pulse().expect("there are 40,000");
        right += u32::from(pulse.measure_along(Direction::BREIDBART).bit == state.bit());
    }
    let expected = 40_000.0 * 0.853_553_390_593;
    let off = (f64::from(right) - expected) / (expected * 0.146_446_609_407).sqrt();
    assert!(off.abs() < 5.0, "{right} of 40,000 is {off:.2} sigma off");
}

#[test]
fn kept_photons_say_the_bit_in_the_basis_of_the_pulse_and_leave_the_rest_unharmed() {
    let mut eve = port(&[(1, 3, X1()), (2, 1, X1()), (3, 2, Z0())]);
    let mut pulse = eve.next_pulse().expect("first");
    assert!(pulse.split_off(3).is_none() && pulse.split_off(0).is_none());
    let kept = pulse.split_off(2).expect("one is left");
    assert_eq!((kept.slot(), kept.photons(), pulse.photons()), (101, 2, 1));
    pulse.forward();
    assert!(eve.next_pulse().expect("second").split_off(1).is_none());
    let all = eve.next_pulse().expect("third").keep();
    assert_eq!(all.photons(), 2);
    let mut physics = PhysicsRng::from_seed(4);
    assert!(kept.measure(Basis::X, &mut physics) && !all.measure(Basis::Z, &mut physics));
    assert_eq!(content(&eve.finish()), [(1, 1, X1().code())]);
}

/// 0 for one and two photons, 1/2 for three and four, 3/4 for five.
#[test]
fn states_of_three_photons_or_more_are_now_and_then_told_apart_and_never_wrongly() {
    for (photons, expected) in [(1, 0.0), (2, 0.0), (3, 0.5), (4, 0.5), (5, 0.75)] {
        let pulses: Vec<_> = (0..4_000)
            .map(|i| (i, photons, State::from_code(i as u8)))
            .collect();
        let mut eve = EvePort::new(train(4_000, &pulses), PhysicsRng::from_seed(5));
        let mut told = 0u32;
        for (_, _, state) in &pulses {
            if let Some(said) = eve.next_pulse().expect("there").discriminate() {
                told += 1;
                assert_eq!(said, (state.basis(), state.bit()));
            }
        }
        let off = f64::from(told) - 4_000.0 * expected;
        let sigma = (4_000.0 * expected * (1.0 - expected)).sqrt();
        assert!(
            off.abs() <= 5.0 * sigma,
            "{photons} photons: {told} of 4,000"
        );
    }
}

#[test]
fn delayed_bright_and_steady_light_leaves_as_it_was_made_and_passes_glass_and_frames() {
    let mut eve = port(&[(1, 3, X1()), (2, 1, Z0())]);
    let delayed = eve.next_pulse().expect("first").forward_later(-350.0);
    assert_eq!(delayed, Ok(()));
    let bright = CraftedPulse {
        direction: Direction::BREIDBART,
        photons: 100_000,
        arrival_ps: 20.0,
    };
    eve.inject_crafted(110, &bright).expect("an empty slot");
    assert!(eve.inject_crafted(150, &bright).is_err(), "outside");
    eve.illuminate(2.5e6).expect("possible");
    assert!(eve.illuminate(-1.0).is_err() && eve.illuminate(f64::NAN).is_err());
    let mut glass = crate::Fibre::new(0.5).expect("in range");
    let light = glass.carry(eve.finish(), &mut PhysicsRng::from_seed(6));
    assert_eq!(light.extras.illumination_photons, 1.25e6);
    let last = light.pulses.last().expect("it is bright").description();
    assert_eq!((last.direction, last.arrival_ps), (bright.direction, 20.0));
    assert!((last.photons as f64 / 50_000.0 - 1.0).abs() < 0.01);
    let photons: Vec<u64> = light.pulses.iter().map(Pulse::quanta).collect();

    let address = crate::FrameAddress {
        session: 1,
        link: 2,
        epoch: 3,
    };
    let density = crate::LightDensity {
        occupied_probability: 0.1,
        few_photons_probability: 0.0,
        many_photons_probability: 0.0,
    };
    let shape = crate::FrameShape::for_density(address, density, 50).expect("possible");
    let mut datagram = Vec::new();
    let sent = crate::FrameEncoder::new(shape).encode(light, &mut datagram);
    assert_eq!(sent, Ok(1));
    let frame = crate::PulseFrame::decode(&datagram).expect("a frame");
    assert_eq!(frame.header().slots(), 100..150);
    let read = frame.into_light();
    assert!(read.extras.crafted);
    assert_eq!(read.extras.illumination_photons, 1.25e6);
    assert_eq!(
        read.pulses.iter().map(Pulse::quanta).collect::<Vec<_>>(),
        photons
    );
    assert_eq!(read.pulses.last().expect("as before").description(), last);
}

#[test]
fn a_cut_fibre_lets_nothing_pass() {
    let mut eve = port(&[(1, 3, X1()), (2, 1, Z0())]);
    eve.next_pulse().expect("first").forward();
    eve.stop();
    assert_eq!(content(&eve.finish()), [(1, 3, X1().code())]);
}
