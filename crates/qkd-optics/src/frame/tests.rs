use proptest::prelude::*;

use super::*;
use crate::light::{Pulse, State};
use crate::{
    Detection, Detectors, Error, Fibre, FrameError, PulseTrain, Receiver, Source, Transmitter,
};
use qkd_bits::{PhysicsRng, SecretRng};

const ADDRESS: FrameAddress = FrameAddress {
    session: 0x0123_4567_89ab_cdef,
    link: 7,
    epoch: 42,
};

fn shape(word_bits: WordBits, span: u32) -> FrameShape {
    FrameShape {
        session: ADDRESS.session,
        link: ADDRESS.link,
        epoch: ADDRESS.epoch,
        word_bits,
        span,
    }
}

fn train(start_slot: u64, span: u32, pulses: &[(u32, u8, u8)]) -> PulseTrain {
    let pulses = pulses.iter().map(|&(offset, photons, state)| Pulse {
        offset,
        photons,
        state: State::from_code(state),
    });
    PulseTrain {
        start_slot,
        span,
        pulses: pulses.collect(),
    }
}

fn encoded(word_bits: WordBits, train: PulseTrain) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = FrameEncoder::new(shape(word_bits, train.span))
        .encode(train, &mut bytes)
        .expect("fits");
    assert_eq!(bytes.len(), count * FRAME_BYTES);
    bytes
}

/// Absolute slot, photons and state of every pulse, fragments in a row.
fn decoded(bytes: &[u8]) -> Result<Vec<(u64, u8, u8)>, FrameError> {
    let mut pulses = Vec::new();
    for datagram in bytes.chunks(FRAME_BYTES) {
        let light = PulseFrame::decode(datagram)?.into_light();
        let slots = light.pulses.iter().map(|pulse| {
            let slot = light.start_slot + u64::from(pulse.offset);
            (slot, pulse.photons, pulse.state.code())
        });
        pulses.extend(slots);
    }
    Ok(pulses)
}

fn seal(frame: &mut [u8]) {
    let checksum = codec::checksum(frame);
    frame[60..64].copy_from_slice(&checksum.to_le_bytes());
}

