mod backward;
mod crafted;
mod fuzz;
mod golden;
mod shape;

use super::*;
use crate::light::{Pulse, State};
use crate::{Detection, Detectors, Fibre, FrameError, PulseTrain, Receiver, Source, Transmitter};
use qkd_bits::{PhysicsRng, SecretRng};

const ADDRESS: FrameAddress = FrameAddress {
    session: 0x0123_4567_89ab_cdef,
    link: 7,
    epoch: 42,
};

const EIGHT: WordFormat = WordFormat {
    word_bits: WordBits::Eight,
    photon_bits: PhotonBits::Two,
};
const EIGHT_SINGLE: WordFormat = WordFormat {
    word_bits: WordBits::Eight,
    photon_bits: PhotonBits::None,
};
const SIXTEEN: WordFormat = WordFormat {
    word_bits: WordBits::Sixteen,
    photon_bits: PhotonBits::Two,
};
const THIRTY_TWO: WordFormat = WordFormat {
    word_bits: WordBits::ThirtyTwo,
    photon_bits: PhotonBits::Two,
};

fn shape(format: WordFormat, span: u32) -> FrameShape {
    FrameShape {
        session: ADDRESS.session,
        link: ADDRESS.link,
        epoch: ADDRESS.epoch,
        format,
        span,
    }
}

fn train(start_slot: u64, span: u32, pulses: &[(u32, u8, u8)]) -> PulseTrain {
    let pulses = pulses.iter().map(|&(offset, photons, state)| Pulse {
        offset,
        photons,
        state: State::from_code(state),
        crafted: [0; 2],
    });
    PulseTrain {
        start_slot,
        span,
        pulses: pulses.collect(),
        extras: Default::default(),
    }
}

fn encoded(format: WordFormat, train: PulseTrain) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = FrameEncoder::new(shape(format, train.span))
        .encode(train, &mut bytes)
        .expect("fits");
    assert_eq!(bytes.len(), count * FRAME_BYTES);
    bytes
}

/// Absolute slot, photons and state of every pulse, frames in a row.
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
    let checksum = codec::checksum(&frame[..60], &frame[HEADER_BYTES..]);
    frame[60..64].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn every_other_length_is_refused() {
    let mut bytes = encoded(EIGHT, train(1, 100, &[(3, 1, 1)]));
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
    let mut encoder = FrameEncoder::new(shape(SIXTEEN, 300));
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
    assert_eq!(&bytes[32..46], &[1, 0, 0, 0, 0, 0, 0, 0, 6, 0, 2, 0, 0, 0]);
    assert_eq!(&bytes[64..72], &[0x5c, 0, 0x03, 0, 5, 0, 0, 0]);
    assert!(bytes[72..].iter().all(|&byte| byte == 0));
    assert_eq!(encoder.sequence(), 2);
}

#[test]
fn a_frame_without_light_has_the_size_of_any_other() {
    assert_eq!(
        encoded(THIRTY_TWO, train(0, 1 << 29, &[])).len(),
        FRAME_BYTES
    );
    let last = (1 << 29) - 1;
    let bytes = encoded(THIRTY_TWO, train(0, 1 << 29, &[(last, 1, 0)]));
    assert_eq!(decoded(&bytes), Ok(vec![(u64::from(last), 1, 0)]));
}

/// The documented bytes without photon bits: one photon, two, three and five.
#[test]
fn pulses_of_several_photons_are_announced_by_a_word_before() {
    let pulses = [(1, 1, 3), (70, 2, 0), (71, 3, 1), (72, 5, 2)];
    let bytes = encoded(EIGHT_SINGLE, train(0, 100, &pulses));
    let words = [0x07, 0xfc, 0xfd, 0x14, 0xfe, 0x01, 0xff, 5, 0x02];
    assert_eq!(bytes[42], 0);
    assert_eq!(&bytes[64..73], &words);
    assert_eq!(decoded(&bytes).map(|pulses| pulses.len()), Ok(4));
}

