use super::*;

fn of(successes: u64, trials: u64) -> Trials {
    Trials { successes, trials }
}

fn close(value: f64, expected: f64) -> bool {
    (value / expected - 1.0).abs() < 1e-10
}

#[test]
fn tails_equal_exact_sums() {
    // k, n, p, P(X ≤ k), P(X ≥ k): sums of exact fractions.
    let rows = [
        (182, 1050, 0.25, 1.55965515307806e-09, 0.999999999030425),
        (183, 1050, 0.11, 0.999999999800405, 3.45718571262247e-10),
        (0, 40, 0.01, 0.66897175856968, 1.0),
        (3, 40, 0.01, 0.999314393572991, 0.00749736339539594),
        (40, 40, 0.9, 1.0, 0.0147808829414346),
        (500, 1000, 0.5, 0.51261250908918, 0.51261250908918),
        (400, 1000, 0.5, 1.36423207803301e-10, 0.999999999909916),
        (7, 1000, 0.0001, 0.999999999999779, 1.78122659613242e-11),
    ];
    for (k, n, p, below, above) in rows {
        let found = binomial_tail_below(of(k, n), p);
        assert!(close(found, below), "P(X ≤ {k}) of {n} at {p}: {found:e}");
        let found = binomial_tail_above(of(k, n), p);
        assert!(close(found, above), "P(X ≥ {k}) of {n} at {p}: {found:e}");
    }
}

#[test]
fn large_counts_lose_no_digits() {
    // Summed with sixty digits.
    let found = binomial_tail_above(of(1200, 1_000_000), 0.001);
    assert!(close(found, 4.58963860610077e-10), "{found:e}");
    let found = binomial_tail_above(of(1300, 1_000_000_000_000), 1e-9);
    assert!(close(found, 6.88708635319524e-20), "{found:e}");
}

#[test]
fn probabilities_add_up_to_one() {
    for p in [0.0, 0.003, 0.3, 0.5, 0.97, 1.0] {
        let sum: f64 = (0..=300).map(|k| binomial_probability(of(k, 300), p)).sum();
        assert!((sum - 1.0).abs() < 1e-12, "p = {p}: {sum}");
    }
}

#[test]
fn confidence_limits_equal_those_found_with_many_digits() {
    let failure = FailureProbability(1e-10);
    let rows = [
        (0, 1000, 0.0, 0.0227627790441893),
        (5, 1000, 2.62176515028351e-05, 0.0357827276134385),
        (110, 1000, 0.0573678918671158, 0.183849751648047),
    ];
    for (k, n, low, high) in rows {
        let found = clopper_pearson_max(of(k, n), failure);
        assert!(close(found, high), "{k} of {n}: {found}");
        let found = clopper_pearson_min(of(k, n), failure);
        assert!(found == low || close(found, low), "{k} of {n}: {found}");
    }
    assert_eq!(clopper_pearson_max(of(1000, 1000), failure), 1.0);
}

/// How many sifted bits tell interception of everything (25 %) from an acceptable link (11 %).
#[test]
fn a_thousand_bits_tell_an_eavesdropper_from_a_bad_link() {
    let (trials, most) = (1050, 182);
    let missed = binomial_tail_below(of(most - 1, trials), 0.25);
    let false_alarm = binomial_tail_above(of(most, trials), 0.11);
    assert!(
        missed < 1.2e-9 && false_alarm < 1e-9,
        "{missed:e} {false_alarm:e}"
    );
}

#[test]
fn more_successes_than_trials_are_refused() {
    assert!(of(11, 10).checked().is_err());
    assert!(of(1, TRIALS_MAX + 1).checked().is_err());
    assert_eq!(of(10, 10).checked(), Ok(of(10, 10)));
}

#[test]
fn limits_of_the_largest_counts_are_found_near_their_normal_approximation() {
    let failure = FailureProbability(1e-10);
    for successes in [1_000, 1_000_000, 500_000_000_000] {
        let seen = of(successes, TRIALS_MAX);
        let rate = successes as f64 / 1e12;
        let width = (rate * (1.0 - rate) / 1e12).sqrt();
        // A normal variable exceeds 6.3613 standard deviations with probability 1e-10.
        let high = (clopper_pearson_max(seen, failure) - rate) / width;
        let low = (rate - clopper_pearson_min(seen, failure)) / width;
        assert!((high - 6.36).abs() < 0.7, "{successes}: {high}");
        assert!((low - 6.36).abs() < 0.7, "{successes}: {low}");
    }
}
