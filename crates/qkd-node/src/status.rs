//! What the operator sees: one board that every thread of the daemon writes on.

mod alarms;
mod clock;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts};
use qkd_auth::RejectCounters;
use qkd_optics::{FrameCounters, ReceiverCounters};
use qkd_security::Statistics;
use qkd_session::{AbortReason, BlockReport, Outcome, Progress, SessionId};
use tokio::sync::watch;

use crate::link::Traffic;
pub use alarms::{Alarms, MonitorAlarms};
pub use clock::Light;
use clock::Pieces;

/// Reports that are remembered.
const REPORTS_MAX: usize = 4096;

/// Bounds between which error rates of blocks are counted: a good link has a few percent, an
/// intercepted one 25 %.
const QBERS: [f64; 11] = [
    0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.11, 0.2, 0.3,
];

/// What the classical link is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// No connection; trying or waiting.
    Connecting,
    /// Connected; keys are being proven.
    Handshake,
    /// A session is running and light is wanted.
    Running,
    /// A session is running, but no light is wanted.
    Paused,
}

/// A report with its place in this daemon's life.
#[derive(Debug, Clone)]
pub struct NumberedReport {
    /// From 1.
    pub number: u64,
    /// The block's session.
    pub session: SessionId,
    /// What became of it.
    pub report: BlockReport,
}

/// What was counted in a block that was measured to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredBlock {
    /// Slots of the block.
    pub slots: u64,
    /// Detections and errors.
    pub statistics: Statistics,
}

/// Everything on the board. Counts run from the start of the daemon.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the link is doing.
    pub link_state: LinkState,
    /// Why it went down or did not come up, last; empty when nothing ever did.
    pub link_fault: String,
    /// Why light goes nowhere, while it does; Alice only.
    pub fibre_fault: Option<String>,
    /// How this side's random generator has failed; once it has, there is no link any more.
    pub generator_fault: Option<String>,
    /// The running session.
    pub session: Option<SessionId>,
    /// Sessions that began.
    pub sessions: u64,
    /// Sessions that ended.
    pub interruptions: u64,
    /// Blocks with a key.
    pub blocks_with_key: u64,
    /// Blocks without.
    pub blocks_aborted: u64,
    /// The same by reason, each at its [index](AbortReason::index).
    pub aborts: [u64; AbortReason::ALL.len()],
    /// The last block that was measured to its end.
    pub last_measured: Option<MeasuredBlock>,
    /// How far the block being collected is; nothing at Alice.
    pub progress: Option<Progress>,
    /// Sifted bits of all blocks.
    pub sifted_bits: u64,
    /// Secret bits of all blocks with a key.
    pub secret_bits: u64,
    /// Error rate of the last block.
    pub last_qber: Option<f64>,
    /// Slots that the running session has seen.
    pub slots: u64,
    /// Slots that all sessions have seen.
    pub slots_total: u64,
    /// The last seconds of light: how the clock runs now.
    pub recent_light: Light,
    /// All light since the daemon began.
    pub light: Light,
    /// Datagrams sent.
    pub frames_sent: u64,
    /// Datagrams that found no way out.
    pub frames_unsent: u64,
    /// Datagrams received.
    pub frames: FrameCounters,
    /// What the detectors did in the running session; Bob only.
    pub detectors: ReceiverCounters,
    /// Windows in which the monitor at Bob's entrance raised an alarm, in all sessions.
    pub power_alarms: u64,
    /// Blocks that each monitor raised an alarm about.
    pub monitors: MonitorAlarms,
    /// Receive buffer that the system granted to the light, in bytes; Bob only.
    pub receive_buffer_bytes: Option<u64>,
    /// Envelopes rejected.
    pub rejects: RejectCounters,
    /// Authentic payloads that were no message of the protocol.
    pub malformed: u64,
    /// Handshakes that failed.
    pub handshakes_failed: u64,
    /// What an operator must look at.
    pub alarms: VecDeque<String>,
    /// This node's certificate.
    pub certificate: CertificateState,
}

/// What an operator may want to know about the node's own certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateState {
    /// Its last second, counted from 1970; nothing before the first look at it.
    pub not_after: Option<u64>,
    /// What must be done about it, gone when it was done.
    pub alarms: Vec<String>,
}

/// The board. Cheap to clone.
#[derive(Clone)]
pub struct StatusBoard {
    inner: Arc<Mutex<Inner>>,
    reported: watch::Sender<u64>,
    qber: Histogram,
}

struct Inner {
    snapshot: Snapshot,
    reports: VecDeque<NumberedReport>,
    pieces: Pieces,
    /// What the latest connection has said.
    traffic: Traffic,
    /// Counters of the connections before this one.
    earlier_rejects: RejectCounters,
    earlier_frames: FrameCounters,
    earlier_power_alarms: u64,
}

