//! What monitors said since the daemon began, and what else an operator must look at.

use qkd_bits::HealthAlarm;
use qkd_keystore::Health;
use qkd_optics::{Alarm, Monitor};
use qkd_session::{BlockReport, SessionId};

use super::StatusBoard;

/// Alarms that are remembered.
const ALARMS_MAX: usize = 64;

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

impl StatusBoard {
    /// What an operator must look at, one sentence each; empty when all is well.
    pub fn alarms(&self, store: &Health) -> Vec<String> {
        let seen = self.snapshot();
        let mut alarms: Vec<String> = seen.alarms.into();
        alarms.extend(seen.fibre_fault);
        alarms.extend(seen.generator_fault);
        alarms.extend(seen.certificate.alarms);
        match store {
            Health::Sound | Health::Sealed => {}
            Health::Quarantined { reason } => {
                alarms.push(format!("the key store is quarantined: {reason}"));
            }
        }
        alarms
    }

    /// The generator has failed and ends the link. The first failure stays: nobody mends a generator by
    /// starting another session. It counts as one block, which there is none of any more.
    pub(crate) fn generator(&self, failed: HealthAlarm) {
        let snapshot = &mut self.lock().snapshot;
        if snapshot.generator_fault.is_none() {
            let alarm = Alarm::from(failed);
            tracing::error!("alarm of {alarm}");
            snapshot.generator_fault = Some(format!("{}: {failed}", alarm.monitor));
            let alarms = &mut snapshot.monitors[alarm.monitor.index()];
            alarms.blocks += 1;
            alarms.last = Some(alarm);
        }
    }

    /// How the generator has failed, if it has.
    pub(crate) fn generator_fault(&self) -> Option<String> {
        self.lock().snapshot.generator_fault.clone()
    }

    pub(crate) fn alarm(&self, alarm: String) {
        let alarms = &mut self.lock().snapshot.alarms;
        if alarms.back() != Some(&alarm) {
            if alarms.len() == ALARMS_MAX {
                alarms.pop_front();
            }
            alarms.push_back(alarm);
        }
    }

    /// An alarm whose cause is gone.
    pub(crate) fn withdraw(&self, alarm: &str) {
        self.lock().snapshot.alarms.retain(|raised| raised != alarm);
    }
}