fn any_width() -> impl Strategy<Value = WordBits> {
    prop_oneof![
        Just(WordBits::Eight),
        Just(WordBits::Sixteen),
        Just(WordBits::ThirtyTwo)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn light_survives_the_frame_at_every_width_and_density(
        word_bits in any_width(),
        start in 0u64..1 << 60,
        gaps in prop::collection::vec((0u32..40, 1u8..=255, 0u8..4), 0..3_000),
        scale in 0u32..3,
    ) {
        let mut offset = 0;
        let pulses: Vec<(u32, u8, u8)> = gaps.iter().map(|&(gap, photons, state)| {
            offset += gap << (4 * scale);
            let pulse = (offset, photons.min(photons % 7 + 1), state);
            offset += 1;
            pulse
        }).collect();
        let bytes = encoded(word_bits, train(start, offset + 3, &pulses));
        let expected: Vec<(u64, u8, u8)> =
            pulses.iter().map(|&(o, n, s)| (start + u64::from(o), n, s)).collect();
        prop_assert_eq!(decoded(&bytes), Ok(expected));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(mut bytes in prop::collection::vec(any::<u8>(), FRAME_BYTES)) {
        prop_assert!(PulseFrame::decode(&bytes).is_err());
        // A stranger can compute checksums too.
        let width = [8, 16, 32][usize::from(bytes[6]) % 3];
        bytes[0..6].copy_from_slice(&[b'Q', b'P', b'F', b'1', 0, width]);
        bytes[40..60].fill(0);
        bytes[44] = 1;
        let length = u16::from(bytes[41]) * 4;
        bytes[40..42].copy_from_slice(&length.to_le_bytes());
        for byte in &mut bytes[(HEADER_BYTES + usize::from(length)).min(FRAME_BYTES)..] {
            *byte = 0;
        }
        seal(&mut bytes);
        if let Ok(frame) = PulseFrame::decode(&bytes) {
            let light = frame.into_light();
            prop_assert!(light.pulses.windows(2).all(|w| w[0].offset < w[1].offset));
            prop_assert!(light.pulses.iter().all(|p| p.offset < light.span && p.photons > 0));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed(bit in 0usize..FRAME_BYTES * 8) {
        let mut bytes = encoded(WordBits::Sixteen, train(9, 5_000, &[(4, 1, 2), (90, 9, 3)]));
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(PulseFrame::decode(&bytes).is_err());
    }
}

#[test]
fn every_other_length_is_refused() {
    let mut bytes = encoded(WordBits::Eight, train(1, 100, &[(3, 1, 1)]));
    bytes.push(0);
    for length in 0..=bytes.len() {
        let result = PulseFrame::decode(&bytes[..length]).map(|_| ());
        if length == FRAME_BYTES {
            assert_eq!(result, Ok(()));
        } else {
            assert_eq!(result, Err(FrameError::Length(length)));
        }
    }
}

/// The documented bytes: one pulse of one photon in state X1 (code 3) at slot offset 5.
#[test]
fn the_layout_is_the_documented_one() {
    let mut encoder = FrameEncoder::new(shape(WordBits::Sixteen, 300));
    let mut bytes = Vec::new();
    for _ in 0..2 {
        bytes.clear();
        let pulses = [(5, 1, 3), (6, 5, 0)];
        encoder
            .encode(train(0x1122, 300, &pulses), &mut bytes)
            .expect("fits");
    }
    assert_eq!(&bytes[0..8], b"QPF1\x00\x10\x07\x00");
    assert_eq!(
        &bytes[8..16],
        &[0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]
    );
    assert_eq!(&bytes[16..24], &[0x22, 0x11, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&bytes[24..32], &[0x2c, 0x01, 0, 0, 42, 0, 0, 0]);
    assert_eq!(&bytes[32..46], &[1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 0]);
    assert_eq!(&bytes[64..72], &[0x5c, 0, 0x03, 0, 5, 0, 0, 0]);
    assert!(bytes[72..].iter().all(|&byte| byte == 0));
    assert_eq!(encoder.sequence(), 2);
}

#[test]
fn a_frame_without_light_has_the_size_of_any_other() {
    assert_eq!(
        encoded(WordBits::ThirtyTwo, train(0, 1 << 29, &[])).len(),
        FRAME_BYTES
    );
    let last = (1 << 29) - 1;
    let bytes = encoded(WordBits::ThirtyTwo, train(0, 1 << 29, &[(last, 1, 0)]));
    assert_eq!(decoded(&bytes), Ok(vec![(u64::from(last), 1, 0)]));
}

#[test]
fn too_much_light_is_cut_into_fragments_that_stand_alone() {
    let span = 10_007;
    let pulses: Vec<(u32, u8, u8)> = (0..span).map(|i| (i, 1 + (i % 5) as u8, 1)).collect();
    let bytes = encoded(WordBits::Eight, train(50, span, &pulses));
    let mut next = 50;
    for (i, datagram) in bytes.chunks(FRAME_BYTES).enumerate() {
        let frame = PulseFrame::decode(datagram).expect("valid");
        let header = *frame.header();
        assert_eq!(
            (header.start_slot, header.span, usize::from(header.fragment)),
            (50, span, i)
        );
        assert_eq!(header.slots().start, next);
        next = header.slots().end;
        let light = frame.into_light();
        assert_eq!(
            (light.start_slot(), light.end_slot()),
            (header.slots().start, next)
        );
        assert_eq!(light.pulses.len() as u32, light.span());
    }
    assert_eq!(
        (next, bytes.len() / FRAME_BYTES),
        (50 + u64::from(span), 16)
    );
}

#[test]
fn a_train_of_another_span_is_refused_and_nothing_is_written() {
    let mut bytes = vec![1];
    let mut encoder = FrameEncoder::new(shape(WordBits::Eight, 100));
    assert_eq!(
        encoder.encode(train(0, 99, &[]), &mut bytes),
        Err(Error::WrongSpan {
            span: 99,
            expected: 100
        })
    );
    assert_eq!((bytes, encoder.sequence()), (vec![1], 0));
}

/// A forger knows how to compute a checksum.
#[test]
fn every_impossible_field_is_refused_under_a_valid_checksum() {
    let good = || encoded(WordBits::Eight, train(0, 1_000, &[(3, 1, 1)]));
    type Spoil = fn(&mut [u8]);
    let cases: [(FrameError, Spoil); 15] = [
        (FrameError::Magic(*b"QPF2"), |f| f[3] = b'2'),
        (FrameError::Kind(1), |f| f[4] = 1),
        (FrameError::WordBits(0), |f| f[5] = 0),
        (FrameError::WordBits(64), |f| f[5] = 64),
        (FrameError::Padding(46), |f| f[46] = 1),
        (FrameError::Padding(59), |f| f[59] = 1),
        (FrameError::Padding(1407), |f| f[1407] = 1),
        (
            FrameError::Slots {
                start_slot: 0,
                span: 0,
            },
            |f| f[24..28].fill(0),
        ),
        (
            FrameError::Slots {
                start_slot: u64::MAX,
                span: 1_000,
            },
            |f| f[16..24].fill(0xff),
        ),
        (
            FrameError::Fragment {
                fragment: 0,
                fragments: 0,
            },
            |f| f[44] = 0,
        ),
        (
            FrameError::Fragment {
                fragment: 1,
                fragments: 1,
            },
            |f| f[42] = 1,
        ),
        (FrameError::PayloadLength(1345), |f| {
            f[40..42].copy_from_slice(&1345u16.to_le_bytes());
        }),
        // The fourth photon code without its extension word.
        (FrameError::Word(1), |f| f[64] |= 3),
        (FrameError::OutsideSpan(0), |f| {
            f[24..28].copy_from_slice(&[3, 0, 0, 0])
        }),
        (FrameError::PayloadLength(1), |f| f[5] = 16),
    ];
    for (expected, spoil) in cases {
        let mut frame = good();
        spoil(&mut frame);
        seal(&mut frame);
        assert_eq!(PulseFrame::decode(&frame).map(|_| ()), Err(expected));
    }
    let words = |words: &[u8]| {
        let mut frame = good();
        frame[64..64 + words.len()].copy_from_slice(words);
        frame[40] = words.len() as u8;
        seal(&mut frame);
        PulseFrame::decode(&frame).map(|frame| frame.into_light().pulses.len())
    };
    assert_eq!(words(&[0xf0, 0x00]), Ok(1));
    assert_eq!(
        words(&[0xf1]),
        Err(FrameError::Word(0)),
        "an advance with an event in it"
    );
    assert_eq!(
        words(&[0x03, 0x03]),
        Err(FrameError::Word(1)),
        "three photons need no extension"
    );
    assert_eq!(words(&[0x03, 0x04]), Ok(1));
}

#[test]
fn shapes_hold_their_light_and_no_more() {
    for (p, width) in [
        (0.4, WordBits::Eight),
        (0.06, WordBits::Eight),
        (0.02, WordBits::Sixteen),
        (5e-4, WordBits::Sixteen),
        (1e-5, WordBits::ThirtyTwo),
        (1e-7, WordBits::ThirtyTwo),
    ] {
        let shape = FrameShape::for_density(ADDRESS, p, u32::MAX).expect("a probability");
        assert_eq!(shape.word_bits, width, "at {p}");
        assert!(shape.span <= 1_000_000_000);
        let words = f64::from(shape.span) * p;
        let words_max = (PAYLOAD_BYTES / (width.bits() as usize / 8)) as f64;
        assert!(
            words + 10.0 * words.sqrt() < words_max + 1e-6,
            "{p}: {words} of {words_max}"
        );
        assert!(
            words > 0.3 * words_max || shape.span == 1_000_000_000,
            "{p}: {words}"
        );
    }
    for p in [0.0, 1.0] {
        let shape = FrameShape::for_density(ADDRESS, p, 5_000).expect("a probability");
        assert!((1..=5_000).contains(&shape.span));
        assert_eq!(shape.address(), ADDRESS);
    }
    assert!(FrameShape::for_density(ADDRESS, 1.1, 10).is_err());
    assert!(FrameShape::for_density(ADDRESS, 0.1, 0).is_err());
}

fn alice(seed: u8) -> Transmitter {
    let source = Source {
        clock_hz: 1e9,
        intensities: vec![0.5, 0.1],
        intensity_probabilities: vec![0.5, 0.5],
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    Transmitter::new(source, 0.1, SecretRng::from_seed([seed; 32])).expect("valid source")
}

const DARK: f64 = 2e-4;

fn bob(dead_time_slots: u64) -> Receiver {
    let detectors = Detectors {
        detector_efficiency: 0.8,
        dark_count_probability: DARK,
        dead_time_slots,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.01,
        insertion_transmittance: 1.0,
        key_basis_probability: 0.5,
        effects: Default::default(),
    };
    let secret = SecretRng::from_seed([99; 32]);
    Receiver::new(detectors, secret, PhysicsRng::from_seed(98)).expect("valid detectors")
}

/// One datagram for each train.
fn send(alice: &mut Transmitter, frames: usize) -> (Vec<u8>, u32) {
    let p = alice.occupied_probability();
    let shape = FrameShape::for_density(ADDRESS, p, u32::MAX).expect("valid");
    let mut encoder = FrameEncoder::new(shape);
    let mut bytes = Vec::new();
    for _ in 0..frames {
        let light = alice.transmit(shape.span);
        assert_eq!(
            encoder.encode(light, &mut bytes),
            Ok(1),
            "honest light was cut"
        );
    }
    (bytes, shape.span)
}

fn receive<'a>(datagrams: impl Iterator<Item = &'a [u8]>, slots: u64) -> Vec<Detection> {
    let (mut bob, mut clicks) = (bob(3), Vec::new());
    let mut order = FrameOrder::new(ADDRESS, OrderLimits::default(), 0);
    for datagram in datagrams {
        let _ = order.receive(0, datagram);
        for frame in order.release(0) {
            bob.detect(frame.into_light(), &mut clicks)
                .expect("in slot order");
        }
    }
    for frame in order.release(2_000_000_000) {
        bob.detect(frame.into_light(), &mut clicks)
            .expect("in slot order");
    }
    bob.advance_to(slots, &mut clicks);
    clicks
}

fn plain(clicks: &[Detection]) -> Vec<(u64, crate::Basis, bool)> {
    clicks.iter().map(|c| (c.slot, c.basis, c.bit)).collect()
}

#[test]
fn reordering_and_repetition_inside_the_window_change_no_detection() {
    let (bytes, span) = send(&mut alice(1), 200);
    let slots = 200 * u64::from(span);
    let in_order = receive(bytes.chunks(FRAME_BYTES), slots);
    let mut shuffled: Vec<&[u8]> = bytes
        .chunks(FRAME_BYTES)
        .chain(bytes.chunks(FRAME_BYTES))
        .collect();
    let mut rng = PhysicsRng::from_seed(2);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, rng.below(i as u64 + 1) as usize);
    }
    let any_order = receive(shuffled.into_iter(), slots);
    assert!(in_order.len() > 1_000);
    assert_eq!(plain(&in_order), plain(&any_order));
}

/// Q′ = cQ + (1−c)Y₀ for every intensity, and Alice's answers do not depend on what was lost.
#[test]
fn lost_frames_are_vacuum_with_dark_counts_and_alice_does_not_notice() {
    let frames = 3_000;
    let (mut complete, mut lossy) = (alice(3), alice(3));
    let (bytes, span) = send(&mut complete, frames);
    let _ = send(&mut lossy, frames);
    let slots = frames as u64 * u64::from(span);
    // Every third frame is lost: c = 2/3.
    let kept = bytes
        .chunks(FRAME_BYTES)
        .enumerate()
        .filter(|(i, _)| i % 3 != 0);
    let (mut bob, mut clicks) = (bob(0), Vec::new());
    for (_, datagram) in kept {
        let light = PulseFrame::decode(datagram).expect("valid").into_light();
        bob.detect(light, &mut clicks).expect("in order");
    }
    bob.advance_to(slots, &mut clicks);
    let mut per_class = [0u32; 2];
    for click in &clicks {
        let choice = lossy.choice_at(click.slot).expect("known");
        let same = complete.choice_at(click.slot).expect("known");
        assert!(
            (choice.basis, choice.bit, choice.intensity) == (same.basis, same.bit, same.intensity)
        );
        per_class[usize::from(choice.intensity.0)] += 1;
    }
    let y0 = 1.0 - (1.0 - DARK).powi(2);
    for (mu, &count) in [0.5f64, 0.1].iter().zip(&per_class) {
        let gain = 1.0 - (1.0 - y0) * (-mu * 0.1 * 0.8).exp();
        let expected = slots as f64 / 2.0 * (gain * 2.0 / 3.0 + y0 / 3.0);
        let off = (f64::from(count) - expected) / expected.sqrt();
        assert!(
            off.abs() < 5.0,
            "gain at {mu}: {count} is {off:.2} sigma off {expected}"
        );
    }
    let totals = lossy.close_totals(0..slots).expect("known");
    assert_eq!(totals, complete.close_totals(0..slots).expect("known"));
}

/// Loss in Alice's segment and loss in the fibre behind a frame are the same loss.
#[test]
fn two_segments_lose_as_much_as_one() {
    let mut physics = PhysicsRng::from_seed(4);
    let mut fibre = Fibre::new(0.3).expect("valid");
    let light = fibre.carry(alice(5).transmit(10_000_000), &mut physics);
    let p = 1.0 - 0.5 * (-0.5f64 * 0.03).exp() - 0.5 * (-0.1f64 * 0.03).exp();
    let off = (light.pulses.len() as f64 - 1e7 * p) / (1e7 * p).sqrt();
    assert!(off.abs() < 5.0, "{off:.2} sigma off");
}
