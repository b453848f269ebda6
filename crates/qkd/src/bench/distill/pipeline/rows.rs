//! What the two sides have seen, as rows and as a table.

use std::collections::BTreeMap;

use serde::Serialize;

use qkd_node::bench::distill;

use super::side::Figures;
use super::{Seen, Setting};
use crate::bench::distill::args::Stage;
use crate::bench::distill::report::{aligned, lines_of};
use crate::bench::distill::row::{Role, Row};
use crate::bench::fault::Fault;
use crate::words::{grouped, significant, three_digits};

/// What the whole pipeline has and a stage alone has not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Whole {
    /// Cores that both processes shared.
    pub cores: usize,
    /// Delay that was added to a message and its answer, ms.
    pub round_trip_ms: f64,
    /// Blocks between announcement and key, at most.
    pub blocks_in_flight: usize,
    /// Sifted bits of all blocks per second of wall-clock time.
    pub sifted_bps: f64,
    /// Bits of key in both stores per second of wall-clock time.
    pub delivered_bps: f64,
    /// Error rate that was found, over all verified blocks.
    pub measured_qber: Option<f64>,
    /// Bits of key that an accepted block gives; 0 where the theorem leaves none, and every block
    /// ends before amplification.
    pub fixed_length_bits: u64,
    /// Blocks that ended without a key, for whatever reason.
    pub aborted: u64,
    /// Those of them whose tags agreed, or were never compared: refused by the acceptance test, or
    /// without a key by the theorem.
    pub lost: u64,
    /// Length of the measurement, s.
    pub seconds: f64,
    /// CPU time of each kind of thread per sifted bit, ns; `instruments` stand for the optics and
    /// are in no other figure.
    pub threads_ns_per_bit: BTreeMap<String, f64>,
    /// Peak of this role's memory without the keys in its store, bytes.
    pub memory_bytes: Option<u64>,
    /// The link that was measured.
    pub link: Link,
    /// What this role said, in payloads of envelopes: tags, gRPC and TLS come on top.
    pub said: Spoken,
}

/// The source that the link has, which decides how much of a sifted bit is secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Link {
    /// Length of the fibre, km.
    pub distance_km: f64,
    /// Mean photons of signal and decoy.
    pub intensities: [f64; 2],
    /// How often each is sent.
    pub intensity_probabilities: [f64; 2],
    /// Probability of the key basis, at Alice and at Bob alike.
    pub key_basis_probability: f64,
    /// Slots from one detection to the next, expected.
    pub slots_per_detection: f64,
    /// Secret bits of an accepted block over the sifted bits that are expected.
    pub secret_fraction: f64,
    /// Secret bits per slot of Alice's clock, expected.
    pub secret_bits_per_slot: f64,
}

impl Link {
    /// What the sides of a measurement have between them.
    ///
    /// # Errors
    /// When a figure of it is out of range.
    pub fn of(setting: &Setting) -> Result<Self, Fault> {
        let failed = |error| Fault::from(qkd_node::NodeError::from(error));
        let link = distill::link(setting.qber, setting.block_bits).map_err(failed)?;
        let planned = distill::planned(&link).map_err(failed)?;
        Ok(Self {
            distance_km: link.channel.distance_km,
            intensities: link.source.intensities,
            intensity_probabilities: link.source.intensity_probabilities,
            key_basis_probability: link.protocol.key_basis_probability,
            slots_per_detection: planned.slots_per_detection,
            secret_fraction: planned.secret_fraction,
            secret_bits_per_slot: planned.secret_bits_per_slot,
        })
    }
}

/// What a role said to the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spoken {
    /// Envelopes per block.
    pub envelopes_per_block: f64,
    /// Messages that shared an envelope, on average.
    pub messages_per_envelope: f64,
    /// Bytes of payload in an envelope, on average.
    pub bytes_per_envelope: f64,
    /// Bytes of payload per sifted bit.
    pub bytes_per_bit: f64,
    /// By kind of message.
    pub kinds: BTreeMap<String, Kind>,
}

/// What a role said in messages of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Kind {
    /// Messages per block.
    pub messages_per_block: f64,
    /// Bytes per sifted bit.
    pub bytes_per_bit: f64,
}

impl Spoken {
    fn of(seen: &Figures) -> Self {
        let (blocks, sifted) = (seen.blocks as f64, seen.sifted_bits as f64);
        let messages: u64 = seen.said.values().map(|said| said.messages).sum();
        let bytes: u64 = seen.said.values().map(|said| said.bytes).sum();
        let envelopes = seen.envelopes.max(1) as f64;
        let kinds = seen.said.iter().map(|(name, said)| {
            let kind = Kind {
                messages_per_block: said.messages as f64 / blocks,
                bytes_per_bit: said.bytes as f64 / sifted,
            };
            (name.clone(), kind)
        });
        Self {
            envelopes_per_block: seen.envelopes as f64 / blocks,
            messages_per_envelope: messages as f64 / envelopes,
            bytes_per_envelope: bytes as f64 / envelopes,
            bytes_per_bit: bytes as f64 / sifted,
            kinds: kinds.collect(),
        }
    }
}

