//! What Alice and Bob tell Prometheus.

use std::sync::Arc;

use prometheus::Result;
use qkd_keystore::{Health, Side, StoreStatus};
use qkd_security::{IntensityClass, LinkModel};
use qkd_session::{AbortReason, Monitor};

use super::{CallTimes, HttpTimes, Metrics, Page};
use crate::audit::AuditLog;
use crate::hub::KeyHub;
use crate::status::{LinkState, MeasuredBlock, Snapshot, StatusBoard};

/// The page of either end of a link.
pub struct LinkMetrics {
    /// Which end it is.
    pub side: Side,
    /// This node's name.
    pub name: String,
    /// The other end's name.
    pub peer: String,
    /// The link as it was planned: what counts are measured against.
    pub model: LinkModel,
    /// Size of a key, in bits.
    pub key_size_bits: u64,
    /// Keys that the store takes, of both directions together.
    pub key_count_max: u64,
    /// The key store.
    pub hub: Arc<KeyHub>,
    /// What all threads write on.
    pub board: StatusBoard,
    /// How long calls took.
    pub calls: Calls,
    /// What is written down of deliveries.
    pub audit: Arc<AuditLog>,
}

/// The calls of applications.
#[derive(Clone)]
pub struct Calls {
    /// For keys.
    pub delivery: CallTimes,
    /// About messages.
    pub messaging: CallTimes,
    /// For keys, by ETSI GS QKD 014.
    pub etsi014: HttpTimes,
}

impl Metrics for LinkMetrics {
    fn text(&self) -> Result<String> {
        let seen = self.board.snapshot();
        let store = self.hub.status();
        let page = Page::new();
        let role = match self.side {
            Side::Alice => "alice",
            Side::Bob => "bob",
        };
        page.build(role, &self.name, &self.peer)?;
        link(&page, &seen)?;
        blocks(&page, &seen)?;
        budget(&page, &store)?;
        self.light(&page, &seen)?;
        match self.side {
            Side::Alice => sender(&page, &seen)?,
            Side::Bob => receiver(&page, &seen)?,
        }
        authentication(&page, &seen)?;
        self.pool(&page, &store)?;
        page.add(self.board.qber())?;
        page.add(self.calls.delivery.clone())?;
        page.add(self.calls.messaging.clone())?;
        page.add(self.calls.etsi014.clone())?;
        let (lines, is_written) = self.audit.state();
        page.counter(
            "qkd_audit_lines_total",
            "Lines that were made durable in the audit log.",
            lines,
        )?;
        page.flag(
            "qkd_audit_writable",
            "1 while the audit log can be written; no keys are delivered while it cannot.",
            is_written,
        )?;
        page.certificate(&seen.certificate)?;
        page.text()
    }
}

fn link(page: &Page, seen: &Snapshot) -> Result<()> {
    page.flag(
        "qkd_link_up",
        "1 while a session with the peer runs.",
        seen.session.is_some(),
    )?;
    let present = match seen.link_state {
        LinkState::Connecting => "connecting",
        LinkState::Handshake => "handshake",
        LinkState::Running => "running",
        LinkState::Paused => "paused",
    };
    page.states(
        "qkd_link_state",
        "What the link is doing: paused is a session in which no light is wanted.",
        (present, ["connecting", "handshake", "running", "paused"]),
    )?;
    page.counter(
        "qkd_link_sessions_total",
        "Sessions that began.",
        seen.sessions,
    )?;
    page.counter(
        "qkd_link_interruptions_total",
        "Sessions that ended.",
        seen.interruptions,
    )
}

