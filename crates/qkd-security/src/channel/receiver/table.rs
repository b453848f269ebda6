use super::{Receiver, Registering};
use crate::mathematics::{exp, ln};

/// Step of the table, in the logarithm of the click probability.
const STEP: f64 = 0.25;

/// Dead time and afterpulses of a [`Receiver`] over a range of click probabilities, for whoever
/// asks hundreds of times: solving the chain of trapped charges takes far longer than all the rest
/// of a plan's point. Cubic between exact points, right to a few parts in 10⁵; a search may use it
/// and must not show it.
#[derive(Clone, Debug)]
pub(crate) struct RegisteringTable {
    receiver: Receiver,
    /// ln of the click probability at the first point.
    from: f64,
    /// At steps of [`STEP`]; empty where exact values cost nothing.
    points: Vec<Registering>,
}

impl RegisteringTable {
    /// A table for click probabilities from `least` to `most`, both in (0, 1].
    pub fn new(receiver: &Receiver, [least, most]: [f64; 2]) -> Self {
        let (from, to) = (ln(least) - STEP, ln(most) + STEP);
        let exact_is_cheap = receiver.memory.afterpulse_probability == 0.0;
        let steps = if exact_is_cheap {
            0
        } else {
            ((to - from) / STEP) as usize + 2
        };
        let at = |i: usize| receiver.registering(exp(from + STEP * i as f64).min(1.0));
        RegisteringTable {
            receiver: *receiver,
            from,
            points: (0..steps).map(at).collect(),
        }
    }

    /// As [`Receiver::registering`], exactly so outside the table.
    pub fn registering(&self, click_probability: f64) -> Registering {
        let place = (ln(click_probability) - self.from) / STEP;
        let before = place.floor();
        let inside = before >= 1.0 && before + 3.0 <= self.points.len() as f64;
        if !inside {
            return self.receiver.registering(click_probability);
        }
        let x = place - before;
        // Lagrange through the two points on either side.
        let weights = [
            -x * (x - 1.0) * (x - 2.0) / 6.0,
            (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0,
            -(x + 1.0) * x * (x - 2.0) / 2.0,
            (x + 1.0) * x * (x - 1.0) / 6.0,
        ];
        let first = before as usize - 1;
        let near = &self.points[first..first + 4];
        let sum = |part: fn(&Registering) -> f64| {
            let terms = near.iter().zip(weights);
            terms.map(|(point, weight)| weight * part(point)).sum()
        };
        Registering {
            fired: sum(|point| point.fired),
            one_silent: sum(|point| point.one_silent),
            light: sum(|point| point.light),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Memory;
    use crate::channel::trapped::Mark;

    #[test]
    fn the_table_is_near_the_exact_chain() {
        let (mut most, mut tried) = (0.0_f64, 0);
        for afterpulse_decay_slots in [0.0, 50.0, 400.0] {
            for dead_time_slots in [0.0, 100.0] {
                let receiver = Receiver {
                    transmittance: 0.1,
                    dark_count_probability: 1e-6,
                    misalignment_error: 0.01,
                    memory: Memory {
                        dead_time_slots,
                        afterpulse_probability: 0.05,
                        afterpulse_decay_slots,
                    },
                };
                let table = RegisteringTable::new(&receiver, [1e-6, 0.1]);
                for i in 0..40 {
                    let p = exp(ln(1e-6) + f64::from(i) / 39.0 * (ln(0.1) - ln(1e-6)));
                    let pulse = receiver.coherent(0.3);
                    for mark in [Mark::click(p), pulse.error_mark()] {
                        let exact = receiver.registering(p).rate(mark);
                        let own = table.registering(p).rate(mark);
                        most = most.max((own / exact - 1.0).abs());
                        tried += 1;
                    }
                }
            }
        }
        assert!(most < 1e-4 && tried == 480, "{most}");
    }

    #[test]
    fn outside_the_table_the_chain_is_asked() {
        let receiver = Receiver {
            transmittance: 0.1,
            dark_count_probability: 0.0,
            misalignment_error: 0.01,
            memory: Memory {
                dead_time_slots: 10.0,
                afterpulse_probability: 0.05,
                afterpulse_decay_slots: 5.0,
            },
        };
        let table = RegisteringTable::new(&receiver, [1e-3, 1e-2]);
        let mark = receiver.coherent(0.1).click_mark();
        for p in [1e-9, 0.9] {
            let exact = receiver.registering(p).rate(mark);
            assert_eq!(table.registering(p).rate(mark), exact);
        }
    }
}