impl Default for StatusBoard {
    fn default() -> Self {
        let snapshot = Snapshot {
            link_state: LinkState::Connecting,
            link_fault: String::new(),
            fibre_fault: None,
            generator_fault: None,
            session: None,
            sessions: 0,
            interruptions: 0,
            blocks_with_key: 0,
            blocks_aborted: 0,
            aborts: Default::default(),
            last_measured: None,
            progress: None,
            sifted_bits: 0,
            secret_bits: 0,
            last_qber: None,
            slots: 0,
            slots_total: 0,
            recent_light: Light::default(),
            light: Light::default(),
            frames_sent: 0,
            frames_unsent: 0,
            frames: FrameCounters::default(),
            detectors: ReceiverCounters::default(),
            power_alarms: 0,
            monitors: Default::default(),
            receive_buffer_bytes: None,
            rejects: RejectCounters::default(),
            malformed: 0,
            handshakes_failed: 0,
            alarms: VecDeque::new(),
            certificate: CertificateState::default(),
        };
        Self {
            inner: Arc::new(Mutex::new(Inner {
                snapshot,
                reports: VecDeque::new(),
                pieces: Pieces::default(),
                traffic: Traffic::default(),
                earlier_rejects: RejectCounters::default(),
                earlier_frames: FrameCounters::default(),
                earlier_power_alarms: 0,
            })),
            reported: watch::Sender::new(0),
            qber: qber_histogram(),
        }
    }
}

fn qber_histogram() -> Histogram {
    let options = HistogramOpts::new(
        "qkd_block_qber_ratio",
        "Error rates of finished blocks: of the key basis, or of the test basis for a block that \
         was refused before its errors were corrected.",
    );
    Histogram::with_opts(options.buckets(QBERS.to_vec()))
        // A constant name and rising constant bounds; a test makes one.
        .expect("the library takes this name and these bounds")
}

/// The error rate of a block; where only the other side has measured it, the one it refused.
fn qber_of(report: &BlockReport) -> Option<f64> {
    let refused = match &report.outcome {
        Outcome::Aborted(abort) if abort.reason == AbortReason::QberTooHigh => Some(abort.observed),
        Outcome::Aborted(_) | Outcome::Key { .. } => None,
    };
    report.qber.or(refused)
}

