//! The examples in `deploy/examples/`, run as a stranger runs them against a served laboratory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::package::said;
use crate::process::Running;

/// An example is read in one sitting, or it is none.
const LINES_MAX: usize = 60;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example(name: &str) -> PathBuf {
    root().join("deploy/examples").join(name)
}

/// `qkd lab --serve --keep FOLDER` with keys in its stores; killed and removed when dropped.
struct Laboratory {
    folder: TempDir,
    _running: Running,
}

impl Laboratory {
    fn with_keys() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let arguments = ["lab", "--block-bits", "200000", "--blocks", "1"];
        let kept = ["--serve", "--json", "--keep", path];
        let mut running = Running::start(&[&arguments[..], &kept[..]].concat());
        // The addresses are the first line, the report of the first block is the second.
        let report: Value = serde_json::from_str(&running.line(1)).unwrap();
        assert_eq!(report["outcome"], "key", "{report}");
        Self {
            folder,
            _running: running,
        }
    }

    fn profile(&self, sae: &str) -> PathBuf {
        self.folder.path().join(format!("{sae}.toml"))
    }
}

/// The one line that both languages print: a key's identity and size, never the key.
fn is_agreement(line: &str) -> bool {
    line.trim_end()
        .strip_suffix(": the same 256 bits at both ends")
        .is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
}

/// The Rust example. `cargo test` builds the examples as well, unless it is told to build one test
/// only.
fn built_get_key() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/get_key");
    let written = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if written(&program) < written(&example("rust/get_key.rs")) {
        let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
        cargo.args(["build", "--quiet", "--offline", "--locked"]);
        cargo.args(["--package", "qkd", "--example", "get_key"]);
        cargo.args((!cfg!(debug_assertions)).then_some("--release"));
        said(cargo.current_dir(root()));
    }
    program
}

/// Python with what `deploy/examples/python/requirements.txt` names.
fn python() -> Command {
    Command::new(std::env::var_os("QKD_TEST_PYTHON").unwrap_or_else(|| "python3".into()))
}

#[test]
fn every_example_is_short() {
    for name in ["rust/get_key.rs", "python/get_key.py", "python/explore.py"] {
        let text = fs::read_to_string(example(name)).unwrap();
        let lines = text.lines().count();
        assert!(lines < LINES_MAX, "{name} has {lines} lines");
    }
}

#[test]
fn the_rust_example_fetches_the_same_key_at_both_ends() {
    let lab = Laboratory::with_keys();
    let line = said(Command::new(built_get_key()).arg(lab.folder.path()));
    assert!(is_agreement(&line), "{line}");
}

#[test]
#[ignore = "needs Python with grpcio-tools and grpcio-reflection"]
fn the_python_example_fetches_the_same_key_at_both_ends() {
    let lab = Laboratory::with_keys();
    // As deploy/examples/README.md says.
    let generated = tempfile::tempdir().unwrap();
    let into = |option: &str| format!("--{option}={}", generated.path().display());
    said(
        python()
            .args(["-m", "grpc_tools.protoc", "-I", "proto"])
            .args([into("python_out"), into("grpc_python_out")])
            .arg("proto/qkd/delivery/v1/delivery.proto")
            .current_dir(root()),
    );
    let mut lines = Vec::new();
    for _ in 0..2 {
        let line = said(
            python()
                .arg(example("python/get_key.py"))
                .arg(lab.folder.path())
                .env("PYTHONPATH", generated.path())
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        );
        assert!(is_agreement(&line), "{line}");
        lines.push(line);
    }
    assert_ne!(lines[0], lines[1], "each call gives a fresh key");
}

#[test]
#[ignore = "needs Python with grpcio-tools and grpcio-reflection"]
fn a_generic_client_learns_by_reflection_what_a_node_serves() {
    let lab = Laboratory::with_keys();
    let text = said(
        python()
            .arg(example("python/explore.py"))
            .args([&lab.profile("sae-alice"), Path::new("sae-bob")])
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    );
    for method in [
        "qkd.delivery.v1.KeyDelivery/GetKey: GetKeyRequest -> KeyContainer",
        "qkd.messaging.v1.Messaging/Submit: SealedMessage -> Receipt",
        "qkd.node.v1.Node/GetStatus: GetStatusRequest -> NodeStatus",
        "grpc.health.v1.Health/Check: HealthCheckRequest -> HealthCheckResponse",
    ] {
        assert!(text.lines().any(|line| line == method), "{method}: {text}");
    }
    let status: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    assert_eq!(status["sourceKmeId"], "kme-alice", "{text}");
    assert_eq!(status["slaveSaeId"], "sae-bob", "{text}");
}

#[test]
#[ignore = "needs Python with grpcio-tools and grpcio-reflection"]
fn the_python_examples_say_in_one_line_what_a_node_refuses() {
    let lab = Laboratory::with_keys();
    let output = python()
        .arg(example("python/explore.py"))
        .args([&lab.profile("sae-alice"), Path::new("sae-nobody")])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("sae-nobody"), "{complaint}");
}
