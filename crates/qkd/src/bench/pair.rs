//! Alice and Bob as two processes, and the words between them.

use std::net::SocketAddr;
use std::time::Duration;

use super::child::{Child, in_time};
use super::fault::Fault;
use super::side::{AliceFigures, BobFigures, Ready};

/// Beyond the measurement itself: start, warm-up, end, and a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// What may be lost of a clean run: a part of the frames.
const LOST_MAX: f64 = 1e-4;

/// What a clean run makes of its clock at least.
const CLOCK_SHARE_MIN: f64 = 0.99;

/// What the beginning and the end of a measurement are unsure by, s: Bob hears Alice's clock so often.
const EDGE_SECONDS: f64 = 0.02;

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The hardware.
    pub preset: qkd_node::presets::Preset,
    /// Length of the fibre, km.
    pub distance_km: f64,
    /// The clock, Hz.
    pub clock_hz: f64,
    /// Length of the measurement, s.
    pub seconds: f64,
    /// The core that both have to share.
    pub core: Option<usize>,
}

/// The figures of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The clock that was asked for, Hz.
    pub clock_hz: f64,
    /// Bob's receive buffer, bytes.
    pub receive_buffer_bytes: usize,
    /// Alice's.
    pub alice: AliceFigures,
    /// Bob's.
    pub bob: BobFigures,
}

impl Seen {
    /// Slots per second of wall-clock time that Bob measured with their frames. What he had not yet
    /// measured when his figures began is not counted: nobody sustains more than Alice's clock.
    pub fn sustained_clock_hz(&self) -> f64 {
        (self.bob.slots as f64 / self.bob.seconds).min(self.clock_hz)
    }

    /// Datagrams of Alice that Bob never took in.
    pub fn lost_frames(&self) -> u64 {
        let (sent, accepted) = (self.alice.frames_total, self.bob.accepted_total);
        sent.saturating_sub(accepted)
    }

    /// Whether it lost more than one frame in 10,000, or more than 1 % of its clock, the unsure
    /// edges of the measurement aside.
    pub fn lost_light(&self) -> bool {
        let lost = self.lost_frames() as f64 / self.alice.frames_total.max(1) as f64;
        let share_min = CLOCK_SHARE_MIN - EDGE_SECONDS / self.bob.seconds.max(EDGE_SECONDS);
        lost > LOST_MAX || self.sustained_clock_hz() < share_min * self.clock_hz
    }
}

/// Runs a link and returns what both sides have seen.
///
/// # Errors
/// When a side has no figures, or none in time.
pub async fn run(link: &Link) -> Result<Seen, Fault> {
    let patience = Duration::from_secs_f64(link.seconds) + PATIENCE;
    in_time(patience, converse(link)).await
}

async fn converse(link: &Link) -> Result<Seen, Fault> {
    let mut bob = start("Bob", link, None)?;
    let line = bob.line().await?;
    let ready: Ready = bob.figures(&line, "its address")?;
    let mut alice = start("Alice", link, Some(ready.address))?;
    let alice_figures: AliceFigures = loop {
        tokio::select! {
            line = alice.line() => {
                let line = line?;
                if !is_number(&line) {
                    break alice.figures(&line, "its figures")?;
                }
                bob.say(&line).await;
            }
            line = bob.line() => {
                let line = line?;
                if is_number(&line) {
                    alice.say(&line).await;
                }
            }
        }
    };
    bob.hush();
    let bob_figures: BobFigures = loop {
        let line = bob.line().await?;
        if !is_number(&line) {
            break bob.figures(&line, "its figures")?;
        }
    };
    for side in [alice, bob] {
        side.end().await?;
    }
    Ok(Seen {
        clock_hz: link.clock_hz,
        receive_buffer_bytes: ready.receive_buffer_bytes,
        alice: alice_figures,
        bob: bob_figures,
    })
}

fn is_number(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_digit())
}

/// Starts one side of `link`.
fn start(name: &'static str, link: &Link, peer: Option<SocketAddr>) -> Result<Child, Fault> {
    let Link {
        preset,
        distance_km,
        clock_hz,
        seconds,
        core,
    } = link;
    let mut words = vec![
        ("--role", name.to_lowercase()),
        ("--preset", preset.name().to_owned()),
        ("--distance", distance_km.to_string()),
        ("--clock-hz", clock_hz.to_string()),
        ("--seconds", seconds.to_string()),
    ];
    words.extend(peer.map(|peer| ("--peer", peer.to_string())));
    words.extend(core.map(|core| ("--core", core.to_string())));
    Child::start(name, "side", &words)
}
