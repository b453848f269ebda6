//! Where Alice's clock is, as her frames tell Eve.
//!
//! Nobody signs light: a frame from nowhere may say any slot and any session. One such frame changes
//! nothing; a second that agrees with it does, for then Alice has gone on there.

use std::ops::Range;

use qkd_optics::{FrameAddress, FrameHeader, OrderLimits};

/// Frames whose light may still come, or come back, after one that was sent later: networks reorder.
const REORDERED_FRAMES: u64 = 64;

/// The last frame of Alice's pulses that Eve believes.
#[derive(Default)]
pub(super) struct Sight {
    latest: Option<FrameHeader>,
    /// A frame that is far from it.
    doubted: Option<FrameHeader>,
}

impl Sight {
    /// A frame of pulses has come by; gives whether it is believed.
    pub fn see(&mut self, header: FrameHeader) -> bool {
        let agrees = |known: &FrameHeader| is_near(known, &header);
        let is_near = self.latest.as_ref().is_none_or(agrees);
        let is_believed = is_near || self.doubted.as_ref().is_some_and(agrees);
        if is_believed {
            (self.latest, self.doubted) = (Some(header), None);
        } else {
            self.doubted = Some(header);
        }
        is_believed
    }

    /// The frame after which the next ones are awaited.
    pub fn latest(&self) -> Option<&FrameHeader> {
        self.latest.as_ref()
    }

    /// The session that goes on.
    pub fn session(&self) -> Option<FrameAddress> {
        self.latest.map(|latest| latest.address)
    }

    /// Slots whose pulses may still come by.
    pub fn awaited(&self) -> Range<u64> {
        let Some(latest) = self.latest else {
            return 0..0;
        };
        let behind = u64::from(latest.span).saturating_mul(REORDERED_FRAMES);
        latest.start_slot.saturating_sub(behind)..latest.slots().end.saturating_add(far())
    }
}

/// Slots between two frames that nobody loses so many of.
fn far() -> u64 {
    OrderLimits::default().ahead_max_slots
}

fn is_near(one: &FrameHeader, other: &FrameHeader) -> bool {
    one.address == other.address && one.start_slot.abs_diff(other.start_slot) <= far()
}

#[cfg(test)]
pub(super) mod tests {
    use qkd_optics::{PhotonBits, WordBits, WordFormat};

    use super::*;

    pub(in super::super) fn frame(session: u64, start_slot: u64) -> FrameHeader {
        FrameHeader {
            address: FrameAddress {
                session,
                link: 0,
                epoch: 0,
            },
            format: WordFormat {
                word_bits: WordBits::Eight,
                photon_bits: PhotonBits::None,
            },
            start_slot,
            span: 1_000,
            sequence: 0,
        }
    }

    #[test]
    fn one_frame_from_nowhere_changes_nothing_and_a_second_that_agrees_does() {
        let mut sight = Sight::default();
        assert!(sight.latest().is_none() && sight.awaited().is_empty());
        sight.see(frame(1, 0));
        for stray in [frame(1, u64::MAX - 1_000), frame(2, 5_000)] {
            sight.see(frame(1, 100_000));
            sight.see(stray);
            assert_eq!(sight.latest(), Some(&frame(1, 100_000)));
            assert_eq!(sight.awaited(), 36_000..101_000 + (1 << 33));
            // Alternating with honest ones they are never believed.
            sight.see(frame(1, 101_000));
            sight.see(stray);
            assert_eq!(sight.latest(), Some(&frame(1, 101_000)));
        }
        sight.see(frame(3, 7_000));
        sight.see(frame(3, 8_000));
        assert_eq!(sight.session(), Some(frame(3, 0).address));
        assert_eq!(sight.latest(), Some(&frame(3, 8_000)));
    }
}