/// A row for each role.
pub(super) fn rows(setting: &Setting, link: &Link, seen: &Seen) -> Vec<Row> {
    let sides = [(Role::Alice, &seen.alice), (Role::Bob, &seen.bob)];
    sides
        .map(|(role, seen)| row(setting, link, role, seen))
        .to_vec()
}

fn row(setting: &Setting, link: &Link, role: Role, seen: &Figures) -> Row {
    let sifted = seen.sifted_bits as f64;
    let ns_per_bit = seen.cpu_seconds * 1e9 / sifted;
    let per_bit = |(name, seconds): (&String, &f64)| (name.clone(), seconds * 1e9 / sifted);
    let whole = Whole {
        cores: setting.cores,
        round_trip_ms: setting.round_trip_ms,
        blocks_in_flight: setting.in_flight(),
        sifted_bps: sifted / seen.seconds,
        delivered_bps: seen.secret_bits as f64 / seen.seconds,
        measured_qber: (seen.verified_bits > 0)
            .then(|| seen.errors as f64 / seen.verified_bits as f64),
        fixed_length_bits: seen.fixed_length_bits,
        aborted: seen.aborted,
        lost: seen.aborted.saturating_sub(seen.unverified),
        seconds: seen.seconds,
        threads_ns_per_bit: seen.threads.iter().map(per_bit).collect(),
        memory_bytes: seen.memory_bytes,
        link: link.clone(),
        said: Spoken::of(seen),
    };
    let block_bits = setting.block_bits as usize;
    Row {
        role: Some(role),
        qber: Some(setting.qber),
        reconciliation_inefficiency: seen.reconciliation_inefficiency,
        rounds: (seen.corrected > 0).then(|| seen.rounds as f64 / seen.corrected as f64),
        authentication: Some(setting.authentication.name()),
        secret_bps: Some(seen.secret_bits as f64 / seen.cpu_seconds),
        whole: Some(whole),
        ..Row::of(Stage::Pipeline, block_bits, seen.blocks, ns_per_bit)
            .with_failures(seen.unverified)
    }
}

const TITLES: [&str; 13] = [
    "pipeline", "QBER", "bits", "cores", "ms", "blocks", "Mb/s", "secret", "sifted", "keys", "f",
    "lost", "MB",
];

/// The rows of the whole pipeline, for people; nothing when there are none.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![TITLES.map(str::to_owned).to_vec()];
    for row in rows {
        lines.extend(row.whole.as_ref().map(|whole| cells(row, whole)));
    }
    if lines.len() == 1 {
        return String::new();
    }
    let tagged = rows.iter().filter(|row| row.whole.is_some());
    // One command has one way for all of them.
    let tagged = tagged.filter_map(|row| row.authentication).next();
    let words = lines_of(&format!(
        "pipeline, envelopes tagged by {}: Mb/s and secret are sifted and secret bits per second of CPU time of that role, \
         sifted and keys those per second of wall-clock time, which both roles share with what \
         stands for the optics; lost are blocks without a key, and +N those whose tags differed; MB \
         without the keys in the store. 0 secret bits: the theorem leaves no key at that error rate.",
        tagged.unwrap_or_default()
    ));
    format!("\n{}\n{words}", aligned(&lines, &[0]))
}

fn cells(row: &Row, whole: &Whole) -> Vec<String> {
    let mega = |per_second: f64| three_digits(per_second / 1e6);
    let or_nothing = |text: Option<String>| text.unwrap_or_default();
    let qber = |rate: f64| format!("{} %", significant(100.0 * rate));
    vec![
        row.role.map_or("", Role::name).to_owned(),
        or_nothing(row.qber.map(qber)),
        grouped(row.block_bits as u64),
        whole.cores.to_string(),
        whole.round_trip_ms.to_string(),
        grouped(row.blocks),
        mega(row.throughput_bps),
        mega(row.secret_bps.unwrap_or(0.0)),
        mega(whole.sifted_bps),
        mega(whole.delivered_bps),
        or_nothing(row.reconciliation_inefficiency.map(|f| format!("{f:.3}"))),
        lost(row, whole),
        or_nothing(whole.memory_bytes.map(|bytes| grouped(bytes / 1_000_000))),
    ]
}

