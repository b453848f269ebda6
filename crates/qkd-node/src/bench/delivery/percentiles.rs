//! How long calls took: their order statistics.

use std::time::Duration;

/// Times of many calls, shortest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Percentiles(Vec<Duration>);

impl From<Vec<Duration>> for Percentiles {
    fn from(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }
}

impl Percentiles {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The shortest time that at least `share` of the calls, 0 to 1, did not exceed, ms; nothing
    /// without calls.
    pub fn ms(&self, share: f64) -> Option<f64> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let time = self.0.get(rank.saturating_sub(1))?;
        Some(time.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_so_many_did_not_exceed() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let times = Percentiles::from(times);
        assert_eq!(times.count(), 200);
        let ms = [0.0, 0.5, 0.99, 1.0].map(|share| times.ms(share).unwrap());
        assert_eq!(ms, [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(Percentiles::default().ms(0.5), None);
    }
}
