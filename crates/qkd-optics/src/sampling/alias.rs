//! One draw from a finite law (Walker 1977, tables built as by Vose 1991).

/// An alias table of `ROWS` rows, a power of two, that is asked with words of `WORD_BITS` bits.
///
/// The high bits of a word choose the row; the others decide between its two outcomes. When they
/// are equal to the row's threshold, as far as it fits into so few bits, 64 fresh bits go on
/// comparing with the next 64 of the threshold: a short word costs no precision, only a second
/// word now and then, and every probability is as exact as a double can say it.
///
/// There is neither a logarithm nor a branch that a processor could guess wrong more than once in
/// 2^`WORD_BITS` / `ROWS` draws, so that a draw takes two nanoseconds and is the same everywhere.
pub(crate) struct Alias<T, const ROWS: usize, const WORD_BITS: u32> {
    rows: Box<[Row<T>; ROWS]>,
    /// The next 64 bits of each row's threshold.
    fine: Box<[u64; ROWS]>,
}

#[derive(Clone, Copy)]
struct Row<T> {
    threshold: u32,
    /// What comes below the threshold, and what from it on.
    outcomes: [T; 2],
}

/// The threshold of a row that has one outcome alone: no word is equal to it.
const NEVER: u32 = u32::MAX;

impl<T: Copy, const ROWS: usize, const WORD_BITS: u32> Alias<T, ROWS, WORD_BITS> {
    /// Bits of a word that decide within a row.
    const FRACTION_BITS: u32 = {
        assert!(ROWS.is_power_of_two() && ROWS > 1 && WORD_BITS <= 32);
        WORD_BITS - ROWS.trailing_zeros()
    };

