//! One table look-up per pulse: basis and clicks from 32 uniform bits.

use qkd_bits::SecretRng;

use super::click_law::ClickLaw;
use super::outcome::Outcome;
use crate::light::{Pulse, State};

/// Pulses of more photons are drawn without a table.
const PHOTONS_TABULATED: u8 = 7;
const ROWS: usize = 32;
const ROW_BITS: u32 = ROWS.trailing_zeros();
const LAWS: usize = 4 * (PHOTONS_TABULATED as usize + 1);

/// Alias tables (Walker 1977, built as by Vose 1991) of the law of every state and photon number.
///
/// The first 5 of 32 bits choose a row, the other 27 decide between its two outcomes, unless they
/// equal the row's threshold: then 64 further bits decide, so that every probability is exact to
/// 2⁻⁹¹ of a row and to the rounding of the law itself. Instead of the law of no photon, which no
/// pulse has, the tables hold one that leaves everything open: for brighter pulses than they know,
/// and for crafted ones, which say that they have none.
pub(super) struct ClickTable {
    rows: Box<[Row; LAWS * ROWS]>,
    /// What decides when the 27 bits equal those of the row.
    fine: Box<[u64; LAWS * ROWS]>,
}

/// One row in one word, so that choosing its outcome is a shift and no branch that is guessed wrong
/// half the time. From the lowest bit up: threshold (27 bits above 5 zero bits), the outcome below
/// it, the outcome from it on.
#[derive(Clone, Copy, Default)]
struct Row(u64);

impl Row {
    fn new(threshold: u32, [below, above]: [Outcome; 2]) -> Self {
        let outcomes = u64::from(below.code()) | u64::from(above.code()) << 8;
        Self(u64::from(threshold) | outcomes << 32)
    }

    #[inline]
    fn threshold(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn outcome(self, above: bool) -> u8 {
        (self.0 >> (32 + 8 * u32::from(above))) as u8
    }
}

impl ClickTable {
    pub fn new(law: &ClickLaw) -> Self {
        let mut table = Self {
            rows: Box::new([Row::default(); LAWS * ROWS]),
            fine: Box::new([0; LAWS * ROWS]),
        };
        for code in 0..4 {
            let state = State::from_code(code);
            table.build(first_row(state, 0), &[(Outcome::OPEN, 1.0)]);
            for photons in 1..=PHOTONS_TABULATED {
                table.build(first_row(state, photons), &law.outcomes(state, photons));
            }
        }
        table
    }

    /// What becomes of a pulse, from 32 uniform bits: [open](Outcome::OPEN) when it has more photons
    /// than the tables know, or when the bits leave the choice to further ones. No branch depends
    /// on the pulse.
    #[inline]
    pub fn draw(&self, pulse: &Pulse, word: u32) -> Outcome {
        let row = self.rows[row(pulse, word)];
        let rest = word << ROW_BITS;
        let open = u8::from(rest == row.threshold()) * Outcome::OPEN.code();
        Outcome::from_code(row.outcome(rest >= row.threshold()) | open)
    }

    /// What becomes of a pulse whose draw with `word` left that open.
    #[cold]
    pub fn close(
        &self,
        pulse: &Pulse,
        word: u32,
        law: &ClickLaw,
        further: &mut SecretRng,
    ) -> Outcome {
        if !(1..=PHOTONS_TABULATED).contains(&pulse.photons) {
            return without_table(law, pulse, further);
        }
        let row = row(pulse, word);
        let above = further.next_u64() >= self.fine[row];
        Outcome::from_code(self.rows[row].outcome(above))
    }

    fn build(&mut self, first: usize, law: &[(Outcome, f64)]) {
        debug_assert!(law.len() <= ROWS, "more outcomes than rows");
        let total: f64 = law.iter().map(|(_, weight)| weight).sum();
        let outcome = |row: usize| law.get(row).map_or(Outcome::default(), |&(value, _)| value);
        let mut share = [0.0; ROWS];
        for (share, (_, weight)) in share.iter_mut().zip(law) {
            *share = weight / total * ROWS as f64;
        }
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..ROWS).partition(|&row| share[row] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            self.set(first + poor, share[poor], [outcome(poor), outcome(rich)]);
            share[rich] -= 1.0 - share[poor];
            if share[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        // What is left differs from a whole row by rounding alone, unless it never had a weight.
        let likeliest = law.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        for row in small.into_iter().chain(large) {
            let whole = match likeliest {
                Some((likeliest, _)) if share[row] < 0.5 => *likeliest,
                Some(_) | None => outcome(row),
            };
            self.set(first + row, 0.0, [whole; 2]);
        }
    }

    fn set(&mut self, row: usize, share: f64, outcomes: [Outcome; 2]) {
        // Scaling by a power of two is exact, and so is the part behind the point.
        let scaled = share * f64::from(1u32 << (32 - ROW_BITS));
        let whole = scaled as u32;
        self.fine[row] = ((scaled - f64::from(whole)) * (1u128 << 64) as f64) as u64;
        self.rows[row] = Row::new(whole << ROW_BITS, outcomes);
    }
}

/// The row that `word` chooses for a pulse.
#[inline]
fn row(pulse: &Pulse, word: u32) -> usize {
    let photons = if pulse.photons <= PHOTONS_TABULATED {
        pulse.photons
    } else {
        0
    };
    // The mask changes nothing: it proves the index to be inside.
    (first_row(pulse.state, photons) + (word >> (32 - ROW_BITS)) as usize) & (LAWS * ROWS - 1)
}

#[inline]
fn first_row(state: State, photons: u8) -> usize {
    (usize::from(state.code()) * (usize::from(PHOTONS_TABULATED) + 1) + usize::from(photons)) * ROWS
}

/// A pulse too bright for the tables: its law is made for it alone.
fn without_table(law: &ClickLaw, pulse: &Pulse, further: &mut SecretRng) -> Outcome {
    let outcomes = match pulse.as_crafted() {
        Some(crafted) => law.outcomes_of_crafted(&crafted),
        None => law.outcomes(pulse.state, pulse.photons),
    };
    let mut left = further.uniform() * outcomes.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut last = Outcome::default();
    for (outcome, weight) in outcomes {
        if weight > 0.0 {
            last = outcome;
            if left < weight {
                break;
            }
            left -= weight;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::click_law::tests::law;

    /// Adds up the rows: every outcome of every law has its probability to 1e-15.
    #[test]
    fn the_rows_of_a_table_add_up_to_the_law() {
        let law = law();
        let table = ClickTable::new(&law);
        for code in 0..4 {
            for photons in 1..=PHOTONS_TABULATED {
                let state = State::from_code(code);
                let first = first_row(state, photons);
                let mut sums = [0.0; 128];
                for row in first..first + ROWS {
                    let [below, above] = [false, true].map(|above| table.rows[row].outcome(above));
                    let coarse = f64::from(table.rows[row].threshold()) / 2f64.powi(32);
                    let fine = table.fine[row] as f64 / 2f64.powi(64 + 27);
                    let share = coarse + fine;
                    sums[usize::from(below)] += share / ROWS as f64;
                    sums[usize::from(above)] += (1.0 - share) / ROWS as f64;
                }
                for (outcome, probability) in law.outcomes(state, photons) {
                    let sum = &mut sums[usize::from(outcome.code())];
                    assert!((*sum - probability).abs() < 1e-15);
                    *sum = 0.0;
                }
                assert!(sums.iter().all(|sum| sum.abs() < 1e-15));
            }
        }
    }
}
