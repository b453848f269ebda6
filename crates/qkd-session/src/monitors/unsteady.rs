//! How far clicks in weakened windows stray where the light changes from window to window.

use qkd_optics::{Weakened, Windows};
use qkd_security::mathematics::exp_m1;

/// How many deviations of a known normal law the room is made for.
const DEVIATIONS: f64 = 7.0;

/// What one kind of windows says about the scatter of the light.
struct Scatter {
    /// Windows less the one that their mean takes.
    degrees: f64,
    /// Sum of the squares of the relative deviations, less what photons that come one by one make of
    /// it.
    excess: f64,
}

impl Scatter {
    fn of(windows: &Windows) -> Option<Self> {
        let (count, clicks) = (windows.count as f64, windows.clicks as f64);
        if windows.count == 0 {
            return None;
        }
        if windows.clicks == 0 {
            // Of darkness there is no relative deviation.
            return Some(Self {
                degrees: 0.0,
                excess: 0.0,
            });
        }
        let (mean, degrees) = (clicks / count, count - 1.0);
        let squares = windows.squares as f64 / (mean * mean) - count;
        Some(Self {
            degrees,
            excess: squares - degrees / mean,
        })
    }
}

/// How far the share of weakened clicks among `clicks` strays from `share` for that the windows have
/// different light; nothing where too few windows have passed to know.
///
/// Which windows are weakened is Bob's secret: whatever the light does, and however slowly, the
/// weakened ones are a random sample of it, and the share of the clicks in them scatters by p(1 − p)g
/// times the root of 1/n + 1/m, with a relative deviation g of the light among n and m windows. It is
/// taken from the windows themselves, so that its deviations are Student's and not normal, here by
/// t² = ν(e^(z²/ν) − 1) (Wallace, Ann. Math. Stat. 30, 1124 (1959), without its corrections).
pub(super) fn unsteady_room(weakened: &Weakened, share: f64, clicks: u64) -> Option<f64> {
    let [full, less] = &weakened.windows;
    let (of_full, of_less) = (Scatter::of(full)?, Scatter::of(less)?);
    let degrees = of_full.degrees + of_less.degrees;
    if degrees <= 0.0 {
        return None;
    }
    let variance = ((of_full.excess + of_less.excess) / degrees).max(0.0);
    let windows = 1.0 / full.count as f64 + 1.0 / less.count as f64;
    let coins = share * (1.0 - share);
    let by_chance = coins / clicks.max(1) as f64;
    let by_light = coins * coins * variance * windows;
    if by_light <= 0.0 {
        return Some(0.0);
    }
    // √(a + b) − √a, and nothing is subtracted from itself.
    let more = by_light / ((by_chance + by_light).sqrt() + by_chance.sqrt());
    let student = (degrees * exp_m1(DEVIATIONS * DEVIATIONS / degrees)).sqrt();
    Some(student * more)
}
