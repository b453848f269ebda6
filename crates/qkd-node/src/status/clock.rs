//! How fast the emulated clock runs, from pieces of wall-clock time in which light flowed.

use std::collections::VecDeque;
use std::time::Duration;

/// Light that the present pace is taken from.
const WINDOW: Duration = Duration::from_secs(3);

/// Slots, and the wall-clock time with light in which they went by. Time without light, and time in
/// which the transmitter was asked about the past, is no part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Light {
    /// Ticks of the emulated clock.
    pub slots: u64,
    /// Wall-clock time.
    pub time: Duration,
}

impl Light {
    /// Wall-clock seconds per slot; nothing before the first slot.
    pub fn seconds_per_slot(&self) -> Option<f64> {
        (self.slots > 0).then(|| self.time.as_secs_f64() / self.slots as f64)
    }

    pub(super) fn add(&mut self, piece: Light) {
        self.slots += piece.slots;
        self.time += piece.time;
    }

    fn take(&mut self, piece: Light) {
        self.slots -= piece.slots;
        self.time -= piece.time;
    }
}

/// The last pieces of light. Each weighs as much as it took: a short one, however odd, moves
/// nothing.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: VecDeque<Light>,
    sum: Light,
}

impl Pieces {
    /// Notes the newest piece, and returns all that count.
    pub fn note(&mut self, piece: Light) -> Light {
        self.pieces.push_back(piece);
        self.sum.add(piece);
        while let Some(&oldest) = self.pieces.front()
            && self.sum.time - oldest.time >= WINDOW
        {
            self.pieces.pop_front();
            self.sum.take(oldest);
        }
        self.sum
    }
}
