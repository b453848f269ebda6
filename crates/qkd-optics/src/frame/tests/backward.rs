//! Frames of light through Alice's door: there is one way to write each, and nothing else passes.

use proptest::prelude::*;

use super::*;
use crate::{InwardLight, Reflections};

const AT: InwardSlots = InwardSlots {
    address: ADDRESS,
    start_slot: 77,
    span: 5_000,
};

const LIGHT: Inward = Inward::Light(InwardLight {
    wavelength_nm: 1536.0,
    photons: 1e6,
});

fn inward(datagram: &[u8]) -> Result<InwardFrame, FrameError> {
    match Frame::decode(datagram)? {
        Frame::Inward(frame) => Ok(frame),
        Frame::Pulses(_) | Frame::Reflected(_) => panic!("no inward light"),
    }
}

fn reflections(slots: &[u64]) -> Reflections {
    let mut reflections = Reflections::default();
    for &slot in slots {
        let state = (slot % 4) as u8;
        reflections.gather(train(slot, 1, &[(0, 1, state)]), usize::MAX);
    }
    reflections
}

/// The reflected frames of light in these slots, of `within`.
fn reflected(slots: &[u64], within: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = FrameEncoder::new(shape(SIXTEEN, 1));
    let count = encoder.encode_reflected(reflections(slots), within, &mut bytes);
    assert_eq!(bytes.len(), count * FRAME_BYTES);
    bytes
}

fn seen(light: &PulseTrain) -> Vec<(u64, u8)> {
    let pulses = light.pulses.iter();
    let at = |pulse: &Pulse| light.start_slot + u64::from(pulse.offset);
    pulses
        .map(|pulse| (at(pulse), pulse.state.code()))
        .collect()
}

#[test]
fn inward_light_arrives_as_it_was_sent_and_is_no_pulse() {
    for sent in [
        LIGHT,
        Inward::TwoWay { step: 1 },
        Inward::TwoWay { step: 4 },
    ] {
        let datagram = InwardFrame::encode(AT, &sent, 9);
        let frame = inward(&datagram).expect("a frame");
        assert_eq!(frame.inward(), sent);
        let header = frame.header();
        assert_eq!((header.address, header.slots()), (ADDRESS, 77..5_077));
        assert_eq!(header.sequence, 9);
        let kind = FrameError::Kind(datagram[4]);
        assert_eq!(PulseFrame::decode(&datagram).map(|_| ()), Err(kind));
    }
}

#[test]
fn every_impossible_field_of_inward_light_is_refused_under_a_valid_checksum() {
    type Spoil = fn(&mut [u8]);
    let outside = |photons, wavelength_nm| FrameError::Inward {
        wavelength_nm,
        photons,
    };
    let cases: [(Inward, FrameError, Spoil); 9] = [
        (LIGHT, FrameError::PayloadLength(15), |f| {
            f[40] = 15;
            f[79] = 0;
        }),
        (LIGHT, FrameError::PayloadLength(17), |f| f[40] = 17),
        (LIGHT, FrameError::WordBits(16), |f| f[5] = 16),
        (LIGHT, FrameError::Padding(50), |f| f[50] = 1),
        (LIGHT, FrameError::Padding(81), |f| f[81] = 1),
        (LIGHT, outside(2e12, 1536.0), |f| {
            f[72..80].copy_from_slice(&2e12f64.to_le_bytes());
        }),
        (LIGHT, outside(1e6, 1.0), |f| {
            f[64..72].copy_from_slice(&1f64.to_le_bytes());
        }),
        (Inward::TwoWay { step: 2 }, FrameError::Step(5), |f| {
            f[64] = 5
        }),
        (Inward::TwoWay { step: 2 }, FrameError::Step(0), |f| {
            f[64] = 0
        }),
    ];
    for (sent, expected, spoil) in cases {
        let mut datagram = InwardFrame::encode(AT, &sent, 0);
        spoil(&mut datagram);
        seal(&mut datagram);
        assert_eq!(inward(&datagram).map(|_| ()), Err(expected));
    }
    // NaN is no light, and unlike itself.
    let mut datagram = InwardFrame::encode(AT, &LIGHT, 0);
    datagram[72..80].copy_from_slice(&f64::NAN.to_le_bytes());
    seal(&mut datagram);
    assert!(matches!(inward(&datagram), Err(FrameError::Inward { .. })));
}

