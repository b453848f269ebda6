//! What is done when a monitor is not content, and with what it compares.
//!
//! Monitors look at a block; they never change what is announced, counted or corrected. Limits on
//! counts are exact tails of the binomial distribution around what the link's own model expects,
//! with room for what the model may be wrong about: an undisturbed block raises each of these alarms
//! with the configured probability at most. Limits on power and current are levels that somebody has
//! set, far above what is there: no probability belongs to them.

mod signs;
mod unsteady;

use qkd_optics::{Alarm, Monitor};
use qkd_protocols::Undisturbed;
use qkd_security::concentration::FailureProbability;

use crate::{Abort, AbortReason};
pub(crate) use signs::RawKey;

/// What happens to a block that a monitor raises an alarm about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Action {
    /// The block is aborted, and nothing of it becomes a key.
    #[default]
    Stop,
    /// The alarm stands in the account of the block, which goes on.
    Report,
    /// Nobody looks.
    Off,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::Stop, Self::Report, Self::Off];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Report => "report",
            Self::Off => "off",
        }
    }

    /// The one with this [name](Self::name).
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// One action for each monitor; [`Action::Stop`] by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions([Action; Monitor::ALL.len()]);

impl Actions {
    /// The same action for all.
    pub fn all(action: Action) -> Self {
        Self([action; Monitor::ALL.len()])
    }

    /// The same with another action for one of them.
    #[must_use]
    pub fn with(mut self, monitor: Monitor, action: Action) -> Self {
        self.0[monitor.index()] = action;
        self
    }

    /// What happens on an alarm of `monitor`.
    pub fn of(&self, monitor: Monitor) -> Action {
        self.0[monitor.index()]
    }
}

/// The monitors of one side of a link.
#[derive(Debug, Clone)]
pub struct Monitors {
    /// What happens on an alarm.
    pub actions: Actions,
    /// Probability that an undisturbed block raises the alarm of one monitor that counts, at most.
    pub false_alarm_probability: f64,
    /// What an undisturbed link shows.
    pub undisturbed: Undisturbed,
}

impl Monitors {
    /// One false alarm of a monitor in 10⁹ blocks.
    pub const FALSE_ALARM_PROBABILITY: f64 = 1e-9;

    /// Monitors that all stop a block, for a link that is expected to be like this.
    pub fn new(undisturbed: Undisturbed) -> Self {
        Self {
            actions: Actions::default(),
            false_alarm_probability: Self::FALSE_ALARM_PROBABILITY,
            undisturbed,
        }
    }

    /// Those of `alarms` that somebody looks at.
    pub(crate) fn heeded(&self, alarms: impl IntoIterator<Item = Alarm>) -> Vec<Alarm> {
        let heeds = |alarm: &Alarm| self.actions.of(alarm.monitor) != Action::Off;
        alarms.into_iter().filter(heeds).collect()
    }

    /// The plainest of `alarms` that stop the block.
    pub(crate) fn stopping(&self, alarms: &[Alarm]) -> Option<Abort> {
        let stops = |alarm: &&Alarm| self.actions.of(alarm.monitor) == Action::Stop;
        let stopping = alarms.iter().filter(stops);
        let plainest = stopping.min_by_key(|alarm| rank(alarm.monitor));
        plainest.map(Abort::from)
    }

    /// The bound for one of so many questions that a monitor asks.
    fn failure(&self, questions: usize) -> FailureProbability {
        FailureProbability(self.false_alarm_probability / questions as f64)
    }
}

/// Where several raise an alarm, instruments that see what is done come before counts that see what it
/// leaves behind, and of these one that knows a single cause before those that know many.
fn rank(monitor: Monitor) -> u8 {
    match monitor {
        Monitor::RandomNumbers => 0,
        Monitor::InputPower | Monitor::BackwardLight => 1,
        Monitor::Photocurrent | Monitor::OutputPower => 2,
        Monitor::RandomEfficiency => 3,
        Monitor::ArrivalTimes => 4,
        Monitor::DetectorBalance => 5,
        Monitor::DecoyShare => 6,
        Monitor::DoubleClicks => 7,
        Monitor::ErrorRates => 8,
        Monitor::RawKeyBias => 9,
    }
}

impl From<&Alarm> for Abort {
    /// What is said in public. The histogram of arrival times tells which detector clicked, of
    /// batches that may belong to another block as well: nothing but its name is said of it, and its
    /// figures stay in the account of whoever has it.
    fn from(alarm: &Alarm) -> Self {
        let (observed, limit) = match alarm.monitor {
            Monitor::ArrivalTimes => (0.0, 0.0),
            Monitor::InputPower
            | Monitor::Photocurrent
            | Monitor::DoubleClicks
            | Monitor::RandomEfficiency
            | Monitor::DetectorBalance
            | Monitor::DecoyShare
            | Monitor::ErrorRates
            | Monitor::RawKeyBias
            | Monitor::BackwardLight
            | Monitor::OutputPower
            | Monitor::RandomNumbers => (alarm.observed, alarm.limit),
        };
        Self {
            reason: AbortReason::Alarm(alarm.monitor),
            observed,
            limit,
        }
    }
}

#[cfg(test)]
mod tests;
