//! The exact law of what a pulse of n photons does to the detectors.

use super::outcome::{BOTH, Outcome};
use crate::detectors::{BasisChoice, BitAssignment};
use crate::light::{Pulse, State};
use crate::mathematics::{exp_m1, sin_cos};
use crate::{Basis, Conditions, CraftedPulse, Detectors, Direction};

/// What decides the clicks, as long as the conditions of the channel hold.
pub(super) struct ClickLaw {
    response: Response,
    choice: BasisChoice,
    key_basis_probability: f64,
    /// Probability that a photon at Bob's entrance which takes the exit 0 or 1 makes it fire.
    survival: [f64; 2],
    /// Share of the light at the entrance that reaches the detectors.
    light_inside: f64,
    misalignment_error: f64,
    /// Sine and cosine of the channel's rotation.
    rotation: (f64, f64),
    dark_count_probability: f64,
    /// Background photons per slot at the entrance, and the probability that one which takes the
    /// exit 0 or 1 makes it fire: the channel's loss does not weaken it.
    background_photons: f64,
    background_survival: [f64; 2],
    /// For pulses that arrive early or late: the detectors, and the light that gets to them.
    detectors: Detectors,
}

/// A pulse before the detectors.
pub(super) struct Incident {
    /// How it divides between exit 0 and exit 1, measured in Z and in X.
    exits: [[f64; 2]; 2],
    photons: u64,
    /// Probability that a photon which takes the exit 0 or 1 makes it fire.
    survival: [f64; 2],
}

impl Incident {
    fn exits(&self, basis: Basis) -> [f64; 2] {
        match basis {
            Basis::Z => self.exits[0],
            Basis::X => self.exits[1],
        }
    }

    /// The same where detector 0 is at exit 1, and detector 1 at exit 0.
    fn exchanged(&self) -> Self {
        let [z, x] = self.exits;
        Self {
            exits: [z, x].map(|[zero, one]| [one, zero]),
            ..*self
        }
    }

    /// Probabilities that one photon, measured in `basis`, fires detector 0 and detector 1.
    fn fires(&self, basis: Basis) -> [f64; 2] {
        let exits = self.exits(basis);
        [exits[0] * self.survival[0], exits[1] * self.survival[1]]
    }
}

/// How detectors answer light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Response {
    /// A single photon makes an avalanche, with the detector's efficiency.
    SinglePhotons,
    /// Blind for photons: the classical energy in a slot decides, for certain.
    Linear {
        /// Photons on a detector from which it clicks.
        threshold_photons: f64,
    },
}

/// The detectors, whether two or four: Z0, Z1, X0, X1. With an active choice of basis the first two
/// serve both bases.
pub(super) const DETECTORS: usize = 4;

impl ClickLaw {
    pub fn new(detectors: &Detectors, conditions: &Conditions, response: Response) -> Self {
        let inside = detectors
            .efficiencies()
            .map(|efficiency| detectors.insertion_transmittance * efficiency);
        Self {
            response,
            choice: detectors.effects.basis_choice,
            key_basis_probability: detectors.key_basis_probability,
            survival: inside.map(|survival| conditions.transmittance * survival),
            light_inside: conditions.transmittance * detectors.insertion_transmittance,
            misalignment_error: detectors.misalignment_error,
            rotation: sin_cos(conditions.rotation_rad),
            dark_count_probability: detectors.dark_count_probability,
            background_photons: conditions.background_photons,
            background_survival: inside,
            detectors: detectors.clone(),
        }
    }

    /// Every outcome of a pulse with its probability; outcomes that cannot be have probability 0.
    pub fn outcomes(&self, state: State, photons: u8) -> Vec<(Outcome, f64)> {
        self.outcomes_of(&Incident {
            exits: [Basis::Z, Basis::X].map(|basis| self.exits(state, basis)),
            photons: photons.into(),
            survival: self.survival,
        })
    }

    /// The same for a pulse of Eve's making.
    pub fn outcomes_of_crafted(&self, pulse: &CraftedPulse) -> Vec<(Outcome, f64)> {
        self.outcomes_of(&self.incident_crafted(pulse))
    }

    /// Any pulse before the detectors.
    pub fn incident(&self, pulse: &Pulse) -> Incident {
        self.incident_crafted(&pulse.description())
    }

    fn incident_crafted(&self, pulse: &CraftedPulse) -> Incident {
        let efficiencies = self.detectors.efficiencies_at(pulse.arrival_ps);
        let (sin, cos) = self.rotation;
        let [z, x] = [Basis::Z, Basis::X]
            .map(|basis| pulse.direction.cosine_to(Direction::of(basis, false)));
        Incident {
            // Cosine and sine of the direction's angle, turned by the channel.
            exits: [z * cos - x * sin, z * sin + x * cos].map(|along| self.misaligned(along)),
            photons: pulse.photons,
            survival: efficiencies.map(|efficiency| self.light_inside * efficiency),
        }
    }

