//! Several arguments at once: Nelder and Mead's simplex, Comput. J. 7, 308 (1965).

/// How long a simplex may move.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Edge of the first simplex, in the unit of the arguments.
    pub step: f64,
    /// The simplex is done when no argument differs by more than this between its corners …
    pub argument_tolerance: f64,
    /// … and no value by more than this share of the best.
    pub value_tolerance: f64,
    /// Evaluations after which it stops in any case.
    pub evaluations_max: u32,
}

/// A point and what the objective is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Corner<const N: usize> {
    pub argument: [f64; N],
    pub value: f64,
}

/// Climbs from `start`; never worse than it. NaN counts as lower than anything.
///
/// Reflection, expansion, contraction and shrinking with the factors 1, 2, ½ and ½ of the paper.
/// Only comparisons of the objective decide, so it may jump and need not be smooth; like every
/// such climb it can end on a ridge, which is why the caller starts again from where it ended.
pub(crate) fn climb<const N: usize>(
    start: [f64; N],
    effort: &Effort,
    mut objective: impl FnMut(&[f64; N]) -> f64,
) -> Corner<N> {
    let mut evaluations = 0;
    let mut at = |argument: [f64; N]| {
        evaluations += 1;
        let value = objective(&argument);
        let value = if value.is_nan() {
            f64::NEG_INFINITY
        } else {
            value
        };
        (Corner { argument, value }, evaluations)
    };
    let mut corners = vec![at(start).0];
    for i in 0..N {
        let mut argument = start;
        argument[i] += effort.step;
        corners.push(at(argument).0);
    }
    loop {
        // Stable, so that equal values keep their order on every machine.
        corners.sort_by(|a, b| b.value.total_cmp(&a.value));
        let worst = corners[N];
        let centre = centre(&corners[..N]);
        let (reflected, spent) = at(along(&centre, &worst.argument, -1.0));
        if spent >= effort.evaluations_max || settled(&corners, effort) {
            return if reflected.value > corners[0].value {
                reflected
            } else {
                corners[0]
            };
        }
        if reflected.value > corners[0].value {
            let (expanded, _) = at(along(&centre, &worst.argument, -2.0));
            corners[N] = if expanded.value > reflected.value {
                expanded
            } else {
                reflected
            };
        } else if reflected.value > corners[N - 1].value {
            corners[N] = reflected;
        } else {
            let nearer = if reflected.value > worst.value {
                reflected
            } else {
                worst
            };
            let (contracted, _) = at(along(&centre, &nearer.argument, 0.5));
            if contracted.value > nearer.value {
                corners[N] = contracted;
            } else {
                let best = corners[0].argument;
                for corner in &mut corners[1..] {
                    *corner = at(along(&best, &corner.argument, 0.5)).0;
                }
            }
        }
    }
}

fn centre<const N: usize>(corners: &[Corner<N>]) -> [f64; N] {
    let mut centre = [0.0; N];
    for corner in corners {
        for (sum, value) in centre.iter_mut().zip(corner.argument) {
            *sum += value / N as f64;
        }
    }
    centre
}

/// The point that lies `share` of the way from `from` to `to`.
fn along<const N: usize>(from: &[f64; N], to: &[f64; N], share: f64) -> [f64; N] {
    let mut point = *from;
    for (value, end) in point.iter_mut().zip(to) {
        *value += share * (end - *value);
    }
    point
}

fn settled<const N: usize>(corners: &[Corner<N>], effort: &Effort) -> bool {
    let (best, worst) = (corners[0], corners[corners.len() - 1]);
    let near = |corner: &Corner<N>| {
        let pairs = corner.argument.iter().zip(best.argument);
        pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs())) <= effort.argument_tolerance
    };
    let level = best.value - worst.value <= effort.value_tolerance * best.value.abs();
    level && corners.iter().all(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort {
        step: 0.5,
        argument_tolerance: 1e-6,
        value_tolerance: 1e-12,
        evaluations_max: 2000,
    };

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        // Rosenbrock, Comput. J. 3, 175 (1960), upside down.
        let banana = |x: &[f64; 2]| -(100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2));
        let found = climb([-1.2, 1.0], &EFFORT, banana);
        assert!((found.argument[0] - 1.0).abs() < 1e-4, "{found:?}");
        assert!((found.argument[1] - 1.0).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn an_objective_without_values_stays_where_it_starts() {
        let found = climb([1.0, 2.0, 3.0], &EFFORT, |_| f64::NAN);
        assert_eq!(found.argument, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn the_effort_is_kept() {
        let mut spent = 0;
        let effort = Effort {
            evaluations_max: 50,
            ..EFFORT
        };
        climb([0.0; 5], &effort, |x| {
            spent += 1;
            -x.iter().map(|x| (x - 3.0).abs()).sum::<f64>()
        });
        // A shrinking simplex is finished, so a few more.
        assert!((50..60).contains(&spent), "{spent}");
    }
}
