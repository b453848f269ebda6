//! Light added up over windows of fixed length.

/// Adds up the light of one window after another.
pub(super) struct Integrator {
    window_slots: u64,
    level: f64,
    /// First slot of the next window.
    until: u64,
    photons: f64,
}

impl Integrator {
    /// From slot 0 on, in windows of `window_slots`, against a `level` of photons.
    pub fn new(window_slots: u64, level: f64) -> Self {
        Self {
            window_slots,
            level,
            until: window_slots,
            photons: 0.0,
        }
    }

    /// First slot after the present window.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// Light in the present window.
    pub fn add(&mut self, photons: f64) {
        self.photons += photons;
    }

    /// When `slot` has left the present window: whether that one reached the level.
    pub fn close(&mut self, slot: u64) -> Option<bool> {
        if slot < self.until {
            return None;
        }
        let reached = self.photons >= self.level;
        self.photons = 0.0;
        self.until = self.until.saturating_add(self.window_slots);
        Some(reached)
    }
}
