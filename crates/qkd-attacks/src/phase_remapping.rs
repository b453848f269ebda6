//! Shift Alice's states together, and tell them apart better.

use qkd_bits::PhysicsRng;
use qkd_optics::{Basis, Direction, EvePort, Monitor, Orientation};

use crate::notebook::Note;
use crate::parameters::Parameters;
use crate::{About, Attack, Error, Record, Site, TowardsAlice, Verdict};

/// Phase remapping (Fung, Qi, Tamaki and Lo, Phys. Rev. A 75, 032314 (2007); done by Xu, Qi and Lo, New
/// J. Phys. 12, 113026 (2010)).
///
/// In a two-way system Eve chooses when Bob's bright pulse meets Alice's modulator. At the edge of its
/// signal the phases 0, π/2, π, 3π/2 become 0, δ, 2δ, 3δ. She measures single photons along the
/// direction in which an answer errs least, sends one state where that says yes and nothing where it
/// says no. The QBER falls from 25 % at δ = 90 degrees to 17.7 % at 45 and 16.0 % at 22.5.
pub struct PhaseRemapping {
    step: u8,
    /// What she measures along, and what she sends.
    answers: Vec<Answer>,
    record: Record,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Answer {
    along: Orientation,
    basis: Basis,
    bit: bool,
}

impl PhaseRemapping {
    pub(crate) const NAME: &'static str = "phase-remapping";
    pub(crate) const KEYS: &'static [&'static str] = &["delta_deg", "resend"];
    pub(crate) const ABOUT: About = About {
        summary: "In a two-way system she shifts Alice's phases together before she measures them.",
        lesson: "When Bob's own pulse is what Alice modulates, Eve decides when it meets her \
                 modulator. States that stand closer are told apart with fewer errors than the \
                 quarter that everybody watches for.",
        defaults: &["45", "best"],
        site: Site::BobsDoor,
        gain: "the bit at a QBER of 17.7 % (45 degrees) or 16.0 % (22.5 degrees) instead of 25 %",
        verdict: Verdict::Caught("the limit on errors, which lies below"),
        monitors: &[Monitor::ErrorRates],
    };

    /// The attack with δ = `step` · 22.5 degrees, `step` 1 to 4, that sends these of the states 0 to 3
    /// (Z0, X0, Z1, X1), each as often as the others.
    pub fn new(step: u8, resent: &[u8]) -> Self {
        let states = remapped(step);
        let answers = resent.iter().map(|&state| Answer {
            along: least_error(&states, state).along,
            basis: if state % 2 == 0 { Basis::Z } else { Basis::X },
            bit: state & 2 != 0,
        });
        Self {
            step,
            answers: answers.collect(),
            record: Record::default(),
        }
    }

    pub(crate) fn read(argument: Option<&str>) -> Result<Self, Error> {
        let parameters = Parameters::read(Self::NAME, Self::KEYS, argument)?;
        let steps = [("90", 4), ("67.5", 3), ("45", 2), ("22.5", 1)];
        let step = parameters.choice("delta_deg", 2, &steps)?;
        let states: [(&str, &[u8]); 5] = [
            ("best", &[0, 3]),
            ("0", &[0]),
            ("1", &[1]),
            ("2", &[2]),
            ("3", &[3]),
        ];
        let resent = parameters.choice("resend", states[0].1, &states)?;
        Ok(Self::new(step, resent))
    }
}

impl Attack for PhaseRemapping {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn act(&mut self, port: &mut EvePort, rng: &mut PhysicsRng) {
        while let Some(pulse) = port.next_pulse() {
            self.record.tally.pulses_seen += 1;
            // What holds for one photon does not for several, and she has enough of one.
            if pulse.photons() > 1 {
                pulse.block();
                continue;
            }
            let slot = pulse.slot();
            let chosen = rng.below(self.answers.len() as u64) as usize;
            let Answer { along, basis, bit } = self.answers[chosen];
            self.record.tally.intercepted += 1;
            // A 0 is what the measurement along a direction says of light that points there.
            let is_no = pulse.measure_at(along).bit;
            if !is_no && port.inject(slot, basis, bit, 1).is_ok() {
                self.record.sent(slot, Note::Likely { bit });
            }
        }
    }