    /// The law that gives each outcome its weight; weights are not negative. Nothing when there is
    /// no weight at all.
    ///
    /// # Panics
    /// When there are more outcomes than rows.
    pub fn new(law: &[(T, f64)]) -> Option<Self> {
        assert!(law.len() <= ROWS, "{} outcomes, {ROWS} rows", law.len());
        let total: f64 = law.iter().map(|(_, weight)| weight).sum();
        let &(likeliest, _) = law.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        if total <= 0.0 {
            return None;
        }
        let mut share: Vec<f64> = law.iter().map(|(_, w)| w / total * ROWS as f64).collect();
        share.resize(ROWS, 0.0);
        let outcome = |row: usize| law.get(row).map_or(likeliest, |&(value, _)| value);
        let mut rows = Box::new(std::array::from_fn(|row| Row {
            threshold: NEVER,
            outcomes: [outcome(row); 2],
        }));
        let mut fine = Box::new([0; ROWS]);
        let mut split = |row: usize, share: f64, above: T| {
            let scaled = share * f64::from(1u32 << Self::FRACTION_BITS);
            rows[row].threshold = scaled as u32;
            rows[row].outcomes[1] = above;
            fine[row] = super::threshold(scaled - scaled.floor());
        };
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..ROWS).partition(|&row| share[row] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            split(poor, share[poor], outcome(rich));
            share[rich] -= 1.0 - share[poor];
            if share[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        // What is left differs from 1 by rounding alone, unless it never had a weight.
        for row in small {
            if share[row] < 0.5 {
                split(row, 0.0, likeliest);
            }
        }
        Some(Self { rows, fine })
    }

    /// One outcome from a uniform `word` below 2^`WORD_BITS`; `more` gives 64 further uniform bits
    /// in the rare case that they are needed.
    #[inline(always)]
    pub fn draw(&self, word: u32, more: impl FnOnce() -> u64) -> T {
        let index = (word >> Self::FRACTION_BITS) as usize & (ROWS - 1);
        let fraction = word & ((1 << Self::FRACTION_BITS) - 1);
        let row = &self.rows[index];
        if fraction == row.threshold {
            return self.draw_finely(index, more());
        }
        // An index costs less than a choice.
        row.outcomes[usize::from(fraction > row.threshold)]
    }

    /// The outcome of `word` and whether it is decided. When it is not, the outcome means nothing
    /// and the same word must go to [`draw`](Self::draw): for loops that are not to contain that
    /// rare case.
    #[inline(always)]
    pub fn draw_quickly(&self, word: u32) -> (T, bool) {
        let row = &self.rows[(word >> Self::FRACTION_BITS) as usize & (ROWS - 1)];
        let fraction = word & ((1 << Self::FRACTION_BITS) - 1);
        let outcome = row.outcomes[usize::from(fraction > row.threshold)];
        (outcome, fraction != row.threshold)
    }

    #[cold]
    #[inline(never)]
    fn draw_finely(&self, index: usize, bits: u64) -> T {
        self.rows[index].outcomes[usize::from(bits >= self.fine[index])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::PhysicsRng;

    fn check<const ROWS: usize, const WORD_BITS: u32>(weights: &[f64]) {
        let law: Vec<(usize, f64)> = weights.iter().copied().enumerate().collect();
        let table = Alias::<usize, ROWS, WORD_BITS>::new(&law).expect("there is weight");
        let mut rng = PhysicsRng::from_seed(4);
        let mut counts = vec![0u32; weights.len()];
        for _ in 0..1_000_000 {
            let word = (rng.next_u64() >> (64 - WORD_BITS)) as u32;
            counts[table.draw(word, || rng.next_u64())] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .zip(weights)
            .filter(|&(&count, &w)| {
                assert!(w > 0.0 || count == 0, "an outcome without weight was drawn");
                w > 0.0
            })
            .map(|(&c, w)| (f64::from(c) - 1e6 * w).powi(2) / (1e6 * w))
            .sum();
        assert!(
            chi2 < 33.4,
            "{ROWS} rows, {WORD_BITS} bits: chi-square {chi2} with 4 degrees exceeds its 1e-6 quantile"
        );
    }

    /// Also where the words are so short that most thresholds need the further bits.
    #[test]
    fn every_outcome_comes_at_its_weight_whatever_the_length_of_the_word() {
        let weights = [0.5, 0.25, 0.0, 0.2, 0.048, 0.002];
        check::<8, 32>(&weights);
        check::<256, 32>(&weights);
        check::<256, 16>(&weights);
        check::<8, 4>(&weights);
        check::<8, 3>(&weights);
    }

    /// Every row's share, added up outcome by outcome, is the weight to the last digits.
    #[test]
    fn probabilities_are_those_of_a_double() {
        let law: Vec<(u16, f64)> = (0..200).map(|i| (i, 0.9f64.powi(i.into()))).collect();
        let total: f64 = law.iter().map(|(_, w)| w).sum();
        let table = Alias::<u16, 256, 16>::new(&law).expect("there is weight");
        let mut shares = vec![0.0; 200];
        for (row, fine) in table.rows.iter().zip(table.fine.iter()) {
            let below = match row.threshold {
                NEVER => 1.0,
                coarse => (f64::from(coarse) + *fine as f64 / 2f64.powi(64)) / 256.0,
            };
            shares[usize::from(row.outcomes[0])] += below / 256.0;
            shares[usize::from(row.outcomes[1])] += (1.0 - below) / 256.0;
        }
        for ((outcome, weight), share) in law.iter().zip(shares) {
            let expected = weight / total;
            assert!(
                (share - expected).abs() < 1e-15 + 1e-12 * expected,
                "{outcome}: {share} instead of {expected}"
            );
        }
    }

    #[test]
    fn a_single_outcome_is_always_drawn_and_no_weight_is_no_law() {
        let table = Alias::<u8, 2, 32>::new(&[(7, 1e-200)]).expect("there is weight");
        assert_eq!([0, u32::MAX].map(|word| table.draw(word, || 0)), [7, 7]);
        assert!(Alias::<u8, 2, 32>::new(&[(7, 0.0)]).is_none());
        assert!(Alias::<u8, 2, 32>::new(&[]).is_none());
    }
}
