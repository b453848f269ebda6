//! What the reports of blocks add up to.

use std::collections::{BTreeMap, VecDeque};

use qkd_wire::proto::node::BlockReport;

/// Blocks that a rate is taken over.
const RATE_BLOCKS: usize = 16;

/// The reports of one life of a node.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    /// Number of the last one.
    last: u64,
    aborted_by_reason: BTreeMap<String, u64>,
    /// Secret bits and emulated seconds of the last blocks.
    recent: VecDeque<(u64, f64)>,
}

impl Reports {
    /// Number of the last report, 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Takes a report in.
    pub fn note(&mut self, report: &BlockReport) {
        self.last = report.number;
        if !report.abort_reason.is_empty() {
            let reason = report.abort_reason.clone();
            *self.aborted_by_reason.entry(reason).or_default() += 1;
        }
        if self.recent.len() == RATE_BLOCKS {
            self.recent.pop_front();
        }
        let figures = (report.secret_length_bits, report.emulated_seconds);
        self.recent.push_back(figures);
    }

    /// Blocks without a key, by reason.
    pub fn aborted_by_reason(&self) -> &BTreeMap<String, u64> {
        &self.aborted_by_reason
    }

    /// Secret bits per emulated second over the last 16 blocks; nothing before the first.
    pub fn secret_key_rate_bps(&self) -> Option<f64> {
        let seconds: f64 = self.recent.iter().map(|(_, seconds)| seconds).sum();
        let bits: u64 = self.recent.iter().map(|(bits, _)| bits).sum();
        (seconds > 0.0).then(|| bits as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(number: u64, bits: u64, reason: &str) -> BlockReport {
        BlockReport {
            number,
            secret_length_bits: bits,
            emulated_seconds: 0.5,
            abort_reason: reason.to_owned(),
            ..BlockReport::default()
        }
    }

    #[test]
    fn aborts_are_counted_by_reason_and_rates_over_the_last_blocks() {
        let mut reports = Reports::default();
        assert_eq!(reports.secret_key_rate_bps(), None);
        reports.note(&report(1, 1_000_000, ""));
        reports.note(&report(2, 0, "qber_too_high"));
        reports.note(&report(3, 0, "qber_too_high"));
        assert_eq!(reports.aborted_by_reason()["qber_too_high"], 2);
        assert_eq!(reports.secret_key_rate_bps(), Some(1_000_000.0 / 1.5));
        for number in 4..20 {
            reports.note(&report(number, 100, ""));
        }
        assert_eq!(reports.secret_key_rate_bps(), Some(200.0));
        assert_eq!(reports.last(), 19);
    }
}