fn blocks(page: &Page, seen: &Snapshot) -> Result<()> {
    page.counters(
        "qkd_blocks_total",
        "Blocks that were finished, with a key or without.",
        ["outcome"],
        [
            (["key"], seen.blocks_with_key),
            (["aborted"], seen.blocks_aborted),
        ],
    )?;
    page.counters(
        "qkd_block_aborts_total",
        "Blocks without a key, by reason; qber_too_high is what an eavesdropper looks like.",
        ["reason"],
        AbortReason::ALL.map(|reason| ([reason.name()], seen.aborts[reason.index()])),
    )?;
    page.counters(
        "qkd_monitor_alarms_total",
        "Blocks that a monitor of this node raised an alarm about, stopped or not, by monitor.",
        ["monitor"],
        Monitor::ALL.map(|monitor| ([monitor.name()], seen.monitors[monitor.index()].blocks)),
    )?;
    page.counter(
        "qkd_sifted_bits_total",
        "Bits in which both used the key basis, of all finished blocks.",
        seen.sifted_bits,
    )?;
    page.counter(
        "qkd_secret_bits_total",
        "Net secret bits of all blocks with a key: key check and authentication are paid.",
        seen.secret_bits,
    )?;
    if let Some(qber) = seen.last_qber {
        page.gauge(
            "qkd_last_qber_ratio",
            "Error rate of the last block: of the key basis, or of the test basis for a block that \
             was refused before its errors were corrected.",
            qber,
        )?;
    }
    Ok(())
}

fn budget(page: &Page, store: &StoreStatus) -> Result<()> {
    page.gauges(
        "qkd_failure_budget_spent",
        "Failure probability of all keys of this pair together, at most, since its key stores were \
         created: the sums of the secrecy and of the correctness parameters of every block that was \
         begun, as qkd_pair_blocks counts them. The computational authentication has no part in it.",
        ["part"],
        [
            (["secrecy"], store.spent.secrecy),
            (["correctness"], store.spent.correctness),
        ],
    )?;
    page.gauge(
        "qkd_pair_blocks",
        "Blocks that this pair has begun since its key stores were created, at most, with a key or \
         without: those whose budget is spent. A block counts from when Alice has the whole \
         announcement of its detections; cut short before, it has told nothing about any key. An \
         Alice that is killed counts up to 63 blocks that never were.",
        store.spent.runs as f64,
    )
}

fn sender(page: &Page, seen: &Snapshot) -> Result<()> {
    page.counters(
        "qkd_frames_sent_total",
        "Datagrams of light that left this machine (sent), or found no way out (lost).",
        ["result"],
        [(["sent"], seen.frames_sent), (["lost"], seen.frames_unsent)],
    )?;
    page.fibre(seen.fibre_fault.is_some())
}

fn receiver(page: &Page, seen: &Snapshot) -> Result<()> {
    let frames = &seen.frames;
    page.counters(
        "qkd_frames_received_total",
        "Datagrams that came, by what became of them; all but accepted ones were dropped.",
        ["result"],
        [
            (["accepted"], frames.accepted),
            (["duplicate"], frames.duplicate),
            (["late"], frames.late),
            (["ahead"], frames.ahead),
            (["foreign"], frames.foreign),
            (["filtered"], frames.filtered),
            (["corrupt"], frames.corrupt),
        ],
    )?;
    page.counter(
        "qkd_slots_lost_total",
        "Slots between two datagrams that none brought; they count as vacuum.",
        frames.lost_slots,
    )?;
    page.counter(
        "qkd_power_alarms_total",
        "Windows of the monitor at the receiver's entrance in which the light reached the alarm \
         level: what blinding light looks like. Always 0 without [detector.power_monitor].",
        seen.power_alarms,
    )
}

fn authentication(page: &Page, seen: &Snapshot) -> Result<()> {
    let rejects = &seen.rejects;
    page.counters(
        "qkd_envelopes_rejected_total",
        "Messages of the classical channel that were refused before they changed anything.",
        ["reason"],
        [
            (["wrong_tag"], rejects.wrong_tag),
            (["tag_length"], rejects.tag_length),
            (["wrong_epoch"], rejects.wrong_epoch),
            (["reflection"], rejects.reflection),
            (["replay"], rejects.replay),
            (["gap"], rejects.gap),
            (["malformed"], seen.malformed),
        ],
    )?;
    page.counter(
        "qkd_handshakes_failed_total",
        "Handshakes that failed: another pre-shared key, name, version or configuration.",
        seen.handshakes_failed,
    )
}

