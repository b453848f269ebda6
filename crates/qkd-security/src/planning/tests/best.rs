//! The choices that `optimise` makes.

use super::*;

/// Uniform in [0, 1), from a generator that every machine has (Knuth's MMIX constants).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn rate(input: &PlanInput) -> f64 {
    plan(input).map_or(0.0, |point| point.secret_bits_per_pulse)
}

/// Slow: thousands of random choices, then small random steps from the best of them that shrink
/// whenever they fail for long.
fn searched(input: &PlanInput, seed: u64) -> f64 {
    let mut uniform = Uniform(seed);
    let mut found: Vec<(f64, PlanInput)> = Vec::new();
    for _ in 0..2000 {
        let mut candidate = input.clone();
        let link = &mut candidate.link;
        link.intensities[0] = 0.02 + 1.2 * uniform.next();
        link.intensities[1] = link.intensities[0] * (0.02 + 0.9 * uniform.next());
        let p = 0.01 + 0.98 * uniform.next();
        let share = 0.02 + 0.96 * uniform.next();
        if link.intensities.len() == 2 {
            link.intensity_probabilities = vec![p, 1.0 - p];
        } else {
            link.intensity_probabilities = vec![p, (1.0 - p) * share, (1.0 - p) * (1.0 - share)];
        }
        link.key_basis_probability = 1.0 - 0.7 * uniform.next().powi(2) - 0.005;
        found.push((rate(&candidate), candidate));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best = 0.0_f64;
    for (value, start) in found.into_iter().take(3) {
        let (mut value, mut at, mut step, mut failed) = (value, start, 0.1, 0);
        while step > 1e-3 {
            let mut candidate = at.clone();
            let link = &mut candidate.link;
            for intensity in &mut link.intensities[..2] {
                *intensity *= 1.0 + step * (2.0 * uniform.next() - 1.0);
            }
            let p = &mut link.intensity_probabilities;
            for probability in p.iter_mut() {
                *probability *= 1.0 + step * (2.0 * uniform.next() - 1.0);
            }
            let sum: f64 = p.iter().sum();
            p.iter_mut().for_each(|p| *p /= sum);
            let x =
                (1.0 - link.key_basis_probability) * (1.0 + step * (2.0 * uniform.next() - 1.0));
            link.key_basis_probability = 1.0 - x;
            let found = rate(&candidate);
            if found > value {
                (value, at, failed) = (found, candidate, 0);
            } else {
                failed += 1;
                if failed > 100 {
                    (step, failed) = (step * 0.6, 0);
                }
            }
        }
        best = best.max(value);
    }
    best
}

#[test]
fn no_slow_search_finds_a_rate_a_thousandth_higher() {
    let rows = [
        (PlanTheorem::Wiesemann2024, snspd(0.0), 1_000_000),
        (PlanTheorem::Wiesemann2024, snspd(24.0), 10_000_000),
        (PlanTheorem::Wiesemann2024, snspd(50.0), 100_000),
        (PlanTheorem::Wiesemann2024, ingaas(16.0), 1_000_000),
        (PlanTheorem::Rusca2018, snspd(10.0), 100_000),
        (PlanTheorem::Rusca2018, snspd(40.0), 1_000_000_000),
        (PlanTheorem::Lim2014, snspd(0.0), 10_000_000),
        (PlanTheorem::Lim2014, snspd(30.0), 20_000),
    ];
    for (seed, (theorem, input, block_bits)) in rows.into_iter().enumerate() {
        let mut input = under(theorem, input);
        input.block_bits = block_bits;
        let own = rate(&optimise(&input, None).unwrap());
        let slow = searched(&input, seed as u64);
        assert!(own >= 0.999 * slow, "{own} below {slow}: {input:?}");
    }
}

#[test]
fn the_best_choices_are_never_worse_than_those_given() {
    for theorem in PlanTheorem::ALL {
        let mut neighbour = None;
        for loss_db in [0.0, 15.0, 30.0, 45.0] {
            let mut input = under(theorem, snspd(loss_db));
            input.block_bits = 10_000_000;
            let best = optimise(&input, neighbour.as_ref()).unwrap();
            assert!(rate(&best) >= rate(&input), "{theorem} at {loss_db} dB");
            let again = optimise(&best, None).unwrap();
            assert!(rate(&again) >= rate(&best), "{theorem} at {loss_db} dB");
            assert!(
                rate(&again) <= 1.001 * rate(&best),
                "{theorem} at {loss_db} dB"
            );
            neighbour = Some(best);
        }
    }
}

#[test]
fn the_best_choices_do_not_depend_on_a_neighbours() {
    let neighbour = optimise(&snspd(19.0), None).unwrap();
    let alone = optimise(&snspd(20.0), None).unwrap();
    assert_eq!(optimise(&snspd(20.0), Some(&neighbour)).unwrap(), alone);
}

#[test]
fn where_nothing_gives_a_key_the_choices_stay() {
    for theorem in PlanTheorem::ALL {
        let input = under(theorem, ingaas(90.0));
        assert_eq!(optimise(&input, None).unwrap(), input, "{theorem}");
    }
}

#[test]
fn a_key_is_found_from_choices_that_give_none() {
    let mut input = snspd(20.0);
    input.link.intensities = vec![3.0, 2.9];
    input.link.intensity_probabilities = vec![0.999, 0.001];
    input.link.key_basis_probability = 0.01;
    assert_eq!(rate(&input), 0.0);
    assert!(rate(&optimise(&input, None).unwrap()) > 3e-4);
}

#[test]
fn what_is_not_to_be_chosen_stays() {
    let input = under(PlanTheorem::Lim2014, snspd(10.0));
    let best = optimise(&input, None).unwrap();
    assert_eq!(best.link.intensities[2], input.link.intensities[2]);
    let mut input = under(PlanTheorem::GllpVacuumWeak, snspd(10.0));
    input.link.intensity_probabilities = vec![];
    let best = optimise(&input, None).unwrap();
    assert_eq!(best.link.intensities[1..], input.link.intensities[1..]);
    assert_eq!(best.link.key_basis_probability, 0.8);
    assert!(best.link.intensity_probabilities.is_empty());
}

#[test]
fn without_decoys_and_dark_counts_the_best_signal_follows_the_loss() {
    for loss_db in [20.0, 50.0, 75.0] {
        let mut input = under(PlanTheorem::Gllp, snspd(loss_db));
        input.link.dark_count_probability = 0.0;
        input.link.misalignment_error = 0.0;
        input.channel = ChannelModel::Published;
        let best = optimise(&input, None).unwrap();
        // Q₁ = ημ − μ²/2 is largest there.
        let transmittance = 0.8 * fibre(loss_db);
        let ratio = best.link.intensities[0] / transmittance;
        assert!((ratio - 1.0).abs() < 0.02, "{ratio} at {loss_db} dB");
    }
}
