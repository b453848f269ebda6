//! The times of registered clicks, as Bob's clock measures them.

use qkd_bits::{PhysicsRng, SecretRng};

use super::outcome::Outcome;
use crate::sampling::binomial::multinomial;
use crate::{ARRIVAL_BINS, ArrivalMonitor};

/// Registered clicks of the detectors 0 and 1 alone, by their time within the slot.
pub type Arrivals = [[u64; ARRIVAL_BINS]; 2];

/// Counts clicks by when their light arrived; how the clock scatters them over the bins is drawn for
/// all of them together when it is read, which is the same law.
pub(super) struct ArrivalClock {
    monitor: ArrivalMonitor,
    /// Whether any light of the present pulses may arrive beside its time.
    pub crafted: bool,
    /// Clicks of each detector by arrival, ps; those in time first.
    light: Vec<(f64, [u64; 2])>,
    /// Clicks without light of their slot, at any time.
    noise: [u64; 2],
    rng: SecretRng,
}

impl ArrivalClock {
    pub fn new(monitor: ArrivalMonitor, physics: &mut PhysicsRng) -> Self {
        let mut seed = [0; 32];
        for bytes in seed.chunks_exact_mut(8) {
            bytes.copy_from_slice(&physics.next_u64().to_le_bytes());
        }
        Self {
            monitor,
            crafted: false,
            light: vec![(0.0, [0; 2])],
            noise: [0; 2],
            rng: SecretRng::from_seed(seed),
        }
    }

    /// A click of light that arrived so much later than its fellows, in ps.
    pub fn light(&mut self, outcome: Outcome, later_ps: f64) {
        let Some(detector) = alone(outcome) else {
            return;
        };
        let known = self.light.iter().position(|(at, _)| *at == later_ps);
        let place = known.unwrap_or_else(|| {
            self.light.push((later_ps, [0; 2]));
            self.light.len() - 1
        });
        self.light[place].1[detector] += 1;
    }

    /// A click in which there was noise.
    pub fn noise(&mut self, outcome: Outcome) {
        if let Some(detector) = alone(outcome) {
            self.noise[detector] += 1;
        }
    }

    /// The histograms since they were last taken.
    pub fn take(&mut self) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let even = [1.0 / ARRIVAL_BINS as f64; ARRIVAL_BINS];
        let noise = std::mem::take(&mut self.noise);
        let mut groups = vec![(even, noise)];
        let light = std::mem::replace(&mut self.light, vec![(0.0, [0; 2])]);
        groups.extend(
            light
                .iter()
                .map(|(at, counts)| (self.monitor.shares(*at), *counts)),
        );
        for (shares, counts) in groups {
            for (histogram, count) in arrivals.iter_mut().zip(counts) {
                let drawn = multinomial(count, &shares, &mut self.rng);
                for (bin, drawn) in histogram.iter_mut().zip(drawn) {
                    *bin += drawn;
                }
            }
        }
        arrivals
    }
}

/// The detector that fired, when only one did.
fn alone(outcome: Outcome) -> Option<usize> {
    match outcome.exits() {
        0b01 => Some(0),
        0b10 => Some(1),
        _both_or_none => None,
    }
}
