//! What is asked while few errors are left: all odd leaves of all passes, halved as often at once as
//! saves rounds, and hunts for what shows in random subsets of the key alone.

use super::super::packed::Unpacker;
use super::{CHECKS, Descent, Found, Hunt, Leaf, Schedule};

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
/// Corrected errors for each odd leaf, below which two passes take no turns: few searches do not
/// get in each other's way, and turns take rounds.
const ERRORS_PER_TURN: usize = 50;

impl Schedule {
    /// Marks the leaves of a pass that start at `starts` as odd, to be asked about.
    #[inline(always)]
    pub(super) fn search(&mut self, number: usize, starts: &[u32]) {
        for &start in starts {
            self.passes[number].leaves.mark(start);
            self.search_marked(number, start);
        }
    }

    /// Has the leaf of a pass that starts at `start`, marked, be asked about.
    #[inline(always)]
    fn search_marked(&mut self, number: usize, start: u32) {
        let pass = &mut self.passes[number];
        let size_log2 = (pass.leaves.end_of(start) - start).trailing_zeros();
        if size_log2 == 0 {
            self.found.push(Found {
                pass: number,
                place: start,
            });
        } else {
            pass.asked.push(Leaf { start, size_log2 });
        }
    }

    /// Learns the comparisons about leaves.
    #[inline(always)]
    pub(super) fn learn_about_few(&mut self, answers: &mut Unpacker) {
        for (number, pass) in self.passes.iter_mut().enumerate() {
            pass.learn_parts(number, self.levels, answers, &mut self.found);
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
                self.correct(hunt.start);
            } else {
                self.hunt = Some(hunt);
            }
        }
    }

    /// Corrects every bit found wrong and every one that this finds.
    #[inline(always)]
    fn settle(&mut self) {
        let mut next = 0;
        while next < self.found.len() && !self.contradicted {
            let Found { pass, place } = self.found[next];
            next += 1;
            let pass = &self.passes[pass];
            // Two passes may have found the same bit.
            if pass.leaves.odd(place) == 1 {
                if pass.order.reads(place, self.layout) {
                    self.correct(pass.order.position(place));
                } else {
                    self.contradicted = true;
                }
            }
        }
        self.found.clear();
    }

    /// Corrects one bit, each at most once: an honest transcript locates no error twice and none in
    /// the fill, and one that does would have the leaves of two passes correct each other for ever.
    #[inline(always)]
    fn correct(&mut self, position: u32) {
        let (word, bit) = (position as usize / 64, 1 << (position % 64));
        if position as usize >= self.key_bits || self.errors[word] & bit != 0 {
            self.contradicted = true;
            return;
        }
        self.errors[word] |= bit;
        self.errors_found += 1;
        for number in 0..self.passes.len() {
            let pass = &mut self.passes[number];
            let place = pass.order.place(position);
            // A pass that opens in this round is read when this is right.
            if let Some(flips) = self.flips.get_mut(number) {
                flips.push(place);
            }
            let start = pass.leaves.start_of(place);
            if pass.leaves.toggle(start) == 1 {
                self.search_marked(number, start);
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
    pub(super) fn next_round_of_few(&mut self) {
        self.settle();
        if self.contradicted {
            self.finished = true;
            return;
        }
        let searches = self.passes.iter_mut().map(|pass| pass.prepare()).sum();
        if self.passes.len() == 2 {
            if self.are_many(searches) {
                self.take_turns();
                return;
            }
            if searches <= 2 + self.errors_found / ERRORS_PER_STRAGGLER {
                self.open_pass();
                self.open_checks();
            }
        } else if searches == 0 && self.hunt.is_none() {
            self.confirm();
        }
        self.choose_levels(searches);
    }

    /// Whether so many odd leaves are to be searched by one pass after the other.
    #[inline(always)]
    pub(super) fn are_many(&self, odd_leaves: usize) -> bool {
        odd_leaves > self.errors_found / ERRORS_PER_TURN
    }

    /// Has the one of two passes with more odd leaves search them, and the other one wait.
    #[inline(always)]
    fn take_turns(&mut self) {
        let first = usize::from(self.passes[1].asked.len() > self.passes[0].asked.len());
        let pass = &mut self.passes[1 - first];
        for leaf in &pass.asked {
            pass.leaves.mark(leaf.start);
        }
        let asked = std::mem::take(&mut self.passes[first].asked);
        let starts: Vec<u32> = asked.iter().map(|leaf| leaf.start).collect();
        self.descent = Some(Descent::of_leaves(first, &self.passes[first], &starts));
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
