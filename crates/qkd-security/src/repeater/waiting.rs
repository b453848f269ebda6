use crate::Error;
use crate::mathematics::{exp, exp_m1, ln, ln_1p, ln_gamma, log2, pow};
use crate::range;

/// Links above this number are refused: the exact waiting time takes about n² steps.
const LINKS_MAX: u32 = 1024;

/// Links that each try until they have a pair, keep it in a memory that never forgets, and are
/// swapped with certainty when the last has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// n: 1 to 1024.
    pub links: u32,
    /// p: probability that one attempt on one link gives a pair, (0, 1].
    pub success_probability: f64,
}

impl Waiting {
    /// The same when both lie in their range.
    fn checked(self) -> Result<Self, Error> {
        let links = f64::from(self.links);
        let holds = (1..=LINKS_MAX).contains(&self.links);
        range::require(
            "links",
            links,
            holds,
            "a number of links between 1 and 1024",
        )?;
        let p = self.success_probability;
        let expected = "a probability above 0 and at most 1";
        range::require("success_probability", p, p > 0.0 && p <= 1.0, expected)?;
        Ok(self)
    }

    /// E\[max of n independent geometric(p)\]: mean number of attempts until every link has a pair.
    ///
    /// Equals Σ_k (−1)^(k+1) C(n,k)/(1−(1−p)^k) (Bernardes, Praxmeyer and van Loock, PRA 83, 012323
    /// (2011)), whose terms cancel for many links; here instead by the first attempt: of j links
    /// without a pair i are left with probability C(j,i) q^i p^(j−i), a sum of positive terms.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the figure outside its range.
    pub fn mean_attempts(&self) -> Result<f64, Error> {
        let Waiting {
            links,
            success_probability: p,
        } = self.checked()?;
        if p == 1.0 {
            return Ok(1.0);
        }
        let (log_p, log_q) = (ln(p), ln_1p(-p));
        let count = links as usize;
        let log_factorial: Vec<f64> = (0..=links).map(|i| ln_gamma(f64::from(i) + 1.0)).collect();
        let mut mean = vec![0.0_f64; count + 1];
        for left in 1..=count {
            let mut attempts = 1.0;
            for still in 1..left {
                let done = left - still;
                let log_choices = log_factorial[left] - log_factorial[still] - log_factorial[done];
                let weight = exp(log_choices + still as f64 * log_q + done as f64 * log_p);
                attempts += weight * mean[still];
            }
            // 1 − q^j: with probability q^j the attempt changed nothing.
            mean[left] = attempts / -exp_m1(left as f64 * log_q);
        }
        Ok(mean[count])
    }

    /// (3/2)^(log₂ n)/p: the usual approximation for small p, too long by up to 40 % at n = 8.
    ///
    /// Jiang, Taylor and Lukin, PRA 76, 012301 (2007); Sangouard, Simon, de Riedmatten and Gisin,
    /// RMP 83, 33 (2011), where the factor 3/2 per level is discussed.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the figure outside its range.
    pub fn approximate_attempts(&self) -> Result<f64, Error> {
        let Waiting {
            links,
            success_probability,
        } = self.checked()?;
        Ok(pow(1.5, log2(f64::from(links))) / success_probability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference_table::Table;

    #[test]
    fn reference_rows_are_reproduced() {
        let table = Table::parse(include_str!("waiting_reference.csv"));
        for row in table.rows() {
            let waiting = Waiting {
                links: row.number("n_links") as u32,
                success_probability: row.number("p_link"),
            };
            row.assert_equal("E_max_attempts_exact", waiting.mean_attempts().unwrap());
            row.assert_equal("(3/2)^log2n/p", waiting.approximate_attempts().unwrap());
        }
    }

    /// For small p the longest of n exponential times: the harmonic number over p.
    #[test]
    fn many_links_wait_as_long_as_the_harmonic_number_says() {
        let waiting = Waiting {
            links: 500,
            success_probability: 1e-6,
        };
        let harmonic: f64 = (1..=500).map(|k| 1.0 / f64::from(k)).sum();
        let ratio = waiting.mean_attempts().unwrap() * 1e-6 / harmonic;
        assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
    }

    #[test]
    fn impossible_input_is_named() {
        for (links, success_probability, name) in [
            (0, 0.5, "links is 0"),
            (2000, 0.5, "links"),
            (2, 0.0, "success_probability is 0"),
        ] {
            let waiting = Waiting {
                links,
                success_probability,
            };
            let error = waiting.mean_attempts().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(waiting.approximate_attempts().is_err());
        }
        let certain = Waiting {
            links: 5,
            success_probability: 1.0,
        };
        assert_eq!(certain.mean_attempts().unwrap(), 1.0);
    }
}
