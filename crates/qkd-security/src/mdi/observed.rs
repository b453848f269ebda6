use crate::mathematics::exp;
use crate::range;
use crate::{Error, Figure, binary_entropy};

/// What rounding may take from a sum that is 0, as a share of its terms.
const ROUNDING: f64 = 1e-12;

/// Gains and errors of every pair of intensities in one basis: rows Alice's, columns Bob's, in the
/// order of [`ObservedMdi`]'s intensities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainMatrix {
    /// Q_ij: announcements per pair of pulses sent with these intensities and this basis.
    pub gains: [[f64; 3]; 3],
    /// E_ij: share of wrong bits among them, \[0, 1\].
    pub errors: [[f64; 3]; 3],
}

/// What a link with three intensities at each sender showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObservedMdi {
    /// Alice's signal, decoy and weakest intensity, falling; the weakest may be 0.
    pub alice_intensities: [f64; 3],
    /// Bob's.
    pub bob_intensities: [f64; 3],
    /// The basis that makes the key.
    pub key_basis: GainMatrix,
    /// The basis that shows phase errors.
    pub test_basis: GainMatrix,
    /// f ≥ 1.
    pub reconciliation_inefficiency: f64,
}

/// What [`ObservedMdi`] implies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObservedBounds {
    /// At least this yield of single-photon pairs in the key basis.
    pub single_photon_yield_key_min: f64,
    /// At least this yield of them in the test basis.
    pub single_photon_yield_test_min: f64,
    /// At most this rate of phase errors, clamped to ½.
    pub phase_error_rate_max: f64,
    /// Q₁₁ of the signals in the key basis, at least.
    pub single_photon_gain_min: f64,
    /// f Q h(E) of the signals in the key basis: bits disclosed per pair of pulses.
    pub disclosed_bits: f64,
    /// Q₁₁ (1 − h(e₁₁)) − f Q h(E), bits per pair of pulses that are both signals and in the key
    /// basis; negative means no key.
    pub secret_bits_per_signal_pair: f64,
}

impl ObservedBounds {
    /// Every figure with its meaning and unit, in the order in which the rate is made of them.
    pub fn figures(&self) -> Vec<Figure> {
        let bits = |name, value, meaning| {
            Figure::plain(name, value, meaning).measured_in("bits/signal pair")
        };
        vec![
            Figure::plain(
                "single_photon_yield_key_min",
                self.single_photon_yield_key_min,
                "announcements per pair of single photons, key basis, at least (Y₁₁)",
            ),
            Figure::plain(
                "single_photon_yield_test_min",
                self.single_photon_yield_test_min,
                "the same in the test basis, at least",
            ),
            Figure::plain(
                "phase_error_rate",
                self.phase_error_rate_max,
                "phase errors of the single photons, at most (e₁₁)",
            ),
            Figure::plain(
                "single_photon_gain_min",
                self.single_photon_gain_min,
                "signals announced for single photons, at least (Q₁₁)",
            ),
            bits(
                "disclosed_bits",
                self.disclosed_bits,
                "disclosed by error correction (f Q h(E))",
            ),
            bits(
                "secret_bits_per_signal_pair",
                self.secret_bits_per_signal_pair,
                "Q₁₁(1 − h(e₁₁)) − f Q h(E); below zero no key",
            ),
        ]
    }
}

impl ObservedMdi {
    /// Bounds on the single photons and the rate they leave.
    ///
    /// Xu, Curty, Qi and Lo, New J. Phys. 15, 113007 (2013), table 2, whose gains are taken as
    /// exact: with counts of a finite run the bounds are estimates. The paper eliminates the terms
    /// with two photons at one side and one at the other; what is left of higher ones has one
    /// sign. With unequal senders the side is eliminated that keeps it so.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] names the first figure outside its range, and figures that contradict
    /// each other: a yield of single photons above 1, or errors of theirs below 0.
    pub fn bounds(&self) -> Result<ObservedBounds, Error> {
        self.check()?;
        let single_photon_yield_key_min = self.yield_min(&self.key_basis);
        let single_photon_yield_test_min = self.yield_min(&self.test_basis);
        for (what, yield_min) in [
            (
                "the yield of single photons by key_basis.gains",
                single_photon_yield_key_min,
            ),
            (
                "the yield of single photons by test_basis.gains",
                single_photon_yield_test_min,
            ),
        ] {
            let expected = "gains that fit together: they leave single photons at most 1";
            range::require(what, yield_min, yield_min <= 1.0, expected)?;
        }
        let phase_error_rate_max = if single_photon_yield_test_min > 0.0 {
            (self.error_yield_max()? / single_photon_yield_test_min).min(0.5)
        } else {
            0.5
        };
        let (alice, bob) = (self.alice_intensities[0], self.bob_intensities[0]);
        let single_photon_gain_min = alice * bob * exp(-alice - bob) * single_photon_yield_key_min;
        let qber = self.key_basis.errors[0][0].min(0.5);
        let disclosed_bits =
            self.reconciliation_inefficiency * self.key_basis.gains[0][0] * binary_entropy(qber);
        Ok(ObservedBounds {
            single_photon_yield_key_min,
            single_photon_yield_test_min,
            phase_error_rate_max,
            single_photon_gain_min,
            disclosed_bits,
            secret_bits_per_signal_pair: single_photon_gain_min
                * (1.0 - binary_entropy(phase_error_rate_max))
                - disclosed_bits,
        })
    }