#[test]
fn a_train_is_cut_where_a_frame_is_full_and_every_frame_stands_alone() {
    let span = 10_007;
    let pulses: Vec<(u32, u8, u8)> = (0..span).map(|i| (i, 1 + (i % 5) as u8, 1)).collect();
    for format in WordFormat::all() {
        let bytes = encoded(format, train(50, span, &pulses));
        let mut next = 50;
        let words_max = PAYLOAD_BYTES / format.word_bits.bytes();
        for datagram in bytes.chunks(FRAME_BYTES) {
            let frame = PulseFrame::decode(datagram).expect("valid");
            let header = *frame.header();
            assert_eq!((header.start_slot, header.format), (next, format));
            next = header.slots().end;
            let words = usize::from(u16::from_le_bytes([datagram[40], datagram[41]]))
                / format.word_bits.bytes();
            assert!(
                words + format.event_words_max() > words_max || next == 50 + u64::from(span),
                "{format:?}: {words} words of {words_max}"
            );
            let light = frame.into_light();
            assert_eq!(
                (light.start_slot(), light.end_slot()),
                (header.start_slot, next)
            );
            assert_eq!(light.pulses.len() as u32, light.span());
        }
        assert_eq!(next, 50 + u64::from(span));
    }
}

/// Where a frame begins is known from the slots before it.
#[test]
fn the_cut_never_looks_ahead() {
    let mut rng = PhysicsRng::from_seed(3);
    let mut light = |span: u32| -> Vec<(u32, u8, u8)> {
        let lit = (0..span).filter(|_| rng.chance(0.1)).collect::<Vec<_>>();
        let mut photons = || 1 + rng.below(5) as u8;
        lit.into_iter()
            .map(|offset| (offset, photons(), 0))
            .collect()
    };
    for format in WordFormat::all() {
        let (common, one, other) = (light(30_000), light(30_000), light(30_000));
        let starts = |future: &[(u32, u8, u8)]| {
            let future = future.iter().map(|&(o, n, s)| (o + 30_000, n, s));
            let pulses: Vec<(u32, u8, u8)> = common.iter().copied().chain(future).collect();
            let bytes = encoded(format, train(0, 60_000, &pulses));
            let headers = bytes.chunks(FRAME_BYTES).map(|datagram| {
                PulseFrame::decode(datagram)
                    .expect("valid")
                    .header()
                    .start_slot
            });
            headers.filter(|&start| start <= 30_000).collect::<Vec<_>>()
        };
        assert_eq!(starts(&one), starts(&other), "{format:?}");
        assert!(starts(&one).len() > 2);
    }
}

#[test]
fn a_train_without_a_slot_is_refused_and_nothing_is_written() {
    let mut bytes = vec![1];
    let mut encoder = FrameEncoder::new(shape(EIGHT, 100));
    assert!(encoder.encode(train(0, 0, &[]), &mut bytes).is_err());
    assert_eq!((bytes, encoder.sequence()), (vec![1], 0));
}

/// A forger knows how to compute a checksum.
#[test]
fn every_impossible_field_is_refused_under_a_valid_checksum() {
    let good = || encoded(EIGHT, train(0, 1_000, &[(3, 1, 1)]));
    type Spoil = fn(&mut [u8]);
    let cases: [(FrameError, Spoil); 15] = [
        (FrameError::Magic(*b"QPF2"), |f| f[3] = b'2'),
        (FrameError::Kind(2), |f| f[4] = 2),
        (FrameError::WordBits(0), |f| f[5] = 0),
        (FrameError::WordBits(64), |f| f[5] = 64),
        (FrameError::PhotonBits(1), |f| f[42] = 1),
        (FrameError::Padding(43), |f| f[43] = 1),
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
        (FrameError::PayloadLength(1345), |f| {
            f[40..42].copy_from_slice(&1345u16.to_le_bytes());
        }),
        // The fourth photon code without its extension word.
        (FrameError::Word(1), |f| f[64] |= 3),
        (FrameError::OutsideSpan(0), |f| {
            f[24..28].copy_from_slice(&[3, 0, 0, 0])
        }),
        (FrameError::PayloadLength(1), |f| f[5] = 16),
        // 0x35, one photon after 3 slots, is one after 13 slots in state 1.
        (FrameError::OutsideSpan(0), |f| {
            f[42] = 0;
            f[24..28].copy_from_slice(&[13, 0, 0, 0]);
        }),
    ];
    for (expected, spoil) in cases {
        let mut frame = good();
        spoil(&mut frame);
        seal(&mut frame);
        assert_eq!(PulseFrame::decode(&frame).map(|_| ()), Err(expected));
    }
}

