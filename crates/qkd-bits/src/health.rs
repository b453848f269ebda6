//! Health tests of a random generator: is it still one?
//!
//! The two continuous tests of NIST SP 800-90B (section 4.4), and two more that see what those do
//! not. They find a generator that has failed - stuck, biased, repeating itself - and say nothing
//! about one that somebody else can foresee: such a generator passes every test of its output.

mod defect;

pub use defect::Defect;

/// Bits of a window: what is looked at together.
pub const WINDOW_BITS: usize = 64 * WINDOW_WORDS;
pub(crate) const WINDOW_WORDS: usize = 128;
const WORD_BYTES: usize = 8;
/// Bits over which SP 800-90B counts a binary source (section 4.4.2).
const PROPORTION_BITS: usize = 1024;

/// Which test a generator has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HealthTest {
    /// The same bit too many times in a row: SP 800-90B, section 4.4.1.
    RepetitionCount,
    /// One bit too often among 1,024: SP 800-90B, section 4.4.2.
    AdaptiveProportion,
    /// One bit too often among 8,192: a bias of 60 to 40 shows here in every window, among 1,024
    /// bits in one of ten at best.
    LongProportion,
    /// The same 64 bits again: a generator that goes in a circle.
    Recurrence,
}

impl HealthTest {
    /// Its name, as alarms have it.
    pub fn name(self) -> &'static str {
        match self {
            HealthTest::RepetitionCount => "repetition-count",
            HealthTest::AdaptiveProportion => "adaptive-proportion",
            HealthTest::LongProportion => "long-proportion",
            HealthTest::Recurrence => "recurrence",
        }
    }

    /// What the test sees in a window of a sound generator on average. Of the longest run of equal bits
    /// it is log₂ 8192 + γ/ln 2 − ½ (Schilling, Coll. Math. J. 21, 196 (1990)); the largest of eight
    /// counts among 1,024 lies 1.4236 deviations above the mean of 1 + 1023/2, and the count of the
    /// commoner bit among 8,192 √(2/π) deviations above half.
    pub fn expected(self) -> f64 {
        match self {
            HealthTest::RepetitionCount => 13.3,
            HealthTest::AdaptiveProportion => 535.3,
            HealthTest::LongProportion => 4132.1,
            HealthTest::Recurrence => 0.0,
        }
    }

    fn evidence(self) -> &'static str {
        match self {
            HealthTest::RepetitionCount => "equal bits in a row",
            HealthTest::AdaptiveProportion => "equal bits among 1024",
            HealthTest::LongProportion => "equal bits among 8192",
            HealthTest::Recurrence => "repetitions of a 64-bit word",
        }
    }
}

/// A generator has failed. The evidence is how far, and not what it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the random generator failed the {} test: {observed} {}, {limit} is the limit",
    .test.name(),
    .test.evidence()
)]
pub struct HealthAlarm {
    /// The test.
    pub test: HealthTest,
    /// What it has seen.
    pub observed: u32,
    /// From where on it sounds.
    pub limit: u32,
}

/// From where on the tests sound, for samples of one bit of entropy each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOffs {
    repetition: u32,
    proportion: u32,
    long_proportion: u32,
}

impl CutOffs {
    /// A chance of 2⁻⁴⁰ for each sample and each window that a sound generator fails: 41 and 625 as in
    /// SP 800-90B. For what is tested once, at the start.
    pub const START: Self = Self {
        repetition: 41,
        proportion: 625,
        long_proportion: 4416,
    };

    /// The same with 2⁻⁶⁴. At a billion samples a second 2⁻⁴⁰ would stop a sound link twice an hour,
    /// this does in nine hundred years.
    pub const CONTINUOUS: Self = Self {
        repetition: 65,
        proportion: 657,
        long_proportion: 4508,
    };

    /// Longest run of equal bits that does not sound, plus one.
    pub fn repetition(&self) -> u32 {
        self.repetition
    }

    /// Equal bits among 1,024 from which on it sounds.
    pub fn proportion(&self) -> u32 {
        self.proportion
    }

    /// Equal bits among 8,192 from which on it sounds.
    pub fn long_proportion(&self) -> u32 {
        self.long_proportion
    }
}

/// The tests of one stream of bits, window by window. The first failure stays.
pub struct HealthTests {
    cut_offs: CutOffs,
    alarm: Option<HealthAlarm>,
    /// Equal bits at the end of what was seen, and the last of them.
    run: u32,
    last: u64,
    /// Windows seen, and the word that the first of a window is compared with: that of the window
    /// whose number was the latest power of two (Brent, BIT 20, 176 (1980)).
    windows: u64,
    mark: u64,
}

impl HealthTests {
    /// Tests with these limits that have seen nothing yet.
    pub fn new(cut_offs: CutOffs) -> Self {
        Self {
            cut_offs,
            alarm: None,
            run: 0,
            last: 0,
            windows: 0,
            mark: 0,
        }
    }

    /// The first failure.
    pub fn alarm(&self) -> Option<HealthAlarm> {
        self.alarm
    }

    /// Looks at all whole windows of `bytes`, which are samples from the lowest bit of the first byte
    /// on; what is left over at the end is not looked at.
    pub fn test(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<WORD_BYTES>();
        let (windows, _) = words.as_chunks::<WINDOW_WORDS>();
        for window in windows {
            self.window(window);
        }
    }