impl StatusBoard {
    /// The board as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().snapshot.clone()
    }

    /// Reports with a number above `after`, and a way to wait for more.
    pub fn reports_after(&self, after: u64) -> Vec<NumberedReport> {
        let inner = self.lock();
        inner
            .reports
            .iter()
            .filter(|report| report.number > after)
            .cloned()
            .collect()
    }

    /// Error rates of all blocks.
    pub fn qber(&self) -> Histogram {
        self.qber.clone()
    }

    /// Changes whenever a report is added.
    pub fn reported(&self) -> watch::Receiver<u64> {
        self.reported.subscribe()
    }

    /// Blocks that have ended.
    pub fn blocks_attempted(&self) -> u64 {
        let inner = self.lock();
        inner.snapshot.blocks_with_key + inner.snapshot.blocks_aborted
    }

    pub(crate) fn link(&self, state: LinkState, fault: &str) {
        let mut inner = self.lock();
        inner.snapshot.link_state = state;
        if !fault.is_empty() {
            fault.clone_into(&mut inner.snapshot.link_fault);
        }
        if state == LinkState::Connecting {
            let ended = inner.snapshot.session.take();
            inner.snapshot.interruptions += u64::from(ended.is_some());
            inner.snapshot.progress = None;
        }
    }

    pub(crate) fn fibre(&self, fault: Option<String>) {
        self.lock().snapshot.fibre_fault = fault;
    }

    /// Somebody who calls itself the peer was turned away; news only while there is no link.
    pub(crate) fn peer_refused(&self, reason: &str) {
        let mut inner = self.lock();
        if inner.snapshot.link_state == LinkState::Connecting {
            reason.clone_into(&mut inner.snapshot.link_fault);
        }
    }

    pub(crate) fn certificate(&self, state: CertificateState) {
        self.lock().snapshot.certificate = state;
    }

    pub(crate) fn handshake_failed(&self) {
        self.lock().snapshot.handshakes_failed += 1;
    }

    pub(crate) fn malformed(&self) {
        self.lock().snapshot.malformed += 1;
    }

    pub(crate) fn connected(&self, session: SessionId) {
        let mut inner = self.lock();
        inner.earlier_rejects = inner.snapshot.rejects;
        inner.earlier_frames = inner.snapshot.frames;
        inner.earlier_power_alarms = inner.snapshot.power_alarms;
        inner.snapshot.link_state = LinkState::Paused;
        inner.snapshot.session = Some(session);
        inner.snapshot.sessions += 1;
        inner.snapshot.slots = 0;
    }

    pub(crate) fn light(&self, wanted: bool) {
        let state = if wanted {
            LinkState::Running
        } else {
            LinkState::Paused
        };
        self.lock().snapshot.link_state = state;
    }

    pub(crate) fn link_health(
        &self,
        rejects: RejectCounters,
        progress: Option<Progress>,
        traffic: &Traffic,
    ) {
        let mut inner = self.lock();
        inner.traffic.clone_from(traffic);
        let earlier = inner.earlier_rejects;
        inner.snapshot.rejects = RejectCounters {
            tag_length: earlier.tag_length + rejects.tag_length,
            wrong_tag: earlier.wrong_tag + rejects.wrong_tag,
            wrong_epoch: earlier.wrong_epoch + rejects.wrong_epoch,
            reflection: earlier.reflection + rejects.reflection,
            replay: earlier.replay + rejects.replay,
            gap: earlier.gap + rejects.gap,
        };
        inner.snapshot.progress = progress;
    }

    /// What the latest connection has said so far.
    pub(crate) fn traffic(&self) -> Traffic {
        self.lock().traffic.clone()
    }

    /// So many datagrams of light left this machine, and so many found no way out.
    pub(crate) fn frames_sent(&self, left: u64, lost: u64) {
        let snapshot = &mut self.lock().snapshot;
        snapshot.frames_sent += left;
        snapshot.frames_unsent += lost;
    }

    /// What the detectors did since the session began.
    pub(crate) fn detectors(&self, counters: ReceiverCounters) {
        let mut inner = self.lock();
        inner.snapshot.detectors = counters;
        inner.snapshot.power_alarms = inner.earlier_power_alarms + counters.power_alarms;
    }

    /// The system granted this receive buffer to the light, in bytes.
    pub(crate) fn receive_buffer(&self, bytes: usize) {
        self.lock().snapshot.receive_buffer_bytes = Some(bytes as u64);
    }

    pub(crate) fn frames(&self, counters: FrameCounters) {
        let mut inner = self.lock();
        let earlier = inner.earlier_frames;
        inner.snapshot.frames = FrameCounters {
            accepted: earlier.accepted + counters.accepted,
            duplicate: earlier.duplicate + counters.duplicate,
            late: earlier.late + counters.late,
            foreign: earlier.foreign + counters.foreign,
            ahead: earlier.ahead + counters.ahead,
            filtered: earlier.filtered + counters.filtered,
            corrupt: earlier.corrupt + counters.corrupt,
            lost_slots: earlier.lost_slots + counters.lost_slots,
        };
    }

    /// The session has come to `slots`. The last of them went by in so much time with light; nothing
    /// when they are no measure of the clock's pace.
    pub(crate) fn clock(&self, slots: u64, lit: Option<Duration>) {
        let mut inner = self.lock();
        let Inner {
            snapshot, pieces, ..
        } = &mut *inner;
        let went_by = slots.saturating_sub(snapshot.slots);
        snapshot.slots = slots;
        snapshot.slots_total += went_by;
        if let Some(time) = lit.filter(|time| !time.is_zero()) {
            let piece = Light {
                slots: went_by,
                time,
            };
            snapshot.light.add(piece);
            snapshot.recent_light = pieces.note(piece);
        }
    }

    pub(crate) fn report(&self, report: BlockReport) {
        let mut inner = self.lock();
        let Some(session) = inner.snapshot.session else {
            return;
        };
        let snapshot = &mut inner.snapshot;
        match &report.outcome {
            Outcome::Key { secret_length_bits } => {
                snapshot.blocks_with_key += 1;
                snapshot.secret_bits += secret_length_bits;
                tracing::info!(
                    %session, block = report.block, sifted_bits = report.sifted_bits,
                    qber = report.qber, secret_length_bits, "block distilled"
                );
            }
            Outcome::Aborted(abort) => {
                snapshot.blocks_aborted += 1;
                snapshot.aborts[abort.reason.index()] += 1;
                tracing::warn!(
                    %session, block = report.block, sifted_bits = report.sifted_bits,
                    qber = report.qber, reason = abort.reason.name(), observed = abort.observed,
                    limit = abort.limit, "block aborted"
                );
            }
        }
        alarms::note(&mut snapshot.monitors, session, &report);
        snapshot.sifted_bits += report.sifted_bits;
        if let Some(qber) = qber_of(&report) {
            snapshot.last_qber = Some(qber);
            self.qber.observe(qber);
        }
        if let Some(statistics) = report.statistics {
            snapshot.last_measured = Some(MeasuredBlock {
                slots: report.end_slot - report.first_slot,
                statistics,
            });
        }
        let number = snapshot.blocks_with_key + snapshot.blocks_aborted;
        if inner.reports.len() == REPORTS_MAX {
            inner.reports.pop_front();
        }
        inner.reports.push_back(NumberedReport {
            number,
            session,
            report,
        });
        drop(inner);
        self.reported.send_replace(number);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
