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
/// 2⁻⁹¹ of a row and to the rounding of the law itself.
pub(super) struct ClickTable {
    rows: Box<[Row; LAWS * ROWS]>,
    /// What decides when the 27 bits equal those of the row.
    fine: Box<[u64; LAWS * ROWS]>,
}

/// The 27 bits of a threshold stand above 5 zero bits.
#[derive(Clone, Copy, Default)]
struct Row {
    threshold: u32,
    below: Outcome,
    above: Outcome,
}

impl ClickTable {
    pub fn new(law: &ClickLaw) -> Self {
        let mut table = Self {
            rows: Box::new([Row::default(); LAWS * ROWS]),
            fine: Box::new([0; LAWS * ROWS]),
        };
        for code in 0..4 {
            for photons in 0..=PHOTONS_TABULATED {
                let state = State::from_code(code);
                table.build(first_row(state, photons), &law.outcomes(state, photons));
            }
        }
        table
    }

    /// What becomes of a pulse: `word` decides; in rare cases so do further bits of `further`.
    #[inline]
    pub fn draw(
        &self,
        pulse: &Pulse,
        word: u32,
        law: &ClickLaw,
        further: &mut SecretRng,
    ) -> Outcome {
        if pulse.photons > PHOTONS_TABULATED {
            return bright(law, pulse, further);
        }
        // The mask changes nothing: it proves the index to be inside.
        let row = (first_row(pulse.state, pulse.photons) + (word >> (32 - ROW_BITS)) as usize)
            & (LAWS * ROWS - 1);
        let Row {
            threshold,
            below,
            above,
        } = self.rows[row];
        let rest = word << ROW_BITS;
        if rest == threshold {
            return self.refine(row, further);
        }
        if rest < threshold { below } else { above }
    }

    #[cold]
    fn refine(&self, row: usize, further: &mut SecretRng) -> Outcome {
        if further.next_u64() < self.fine[row] {
            self.rows[row].below
        } else {
            self.rows[row].above
        }
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
        // What is left differs from a whole row by rounding alone.
        for row in small.into_iter().chain(large) {
            self.set(first + row, 0.0, [outcome(row); 2]);
        }
    }

    fn set(&mut self, row: usize, share: f64, [below, above]: [Outcome; 2]) {
        // Scaling by a power of two is exact, and so is the part behind the point.
        let scaled = share * f64::from(1u32 << (32 - ROW_BITS));
        let whole = scaled as u32;
        self.fine[row] = ((scaled - f64::from(whole)) * (1u128 << 64) as f64) as u64;
        self.rows[row] = Row {
            threshold: whole << ROW_BITS,
            below,
            above,
        };
    }
}

#[inline]
fn first_row(state: State, photons: u8) -> usize {
    (usize::from(state.code()) * (usize::from(PHOTONS_TABULATED) + 1) + usize::from(photons)) * ROWS
}

/// A pulse too bright for the tables: its law is made for it alone.
#[cold]
fn bright(law: &ClickLaw, pulse: &Pulse, further: &mut SecretRng) -> Outcome {
    let outcomes = law.outcomes(pulse.state, pulse.photons);
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
            for photons in 0..=PHOTONS_TABULATED {
                let state = State::from_code(code);
                let first = first_row(state, photons);
                let mut sums = [0.0; 64];
                for row in first..first + ROWS {
                    let Row {
                        threshold,
                        below,
                        above,
                    } = table.rows[row];
                    let coarse = f64::from(threshold) / 2f64.powi(32);
                    let fine = table.fine[row] as f64 / 2f64.powi(64 + 27);
                    let share = coarse + fine;
                    sums[usize::from(below.code())] += share / ROWS as f64;
                    sums[usize::from(above.code())] += (1.0 - share) / ROWS as f64;
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
