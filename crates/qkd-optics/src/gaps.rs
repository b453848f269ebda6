//! Distances between slots as bytes: announcements are millions of small numbers.
//!
//! One byte says a distance of up to 254 slots. What is longer is 255 and, in a list of its own, the
//! rest as a LEB128 varint. At 50 km that is about 1.05 bytes a slot, and nearly all of it is moved
//! without looking at it; where light is so scarce that most distances are long, announcements are
//! few.

use crate::SlotsError;

/// Stands for itself and what the list of long distances adds.
const LONG: u8 = u8::MAX;

/// Longest LEB128 varint of 64 bits, in bytes.
const VARINT_BYTES_MAX: usize = 10;

/// Distances between slots, in the form in which they are sent. What a peer sent is believed to be
/// of that form only when a [`SlotList`](crate::SlotList) takes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Gaps {
    /// One byte for each.
    short: Vec<u8>,
    /// What the long ones have beyond 255, one varint after another.
    long: Vec<u8>,
}

impl Gaps {
    /// No distance at all.
    pub(crate) const EMPTY: GapsView<'static> = GapsView {
        short: &[],
        long: &[],
    };

    /// Bytes that a distance takes at most.
    pub const BYTES_MAX: usize = 1 + VARINT_BYTES_MAX;

    /// Distances as a peer sent them: one byte for each, and the varints. Nothing is checked yet.
    pub fn from_bytes(short: Vec<u8>, long: Vec<u8>) -> Self {
        Self { short, long }
    }

    /// No distance yet, with room for `len`.
    pub fn with_capacity(len: usize) -> Self {
        Self::from_bytes(Vec::with_capacity(len), Vec::new())
    }

    /// Number of distances.
    pub fn len(&self) -> usize {
        self.short.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.short.is_empty()
    }

    /// One byte for each distance: 0 to 254 say themselves, 255 that [`long`](Self::long) has the
    /// rest.
    pub fn short(&self) -> &[u8] {
        &self.short
    }

    /// For each byte 255, in their order, what is beyond 255 slots: LEB128 varints of the shortest
    /// form.
    pub fn long(&self) -> &[u8] {
        &self.long
    }

    /// What [`short`](Self::short) and [`long`](Self::long) show.
    pub fn into_bytes(self) -> (Vec<u8>, Vec<u8>) {
        (self.short, self.long)
    }

    /// Bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// Adds one distance.
    pub fn push(&mut self, gap: u64) {
        self.extend([gap]);
    }

    /// Keeps the first `count`.
    pub fn truncate(&mut self, count: usize) {
        let mut kept = self.view();
        let long = kept.take_front(count).long.len();
        self.short.truncate(count);
        self.long.truncate(long);
    }

    /// All of them, to be taken from the front.
    pub fn view(&self) -> GapsView<'_> {
        GapsView {
            short: &self.short,
            long: &self.long,
        }
    }

    /// Adds distances at the end.
    pub fn append(&mut self, gaps: GapsView<'_>) {
        self.short.extend_from_slice(gaps.short);
        self.long.extend_from_slice(gaps.long);
    }

    /// The sum of all, when it is below 2⁶⁴.
    ///
    /// # Errors
    /// When the bytes are not of the form that distances have.
    pub(crate) fn checked_sum(&self) -> Result<Option<u64>, SlotsError> {
        let Totals { sum, long } = Totals::of(&self.short);
        if let Some(beyond) = sum_of_few_bytes(&self.long, long) {
            return Ok(sum.checked_add(beyond));
        }
        let mut sum = Some(sum);
        let mut rest = self.long.as_slice();
        for _ in 0..long {
            let (number, tail) = varint(rest)?;
            sum = sum.and_then(|sum: u64| sum.checked_add(number));
            rest = tail;
        }
        if rest.is_empty() {
            Ok(sum)
        } else {
            let found = format!("{} bytes too many", rest.len());
            Err(malformed(found, "one varint for each byte 255"))
        }
    }

    /// Whether no distance is zero, the first `except` aside.
    pub(crate) fn are_positive(&self, except: usize) -> bool {
        !self.short[except.min(self.len())..].contains(&0)
    }
}

/// A part of a list of distances, or what is left of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapsView<'a> {
    short: &'a [u8],
    long: &'a [u8],
}

impl<'a> GapsView<'a> {
    /// Number of distances.
    pub fn len(&self) -> usize {
        self.short.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.short.is_empty()
    }

    /// Takes the first `count` distances away and returns them; all, when there are fewer.
    #[must_use]
    pub fn take_front(&mut self, count: usize) -> GapsView<'a> {
        if count >= self.short.len() {
            // Nobody has to know which of them are long.
            return std::mem::replace(self, Gaps::EMPTY);
        }
        let (short, later) = self.short.split_at(count);
        let end = varints_end(self.long, Totals::of(short).long);
        let (long, long_later) = self.long.split_at(end);
        *self = Self {
            short: later,
            long: long_later,
        };
        GapsView { short, long }
    }

    /// Their sum. Of bytes that are not of the form that distances have, some number; so is one of
    /// 2⁶⁴ and more.
    pub fn sum(&self) -> u64 {
        let mut rest = self.long;
        let mut sum = Totals::of(self.short).sum;
        while !rest.is_empty()
            && let Ok((number, tail)) = varint(rest)
        {
            sum = sum.wrapping_add(number);
            rest = tail;
        }
        sum
    }

    /// Takes as many distances as `slots` has places, writes the slots that they lead to from
    /// `position` on, and returns how many these were.
    pub(crate) fn read(&mut self, position: &mut u64, slots: &mut [u64]) -> usize {
        let count = self.short.len().min(slots.len());
        let (short, later) = self.short.split_at(count);
        let mut at = *position;
        for (slot, &gap) in slots.iter_mut().zip(short) {
            at = at.wrapping_add(u64::from(gap));
            if gap == LONG
                && let Ok((beyond, tail)) = varint(self.long)
            {
                at = at.wrapping_add(beyond);
                self.long = tail;
            }
            *slot = at;
        }
        self.short = later;
        *position = at;
        count
    }
}