impl LinkMetrics {
    fn light(&self, page: &Page, seen: &Snapshot) -> Result<()> {
        page.counter(
            "qkd_slots_total",
            "Ticks of the clock of the emulated hardware while light was wanted.",
            seen.slots_total,
        )?;
        page.seconds(
            "qkd_emulated_seconds_total",
            "Time that went by on that clock.",
            seen.slots_total as f64 / self.model.clock_hz,
        )?;
        if let Some(seconds) = seen.recent_light.seconds_per_slot() {
            page.gauge(
                "qkd_stretch_ratio",
                "Seconds of light that an emulated second takes, over the last of them: 1 in real time, \
                 above it when slower.",
                seconds * self.model.clock_hz,
            )?;
        }
        if let Some(block) = &seen.last_measured {
            page.gauges(
                "qkd_gain_ratio",
                "Detections per pulse that Alice sent and Bob measured in the same basis, in the \
                 last block that was measured to its end.",
                ["basis", "intensity"],
                self.gains(block),
            )?;
        }
        Ok(())
    }

    /// Q of each intensity in each basis: counts over the pulses that can have caused them.
    fn gains(&self, block: &MeasuredBlock) -> [([&'static str; 2], f64); 4] {
        let key = self.model.key_basis_probability;
        let (key_pulses, test_pulses) = (key * key, (1.0 - key) * (1.0 - key));
        let gain = |basis, counts: [u64; 2], in_basis: f64, class: IntensityClass| {
            let of_class = self.model.source.probabilities()[class.index()];
            let pulses = block.slots as f64 * in_basis * of_class;
            let intensity = match class {
                IntensityClass::Signal => "signal",
                IntensityClass::Decoy => "decoy",
            };
            ([basis, intensity], counts[class.index()] as f64 / pulses)
        };
        let (signal, decoy) = (IntensityClass::Signal, IntensityClass::Decoy);
        let statistics = &block.statistics;
        [
            gain("key", statistics.key.counts, key_pulses, signal),
            gain("key", statistics.key.counts, key_pulses, decoy),
            gain("test", statistics.test.counts, test_pulses, signal),
            gain("test", statistics.test.counts, test_pulses, decoy),
        ]
    }

    fn pool(&self, page: &Page, store: &StoreStatus) -> Result<()> {
        let peer_keys = store.peer_available_bits / self.key_size_bits;
        page.gauges(
            "qkd_pool_keys",
            "Keys of the default size that could be delivered now: to applications here as masters \
             (own), and at the other side (peer).",
            ["direction"],
            [
                (["own"], store.stored_key_count as f64),
                (["peer"], peer_keys as f64),
            ],
        )?;
        page.gauges(
            "qkd_pool_bits",
            "Secret bits in store for the same two directions.",
            ["direction"],
            [
                (["own"], store.available_bits as f64),
                (["peer"], store.peer_available_bits as f64),
            ],
        )?;
        page.gauge(
            "qkd_pool_capacity_keys",
            "Keys of both directions from which on no more light is wanted.",
            self.key_count_max as f64,
        )?;
        page.gauge(
            "qkd_pool_assigned_keys",
            "Keys that masters at the other side were given and slaves here have not fetched.",
            store.assigned_count as f64,
        )?;
        page.counter(
            "qkd_keys_expired_total",
            "Keys dropped because a slave here did not fetch them within store.unfetched_age_max_s.",
            store.expired_count,
        )?;
        page.counter(
            "qkd_store_compared_bytes_total",
            "Bytes of key of which this node's and the peer's copy were compared and found equal.",
            store.compared_bytes,
        )?;
        page.counter(
            "qkd_store_differing_blocks_total",
            "Blocks that both sides threw away because their copies differed: one store was altered.",
            store.differing_blocks,
        )?;
        let (to_masters, to_slaves) = self.hub.delivered();
        page.counters(
            "qkd_keys_delivered_total",
            "Keys that were handed out here, to masters and to slaves.",
            ["role"],
            [(["master"], to_masters), (["slave"], to_slaves)],
        )?;
        let present = match store.health {
            Health::Sound => "sound",
            Health::Sealed => "sealed",
            Health::Quarantined { .. } => "quarantined",
        };
        page.states(
            "qkd_store_health",
            "What the key store is: sealed after a write failed, quarantined when it contradicts \
             the other side's.",
            (present, ["sound", "sealed", "quarantined"]),
        )
    }
}
