use crate::BasisStatistics;

/// The largest f of an honest block that Cascade corrects, whose key basis shows `key`: five
/// standard deviations above its mean, f being Alice's bits ÷ (n h(Q)).
///
/// f = 1.07 + 0.6 Q + 3/√errors + 10/errors, fitted from above to what `qkd-distill` needs for 1e4 to
/// 1e6 bits and error rates from 5e-5 to 13 %, the rate it plans with being up to 15 % off. The first
/// two terms are what long blocks keep to, the others how few errors stray. Figures of 1.05 and less
/// are published (Martinez-Mateo et al., arXiv:1407.3257); this is a limit for the implementation
/// here, and a test of `qkd-session` holds it to it.
pub fn cascade_inefficiency_max(key: &BasisStatistics<f64>) -> f64 {
    // With less than one error h(Q) is next to nothing, and so is what it is multiplied by.
    let errors = key.total_errors().max(1.0);
    1.07 + 0.6 * key.qber() + 3.0 / errors.sqrt() + 10.0 / errors
}
