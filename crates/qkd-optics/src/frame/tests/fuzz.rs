//! Bytes from strangers, and every kind of light.

use proptest::prelude::*;

use super::*;

fn any_format() -> impl Strategy<Value = WordFormat> {
    prop::sample::select(WordFormat::all().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn light_survives_the_frames_at_every_format_and_density(
        format in any_format(),
        start in 0u64..1 << 60,
        gaps in prop::collection::vec((0u32..40, 1u8..=255, 0u8..4), 0..3_000),
        scale in 0u32..3,
        bright in any::<bool>(),
        tail in 1u32..5_000,
    ) {
        let mut offset = 0;
        let pulses: Vec<(u32, u8, u8)> = gaps.iter().map(|&(gap, photons, state)| {
            offset += gap << (4 * scale);
            let pulse = (offset, if bright { photons } else { photons % 5 + 1 }, state);
            offset += 1;
            pulse
        }).collect();
        let bytes = encoded(format, train(start, offset + tail, &pulses));
        let expected: Vec<(u64, u8, u8)> =
            pulses.iter().map(|&(o, n, s)| (start + u64::from(o), n, s)).collect();
        prop_assert_eq!(decoded(&bytes), Ok(expected));
        let last = PulseFrame::decode(&bytes[bytes.len() - FRAME_BYTES..]).map(|f| *f.header());
        prop_assert_eq!(last.map(|h| h.slots().end), Ok(start + u64::from(offset + tail)));
    }

    #[test]
    fn every_flipped_bit_is_noticed(format in any_format(), bit in 0usize..FRAME_BYTES * 8) {
        let mut bytes = encoded(format, train(9, 5_000, &[(4, 1, 2), (90, 9, 3)]));
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(PulseFrame::decode(&bytes).is_err());
    }
}

/// What every frame that passes must hold, whoever made it; whether it passed.
fn check(bytes: &[u8]) -> bool {
    let Ok(frame) = PulseFrame::decode(bytes) else {
        return false;
    };
    let header = *frame.header();
    let light = frame.into_light();
    assert!(light.pulses.windows(2).all(|w| w[0].offset < w[1].offset));
    assert!(
        light
            .pulses
            .iter()
            .all(|p| p.offset < light.span && p.photons > 0)
    );
    // There is one way to write any light: encoding it again gives the same words, cut at the
    // latest where the forger should have cut.
    let mut again = Vec::new();
    let count = FrameEncoder::new(shape(header.format, header.span)).encode(light, &mut again);
    if count == Ok(1) {
        assert_eq!(again[HEADER_BYTES..], bytes[HEADER_BYTES..]);
    }
    true
}

/// Mutants whose checksum is right: a stranger can compute checksums too.
#[test]
fn no_mutant_makes_the_decoder_panic_or_put_light_where_none_can_be() {
    let mut rng = PhysicsRng::from_seed(0x5eed);
    let mut passed = 0;
    for round in 0..120 {
        for format in WordFormat::all() {
            let advance = u64::from(format.advance());
            let mut offset = 0u32;
            let mut pulses = Vec::new();
            for _ in 0..rng.below(12) {
                offset += rng.below(3 * advance.min(5_000)) as u32;
                let photons = 1 + rng.below(if round % 2 == 0 { 5 } else { 255 }) as u8;
                pulses.push((offset, photons, rng.below(4) as u8));
                offset += 1;
            }
            let original = encoded(format, train(rng.next_u64() >> 1, offset + 1, &pulses));
            let mut mutant = original[..FRAME_BYTES].to_vec();
            let payload_end = HEADER_BYTES + usize::from(mutant[40]) + 8;
            for _ in 0..140 {
                mutant.copy_from_slice(&original[..FRAME_BYTES]);
                for _ in 0..1 + rng.below(3) {
                    mutate(&mut mutant, payload_end, &mut rng);
                }
                seal(&mut mutant);
                passed += u32::from(check(&mutant));
            }
        }
    }
    assert!(
        (1_000..100_000).contains(&passed),
        "{passed} of 100,800 mutants passed"
    );
}

/// Changes one thing, mostly where it matters.
fn mutate(frame: &mut [u8], payload_end: usize, rng: &mut PhysicsRng) {
    let payload = |rng: &mut PhysicsRng| {
        HEADER_BYTES + rng.below((payload_end - HEADER_BYTES) as u64) as usize
    };
    match rng.below(8) {
        0 => frame[rng.below(HEADER_BYTES as u64 - 4) as usize] = rng.next_u64() as u8,
        1 => frame[5] = [8, 16, 32][rng.below(3) as usize],
        2 => frame[42] = [0, 2][rng.below(2) as usize],
        3 => frame[40] = frame[40].wrapping_add(rng.below(9) as u8).wrapping_sub(4),
        4 => frame[24..28].copy_from_slice(&(rng.below(60_000) as u32).to_le_bytes()),
        5 => {
            let at = payload(rng);
            frame[at] ^= 1 << rng.below(8);
        }
        6 => {
            let at = payload(rng);
            frame[at] = [0x00, 0x03, 0xf0, 0xfc, 0xfd, 0xfe, 0xff][rng.below(7) as usize];
        }
        _ => {
            let (from, to) = (payload(rng), payload(rng));
            frame[to] = frame[from];
        }
    }
}

#[test]
fn no_bytes_at_all_make_the_decoder_panic() {
    let mut rng = PhysicsRng::from_seed(7);
    let mut bytes = vec![0; FRAME_BYTES];
    for _ in 0..3_000 {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
        }
        assert!(PulseFrame::decode(&bytes).is_err());
        bytes[0..5].copy_from_slice(b"QPF1\0");
        bytes[5] = [8, 16, 32][rng.below(3) as usize];
        bytes[42] = [0, 2][rng.below(2) as usize];
        bytes[43..60].fill(0);
        bytes[40..42].copy_from_slice(&(PAYLOAD_BYTES as u16).to_le_bytes());
        seal(&mut bytes);
        check(&bytes);
    }
}
