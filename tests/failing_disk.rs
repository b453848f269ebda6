//! The disk of a running node fails a call: the store seals itself at once, says so, and tries nothing twice;
//! what was answered is there once the node has started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use qkd_wire::proto::node::NodeStatus;

use crate::process::PATIENCE;
use crate::support::{ALICE, BOB, Node, Nodes, agree_on_all_keys};

/// A call to the disk that fails: its name, the error, and how many of them there are from then on until it
/// does.
type Failure = (&'static str, &'static str, u32);

const FAILURES: [Failure; 5] = [
    ("fdatasync", "EIO", 1),
    ("fdatasync", "EIO", 4),
    ("pwrite64", "EIO", 1),
    ("pwrite64", "ENOSPC", 2),
    ("pwrite64", "ENOSPC", 7),
];

/// Makes calls of a running node fail, and writes them down.
struct Tracer {
    process: Child,
    record: PathBuf,
}

impl Tracer {
    /// Attaches to `node`, whose key store is `file`.
    fn attach(node: &Node, file: &Path, record: PathBuf, (call, error, when): Failure) -> Self {
        let mut process = Command::new("strace")
            .args([
                "--follow-forks",
                "--trace",
                "fdatasync,fsync,pwrite64,ftruncate",
            ])
            .arg("--inject")
            .arg(format!("{call}:error={error}:when={when}"))
            .arg("--trace-path")
            .arg(file)
            .arg("--output")
            .arg(&record)
            .arg("--attach")
            .arg(node.id().to_string())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says so once it has.
        let mut said = std::io::BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        // What it says later is of threads that come and go.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, record }
    }

    /// Lets the node go, and returns what it did.
    fn detach(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap();
        fs::read_to_string(&self.record).unwrap()
    }
}

fn is_sealed(status: &NodeStatus) -> bool {
    let sealed =
        |alarm: &String| alarm.contains("the key store is sealed until it is opened again");
    status.alarms.iter().any(sealed)
}

async fn until_keys(nodes: &Nodes) {
    for node in [nodes.alice(), nodes.bob()] {
        let has_key = |status: &NodeStatus| status.session.is_some() && status.blocks_with_key > 0;
        node.until("key", has_key).await;
    }
}

#[tokio::test]
#[ignore = "needs strace"]
async fn a_call_that_fails_seals_the_store_at_once_and_a_restart_finds_everything() {
    for name in [BOB, ALICE] {
        for failure in FAILURES {
            let mut nodes = Nodes::builder().prepare();
            nodes.start_bob().await;
            nodes.start_alice().await;
            until_keys(&nodes).await;
            let node = if name == BOB {
                nodes.bob()
            } else {
                nodes.alice()
            };
            let file = nodes.store_file(name);
            let record = nodes.folder().join("calls");
            let tracer = Tracer::attach(node, &file, record, failure);
            let status = tokio::time::timeout(PATIENCE, node.until("alarm", is_sealed)).await;
            let status = status.unwrap();
            assert_eq!(status.stored_key_count, 0, "{failure:?}");
            let calls = tracer.detach();
            let after: Vec<&str> = (calls.lines())
                .skip_while(|line| !line.contains("(INJECTED)"))
                .skip(1)
                .filter(|line| line.contains("sync("))
                .collect();
            assert_eq!(after, Vec::<&str>::new(), "{failure:?}: tried again");
            assert!(calls.contains("(INJECTED)"), "{failure:?}: {calls}");
            let log = node.log();
            assert!(log.contains("is the disk full or failing?"), "{log}");
            nodes.take_alice().stop().await;
            nodes.take_bob().stop().await;
            nodes.start_bob().await;
            nodes.start_alice().await;
            until_keys(&nodes).await;
            assert!(!agree_on_all_keys(&nodes).await.is_empty(), "{failure:?}");
        }
    }
}
