use proptest::prelude::*;

use super::*;
use crate::{FRAME_BYTES, PulseFrame};

const ADDRESS: FrameAddress = FrameAddress {
    session: 0x0123_4567_89ab_cdef,
    link: 3,
    epoch: 9,
};

fn photons(clicks: &[(u64, bool)]) -> Vec<FlashPhoton> {
    let photon = |&(slot, bit): &(u64, bool)| FlashPhoton::new(slot, bit);
    clicks.iter().map(photon).collect()
}

fn decoded(bytes: &[u8]) -> Result<Vec<(u64, bool)>, FrameError> {
    let mut all = Vec::new();
    for datagram in bytes.chunks(FRAME_BYTES) {
        let frame = FlashFrame::decode(datagram)?;
        assert_eq!(frame.address(), ADDRESS);
        let photons = frame.into_photons().into_iter();
        all.extend(photons.map(|photon| (photon.slot(), photon.measure())));
    }
    Ok(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn photons_survive_their_frames(
        start in 0u64..1 << 60,
        gaps in prop::collection::vec((0u64..1 << 20, any::<bool>(), 0u32..16), 0..1_200),
    ) {
        let mut slot = start;
        let clicks: Vec<(u64, bool)> = gaps.iter().map(|&(gap, bit, far)| {
            // Now and then so far that one frame cannot hold both.
            slot += if far == 0 { gap << 14 } else { gap };
            slot += 1;
            (slot, bit)
        }).collect();
        let mut bytes = Vec::new();
        let count = FlashFrame::encode(ADDRESS, photons(&clicks), &mut bytes);
        prop_assert_eq!(bytes.len(), count * FRAME_BYTES);
        prop_assert_eq!(decoded(&bytes), Ok(clicks));
    }

    #[test]
    fn every_flipped_bit_is_noticed(bit in 0usize..FRAME_BYTES * 8) {
        let mut bytes = frame();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(FlashFrame::decode(&bytes).is_err());
    }

    /// A stranger can compute checksums too: what passes is written in the one way there is.
    #[test]
    fn no_mutant_makes_the_decoder_panic_or_say_something_in_two_ways(
        changes in prop::collection::vec((0usize..80, any::<u8>()), 1..4),
    ) {
        let mut mutant = frame();
        for (at, byte) in changes {
            mutant[at] = byte;
        }
        seal_again(&mut mutant);
        if let Ok(frame) = FlashFrame::decode(&mutant) {
            let mut again = Vec::new();
            let address = frame.address();
            let count = FlashFrame::encode(address, frame.into_photons(), &mut again);
            prop_assert_eq!((count, again), (1, mutant));
        }
    }
}

fn frame() -> Vec<u8> {
    let mut bytes = Vec::new();
    let clicks = [(70, true), (71, false), (900, true)];
    let count = FlashFrame::encode(ADDRESS, photons(&clicks), &mut bytes);
    assert_eq!(count, 1);
    bytes
}

fn seal_again(frame: &mut [u8]) {
    let checksum = codec::checksum(&frame[..60], &frame[64..]);
    frame[60..64].copy_from_slice(&checksum.to_le_bytes());
}

#[test]
fn every_impossible_field_is_refused_under_a_valid_checksum() {
    type Spoil = fn(&mut [u8]);
    let cases: [(FrameError, Spoil); 10] = [
        (FrameError::Kind(0), |f| f[4] = 0),
        (FrameError::WordBits(8), |f| f[5] = 8),
        (FrameError::PhotonBits(2), |f| f[42] = 2),
        (FrameError::PayloadLength(0), |f| {
            f[40] = 0;
            f[64..76].fill(0);
        }),
        (FrameError::PayloadLength(13), |f| f[40] = 13),
        (FrameError::Padding(32), |f| f[32] = 1),
        (FrameError::Padding(100), |f| f[100] = 1),
        // A photon before the one before it.
        (FrameError::Word(2), |f| f[72..74].fill(0)),
        // Slots behind the last one.
        (FrameError::Word(2), |f| f[25] += 1),
        (FrameError::OutsideSpan(2), |f| f[75] = 1),
    ];
    for (expected, spoil) in cases {
        let mut bytes = frame();
        spoil(&mut bytes);
        seal_again(&mut bytes);
        assert_eq!(decoded(&bytes), Err(expected));
    }
    assert_eq!(decoded(&[1; 7]), Err(FrameError::Length(7)));
}

#[test]
fn light_that_travels_back_is_no_light_for_bob() {
    let refused = PulseFrame::decode(&frame()).map(|_| ());
    assert_eq!(refused, Err(FrameError::Kind(KIND_BACK_FLASH)));
}
