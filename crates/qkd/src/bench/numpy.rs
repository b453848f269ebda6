//! What a vectorised sampler in Python does on this machine, to compare with.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than the sampler and the start of Python on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The sampler, which prints its pulses per second.
const SAMPLER: &str = include_str!("sampler.py");

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Numpy {
    /// Pulses per second, vacuum included: slots.
    Measured {
        /// The rate.
        pulses_per_second: f64,
    },
    /// There is none, for this reason.
    Absent {
        /// Why.
        reason: String,
    },
}

impl Numpy {
    /// Runs the sampler beside nothing else.
    pub async fn measure() -> Self {
        let reason = match timeout(PATIENCE, sample()).await {
            Ok(Ok(pulses_per_second)) => return Numpy::Measured { pulses_per_second },
            Ok(Err(reason)) => reason,
            Err(_) => format!("it took longer than {} s", PATIENCE.as_secs()),
        };
        Numpy::Absent { reason }
    }

    /// Its rate, where there is one.
    pub fn pulses_per_second(&self) -> Option<f64> {
        match self {
            Numpy::Measured { pulses_per_second } => Some(*pulses_per_second),
            Numpy::Absent { .. } => None,
        }
    }
}

async fn sample() -> Result<f64, String> {
    let said = |error: std::io::Error| format!("python3 cannot be run: {error}");
    let mut python = Command::new("python3")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(said)?;
    if let Some(mut input) = python.stdin.take() {
        // What it does not read it does not need; the answer says so.
        let _gone = input.write_all(SAMPLER.as_bytes()).await;
    }
    let output = python.wait_with_output().await.map_err(said)?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint.lines().last().unwrap_or("it printed no number");
        format!(
            "python3 says: {}",
            last.chars().take(120).collect::<String>()
        )
    })
}
