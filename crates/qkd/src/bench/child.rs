//! This program once more, as one side of a measurement: the words with it go through pipes.

use std::future::Future;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::fault::Fault;

/// A process of ours. Killed when dropped.
pub struct Child {
    name: &'static str,
    process: Process,
    /// Closed when there is nothing more to say.
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts `qkd bench COMMAND` with these options and values as the side called `name`.
    ///
    /// # Errors
    /// When the system has no process left.
    pub fn start(
        name: &'static str,
        command: &str,
        options: &[(&str, String)],
    ) -> Result<Self, Fault> {
        let program = std::env::current_exe().map_err(Fault::io("find this very program"))?;
        let mut process = Command::new(program)
            .args(["bench", command])
            .args(
                options
                    .iter()
                    .flat_map(|(option, value)| [option, value.as_str()]),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C in a terminal reaches the whole process group; stopping them is our task.
            .process_group(0)
            .kill_on_drop(true)
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

    /// The next line that it prints.
    ///
    /// # Errors
    /// [`Fault::Ended`] when there is none any more.
    pub async fn line(&mut self) -> Result<String, Fault> {
        let line = self.lines.next_line().await;
        let line = line.map_err(Fault::io("read what a side prints"))?;
        line.ok_or(Fault::Ended { side: self.name })
    }

    /// Tells it a line. One that has ended needs none: it is noticed by its silence.
    pub async fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _gone = input.write_all(format!("{line}\n").as_bytes()).await;
        }
    }

    /// There is nothing more to say to it.
    pub fn hush(&mut self) {
        self.input = None;
    }

    /// What a line says, which should be `expected`.
    ///
    /// # Errors
    /// [`Fault::Strange`] when it is something else.
    pub fn figures<T: DeserializeOwned>(
        &self,
        line: &str,
        expected: &'static str,
    ) -> Result<T, Fault> {
        serde_json::from_str(line).map_err(|_| Fault::Strange {
            side: self.name,
            expected,
            line: line.chars().take(200).collect(),
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn end(mut self) -> Result<(), Fault> {
        self.hush();
        let ended = self.process.wait().await;
        ended.map(drop).map_err(Fault::io("wait for a side"))
    }
}

/// What comes of something that should not take longer than `patience`.
///
/// # Errors
/// [`Fault::Late`] when it does, and its own.
pub async fn in_time<T>(
    patience: Duration,
    coming: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |_| Fault::Late {
        seconds: patience.as_secs(),
    };
    timeout(patience, coming).await.map_err(late)?
}
