//! Polarisation that drifts in the fibre and is brought back from time to time.

use std::f64::consts::PI;

use qkd_bits::PhysicsRng;

use super::{Channel, Conditions, shortest_step_s};
use crate::Error;
use crate::mathematics::{exp, exp_m1};
use crate::sampling::normal;

/// A random walk of the polarisation, undone at regular intervals by a compensator.
///
/// The walk is on the great circle through Z and X, the rotation that makes errors in both bases;
/// on the whole Poincaré sphere of a deployed fibre (Karlsson, Brentel, Andrekson, J. Lightwave
/// Technol. 18, 941 (2000)) it is one of three such walks, and the two others act like it in one
/// basis each. Between compensations the angle is normal with a variance of
/// `residual_rad`² + `drift_rad_per_sqrt_s`² · t, so the error rate sin²(θ/2) is a sawtooth whose
/// teeth rise as (1 − e^(−variance/2))/2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolarisationDrift {
    /// Standard deviation of the rotation gathered in a second, rad/√s.
    pub drift_rad_per_sqrt_s: f64,
    /// Time from one compensation to the next, s.
    pub compensation_interval_s: f64,
    /// Standard deviation of the rotation that a compensation leaves behind, rad.
    pub residual_rad: f64,
}

/// Angles drawn per interval; the angle is constant in between.
const STEPS: u64 = 64;

impl PolarisationDrift {
    /// Refuses what no drift can be.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first offending field.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value) in [
            ("drift_rad_per_sqrt_s", self.drift_rad_per_sqrt_s),
            ("residual_rad", self.residual_rad),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::OutOfRange {
                    name,
                    value,
                    expected: "zero or more",
                });
            }
        }
        if self.residual_rad > PI {
            return Err(Error::OutOfRange {
                name: "residual_rad",
                value: self.residual_rad,
                expected: "at most π rad: more compensates nothing",
            });
        }
        if !(1e-6..=1e6).contains(&self.compensation_interval_s) {
            return Err(Error::OutOfRange {
                name: "compensation_interval_s",
                value: self.compensation_interval_s,
                expected: "1e-6 to 1e6 s",
            });
        }
        let gathered_rad = self.drift_rad_per_sqrt_s * self.compensation_interval_s.sqrt();
        if gathered_rad > PI {
            return Err(Error::OutOfRange {
                name: "drift_rad_per_sqrt_s",
                value: self.drift_rad_per_sqrt_s,
                expected: "at most π rad gathered from one compensation to the next: \
                           drift_rad_per_sqrt_s times the root of compensation_interval_s",
            });
        }
        Ok(())
    }

    /// Shortest compensation interval, s, that an emulation at a clock of `clock_hz` should be asked
    /// for. Shorter ones are as exact, but the receiver is busy with its tables.
    pub fn least_interval_s(clock_hz: f64) -> f64 {
        STEPS as f64 * shortest_step_s(clock_hz)
    }

    /// Expected error rate sin²(θ/2) at a time after a compensation, s: a tooth of the sawtooth.
    pub fn error_after(&self, seconds: f64) -> f64 {
        let drift = self.drift_rad_per_sqrt_s;
        let variance = self.residual_rad * self.residual_rad + drift * drift * seconds;
        -exp_m1(-0.5 * variance) / 2.0
    }

    /// The mean of [`error_after`](Self::error_after) over an interval:
    /// (1 − e^(−r²/2) (1 − e^(−v))/v)/2 with v = σ²T/2.
    pub fn mean_error(&self) -> f64 {
        let drift = self.drift_rad_per_sqrt_s;
        let gathered = 0.5 * drift * drift * self.compensation_interval_s;
        let mean = if gathered > 0.0 {
            -exp_m1(-gathered) / gathered
        } else {
            1.0
        };
        (1.0 - exp(-0.5 * self.residual_rad * self.residual_rad) * mean) / 2.0
    }

    /// The walk that `seed` picks, at a clock of `clock_hz`.
    pub(super) fn walk(&self, clock_hz: f64, seed: u64) -> Walk {
        let interval_slots = ((self.compensation_interval_s * clock_hz) as u64).max(1);
        let step_slots = interval_slots.div_ceil(STEPS);
        Walk {
            residual_rad: self.residual_rad,
            step_rad: self.drift_rad_per_sqrt_s * (step_slots as f64 / clock_hz).sqrt(),
            interval_slots,
            step_slots,
            seed,
            at: None,
        }
    }
}

/// One realisation of a drift. Every interval has a seed of its own, so that any slot can be asked
/// for at the cost of one interval.
pub(super) struct Walk {
    residual_rad: f64,
    /// Standard deviation of one step.
    step_rad: f64,
    interval_slots: u64,
    step_slots: u64,
    seed: u64,
    at: Option<Position>,
}

struct Position {
    interval: u64,
    step: u64,
    angle_rad: f64,
    physics: PhysicsRng,
}

