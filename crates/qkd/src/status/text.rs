//! A state as people read it.

use qkd_node::tls::utc;

use super::state::{Blocks, Budget, Eve, Frames, Node, ReceiveBuffer, Rejects, State};
use crate::output::one_line;
use crate::words::{STRETCHED, clock, counted, grouped, percent, significant};

impl State {
    /// Everything, in lines of their own.
    pub fn lines(&self) -> Vec<String> {
        match self {
            State::Node(node) => node.lines(),
            State::Eve(eve) => eve.lines(),
            State::Unreachable(nobody) => {
                vec![format!("{}: not reachable: {}", nobody.node, nobody.error)]
            }
        }
    }

    /// What matters, in one line: it stays the same as long as nothing noteworthy happens.
    pub fn headline(&self) -> String {
        match self {
            State::Node(node) => node.headline(),
            State::Eve(eve) => format!("{}: attack {}", eve.node, one_line(&eve.attack)),
            State::Unreachable(nobody) => {
                format!("{}: not reachable: {}", nobody.node, nobody.error)
            }
        }
    }

    /// Why there is nothing to be had from it; nothing when there is.
    pub fn unhealthy(&self) -> Option<String> {
        match self {
            State::Node(node) if node.healthy => None,
            State::Node(node) => Some(node.why_unhealthy()),
            State::Eve(eve) if eve.healthy => None,
            State::Eve(eve) => Some(format!("{} says that she does not serve", eve.node)),
            State::Unreachable(nobody) => Some(format!(
                "{} is not reachable: {}",
                nobody.node, nobody.error
            )),
        }
    }
}

impl Node {
    fn lines(&self) -> Vec<String> {
        let title = format!("{} ({}), linked to {}", self.node, self.role, self.peer);
        let mut lines = vec![title];
        let mut line = |about: &str, text: String| {
            lines.push(format!("  {about:<9} {}", one_line(&text)));
        };
        let healthy = if self.healthy {
            "can deliver keys"
        } else {
            "cannot deliver a key"
        };
        line("health", healthy.to_owned());
        let session = self.session.as_deref();
        let session = session.map_or(String::new(), |session| format!(", session {session}"));
        line("link", format!("{}{session}", self.link.state));
        if let Some(fault) = &self.link.fault {
            line("", format!("last fault: {fault}"));
        }
        if let Some(block) = &self.block_in_progress {
            let share = 100.0 * block.detections as f64 / block.detections_wanted.max(1) as f64;
            let wanted = grouped(block.detections_wanted);
            let text = format!("{}: {share:.0} % of {wanted} detections", block.block);
            line("block", text);
        }
        line("blocks", self.blocks.text());
        let qber = self.qber.map_or("none yet".to_owned(), percent);
        line("QBER", format!("{qber} in the last block"));
        let (sifted, secret) = (grouped(self.sifted_bits), grouped(self.secret_bits));
        line("bits", format!("{sifted} sifted, {secret} net secret"));
        if let Some(rate) = self.secret_key_rate_bps {
            let rate = grouped(rate.round() as u64);
            line(
                "rate",
                format!("{rate} net secret bits per emulated second"),
            );
        }
        line("budget", self.budget.text());
        // A clock that has not run yet is in no hurry.
        if self.secret_key_rate_bps.is_some() || self.stretch_factor >= STRETCHED {
            let clock = clock(self.stretch_factor, self.clock_hz);
            line("clock", clock.trim_start_matches("clock ").to_owned());
        }
        line("store", counted(self.stored_key_count, "key"));
        line("frames", self.frames.text());
        if self.power_alarms > 0 {
            let alarms = counted(self.power_alarms, "alarm");
            line(
                "power",
                format!("{alarms} of too much light at the entrance"),
            );
        }
        for (name, monitor) in &self.monitors {
            if let Some(last) = &monitor.last {
                let blocks = counted(monitor.alarms, "block");
                let text = format!("{name} ({}), {blocks}; last: {last}", monitor.action);
                line("monitor", text);
            }
        }
        if let Some(buffer) = self.receive_buffer.as_ref().and_then(ReceiveBuffer::text) {
            line("buffer", buffer);
        }
        line("refused", self.rejects.text());
        if let Some(seconds) = self.certificate_not_after {
            let until = utc(i64::try_from(seconds).unwrap_or(i64::MAX));
            line("TLS", format!("certificate valid until {until}"));
        }
        for alarm in &self.alarms {
            line("ALARM", alarm.clone());
        }
        lines
    }

    fn headline(&self) -> String {
        let health = if self.healthy {
            "healthy"
        } else {
            "NOT healthy"
        };
        let mut parts = vec![
            format!("{}: {health}", self.node),
            format!("link {}", self.link.state),
            counted(self.stored_key_count, "key"),
            self.blocks.text(),
        ];
        if let Some(qber) = self.qber {
            parts.push(format!("QBER {}", percent(qber)));
        }
        if let Some(fault) = &self.link.fault {
            parts.push(format!("last fault of the link: {fault}"));
        }
        parts.extend(self.alarms.iter().map(|alarm| format!("ALARM: {alarm}")));
        one_line(&parts.join("; "))
    }

