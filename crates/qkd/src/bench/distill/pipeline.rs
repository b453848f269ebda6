//! The whole pipeline: Alice and Bob as two processes that make keys out of detections which cost
//! nothing, with the envelopes, the gRPC and the TLS of the daemons between them.

mod relay;
mod rows;
pub mod side;

use std::time::Duration;

use qkd_auth::Authentication;
use tempfile::TempDir;

use self::relay::Relay;
use self::rows::Link;
pub use self::rows::{Whole, table};
use self::side::{Figures, Ready, Word};
use super::row::Row;
use crate::bench::child::{Child, in_time};
use crate::bench::fault::Fault;
use crate::words::{grouped, percent};

/// Longest silence of a side beyond what its blocks explain: start, end, and a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rounds of error correction that a block takes at most, for patience.
const ROUNDS_MAX: f64 = 300.0;

/// Sifted bits per second of the slowest machine, for patience.
const SIFTED_BPS_MIN: f64 = 1e6;

/// Rounds that a block takes, about.
const ROUNDS: f64 = 120.0;

/// Sifted bits per second for which there are blocks in flight.
const SIFTED_BPS: f64 = 200e6;

/// Blocks in flight without a round trip, at least: while one waits for the peer, others are worked on.
const IN_FLIGHT_MIN: f64 = 8.0;

/// Small blocks in flight without a round trip: as many as daemons have where nothing is configured. The
/// more of them there are, the more of what they have to say shares an envelope.
const SMALL_IN_FLIGHT: f64 = 32.0;

/// Sifted bits that small blocks in flight have together.
const SMALL_BITS_IN_FLIGHT: f64 = 6.4e7;

/// The most that daemons may have in flight.
const IN_FLIGHT_MAX: f64 = 256.0;

/// Sifted bits in flight, at most: memory.
const BITS_IN_FLIGHT_MAX: f64 = 3e8;

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Error rate of the sifted key.
    pub qber: f64,
    /// Sifted bits per block.
    pub block_bits: u64,
    /// Length of the measurement, s; at least as many blocks as are in flight.
    pub seconds: f64,
    /// Blocks that are measured at least.
    pub blocks_min: u64,
    /// Cores that both processes may use.
    pub cores: usize,
    /// What is added to the time of a message to the peer and back, ms.
    pub round_trip_ms: f64,
    /// Blocks in flight, where it was asked for.
    pub blocks_in_flight: Option<usize>,
    /// How envelopes are tagged.
    pub authentication: Authentication,
}

impl Setting {
    /// Blocks between announcement and key: so many that the round trip can be waited for.
    pub fn in_flight(&self) -> usize {
        self.blocks_in_flight.unwrap_or_else(|| {
            let bits = self.block_bits as f64;
            let waiting = ROUNDS * self.round_trip_ms * 1e-3 * SIFTED_BPS / bits;
            let room = (BITS_IN_FLIGHT_MAX / bits).clamp(3.0, IN_FLIGHT_MAX);
            let working = (SMALL_BITS_IN_FLIGHT / bits).clamp(IN_FLIGHT_MIN, SMALL_IN_FLIGHT);
            (working + waiting).min(room) as usize
        })
    }

    /// What is being measured, in a few words.
    pub fn line(&self) -> String {
        let (qber, bits) = (percent(self.qber), grouped(self.block_bits));
        let (cores, away) = (self.cores, self.round_trip_ms);
        format!("pipeline {qber} {bits} bits, {cores} cores, {away} ms")
    }

    /// Longest time without a block that ends: the first waits for all its rounds, and all that are
    /// in flight are worked on meanwhile. How long the measurement is does not matter.
    fn patience(&self) -> Duration {
        let waiting = ROUNDS_MAX * self.round_trip_ms * 1e-3;
        let working = self.in_flight() as f64 * self.block_bits as f64 / SIFTED_BPS_MIN;
        PATIENCE + Duration::from_secs_f64(waiting + working)
    }
}

/// What the two sides have seen.
struct Seen {
    alice: Figures,
    bob: Figures,
}

