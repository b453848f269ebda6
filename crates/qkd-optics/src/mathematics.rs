//! Logarithm, exponential, sine and cosine that are the same to the last bit on every machine.
//!
//! The platform's mathematics library differs between systems, and a last bit that differs moves a
//! photon. Only operations that IEEE 754 rounds exactly are used, none of them fused.

const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// Minimax coefficients of ln((1+s)/(1−s))/s − 2 in s² (Sun fdlibm, `e_log.c`), below 1 ulp.
const LG: [f64; 7] = [
    6.666_666_666_666_735e-1,
    3.999_999_999_940_942e-1,
    2.857_142_874_366_239e-1,
    2.222_219_843_214_978_4e-1,
    1.818_357_216_161_805e-1,
    1.531_383_769_920_937_3e-1,
    1.479_819_860_511_658_6e-1,
];

/// Natural logarithm of a positive normal number, without a branch on its value.
#[inline]
pub(crate) fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0, "ln of {x}");
    let bits = x.to_bits();
    // Adding the distance from √½ to 1 carries into the exponent exactly when the mantissa is
    // above √2: the mantissa then lands in [√½, √2).
    let carried = bits.wrapping_add(0x3ff0_0000_0000_0000 - 0x3fe6_a09e_667f_3bcd);
    let exponent = (carried >> 52) as i64 - 1023;
    let mantissa =
        f64::from_bits((carried & 0x000f_ffff_ffff_ffff).wrapping_add(0x3fe6_a09e_667f_3bcd));
    let f = mantissa - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (LG[1] + w * (LG[3] + w * LG[5]));
    let odd = z * (LG[0] + w * (LG[2] + w * (LG[4] + w * LG[6])));
    let half_square = 0.5 * f * f;
    let k = exponent as f64;
    k * LN2_HIGH - ((half_square - (s * (half_square + (even + odd)) + k * LN2_LOW)) - f)
}

/// ln(1 + x) for x > −1, accurate near 0 (Kahan's correction of the rounding of 1 + x).
pub(crate) fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    if u == 1.0 { x } else { ln(u) * x / (u - 1.0) }
}

/// eˣ for x ≤ 700; below −700 it is 0.
pub(crate) fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let two_to_k = f64::from_bits(((k as i64 + 1023) as u64) << 52);
    (1.0 + exp_m1_series(r)) * two_to_k
}

/// eˣ − 1, accurate near 0.
pub(crate) fn exp_m1(x: f64) -> f64 {
    if x.abs() < 0.35 {
        exp_m1_series(x)
    } else {
        exp(x) - 1.0
    }
}

/// x + x²/2! + … + x¹⁵/15!, whose remainder is below 2⁻⁵³ of the sum for |x| ≤ 0.35.
fn exp_m1_series(x: f64) -> f64 {
    let mut sum = 1.0;
    for n in (2..=15).rev() {
        sum = 1.0 + sum * x / f64::from(n);
    }
    sum * x
}

/// (sin x, cos x), to 1e-15 for angles of a few turns; the angle 0 gives exactly (0, 1).
pub(crate) fn sin_cos(x: f64) -> (f64, f64) {
    use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};
    // A rest of at most 45 degrees, and the number of right angles that were taken away.
    let turns = (x * FRAC_2_PI).round();
    let rest = (x - turns * FRAC_PI_2) - turns * FRAC_PI_2_LOW;
    let square = rest * rest;
    let (mut sin, mut cos) = (1.0, 1.0);
    for n in (1..=9).rev() {
        let even = f64::from(2 * n);
        sin = 1.0 - sin * square / (even * (even + 1.0));
        cos = 1.0 - cos * square / (even * (even - 1.0));
    }
    let sin = sin * rest;
    match (turns as i64).rem_euclid(4) {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        // 3: the remainder of a division by 4 is below 4.
        3.. | ..0 => (-cos, sin),
    }
}

/// What π/2 is above its double.
const FRAC_PI_2_LOW: f64 = 6.123_233_995_736_766e-17;

/// Probability that a normal variable of mean 0 and deviation 1 is below `x`: ½ erfc(−x/√2).
///
/// Absolute error below 1e-15: the series of Marsaglia (J. Stat. Softw. 11, 4 (2004)) up to 8
/// deviations, beyond which the rest is below 1e-15.
pub(crate) fn normal_below(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    // Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …)
    let (mut sum, mut term, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-18 * sum.abs() {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    const SQRT_TAU: f64 = 2.506_628_274_631_000_5;
    (0.5 + sum * exp(-0.5 * x * x) / SQRT_TAU).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, theirs: f64) -> bool {
        (ours - theirs).abs() <= 8.0 * f64::EPSILON * theirs.abs()
    }

    #[test]
    fn logarithm_agrees_with_the_platform_to_eight_ulp() {
        let mut x = 1e-300;
        while x < 1e300 {
            assert!(close(ln(x), x.ln()), "ln({x}) = {}", ln(x));
            x *= 1.000_37 * 1.7;
        }
        for i in 1..10_000 {
            let x = f64::from(i) / 5_000.0;
            assert!((ln(x) - x.ln()).abs() <= 1e-15 + 1e-15 * x.ln().abs());
            let small = f64::from(i) * 1e-9;
            assert!(close(ln_1p(-small), (-small).ln_1p()));
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn exponential_agrees_with_the_platform_to_eight_ulp() {
        for i in -60_000..2_000 {
            let x = f64::from(i) / 100.0;
            assert!(close(exp(x), x.exp()), "exp({x}) = {}", exp(x));
            let small = f64::from(i) * 1e-6;
            assert!(close(exp_m1(small), small.exp_m1()), "exp_m1({small})");
        }
        assert_eq!(exp(-1e6), 0.0);
    }

    /// A change of these bits changes every seeded transcript.
    #[test]
    fn logarithm_keeps_its_last_bit() {
        assert_eq!(ln(0.5).to_bits(), 0xbfe6_2e42_fefa_39ef);
        assert_eq!(ln(10.0).to_bits(), 0x4002_6bb1_bbb5_5516);
    }

    #[test]
    fn sine_and_cosine_agree_with_the_platform() {
        for i in -10_000..10_000 {
            let x = f64::from(i) / 500.0;
            let (sin, cos) = sin_cos(x);
            assert!(
                (sin - x.sin()).abs() < 2e-15 && (cos - x.cos()).abs() < 2e-15,
                "{x}"
            );
        }
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
    }

    /// Abramowitz and Stegun, table 26.1.
    #[test]
    fn normal_probabilities_are_those_of_the_tables() {
        for (x, expected) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_543),
            (2.0, 0.977_249_868_051_821),
            (-3.0, 1.349_898_031_630_1e-3),
            (5.0, 0.999_999_713_348_428),
        ] {
            assert!(
                (normal_below(x) - expected).abs() < 1e-14,
                "{x}: {}",
                normal_below(x)
            );
        }
        assert_eq!((normal_below(40.0), normal_below(-40.0)), (1.0, 0.0));
    }
}
