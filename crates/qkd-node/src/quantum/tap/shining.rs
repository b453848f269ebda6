//! The light that Eve sends against Alice's pulses: a datagram now and then, each of which lights a while.
//!
//! She aims at slots that Alice has not sent yet, from the last one she has seen on, and as far ahead as
//! Alice gets in [`AHEAD`]; when no further datagram comes, the light has gone out by then.

use std::time::{Duration, Instant};

use qkd_optics::{FRAME_BYTES, FrameAddress, FrameHeader, Inward, InwardFrame, InwardSlots};

/// How long a datagram lights.
const AHEAD: Duration = Duration::from_millis(200);

/// Part of that after which she sends the next one: a lost one leaves no gap.
const AGAIN: u32 = 8;

/// Distance of two looks at how fast Alice's clock goes.
const LOOK: Duration = Duration::from_millis(20);

/// Frames of Alice's that a datagram lights at least, before her pace is known.
const FRAMES_MIN: u32 = 64;

/// The light that is shone in, and how far.
pub(super) struct Shining {
    address: FrameAddress,
    inward: Inward,
    /// A moment, and the slot that had been seen then.
    looked: (Instant, u64),
    slots_per_second: f64,
    /// The slot from which on the next datagram is due.
    due_slot: u64,
    /// When the last one left: nothing that frames say puts the next one off for long.
    sent: Option<Instant>,
    sequence: u64,
}

impl Shining {
    /// Light for a session whose latest frame this is.
    pub fn new(inward: Inward, seen: &FrameHeader, now: Instant) -> Self {
        let end_slot = seen.slots().end;
        Self {
            address: seen.address,
            inward,
            looked: (now, end_slot),
            slots_per_second: 0.0,
            due_slot: end_slot,
            sent: None,
            sequence: 0,
        }
    }

    /// Whether it is this light, in the session of that frame.
    pub fn is(&self, inward: &Inward, seen: &FrameHeader) -> bool {
        self.inward == *inward && self.address == seen.address
    }

    /// The datagram that is due once this frame of Alice's has come by, if one is.
    pub fn due(&mut self, seen: &FrameHeader, now: Instant) -> Option<[u8; FRAME_BYTES]> {
        let end_slot = seen.slots().end;
        let (looked, slot) = self.looked;
        let time = now.saturating_duration_since(looked);
        if time >= LOOK {
            self.slots_per_second = end_slot.saturating_sub(slot) as f64 / time.as_secs_f64();
            self.looked = (now, end_slot);
        }
        let is_overdue = |sent| now.saturating_duration_since(sent) >= AHEAD / AGAIN;
        if end_slot < self.due_slot && !self.sent.is_some_and(is_overdue) {
            return None;
        }
        let ahead = (self.slots_per_second * AHEAD.as_secs_f64()) as u32;
        let span = ahead.max(seen.span.saturating_mul(FRAMES_MIN));
        self.due_slot = end_slot.saturating_add(u64::from((span / AGAIN).max(1)));
        let at = InwardSlots {
            address: self.address,
            start_slot: end_slot,
            span,
        };
        // Beyond the last slot that there is nothing shines.
        at.start_slot.checked_add(u64::from(span))?;
        self.sequence += 1;
        self.sent = Some(now);
        Some(InwardFrame::encode(at, &self.inward, self.sequence))
    }
}

#[cfg(test)]
mod tests {
    use qkd_optics::InwardLight;

    use super::*;

    const LIGHT: Inward = Inward::Light(InwardLight {
        wavelength_nm: 1550.0,
        photons: 1e6,
    });

    fn frame(start_slot: u64) -> FrameHeader {
        super::super::sight::tests::frame(1, start_slot)
    }

    /// A clock of ten million slots a second, of which she sees a frame every 100 µs.
    #[test]
    fn light_that_is_kept_up_has_no_gap_and_goes_out_soon_after_the_last_datagram() {
        let began = Instant::now();
        let mut shining = Shining::new(LIGHT, &frame(0), began);
        let (mut lit_until, mut datagrams) = (0, 0);
        for at in 0..10_000u32 {
            let (now, seen) = (
                began + at * Duration::from_micros(100),
                frame(u64::from(at) * 1_000),
            );
            let end_slot = seen.slots().end;
            if let Some(datagram) = shining.due(&seen, now) {
                let frame = InwardFrame::decode(&datagram).expect("a frame");
                assert_eq!(frame.header().slots().start, end_slot);
                lit_until = frame.header().slots().end;
                datagrams += 1;
            }
            assert!(lit_until > end_slot, "dark at {end_slot}");
            // 200 ms of the clock are two million slots.
            assert!(
                lit_until <= end_slot + 2_100_000,
                "too far ahead at {end_slot}"
            );
        }
        assert!(datagrams < 200, "{datagrams} in a second");
    }

    #[test]
    fn other_light_and_another_session_are_other_light() {
        let shining = Shining::new(LIGHT, &frame(0), Instant::now());
        let mut other = frame(5_000);
        assert!(shining.is(&LIGHT, &other));
        assert!(!shining.is(&Inward::TwoWay { step: 2 }, &other));
        other.address.session = 2;
        assert!(!shining.is(&LIGHT, &other));
    }

    /// A frame of slots far ahead, and the clock goes on where it was.
    #[test]
    fn light_comes_on_again_soon_after_a_frame_from_the_future() {
        let began = Instant::now();
        let mut shining = Shining::new(LIGHT, &frame(0), began);
        assert!(shining.due(&frame(0), began).is_some());
        assert!(shining.due(&frame(1 << 33), began).is_some());
        let soon = began + AHEAD / AGAIN;
        let datagram = shining.due(&frame(1_000), soon).expect("it is overdue");
        let again = InwardFrame::decode(&datagram).expect("a frame");
        assert_eq!(again.header().slots().start, 2_000);
    }

    #[test]
    fn nothing_shines_beyond_the_last_slot() {
        let last = frame(u64::MAX - 1_000);
        let mut shining = Shining::new(LIGHT, &last, Instant::now());
        assert!(shining.due(&last, Instant::now()).is_none());
    }
}
