//! What a node says of itself, as `--json` promises it.

use std::collections::BTreeMap;

use qkd_wire::proto::eve::Tally;
use qkd_wire::proto::node::{self, LinkState, MonitorStatus, NodeStatus, Role};
use serde::Serialize;

use super::reports::Reports;

/// The state of whoever was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum State {
    /// Of Alice or Bob.
    Node(Box<Node>),
    /// Of Eve.
    Eve(Eve),
    /// Nobody answered.
    Unreachable(Unreachable),
}

/// Alice or Bob. Counts run from the start of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Its name.
    pub node: String,
    /// `alice`, `bob` or `unspecified`.
    pub role: &'static str,
    /// The other end's name.
    pub peer: String,
    /// Whether it could deliver a key now.
    pub healthy: bool,
    /// The link between the two.
    pub link: Link,
    /// The running session, 16 hexadecimal digits; `null` without one.
    pub session: Option<String>,
    /// Blocks that have ended.
    pub blocks: Blocks,
    /// The block that Bob fills; `null` elsewhere.
    pub block_in_progress: Option<Progress>,
    /// Sifted key-basis bits of all blocks.
    pub sifted_bits: u64,
    /// Net secret bits of all blocks with a key.
    pub secret_bits: u64,
    /// Error rate of the last block, 0 to 1; `null` before the first.
    pub qber: Option<f64>,
    /// Net secret bits per emulated second over the last 16 blocks; `null` before the first.
    pub secret_key_rate_bps: Option<f64>,
    /// Emulated time of the session, s.
    pub emulated_seconds: f64,
    /// Wall-clock seconds per emulated second.
    pub stretch_factor: f64,
    /// Slots per emulated second, Hz.
    pub clock_hz: f64,
    /// What the pair has spent of its failure budget.
    pub budget: Budget,
    /// Keys of the default size that could be delivered now.
    pub stored_key_count: u64,
    /// Datagrams of the quantum channel.
    pub frames: Frames,
    /// Windows in which the light at Bob's entrance reached the alarm level.
    pub power_alarms: u64,
    /// What watches the link at this node, by name.
    pub monitors: BTreeMap<String, Monitor>,
    /// The buffer in which light waits; `null` at Alice.
    pub receive_buffer: Option<ReceiveBuffer>,
    /// What was refused on the classical channel.
    pub rejects: Rejects,
    /// What an operator must look at.
    pub alarms: Vec<String>,
    /// Last second of the node's certificate, since 1970; `null` when it does not say.
    pub certificate_not_after: Option<u64>,
}

/// The classical link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// `connecting`, `handshake`, `running`, `paused` or `unspecified`.
    pub state: &'static str,
    /// Why it went down or did not come up, last; `null` when it never did.
    pub fault: Option<String>,
}

/// Blocks that have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// All of them.
    pub attempted: u64,
    /// With a key.
    pub with_key: u64,
    /// Without.
    pub aborted: u64,
    /// Those without, by reason, as far as the node remembers its reports.
    pub aborted_by_reason: BTreeMap<String, u64>,
}

/// One of the monitors of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Monitor {
    /// What becomes of a block on an alarm: `stop`, `report` or `off`.
    pub action: String,
    /// Blocks that it raised an alarm about.
    pub alarms: u64,
    /// The last alarm, in a sentence; `null` without any.
    pub last: Option<String>,
}

/// How far a block is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Its number in the session.
    pub block: u64,
    /// Detections so far.
    pub detections: u64,
    /// Detections that close it.
    pub detections_wanted: u64,
}

/// What a pair has spent of its failure budget since its key stores were created.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// Blocks that were begun, at most, with a key or without: each spends its part.
    pub blocks: u64,
    /// Blocks among all that gave a key.
    pub blocks_with_key: u64,
    /// Blocks among those with a key from before budgets were counted: they are in no sum.
    pub blocks_uncounted: u64,
    /// Sum of ε_sec.
    pub secrecy: f64,
    /// Sum of ε_cor.
    pub correctness: f64,
    /// Both: all keys of the pair together are at most so far from ideal.
    pub total: f64,
}

/// Datagrams of the quantum channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Frames {
    /// Sent.
    pub sent: u64,
    /// Accepted.
    pub received: u64,
    /// Slots that never came.
    pub lost_slots: u64,
    /// Come before.
    pub duplicate: u64,
    /// Come too late.
    pub late: u64,
    /// No valid frame.
    pub corrupt: u64,
    /// Of another session.
    pub foreign: u64,
    /// Of light through Alice's door, which a filter stops.
    pub filtered: u64,
}

/// The receive buffer of the quantum channel's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiveBuffer {
    /// What the system granted.
    pub granted_bytes: u64,
    /// What was asked for.
    pub wanted_bytes: u64,
}

/// What was refused on the classical channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rejects {
    /// Accepted once already.
    pub replay: u64,
    /// Ahead of its turn.
    pub gap: u64,
    /// This side's own, sent back.
    pub reflection: u64,
    /// Of an epoch that is not current.
    pub wrong_epoch: u64,
    /// With a tag that does not fit.
    pub wrong_tag: u64,
    /// With a tag too short or too long.
    pub tag_length: u64,
    /// No message of the protocol.
    pub malformed: u64,
    /// Handshakes that failed.
    pub handshakes: u64,
}

