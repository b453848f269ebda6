//! The photons of a link alone: what its instruments register, counted, against what its model
//! expects.

use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{Basis, Detection, ReceiverCounters, Transmitter};
use qkd_security::{IntensityClass, LinkModel, Statistics};

use crate::{Error, Link};

/// Slots with light per train: few enough to stay in the cache.
const PULSES_PER_TRAIN: f64 = 32768.0;

/// What a run of slots showed, as somebody sees it who knows both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhotonCounts {
    /// Slots that Alice's clock went through.
    pub slots: u64,
    /// Pulses that she sent, per intensity.
    pub sent: [u64; 2],
    /// Detections that Bob registered.
    pub registered: u64,
    /// Those of them with equal bases, and their errors.
    pub statistics: Statistics,
    /// What Bob's receiver counted.
    pub receiver: ReceiverCounters,
}

/// One count beside its expectation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// What was counted.
    pub what: &'static str,
    /// How often it was.
    pub counted: u64,
    /// How often it should have been.
    pub expected: f64,
    /// Standard deviation of such a count.
    pub standard_deviation: f64,
}

impl Deviation {
    /// Distance from the expectation in standard deviations, with its sign.
    pub fn sigmas(&self) -> f64 {
        (self.counted as f64 - self.expected) / self.standard_deviation
    }

    /// Whether the count lies within so many standard deviations. Where few are expected, the skew
    /// of a Poisson count, d²/6, is granted on top.
    pub fn is_within(&self, deviations: f64) -> bool {
        let apart = (self.counted as f64 - self.expected).abs();
        apart <= deviations * self.standard_deviation + deviations * deviations / 6.0
    }
}

impl Link {
    /// Runs source, channel and receiver for at least `slots` slots, without frames, without Eve and
    /// without a protocol. Equal links give equal counts.
    ///
    /// # Errors
    /// When its instruments cannot be built.
    pub fn count_photons(&self, slots: u64) -> Result<PhotonCounts, Error> {
        let hardware = self.hardware();
        let mut root = [0; 32];
        root[..8].copy_from_slice(&self.seed.to_le_bytes());
        let mut seeds = SecretRng::from_seed(root);
        let mut alice = hardware.transmitter(seeds.fork())?;
        let nature = PhysicsRng::from_seed(self.seed);
        let mut bob = hardware.receiver(seeds.fork(), nature)?;
        let span = PULSES_PER_TRAIN / alice.occupied_probability();
        let span = span.clamp(1.0, f64::from(u32::MAX)) as u32;
        let mut counts = PhotonCounts {
            slots: 0,
            sent: [0; 2],
            registered: 0,
            statistics: Statistics::default(),
            receiver: bob.counters(),
        };
        let mut clicks = Vec::new();
        while counts.slots < slots {
            let left = u32::try_from(slots - counts.slots).unwrap_or(u32::MAX);
            bob.detect(alice.transmit(span.min(left)), &mut clicks)?;
            let run = counts.slots..alice.next_slot();
            for (sent, closed) in counts.sent.iter_mut().zip(alice.close_totals(run.clone())?) {
                *sent += closed;
            }
            for click in clicks.drain(..) {
                counts.add(&alice, &click)?;
            }
            counts.slots = run.end;
            alice.forget_before(run.end);
        }
        counts.receiver = bob.counters();
        Ok(counts)
    }
}

impl PhotonCounts {
    /// Every count beside what `model` expects of it, with the spread that dead time and
    /// afterpulses leave it.
    pub fn against(&self, model: &LinkModel) -> Vec<Deviation> {
        let (expected, spread) = (model.expected(), model.spread());
        let (per_slot, variance) = (expected.per_slot(), spread.statistics);
        let slots = self.slots as f64;
        let beside = |what, counted, rate: f64, variance: f64| Deviation {
            what,
            counted,
            expected: rate * slots,
            standard_deviation: (variance * slots).sqrt(),
        };
        let p = model.source.probabilities()[0];
        let mut all = vec![
            beside("signal pulses", self.sent[0], p, p * (1.0 - p)),
            beside(
                "detections",
                self.registered,
                expected.registered_probability,
                spread.registered,
            ),
        ];
        let bases = [
            (KEY_NAMES, self.statistics.key, per_slot.key, variance.key),
            (
                TEST_NAMES,
                self.statistics.test,
                per_slot.test,
                variance.test,
            ),
        ];
        for (names, seen, mean, variance) in bases {
            for i in IntensityClass::ALL.map(IntensityClass::index) {
                let [counts, errors] = names[i];
                all.push(beside(
                    counts,
                    seen.counts[i],
                    mean.counts[i],
                    variance.counts[i],
                ));
                all.push(beside(
                    errors,
                    seen.errors[i],
                    mean.errors[i],
                    variance.errors[i],
                ));
            }
        }
        all
    }

    fn add(&mut self, alice: &Transmitter, click: &Detection) -> Result<(), Error> {
        self.registered += 1;
        let choice = alice.choice_at(click.slot)?;
        let basis = match (choice.basis, click.basis) {
            (Basis::Z, Basis::Z) => &mut self.statistics.key,
            (Basis::X, Basis::X) => &mut self.statistics.test,
            (Basis::Z, Basis::X) | (Basis::X, Basis::Z) => return Ok(()),
        };
        let class = usize::from(choice.intensity.0);
        basis.counts[class] += 1;
        basis.errors[class] += u64::from(choice.bit != click.bit);
        Ok(())
    }
}

/// Counts and errors of signal and decoy.
const KEY_NAMES: [[&str; 2]; 2] = [
    ["key basis, signal", "key basis, signal, errors"],
    ["key basis, decoy", "key basis, decoy, errors"],
];
const TEST_NAMES: [[&str; 2]; 2] = [
    ["test basis, signal", "test basis, signal, errors"],
    ["test basis, decoy", "test basis, decoy, errors"],
];