    fn why_unhealthy(&self) -> String {
        let mut reasons = vec![format!("{} cannot deliver a key", self.node)];
        reasons.extend(self.alarms.iter().cloned());
        if self.stored_key_count == 0 {
            reasons.push("its store has no key for its applications".to_owned());
        }
        reasons.push(match &self.link.fault {
            Some(fault) => format!("its link is {}, last fault: {fault}", self.link.state),
            None => format!("its link is {}", self.link.state),
        });
        reasons.push(self.blocks.text());
        one_line(&reasons.join("; "))
    }
}

impl Budget {
    fn text(&self) -> String {
        let blocks = counted(self.blocks, "block");
        let mut text = format!(
            "ε ≤ {} for all keys of this pair: at most {blocks} begun, {} with a key; HMAC is computational \
             and not in it",
            significant(self.total),
            grouped(self.blocks_with_key)
        );
        if self.blocks_uncounted > 0 {
            let uncounted = grouped(self.blocks_uncounted);
            text.push_str(&format!(
                "; nor are {uncounted} with a key that an earlier version made"
            ));
        }
        text
    }
}

impl Blocks {
    fn text(&self) -> String {
        let blocks = counted(self.attempted, "block");
        if self.aborted == 0 {
            return format!("{blocks}, {} with a key", grouped(self.with_key));
        }
        let reasons = self.aborted_by_reason.iter();
        let reasons = reasons.map(|(reason, count)| format!("{reason} {}", grouped(*count)));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let (with_key, aborted) = (grouped(self.with_key), grouped(self.aborted));
        format!("{blocks}, {with_key} with a key, {aborted} aborted ({reasons})")
    }
}

impl Frames {
    fn text(&self) -> String {
        let sent = format!("{} sent", grouped(self.sent));
        let mut parts = Vec::new();
        if self.sent > 0 || self.received == 0 {
            parts.push(sent);
        }
        let counts = [
            (self.received, "received"),
            (self.lost_slots, "slots lost"),
            (self.duplicate, "duplicate"),
            (self.late, "late"),
            (self.corrupt, "corrupt"),
            (self.foreign, "foreign"),
            (self.filtered, "filtered"),
        ];
        parts.extend(nonzero(&counts));
        parts.join(", ")
    }
}

impl ReceiveBuffer {
    /// What is wrong with it, if anything.
    fn text(&self) -> Option<String> {
        let kib = |bytes: u64| grouped(bytes / 1024);
        let (granted, wanted) = (kib(self.granted_bytes), kib(self.wanted_bytes));
        (self.granted_bytes < self.wanted_bytes).then(|| {
            format!(
                "{granted} KiB of {wanted} KiB granted: light may be lost under load; raise \
                 net.core.rmem_max"
            )
        })
    }
}

impl Rejects {
    fn text(&self) -> String {
        let counts = [
            (self.replay, "replayed"),
            (self.gap, "out of turn"),
            (self.reflection, "reflected"),
            (self.wrong_epoch, "of a wrong epoch"),
            (self.wrong_tag, "with a wrong tag"),
            (self.tag_length, "with a tag of a wrong length"),
            (self.malformed, "malformed"),
            (self.handshakes, "failed handshakes"),
        ];
        let parts: Vec<String> = nonzero(&counts).collect();
        if parts.is_empty() {
            "nothing".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

impl Eve {
    fn lines(&self) -> Vec<String> {
        let title = format!("{} (eve), in the fibre", self.node);
        let line = |about: &str, text: String| format!("  {about:<9} {}", one_line(&text));
        let (seen, taken) = (grouped(self.pulses_seen), grouped(self.intercepted));
        let resent = grouped(self.resent);
        let mut frames = vec![format!("{} received", grouped(self.frames_received))];
        frames.extend(nonzero(&[
            (self.frames_forwarded, "sent on"),
            (self.frames_corrupt, "corrupt"),
        ]));
        let mut lines = vec![
            title,
            line("attack", self.attack.clone()),
            line(
                "pulses",
                format!(
                    "{seen} with light came by, {taken} measured, {resent} sent in their place"
                ),
            ),
            line("frames", frames.join(", ")),
        ];
        if self.caught_photons > 0 {
            let photons = grouped(self.caught_photons);
            lines.push(line(
                "caught",
                format!("{photons} photons of Bob's detectors"),
            ));
        }
        if self.returned_photons > 0 {
            let photons = grouped(self.returned_photons);
            lines.push(line(
                "returned",
                format!("{photons} photons out of Alice's laboratory"),
            ));
        }
        lines
    }
}

fn nonzero(counts: &[(u64, &str)]) -> impl Iterator<Item = String> {
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    counts.map(|(count, what)| format!("{} {what}", grouped(*count)))
}
