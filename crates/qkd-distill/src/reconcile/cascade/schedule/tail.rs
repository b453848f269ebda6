//! What is asked while few errors are left: all odd leaves of all passes, halved as often at once as
//! saves rounds, and hunts for what shows in random subsets of the key alone.

use super::super::packed::Unpacker;
use super::{CHECKS, Hunt, Pass, Schedule};

/// Corrected errors for each search that may still be on when the third pass opens: the last few
/// are long chains of one correction a round.
const ERRORS_PER_STRAGGLER: usize = 500;
/// Share of what has been asked that a round may ask in excess, to spare further rounds.
const HASTE: f64 = 0.0003;
/// Passes at most; an honest key with a fair prior takes three or four.
const PASSES_MAX: usize = 12;
/// Hunts after which another pass is cheaper.
const HUNTS_PER_PASS: u32 = 3;
/// How often at most a leaf is halved at one time.
const LEVELS_MAX: u32 = 5;
/// Corrected errors for each odd leaf, below which passes take no turns: few searches do not
/// get in each other's way, and turns take rounds.
const ERRORS_PER_TURN: usize = 50;

/// Whose leaves are asked about when they are not so few after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    FirstPass,
    LaterPasses,
}

impl Schedule {
    /// Marks the leaves of a pass that start at `starts` as odd, to be asked about.
    #[inline(always)]
    pub(super) fn search(&mut self, number: usize, starts: &[u32]) {
        let pass = &mut self.passes[number];
        for &start in starts {
            pass.leaves.mark(start);
            pass.search(start);
        }
    }

    /// Learns the comparisons about leaves.
    #[inline(always)]
    pub(super) fn learn_about_few(&mut self, answers: &mut Unpacker) {
        for pass in &mut self.passes {
            pass.learn_parts(self.levels, answers);
        }
    }

    /// Learns the comparisons about subsets, and corrects what has been found.
    #[inline(always)]
    pub(super) fn learn_about_subsets(&mut self, answers: &mut Unpacker) {
        if std::mem::take(&mut self.checks_now) {
            self.odd_subsets = answers.take(CHECKS);
        }
        if let Some(hunt) = self.hunt.take() {
            let hunt = hunt.narrowed(self.levels, answers);
            if hunt.end - hunt.start == 1 {
                if self.take_down(&[hunt.start]) {
                    self.touch_all(&[hunt.start], None);
                }
            } else {
                self.hunt = Some(hunt);
            }
        }
    }

    /// Corrects every bit found wrong and every one that this finds.
    #[inline(always)]
    fn settle(&mut self) {
        let mut is_settled = false;
        while !is_settled && !self.contradicted {
            for (pass, touched) in self.passes.iter_mut().zip(&mut self.touched) {
                for start in touched.drain(..) {
                    if pass.leaves.odd(start) == 1 {
                        pass.search(start);
                    }
                }
            }
            is_settled = true;
            for number in 0..self.passes.len() {
                let found = self.passes[number].take_found();
                if !found.is_empty() {
                    self.correct_all(number, &found);
                    is_settled = false;
                }
            }
        }
    }

    /// Decides what is asked next.
    #[inline(always)]
    pub(super) fn next_round_of_few(&mut self) {
        self.settle();
        if self.contradicted {
            self.finished = true;
            return;
        }
        let searches = self.prepare();
        if self.passes.len() == 2 {
            if searches <= stragglers(self.errors_found) {
                self.open_pass();
                self.open_checks();
            }
        } else if searches == 0 && self.hunt.is_none() {
            self.confirm();
        }
        self.choose_levels(searches);
    }

    /// Puts together the leaves to ask about; gives how many there are, and at least one for each
    /// odd leaf that waits.
    #[inline(always)]
    fn prepare(&mut self) -> usize {
        let listed = self.passes.iter().map(Pass::listed).sum();
        if !self.are_many(listed) {
            return self.passes.iter_mut().map(Pass::prepare).sum();
        }
        for _ in 0..2 {
            let (first, later) = self.passes.split_at_mut(1);
            let (now, others, next) = match self.turn {
                Turn::FirstPass => (first, later, Turn::LaterPasses),
                Turn::LaterPasses => (later, first, Turn::FirstPass),
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

    /// Whether more searches go on after this round than there may be when a pass opens or nothing is
    /// left to ask. Corrections may end some of them, which is not known yet.
    pub(super) fn few_go_on(&self) -> bool {
        let asked = self.passes.iter().flat_map(|pass| &pass.asked);
        let left = asked.filter(|leaf| leaf.size_log2 > self.levels).count();
        let enough = match self.passes.len() {
            2 => stragglers(self.errors_found + self.questions),
            _ => 0,
        };
        left > enough
    }

    /// Whether so many odd leaves are to be searched by one pass after the other.
    #[inline(always)]
    pub(super) fn are_many(&self, odd_leaves: usize) -> bool {
        odd_leaves > self.errors_found / ERRORS_PER_TURN
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

    /// Halves leaves more than once when they are few, to spend fewer rounds on them: i times ask
    /// 2^i − 1 questions where i would do.
    fn choose_levels(&mut self, searches: usize) {
        let searches = searches + usize::from(self.hunt.is_some());
        let spare = HASTE * self.asked as f64;
        let mut levels = 1;
        while levels < LEVELS_MAX
            && (searches as f64) * f64::from((2u32 << levels) - 2 - levels) <= spare
        {
            levels += 1;
        }
        self.levels = levels;
    }

    /// Number of parities asked in this round about leaves and subsets.
    pub(super) fn questions_about_few(&self) -> usize {
        let mut questions = 0;
        if self.checks_now {
            questions += CHECKS;
        }
        for pass in &self.passes {
            questions += if self.levels == 1 {
                pass.asked.len()
            } else {
                pass.asked
                    .iter()
                    .map(|leaf| leaf.questions(self.levels))
                    .sum()
            };
        }
        if let Some(hunt) = self.hunt {
            questions += hunt.questions(self.levels);
        }
        questions
    }
}

/// Searches that may still be on when the third pass opens.
fn stragglers(errors_found: usize) -> usize {
    2 + errors_found / ERRORS_PER_STRAGGLER
}
