//! What the receiver's own instruments show: all that a real one would, and nothing more.

use qkd_bits::HealthAlarm;

use super::arrivals::Arrivals;

/// Readings of Bob's instruments over a stretch of slots. They are input of the session's monitors,
/// so nothing is in here that only the emulator knows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readings {
    /// Slots that went by.
    pub slots: u64,
    /// Registered clicks, double clicks counted once.
    pub clicks: u64,
    /// Registered clicks in which more than one detector fired.
    pub double_clicks: u64,
    /// Registered clicks of the detectors 0 and 1 alone, whatever bit they stand for; only counted
    /// where [bits are assigned at random](crate::BitAssignment::Random).
    pub detector_clicks: Option<[u64; 2]>,
    /// Photons at the entrance, by the input-power monitor.
    pub input_power: Option<Level>,
    /// Electrons through the detectors, by the photocurrent monitor.
    pub photocurrent: Option<Level>,
    /// Times within the slot, by the arrival monitor: of clicks of one detector alone.
    pub arrivals: Option<Arrivals>,
    /// What the random-efficiency test counted while the light was weakened.
    pub weakened: Option<Weakened>,
    /// How the generator of Bob's choices has failed, in these slots or before.
    pub generator: Option<HealthAlarm>,
}

/// A quantity that is added up over windows and has a level that it should not reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Slots of a window.
    pub window_slots: u64,
    /// Windows that came to their end.
    pub windows: u64,
    /// Windows that reached the level.
    pub reached: u64,
    /// The largest sum of any of them.
    pub highest: f64,
    /// The level.
    pub limit: f64,
}

/// Slots in which Bob let less light pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weakened {
    /// How many.
    pub slots: u64,
    /// Registered clicks in them.
    pub clicks: u64,
    /// The whole windows that came to their end, those of full light and those that were weakened.
    pub windows: [Windows; 2],
}

/// Clicks window by window, as far as it takes to know how much they scatter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Windows {
    /// How many windows.
    pub count: u64,
    /// Registered clicks in them.
    pub clicks: u64,
    /// Sum of the squares of the clicks of each.
    pub squares: u128,
}

impl Windows {
    /// Takes in one window.
    pub fn add(&mut self, clicks: u64) {
        self.count += 1;
        self.clicks += clicks;
        self.squares += u128::from(clicks) * u128::from(clicks);
    }

    fn merge(&mut self, more: &Self) {
        self.count += more.count;
        self.clicks += more.clicks;
        self.squares += more.squares;
    }
}

impl Readings {
    /// Takes in the readings of the slots after these.
    pub fn add(&mut self, later: &Self) {
        let Self {
            slots,
            clicks,
            double_clicks,
            detector_clicks,
            input_power,
            photocurrent,
            arrivals,
            weakened,
            generator,
        } = later;
        self.slots += slots;
        self.clicks += clicks;
        self.double_clicks += double_clicks;
        merge(&mut self.detector_clicks, detector_clicks, |sum, more| {
            sum[0] += more[0];
            sum[1] += more[1];
        });
        merge(&mut self.arrivals, arrivals, |sum, more| {
            for (sum, more) in sum.iter_mut().flatten().zip(more.iter().flatten()) {
                *sum += more;
            }
        });
        self.generator = self.generator.or(*generator);
        merge(&mut self.input_power, input_power, Level::add);
        merge(&mut self.photocurrent, photocurrent, Level::add);
        merge(&mut self.weakened, weakened, |sum, more| {
            sum.slots += more.slots;
            sum.clicks += more.clicks;
            for (sum, more) in sum.windows.iter_mut().zip(&more.windows) {
                sum.merge(more);
            }
        });
    }
}

fn merge<T: Copy>(sum: &mut Option<T>, more: &Option<T>, add: impl FnOnce(&mut T, &T)) {
    match (sum, more) {
        (Some(sum), Some(more)) => add(sum, more),
        (sum @ None, Some(more)) => *sum = Some(*more),
        (_, None) => {}
    }
}

impl Level {
    /// No window yet.
    pub(super) fn new(window_slots: u64, limit: f64) -> Self {
        Self {
            window_slots,
            windows: 0,
            reached: 0,
            highest: 0.0,
            limit,
        }
    }

    /// Takes in the sum of one window.
    pub(super) fn window(&mut self, sum: f64) {
        self.windows += 1;
        self.reached += u64::from(sum >= self.limit);
        self.highest = self.highest.max(sum);
    }

    fn add(&mut self, later: &Self) {
        self.windows += later.windows;
        self.reached += later.reached;
        self.highest = self.highest.max(later.highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_two_stretches_are_those_of_both_together() {
        let level = |sums: &[f64]| {
            let mut level = Level::new(10_000, 5.0);
            sums.iter().for_each(|&sum| level.window(sum));
            level
        };
        let mut sum = Readings {
            slots: 10,
            clicks: 4,
            double_clicks: 1,
            input_power: Some(level(&[1.0, 5.0])),
            ..Readings::default()
        };
        sum.add(&Readings {
            slots: 30,
            clicks: 2,
            input_power: Some(level(&[4.0])),
            weakened: Some(Weakened {
                slots: 20,
                clicks: 1,
                windows: Default::default(),
            }),
            ..Readings::default()
        });
        assert_eq!((sum.slots, sum.clicks, sum.double_clicks), (40, 6, 1));
        assert_eq!(sum.input_power, Some(level(&[1.0, 5.0, 4.0])));
        assert_eq!(sum.weakened.map(|weakened| weakened.slots), Some(20));
        assert_eq!(sum.photocurrent, None);
    }
}