    fn outcomes_of(&self, light: &Incident) -> Vec<(Outcome, f64)> {
        match self.choice {
            BasisChoice::Active if self.exchanges_detectors() => {
                let mut outcomes = self.one_basis(light);
                let exchanged = self.one_basis(&light.exchanged());
                outcomes.extend(exchanged.into_iter().map(|(o, p)| (o.exchanged(), p)));
                for (_, probability) in &mut outcomes {
                    *probability *= 0.5;
                }
                outcomes
            }
            BasisChoice::Active => self.one_basis(light),
            BasisChoice::Passive => self.both_bases(light),
        }
    }

    /// Whether each slot has detectors for bits of its own.
    pub fn exchanges_detectors(&self) -> bool {
        match self.detectors.effects.bit_assignment {
            BitAssignment::Fixed => false,
            BitAssignment::Random => true,
        }
    }

    /// Whether an avalanche is what a click is.
    pub fn has_avalanches(&self) -> bool {
        match self.response {
            Response::SinglePhotons => true,
            Response::Linear { .. } => false,
        }
    }

    /// Probability per slot that each detector fires without a pulse: a dark count or background,
    /// whose photons fall on both exits of a basis alike. Detectors that do not exist never do.
    pub fn noise(&self) -> [f64; DETECTORS] {
        let share = match self.choice {
            BasisChoice::Active => [0.5, 0.0],
            BasisChoice::Passive => {
                let z = self.key_basis_probability;
                [0.5 * z, 0.5 * (1.0 - z)]
            }
        };
        let mut noise = [0.0; DETECTORS];
        if !self.has_avalanches() {
            return noise;
        }
        for (detector, noise) in noise.iter_mut().enumerate() {
            let exists = matches!(self.choice, BasisChoice::Passive) || detector < 2;
            if exists {
                let light = self.background_photons
                    * share[detector / 2]
                    * self.background_survival[detector % 2];
                // 1 − (1−p_d) e^(−λ), without cancellation when both are small.
                *noise = self.dark_count_probability
                    - (1.0 - self.dark_count_probability) * exp_m1(-light);
            }
        }
        noise
    }

    /// The detector that serves an exit of a basis.
    pub fn detector(&self, basis: Basis, exit: bool) -> u8 {
        match (self.choice, basis) {
            (BasisChoice::Active, Basis::Z | Basis::X) | (BasisChoice::Passive, Basis::Z) => {
                u8::from(exit)
            }
            (BasisChoice::Passive, Basis::X) => 2 + u8::from(exit),
        }
    }

    /// The choice of the basis of a measurement, and the probability of Z.
    pub fn choice(&self) -> (BasisChoice, f64) {
        (self.choice, self.key_basis_probability)
    }

    /// Bob chooses a basis, and two detectors see the light.
    fn one_basis(&self, incident: &Incident) -> Vec<(Outcome, f64)> {
        let mut outcomes = Vec::with_capacity(10);
        for (basis, chosen) in self.bases() {
            let pattern = self.pattern_in(incident, basis);
            for (exits, probability) in (0..=BOTH).zip(pattern) {
                push_settled(&mut outcomes, (basis, exits), chosen * probability);
            }
        }
        outcomes
    }

    /// The law of the set of two detectors that a pulse fires which is measured in `basis`.
    pub fn pattern_in(&self, incident: &Incident, basis: Basis) -> [f64; 1 << 2] {
        match self.response {
            Response::SinglePhotons => {
                let [zero, one] = incident.fires(basis);
                let quiet = (1.0 - zero - one).max(0.0);
                of_photons([quiet, zero, one, 0.0], incident.photons)
            }
            Response::Linear { threshold_photons } => {
                let light = self.light(incident, basis);
                certain(light.map(|light| light >= threshold_photons))
            }
        }
    }

    /// The same of the four detectors behind a beam splitter.
    pub fn pattern_on_four(&self, incident: &Incident) -> [f64; 1 << DETECTORS] {
        match self.response {
            Response::SinglePhotons => {
                of_photons(self.one_photon_on_four(incident), incident.photons)
            }
            Response::Linear { threshold_photons } => {
                let [z, x] = self.bases().map(|(basis, chosen)| {
                    let light = self.light(incident, basis);
                    light.map(|light| chosen * light >= threshold_photons)
                });
                certain::<DETECTORS, { 1 << DETECTORS }>([z[0], z[1], x[0], x[1]])
            }
        }
    }

    /// A beam splitter sends every photon to the pair of detectors of one basis or the other. When
    /// both pairs fire, a fair coin chooses the basis.
    fn both_bases(&self, incident: &Incident) -> Vec<(Outcome, f64)> {
        let patterns = self.pattern_on_four(incident);
        let mut outcomes: Vec<(Outcome, f64)> = Vec::with_capacity(17);
        let mut add = |outcome: Outcome, probability: f64| match outcomes
            .iter_mut()
            .find(|(known, _)| *known == outcome)
        {
            Some((_, sum)) => *sum += probability,
            None => outcomes.push((outcome, probability)),
        };
        for (pattern, probability) in (0u8..).zip(patterns) {
            let mut settled = Vec::with_capacity(4);
            let pairs = [(Basis::Z, pattern & BOTH), (Basis::X, pattern >> 2)];
            match pairs.map(|(_, exits)| exits != 0) {
                [true, true] => {
                    for pair in pairs {
                        push_settled(&mut settled, pair, 0.5 * probability);
                    }
                    for (outcome, _) in &mut settled {
                        *outcome = outcome.across_bases();
                    }
                }
                [false, true] => push_settled(&mut settled, pairs[1], probability),
                [true, false] | [false, false] => {
                    push_settled(&mut settled, pairs[0], probability);
                }
            }
            for (outcome, probability) in settled {
                add(outcome, probability);
            }
        }
        outcomes
    }