/// Eve. Counts run from the start of the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Eve {
    /// Her name.
    pub node: String,
    /// Whether she serves.
    pub healthy: bool,
    /// Her attack, as her configuration writes it.
    pub attack: String,
    /// Pulses with light that came by.
    pub pulses_seen: u64,
    /// Pulses measured.
    pub intercepted: u64,
    /// Pulses sent in their place.
    pub resent: u64,
    /// Photons that came back out of Alice's laboratory.
    pub returned_photons: u64,
    /// Photons of Bob's detectors that she caught.
    pub caught_photons: u64,
    /// Datagrams from Alice's side.
    pub frames_received: u64,
    /// Datagrams sent on.
    pub frames_forwarded: u64,
    /// Datagrams that were no valid frames.
    pub frames_corrupt: u64,
}

/// Nobody answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreachable {
    /// Who was asked.
    pub node: String,
    /// Always false.
    pub healthy: bool,
    /// Why there was no answer.
    pub error: String,
}

impl State {
    /// Of Alice or Bob.
    pub fn of_node(status: NodeStatus, reports: &Reports, healthy: bool) -> Self {
        let frames = status.frames.unwrap_or_default();
        let rejects = status.rejects.unwrap_or_default();
        let budget = budget(&status);
        State::Node(Box::new(Node {
            role: role(status.role()),
            healthy,
            link: Link {
                state: link_state(status.link_state()),
                fault: Some(status.link_fault).filter(|fault| !fault.is_empty()),
            },
            node: status.node_name,
            peer: status.peer_name,
            session: status.session.map(|session| format!("{session:016x}")),
            blocks: Blocks {
                attempted: status.blocks_attempted,
                with_key: status.blocks_with_key,
                aborted: status.blocks_aborted,
                aborted_by_reason: reports.aborted_by_reason().clone(),
            },
            block_in_progress: status.block_in_progress.map(progress),
            sifted_bits: status.sifted_bits,
            secret_bits: status.secret_bits,
            qber: status.last_qber,
            secret_key_rate_bps: reports.secret_key_rate_bps(),
            emulated_seconds: status.emulated_seconds,
            stretch_factor: status.stretch_factor,
            clock_hz: status.clock_hz,
            budget,
            stored_key_count: status.stored_key_count,
            frames: frames_of(&frames),
            power_alarms: status.power_alarms,
            monitors: status.monitors.into_iter().map(monitor).collect(),
            receive_buffer: status.receive_buffer.map(|buffer| ReceiveBuffer {
                granted_bytes: buffer.granted_bytes,
                wanted_bytes: buffer.wanted_bytes,
            }),
            rejects: rejects_of(&rejects),
            alarms: status.alarms,
            certificate_not_after: status.certificate_not_after,
        }))
    }

    /// Of Eve, called `node`.
    pub fn of_eve(node: &str, tally: Tally, healthy: bool) -> Self {
        State::Eve(Eve {
            node: node.to_owned(),
            healthy,
            attack: tally.spec,
            pulses_seen: tally.pulses_seen,
            intercepted: tally.intercepted,
            resent: tally.resent,
            returned_photons: tally.returned_photons,
            caught_photons: tally.caught_photons,
            frames_received: tally.frames_received,
            frames_forwarded: tally.frames_forwarded,
            frames_corrupt: tally.frames_corrupt,
        })
    }

    /// Of a `node` that did not answer.
    pub fn unreachable(node: &str, error: String) -> Self {
        State::Unreachable(Unreachable {
            node: node.to_owned(),
            healthy: false,
            error,
        })
    }

    /// The JSON object, one line.
    pub fn json(&self) -> String {
        // Every field is a number, a text, or made of them: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"healthy":false}"#.to_owned())
    }
}

fn monitor(status: MonitorStatus) -> (String, Monitor) {
    let monitor = Monitor {
        action: status.action,
        alarms: status.alarms,
        last: status.last.map(|alarm| alarm.text),
    };
    (status.name, monitor)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "unspecified",
        Role::Alice => "alice",
        Role::Bob => "bob",
    }
}

fn link_state(state: LinkState) -> &'static str {
    match state {
        LinkState::Unspecified => "unspecified",
        LinkState::Connecting => "connecting",
        LinkState::Handshake => "handshake",
        LinkState::Running => "running",
        LinkState::Paused => "paused",
    }
}

fn progress(block: node::BlockProgress) -> Progress {
    Progress {
        block: block.block,
        detections: block.detections,
        detections_wanted: block.detections_wanted,
    }
}

fn budget(status: &NodeStatus) -> Budget {
    let spent = status.spent.unwrap_or_default();
    Budget {
        blocks: spent.runs,
        blocks_with_key: status.blocks_committed,
        blocks_uncounted: status.blocks_uncounted,
        secrecy: spent.secrecy,
        correctness: spent.correctness,
        total: spent.secrecy + spent.correctness,
    }
}

fn frames_of(frames: &node::FrameCounters) -> Frames {
    Frames {
        sent: frames.sent,
        received: frames.received,
        lost_slots: frames.lost_slots,
        duplicate: frames.duplicate,
        late: frames.late,
        corrupt: frames.corrupt,
        foreign: frames.foreign,
        filtered: frames.filtered,
    }
}

fn rejects_of(rejects: &node::RejectCounters) -> Rejects {
    Rejects {
        replay: rejects.replay,
        gap: rejects.gap,
        reflection: rejects.reflection,
        wrong_epoch: rejects.wrong_epoch,
        wrong_tag: rejects.wrong_tag,
        tag_length: rejects.tag_length,
        malformed: rejects.malformed,
        handshakes: rejects.handshakes,
    }
}
