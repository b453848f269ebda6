//! Raw blocks without light: one long run of detections that both sides draw from a public seed and
//! go through again and again, so that making them costs next to nothing while others are measured.
//!
//! Which bases, intensity classes and errors they have, and how far they lie apart, follows what the
//! link model expects per detection, each detection drawn on its own. A run is longer than a block
//! by half, so that no two blocks in a row are cut alike. Nothing in here is secret.

use qkd_bits::{PhysicsRng, SecretBits};
use qkd_optics::{Basis, Choice, Choices, Detection, Detections, IntensityClass, SlotList};
use qkd_protocols::LinkSetup;

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

/// Detections that are drawn and handed over together.
pub(super) const PIECE: usize = 1 << 8;

/// A piece of the run, on both sides.
struct Piece {
    /// Bob's side; slots count from the last detection of the piece before.
    detections: Detections,
    /// Alice's side.
    choices: Choices,
}

/// A run of detections without end, and how far one side has gone through it.
pub(super) struct Raw {
    pieces: Vec<Piece>,
    next: usize,
    /// The slot of the last detection before the next piece; nothing before the first.
    slot: u64,
}

impl Raw {
    /// The run of a link; equal seeds give equal runs.
    pub(super) fn draw(setup: &LinkSetup, seed: u64) -> Self {
        let block = setup.plan.detections as usize;
        let len = (block + block / 2).max(DETECTIONS_MIN);
        let mut nature = PhysicsRng::from_seed(seed);
        let (gaps, kinds) = (Gaps::of(setup), Kinds::of(setup));
        let mut piece = |_| {
            let mut slot = 0;
            let pairs: Vec<(u64, Pair)> = (0..PIECE)
                .map(|_| {
                    slot += u64::from(gaps.draw(&mut nature));
                    (slot, kinds.draw(&mut nature))
                })
                .collect();
            let detection = |(slot, pair): &(u64, Pair)| pair.detection(*slot);
            Piece {
                detections: pairs.iter().map(detection).collect(),
                choices: pairs.iter().map(|(_, pair)| pair.choice()).collect(),
            }
        };
        Self {
            pieces: (0..len.div_ceil(PIECE)).map(&mut piece).collect(),
            next: 0,
            slot: 0,
        }
    }

    /// Bob's detections of the next `count` pieces.
    pub(super) fn detections(&mut self, count: usize) -> Detections {
        let mut detections = Detections::with_capacity(count * PIECE);
        for _ in 0..count {
            detections.append_moved(&self.pieces[self.next].detections, self.slot);
            self.go_on();
        }
        detections
    }

    /// What Alice did in `slots`, which are further on and follow each other in the run; nothing
    /// when they are not.
    pub(super) fn recall(&mut self, slots: &SlotList) -> Option<Choices> {
        let Some(first) = slots.first() else {
            return Some(Choices::default());
        };
        // Bob forgets detections that belong to no block.
        while self.last_of_piece() < first {
            self.go_on();
        }
        let start = self.pieces[self.next]
            .detections
            .count_before(first.checked_sub(self.slot)?);
        let range = start..start + slots.len();
        let mut theirs = Detections::with_capacity(range.end + PIECE);
        let mut choices = Choices::with_capacity(range.end + PIECE);
        loop {
            let piece = &self.pieces[self.next];
            theirs.append_moved(&piece.detections, self.slot);
            choices.bases.append(&piece.choices.bases);
            choices.decoys.append(&piece.choices.decoys);
            choices.bits.append(&piece.choices.bits);
            if choices.len() >= range.end {
                break;
            }
            self.go_on();
        }
        let mut theirs = theirs.split_off(range.start);
        let _later = theirs.split_off(slots.len());
        let same = theirs.first_slot() == Some(first) && later_gaps(slots).view() == theirs.gaps();
        same.then(|| Choices {
            bases: choices.bases.slice(range.clone()),
            decoys: choices.decoys.slice(range.clone()),
            bits: SecretBits::from(choices.bits.expose().slice(range)),
        })
    }

    fn last_of_piece(&self) -> u64 {
        self.slot + self.pieces[self.next].detections.last_slot().unwrap_or(1)
    }

    fn go_on(&mut self) {
        self.slot = self.last_of_piece();
        self.next = (self.next + 1) % self.pieces.len();
    }
}

/// Distances between the slots of a list, without that to the first.
fn later_gaps(slots: &SlotList) -> qkd_optics::Gaps {
    let mut later = qkd_optics::Gaps::with_capacity(slots.len());
    let mut to_first = 1;
    for mut piece in slots.pieces() {
        let _first = piece.take_front(to_first);
        to_first = 0;
        later.append(piece);
    }
    later
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