    fn towards_alice(&self) -> TowardsAlice {
        TowardsAlice::Remapped { step: self.step }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.record
    }
}

/// Along what to measure for an answer that is sent as one state.
struct LeastError {
    along: Orientation,
    /// QBER of that answer.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "what tests compare with the paper")
    )]
    qber: f64,
}

/// A matrix a·1 + x·σ_x + z·σ_z, half of which is the sum of weighted pure states.
#[derive(Clone, Copy)]
struct Weighted {
    whole: f64,
    cosine: f64,
    sine: f64,
}

/// Where Alice's four states stand when her phases are so many steps apart.
fn remapped(step: u8) -> [Orientation; 4] {
    [0, 1, 2, 3].map(|phase| {
        let direction = Direction::of_steps(phase * step);
        Orientation {
            cosine: direction.cosine_to(Direction::of(Basis::Z, false)),
            sine: direction.cosine_to(Direction::of(Basis::X, false)),
        }
    })
}

/// The measurement that errs least when state i is sent for its answer. Of the sifted bits those of
/// Alice's state i + 2 are wrong and half of those of i ± 1: with L the sum of her states so weighted and
/// B that of all, the QBER is the smallest λ with L v = λ B v, and v is what she measures along.
fn least_error(states: &[Orientation; 4], state: u8) -> LeastError {
    let sum = |weight: fn(u8) -> f64| {
        let mut sum = Weighted {
            whole: 0.0,
            cosine: 0.0,
            sine: 0.0,
        };
        for ahead in 0..4 {
            let standing = states[usize::from((state + ahead) % 4)];
            let weight = weight(ahead);
            sum.whole += weight;
            sum.cosine += weight * standing.cosine;
            sum.sine += weight * standing.sine;
        }
        sum
    };
    let wrong = sum(|ahead| [0.0, 0.5, 1.0, 0.5][usize::from(ahead)]);
    let all = sum(|_| 1.0);
    // (w − λ a)² = |W − λ A|² for the smaller λ, where the left is the part of the unit matrix.
    let product =
        |p: Weighted, q: Weighted| p.whole * q.whole - p.cosine * q.cosine - p.sine * q.sine;
    let (a, b, c) = (
        product(all, all),
        product(wrong, all),
        product(wrong, wrong),
    );
    let qber = (b - (b * b - a * c).max(0.0).sqrt()) / a;
    let cosine = qber * all.cosine - wrong.cosine;
    let sine = qber * all.sine - wrong.sine;
    let length = (cosine * cosine + sine * sine).sqrt();
    LeastError {
        along: Orientation {
            cosine: cosine / length,
            sine: sine / length,
        },
        qber,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `attack_signatures.csv`: the least QBER for each of the four states that may be sent, at 90, 45
    /// and 22.5 degrees; and 19.5 % at 60 degrees, which are no whole number of steps.
    #[test]
    fn the_least_error_rates_are_those_of_the_paper() {
        let half = 0.75f64.sqrt();
        let sixty = [(1.0, 0.0), (0.5, half), (-0.5, half), (-1.0, 0.0)]
            .map(|(cosine, sine)| Orientation { cosine, sine });
        for (states, expected) in [
            (remapped(4), [0.25; 4]),
            (
                sixty,
                [0.195_283_988_872, 0.3107, 0.3107, 0.195_283_988_872],
            ),
            (
                remapped(2),
                [0.177_015_529_579, 0.3312, 0.3312, 0.177_015_529_579],
            ),
            (
                remapped(1),
                [0.160_356_896_617, 0.3494, 0.3494, 0.160_356_896_617],
            ),
        ] {
            for (state, expected) in (0..4).zip(expected) {
                let least = least_error(&states, state);
                assert!(
                    (least.qber - expected).abs() < 5e-5,
                    "{states:?}, state {state}: {}",
                    least.qber
                );
                let Orientation { cosine, sine } = least.along;
                assert!((cosine * cosine + sine * sine - 1.0).abs() < 1e-12);
            }
        }
    }
}
