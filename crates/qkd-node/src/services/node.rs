//! What a node is doing, for operators and the laboratory.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use qkd_security::{Figure, Spent};
use qkd_session::{
    AUTHENTICATION_REFRESH_BITS, Actions, Alarm, BlockReport, CHECK_BITS, Monitor, Outcome,
};
use qkd_wire::proto::node as proto;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::hub::KeyHub;
use crate::quantum::RECEIVE_BUFFER_BYTES;
use crate::status::{Alarms, Light, LinkState, NumberedReport, StatusBoard};

/// Distance of two states when the caller names none.
const INTERVAL: Duration = Duration::from_millis(500);

/// Shortest distance of two states.
const INTERVAL_MIN: Duration = Duration::from_millis(50);

/// `qkd.node.v1.Node` of Alice or Bob.
#[derive(Clone)]
pub struct NodeService {
    /// Which end of the link this is.
    pub role: proto::Role,
    /// This node's name.
    pub name: String,
    /// The other end's name.
    pub peer: String,
    /// Slots per emulated second.
    pub clock_hz: f64,
    /// The key store.
    pub hub: Arc<KeyHub>,
    /// What becomes of a block on an alarm of each monitor.
    pub actions: Actions,
    /// What all threads write on.
    pub board: StatusBoard,
}

type Watch<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl NodeService {
    async fn status(&self) -> Result<proto::NodeStatus, Status> {
        let hub = self.hub.clone();
        let store = tokio::task::spawn_blocking(move || hub.status())
            .await
            .map_err(|_| Status::internal("the key store's thread panicked"))?;
        let seen = self.board.snapshot();
        let alarms = self.board.alarms(&store.health);
        Ok(proto::NodeStatus {
            role: self.role.into(),
            node_name: self.name.clone(),
            peer_name: self.peer.clone(),
            link_state: link_state(seen.link_state).into(),
            link_fault: seen.link_fault,
            session: seen.session.map(|session| session.0),
            blocks_attempted: seen.blocks_with_key + seen.blocks_aborted,
            blocks_with_key: seen.blocks_with_key,
            blocks_aborted: seen.blocks_aborted,
            block_in_progress: seen.progress.map(|progress| proto::BlockProgress {
                block: progress.block,
                detections: progress.detections,
                detections_wanted: progress.detections_wanted,
            }),
            sifted_bits: seen.sifted_bits,
            secret_bits: seen.secret_bits,
            last_qber: seen.last_qber,
            emulated_seconds: seen.slots as f64 / self.clock_hz,
            stretch_factor: self.stretch(seen.recent_light),
            stretch_factor_overall: self.stretch(seen.light),
            power_alarms: seen.power_alarms,
            spent: Some(budget(store.spent)),
            blocks_committed: store.commits,
            blocks_uncounted: store.commits_uncounted,
            stored_key_count: store.stored_key_count,
            frames: Some(proto::FrameCounters {
                sent: seen.frames_sent,
                received: seen.frames.accepted,
                lost_slots: seen.frames.lost_slots,
                duplicate: seen.frames.duplicate,
                late: seen.frames.late,
                corrupt: seen.frames.corrupt,
                filtered: seen.frames.filtered,
                foreign: seen.frames.foreign + seen.frames.ahead,
            }),
            rejects: Some(proto::RejectCounters {
                replay: seen.rejects.replay,
                gap: seen.rejects.gap,
                reflection: seen.rejects.reflection,
                wrong_epoch: seen.rejects.wrong_epoch,
                wrong_tag: seen.rejects.wrong_tag,
                tag_length: seen.rejects.tag_length,
                malformed: seen.malformed,
                handshakes: seen.handshakes_failed,
            }),
            alarms,
            monitors: Monitor::ALL
                .map(|monitor| self.monitor(monitor, &seen.monitors))
                .into(),
            certificate_not_after: seen.certificate.not_after,
            clock_hz: self.clock_hz,
            receive_buffer: seen
                .receive_buffer_bytes
                .map(|granted_bytes| proto::ReceiveBuffer {
                    granted_bytes,
                    wanted_bytes: RECEIVE_BUFFER_BYTES as u64,
                }),
        })
    }

    fn monitor(&self, monitor: Monitor, seen: &[Alarms]) -> proto::MonitorStatus {
        let alarms = seen[monitor.index()];
        proto::MonitorStatus {
            name: monitor.name().to_owned(),
            action: self.actions.of(monitor).name().to_owned(),
            alarms: alarms.blocks,
            last: alarms.last.as_ref().map(alarm),
        }
    }

    /// Seconds of light that an emulated second took; 1 before there was any.
    fn stretch(&self, light: Light) -> f64 {
        light
            .seconds_per_slot()
            .map_or(1.0, |time| time * self.clock_hz)
    }

    fn block(&self, numbered: NumberedReport, figures: Figures) -> proto::BlockReport {
        let NumberedReport {
            number,
            session,
            report,
        } = numbered;
        let text = report.to_string();
        let (outcome, abort) = match &report.outcome {
            Outcome::Key { .. } => ("key", None),
            Outcome::Aborted(abort) => ("aborted", Some(*abort)),
        };
        let [key_basis, test_basis] = bases(&report);
        let costs = match report.outcome {
            Outcome::Key { .. } => (CHECK_BITS, AUTHENTICATION_REFRESH_BITS),
            Outcome::Aborted(_) => (0, 0),
        };
        let slots = report.end_slot - report.first_slot;
        proto::BlockReport {
            number,
            session: session.0,
            block: report.block,
            outcome: outcome.into(),
            abort_reason: abort
                .map(|a| a.reason.name().to_owned())
                .unwrap_or_default(),
            abort_observed: abort.map(|a| a.observed),
            abort_limit: abort.map(|a| a.limit),
            sifted_bits: report.sifted_bits,
            qber: report.qber,
            phase_error_rate: report.phase_error_rate(),
            leaked_bits: report.leaked_bits,
            from_alice_bits: report.leakage.from_alice_bits,
            from_bob_bits: report.leakage.from_bob_bits,
            reconciliation_inefficiency: report.reconciliation_inefficiency,
            secret_length_bits: report.secret_length_bits(),
            emulated_seconds: slots as f64 / self.clock_hz,
            slots,
            key_basis,
            test_basis,
            single_photon_key_min: report.key_length.map(|l| l.single_photon_key_min),
            single_photon_test_min: report.key_length.map(|l| l.single_photon_test_min),
            single_photon_test_errors_max: report
                .key_length
                .map(|l| l.single_photon_test_errors_max),
            text,
            theorem: report.theorem.name().to_owned(),
            secrecy: report.parameters.secrecy,
            correctness: report.parameters.correctness,
            fixed_length_bits: report.fixed_length_bits,
            check_bits: costs.0,
            refresh_bits: costs.1,
            spent: report.spent.map(budget),
            alarms: report.alarms.iter().map(alarm).collect(),
            figures: match figures {
                Figures::Asked => report.figures().into_iter().map(figure).collect(),
                Figures::Spared => Vec::new(),
            },
        }
    }
}