    /// Y₁₁ ≥ (r M_ν − M_μ)/((ν_a−ω_a)(ν_b−ω_b) r − (μ_a−ω_a)(μ_b−ω_b)), where M_κ = Σ_{n,m≥1}
    /// (κ_a^n−ω_a^n)(κ_b^m−ω_b^m)/(n! m!) Y_nm comes from the gains of κ and ω alone.
    ///
    /// r is the smaller of the ratios of the two coefficients of Y₁₂ and of Y₂₁: it makes that term
    /// vanish and every other but Y₁₁ negative, because the ratios grow with n and m.
    fn yield_min(&self, basis: &GainMatrix) -> f64 {
        let [alice_signal, alice_decoy, alice_low] = self.alice_intensities;
        let [bob_signal, bob_decoy, bob_low] = self.bob_intensities;
        let first = |high: f64, low: f64| high - low;
        let second = |high: f64, low: f64| high * high - low * low;
        let ratio_12 = first(alice_signal, alice_low) * second(bob_signal, bob_low)
            / (first(alice_decoy, alice_low) * second(bob_decoy, bob_low));
        let ratio_21 = second(alice_signal, alice_low) * first(bob_signal, bob_low)
            / (second(alice_decoy, alice_low) * first(bob_decoy, bob_low));
        let ratio = ratio_12.min(ratio_21);
        let of = |i: usize, j: usize| basis.gains[i][j];
        let decoys = self.without_vacuum(1, &of);
        let signals = self.without_vacuum(0, &of);
        let weight = first(alice_decoy, alice_low) * first(bob_decoy, bob_low) * ratio
            - first(alice_signal, alice_low) * first(bob_signal, bob_low);
        ((ratio * decoys - signals) / weight).max(0.0)
    }

    /// e₁₁Y₁₁ ≤ M_ν of the errors over (ν_a−ω_a)(ν_b−ω_b): all its terms are positive, so that a
    /// negative M_ν says of the figures that no light made them all.
    fn error_yield_max(&self) -> Result<f64, Error> {
        let basis = &self.test_basis;
        let of = |i: usize, j: usize| basis.gains[i][j] * basis.errors[i][j];
        let [_, alice_decoy, alice_low] = self.alice_intensities;
        let [_, bob_decoy, bob_low] = self.bob_intensities;
        let without_vacuum = self.without_vacuum(1, &of);
        let terms = [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(i, j)| self.weighted(i, j, &of));
        let size: f64 = terms.iter().sum();
        range::require(
            "the yield of wrong bits by test_basis.errors",
            without_vacuum,
            without_vacuum >= -ROUNDING * size,
            "errors that fit together: those of the decoys at least what those of the weakest \
             intensities already explain, which leaves zero or more",
        )?;
        let weight = (alice_decoy - alice_low) * (bob_decoy - bob_low);
        Ok(without_vacuum.max(0.0) / weight)
    }

    /// M_κ for the intensities of index `class`: the terms in which both pulses hold a photon.
    fn without_vacuum(&self, class: usize, value: &impl Fn(usize, usize) -> f64) -> f64 {
        const LOW: usize = 2;
        let weighted = |i, j| self.weighted(i, j, value);
        weighted(class, class) + weighted(LOW, LOW) - weighted(class, LOW) - weighted(LOW, class)
    }

    /// e^(μ_a+μ_b) times a gain: the sum of its terms without their common factor.
    fn weighted(&self, i: usize, j: usize, value: &impl Fn(usize, usize) -> f64) -> f64 {
        exp(self.alice_intensities[i] + self.bob_intensities[j]) * value(i, j)
    }

    fn check(&self) -> Result<(), Error> {
        for (intensities, names) in [
            (
                self.alice_intensities,
                [
                    "alice_intensities[0] (signal)",
                    "alice_intensities[1] (decoy)",
                    "alice_intensities[2] (weakest)",
                ],
            ),
            (
                self.bob_intensities,
                [
                    "bob_intensities[0] (signal)",
                    "bob_intensities[1] (decoy)",
                    "bob_intensities[2] (weakest)",
                ],
            ),
        ] {
            let [signal, decoy, low] = intensities;
            range::intensity(names[0], signal)?;
            let expected = "a mean photon number above the weakest and below the signal's";
            range::require(names[1], decoy, decoy > low && decoy < signal, expected)?;
            range::not_negative(names[2], low, "a mean photon number, zero or more")?;
        }
        for (basis, gain_name, error_name) in [
            (&self.key_basis, "key_basis.gains", "key_basis.errors"),
            (&self.test_basis, "test_basis.gains", "test_basis.errors"),
        ] {
            for gain in basis.gains.into_iter().flatten() {
                let holds = (0.0..=1.0).contains(&gain);
                range::require(gain_name, gain, holds, "probabilities between 0 and 1")?;
            }
            for error in basis.errors.into_iter().flatten() {
                let holds = (0.0..=1.0).contains(&error);
                let expected = "shares of wrong bits between 0 and 1";
                range::require(error_name, error, holds, expected)?;
            }
        }
        range::inefficiency(self.reconciliation_inefficiency)?;
        Ok(())
    }
}
