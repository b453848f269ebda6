//! Logarithms, exponentials and sines that are the same to the last bit on every machine.
//!
//! A key length is rounded down to whole bits and both sides of a link must find the same one, but
//! the platform's mathematics library differs between systems. These go through `libm`, which is
//! compiled from one source everywhere. Square roots need no entry: IEEE 754 rounds them exactly.
//! Functions of this crate use these and never `f64::ln` and its like.

/// ln x: the natural logarithm; −∞ at 0, NaN below.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// ln(1 + x) for x > −1, accurate near 0.
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// log₂ x: −∞ at 0, NaN below.
pub fn log2(x: f64) -> f64 {
    libm::log2(x)
}

/// log₁₀ x: −∞ at 0, NaN below.
pub fn log10(x: f64) -> f64 {
    libm::log10(x)
}

/// eˣ.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// eˣ − 1, accurate near 0.
pub fn exp_m1(x: f64) -> f64 {
    libm::expm1(x)
}

/// `base` to the power `exponent`.
pub fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}

/// sin x, x in radians.
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// cos x, x in radians.
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// arccos x in radians, for x in \[−1, 1\].
pub fn acos(x: f64) -> f64 {
    libm::acos(x)
}

/// arctan x in radians.
pub fn atan(x: f64) -> f64 {
    libm::atan(x)
}

/// ln Γ(x) for x > 0, so that ln n! = ln Γ(n + 1).
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// erfc x = 1 − erf x, accurate where it is tiny.
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of these bits would make the two sides of a link find different key lengths.
    #[test]
    fn results_keep_their_last_bit() {
        let rows = [
            (ln(0.3), 0xbff3_4378_fcbd_a721_u64),
            (ln_1p(1e-5), 0x3ee4_f8ae_a9ae_7317),
            (log2(0.11), 0xc009_79b3_96ec_e9a1),
            (log10(3.0), 0x3fde_8927_964f_d5fd),
            (exp(-0.5), 0x3fe3_68b2_fc6f_960a),
            (exp_m1(-1e-5), 0xbee4_f8ae_a9ac_f2c9),
            (pow(10.0, -2.1), 0x3f80_4491_4f3c_02b0),
            (sin(0.7), 0x3fe4_9d6e_6946_19b8),
            (cos(0.7), 0x3fe8_7996_529f_9d93),
            (ln_gamma(1e5), 0x4130_0a97_b57f_4c2e),
            (erfc(4.0), 0x3e50_8ddd_13bd_35e7),
        ];
        for (i, (value, bits)) in rows.into_iter().enumerate() {
            assert_eq!(value.to_bits(), bits, "row {i}: {value:e}");
        }
    }

    /// What this crate may not say outside tests; square roots are exact.
    const PLATFORM: &[&str] = &[
        "ln", "ln_1p", "log", "log2", "log10", "exp", "exp2", "exp_m1", "powf", "sin", "cos",
        "tan", "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "cbrt", "hypot",
        "mul_add",
    ];

    #[test]
    fn no_formula_takes_its_mathematics_from_the_platform() {
        let mut folders = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/src").into()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs")
                    && path.file_name().is_some_and(|name| name != "tests.rs")
                {
                    files += 1;
                    let text = std::fs::read_to_string(&path).unwrap();
                    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                    let code = code.lines().filter(|line| !line.trim().starts_with("//"));
                    for line in code {
                        for word in PLATFORM {
                            let said = line.contains(&format!(".{word}("))
                                || line.contains(&format!("f64::{word}"));
                            assert!(!said, "{}: {}", path.display(), line.trim());
                        }
                    }
                }
            }
        }
        assert!(files > 20, "{files} files of source");
    }
}
