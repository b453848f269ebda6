//! Clicks of one detector after another: dead times of their own, and clicks that do not count.
//!
//! Slower than the tables by far, and only there to show what a receiver gives away that is built
//! like this.

use qkd_bits::SecretRng;

use super::Receiver;
use super::block::Block;
use super::click_law::{ClickLaw, DETECTORS};
use super::outcome::{BOTH, Outcome};
use crate::detectors::{BasisChoice, DeadTimes, TimeFilter};
use crate::light::Pulse;
use crate::{Basis, Detection, Detectors};

/// Every detector by itself.
pub(super) struct OneByOne {
    dead_times: DeadTimes,
    filter: Option<TimeFilter>,
    /// From a click to the first slot in which the detector is alive again.
    recovery_slots: u64,
    alive_from: [u64; DETECTORS],
}

/// What fires in one slot: a bit for each detector, in the order of the [click law](super::click_law).
struct Fired {
    basis: Basis,
    light: u8,
    /// Whether the light comes when clicks count.
    counts: bool,
    noise: u8,
}

impl OneByOne {
    /// Nothing for a receiver whose clicks need not be looked at like this.
    pub fn new(detectors: &Detectors) -> Option<Self> {
        let effects = &detectors.effects;
        effects.wants_patterns().then(|| Self {
            dead_times: effects.dead_times,
            filter: effects.time_filter,
            recovery_slots: detectors.blind_slots().saturating_add(1),
            alive_from: [0; DETECTORS],
        })
    }

    fn counts(&self, pulse: &Pulse) -> bool {
        let arrival_ps = pulse.as_crafted().map_or(0.0, |pulse| pulse.arrival_ps);
        self.filter
            .is_none_or(|filter| filter.lets_pass(arrival_ps))
    }

    /// Takes those that are blind out of what fires, begins their dead times, and returns what is
    /// registered.
    fn register(&mut self, slot: u64, fired: &Fired) -> u8 {
        let mut alive = 0;
        for (detector, from) in self.alive_from.iter().enumerate() {
            alive |= u8::from(slot >= *from) << detector;
        }
        let awake = (fired.light | fired.noise) & alive;
        let blinded = match self.dead_times {
            DeadTimes::Common if awake != 0 => u8::MAX,
            DeadTimes::Common | DeadTimes::Independent => awake,
        };
        for (detector, from) in self.alive_from.iter_mut().enumerate() {
            if blinded >> detector & 1 == 1 {
                *from = slot.saturating_add(self.recovery_slots);
            }
        }
        let counted = if fired.counts { fired.light } else { 0 };
        (counted | fired.noise) & alive
    }
}

impl Receiver {
    /// As [`read`](Self::read), detector by detector.
    pub(super) fn read_one_by_one(
        &mut self,
        block: Block<'_>,
        end: u64,
        into: &mut impl Extend<Detection>,
    ) {
        let mut pulses = block.pulses.iter().peekable();
        loop {
            let light = pulses
                .peek()
                .map(|pulse| block.start_slot + u64::from(pulse.offset));
            let noise = self.noise.next_slot();
            let slot = light.map_or(noise, |light| light.min(noise));
            if slot >= end {
                return;
            }
            let pulse = pulses.next_if(|_| light == Some(slot));
            self.slot_one_by_one(slot, pulse, into);
        }
    }

    pub(super) fn slot_one_by_one(
        &mut self,
        slot: u64,
        pulse: Option<&Pulse>,
        into: &mut impl Extend<Detection>,
    ) {
        let noise = if self.noise.next_slot() == slot {
            self.noise.take(slot, &mut self.physics)
        } else {
            Default::default()
        };
        let (choice, z) = self.law.choice();
        let in_gate = slot.is_multiple_of(self.gate_period_slots);
        let Some(detectors) = &mut self.one_by_one else {
            return;
        };
        let further = &mut self.further;
        let basis = if further.chance(z) {
            Basis::Z
        } else {
            Basis::X
        };
        let fired = Fired {
            basis,
            light: match pulse.filter(|_| in_gate) {
                Some(pulse) => draw(&self.law.patterns(pulse, basis), further),
                None => 0,
            },
            counts: pulse.is_some_and(|pulse| detectors.counts(pulse)),
            noise: noise.detectors(),
        };
        let registered = detectors.register(slot, &fired);
        if registered == 0 {
            let lost = fired.noise | if fired.counts { fired.light } else { 0 };
            self.counters.discarded_in_dead_time += u64::from(lost != 0);
            return;
        }
        let outcome = settle(choice, &fired, registered, &mut self.secret);
        self.counters.clicks += 1;
        self.counters.double_clicks += u64::from(outcome.is_double());
        self.counters.dark_counts += u64::from(noise.dark != 0);
        into.extend([Detection {
            slot,
            basis: outcome.basis(),
            bit: outcome.bit(),
        }]);
    }
}

impl ClickLaw {
    /// The law of the set of detectors that a pulse fires; with an active choice when Bob measures in
    /// `basis`.
    fn patterns(&self, pulse: &Pulse, basis: Basis) -> Vec<f64> {
        let incident = self.incident(pulse);
        match self.choice() {
            (BasisChoice::Active, _) => self.pattern_in(&incident, basis).to_vec(),
            (BasisChoice::Passive, _) => self.pattern_on_four(&incident).to_vec(),
        }
    }
}

fn draw(law: &[f64], further: &mut SecretRng) -> u8 {
    let mut left = further.uniform() * law.iter().sum::<f64>();
    for (pattern, probability) in (0u8..).zip(law) {
        if left < *probability {
            return pattern;
        }
        left -= probability;
    }
    0
}

/// Basis and bit of the detectors that are registered, with fair coins where they do not say.
fn settle(choice: BasisChoice, fired: &Fired, registered: u8, secret: &mut SecretRng) -> Outcome {
    let mut of = |basis, exits: u8| {
        let coin = exits == BOTH && secret.bit();
        Outcome::new(basis, exits, coin)
    };
    match (choice, registered & BOTH, registered >> 2) {
        (BasisChoice::Active, exits, _) => of(fired.basis, exits),
        (BasisChoice::Passive, z, 0) => of(Basis::Z, z),
        (BasisChoice::Passive, 0, x) => of(Basis::X, x),
        (BasisChoice::Passive, z, x) => {
            let z = of(Basis::Z, z);
            let x = of(Basis::X, x);
            if secret.bit() { z } else { x }.across_bases()
        }
    }
}
