//! The public half of Cascade: which parities are asked next, given all comparisons so far.
//!
//! Both sides run this over the same transcript and hence agree without naming a position.

use qkd_bits::{BitString, SecretRng};

use super::CascadePlan;
use super::instructions::{Instructions, Work};
use super::layout::Layout;
use super::packed::Unpacker;
use crate::Disclosed;

mod descent;
mod leaf;
mod opening;
mod pass;
mod tail;

pub(super) use descent::Descent;
pub(super) use leaf::{Hunt, Leaf};
use opening::{clear_all, ones};
pub(super) use pass::Pass;
use tail::Turn;

/// Random subsets compared at the end: what slips through does so with probability 2⁻¹⁶.
pub(super) const CHECKS: usize = 16;
/// Words after which the subsets repeat: drawing a longer string would take a share of the time.
pub(super) const SUBSET_WORDS: usize = 1024;
/// Rounds at most; an honest key takes 100 to 350.
const ROUNDS_MAX: u32 = 2000;
/// Range in which the prior error rate is taken seriously.
const PRIOR_RANGE: (f64, f64) = (1e-4, 0.25);

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
    /// While there are many odd leaves: those of one pass, all halved at one time. A wrong bit sits
    /// in an odd leaf of either pass, and whoever looks for it in both spends a bit in vain with
    /// each question; so the passes take turns. Meanwhile nothing else is asked.
    descent: Option<Descent>,
    checks_now: bool,
    /// One uniform string, of which subset i takes the words from i on, again and again, and what
    /// is known of the errors in each subset. For any errors that are left the parities are uniform
    /// and independent, unless they cancel at distances of [`SUBSET_WORDS`]: of what does not, the
    /// parity of subset i alone depends on the bit 64·i beyond the last error.
    subsets: Vec<u64>,
    odd_subsets: u64,
    hunt: Option<Hunt>,
    hunts: u32,
    turn: Turn,
    /// How often leaves outside a descent are halved in this round, where they are long enough.
    levels: u32,
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
    /// Where leaves of each pass start that corrections have changed.
    touched: Vec<Vec<u32>>,
    /// What Bob has to correct: where each pass, as far as they were open, reads the wrong bits.
    flips: Vec<Vec<u32>>,
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
            descent: None,
            checks_now: false,
            subsets: Vec::new(),
            odd_subsets: 0,
            hunt: None,
            hunts: 0,
            turn: Turn::LaterPasses,
            levels: 1,
            questions: 0,
            finished: false,
            rounds: 0,
            asked: 0,
            answered: 0,
            errors: vec![0; plan.key_bits.div_ceil(64)],
            even_blocks: Vec::new(),
            contradicted: false,
            errors_found: 0,
            touched: Vec::new(),
            flips: Vec::new(),
        };
        instructions.run(Open(&mut schedule));
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

    /// The leaves that are halved in this round, before anything else is asked.
    pub(super) fn descent(&self) -> Option<&Descent> {
        self.descent.as_ref()
    }

    /// Whether the subsets are asked about in this round, after the blocks.
    pub(super) fn checks_now(&self) -> bool {
        self.checks_now
    }

    /// The bisection of a subset that is asked about last in this round.
    pub(super) fn hunt(&self) -> Option<Hunt> {
        self.hunt
    }

    /// How often leaves outside a descent are halved in this round, where they are long enough.
    pub(super) fn levels(&self) -> u32 {
        self.levels
    }

    /// The words of all subsets: number i has those from i on, [`SUBSET_WORDS`] again and again.
    pub(super) fn subsets(&self) -> &[u64] {
        &self.subsets
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Number of parities asked in this round.
    pub(super) fn questions(&self) -> usize {
        self.questions
    }

    /// Bits of the key that learning this round and asking the next one probably goes through.
    pub(super) fn next_scan_bits(&self) -> usize {
        let is_halving = match &self.descent {
            Some(descent) => !descent.ends_next(),
            None => self.few_go_on(),
        };
        let scans = self.opens.is_some() || self.checks_now || self.hunt.is_some();
        if is_halving && !scans {
            0
        } else {
            self.key_bits
        }
    }

    pub(super) fn disclosed(&self) -> Disclosed {
        Disclosed {
            from_alice_bits: self.asked,
            from_bob_bits: self.answered,
            verification_bits: 0,
        }
    }

    /// The bits corrected, set.
    pub(super) fn into_errors(self) -> BitString {
        BitString::from_words(self.errors, self.key_bits)
    }

    /// Learns the comparisons of this round, one per question, and decides on the next. Gives the
    /// places that Bob has to correct, in each pass that was open.
    pub(super) fn absorb(&mut self, differs: &BitString) -> &[Vec<u32>] {
        self.answered += differs.len() as u64;
        self.rounds += 1;
        self.flips.clear();
        self.flips.resize(self.passes.len(), Vec::new());
        self.instructions.run(Absorb(self, differs));
        self.count_questions();
        &self.flips
    }

    #[inline(always)]
    fn learn(&mut self, differs: &BitString) {
        let mut answers = Unpacker::new(differs);
        if let Some(descent) = &mut self.descent {
            descent.learn(&mut answers);
        } else {
            self.learn_about_few(&mut answers);
        }
        if let Some(opened) = self.opens.take() {
            self.learn_blocks(opened, &mut answers);
        }
        self.learn_about_subsets(&mut answers);
    }

    #[inline(always)]
    fn learn_blocks(&mut self, opened: usize, answers: &mut Unpacker) {
        let pass = &mut self.passes[opened];
        let blocks = pass.leaves.blocks();
        let mut descent = Descent::new(opened, blocks.count() as usize / 2 + 64);
        for region in blocks.regions() {
            descent.add_blocks(region, answers);
        }
        let starts = descent.starts();
        if opened == 0 {
            self.even_blocks = ones(self.key_bits, self.layout.words());
            let [region, _] = blocks.regions();
            clear_all(&mut self.even_blocks, starts, region.size_log2());
            self.qber = self.estimate(starts.len() as u32, blocks);
        }
        if opened < 2 {
            self.descent = Some(descent);
        } else {
            self.search(opened, starts);
        }
    }

    /// Decides what is asked next.
    #[inline(always)]
    fn next_round(&mut self) {
        while !self.contradicted
            && let Some(descent) = self.descent.take_if(|descent| descent.is_over())
        {
            self.end_descent(descent);
        }
        // A key that has leaked twice itself is lost, and only a liar contradicts itself or makes
        // so many rounds: verification tells.
        let lost = self.asked > 2 * self.key_bits as u64 + 4096;
        if lost || self.contradicted || self.rounds >= ROUNDS_MAX {
            self.finished = true;
            return;
        }
        if self.descent.is_none() && self.passes.len() > 1 && self.opens.is_none() {
            self.next_round_of_few();
        }
    }

    /// Corrects what a descent has found, and opens the second pass or has the other pass take its
    /// turn, while that has many odd leaves.
    #[inline(always)]
    fn end_descent(&mut self, descent: Descent) {
        let number = descent.pass();
        let places = descent.end(&mut self.passes[number]);
        self.correct_all(number, &places);
        if self.passes.len() == 1 {
            self.open_pass();
            return;
        }
        let other = 1 - number;
        let mut odd = std::mem::take(&mut self.touched[other]);
        let pass = &mut self.passes[other];
        pass.leaves.unmark_all(&mut odd);
        if self.are_many(odd.len()) {
            self.descent = Some(Descent::of_leaves(other, &self.passes[other], &odd));
        } else {
            self.search(other, &odd);
        }
    }

    /// Corrects the bits that pass `number` reads at `places`: there they are leaves of their own,
    /// not marked any more, and in the other passes the leaves that hold them are touched.
    ///
    /// Each bit is corrected at most once: an honest transcript locates no error twice and none in
    /// the fill, and one that does would have the leaves of two passes correct each other for ever.
    #[inline(always)]
    fn correct_all(&mut self, number: usize, places: &[u32]) {
        let order = &self.passes[number].order;
        if !places.iter().all(|&place| order.reads(place, self.layout)) {
            self.contradicted = true;
            return;
        }
        let positions = order.positions(places);
        if self.take_down(&positions) {
            self.touch_all(&positions, Some(number));
            self.note_flips(number, places);
        }
    }

    /// Takes down that the bits at `positions` are corrected; gives whether they can be.
    #[inline(always)]
    fn take_down(&mut self, positions: &[u32]) -> bool {
        if !positions.iter().all(|&at| (at as usize) < self.key_bits) {
            self.contradicted = true;
            return false;
        }
        let mut twice = 0;
        for &position in positions {
            let word = &mut self.errors[position as usize / 64];
            twice |= *word >> (position % 64) & 1;
            *word |= 1 << (position % 64);
        }
        self.errors_found += positions.len();
        self.contradicted |= twice == 1;
        if !self.subsets.is_empty() {
            for &position in positions {
                let word = position as usize / 64 % SUBSET_WORDS;
                for (check, subset) in self.subsets[word..].iter().take(CHECKS).enumerate() {
                    self.odd_subsets ^= (subset >> (position % 64) & 1) << check;
                }
            }
        }
        twice == 0
    }

    /// Changes the marks of the leaves that hold the bits at `positions`, in all passes but one.
    #[inline(always)]
    fn touch_all(&mut self, positions: &[u32], except: Option<usize>) {
        for number in (0..self.passes.len()).filter(|&number| Some(number) != except) {
            let pass = &mut self.passes[number];
            let places = pass.order.places(positions);
            pass.leaves.toggle_all(&places, &mut self.touched[number]);
            self.note_flips(number, &places);
        }
    }

    /// Has Bob correct what a pass reads at `places`.
    #[inline(always)]
    fn note_flips(&mut self, number: usize, places: &[u32]) {
        // A pass that opens in this round is read when they are right.
        if let Some(flips) = self.flips.get_mut(number) {
            flips.extend_from_slice(places);
        }
    }

    fn count_questions(&mut self) {
        let mut questions = 0;
        if !self.finished {
            questions += match &self.descent {
                Some(descent) => descent.questions(),
                None => self.questions_about_few(),
            };
            if let Some(opened) = self.opens {
                questions += self.passes[opened].leaves.blocks().count() as usize;
            }
        }
        self.questions = questions;
        self.asked += questions as u64;
    }
}

/// Opens the first pass.
struct Open<'a>(&'a mut Schedule);

impl Work for Open<'_> {
    type Outcome = ();

    #[inline(always)]
    fn run(self) {
        self.0.open_pass();
    }
}

/// Learns the comparisons of a round and decides on the next.
struct Absorb<'a>(&'a mut Schedule, &'a BitString);

impl Work for Absorb<'_> {
    type Outcome = ();

    #[inline(always)]
    fn run(self) {
        self.0.learn(self.1);
        self.0.next_round();
    }
}
