//! The photons of a link alone: what its instruments register, counted, against what its model
//! expects.

use std::ops::Range;

use qkd_attacks::AttackTally;
use qkd_bits::{PhysicsRng, SecretRng};
use qkd_optics::{Basis, Choice, Detection, ReceiverCounters};
use qkd_security::{IntensityClass, LinkModel, Statistics};

use crate::eve::Tap;
use crate::{Error, EveScore, Link};

/// Slots with light per train: few enough to stay in the cache.
const PULSES_PER_TRAIN: f64 = 32768.0;
/// The same where Eve changes what she does between trains.
const PULSES_PER_TRAIN_EVE: f64 = 1024.0;

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
        let honest = Link {
            attack: None,
            ..self.clone()
        };
        Ok(honest.watch(0..slots, PULSES_PER_TRAIN)?.photons)
    }

    /// The same with Eve in the line, who hears of every slot with equal bases what Alice and Bob say
    /// of it in public, and is scored by what she then says their bit is. Only what happens in the
    /// `counted` slots is counted.
    ///
    /// # Errors
    /// When there is no such attack, or its instruments cannot be built.
    pub fn eavesdrop(&self, counted: Range<u64>) -> Result<Eavesdropped, Error> {
        self.watch(counted, PULSES_PER_TRAIN_EVE)
    }

    fn watch(&self, counted: Range<u64>, pulses_per_train: f64) -> Result<Eavesdropped, Error> {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&self.seed.to_le_bytes());
        let mut seeds = SecretRng::from_seed(root);
        let mut alice = self.transmitter(seeds.fork())?;
        let nature = PhysicsRng::from_seed(self.seed);
        let mut bob = self.receiver(seeds.fork(), nature)?;
        let mut tap = match &self.attack {
            Some(eve) => {
                // Seeds of links are small numbers: hers is none of them.
                let mut nature = PhysicsRng::from_seed(!self.seed);
                let mut tap = Tap::new(eve, nature.fork(), nature)?;
                tap.take_notes();
                Some(tap)
            }
            None => None,
        };
        let span = pulses_per_train / alice.occupied_probability();
        let span = span.clamp(1.0, f64::from(u32::MAX)) as u32;
        let mut counts = PhotonCounts {
            slots: 0,
            sent: [0; 2],
            registered: 0,
            statistics: Statistics::default(),
            receiver: bob.counters(),
        };
        let mut before = bob.counters();
        let mut clicks = Vec::new();
        while alice.next_slot() < counted.end {
            let from = alice.next_slot();
            let counts_now = from >= counted.start;
            let edge = if counts_now {
                counted.end
            } else {
                counted.start
            };
            let left = u32::try_from(edge - from).unwrap_or(u32::MAX);
            let span = span.min(left);
            let light = match &mut tap {
                Some(tap) => tap.transmit(&mut alice, &self.door, span)?,
                None => alice.transmit(span),
            };
            bob.detect(light, &mut clicks)?;
            let flashes = bob.flash_back(&clicks);
            if let Some(tap) = &mut tap {
                tap.catch(flashes);
            }
            let run = from..alice.next_slot();
            if !counts_now {
                clicks.clear();
                before = bob.counters();
            }
            for (sent, closed) in counts.sent.iter_mut().zip(alice.close_totals(run.clone())?) {
                *sent += if counts_now { closed } else { 0 };
            }
            for click in clicks.drain(..) {
                let choice = alice.choice_at(click.slot)?;
                if counts.add(&choice, &click)
                    && let Some(tap) = &mut tap
                {
                    tap.ask(click.slot, &choice);
                }
            }
            counts.slots += if counts_now { run.end - run.start } else { 0 };
            alice.forget_before(run.end);
            if let Some(tap) = &mut tap {
                tap.forget_before(run.end);
            }
        }
        counts.receiver = bob.counters().since(&before);
        Ok(Eavesdropped {
            photons: counts,
            tally: tap.as_mut().map(Tap::tally).unwrap_or_default(),
            score: tap.as_ref().map(Tap::score).unwrap_or_default(),
        })
    }
}

/// What a tapped line showed, as somebody sees it who knows all three.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Eavesdropped {
    /// What Alice and Bob have.
    pub photons: PhotonCounts,
    /// What Eve did, from the first slot on.
    pub tally: AttackTally,
    /// What she knows of the sifted bits.
    pub score: EveScore,
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

    /// Counts a click, and says whether the bases were equal.
    fn add(&mut self, choice: &Choice, click: &Detection) -> bool {
        self.registered += 1;
        let basis = match (choice.basis, click.basis) {
            (Basis::Z, Basis::Z) => &mut self.statistics.key,
            (Basis::X, Basis::X) => &mut self.statistics.test,
            (Basis::Z, Basis::X) | (Basis::X, Basis::Z) => return false,
        };
        let class = usize::from(choice.intensity.0);
        basis.counts[class] += 1;
        basis.errors[class] += u64::from(choice.bit != click.bit);
        true
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
