//! Figures of the receiver.

/// What happened in the receiver so far. The emulated hardware knows more than real hardware would:
/// these are figures for the operator and for tests, never input of a protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// Registered clicks, double clicks counted once.
    pub clicks: u64,
    /// Registered clicks in which more than one detector fired.
    pub double_clicks: u64,
    /// Registered clicks with a dark count or background light in them.
    pub dark_counts: u64,
    /// Registered clicks with an afterpulse in them.
    pub afterpulses: u64,
    /// Registered clicks whose light jitter moved here from another slot.
    pub displaced_clicks: u64,
    /// Clicks that fell into a dead time.
    pub discarded_in_dead_time: u64,
    /// Windows of the input-power monitor in which the light reached the alarm level.
    pub power_alarms: u64,
}

impl ReceiverCounters {
    /// What has happened since it had counted `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            clicks: self.clicks - earlier.clicks,
            double_clicks: self.double_clicks - earlier.double_clicks,
            dark_counts: self.dark_counts - earlier.dark_counts,
            afterpulses: self.afterpulses - earlier.afterpulses,
            displaced_clicks: self.displaced_clicks - earlier.displaced_clicks,
            discarded_in_dead_time: self.discarded_in_dead_time - earlier.discarded_in_dead_time,
            power_alarms: self.power_alarms - earlier.power_alarms,
        }
    }

    /// Slots in which a detector would have fired, had there been no dead time: clicks before dead
    /// time, while [`clicks`](Self::clicks) is after it.
    pub fn clicks_before_dead_time(&self) -> u64 {
        self.clicks + self.discarded_in_dead_time
    }
}