/// Whether whoever reads the reports wants every figure.
#[derive(Clone, Copy)]
enum Figures {
    Asked,
    Spared,
}

fn figure(figure: Figure) -> proto::Figure {
    proto::Figure {
        name: figure.name.to_owned(),
        meaning: figure.meaning.to_owned(),
        value: figure.value,
        unit: figure.unit.to_owned(),
    }
}

fn alarm(alarm: &Alarm) -> proto::MonitorAlarm {
    proto::MonitorAlarm {
        monitor: alarm.monitor.name().to_owned(),
        observed: alarm.observed,
        expected: alarm.expected,
        limit: alarm.limit,
        quantity: alarm.monitor.quantity().to_owned(),
        text: alarm.to_string(),
    }
}

fn budget(spent: Spent) -> proto::FailureBudget {
    proto::FailureBudget {
        runs: spent.runs,
        secrecy: spent.secrecy,
        correctness: spent.correctness,
    }
}

/// Key and test basis, as far as this side has counted them.
fn bases(report: &BlockReport) -> [Option<proto::BasisReport>; 2] {
    let basis = |counts: [u64; 2], errors: Option<[u64; 2]>| proto::BasisReport {
        counts: counts.to_vec(),
        errors: errors.map(Vec::from).unwrap_or_default(),
    };
    if let Some(counted) = &report.statistics {
        return [counted.key, counted.test].map(|b| Some(basis(b.counts, Some(b.errors))));
    }
    let Some(sifted) = &report.sifted else {
        return [None, None];
    };
    [
        Some(basis(sifted.key_counts, None)),
        Some(basis(sifted.test_counts, sifted.test_errors)),
    ]
}

fn link_state(state: LinkState) -> proto::LinkState {
    match state {
        LinkState::Connecting => proto::LinkState::Connecting,
        LinkState::Handshake => proto::LinkState::Handshake,
        LinkState::Running => proto::LinkState::Running,
        LinkState::Paused => proto::LinkState::Paused,
    }
}

#[tonic::async_trait]
impl proto::node_server::Node for NodeService {
    type WatchBlocksStream = Watch<proto::BlockReport>;
    type WatchStatusStream = Watch<proto::NodeStatus>;

    async fn get_status(
        &self,
        _request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::NodeStatus>, Status> {
        Ok(Response::new(self.status().await?))
    }

    async fn watch_blocks(
        &self,
        request: Request<proto::WatchBlocksRequest>,
    ) -> Result<Response<Self::WatchBlocksStream>, Status> {
        let proto::WatchBlocksRequest { mut after, figures } = request.into_inner();
        let figures = match figures {
            true => Figures::Asked,
            false => Figures::Spared,
        };
        let node = self.clone();
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            let mut reported = node.board.reported();
            loop {
                reported.mark_unchanged();
                for report in node.board.reports_after(after) {
                    after = report.number;
                    if sender.send(Ok(node.block(report, figures))).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    changed = reported.changed() => if changed.is_err() { return },
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn watch_status(
        &self,
        request: Request<proto::WatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let interval = match request.into_inner().interval_ms {
            0 => INTERVAL,
            ms => Duration::from_millis(ms.into()).max(INTERVAL_MIN),
        };
        let node = self.clone();
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            loop {
                ticks.tick().await;
                if sender.send(node.status().await).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
