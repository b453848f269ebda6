//! What monitors said since the daemon began.

use qkd_optics::{Alarm, Monitor};
use qkd_session::{BlockReport, SessionId};

/// The alarms of one monitor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Alarms {
    /// Blocks that it raised one about.
    pub blocks: u64,
    /// The last one.
    pub last: Option<Alarm>,
    /// The last of those blocks, which may have had several.
    last_block: Option<(SessionId, u64)>,
}

/// The alarms of every monitor, each at its [index](Monitor::index).
pub type MonitorAlarms = [Alarms; Monitor::ALL.len()];

/// Notes the alarms of a block of `session`.
pub(super) fn note(monitors: &mut MonitorAlarms, session: SessionId, report: &BlockReport) {
    for alarm in &report.alarms {
        tracing::warn!(%session, block = report.block, "alarm of {alarm}");
        let alarms = &mut monitors[alarm.monitor.index()];
        let block = Some((session, report.block));
        alarms.blocks += u64::from(alarms.last_block != block);
        alarms.last_block = block;
        alarms.last = Some(*alarm);
    }
}
