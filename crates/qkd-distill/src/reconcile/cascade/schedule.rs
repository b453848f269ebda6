//! The public half of Cascade: which parities are asked next, given all comparisons so far.
//!
//! Both sides run this over the same transcript and hence agree without naming a position.

use qkd_bits::{BitString, SecretRng};

use super::CascadePlan;
use super::instructions::{Instructions, Work};
use super::layout::Layout;
use super::packed::Unpacker;
use crate::Disclosed;

mod leaf;
mod opening;
mod pass;

pub(super) use leaf::{Hunt, Leaf};
use opening::{clear, ones};
pub(super) use pass::{Found, Pass};

/// Blocks of the first pass for each search that may still be on when the second pass opens, and
/// corrected errors for each when the third one does: the last few are long chains of one
/// correction a round.
const BLOCKS_PER_STRAGGLER: usize = 10;
const ERRORS_PER_STRAGGLER: usize = 500;
/// Corrected errors for each search, beyond which the passes take no turns: few searches do not
/// get in each other's way, and turns take rounds.
const ERRORS_PER_TURN: usize = 50;
/// Share of what has been asked that a round may ask in excess, to spare further rounds.
const HASTE: f64 = 0.0003;
/// Random subsets compared at the end: what slips through does so with probability 2⁻¹⁶.
pub(super) const CHECKS: usize = 16;
/// Passes at most; an honest key with a fair prior takes three or four.
const PASSES_MAX: usize = 12;
/// Hunts after which another pass is cheaper.
const HUNTS_PER_PASS: u32 = 3;
/// Rounds at most; an honest key takes 100 to 350.
const ROUNDS_MAX: u32 = 2000;
/// Range in which the prior error rate is taken seriously.
const PRIOR_RANGE: (f64, f64) = (1e-4, 0.25);
/// Most parts that a leaf is cut into at one time.
const PARTS_MAX: u32 = 32;

/// Whose leaves are asked about while there are many. A wrong bit sits in an odd leaf of either
/// pass, and whoever looks for it in both spends a bit in vain with each question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    FirstPass,
    LaterPasses,
}

/// The state of knowledge that both sides share.
pub(super) struct Schedule {
    layout: Layout,
    key_bits: usize,
    rng: SecretRng,
    instructions: Instructions,
    qber: f64,
    passes: Vec<Pass>,
    /// The pass whose blocks are asked about now.
    opens: Option<usize>,
    checks_now: bool,
    /// One uniform string, of which subset i takes the words from i on, and what is known of the
    /// errors in each subset. For any errors that are left the parities are uniform and
    /// independent: the one of subset i alone depends on the bit 64·i beyond the last error.
    subsets: Vec<u64>,
    odd_subsets: u64,
    hunt: Option<Hunt>,
    hunts: u32,
    turn: Turn,
    /// Into how many parts leaves are cut in this round.
    parts: u32,
    questions: usize,
    finished: bool,
    rounds: u32,
    asked: u64,
    answered: u64,
    errors: Vec<u64>,
    /// The bits of blocks that were even in the first pass, until the second one opens.
    even_blocks: Vec<u64>,
    contradicted: bool,
    errors_found: usize,
    found: Vec<Found>,
}

