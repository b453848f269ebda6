use super::*;

fn detectors(basis_choice: BasisChoice) -> Detectors {
    Detectors {
        detector_efficiency: 0.8,
        dark_count_probability: 1e-3,
        dead_time_slots: 0,
        afterpulse_probability: 0.0,
        afterpulse_decay_slots: 0.0,
        misalignment_error: 0.02,
        insertion_transmittance: 0.9,
        key_basis_probability: 0.7,
        effects: crate::DetectorEffects {
            basis_choice,
            ..Default::default()
        },
    }
}

/// A law in which everything has a weight of its own.
pub(in crate::receiver) fn law() -> ClickLaw {
    let conditions = Conditions {
        transmittance: 0.5,
        rotation_rad: 0.3,
        background_photons: 1e-3,
    };
    ClickLaw::new(
        &detectors(BasisChoice::Passive),
        &conditions,
        Response::SinglePhotons,
    )
}

/// The law of an active choice in still conditions.
pub(in crate::receiver) fn active_law() -> ClickLaw {
    let detectors = detectors(BasisChoice::Active);
    ClickLaw::new(&detectors, &Conditions::STILL, Response::SinglePhotons)
}

fn probability(law: &ClickLaw, state: u8, photons: u8, what: impl Fn(Outcome) -> bool) -> f64 {
    let outcomes = law.outcomes(State::from_code(state), photons);
    let chosen = outcomes.iter().filter(|(outcome, _)| what(*outcome));
    chosen.map(|(_, probability)| probability).sum()
}

#[test]
fn probabilities_add_up_to_one_for_every_state_and_photon_number() {
    let still = ClickLaw::new(
        &detectors(BasisChoice::Active),
        &Conditions::STILL,
        Response::SinglePhotons,
    );
    for law in [law(), still] {
        for state in 0..4 {
            for photons in [0, 1, 2, 3, 7, 8, 100, 255] {
                let sum = probability(&law, state, photons, |_| true);
                assert!((sum - 1.0).abs() < 1e-13, "{state} {photons}: {sum}");
            }
        }
    }
}

/// Inclusion and exclusion: P(no 0) = (1−a)ⁿ, P(no 1) = (1−b)ⁿ, P(none) = (1−a−b)ⁿ.
#[test]
fn patterns_of_n_photons_are_those_of_independent_photons() {
    let law = ClickLaw::new(
        &detectors(BasisChoice::Active),
        &Conditions::STILL,
        Response::SinglePhotons,
    );
    let eta: f64 = 0.8 * 0.9;
    for photons in [1u8, 2, 3, 5, 30] {
        let n = i32::from(photons);
        for (state, a, b) in [(0, 0.98, 0.02), (1, 0.02, 0.98), (2, 0.5, 0.5)] {
            let in_z = |exits: u8| {
                probability(&law, state, photons, |outcome| {
                    outcome.basis() == Basis::Z && outcome.exits() == exits
                }) / 0.7
            };
            let (no_zero, no_one) = ((1.0 - eta * a).powi(n), (1.0 - eta * b).powi(n));
            let none = (1.0 - eta).powi(n);
            assert!((in_z(0) - none).abs() < 1e-14);
            assert!((in_z(1) - (no_one - none)).abs() < 1e-14);
            assert!((in_z(2) - (no_zero - none)).abs() < 1e-14);
            assert!((in_z(3) - (1.0 - no_zero - no_one + none)).abs() < 1e-14);
        }
    }
}

/// A Z state turned by θ: sin²(θ/2) wrong in Z, (1 + sin θ)/2 for outcome 0 in X.
#[test]
fn a_rotation_turns_states_on_the_circle_through_both_bases() {
    let theta = 0.4f64;
    let conditions = Conditions {
        rotation_rad: theta,
        ..Conditions::STILL
    };
    let ideal = Detectors {
        misalignment_error: 0.0,
        ..detectors(BasisChoice::Active)
    };
    let law = ClickLaw::new(&ideal, &conditions, Response::SinglePhotons);
    let share = |state, basis, exits: u8| {
        let all = probability(&law, state, 1, |outcome| {
            outcome.basis() == basis && outcome.fired()
        });
        let those = probability(&law, state, 1, |outcome| {
            outcome.basis() == basis && outcome.exits() == exits
        });
        those / all
    };
    let (wrong, up) = ((theta / 2.0).sin().powi(2), (1.0 + theta.sin()) / 2.0);
    for (state, basis, exits, expected) in [
        (0, Basis::Z, 2, wrong),
        (1, Basis::Z, 1, wrong),
        (2, Basis::X, 2, wrong),
        (3, Basis::X, 1, wrong),
        (0, Basis::X, 1, up),
        (1, Basis::X, 2, up),
        (2, Basis::Z, 2, up),
        (3, Basis::Z, 1, up),
    ] {
        assert!((share(state, basis, exits) - expected).abs() < 1e-14);
    }
}

/// Each pair sees a Poissonian share of the photons; a cross-basis click has a random basis.
#[test]
fn a_passive_choice_splits_photons_between_both_pairs() {
    let law = ClickLaw::new(
        &detectors(BasisChoice::Passive),
        &Conditions::STILL,
        Response::SinglePhotons,
    );
    let eta: f64 = 0.8 * 0.9;
    for photons in [1u8, 2, 5] {
        let n = i32::from(photons);
        let across = probability(&law, 0, photons, Outcome::is_across_bases);
        let no_z = (1.0 - 0.7 * eta).powi(n);
        let no_x = (1.0 - 0.3 * eta).powi(n);
        let none = (1.0 - eta).powi(n);
        assert!((across - (1.0 - no_z - no_x + none)).abs() < 1e-14);
        let in_z = probability(&law, 0, photons, |outcome| {
            outcome.fired() && outcome.basis() == Basis::Z
        });
        assert!((in_z - (no_x - none + across / 2.0)).abs() < 1e-14);
    }
}

/// 1 − (1−p_d) e^(−λ) with half the background on each of two detectors, by share on four.
#[test]
fn background_adds_to_the_dark_counts_of_every_detector() {
    let conditions = Conditions {
        transmittance: 0.1,
        rotation_rad: 0.0,
        background_photons: 0.01,
    };
    let two = ClickLaw::new(
        &detectors(BasisChoice::Active),
        &conditions,
        Response::SinglePhotons,
    )
    .noise();
    let click = |photons: f64| 1.0 - (1.0 - 1e-3) * (-photons * 0.9 * 0.8).exp();
    assert!((two[0] - click(0.005)).abs() < 1e-15 && two[0] == two[1]);
    assert_eq!(two[2..], [0.0; 2]);
    let four = ClickLaw::new(
        &detectors(BasisChoice::Passive),
        &conditions,
        Response::SinglePhotons,
    )
    .noise();
    assert!((four[1] - click(0.0035)).abs() < 1e-15);
    assert!((four[2] - click(0.0015)).abs() < 1e-15);
}
