use super::*;
use crate::PulseTrain;
use crate::frame::{FRAME_BYTES, FrameEncoder, FrameShape, PhotonBits, WordBits, WordFormat};
use crate::light::{Pulse, State};

const ADDRESS: FrameAddress = FrameAddress {
    session: 1,
    link: 2,
    epoch: 3,
};
const MILLISECOND: u64 = 1_000_000_000;

/// The frame number `index` of an epoch with 100 slots a frame.
fn frame_at(address: FrameAddress, index: u64) -> PulseFrame {
    frame_of(address, index * 100, 100)
}

fn frame_of(address: FrameAddress, start_slot: u64, span: u32) -> PulseFrame {
    let shape = FrameShape {
        session: address.session,
        link: address.link,
        epoch: address.epoch,
        format: WordFormat {
            word_bits: WordBits::Eight,
            photon_bits: PhotonBits::Two,
        },
        span,
    };
    let train = PulseTrain {
        start_slot,
        span,
        pulses: vec![Pulse {
            offset: 3,
            photons: 1,
            state: State::from_code(0),
            crafted: [0; 2],
        }],
        extras: Default::default(),
    };
    let mut bytes = Vec::new();
    FrameEncoder::new(shape)
        .encode(train, &mut bytes)
        .expect("it has slots");
    PulseFrame::decode(&bytes).expect("valid")
}

fn frame(index: u64) -> PulseFrame {
    frame_at(ADDRESS, index)
}

fn order() -> FrameOrder {
    FrameOrder::new(ADDRESS, OrderLimits::default(), 0)
}

fn released(order: &mut FrameOrder, now_ps: u64) -> Vec<u64> {
    let frames = order.release(now_ps);
    frames.iter().map(|f| f.header().start_slot / 100).collect()
}

#[test]
fn frames_come_out_in_slot_order_as_soon_as_it_is_complete() {
    let mut order = order();
    for index in [2, 1] {
        assert_eq!(order.accept(0, frame(index)), Verdict::Accepted);
        assert!(released(&mut order, 1).is_empty());
    }
    assert_eq!(order.accept(5, frame(0)), Verdict::Accepted);
    assert_eq!(released(&mut order, 5), [0, 1, 2]);
    assert_eq!((order.next_slot(), order.deadline_ps()), (300, None));
    assert_eq!(order.counters().lost_slots, 0);
}

#[test]
fn a_hole_is_given_up_after_the_window_and_its_frame_is_late_then() {
    let mut order = order();
    assert_eq!(order.accept(MILLISECOND, frame(3)), Verdict::Accepted);
    assert_eq!(order.deadline_ps(), Some(3 * MILLISECOND));
    assert!(released(&mut order, 3 * MILLISECOND - 1).is_empty());
    assert_eq!(released(&mut order, 3 * MILLISECOND), [3]);
    assert_eq!(order.accept(3 * MILLISECOND, frame(1)), Verdict::Late);
    assert_eq!(order.accept(3 * MILLISECOND, frame(3)), Verdict::Duplicate);
    let counters = order.counters();
    assert_eq!(
        (counters.late, counters.duplicate, counters.lost_slots),
        (1, 1, 300)
    );
}

/// The window runs from the first frame behind the hole to arrive, not from the last.
#[test]
fn later_arrivals_do_not_prolong_the_window() {
    let mut order = order();
    assert_eq!(order.accept(0, frame(5)), Verdict::Accepted);
    assert_eq!(order.accept(MILLISECOND, frame(2)), Verdict::Accepted);
    assert_eq!(released(&mut order, 2 * MILLISECOND), [2, 5]);
    assert_eq!(order.counters().lost_slots, 400);
}

#[test]
fn a_repeated_frame_is_dropped_while_it_waits_and_after() {
    let mut order = order();
    assert_eq!(order.accept(0, frame(1)), Verdict::Accepted);
    assert_eq!(order.accept(0, frame(1)), Verdict::Duplicate);
    assert_eq!(order.accept(0, frame(0)), Verdict::Accepted);
    assert_eq!(released(&mut order, 0), [0, 1]);
    assert_eq!(order.accept(0, frame(0)), Verdict::Duplicate);
    assert!(released(&mut order, 9 * MILLISECOND).is_empty());
    assert_eq!(order.counters().duplicate, 2);
}