/// Runs a pair of sides: a row for each.
///
/// # Errors
/// When a side has no figures, or nothing happens any more.
pub async fn measure(setting: &Setting) -> Result<Vec<Row>, Fault> {
    let link = Link::of(setting)?;
    let seen = converse(setting).await?;
    Ok(rows::rows(setting, &link, &seen))
}

/// The figures of a side, however long it takes while it tells of blocks that end.
async fn figures_of(side: &mut Child, patience: Duration) -> Result<Figures, Fault> {
    loop {
        let line = in_time(patience, side.line()).await?;
        match side.figures(&line, "its figures")? {
            Word::Ended(_) => {}
            Word::Figures(figures) => return Ok(*figures),
        }
    }
}

async fn converse(setting: &Setting) -> Result<Seen, Fault> {
    let patience = setting.patience();
    let folder = tempfile::tempdir().map_err(Fault::io("make a temporary folder"))?;
    qkd_node::bench::distill::make_pki(&pki(&folder))?;
    let mut bob = start("Bob", setting, &folder, None)?;
    let line = in_time(patience, bob.line()).await?;
    let ready: Ready = bob.figures(&line, "its address")?;
    let relay = Relay::start(ready.address, setting.round_trip_ms).await?;
    let mut alice = start("Alice", setting, &folder, Some(relay.address()))?;
    // Both go on until both have been measured.
    let (hers, his) = tokio::try_join!(
        figures_of(&mut alice, patience),
        figures_of(&mut bob, patience)
    )?;
    alice.hush();
    bob.hush();
    in_time(patience, async { tokio::try_join!(alice.end(), bob.end()) }).await?;
    Ok(Seen {
        alice: hers,
        bob: his,
    })
}

fn pki(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("pki")
}

/// Starts one side; Alice's with the address to call.
fn start(
    name: &'static str,
    setting: &Setting,
    folder: &TempDir,
    peer: Option<std::net::SocketAddr>,
) -> Result<Child, Fault> {
    let mut options = vec![
        ("--role", name.to_lowercase()),
        ("--folder", pki(folder).display().to_string()),
        ("--qber", setting.qber.to_string()),
        ("--block-bits", setting.block_bits.to_string()),
        ("--blocks-in-flight", setting.in_flight().to_string()),
        ("--seconds", setting.seconds.to_string()),
        ("--blocks-min", setting.blocks_min.to_string()),
        ("--cores", setting.cores.to_string()),
        ("--authentication", setting.authentication.to_string()),
    ];
    options.extend(peer.map(|peer| ("--peer", peer.to_string())));
    Child::start(name, "distill-side", &options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_depends_on_a_block_and_its_way_and_on_no_length_of_the_measurement() {
        let patience = |seconds, blocks_min, round_trip_ms| {
            Setting {
                qber: 0.01,
                block_bits: 1_000_000,
                seconds,
                blocks_min,
                cores: 1,
                round_trip_ms,
                blocks_in_flight: Some(8),
                authentication: Authentication::default(),
            }
            .patience()
        };
        assert_eq!(patience(2.0, 1, 0.0), Duration::from_secs(68));
        assert_eq!(patience(2.0, 1, 0.0), patience(3600.0, 1_000_000, 0.0));
        assert_eq!(patience(2.0, 1, 1000.0), Duration::from_secs(368));
    }

    #[test]
    fn longer_round_trips_have_more_blocks_in_flight_as_far_as_memory_goes() {
        let in_flight = |block_bits, round_trip_ms| {
            Setting {
                qber: 0.01,
                block_bits,
                seconds: 1.0,
                blocks_min: 1,
                cores: 1,
                round_trip_ms,
                blocks_in_flight: None,
                authentication: Authentication::default(),
            }
            .in_flight()
        };
        assert_eq!(in_flight(100_000, 0.0), 32);
        assert_eq!(in_flight(1_000_000, 0.0), 32);
        assert_eq!(in_flight(1_000_000, 1.0), 56);
        assert_eq!(in_flight(4_000_000, 0.0), 16);
        assert_eq!(in_flight(10_000_000, 0.0), 8);
        assert_eq!(in_flight(1_000_000, 100.0), 256);
        assert_eq!(in_flight(10_000_000, 100.0), 30);
        assert_eq!(in_flight(100_000_000, 100.0), 3);
    }
}
