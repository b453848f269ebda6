//! The services as child processes: start, readiness, and an end in every case.
//!
//! Each child holds the reading end of a pipe whose other end only this process has. Closing it,
//! on purpose or because this process was killed, makes the child stop cleanly.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::fault::Fault;

/// A service that has not opened its sockets by then never will.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Services that have not stopped by then are killed: with it, Ctrl-C ends everything within 5 s.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// A readiness line is far shorter.
const READY_BYTES_MAX: u64 = 16 * 1024;

/// How much of a log a fault quotes.
const LAST_LINES: usize = 6;
const LAST_BYTES: u64 = 4096;

/// What to start.
pub struct Start<'a> {
    /// Subcommand and name of the service.
    pub service: &'static str,
    /// Its configuration.
    pub config: &'a Path,
    /// The file that its log goes to.
    pub log: &'a Path,
    /// How much it logs.
    pub log_level: Option<&'a str>,
}

/// The line that a service prints when its sockets are open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Readiness {
    /// Always true.
    pub ready: bool,
    /// Address of its quantum channel (UDP), where it has one of its own.
    #[serde(default)]
    pub quantum: Option<SocketAddr>,
    /// Address of its classical channel (TCP), where it listens on one.
    #[serde(default)]
    pub classical: Option<SocketAddr>,
    /// Address of its services (gRPC).
    pub services: SocketAddr,
    /// Address of key delivery by ETSI GS QKD 014, where it has one.
    #[serde(default)]
    pub etsi014: Option<SocketAddr>,
}

struct Service {
    name: &'static str,
    log: PathBuf,
    process: Child,
    /// Closed to ask the service to stop.
    lifeline: Option<ChildStdin>,
    /// Kept open, so that nothing the service prints fails.
    stdout: BufReader<ChildStdout>,
    /// Whether its end is known already as the fault that it is.
    lamented: bool,
}

/// All running services.
#[derive(Default)]
pub struct Children {
    services: Vec<Service>,
}

impl Children {
    /// Starts a service and waits until its sockets are open.
    ///
    /// # Errors
    /// When it cannot be started, ends, or says nothing in time.
    pub async fn start(&mut self, start: &Start<'_>) -> Result<Readiness, Fault> {
        let name = start.service;
        let service = spawn(start)?;
        // From here on `stop` finds it, also when readiness is not awaited to the end.
        self.services.push(service);
        let Some(service) = self.services.last_mut() else {
            unreachable!("a service was just added");
        };
        let mut line = String::new();
        let reading = async {
            let mut limited = (&mut service.stdout).take(READY_BYTES_MAX);
            limited.read_line(&mut line).await
        };
        match timeout(READY_WITHIN, reading).await {
            Err(_) => Err(Fault::NotReady {
                service: name,
                seconds: READY_WITHIN.as_secs(),
                log: last_lines(&service.log),
            }),
            Ok(Err(error)) => Err(Fault::io(format!("read what {name} prints"))(error)),
            Ok(Ok(0)) => Err(service.end().await?),
            Ok(Ok(_)) => readiness(name, &line),
        }
    }

    /// Sees whether all services still run.
    ///
    /// # Errors
    /// [`Fault::Died`] for the first one that does not.
    pub fn check(&mut self) -> Result<(), Fault> {
        for service in &mut self.services {
            let ended = service.process.try_wait();
            let ended = ended.map_err(Fault::io(format!("look after {}", service.name)))?;
            if let Some(status) = ended {
                return Err(service.died(status));
            }
        }
        Ok(())
    }

    /// Ends all services, gently for 4 s and then without mercy. Says which ones did not end
    /// cleanly.
    pub async fn stop(&mut self) -> Vec<String> {
        for service in &mut self.services {
            drop(service.lifeline.take());
        }
        let deadline = Instant::now() + STOP_WITHIN;
        let mut complaints = Vec::new();
        for mut service in self.services.drain(..).rev() {
            let name = service.name;
            match timeout_at(deadline, service.process.wait()).await {
                Ok(Ok(status)) if status.success() || service.lamented => {}
                Ok(Ok(status)) => complaints.push(format!("{name} ended with {status}")),
                Ok(Err(error)) => complaints.push(format!("cannot wait for {name}: {error}")),
                Err(_) => {
                    // It may have ended this very moment; then there is nobody to kill.
                    let _ = service.process.kill().await;
                    let seconds = STOP_WITHIN.as_secs();
                    complaints.push(format!("{name} did not stop within {seconds} s: killed"));
                }
            }
        }
        complaints
    }
}