#[test]
fn frames_of_another_session_link_or_epoch_are_dropped() {
    let mut order = order();
    for address in [
        FrameAddress {
            session: 9,
            ..ADDRESS
        },
        FrameAddress { link: 9, ..ADDRESS },
        FrameAddress {
            epoch: 9,
            ..ADDRESS
        },
    ] {
        assert_eq!(order.accept(0, frame_at(address, 0)), Verdict::Foreign);
    }
    assert!(order.release(9 * MILLISECOND).is_empty());
    assert_eq!((order.counters().foreign, order.next_slot()), (3, 0));
}

#[test]
fn a_corrupt_datagram_is_counted_and_changes_nothing() {
    let mut order = order();
    assert!(order.receive(0, &[0; FRAME_BYTES]).is_err());
    assert!(order.receive(0, b"hello").is_err());
    let expected = FrameCounters {
        corrupt: 2,
        ..FrameCounters::default()
    };
    assert_eq!((order.counters(), order.deadline_ps()), (expected, None));
}

/// One forged datagram must not send Bob to the end of time, and a long break must not lock him out.
#[test]
fn a_frame_from_the_far_future_waits_for_the_clock() {
    let limits = OrderLimits {
        ahead_max_slots: 1_000,
        ..OrderLimits::default()
    };
    let mut order = FrameOrder::new(ADDRESS, limits, 0);
    assert_eq!(order.accept(0, frame(u64::MAX / 200)), Verdict::Ahead);
    assert_eq!(order.accept(0, frame(11)), Verdict::Ahead);
    assert_eq!(order.accept(0, frame(10)), Verdict::Accepted);
    assert_eq!(
        order.accept(1_000 * MILLISECOND, frame(20)),
        Verdict::Accepted
    );
    assert_eq!(released(&mut order, 1_000 * MILLISECOND), [10]);
    assert_eq!(order.counters().ahead, 2);
}

#[test]
fn no_more_frames_wait_than_the_limit() {
    let limits = OrderLimits {
        frames_held_max: 2,
        ..OrderLimits::default()
    };
    let mut order = FrameOrder::new(ADDRESS, limits, 0);
    for index in [1, 3, 5] {
        assert_eq!(order.accept(0, frame(index)), Verdict::Accepted);
    }
    assert_eq!(released(&mut order, 0), [1]);
    assert_eq!(order.counters().lost_slots, 100);
}

/// Frames state their own slots: nothing says that all are of one size.
#[test]
fn frames_of_different_spans_come_in_order_and_never_overlap() {
    let mut order = order();
    let take =
        |order: &mut FrameOrder, start, span| order.accept(0, frame_of(ADDRESS, start, span));
    assert_eq!(take(&mut order, 250, 50), Verdict::Accepted);
    assert_eq!(take(&mut order, 70, 130), Verdict::Accepted);
    for (start, span) in [
        (60, 11),
        (60, 1_000),
        (199, 5),
        (200, 51),
        (260, 10),
        (299, 9),
        (80, 7),
    ] {
        assert_eq!(take(&mut order, start, span), Verdict::Duplicate, "{start}");
    }
    assert_eq!(take(&mut order, 0, 70), Verdict::Accepted);
    let starts = |frames: Vec<PulseFrame>| frames.iter().map(|f| f.header().start_slot).collect();
    let first: Vec<u64> = starts(order.release(0));
    assert_eq!((first, order.next_slot()), (vec![0, 70], 200));
    assert_eq!(take(&mut order, 200, 50), Verdict::Accepted);
    let second: Vec<u64> = starts(order.release(0));
    assert_eq!((second, order.next_slot()), (vec![200, 250], 300));
    assert_eq!(order.counters().lost_slots, 0);
}
