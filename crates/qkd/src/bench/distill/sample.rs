//! Times of batches of blocks, and the one that stands for them.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::args::Effort;

/// A median needs as many.
const BATCHES_MIN: u64 = 3;

/// What `work` gives, and the time that this thread's core spent on it, user and system.
pub fn spent<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = thread_cpu();
    let done = work();
    (done, thread_cpu().saturating_sub(began))
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // A time of a thread is never negative, nor its nanoseconds a second or more.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Measured batches of blocks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples {
    /// Of each batch.
    ns_per_bit: Vec<f64>,
}

impl Samples {
    /// Adds a batch of so many bits.
    pub fn add(&mut self, bits: usize, time: Duration) {
        self.ns_per_bit.push(time.as_secs_f64() * 1e9 / bits as f64);
    }

    /// The median: a batch that somebody else disturbed does not move it.
    pub fn median_ns_per_bit(&self) -> f64 {
        median(&self.ns_per_bit)
    }

    /// The median over batches of what `per` is here over what it is there.
    pub fn median_ratio(&self, other: &Samples) -> f64 {
        let pairs = self.ns_per_bit.iter().zip(&other.ns_per_bit);
        let ratios: Vec<f64> = pairs.map(|(here, there)| here / there).collect();
        median(&ratios)
    }
}

/// The middle one, or the mean of the two in the middle; not a number when there is none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(high) = sorted.get(sorted.len() / 2) else {
        return f64::NAN;
    };
    let low = sorted.get((sorted.len() - 1) / 2).unwrap_or(high);
    (low + high) / 2.0
}

/// Blocks that are measured together, so that reading the clock costs nothing beside them.
pub fn batch(block_bits: usize, bits_min: usize) -> u64 {
    (bits_min / block_bits).max(1) as u64
}

/// Gives the size of one batch after the other until the effort is made.
pub struct Batches {
    effort: Effort,
    size: u64,
    began: Instant,
    given: u64,
}

impl Batches {
    /// None given yet, of so many blocks each.
    pub fn new(effort: Effort, size: u64) -> Self {
        Self {
            effort,
            size,
            began: Instant::now(),
            given: 0,
        }
    }
}

impl Iterator for Batches {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let size = match self.effort {
            Effort::Blocks(blocks) => self.size.min(blocks - self.given),
            Effort::Seconds(seconds)
                if self.given >= BATCHES_MIN * self.size
                    && self.began.elapsed().as_secs_f64() >= seconds =>
            {
                0
            }
            Effort::Seconds(_) => self.size,
        };
        self.given += size;
        (size > 0).then_some(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_batch_has_what_is_left() {
        let sizes: Vec<u64> = Batches::new(Effort::Blocks(10), 4).collect();
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(Batches::new(Effort::Seconds(1e-9), 4).count(), 3);
        assert_eq!(batch(1000, 65_536), 65);
        assert_eq!(batch(1 << 20, 65_536), 1);
    }

    #[test]
    fn one_disturbed_batch_does_not_move_the_figure() {
        let mut samples = Samples::default();
        for micros in [20, 21, 5000, 22, 20] {
            samples.add(10_000, Duration::from_micros(micros));
        }
        assert!((samples.median_ns_per_bit() - 2.1).abs() < 1e-12);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn work_takes_time_of_its_thread_and_sleep_takes_none() {
        let ((), slept) = spent(|| std::thread::sleep(Duration::from_millis(30)));
        let (sum, worked) = spent(|| (0..3_000_000_u64).map(std::hint::black_box).sum::<u64>());
        assert!(sum > 0 && worked > slept, "{worked:?} {slept:?}");
    }
}
