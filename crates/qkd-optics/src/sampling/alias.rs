//! One draw from a finite law (Walker 1977, tables built as by Vose 1991).

use super::threshold;

/// An alias table: a draw costs one multiplication-free look-up and 64 uniform bits.
///
/// With 2ᵏ rows, k bits choose the row and the other 64 − k decide between its two outcomes, so
/// every probability is exact to 2⁻⁶⁴⁺ᵏ of a row.
pub(crate) struct Alias<T> {
    rows: Vec<Row<T>>,
    shift: u32,
}

struct Row<T> {
    threshold: u64,
    below: T,
    above: T,
}

impl<T: Copy> Alias<T> {
    /// The law that gives each outcome its weight; weights are not negative and not all zero.
    /// Returns nothing when there is no weight at all.
    pub fn new(law: &[(T, f64)]) -> Option<Self> {
        let total: f64 = law.iter().map(|(_, weight)| weight).sum();
        let &(first, _) = law.first()?;
        if total <= 0.0 {
            return None;
        }
        // At least two rows, so that the shift below stays under 64.
        let len = law.len().next_power_of_two().max(2);
        let mut share: Vec<f64> = law.iter().map(|(_, w)| w / total * len as f64).collect();
        share.resize(len, 0.0);
        let outcome = |row: usize| law.get(row).map_or(first, |&(value, _)| value);
        let mut rows: Vec<Row<T>> = (0..len)
            .map(|row| Row {
                threshold: u64::MAX,
                below: outcome(row),
                above: outcome(row),
            })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..len).partition(|&row| share[row] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            rows[poor].threshold = threshold(share[poor]);
            rows[poor].above = outcome(rich);
            share[rich] -= 1.0 - share[poor];
            if share[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        // What is left differs from 1 by rounding alone, unless it never had a weight.
        for row in small {
            if share[row] < 0.5 {
                rows[row].threshold = 0;
                rows[row].above = law.iter().max_by(|a, b| a.1.total_cmp(&b.1))?.0;
            }
        }
        Some(Self {
            rows,
            shift: len.trailing_zeros(),
        })
    }

    /// One outcome from 64 uniform bits.
    #[inline]
    pub fn draw(&self, bits: u64) -> T {
        let row = &self.rows[(bits >> (64 - self.shift)) as usize];
        if bits << self.shift < row.threshold {
            row.below
        } else {
            row.above
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qkd_bits::PhysicsRng;

    #[test]
    fn every_outcome_comes_at_its_weight() {
        let weights = [0.5, 0.25, 0.0, 0.2, 0.05];
        let law: Vec<(usize, f64)> = weights.iter().copied().enumerate().collect();
        let table = Alias::new(&law).expect("there is weight");
        let mut rng = PhysicsRng::from_seed(4);
        let mut counts = [0u32; 5];
        for _ in 0..1_000_000 {
            counts[table.draw(rng.next_u64())] += 1;
        }
        assert_eq!(counts[2], 0, "an outcome without weight was drawn");
        let chi2: f64 = counts
            .iter()
            .zip(weights)
            .filter(|&(_, w)| w > 0.0)
            .map(|(&c, w)| (f64::from(c) - 1e6 * w).powi(2) / (1e6 * w))
            .sum();
        assert!(
            chi2 < 30.7,
            "chi-square {chi2} with 3 degrees exceeds its 1e-6 quantile"
        );
    }

    #[test]
    fn a_single_outcome_is_always_drawn_and_no_weight_is_no_law() {
        let table = Alias::new(&[(7u8, 1e-200)]).expect("there is weight");
        assert_eq!([table.draw(0), table.draw(u64::MAX)], [7, 7]);
        assert!(Alias::new(&[(7u8, 0.0)]).is_none());
        assert!(Alias::<u8>::new(&[]).is_none());
    }
}
