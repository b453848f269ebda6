//! What Eve tells Prometheus.

use prometheus::Result;

use super::{Metrics, Page};
use crate::quantum::Tap;
use crate::status::StatusBoard;

/// Eve's page.
pub struct EveMetrics {
    /// Her node's name.
    pub name: String,
    /// What she does.
    pub tap: Tap,
    /// What is known of her fibre and her certificate.
    pub board: StatusBoard,
}

impl Metrics for EveMetrics {
    fn text(&self) -> Result<String> {
        let page = Page::new();
        page.build("eve", &self.name, "")?;
        let (forwarded, corrupt) = self.tap.datagrams();
        page.counters(
            "qkd_eve_frames_total",
            "Datagrams that came from Alice's side: forwarded to Bob's side, or corrupt.",
            ["result"],
            [(["forwarded"], forwarded), (["corrupt"], corrupt)],
        )?;
        let tally = self.tap.tally();
        page.counters(
            "qkd_eve_pulses_total",
            "Pulses with at least one photon that came by (seen), were measured (intercepted), and \
             were sent in place of measured ones (resent).",
            ["action"],
            [
                (["seen"], tally.pulses_seen),
                (["intercepted"], tally.intercepted),
                (["resent"], tally.resent),
            ],
        )?;
        page.counter(
            "qkd_eve_returned_photons_total",
            "Photons that came back out of Alice's laboratory of the light that was shone into it.",
            self.tap.returned_photons(),
        )?;
        let seen = self.board.snapshot();
        page.fibre(seen.fibre_fault.is_some())?;
        page.certificate(&seen.certificate)?;
        page.text()
    }
}
