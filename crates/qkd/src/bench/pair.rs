//! Alice and Bob as two processes, and the words between them.

use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

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

/// A process of ours. Killed when dropped.
struct Side {
    name: &'static str,
    process: Child,
    /// Closed when there is nothing more to say.
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Runs a link and returns what both sides have seen.
///
/// # Errors
/// When a side has no figures, or none in time.
pub async fn run(link: &Link) -> Result<Seen, Fault> {
    let patience = Duration::from_secs_f64(link.seconds) + PATIENCE;
    let late = |_| Fault::Late {
        seconds: patience.as_secs(),
    };
    timeout(patience, converse(link)).await.map_err(late)?
}

async fn converse(link: &Link) -> Result<Seen, Fault> {
    let mut bob = Side::start("Bob", link, &[])?;
    let line = bob.line().await?;
    let ready: Ready = bob.figures(&line, "its address")?;
    let mut alice = Side::start("Alice", link, &["--peer", &ready.address.to_string()])?;
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
    bob.input = None;
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

impl Side {
    fn start(name: &'static str, link: &Link, more: &[&str]) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(Fault::io("find this very program"))?;
        let mut command = Command::new(program);
        command
            .args(["bench", "side", "--role", &name.to_lowercase()])
            .args(["--preset", link.preset.name()])
            .args(["--distance", &link.distance_km.to_string()])
            .args(["--clock-hz", &link.clock_hz.to_string()])
            .args(["--seconds", &link.seconds.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in a terminal reaches the whole process group; stopping them is our task.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(core) = link.core {
            command.args(["--core", &core.to_string()]);
        }
        let mut process = command
            .spawn()
            .map_err(Fault::io("start this program again"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both were asked for as pipes");
        };
        Ok(Self {
            name,
            process,
            input: Some(input),
            lines: BufReader::new(output).lines(),
        })
    }

    async fn line(&mut self) -> Result<String, Fault> {
        let line = self.lines.next_line().await;
        let line = line.map_err(Fault::io("read what a side prints"))?;
        line.ok_or(Fault::Ended { side: self.name })
    }

    /// Tells it a line. One that has ended needs none: it is noticed by its silence.
    async fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _gone = input.write_all(format!("{line}\n").as_bytes()).await;
        }
    }

    fn figures<T: DeserializeOwned>(&self, line: &str, expected: &'static str) -> Result<T, Fault> {
        serde_json::from_str(line).map_err(|_| Fault::Strange {
            side: self.name,
            expected,
            line: line.chars().take(200).collect(),
        })
    }

    async fn end(mut self) -> Result<(), Fault> {
        self.input = None;
        let ended = self.process.wait().await;
        ended.map(drop).map_err(Fault::io("wait for a side"))
    }
}
