//! Bob's detections as columns: a block of them is joined and announced without looking at one.

use qkd_bits::{BitString, SecretBits};

use crate::{Basis, Detection, Gaps, GapsView, SlotList};

/// Detections that are packed together: one word of each column.
const AT_ONCE: usize = 64;

/// Detections in slot order, a byte and two bits for each: distances as they are announced, Bob's
/// bases, and his bits, which are secret and wiped when they are dropped or moved.
///
/// ```compile_fail
/// fn show(detections: &qkd_optics::Detections) -> String { format!("{detections:?}") }
/// ```
/// ```compile_fail
/// fn copy(detections: &qkd_optics::Detections) -> qkd_optics::Detections { detections.clone() }
/// ```
#[derive(Default)]
pub struct Detections {
    first_slot: u64,
    last_slot: u64,
    /// From each to the next: one less than there are detections.
    gaps: Gaps,
    bases: BitString,
    bits: SecretBits,
}

impl Detections {
    /// None yet, with room for so many.
    pub fn with_capacity(detections: usize) -> Self {
        Self {
            gaps: Gaps::with_capacity(detections),
            bases: BitString::with_capacity(detections),
            bits: SecretBits::from(BitString::with_capacity(detections)),
            ..Self::default()
        }
    }

    /// Detections from columns: the first slot, the distance from each to the next, and for each
    /// Bob's basis, set for X, and his bit. `None` unless there is one detection, as many bits as
    /// bases, and one distance less.
    pub fn from_columns(
        first_slot: u64,
        gaps: Gaps,
        bases: BitString,
        bits: SecretBits,
    ) -> Option<Self> {
        let fit = bases.len() == bits.len() && bases.len() == gaps.len() + 1;
        let last_slot = first_slot.checked_add(gaps.view().sum())?;
        fit.then_some(Self {
            first_slot,
            last_slot,
            gaps,
            bases,
            bits,
        })
    }

    /// Number of detections.
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// Slot of the first one, when there is one.
    pub fn first_slot(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.first_slot)
    }

    /// Slot of the last one, when there is one.
    pub fn last_slot(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.last_slot)
    }

    /// Distances from each to the next.
    pub fn gaps(&self) -> GapsView<'_> {
        self.gaps.view()
    }

    /// Bob's basis in each: set for X.
    pub fn bases(&self) -> &BitString {
        &self.bases
    }

    /// Bob's bit of each; after a double click a random one.
    pub fn bits(&self) -> &SecretBits {
        &self.bits
    }

    /// The columns of bases and bits alone.
    pub fn into_bases_and_bits(self) -> (BitString, SecretBits) {
        (self.bases, self.bits)
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.gaps.bytes() + 2 * self.len().div_ceil(8)
    }

    /// The detections one by one.
    pub fn iter(&self) -> impl Iterator<Item = Detection> + '_ {
        let slots = self.slots(self.first_slot);
        let rows = slots.zip(self.bases.iter()).zip(self.bits.expose().iter());
        rows.map(|((slot, is_x), bit)| Detection {
            slot,
            basis: if is_x { Basis::X } else { Basis::Z },
            bit,
        })
    }

    /// How many of them are before `slot`.
    pub fn count_before(&self, slot: u64) -> usize {
        if self.last_slot().is_none_or(|last| last < slot) {
            return self.len();
        }
        self.slots(self.first_slot)
            .take_while(|&at| at < slot)
            .count()
    }

    fn slots(&self, mut slot: u64) -> impl Iterator<Item = u64> + '_ {
        let mut gaps = self.gaps.view();
        let mut next = [slot];
        let first = (!self.is_empty()).then_some(slot);
        let later =
            std::iter::from_fn(move || (gaps.read(&mut slot, &mut next) == 1).then_some(next[0]));
        first.into_iter().chain(later)
    }

    /// Keeps the first `at` and returns the others.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        if at >= self.len() {
            return Self::default();
        }
        let Some(kept_gaps) = at.checked_sub(1) else {
            return std::mem::take(self);
        };
        let mut later_gaps = self.gaps.view();
        self.last_slot = self.first_slot + later_gaps.take_front(kept_gaps).sum();
        let first_slot = self.last_slot + later_gaps.take_front(1).sum();
        let mut gaps = Gaps::with_capacity(later_gaps.len());
        gaps.append(later_gaps);
        self.gaps.truncate(kept_gaps);
        let later = Self {
            first_slot,
            last_slot: first_slot + gaps.view().sum(),
            gaps,
            bases: self.bases.slice(at..self.len()),
            bits: self.bits.split_off(at),
        };
        self.bases = self.bases.slice(0..at);
        later
    }

    /// Adds detections that are later than these.
    pub fn append(&mut self, later: &Self) {
        self.append_moved(later, 0);
    }

    /// Adds detections as if each were `slots` later than it is.
    pub fn append_moved(&mut self, later: &Self, slots: u64) {
        if later.is_empty() {
            return;
        }
        let moved = |slot: u64| slot.saturating_add(slots);
        let (first_slot, last_slot) = (moved(later.first_slot), moved(later.last_slot));
        if self.is_empty() {
            self.first_slot = first_slot;
        } else {
            // Zero where they are not later: whoever reads an announcement of it refuses it.
            self.gaps.push(first_slot.saturating_sub(self.last_slot));
        }
        self.gaps.append(later.gaps());
        self.last_slot = last_slot;
        self.bases.append(&later.bases);
        self.bits.append(&later.bits);
    }

    /// The slots alone, as a list that counts from `start`. Nothing when they do not rise from there.
    pub fn slot_list(&self, start: u64) -> Option<SlotList> {
        let mut list = SlotList::new(start);
        let mut gaps = Gaps::with_capacity(self.len());
        if let Some(first) = self.first_slot() {
            gaps.push(first.checked_sub(start)?);
            gaps.append(self.gaps());
        }
        list.append(gaps, u64::MAX).ok().map(|()| list)
    }
}

