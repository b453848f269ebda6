//! Frames back into slot order, on Bob's side of a network that reorders, repeats and loses.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::backward::Frame;
use super::codec::PulseFrame;
use super::shape::FrameAddress;
use crate::FrameError;

/// Losses that are remembered, to tell a late frame from a repeated one.
const LOSSES_MAX: usize = 1024;
const PICOSECONDS_PER_SECOND: u128 = 1_000_000_000_000;

/// What bounds the reordering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLimits {
    /// How long a frame waits for the ones before it, in picoseconds. Then they are lost.
    pub window_ps: u64,
    /// Most frames that wait; one more, and the oldest gap is given up.
    pub frames_held_max: usize,
    /// How far ahead of the next slot a frame may be, in slots, and as many again for each second
    /// without progress. The channel is not authenticated: without this bound one forged datagram
    /// would make Bob live through 2⁶⁴ slots of darkness. Set it to a few times what the clock
    /// makes in a second.
    pub ahead_max_slots: u64,
}

impl Default for OrderLimits {
    /// 2 ms, 4,096 frames, 2³³ slots.
    fn default() -> Self {
        Self {
            window_ps: 2_000_000_000,
            frames_held_max: 4096,
            ahead_max_slots: 1 << 33,
        }
    }
}

/// What became of the datagrams: health figures for the operator, never input of a protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounters {
    /// Frames taken in.
    pub accepted: u64,
    /// Frames for slots that were already covered: cloned photons.
    pub duplicate: u64,
    /// Frames that came after their slots had been given up.
    pub late: u64,
    /// Frames of another session, link or epoch.
    pub foreign: u64,
    /// Frames of a future that no clock has reached.
    pub ahead: u64,
    /// Frames of light through Alice's door, of another wavelength or another direction: a filter before
    /// the detectors stops it.
    pub filtered: u64,
    /// Datagrams that are no frame.
    pub corrupt: u64,
    /// Slots that were given up: vacuum.
    pub lost_slots: u64,
}

/// What became of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Taken in; [`FrameOrder::release`] gives it back in its turn.
    Accepted,
    /// Dropped: its slots, or some of them, are already covered.
    Duplicate,
    /// Dropped: its slots have been given up.
    Late,
    /// Dropped: another session, link or epoch.
    Foreign,
    /// Dropped: too far in the future.
    Ahead,
}

/// A reorder buffer without a clock or a socket: time is an argument, in picoseconds of any one
/// monotonic clock.
///
/// What comes out is in slot order and never overlaps. A hole between two frames is vacuum: the
/// [`Receiver`](crate::Receiver) ages through it by itself.
pub struct FrameOrder {
    address: FrameAddress,
    limits: OrderLimits,
    next_slot: u64,
    /// Frames that wait, by first slot; they do not overlap.
    held: BTreeMap<u64, PulseFrame>,
    /// Arrival time and first slot of the frames, oldest first; some are no longer held.
    arrivals: VecDeque<(u64, u64)>,
    lost: VecDeque<Range<u64>>,
    progress_ps: u64,
    counters: FrameCounters,
}

impl FrameOrder {
    /// An empty buffer that waits for slot 0 of the epoch at `address`, from `now_ps` on.
    pub fn new(address: FrameAddress, limits: OrderLimits, now_ps: u64) -> Self {
        Self {
            address,
            limits,
            next_slot: 0,
            held: BTreeMap::new(),
            arrivals: VecDeque::new(),
            lost: VecDeque::new(),
            progress_ps: now_ps,
            counters: FrameCounters::default(),
        }
    }

    /// Decodes a datagram and takes it in.
    ///
    /// # Errors
    /// [`FrameError`] when it is no frame of pulses, which is counted as corrupt, or as filtered, and
    /// nothing else.
    pub fn receive(&mut self, now_ps: u64, datagram: &[u8]) -> Result<Verdict, FrameError> {
        match PulseFrame::decode(datagram) {
            Ok(frame) => Ok(self.accept(now_ps, frame)),
            Err(error) => {
                // Rare: the pulses' own decoder stays as short as it is.
                match Frame::decode(datagram) {
                    Ok(_) => self.counters.filtered += 1,
                    Err(_) => self.counters.corrupt += 1,
                }
                Err(error)
            }
        }
    }