/// Blocks without a key, and behind a + those whose tags differed, if any did.
fn lost(row: &Row, whole: &Whole) -> String {
    let failures = row.failures.filter(|&failures| failures > 0);
    let failed = failures.map(|failures| format!(" +{}", grouped(failures)));
    grouped(whole.lost) + &failed.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use qkd_auth::Authentication;

    use super::super::side::Said;
    use super::*;

    fn said(messages: u64, bytes: u64) -> Said {
        Said { messages, bytes }
    }

    fn seen(fixed_length_bits: u64) -> Seen {
        let side = Figures {
            seconds: 2.0,
            cpu_seconds: 1.0,
            threads: BTreeMap::from([("link".to_owned(), 0.25)]),
            blocks: 200,
            aborted: 3,
            unverified: 1,
            sifted_bits: 200_000_000,
            secret_bits: 80_000_000,
            errors: 1_990_000,
            verified_bits: 199_000_000,
            rounds: 23_880,
            corrected: 199,
            reconciliation_inefficiency: Some(1.04),
            fixed_length_bits,
            memory_bytes: Some(1_234_000_000),
            envelopes: 8_000,
            said: BTreeMap::from([
                ("announcement".to_owned(), said(1_000, 250_000_000)),
                ("comparison".to_owned(), said(23_000, 30_000_000)),
            ]),
        };
        Seen {
            alice: side.clone(),
            bob: side,
        }
    }

    fn link() -> Link {
        Link {
            distance_km: 10.0,
            intensities: [0.05, 0.02],
            intensity_probabilities: [0.5, 0.5],
            key_basis_probability: 0.85,
            slots_per_detection: 100.0,
            secret_fraction: 0.42,
            secret_bits_per_slot: 0.003,
        }
    }

    const SETTING: Setting = Setting {
        qber: 0.01,
        block_bits: 10_000_000,
        seconds: 2.0,
        blocks_min: 1,
        cores: 2,
        round_trip_ms: 100.0,
        blocks_in_flight: None,
        authentication: Authentication::PolyvalHmacSha256,
    };

    #[test]
    fn speeds_are_of_a_roles_core_and_rates_of_the_wall_clock() {
        let rows = rows(&SETTING, &link(), &seen(420_000));
        assert_eq!(rows.len(), 2);
        let row = &rows[1];
        assert_eq!(row.role, Some(Role::Bob));
        assert_eq!((row.throughput_bps, row.secret_bps), (2e8, Some(8e7)));
        let whole = row.whole.as_ref().unwrap();
        assert_eq!((whole.sifted_bps, whole.delivered_bps), (1e8, 4e7));
        assert_eq!(whole.threads_ns_per_bit["link"], 1.25);
        assert_eq!(whole.measured_qber, Some(0.01));
        assert_eq!(row.rounds, Some(120.0));
        assert_eq!((row.failures, whole.aborted, whole.lost), (Some(1), 3, 2));
        let json = serde_json::to_value(row).unwrap();
        assert_eq!(
            (&json["stage"], &json["cores"]),
            (&"pipeline".into(), &2.into())
        );
        assert_eq!(json["link"]["secret_fraction"], 0.42);
        assert_eq!(json["authentication"], "polyval-hmac-sha-256");
        assert!(table(&rows).contains("tagged by polyval-hmac-sha-256"));
    }

    #[test]
    fn what_a_role_said_is_counted_per_block_bit_and_envelope() {
        let rows = rows(&SETTING, &link(), &seen(420_000));
        let said = &rows[0].whole.as_ref().unwrap().said;
        assert_eq!(
            (said.envelopes_per_block, said.messages_per_envelope),
            (40.0, 3.0)
        );
        assert_eq!(
            (said.bytes_per_bit, said.bytes_per_envelope),
            (1.4, 35_000.0)
        );
        let kind = said.kinds["announcement"];
        assert_eq!((kind.messages_per_block, kind.bytes_per_bit), (5.0, 1.25));
    }

    #[test]
    fn only_blocks_whose_tags_differed_have_failed_with_a_key_to_be_had_or_without() {
        for fixed_length_bits in [0, 420_000] {
            let rows = rows(&SETTING, &link(), &seen(fixed_length_bits));
            assert!(rows.iter().all(|row| row.failures == Some(1)), "{rows:?}");
        }
    }

    #[test]
    fn the_table_fits_a_terminal_and_is_not_there_without_rows() {
        let table = table(&rows(&SETTING, &link(), &seen(420_000)));
        let width = table.lines().map(|line| line.chars().count()).max();
        assert!(width <= Some(95), "{width:?}: {table}");
        assert!(table.contains("2 +1"), "{table}");
        assert_eq!(super::table(&[]), "");
    }
}