impl Extend<Detection> for Detections {
    /// Adds detections that are later than these, in slot order.
    fn extend<I: IntoIterator<Item = Detection>>(&mut self, detections: I) {
        let mut detections = detections.into_iter();
        if self.is_empty()
            && let Some(first) = detections.next()
        {
            (self.first_slot, self.last_slot) = (first.slot, first.slot);
            self.bases.push(first.basis == Basis::X);
            self.bits.push_word(u64::from(first.bit), 1);
        }
        loop {
            let mut gaps = [0; AT_ONCE];
            let (mut bases, mut bits, mut count) = (0, 0, 0);
            for (gap, detection) in gaps.iter_mut().zip(detections.by_ref()) {
                *gap = detection.slot.saturating_sub(self.last_slot);
                self.last_slot = detection.slot;
                bases |= u64::from(detection.basis == Basis::X) << count;
                bits |= u64::from(detection.bit) << count;
                count += 1;
            }
            if count > 0 {
                self.gaps.extend(gaps[..count].iter().copied());
                self.bases.push_word(bases, count);
                self.bits.push_word(bits, count);
            }
            if count < AT_ONCE {
                return;
            }
        }
    }
}

impl FromIterator<Detection> for Detections {
    fn from_iter<I: IntoIterator<Item = Detection>>(detections: I) -> Self {
        let detections = detections.into_iter();
        let mut columns = Self::with_capacity(detections.size_hint().0);
        columns.extend(detections);
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(detection: &Detection) -> (u64, Basis, bool) {
        (detection.slot, detection.basis, detection.bit)
    }

    fn rows(detections: &Detections) -> Vec<(u64, Basis, bool)> {
        detections.iter().map(|detection| row(&detection)).collect()
    }

    /// Distances of one byte and of several.
    fn list(len: u64) -> Vec<Detection> {
        let mut slot = 1000;
        let mut detection = |i: u64| {
            slot += 1 + i * i % 53 + if i % 29 == 3 { 400 + i * i } else { 0 };
            Detection {
                slot,
                basis: if i % 5 == 1 { Basis::X } else { Basis::Z },
                bit: i * i % 11 < 5,
            }
        };
        (0..len).map(&mut detection).collect()
    }

    #[test]
    fn what_is_packed_comes_back_however_it_was_put_together_and_cut() {
        for len in [0, 1, 2, 63, 64, 65, 129, 500] {
            let expected: Vec<_> = list(len).iter().map(row).collect();
            let whole: Detections = list(len).into_iter().collect();
            assert_eq!(rows(&whole), expected);
            assert_eq!(whole.len(), expected.len());
            assert_eq!(whole.first_slot(), expected.first().map(|row| row.0));
            assert_eq!(whole.last_slot(), expected.last().map(|row| row.0));
            for at in [0, 1, 2, 64, 100, 499, 1000] {
                let mut front: Detections = list(len).into_iter().collect();
                let back = front.split_off(at);
                let (one, two) = expected.split_at(at.min(expected.len()));
                assert_eq!(rows(&front), one);
                assert_eq!(rows(&back), two);
                assert_eq!(front.last_slot(), one.last().map(|row| row.0));
                assert_eq!(back.last_slot(), two.last().map(|row| row.0));
                front.append(&back);
                assert_eq!(rows(&front), expected);
                let mut moved = Detections::default();
                moved.append_moved(&front, 9);
                let later = expected
                    .iter()
                    .map(|&(slot, basis, bit)| (slot + 9, basis, bit));
                assert_eq!(rows(&moved), Vec::from_iter(later));
                let mut one_by_one = Detections::default();
                for detection in list(len) {
                    one_by_one.extend([detection]);
                }
                assert_eq!(rows(&one_by_one), expected);
                assert_eq!(one_by_one.gaps(), front.gaps());
            }
        }
    }

    #[test]
    fn those_before_a_slot_are_counted() {
        let detections: Detections = list(200).into_iter().collect();
        let rows = rows(&detections);
        for slot in [
            0,
            1001,
            rows[0].0,
            rows[7].0,
            rows[7].0 + 1,
            rows[199].0,
            u64::MAX,
        ] {
            let expected = rows.partition_point(|row| row.0 < slot);
            assert_eq!(detections.count_before(slot), expected, "{slot}");
        }
        assert_eq!(Detections::default().count_before(5), 0);
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let gaps = || Gaps::from_iter([3, 300]);
        let bits = |len| SecretBits::from(BitString::zeros(len));
        let columns =
            |bases, len| Detections::from_columns(7, gaps(), BitString::zeros(bases), bits(len));
        assert_eq!(columns(3, 3).and_then(|all| all.last_slot()), Some(310));
        assert!(columns(3, 2).is_none() && columns(4, 4).is_none() && columns(2, 2).is_none());
        let none = Detections::from_columns(0, Gaps::default(), BitString::new(), bits(0));
        assert!(none.is_none());
    }

    #[test]
    fn their_slots_are_a_list_from_any_slot_that_is_not_later() {
        let detections: Detections = list(100).into_iter().collect();
        let slots: Vec<u64> = rows(&detections).iter().map(|row| row.0).collect();
        for start in [0, slots[0]] {
            let list = detections.slot_list(start).unwrap();
            assert_eq!(Vec::from_iter(list.iter()), slots);
        }
        assert!(detections.slot_list(slots[0] + 1).is_none());
        assert_eq!(
            Detections::default().slot_list(5).map(|list| list.len()),
            Some(0)
        );
    }
}
