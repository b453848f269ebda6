//! Something added up over windows of fixed length.

/// Adds up one window after another.
pub(super) struct Integrator {
    window_slots: u64,
    /// First slot of the next window.
    until: u64,
    sum: f64,
}

impl Integrator {
    /// From slot 0 on, in windows of `window_slots`.
    pub fn new(window_slots: u64) -> Self {
        Self {
            window_slots,
            until: window_slots,
            sum: 0.0,
        }
    }

    /// First slot after the present window.
    pub fn until(&self) -> u64 {
        self.until
    }

    /// So much more in the present window.
    pub fn add(&mut self, more: f64) {
        self.sum += more;
    }

    /// When `slot` has left the present window: its sum.
    pub fn close(&mut self, slot: u64) -> Option<f64> {
        if slot < self.until {
            return None;
        }
        self.until = self.until.saturating_add(self.window_slots);
        Some(std::mem::take(&mut self.sum))
    }
}
