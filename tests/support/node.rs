//! One daemon as a child process, and its operator's view.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use qkd_node::config::{NodeConfig, TlsFiles};
use qkd_wire::proto::node::node_client::NodeClient;
use qkd_wire::proto::node::{
    BlockReport, GetStatusRequest, NodeStatus, WatchBlocksRequest, WatchStatusRequest,
};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::{PATIENCE, clients};

/// Lines of each log that a test in vain shows.
const LAST_LINES: usize = 25;

/// Distance of two looks at a status, in milliseconds: the shortest that a node grants.
const LOOK_EVERY_MS: u32 = 50;

/// What to start, and where.
pub struct Program {
    /// Subcommand.
    pub role: &'static str,
    /// The node's name.
    pub name: &'static str,
    /// Folder of configuration and log.
    pub folder: PathBuf,
    /// Certificate of whoever looks at it.
    pub operator: TlsFiles,
    /// How much it logs.
    pub log_level: Option<&'static str>,
    /// What else stands on its command line.
    pub arguments: Vec<String>,
    /// How far its clock is ahead, as `faketime` takes it; right when not said.
    pub clock: Option<&'static str>,
}

impl Program {
    /// The command to which the options are added.
    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_qkd");
        match self.clock {
            None => Command::new(program),
            Some(offset) => {
                let mut command = Command::new("faketime");
                // Time limits must go on as they are: only the date is wrong.
                command.args(["--exclude-monotonic", "-f", offset, program]);
                command
            }
        }
    }
}

/// A running daemon; killed when dropped.
pub struct Node {
    /// Where its light arrives; Bob only.
    pub quantum: Option<SocketAddr>,
    /// Where its peer calls; Bob only.
    pub classical: Option<SocketAddr>,
    /// Where its gRPC services are.
    pub services: SocketAddr,
    /// Where keys are delivered by ETSI GS QKD 014, if they are.
    pub etsi014: Option<SocketAddr>,
    /// Where Prometheus finds its page, if it has one.
    pub metrics: Option<SocketAddr>,
    /// Its name, as in its certificate.
    pub name: &'static str,
    log: PathBuf,
    operator: TlsFiles,
    process: Child,
    /// Closed to ask it to stop.
    lifeline: Option<ChildStdin>,
}

