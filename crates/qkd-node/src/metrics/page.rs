//! A page of figures with names, units and explanations.

use prometheus::core::Collector;
use prometheus::{Counter, GaugeVec, IntCounterVec, Opts, Registry, Result, TextEncoder};

use crate::status::CertificateState;

/// The figures of one scrape.
pub(super) struct Page {
    registry: Registry,
}

impl Page {
    /// An empty page. What is put onto it is refused when its name occurs twice or is none.
    pub(super) fn new() -> Self {
        Self {
            registry: Registry::new(),
        }
    }

    /// One number that goes up and down.
    pub(super) fn gauge(&self, name: &str, help: &str, value: f64) -> Result<()> {
        self.gauges(name, help, [], [([], value)])
    }

    /// 1 while something holds, 0 while it does not.
    pub(super) fn flag(&self, name: &str, help: &str, holds: bool) -> Result<()> {
        self.gauge(name, help, f64::from(u8::from(holds)))
    }

    /// Numbers that go up and down, told apart by labels.
    pub(super) fn gauges<'v, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        values: impl IntoIterator<Item = ([&'v str; N], f64)>,
    ) -> Result<()> {
        let gauges = GaugeVec::new(Opts::new(name, help), &labels)?;
        for (labels, value) in values {
            gauges.get_metric_with_label_values(&labels)?.set(value);
        }
        self.add(gauges)
    }

    /// Which one of several states is the present one: 1 for it, 0 for the others.
    pub(super) fn states<const N: usize>(
        &self,
        name: &str,
        help: &str,
        (present, all): (&str, [&str; N]),
    ) -> Result<()> {
        let values = all.map(|state| ([state], f64::from(u8::from(state == present))));
        self.gauges(name, help, ["state"], values)
    }

    /// One number that only goes up while the node runs.
    pub(super) fn counter(&self, name: &str, help: &str, value: u64) -> Result<()> {
        self.counters(name, help, [], [([], value)])
    }

    /// Numbers that only go up while the node runs, told apart by labels.
    pub(super) fn counters<'v, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        values: impl IntoIterator<Item = ([&'v str; N], u64)>,
    ) -> Result<()> {
        let counters = IntCounterVec::new(Opts::new(name, help), &labels)?;
        for (labels, value) in values {
            counters
                .get_metric_with_label_values(&labels)?
                .inc_by(value);
        }
        self.add(counters)
    }

    /// Time that only goes up while the node runs.
    pub(super) fn seconds(&self, name: &str, help: &str, value: f64) -> Result<()> {
        let counter = Counter::new(name, help)?;
        counter.inc_by(value);
        self.add(counter)
    }

    /// Figures that somebody else keeps.
    pub(super) fn add(&self, figures: impl Collector + 'static) -> Result<()> {
        self.registry.register(Box::new(figures))
    }

    /// What this program is.
    pub(super) fn build(&self, role: &str, name: &str, peer: &str) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        self.gauges(
            "qkd_build_info",
            "Which program this is, and which node; always 1.",
            ["version", "role", "name", "peer"],
            [([version, role, name, peer], 1.0)],
        )
    }

    /// Whether the light that a node sends arrives anywhere.
    pub(super) fn fibre(&self, is_dark: bool) -> Result<()> {
        self.flag(
            "qkd_fibre_dark",
            "1 while light goes nowhere: its peer cannot be found or refuses it.",
            is_dark,
        )
    }

    /// When the certificate that a node shows ceases to be valid.
    pub(super) fn certificate(&self, certificate: &CertificateState) -> Result<()> {
        let Some(not_after) = certificate.not_after else {
            return Ok(());
        };
        self.gauge(
            "qkd_certificate_expiry_timestamp_seconds",
            "When the certificate of this node ceases to be valid, as Unix time.",
            not_after as f64,
        )
    }

    /// The page as text.
    pub(super) fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