    /// The law of the set of detectors that one photon fires, behind the beam splitter.
    fn one_photon_on_four(&self, incident: &Incident) -> [f64; 1 << DETECTORS] {
        let mut law = [0.0; 1 << DETECTORS];
        let mut quiet = 1.0;
        for (place, (basis, chosen)) in self.bases().into_iter().enumerate() {
            for (bit, fires) in incident.fires(basis).into_iter().enumerate() {
                law[1 << (2 * place + bit)] = chosen * fires;
                quiet -= chosen * fires;
            }
        }
        law[0] = quiet.max(0.0);
        law
    }

    fn bases(&self) -> [(Basis, f64); 2] {
        let z = self.key_basis_probability;
        [(Basis::Z, z), (Basis::X, 1.0 - z)]
    }

    /// Photons on detector 0 and detector 1 when a pulse is measured in `basis`, as classical light.
    fn light(&self, incident: &Incident, basis: Basis) -> [f64; 2] {
        let inside = incident.photons as f64 * self.light_inside;
        incident.exits(basis).map(|share| share * inside)
    }

    /// How light that is measured in `basis` divides between exit 0 and exit 1.
    ///
    /// The states stand at 0 (Z0), 90 (X0), 180 (Z1) and 270 degrees (X1) of a great circle, and
    /// the channel turns them by θ: outcome 0 of Z has probability (1 + cos φ)/2, that of X
    /// (1 + sin φ)/2. The misalignment then exchanges the exits.
    fn exits(&self, state: State, basis: Basis) -> [f64; 2] {
        let (sin, cos) = self.rotation;
        // Along the circle from the basis of the measurement.
        let along = match (state.basis(), basis) {
            (Basis::Z, Basis::Z) | (Basis::X, Basis::X) => cos,
            (Basis::Z, Basis::X) => sin,
            (Basis::X, Basis::Z) => -sin,
        };
        let [straight, crossed] = self.misaligned(along);
        if state.bit() {
            [crossed, straight]
        } else {
            [straight, crossed]
        }
    }

    /// Shares of the exits 0 and 1 of light whose direction has the cosine `along` to that of 0.
    fn misaligned(&self, along: f64) -> [f64; 2] {
        let own = 0.5 * (1.0 + along);
        let other = 0.5 * (1.0 - along);
        let error = self.misalignment_error;
        let straight = own * (1.0 - error) + other * error;
        let crossed = own * error + other * (1.0 - error);
        [straight, crossed]
    }
}

/// The law that is certain of the set of detectors that fire.
fn certain<const COUNT: usize, const PATTERNS: usize>(fires: [bool; COUNT]) -> [f64; PATTERNS] {
    let fired = fires
        .iter()
        .rev()
        .fold(0, |set, &fires| set << 1 | usize::from(fires));
    let mut law = [0.0; PATTERNS];
    law[fired] = 1.0;
    law
}

/// Adds an outcome, and after a double click both sides of the coin.
fn push_settled(outcomes: &mut Vec<(Outcome, f64)>, (basis, exits): (Basis, u8), probability: f64) {
    if exits == BOTH {
        for coin in [false, true] {
            outcomes.push((Outcome::new(basis, exits, coin), 0.5 * probability));
        }
    } else {
        outcomes.push((Outcome::new(basis, exits, false), probability));
    }
}

/// From the law of the set of detectors that one photon fires to that of `photons` photons: a
/// detector fires when any of them fires it. Sums of products alone, so that nothing cancels.
fn of_photons<const PATTERNS: usize>(one: [f64; PATTERNS], photons: u64) -> [f64; PATTERNS] {
    let mut power = one;
    let mut all = [0.0; PATTERNS];
    all[0] = 1.0;
    let mut left = photons;
    while left > 0 {
        if left & 1 == 1 {
            all = together(&all, &power);
        }
        left >>= 1;
        if left > 0 {
            power = together(&power, &power);
        }
    }
    all
}

fn together<const PATTERNS: usize>(a: &[f64; PATTERNS], b: &[f64; PATTERNS]) -> [f64; PATTERNS] {
    let mut both = [0.0; PATTERNS];
    for (i, a) in a.iter().enumerate().filter(|(_, a)| **a > 0.0) {
        for (j, b) in b.iter().enumerate() {
            both[i | j] += a * b;
        }
    }
    both
}

#[cfg(test)]
pub(super) mod tests;