#[test]
fn reflected_light_arrives_in_its_slots_and_states_and_what_is_none_makes_no_frame() {
    let slots: Vec<u64> = (0..5_000).map(|i| 1_000 + 7 * i).collect();
    let bytes = reflected(&slots, 900..40_000);
    let mut arrived = Reflections::default();
    for datagram in bytes.chunks(FRAME_BYTES) {
        let Ok(Frame::Reflected(frame)) = Frame::decode(datagram) else {
            panic!("no reflected light");
        };
        assert!(frame.slots().start >= 900 && frame.slots().end <= 40_000);
        arrived.gather(frame.into_light(), usize::MAX);
    }
    assert_eq!(arrived.len(), slots.len());
    let early = arrived.take(&(0..1_700));
    assert_eq!((early.len(), arrived.len()), (100, 4_900));
    let expected = |slots: &[u64]| -> Vec<(u64, u8)> {
        slots.iter().map(|&slot| (slot, (slot % 4) as u8)).collect()
    };
    assert_eq!(
        seen(&early.into_light(900..40_000)),
        expected(&slots[..100])
    );
    // Light of other slots than the train's is not in it.
    assert_eq!(
        seen(&arrived.into_light(1_707..1_721)),
        expected(&[1_707, 1_714])
    );
    assert!(reflected(&[], 0..10).is_empty());
}

#[test]
fn a_memory_that_is_full_keeps_what_it_has_and_repeated_light_is_lost() {
    let mut memory = reflections(&[3, 5]);
    memory.gather(
        train(0, 10, &[(4, 1, 0), (5, 1, 0), (8, 1, 0), (9, 1, 0)]),
        3,
    );
    assert_eq!(seen(&memory.into_light(0..10)), [(3, 3), (4, 0), (5, 1)]);
}

#[test]
fn light_that_comes_out_of_order_lies_in_order_and_each_train_takes_its_own() {
    let mut memory = reflections(&[20, 25]);
    memory.gather(train(u64::MAX - 9, 10, &[(3, 1, 0)]), usize::MAX);
    memory.gather(
        train(10, 20, &[(1, 1, 1), (10, 1, 0), (12, 1, 2), (19, 1, 3)]),
        usize::MAX,
    );
    memory.gather(train(0, 10, &[(7, 1, 3)]), usize::MAX);
    assert_eq!(memory.len(), 7);
    let taken = memory.take(&(11..25));
    assert_eq!(seen(&taken.into_light(0..100)), [(11, 1), (20, 0), (22, 2)]);
    memory.forget_before(10);
    assert_eq!(seen(&memory.into_light(0..100)), [(25, 1), (29, 3)]);
}

/// Bob's filter: what is not his light is counted, and is neither light nor garbage.
#[test]
fn light_through_alices_door_never_reaches_the_detectors() {
    let mut order = FrameOrder::new(ADDRESS, OrderLimits::default(), 0);
    let inward = InwardFrame::encode(AT, &LIGHT, 0);
    let reflected = reflected(&[80, 90], 77..100);
    for datagram in [&inward[..], &reflected] {
        assert!(order.receive(0, datagram).is_err());
    }
    assert!(order.release(u64::MAX).is_empty());
    let counters = order.counters();
    assert_eq!((counters.filtered, counters.corrupt), (2, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_mutant_of_light_through_the_door_passes_for_what_cannot_be(
        which in 0usize..3,
        flips in prop::collection::vec((0usize..100, any::<u8>()), 1..4),
        sealed in any::<bool>(),
    ) {
        let mut datagram = match which {
            0 => InwardFrame::encode(AT, &LIGHT, 3).to_vec(),
            1 => InwardFrame::encode(AT, &Inward::TwoWay { step: 2 }, 3).to_vec(),
            _ => reflected(&[80, 81, 99], 77..100),
        };
        let original = datagram.clone();
        for (at, byte) in flips {
            datagram[at] = byte;
        }
        if sealed {
            seal(&mut datagram);
        }
        match Frame::decode(&datagram) {
            Err(_) => {}
            Ok(_) if !sealed => prop_assert_eq!(datagram, original),
            Ok(Frame::Inward(frame)) => {
                let header = frame.header();
                let at = InwardSlots {
                    address: header.address,
                    start_slot: header.start_slot,
                    span: header.span,
                };
                if let Inward::Light(light) = frame.inward() {
                    prop_assert!(light.check().is_ok());
                }
                let again = InwardFrame::encode(at, &frame.inward(), header.sequence);
                prop_assert_eq!(&again[..], &datagram[..]);
            }
            Ok(Frame::Reflected(frame)) => {
                let slots = frame.slots();
                let light = frame.into_light();
                prop_assert!(light.pulses.windows(2).all(|w| w[0].offset < w[1].offset));
                let within = |p: &Pulse| slots.contains(&(slots.start + u64::from(p.offset)));
                prop_assert!(light.pulses.iter().all(|p| p.photons > 0 && within(p)));
            }
            Ok(Frame::Pulses(_)) => {}
        }
    }
}