impl Service {
    /// The fault of a service that has closed its standard output.
    async fn end(&mut self) -> Result<Fault, Fault> {
        let ended = timeout(STOP_WITHIN, self.process.wait()).await;
        match ended {
            Ok(status) => {
                let status = status.map_err(Fault::io(format!("wait for {}", self.name)))?;
                Ok(self.died(status))
            }
            Err(_) => Ok(Fault::NotReadiness {
                service: self.name,
                reason: "closed its standard output".to_owned(),
                line: String::new(),
            }),
        }
    }

    fn died(&mut self, status: std::process::ExitStatus) -> Fault {
        self.lamented = true;
        Fault::Died {
            service: self.name,
            status,
            log: last_lines(&self.log),
        }
    }
}

fn spawn(start: &Start<'_>) -> Result<Service, Fault> {
    let name = start.service;
    let program = std::env::current_exe().map_err(Fault::io("find this very program"))?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(start.log)
        .map_err(Fault::io(format!("open {}", start.log.display())))?;
    let mut process = Command::new(program)
        .arg(name)
        .arg("--config")
        .arg(start.config)
        .arg("--exit-with-parent")
        .args(start.log_level.map(|level| format!("--log-level={level}")))
        // A service manager waits for the laboratory, not for its services.
        .env_remove(crate::notify::SOCKET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C in a terminal reaches the whole process group; stopping them is our task.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(Fault::io(format!("start {name}")))?;
    let (Some(lifeline), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
        unreachable!("both were asked for as pipes");
    };
    Ok(Service {
        name,
        log: start.log.to_path_buf(),
        process,
        lifeline: Some(lifeline),
        stdout: BufReader::new(stdout),
        lamented: false,
    })
}

fn readiness(service: &'static str, line: &str) -> Result<Readiness, Fault> {
    let refuse = |reason: String| Fault::NotReadiness {
        service,
        reason,
        line: line.trim_end().chars().take(200).collect(),
    };
    let readiness: Readiness =
        serde_json::from_str(line).map_err(|error| refuse(error.to_string()))?;
    if readiness.ready {
        Ok(readiness)
    } else {
        Err(refuse("it says that it is not ready".to_owned()))
    }
}

/// The end of a log, as far as it can be read.
fn last_lines(log: &Path) -> String {
    let tail = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LAST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = tail().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readiness_line_gives_every_address() {
        let line = r#"{"ready":true,"role":"bob","quantum":"127.0.0.1:7","classical":null,"services":"[::1]:9"}"#;
        let readiness = readiness("bob", line).unwrap();
        assert_eq!(readiness.quantum, Some("127.0.0.1:7".parse().unwrap()));
        assert_eq!(readiness.classical, None);
        assert_eq!(readiness.services, "[::1]:9".parse().unwrap());
    }

    #[test]
    fn any_other_line_is_a_fault_that_quotes_it() {
        for line in [
            "",
            "hello",
            r#"{"ready":true}"#,
            r#"{"ready":false,"services":"127.0.0.1:1"}"#,
        ] {
            let said = readiness("eve", line).unwrap_err().to_string();
            assert!(said.starts_with("eve should have printed"), "{said}");
            assert!(said.contains(&format!("{line:?}")), "{said}");
        }
    }

    #[test]
    fn a_fault_quotes_the_end_of_a_log_only() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(last_lines(&log), "");
        let lines: Vec<String> = (0..10_000).map(|line| format!("line {line}")).collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        assert_eq!(last_lines(&log), lines[10_000 - LAST_LINES..].join("\n"));
    }
}