    /// Takes in a frame, or drops it and says why.
    pub fn accept(&mut self, now_ps: u64, frame: PulseFrame) -> Verdict {
        let verdict = self.judge(now_ps, &frame);
        let counter = match verdict {
            Verdict::Accepted => &mut self.counters.accepted,
            Verdict::Duplicate => &mut self.counters.duplicate,
            Verdict::Late => &mut self.counters.late,
            Verdict::Foreign => &mut self.counters.foreign,
            Verdict::Ahead => &mut self.counters.ahead,
        };
        *counter += 1;
        if verdict == Verdict::Accepted {
            let start = frame.header().slots().start;
            self.arrivals.push_back((now_ps, start));
            self.held.insert(start, frame);
        }
        verdict
    }

    /// The frames whose turn it is, in slot order. Those in front of which a hole has been open for
    /// the window come out too: the hole is lost.
    pub fn release(&mut self, now_ps: u64) -> Vec<PulseFrame> {
        let mut ready = Vec::new();
        while let Some(first) = self.held.first_entry() {
            let start = *first.key();
            if start > self.next_slot {
                let overdue = self
                    .arrivals
                    .front()
                    .is_some_and(|&(at, _)| now_ps.saturating_sub(at) >= self.limits.window_ps);
                if !overdue && self.held.len() <= self.limits.frames_held_max {
                    break;
                }
                self.give_up_before(start);
                continue;
            }
            let frame = first.remove();
            self.next_slot = frame.header().slots().end;
            self.progress_ps = now_ps;
            ready.push(frame);
            self.drop_old_arrivals();
        }
        ready
    }

    /// When [`release`](Self::release) has something to do although no frame arrives, if ever.
    pub fn deadline_ps(&self) -> Option<u64> {
        let &(arrived, _) = self.arrivals.front()?;
        Some(arrived.saturating_add(self.limits.window_ps))
    }

    /// Whom its frames belong to.
    pub fn address(&self) -> FrameAddress {
        self.address
    }

    /// First slot that has been neither released nor given up.
    pub fn next_slot(&self) -> u64 {
        self.next_slot
    }

    /// What became of the datagrams so far.
    pub fn counters(&self) -> FrameCounters {
        self.counters
    }

    fn judge(&self, now_ps: u64, frame: &PulseFrame) -> Verdict {
        if frame.header().address != self.address {
            return Verdict::Foreign;
        }
        let slots = frame.header().slots();
        if slots.start < self.next_slot {
            let was_lost = |hole: &Range<u64>| hole.start <= slots.start && slots.end <= hole.end;
            return if self.lost.iter().rev().any(was_lost) {
                Verdict::Late
            } else {
                Verdict::Duplicate
            };
        }
        let waited = u128::from(now_ps.saturating_sub(self.progress_ps));
        let ahead_max = u128::from(self.limits.ahead_max_slots) * (PICOSECONDS_PER_SECOND + waited)
            / PICOSECONDS_PER_SECOND;
        if u128::from(slots.start - self.next_slot) > ahead_max {
            return Verdict::Ahead;
        }
        // The nearest held frame that starts before this one ends is the only one to overlap it.
        let before = self.held.range(..slots.end).next_back();
        if before.is_some_and(|(_, held)| held.header().slots().end > slots.start) {
            return Verdict::Duplicate;
        }
        Verdict::Accepted
    }

    fn give_up_before(&mut self, start: u64) {
        self.counters.lost_slots += start - self.next_slot;
        if self.lost.len() == LOSSES_MAX {
            self.lost.pop_front();
        }
        self.lost.push_back(self.next_slot..start);
        self.next_slot = start;
    }

    fn drop_old_arrivals(&mut self) {
        while self
            .arrivals
            .front()
            .is_some_and(|&(_, start)| start < self.next_slot)
        {
            self.arrivals.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "order/tests.rs"]
mod tests;