impl Walk {
    /// The angle in the first step of an interval: what the compensator left and half a step, so
    /// that the angle is that of the middle of its step.
    fn compensated(&self, interval: u64) -> Position {
        let mut physics =
            PhysicsRng::from_seed(self.seed ^ interval.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let angle_rad = self.residual_rad * normal(&mut physics)
            + self.step_rad * std::f64::consts::FRAC_1_SQRT_2 * normal(&mut physics);
        Position {
            interval,
            step: 0,
            angle_rad,
            physics,
        }
    }
}

impl Channel for Walk {
    fn conditions(&mut self, slot: u64) -> (Conditions, u64) {
        let interval = slot / self.interval_slots;
        let step = slot % self.interval_slots / self.step_slots;
        let kept = self.at.take();
        let kept = kept.filter(|at| at.interval == interval && at.step <= step);
        let mut at = kept.unwrap_or_else(|| self.compensated(interval));
        while at.step < step {
            at.angle_rad += self.step_rad * normal(&mut at.physics);
            at.step += 1;
        }
        let begin = interval * self.interval_slots;
        let in_interval = ((step + 1) * self.step_slots).min(self.interval_slots);
        let conditions = Conditions {
            rotation_rad: at.angle_rad,
            ..Conditions::STILL
        };
        self.at = Some(at);
        (conditions, begin.saturating_add(in_interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIFT: PolarisationDrift = PolarisationDrift {
        drift_rad_per_sqrt_s: 0.3,
        compensation_interval_s: 2.0,
        residual_rad: 0.1,
    };

    /// The mean over intervals rises within one and falls back at a compensation, as computed.
    #[test]
    fn the_error_rate_is_a_sawtooth_with_the_expected_teeth_and_mean() {
        let clock_hz = 64_000.0;
        let mut walk = DRIFT.walk(clock_hz, 5);
        let intervals = 4_000u64;
        let mut teeth = [0.0; STEPS as usize];
        let mut slot = 0;
        for _ in 0..intervals {
            for tooth in &mut teeth {
                let (conditions, next) = walk.conditions(slot);
                let half = 0.5 * conditions.rotation_rad;
                *tooth += half.sin().powi(2) / intervals as f64;
                assert_eq!(next, slot + 2000);
                slot = next;
            }
        }
        for (step, tooth) in teeth.iter().enumerate() {
            let middle_s = (step as f64 + 0.5) * 2000.0 / clock_hz;
            let expected = DRIFT.error_after(middle_s);
            // sin² of a small normal angle scatters by √2 of its mean; 4.9 sigma are 1e-6.
            let sigma = 1.42 * expected / (intervals as f64).sqrt();
            assert!(
                (tooth - expected).abs() < 4.9 * sigma,
                "step {step}: {tooth} for {expected}"
            );
        }
        assert!(teeth[63] > 5.0 * teeth[0]);
        let mean = teeth.iter().sum::<f64>() / STEPS as f64;
        assert!((mean / DRIFT.mean_error() - 1.0).abs() < 0.08, "{mean}");
    }

    #[test]
    fn any_slot_has_one_answer_whatever_was_asked_before() {
        let mut through = DRIFT.walk(1e6, 9);
        let mut slot = 0;
        let mut seen = Vec::new();
        while slot < 10_000_000 {
            let (conditions, next) = through.conditions(slot);
            seen.push((slot, conditions));
            slot = next;
        }
        for (slot, conditions) in seen.iter().rev().step_by(7) {
            assert_eq!(DRIFT.walk(1e6, 9).conditions(*slot).0, *conditions);
            assert_eq!(through.conditions(*slot).0, *conditions);
        }
        assert_ne!(DRIFT.walk(1e6, 8).conditions(0).0, seen[0].1);
    }

    #[test]
    fn a_drift_that_no_compensation_follows_is_refused() {
        let names = |drift: PolarisationDrift| match drift.check() {
            Err(Error::OutOfRange { name, .. }) => name,
            _ => "",
        };
        let drift_rad_per_sqrt_s = 2.3;
        assert_eq!(
            names(PolarisationDrift {
                drift_rad_per_sqrt_s,
                ..DRIFT
            }),
            "drift_rad_per_sqrt_s"
        );
        let residual_rad = 3.2;
        assert_eq!(
            names(PolarisationDrift {
                residual_rad,
                ..DRIFT
            }),
            "residual_rad"
        );
        assert_eq!(names(DRIFT), "");
        // 64 steps of 100,000 slots, or of a millisecond.
        assert!((PolarisationDrift::least_interval_s(1e9) - 6.4e-3).abs() < 1e-15);
        assert!((PolarisationDrift::least_interval_s(1e6) - 64e-3).abs() < 1e-15);
    }

    #[test]
    fn no_drift_leaves_the_residual_and_no_residual_leaves_nothing() {
        let still = PolarisationDrift {
            drift_rad_per_sqrt_s: 0.0,
            ..DRIFT
        };
        assert!((still.mean_error() - still.error_after(7.0)).abs() < 1e-17);
        let perfect = PolarisationDrift {
            residual_rad: 0.0,
            ..still
        };
        assert_eq!(perfect.mean_error(), 0.0);
        assert_eq!(perfect.walk(1e9, 1).conditions(77).0, Conditions::STILL);
    }
}
