use qkd_bits::SecretRng;

use super::*;
use crate::{
    FRAME_BYTES, Frame, InwardSlots, Isolation, Monitor, OutputMonitor, PhotonStatistics,
    Reflections, SinglePhoton, Source, SourceEffects, Watchdog,
};

const ADDRESS: FrameAddress = FrameAddress {
    session: 5,
    link: 0,
    epoch: 0,
};

const SPAN: u32 = 10_000;

fn transmitter(segment: f64) -> Transmitter {
    let source = Source {
        clock_hz: 1e6,
        intensities: vec![0.5, 0.1],
        intensity_probabilities: vec![0.5, 0.5],
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    Transmitter::new(source, segment, SecretRng::from_seed([3; 32])).expect("sound")
}

fn open_door() -> AlicesDoor {
    AlicesDoor {
        isolation: Isolation::everywhere(70.0),
        laser_isolation: Isolation::everywhere(60.0),
        seeding_per_photon: 1.0,
        watchdog: Some(Watchdog {
            alarm_photons: 1e5,
            wavelength_max_nm: 1700.0,
        }),
        output_monitor: Some(OutputMonitor { tolerance: 0.05 }),
        ..AlicesDoor::default()
    }
}

fn doorway(door: AlicesDoor, transmitter: &Transmitter) -> Doorway {
    let physics = PhysicsRng::from_seed(8);
    Doorway::new(door, transmitter, ADDRESS, physics).expect("sound")
}

fn frame(address: FrameAddress, slots: Range<u64>, photons: f64) -> [u8; FRAME_BYTES] {
    let at = InwardSlots {
        address,
        start_slot: slots.start,
        span: (slots.end - slots.start) as u32,
    };
    let light = InwardLight {
        wavelength_nm: 1550.0,
        photons,
    };
    InwardFrame::encode(at, &Inward::Light(light), 0)
}

/// Photons that came back with each of so many trains.
fn returned(doorway: &mut Doorway, alice: &mut Transmitter, trains: usize) -> Vec<usize> {
    returned_of(doorway, alice, SPAN, trains)
}

/// The same with trains of another length.
fn returned_of(
    doorway: &mut Doorway,
    alice: &mut Transmitter,
    span: u32,
    trains: usize,
) -> Vec<usize> {
    let train = |_| {
        let mut datagrams = Vec::new();
        let _light = doorway
            .transmit(alice, span, &mut datagrams)
            .expect("sound");
        let mut reflections = Reflections::default();
        for datagram in datagrams.chunks(FRAME_BYTES) {
            let Ok(Frame::Reflected(frame)) = Frame::decode(datagram) else {
                panic!("no reflected light");
            };
            assert_eq!(frame.header().address, ADDRESS);
            reflections.gather(frame.into_light(), usize::MAX);
        }
        reflections.len()
    };
    (0..trains).map(train).collect()
}

#[test]
fn light_shines_in_its_own_slots_and_is_off_afterwards() {
    let mut alice = transmitter(1.0);
    let mut door = doorway(open_door(), &alice);
    // μ_out = 0.1: about 950 of 10,000 slots.
    door.receive(&frame(ADDRESS, 15_000..40_000, 1e6), 0);
    let returned = returned(&mut door, &mut alice, 5);
    let lit: Vec<bool> = returned.iter().map(|&photons| photons > 0).collect();
    assert_eq!(lit, [false, false, true, true, false], "{returned:?}");
    let expected = 10_000.0 * (1.0 - (-0.1f64).exp());
    let off = (returned[2] as f64 - expected) / (expected * 0.905).sqrt();
    assert!(off.abs() < 5.0, "{returned:?}");
    // Of the slots before, in and after the light.
    for (slots, sounds) in [
        (0..20_000, 0),
        (20_000..30_000, 2),
        (30_000..40_000, 2),
        (40_000..50_000, 0),
    ] {
        assert_eq!(door.take_alarms(slots.clone()).len(), sounds, "{slots:?}");
    }
}

#[test]
fn light_loses_in_alices_fibre_on_its_way_in_as_on_its_way_out() {
    let mut alice = transmitter(0.1);
    let mut door = doorway(open_door(), &alice);
    door.receive(&frame(ADDRESS, 0..10_000, 1e7), 0);
    let photons = returned(&mut door, &mut alice, 1)[0];
    let expected = 10_000.0 * (1.0 - (-0.01f64).exp());
    // 1e7 · 0.1 come to the door, 1e6 · 1e-7 · 0.1 leave it: 0.01 a slot.
    assert!(
        (photons as f64 - expected).abs() < 5.0 * expected.sqrt(),
        "{photons}"
    );
    let alarms = door.take_alarms(0..u64::MAX);
    let seen = alarms
        .iter()
        .find(|it| it.monitor == Monitor::BackwardLight);
    assert_eq!(seen.map(|it| it.observed.round()), Some(1e6));
}

#[test]
fn strangers_light_of_other_sessions_and_of_slots_that_are_over_is_nothing() {
    let mut alice = transmitter(1.0);
    let mut door = doorway(open_door(), &alice);
    let foreign = FrameAddress {
        session: 6,
        ..ADDRESS
    };
    door.receive(&frame(foreign, 0..100_000, 1e6), 0);
    door.receive(b"garbage", 0);
    let mut torn = frame(ADDRESS, 0..100_000, 1e6);
    torn[70] ^= 1;
    door.receive(&torn, 0);
    door.receive(&frame(ADDRESS, 0..10_000, 1e6), 10_000);
    assert_eq!(returned(&mut door, &mut alice, 3), [0; 3]);
}

#[test]
fn one_frame_lights_a_second_of_the_clock_at_most_and_comes_back_in_bounded_amounts() {
    let mut alice = transmitter(1.0);
    let mut door = doorway(open_door(), &alice);
    door.receive(&frame(ADDRESS, 0..u64::from(u32::MAX), 1e12), 0);
    // A second of this clock are a million slots; nothing of so much light would leave any of them dark.
    let span = 200_000;
    let returned = returned_of(&mut door, &mut alice, span, 7);
    let mean = f64::from(span) * -(-REFLECTED_MAX / f64::from(span)).exp_m1();
    for &photons in &returned[..5] {
        let off = (photons as f64 - mean) / mean.sqrt();
        assert!(off.abs() < 6.0, "{returned:?}, {mean} on average");
    }
    assert_eq!(returned[5..], [0, 0]);
}

#[test]
fn a_door_through_which_light_would_reach_a_source_that_cannot_be_brighter_is_refused() {
    let single = Source {
        clock_hz: 1e6,
        intensities: vec![0.5],
        intensity_probabilities: vec![1.0],
        key_basis_probability: 0.5,
        effects: SourceEffects {
            photon_statistics: PhotonStatistics::SinglePhoton(SinglePhoton {
                brightness: 0.6,
                second_order_coherence: 0.01,
            }),
            ..Default::default()
        },
    };
    let alice = Transmitter::new(single, 1.0, SecretRng::from_seed([3; 32])).expect("sound");
    let closed = AlicesDoor {
        seeding_per_photon: 0.0,
        ..open_door()
    };
    for (door, is_sound) in [(open_door(), false), (closed, true)] {
        let made = Doorway::new(door, &alice, ADDRESS, PhysicsRng::from_seed(8));
        assert_eq!(made.is_ok(), is_sound);
    }
}

/// The train is as bright as it should be as soon as the light is off.
#[test]
fn a_seeded_laser_is_brighter_while_the_light_is_on() {
    let mut alice = transmitter(1.0);
    let mut door = doorway(open_door(), &alice);
    door.receive(&frame(ADDRESS, 10_000..20_000, 1e6), 0);
    let mut lit = Vec::new();
    for _ in 0..3 {
        let train = door
            .transmit(&mut alice, SPAN, &mut Vec::new())
            .expect("sound");
        lit.push(train.pulses.len() as f64);
    }
    let occupied = |times: f64| {
        let of = |mu: f64| 0.5 * -(-mu * times).exp_m1();
        of(0.5) + of(0.1)
    };
    for (lit, times) in lit.into_iter().zip([1.0, 2.0, 1.0]) {
        let expected = 1e4 * occupied(times);
        let off = (lit - expected) / (expected * (1.0 - occupied(times))).sqrt();
        assert!(off.abs() < 5.0, "{times}: {lit}");
    }
}

#[test]
fn moments_of_a_two_way_system_matter_to_one_alone() {
    let at = InwardSlots {
        address: ADDRESS,
        start_slot: 0,
        span: SPAN,
    };
    for layout in [Layout::OneWay, Layout::TwoWay] {
        let mut alice = transmitter(1.0);
        let door = AlicesDoor {
            layout,
            ..open_door()
        };
        let mut door = doorway(door, &alice);
        door.receive(&InwardFrame::encode(at, &Inward::TwoWay { step: 2 }, 0), 0);
        let train = door
            .transmit(&mut alice, SPAN, &mut Vec::new())
            .expect("sound");
        assert_eq!(train.extras.crafted, layout == Layout::TwoWay);
        assert!(door.take_alarms(0..u64::MAX).is_empty());
    }
}

#[test]
fn a_closed_door_lets_nothing_in_and_nothing_out() {
    let mut alice = transmitter(1.0);
    let mut door = doorway(AlicesDoor::default(), &alice);
    assert!(!door.matters());
    door.receive(&frame(ADDRESS, 0..100_000, 1e12), 0);
    assert_eq!(returned(&mut door, &mut alice, 3), [0; 3]);
    assert!(door.take_alarms(0..u64::MAX).is_empty());
}
