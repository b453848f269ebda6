//! Rising slots, held as the distances in which they were announced.

use crate::{Gaps, GapsView};

/// Slots that Bob announced: rising, and within the range that he said. They stay as they came, a
/// byte and a little more for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlotList {
    /// From where the first distance counts.
    start: u64,
    pieces: Vec<Gaps>,
    len: usize,
    last: u64,
}

/// Distances that lead to no rising slots, or bytes that are no distances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {found}, expected {expected}")]
pub struct SlotsError {
    /// What is wrong.
    pub what: &'static str,
    /// How it is.
    pub found: String,
    /// How it must be.
    pub expected: &'static str,
}

impl SlotList {
    /// No slot yet; the first distance counts from `start`, and may be zero.
    pub fn new(start: u64) -> Self {
        Self {
            start,
            pieces: Vec::new(),
            len: 0,
            last: start,
        }
    }

    /// Adds the slots that `gaps` lead to. They must rise, and lie before `end`.
    ///
    /// # Errors
    /// When they do not, or the bytes are not of the form that distances have; the list is as it was.
    pub fn append(&mut self, gaps: Gaps, end: u64) -> Result<(), SlotsError> {
        let sum = gaps.checked_sum()?;
        // Only the very first slot may be where the counting begins.
        let is_rising = gaps.are_positive(usize::from(self.len == 0));
        let reached = sum.and_then(|sum| self.last.checked_add(sum));
        let inside = reached.filter(|&reached| gaps.is_empty() || reached < end);
        let Some(reached) = inside.filter(|_| is_rising) else {
            return Err(SlotsError {
                what: "slot",
                found: "not rising or beyond the block".into(),
                expected: "rising slots inside the block",
            });
        };
        if !gaps.is_empty() {
            self.len += gaps.len();
            self.last = reached;
            self.pieces.push(gaps);
        }
        Ok(())
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first slot, when there is one.
    pub fn first(&self) -> Option<u64> {
        let mut first = [0];
        (self.reader().read(&mut first) == 1).then_some(first[0])
    }

    /// The last slot, when there is one.
    pub fn last(&self) -> Option<u64> {
        (self.len > 0).then_some(self.last)
    }

    /// The distances, piece by piece; the first counts from what [`new`](Self::new) was told.
    pub fn pieces(&self) -> impl Iterator<Item = GapsView<'_>> {
        self.pieces.iter().map(Gaps::view)
    }

    /// The slots one by one.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let mut reader = self.reader();
        let mut slot = [0];
        std::iter::from_fn(move || (reader.read(&mut slot) == 1).then_some(slot[0]))
    }

    /// Reads the slots many at a time.
    pub(crate) fn reader(&self) -> SlotReader<'_> {
        SlotReader {
            position: self.start,
            piece: Gaps::EMPTY,
            later: self.pieces.iter(),
        }
    }
}

/// How far a list has been read.
pub(crate) struct SlotReader<'a> {
    position: u64,
    piece: GapsView<'a>,
    later: std::slice::Iter<'a, Gaps>,
}

impl SlotReader<'_> {
    /// Writes the next slots, and returns how many: as many as `slots` has places unless the list ends.
    pub fn read(&mut self, slots: &mut [u64]) -> usize {
        let mut done = 0;
        while done < slots.len() {
            if self.piece.is_empty() {
                match self.later.next() {
                    Some(piece) => self.piece = piece.view(),
                    None => break,
                }
            }
            done += self.piece.read(&mut self.position, &mut slots[done..]);
        }
        done
    }
}

#[cfg(test)]
mod tests;
