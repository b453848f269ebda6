//! cryptomite in a Python process that answers task after task.

use std::process::Stdio;
use std::time::Duration;

use qkd_bits::BitString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Longer than the largest block takes on a slow machine that is busy.
const PATIENCE: Duration = Duration::from_secs(300);

const SCRIPT: &str = include_str!("cryptomite.py");

/// The process. Killed when dropped.
pub struct Cryptomite {
    /// What it said first.
    pub ready: Ready,
    process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Its first line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ready {
    /// Of cryptomite.
    pub version: String,
    /// The version of Python.
    pub python: String,
}

/// What is to be extracted.
pub struct Task {
    /// n bits.
    pub input: BitString,
    /// n + m − 1 bits.
    pub seed: BitString,
    /// m.
    pub output_bits: usize,
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    output: String,
}

impl Cryptomite {
    /// Starts Python and loads the library.
    ///
    /// # Errors
    /// A few words on why there is none.
    pub async fn start() -> Result<Self, String> {
        let mut process = Command::new("python3")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("python3 cannot be run: {error}"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both were asked for as pipes");
        };
        let mut lines = BufReader::new(output).lines();
        let ready = answer(&mut process, &mut lines).await?;
        Ok(Self {
            ready,
            process,
            input,
            lines,
        })
    }

    /// The output, and the CPU time of the extractor alone.
    ///
    /// # Errors
    /// A few words on why there is none.
    pub async fn extract(&mut self, task: &Task) -> Result<(BitString, Duration), String> {
        let hex = |bits: &BitString| -> String {
            let bytes = bits.to_bytes();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let line = format!(
            "{} {} {} {}\n",
            task.input.len(),
            task.output_bits,
            hex(&task.input),
            hex(&task.seed)
        );
        // One that does not read has ended, and the missing answer tells why.
        let _gone = self.input.write_all(line.as_bytes()).await;
        let answer: Answer = answer(&mut self.process, &mut self.lines).await?;
        let output = bits(&answer.output, task.output_bits);
        let time = Duration::try_from_secs_f64(answer.seconds).ok();
        output
            .zip(time)
            .ok_or_else(|| "python3 gave an output of another size".to_owned())
    }
}

async fn answer<T: DeserializeOwned>(
    process: &mut Child,
    lines: &mut Lines<BufReader<ChildStdout>>,
) -> Result<T, String> {
    let line = match timeout(PATIENCE, lines.next_line()).await {
        Ok(Ok(Some(line))) => line,
        Ok(Ok(None)) => return Err(last_words(process).await),
        Ok(Err(error)) => return Err(format!("python3 cannot be read: {error}")),
        Err(_) => return Err(format!("it took longer than {} s", PATIENCE.as_secs())),
    };
    serde_json::from_str(&line).map_err(|_| {
        let start: String = line.chars().take(120).collect();
        format!("python3 says {start:?}")
    })
}

/// What a process that has ended complained about.
async fn last_words(process: &mut Child) -> String {
    let mut complaint = Vec::new();
    if let Some(errors) = process.stderr.take() {
        // What cannot be read is no complaint.
        let _unread = timeout(PATIENCE, errors.take(1 << 16).read_to_end(&mut complaint)).await;
    }
    let complaint = String::from_utf8_lossy(&complaint);
    let last = complaint.lines().last().unwrap_or("nothing, and ended");
    let last: String = last.chars().take(120).collect();
    format!("python3 says: {last}")
}

fn bits(hex: &str, len: usize) -> Option<BitString> {
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    BitString::from_bytes(&bytes?, len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_another_size_or_with_other_letters_is_none() {
        assert!(bits("0101", 9).is_some_and(|bits| bits.get(0) && bits.get(8)));
        for (hex, len) in [
            ("0101", 8),
            ("0103", 9),
            ("01", 9),
            ("0x", 8),
            ("013", 12),
            ("éa", 8),
        ] {
            assert!(bits(hex, len).is_none(), "{hex} as {len} bits");
        }
    }
}