/// There is one way to write any light.
#[test]
fn words_that_no_encoder_writes_are_refused() {
    let pulses = |format: WordFormat, words: &[u8]| {
        let mut frame = encoded(format, train(0, 1_000, &[]));
        frame[64..64 + words.len()].copy_from_slice(words);
        frame[40] = words.len() as u8;
        seal(&mut frame);
        PulseFrame::decode(&frame).map(|frame| frame.into_light().pulses.len())
    };
    type Case<'a> = (WordFormat, &'a [u8], Result<usize, FrameError>, &'a str);
    let cases: [Case<'_>; 16] = [
        (EIGHT, &[0xf0, 0x00], Ok(1), "an advance and an event"),
        (
            EIGHT,
            &[0xf1],
            Err(FrameError::Word(0)),
            "an advance with an event in it",
        ),
        (
            EIGHT,
            &[0xf4, 0x00],
            Err(FrameError::Word(0)),
            "an advance with a state",
        ),
        (
            EIGHT,
            &[0x00, 0xf0],
            Err(FrameError::Word(1)),
            "an advance to nothing",
        ),
        (
            EIGHT,
            &[0x03, 0x03],
            Err(FrameError::Word(1)),
            "three photons need no extension",
        ),
        (EIGHT, &[0x03, 0x04], Ok(1), "four do"),
        (
            EIGHT_SINGLE,
            &[0xfc, 0x00],
            Ok(1),
            "an advance and an event",
        ),
        (
            EIGHT_SINGLE,
            &[0x00, 0xfc],
            Err(FrameError::Word(1)),
            "an advance to nothing",
        ),
        (EIGHT_SINGLE, &[0xfd, 0x00], Ok(1), "two photons"),
        (
            EIGHT_SINGLE,
            &[0xfd],
            Err(FrameError::Word(1)),
            "two photons of nothing",
        ),
        (
            EIGHT_SINGLE,
            &[0xfd, 0xfe, 0x00],
            Err(FrameError::Word(1)),
            "two numbers",
        ),
        (
            EIGHT_SINGLE,
            &[0xfd, 0xfc, 0x00],
            Err(FrameError::Word(1)),
            "a number, then a gap",
        ),
        (EIGHT_SINGLE, &[0xff, 0x04, 0x00], Ok(1), "four photons"),
        (
            EIGHT_SINGLE,
            &[0xff, 0x03, 0x00],
            Err(FrameError::Word(1)),
            "three the long way",
        ),
        (
            EIGHT_SINGLE,
            &[0xff],
            Err(FrameError::Word(1)),
            "a number without digits",
        ),
        (
            EIGHT_SINGLE,
            &[0xff, 0x04],
            Err(FrameError::Word(2)),
            "four photons of nothing",
        ),
    ];
    for (format, words, expected, what) in cases {
        assert_eq!(pulses(format, words), expected, "{what}");
    }
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

/// The frames of so many trains, and the slots that they cover.
fn send(alice: &mut Transmitter, trains: usize) -> (Vec<u8>, u64) {
    let shape = FrameShape::for_density(ADDRESS, alice.density(), u32::MAX).expect("valid");
    let mut encoder = FrameEncoder::new(shape);
    let mut bytes = Vec::new();
    for _ in 0..trains {
        let light = alice.transmit(shape.span);
        encoder.encode(light, &mut bytes).expect("it has slots");
    }
    (bytes, alice.next_slot())
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
    let (bytes, slots) = send(&mut alice(1), 12);
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
    let trains = 190;
    let (mut complete, mut lossy) = (alice(3), alice(3));
    let (bytes, slots) = send(&mut complete, trains);
    let _ = send(&mut lossy, trains);
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
