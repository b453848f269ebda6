use crate::BasisStatistics;

/// The largest f of an honest block that Cascade corrects, whose key basis shows `key`: five
/// standard deviations above its mean, f being Alice's bits ÷ (n h(Q)).
///
/// f = 1.1 + 3/√errors + 8e-5/Q, fitted from above to what `qkd-distill` needs for 1e4 to 1e6 bits
/// and error rates from 5e-5 to 8 %, the rate it plans with being up to 15 % off. The first term is
/// what long blocks keep to, the second how few errors stray, the third the parities of bits among
/// which there is hardly an error. An optimum of 1.05 and less is published for other block sizes
/// (Martinez-Mateo et al., arXiv:1407.3257); this is a limit for the implementation here.
pub fn cascade_inefficiency_max(key: &BasisStatistics<f64>) -> f64 {
    // Below these h(Q) is next to nothing, and so is what it is multiplied by.
    let errors = key.total_errors().max(1.0);
    let qber = key.qber().max(1e-6);
    1.1 + 3.0 / errors.sqrt() + 8e-5 / qber
}
