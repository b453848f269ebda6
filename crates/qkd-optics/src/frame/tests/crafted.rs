//! Frames of crafted light: what no encoder writes is refused.

use super::*;

#[test]
fn every_impossible_field_of_crafted_light_is_refused_under_a_valid_checksum() {
    type Spoil = fn(&mut [u8]);
    let cases: [(FrameError, Spoil); 6] = [
        // A word of the other kind is no pulse of this one.
        (FrameError::PayloadLength(1), |f| {
            f[40] = 1;
            f[65..72].fill(0);
        }),
        (FrameError::Illumination(-1.0), |f| {
            f[48..56].copy_from_slice(&(-1f64).to_le_bytes());
        }),
        (FrameError::Padding(47), |f| f[47] = 1),
        // A plain pulse has no use for digits of photons.
        (FrameError::Word(0), |f| f[64 + 6] = 2),
        // No photon at all.
        (FrameError::Word(0), |f| f[64 + 4] = 0),
        (FrameError::OutsideSpan(0), |f| f[64 + 3] = 1),
    ];
    for (expected, spoil) in cases {
        let mut frame = encoded(EIGHT, train(0, 1_000, &[(3, 1, 1)]));
        (frame[4], frame[40]) = (1, 8);
        frame[64..72].copy_from_slice(&[3, 0, 0, 0, 1, 1, 0, 0]);
        seal(&mut frame);
        assert!(PulseFrame::decode(&frame).is_ok());
        spoil(&mut frame);
        seal(&mut frame);
        assert_eq!(PulseFrame::decode(&frame).map(|_| ()), Err(expected));
    }
}