    fn window(&mut self, window: &[[u8; WORD_BYTES]; WINDOW_WORDS]) {
        let proportions = self.proportions(window);
        let run = self.longest_run(window);
        let again = self.recurrences(window);
        let limits = self.cut_offs;
        for (test, observed, limit) in [
            (HealthTest::RepetitionCount, run, limits.repetition),
            (HealthTest::Recurrence, again, 1),
            (
                HealthTest::AdaptiveProportion,
                proportions[0],
                limits.proportion,
            ),
            (
                HealthTest::LongProportion,
                proportions[1],
                limits.long_proportion,
            ),
        ] {
            if observed >= limit && self.alarm.is_none() {
                self.alarm = Some(HealthAlarm {
                    test,
                    observed,
                    limit,
                });
            }
        }
    }

    /// How often the first of 1,024 bits comes in them, at most over the window, and how often the
    /// commoner bit in all of the window.
    fn proportions(&self, window: &[[u8; WORD_BYTES]; WINDOW_WORDS]) -> [u32; 2] {
        let (mut most, mut all) = (0, 0);
        for part in window.chunks(PROPORTION_BITS / 64) {
            let ones = count_ones(part);
            let first_is_one = part[0][0] & 1 == 1;
            let as_first = if first_is_one {
                ones
            } else {
                PROPORTION_BITS as u32 - ones
            };
            most = as_first.max(most);
            all += ones;
        }
        [most, all.max(WINDOW_BITS as u32 - all)]
    }

    /// The longest run of equal bits that ends in the window, if it is at all long: a run of 31 has
    /// two whole bytes of a pair in it, and without such a pair only the seam between windows counts.
    fn longest_run(&mut self, window: &[[u8; WORD_BYTES]; WINDOW_WORDS]) -> u32 {
        let (pairs, _) = window.as_flattened().as_chunks::<2>();
        let mut uniform = 0;
        for pair in pairs {
            // 0 and 65535 become 1 and 0.
            uniform |= u16::from(u16::from_le_bytes(*pair).wrapping_add(1) < 2);
        }
        if uniform != 0 {
            return self.runs(window.iter().map(|word| u64::from_le_bytes(*word)));
        }
        let [first, before, last] =
            [0, WINDOW_WORDS - 2, WINDOW_WORDS - 1].map(|word| u64::from_le_bytes(window[word]));
        let seam = self.runs(std::iter::once(first));
        (self.run, self.last) = (0, before >> 63);
        self.runs(std::iter::once(last)).max(seam)
    }

    /// The longest run of equal bits in these words behind what was seen, as far as it ends in them or
    /// at their end.
    fn runs(&mut self, words: impl Iterator<Item = u64>) -> u32 {
        // Forty equal neighbours within a word cover its middle.
        const MIDDLE: u64 = 0xffff << 24;
        let mut longest = 0;
        for word in words {
            let changes = word ^ (word << 1 | self.last);
            self.run += changes.trailing_zeros();
            longest = self.run.max(longest);
            if changes != 0 {
                if changes & MIDDLE == 0 {
                    longest = longest_within(changes).max(longest);
                }
                self.run = 1 + changes.leading_zeros();
                longest = self.run.max(longest);
            }
            self.last = word >> 63;
        }
        longest
    }

    /// How many words of the window are its first one again, and whether that is the marked one.
    fn recurrences(&mut self, window: &[[u8; WORD_BYTES]; WINDOW_WORDS]) -> u32 {
        let first = u64::from_le_bytes(window[0]);
        // Half of a word is compared faster, and hardly ever equal by chance.
        let (halves, _) = window[1..].as_flattened().as_chunks::<4>();
        let half = first as u32;
        let mut equal = 0;
        for word in halves {
            equal |= u32::from(u32::from_le_bytes(*word) == half);
        }
        let mut again = 0;
        if equal != 0 {
            for word in &window[1..] {
                again += u32::from(u64::from_le_bytes(*word) == first);
            }
        }
        again += u32::from(self.windows > 0 && first == self.mark);
        if self.windows.is_power_of_two() || self.windows == 0 {
            self.mark = first;
        }
        self.windows += 1;
        again
    }
}

/// Ones among at most 1,024 bits. `u64::count_ones` is not made into vector instructions without ones
/// that not every machine has; this is, and twice as fast.
fn count_ones(words: &[[u8; WORD_BYTES]]) -> u32 {
    let mut bytes = 0;
    for word in words {
        let x = u64::from_le_bytes(*word);
        let x = x - (x >> 1 & 0x5555_5555_5555_5555);
        let x = (x & 0x3333_3333_3333_3333) + (x >> 2 & 0x3333_3333_3333_3333);
        // At most 8 in each byte, and 128 in the sum of sixteen.
        bytes += (x + (x >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    }
    let pairs = (bytes & 0x00ff_00ff_00ff_00ff) + (bytes >> 8 & 0x00ff_00ff_00ff_00ff);
    // Below 2¹⁶ in all: the product adds up in its highest part.
    (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as u32
}

/// The longest run between two changes of a word.
fn longest_within(mut changes: u64) -> u32 {
    let mut longest = 0;
    while changes != 0 {
        let rest = changes >> changes.trailing_zeros() >> 1;
        if rest != 0 {
            longest = longest.max(1 + rest.trailing_zeros());
        }
        changes = rest;
    }
    longest
}

impl Drop for HealthTests {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.mark);
    }
}

#[cfg(test)]
#[path = "health/tests.rs"]
mod tests;