impl Schedule {
    pub(super) fn new(plan: &CascadePlan, instructions: Instructions) -> Self {
        let layout = Layout::new(plan.key_bits);
        let mut schedule = Self {
            layout,
            key_bits: plan.key_bits,
            rng: SecretRng::from_seed(plan.seed),
            instructions,
            qber: plan.prior_qber.clamp(PRIOR_RANGE.0, PRIOR_RANGE.1),
            passes: Vec::new(),
            opens: None,
            checks_now: false,
            subsets: Vec::new(),
            odd_subsets: 0,
            hunt: None,
            hunts: 0,
            turn: Turn::LaterPasses,
            parts: 2,
            questions: 0,
            finished: false,
            rounds: 0,
            asked: 0,
            answered: 0,
            errors: vec![0; plan.key_bits.div_ceil(64)],
            even_blocks: Vec::new(),
            contradicted: false,
            errors_found: 0,
            found: Vec::new(),
        };
        schedule.open_pass();
        schedule.count_questions();
        schedule
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn passes(&self) -> &[Pass] {
        &self.passes
    }

    /// The pass whose blocks are asked about in this round, after the leaves.
    pub(super) fn opens(&self) -> Option<usize> {
        self.opens
    }

    /// Whether the subsets are asked about in this round, after the blocks.
    pub(super) fn checks_now(&self) -> bool {
        self.checks_now
    }

    /// The bisection of a subset that is asked about last in this round.
    pub(super) fn hunt(&self) -> Option<Hunt> {
        self.hunt
    }

    /// Into how many parts leaves are cut in this round, where they are long enough.
    pub(super) fn parts(&self) -> u32 {
        self.parts
    }

    /// The words of all subsets: number i has those from i on.
    pub(super) fn subsets(&self) -> &[u64] {
        &self.subsets
    }

    /// The words of subset `check`, at least as many as the key has.
    pub(super) fn subset(&self, check: u32) -> &[u64] {
        &self.subsets[check as usize..]
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Number of parities asked in this round.
    pub(super) fn questions(&self) -> usize {
        self.questions
    }

    pub(super) fn disclosed(&self) -> Disclosed {
        Disclosed {
            from_alice_bits: self.asked,
            from_bob_bits: self.answered,
            verification_bits: 0,
        }
    }

    /// Positions corrected, ascending.
    pub(super) fn error_positions(&self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.errors_found);
        for (i, &word) in self.errors.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                positions.push(i as u32 * 64 + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        positions
    }

    /// Learns the comparisons of this round, one per question, and decides on the next. Gives the
    /// bits that Bob has to correct, each once for every pass that is open.
    pub(super) fn absorb(&mut self, differs: &BitString) -> Vec<Found> {
        self.answered += differs.len() as u64;
        self.rounds += 1;
        let instructions = self.instructions;
        let flips = instructions.run(Learn(self, differs));
        instructions.run(Decide(self));
        self.count_questions();
        flips
    }

    #[inline(always)]
    fn learn(&mut self, differs: &BitString) -> Vec<Found> {
        let mut answers = Unpacker::new(differs);
        let mut flips = Vec::new();
        if let [alone] = &mut self.passes[..]
            && self.parts == 2
        {
            alone.learn_halves::<false>(0, &mut answers, &mut self.found);
            self.correct_alone(&mut flips);
        } else {
            for (pass, number) in self.passes.iter_mut().zip(0..) {
                if self.parts == 2 {
                    pass.learn_halves::<true>(number, &mut answers, &mut self.found);
                } else {
                    pass.learn_parts(number, self.parts, &mut answers, &mut self.found);
                }
            }
        }
        if let Some(opened) = self.opens.take() {
            self.learn_blocks(opened, &mut answers);
        }
        if std::mem::take(&mut self.checks_now) {
            self.odd_subsets = answers.take(CHECKS);
        }
        if let Some(hunt) = self.hunt.take() {
            let hunt = hunt.narrowed(self.parts, &mut answers);
            if hunt.end - hunt.start == 1 {
                self.correct(hunt.start, &mut flips);
            } else {
                self.hunt = Some(hunt);
            }
        }
        self.settle(&mut flips);
        flips
    }

    #[inline(always)]
    fn learn_blocks(&mut self, opened: usize, answers: &mut Unpacker) {
        let pass = &mut self.passes[opened];
        let blocks = pass.leaves.blocks();
        let mut odd_blocks = 0;
        if opened == 0 {
            self.even_blocks = ones(self.key_bits, self.layout.words());
        }
        for first in (0..blocks.count()).step_by(64) {
            let mut rest = answers.take((blocks.count() - first).min(64) as usize);
            odd_blocks += rest.count_ones();
            while rest != 0 {
                let index = first + rest.trailing_zeros();
                rest &= rest - 1;
                let (start, end) = blocks.block(index);
                // What is asked about at once bears no mark, and in the first pass that is all.
                if opened > 0 || end - start == 1 {
                    pass.leaves.mark(start);
                }
                if opened == 0 {
                    clear(&mut self.even_blocks, start, end);
                }
                if end - start == 1 {
                    self.found.push(Found {
                        pass: opened as u32,
                        place: start,
                    });
                } else {
                    pass.asked.push(Leaf { start, end });
                }
            }
        }
        if opened == 0 {
            self.qber = self.estimate(odd_blocks, blocks);
        }
    }

    /// Corrects every bit found wrong while there is one pass, in which nothing follows from it.
    #[inline(always)]
    fn correct_alone(&mut self, flips: &mut Vec<Found>) {
        self.errors_found += self.found.len();
        flips.reserve(self.found.len());
        for found in self.found.drain(..) {
            self.errors[found.place as usize / 64] |= 1 << (found.place % 64);
            flips.push(found);
        }
    }

    /// Corrects every bit found wrong and every one that this finds.
    #[inline(always)]
    fn settle(&mut self, flips: &mut Vec<Found>) {
        let mut next = 0;
        while next < self.found.len() {
            let Found { pass, place } = self.found[next];
            next += 1;
            let pass = &self.passes[pass as usize];
            // Two passes may have found the same bit.
            if pass.leaves.odd(place) == 1 {
                self.correct(pass.order.position(place), flips);
            }
        }
        self.found.clear();
    }

    /// Corrects one bit, each at most once: an honest transcript locates no error twice and none in
    /// the fill, and one that does would have the leaves of two passes correct each other for ever.
    #[inline(always)]
    fn correct(&mut self, position: u32, flips: &mut Vec<Found>) {
        let (word, bit) = (position as usize / 64, 1 << (position % 64));
        if position as usize >= self.key_bits || self.errors[word] & bit != 0 {
            self.contradicted = true;
            return;
        }
        self.errors[word] |= bit;
        self.errors_found += 1;
        for (pass, number) in self.passes.iter_mut().zip(0..) {
            let place = pass.order.place(position);
            flips.push(Found {
                pass: number,
                place,
            });
            let start = pass.leaves.start_of(place);
            if pass.leaves.toggle(start) == 1 {
                let end = pass.leaves.end_of(start);
                if end - start == 1 {
                    self.found.push(Found {
                        pass: number,
                        place: start,
                    });
                } else {
                    pass.asked.push(Leaf { start, end });
                }
            }
        }
        if !self.subsets.is_empty() {
            for (check, subset) in self.subsets[word..].iter().take(CHECKS).enumerate() {
                self.odd_subsets ^= (subset >> (position % 64) & 1) << check;
            }
        }
    }

    /// Decides what is asked next.
    #[inline(always)]
    fn next_round(&mut self) {
        // A key that has leaked twice itself is lost, and only a liar contradicts itself or makes
        // so many rounds: verification tells.
        let lost = self.asked > 2 * self.key_bits as u64 + 4096;
        if lost || self.contradicted || self.rounds >= ROUNDS_MAX {
            self.finished = true;
            return;
        }
        let searches = self.prepare();
        match self.passes.len() {
            1 => {
                let blocks = self.passes[0].leaves.blocks().count() as usize;
                if searches <= blocks / BLOCKS_PER_STRAGGLER {
                    self.open_pass();
                }
            }
            2 => {
                if searches <= 2 + self.errors_found / ERRORS_PER_STRAGGLER {
                    self.open_pass();
                    self.open_checks();
                }
            }
            _ => {
                if searches == 0 && self.hunt.is_none() {
                    self.confirm();
                }
            }
        }
        self.choose_parts(searches);
    }

    /// Puts together the leaves to ask about; gives how many there are, and at least one for each
    /// odd leaf that waits.
    #[inline(always)]
    fn prepare(&mut self) -> usize {
        let (first, later) = match &mut self.passes[..] {
            [] => return 0,
            // Nothing can have become even meanwhile.
            [alone] => return alone.asked.len(),
            [first, later @ ..] => (first, later),
        };
        let listed = first.listed() + later.iter().map(Pass::listed).sum::<usize>();
        if listed <= self.errors_found / ERRORS_PER_TURN {
            return first.prepare() + later.iter_mut().map(Pass::prepare).sum::<usize>();
        }
        let first = std::slice::from_mut(first);
        for _ in 0..2 {
            let (now, others, next) = match self.turn {
                Turn::FirstPass => (&mut *first, &mut *later, Turn::LaterPasses),
                Turn::LaterPasses => (&mut *later, &mut *first, Turn::FirstPass),
            };
            others.iter_mut().for_each(Pass::wait);
            let searches: usize = now.iter_mut().map(Pass::prepare).sum();
            if searches > 0 {
                return searches + others.iter().map(Pass::listed).sum::<usize>();
            }
            self.turn = next;
        }
        0
    }

    /// With no odd leaf left: another pass, a hunt, or the end.
    fn confirm(&mut self) {
        if self.odd_subsets == 0 || self.layout.total() == 1 {
            self.finished = true;
        } else if self.hunts >= HUNTS_PER_PASS && self.passes.len() < PASSES_MAX {
            self.hunts = 0;
            self.open_pass();
        } else {
            self.hunts += 1;
            self.hunt = Some(Hunt {
                check: self.odd_subsets.trailing_zeros(),
                start: 0,
                end: self.key_bits as u32,
            });
        }
    }

    /// Cuts leaves into more than two parts when they are few, to spend fewer rounds on them:
    /// 2^i parts ask 2^i − 1 questions where i would do.
    fn choose_parts(&mut self, searches: usize) {
        let searches = searches + usize::from(self.hunt.is_some());
        let spare = HASTE * self.asked as f64;
        let mut levels = 1;
        while 2u32 << levels <= PARTS_MAX
            && (searches as f64) * f64::from((2u32 << levels) - 2 - levels) <= spare
        {
            levels += 1;
        }
        self.parts = 1 << levels;
    }

    fn count_questions(&mut self) {
        let mut questions = 0;
        if !self.finished {
            if let Some(opened) = self.opens {
                questions += self.passes[opened].leaves.blocks().count() as usize;
            }
            if self.checks_now {
                questions += CHECKS;
            }
            for pass in &self.passes {
                questions += if self.parts == 2 {
                    pass.asked.len()
                } else {
                    let cuts = |leaf: &Leaf| leaf.parts(self.parts) as usize - 1;
                    pass.asked.iter().map(cuts).sum()
                };
            }
            if let Some(hunt) = self.hunt {
                questions += hunt.parts(self.parts) as usize - 1;
            }
        }
        self.questions = questions;
        self.asked += questions as u64;
    }
}

/// Learns the comparisons of a round.
struct Learn<'a>(&'a mut Schedule, &'a BitString);

impl Work for Learn<'_> {
    type Outcome = Vec<Found>;

    #[inline(always)]
    fn run(self) -> Vec<Found> {
        self.0.learn(self.1)
    }
}

/// Decides on the next round.
struct Decide<'a>(&'a mut Schedule);

impl Work for Decide<'_> {
    type Outcome = ();

    #[inline(always)]
    fn run(self) {
        self.0.next_round();
    }
}
