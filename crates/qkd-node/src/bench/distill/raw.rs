//! Raw blocks without light: one long run of detections that both sides draw from a public seed and
//! go through again and again, so that making them costs next to nothing while others are measured.
//!
//! Which bases, intensity classes and errors they have, and how far they lie apart, follows what the
//! link model expects per detection, each detection drawn on its own. A run is longer than a block
//! by half, so that no two blocks in a row are cut alike. Nothing in here is secret.

use std::ops::Range;

use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, Choice, Detection, IntensityClass};
use qkd_protocols::{AliceRecord, LinkSetup};

/// Detections of a run, at least.
const DETECTIONS_MIN: usize = 1 << 16;

/// Alice's and Bob's side of one detection, in one byte.
#[derive(Clone, Copy)]
struct Pair(u8);

const ALICE_X: u8 = 1;
const ALICE_BIT: u8 = 2;
const DECOY: u8 = 4;
const BOB_X: u8 = 8;
const BOB_BIT: u8 = 16;

impl Pair {
    fn is(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    fn choice(self) -> Choice {
        Choice {
            basis: basis(self.is(ALICE_X)),
            bit: self.is(ALICE_BIT),
            intensity: IntensityClass(u8::from(self.is(DECOY))),
        }
    }

    fn detection(self, slot: u64) -> Detection {
        Detection {
            slot,
            basis: basis(self.is(BOB_X)),
            bit: self.is(BOB_BIT),
        }
    }
}

fn basis(is_x: bool) -> Basis {
    if is_x { Basis::X } else { Basis::Z }
}

/// A run of detections without end, and how far one side has gone through it.
pub(super) struct Raw {
    /// Slots from the detection before.
    gaps: Vec<u32>,
    pairs: Vec<Pair>,
    next: usize,
    /// The slot of the detection before the next one; nothing before the first.
    slot: u64,
}

impl Raw {
    /// The run of a link; equal seeds give equal runs.
    pub(super) fn draw(setup: &LinkSetup, seed: u64) -> Self {
        let block = setup.plan.detections as usize;
        let len = (block + block / 2).max(DETECTIONS_MIN);
        let mut nature = PhysicsRng::from_seed(seed);
        let gaps = Gaps::of(setup);
        let kinds = Kinds::of(setup);
        Self {
            gaps: (0..len).map(|_| gaps.draw(&mut nature)).collect(),
            pairs: (0..len).map(|_| kinds.draw(&mut nature)).collect(),
            next: 0,
            slot: 0,
        }
    }

    /// Bob's next `count` detections.
    pub(super) fn detections(&mut self, count: usize) -> Vec<Detection> {
        let mut detections = Vec::with_capacity(count);
        while detections.len() < count {
            let part = self.part(count - detections.len());
            let slot = &mut self.slot;
            let new = self.gaps[part.clone()].iter().zip(&self.pairs[part]);
            detections.extend(new.map(|(&gap, pair)| {
                *slot += u64::from(gap);
                pair.detection(*slot)
            }));
        }
        detections
    }

    /// What Alice did in `slots`, which are further on and follow each other in the run; nothing
    /// when they are not.
    pub(super) fn recall(&mut self, slots: &[u64]) -> Option<AliceRecord> {
        let Some((&first, &last)) = slots.first().zip(slots.last()) else {
            return Some(AliceRecord::new([]));
        };
        // Bob forgets detections that belong to no block.
        while self.slot + self.gap() < first {
            self.slot += self.gap();
            self.part(1);
        }
        if self.slot + self.gap() != first {
            return None;
        }
        let mut choices = Vec::with_capacity(slots.len());
        while choices.len() < slots.len() {
            let part = self.part(slots.len() - choices.len());
            self.slot += self.gaps[part.clone()]
                .iter()
                .map(|&gap| u64::from(gap))
                .sum::<u64>();
            choices.extend(self.pairs[part].iter().map(|pair| pair.choice()));
        }
        (self.slot == last).then(|| AliceRecord::new(choices))
    }

    fn gap(&self) -> u64 {
        u64::from(self.gaps[self.next])
    }

    /// The next `count` places, or as many as there are before the run begins again.
    fn part(&mut self, count: usize) -> Range<usize> {
        let start = self.next;
        let end = (start + count).min(self.gaps.len());
        self.next = if end == self.gaps.len() { 0 } else { end };
        start..end
    }
}

/// Distances of detections: dead time, then a geometric wait.
struct Gaps {
    dead_time_slots: u32,
    /// ln(1 − p) of the probability that a live slot has a detection.
    ln_none: f64,
}

impl Gaps {
    fn of(setup: &LinkSetup) -> Self {
        let mean_slots = 1.0 / setup.link.expected().registered_probability;
        let dead_time_slots = setup.link.dead_time_slots;
        let live_slots = (mean_slots - dead_time_slots as f64).max(1.0);
        Self {
            // No detector is blind for a second of any clock there is.
            dead_time_slots: u32::try_from(dead_time_slots).unwrap_or(u32::MAX),
            ln_none: (-1.0 / live_slots).ln_1p(),
        }
    }

    fn draw(&self, nature: &mut PhysicsRng) -> u32 {
        let waited = ((1.0 - nature.uniform()).ln() / self.ln_none).min(1e9) as u32;
        (self.dead_time_slots + 1).saturating_add(waited)
    }
}

/// Bases, classes and errors.
struct Kinds {
    /// Rising sums of probabilities, each with the marks of what happens below it: both bases,
    /// class, and whether the bits differ.
    sums: Vec<(f64, u8, bool)>,
    /// What is left of the probability: the bases differ. Share of the decoy there.
    decoy_share: f64,
}

impl Kinds {
    fn of(setup: &LinkSetup) -> Self {
        let expected = setup.link.expected().per_detection;
        let mut sum = 0.0;
        let mut sums = Vec::new();
        for (statistics, bases) in [(expected.key, 0), (expected.test, ALICE_X | BOB_X)] {
            for (class, decoy) in [(0, 0), (1, DECOY)] {
                let (count, wrong) = (statistics.counts[class], statistics.errors[class]);
                for (probability, differs) in [(wrong, true), (count - wrong, false)] {
                    sum += probability;
                    sums.push((sum, bases | decoy, differs));
                }
            }
        }
        let [signal, decoy] = expected.key.counts;
        Self {
            sums,
            decoy_share: decoy / (signal + decoy),
        }
    }

    fn draw(&self, nature: &mut PhysicsRng) -> Pair {
        let bits = nature.next_u64();
        let at = nature.uniform();
        let kind = self.sums.iter().find(|(sum, _, _)| at < *sum);
        let (mut marks, differs) = match kind {
            Some(&(_, marks, differs)) => (marks, differs),
            None => {
                let decoy = nature.chance(self.decoy_share);
                let other = if bits & 4 != 0 { ALICE_X } else { BOB_X };
                (other | if decoy { DECOY } else { 0 }, bits & 2 != 0)
            }
        };
        let bit = bits & 1 != 0;
        marks |= if bit { ALICE_BIT } else { 0 };
        marks |= if bit != differs { BOB_BIT } else { 0 };
        Pair(marks)
    }
}