#[derive(Deserialize)]
struct ReadyLine {
    quantum: Option<SocketAddr>,
    classical: Option<SocketAddr>,
    services: SocketAddr,
    etsi014: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Node {
    /// Writes the configuration, starts the daemon and waits until its sockets are open.
    pub async fn start(program: Program, config: &NodeConfig) -> Self {
        match Self::try_start(program, config).await {
            Ok(node) => node,
            Err((node, line)) => node.fail(&format!(
                "{} printed {line:?} in place of its addresses",
                node.name
            )),
        }
    }

    /// As [`start`](Self::start); a daemon that ended before, or said something else, comes back with
    /// what it said.
    pub async fn try_start(program: Program, config: &NodeConfig) -> Result<Self, (Self, String)> {
        let Program {
            role, name, folder, ..
        } = &program;
        let file = folder.join(format!("{role}.toml"));
        fs::write(&file, config.to_toml()).expect("a configuration can be written");
        let log = folder.join(format!("{role}.log"));
        let stderr = OpenOptions::new().create(true).append(true).open(&log);
        let mut process = program
            .command()
            .args([role, "--config"])
            .arg(&file)
            // Stops by itself when this process dies without dropping it.
            .arg("--exit-with-parent")
            .args(
                program
                    .log_level
                    .map(|level| format!("--log-level={level}")),
            )
            .args(&program.arguments)
            .env_remove("RUST_LOG")
            .env_remove("QKD_FIBRE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.expect("a log can be opened"))
            .spawn()
            .expect("the program starts");
        let lifeline = process.stdin.take();
        let mut stdout = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let (line, first_line) = oneshot::channel();
        // The thread ends with the child, whose output it swallows.
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ended = stdout.read_line(&mut text);
            let _test_gave_up = line.send(text);
            let _ended = stdout.read_to_end(&mut Vec::new());
        });
        let mut node = Self {
            quantum: None,
            classical: None,
            etsi014: None,
            metrics: None,
            services: SocketAddr::from(([0, 0, 0, 0], 0)),
            name,
            log,
            operator: program.operator.clone(),
            process,
            lifeline,
        };
        let line = timeout(PATIENCE, first_line).await;
        let line = line.map(Result::unwrap_or_default).unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(ReadyLine {
                quantum,
                classical,
                services,
                etsi014,
                metrics,
            }) => {
                (node.quantum, node.classical) = (quantum, classical);
                (node.services, node.etsi014, node.metrics) = (services, etsi014, metrics);
                Ok(node)
            }
            Err(_) => Err((node, line)),
        }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        read_log(&self.log)
    }

    /// Its operator's client.
    pub async fn client(&self) -> NodeClient<Channel> {
        clients::operator(self, &self.operator).await
    }

    /// Its present state.
    pub async fn status(&self) -> NodeStatus {
        let mut client = self.client().await;
        match timeout(PATIENCE, client.get_status(GetStatusRequest {})).await {
            Ok(Ok(status)) => status.into_inner(),
            other => self.fail(&format!("{} gives no status: {other:?}", self.name)),
        }
    }

    /// Waits for a state, called `what`, and returns it.
    pub async fn until(&self, what: &str, is: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
        let mut last = None;
        let watch = async {
            let request = WatchStatusRequest {
                interval_ms: LOOK_EVERY_MS,
            };
            let states = self.client().await.watch_status(request).await;
            let mut states = states.expect("a node shows its status").into_inner();
            while let Ok(Some(status)) = states.message().await {
                if is(&status) {
                    return Some(status);
                }
                last = Some(status);
            }
            None
        };
        match timeout(PATIENCE, watch).await {
            Ok(Some(status)) => status,
            Ok(None) => self.fail(&format!("{} went away before: {what}", self.name)),
            Err(_) => self.fail(&format!(
                "{}: no {what} in {PATIENCE:?}; {last:?}",
                self.name
            )),
        }
    }

    /// Waits until its log holds `words`, and returns the whole log.
    pub async fn until_log(&self, words: &str) -> String {
        let began = Instant::now();
        loop {
            let log = self.log();
            if log.contains(words) {
                return log;
            }
            if began.elapsed() > PATIENCE {
                self.fail(&format!("{} does not log {words:?}", self.name));
            }
            // A file has no event to wait for.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the first report of a block whose number is above `after`.
    pub async fn block_after(&self, after: u64) -> BlockReport {
        let watch = async {
            let request = WatchBlocksRequest {
                after,
                figures: false,
            };
            let blocks = self.client().await.watch_blocks(request).await;
            let mut blocks = blocks.expect("a node shows its blocks").into_inner();
            blocks.message().await.ok().flatten()
        };
        match timeout(PATIENCE, watch).await {
            Ok(Some(report)) => report,
            Ok(None) => self.fail(&format!("{} went away before a block", self.name)),
            Err(_) => self.fail(&format!("{}: no block in {PATIENCE:?}", self.name)),
        }
    }

    /// Tells it to look at its files.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Sends it the signal of that name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.process.id().to_string()])
            .status();
        assert!(sent.expect("a signal can be sent").success());
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it on the spot.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to stop, and returns how it did.
    pub async fn stop(mut self) -> ExitStatus {
        drop(self.lifeline.take());
        let began = Instant::now();
        loop {
            match self.process.try_wait().expect("a child can be waited for") {
                Some(status) => return status,
                None if began.elapsed() > PATIENCE => {
                    self.fail(&format!("{} does not stop", self.name))
                }
                // The end of a process is waited for without blocking the runtime.
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.process
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
    }

    /// Ends the test with the ends of all logs beside this one's.
    pub fn fail(&self, what: &str) -> ! {
        panic!("{}", self.story(what));
    }

    /// What happened, with the ends of all logs beside this one's.
    pub fn story(&self, what: &str) -> String {
        let folder = self.log.parent().expect("a log lies in a folder");
        let mut text = what.to_owned();
        for role in ["alice", "bob", "eve"] {
            let log = read_log(&folder.join(format!("{role}.log")));
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            if !tail.is_empty() {
                text += &format!("\n--- {role}.log ends with\n{tail}");
            }
        }
        text
    }

    fn end(&mut self) {
        // One that has ended already can neither be killed nor is it waited for in vain.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