impl Extend<u64> for Gaps {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, gaps: I) {
        let Self { short, long } = self;
        short.extend(
            gaps.into_iter()
                .map(|gap| match gap.checked_sub(u64::from(LONG)) {
                    None => gap as u8,
                    Some(beyond) => {
                        push_varint(long, beyond);
                        LONG
                    }
                }),
        );
    }
}

impl FromIterator<u64> for Gaps {
    fn from_iter<I: IntoIterator<Item = u64>>(gaps: I) -> Self {
        let mut packed = Self::default();
        packed.extend(gaps);
        packed
    }
}

/// What bytes of distances come to.
struct Totals {
    /// Far below 2⁶⁴: there is no memory for so many.
    sum: u64,
    /// How many of them are long.
    long: usize,
}

impl Totals {
    /// So many bytes at a time that their sum has 16 bits and their number 8: narrow numbers are what
    /// vector registers add many of.
    const AT_ONCE: usize = 255;

    fn of(bytes: &[u8]) -> Self {
        let mut totals = Self { sum: 0, long: 0 };
        for bytes in bytes.chunks(Self::AT_ONCE) {
            let sum: u16 = bytes.iter().map(|&gap| u16::from(gap)).sum();
            let long: u8 = bytes.iter().map(|&gap| u8::from(gap == LONG)).sum();
            totals.sum += u64::from(sum);
            totals.long += usize::from(long);
        }
        totals
    }
}

/// Where the first `count` varints end.
fn varints_end(bytes: &[u8], count: usize) -> usize {
    let mut left = count;
    for (bytes, start) in bytes
        .chunks(Totals::AT_ONCE)
        .zip((0..).step_by(Totals::AT_ONCE))
    {
        let ends: u8 = bytes.iter().map(|&byte| u8::from(byte < 0x80)).sum();
        match left.checked_sub(usize::from(ends)) {
            Some(more) if more > 0 => left = more,
            Some(_) | None => {
                let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte < 0x80);
                let last = left
                    .checked_sub(1)
                    .and_then(|last| ends.map(|(at, _)| at).nth(last));
                return last.map_or(start, |last| start + last + 1);
            }
        }
    }
    bytes.len()
}

/// The sum of `count` varints, when all of them have one or two bytes and the shortest form, and
/// nothing else is there: many bytes at a time, without a branch for each varint.
fn sum_of_few_bytes(bytes: &[u8], count: usize) -> Option<u64> {
    let Some((&first, rest)) = bytes.split_first() else {
        return (count == 0).then_some(0);
    };
    let mut ends = usize::from(first < 0x80);
    let mut sum = u64::from(first & 0x7f);
    for (now, before) in rest
        .chunks(Totals::AT_ONCE)
        .zip(bytes.chunks(Totals::AT_ONCE))
    {
        let (mut low, mut high, mut ended, mut otherwise) = (0u16, 0u16, 0u8, 0u8);
        for (&byte, &before) in now.iter().zip(before) {
            let is_second = before >> 7;
            let number = byte & 0x7f;
            low += u16::from(number);
            high += u16::from(number & 0u8.wrapping_sub(is_second));
            ended += 1 - (byte >> 7);
            otherwise |= is_second & (byte >> 7 | u8::from(byte == 0));
        }
        if otherwise != 0 {
            return None;
        }
        sum += u64::from(low) + 127 * u64::from(high);
        ends += usize::from(ended);
    }
    let is_whole = bytes.last().is_some_and(|&last| last < 0x80);
    (is_whole && ends == count).then_some(sum)
}

/// Few distances are long where there are many.
#[cold]
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The varint that `bytes` begin with, of the shortest form, and what follows it.
#[inline]
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), SlotsError> {
    match bytes {
        [only @ ..0x80, tail @ ..] => Ok((u64::from(*only), tail)),
        // Here nearly all of the others end.
        [low, high @ 1..0x80, tail @ ..] => {
            Ok((u64::from(low & 0x7f) | u64::from(*high) << 7, tail))
        }
        _ => long_varint(bytes),
    }
}

/// The same, where it has several bytes or is none.
#[cold]
fn long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), SlotsError> {
    let end = bytes
        .iter()
        .take(VARINT_BYTES_MAX)
        .position(|&byte| byte < 0x80);
    let Some(last) = end else {
        let found = "a varint without end";
        return Err(malformed(found, "varints of at most 10 bytes"));
    };
    let (varint, tail) = bytes.split_at(last + 1);
    // The tenth byte has room for one bit only, and a zero at the end says nothing.
    if (last == VARINT_BYTES_MAX - 1 && varint[last] > 1) || (last > 0 && varint[last] == 0) {
        let found = "an overlong varint";
        return Err(malformed(found, "varints of the shortest form"));
    }
    let number = varint
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 7 | u64::from(byte & 0x7f));
    Ok((number, tail))
}

fn malformed(found: impl ToString, expected: &'static str) -> SlotsError {
    SlotsError {
        what: "list of long gaps",
        found: found.to_string(),
        expected,
    }
}

#[cfg(test)]
mod tests;
