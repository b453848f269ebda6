//! The services of `docker-compose.yml` as a project of the test's own, removed with everything it
//! made when the test ends.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::Looking;

/// The longest wait for containers to be as wanted, on a busy machine. Each look is a process.
const LOOKING: Looking = Looking {
    within: Duration::from_secs(180),
    every: Duration::from_millis(500),
};

/// Tests that this process has begun.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// A project of containers, networks and volumes that nobody else has.
pub struct Stack {
    name: String,
    variables: Vec<(&'static str, String)>,
}

impl Stack {
    /// A new project: nothing of it runs yet. Its image is the one that `docker-compose build`
    /// makes of this tree, or what `QKD_IMAGE` names.
    pub fn new() -> Self {
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        let ports = [
            "QKD_ALICE_PORT",
            "QKD_ALICE_ETSI014_PORT",
            "QKD_BOB_ETSI014_PORT",
            "QKD_ALICE_METRICS_PORT",
            "QKD_BOB_PORT",
            "QKD_BOB_METRICS_PORT",
            "QKD_EVE_PORT",
            "QKD_EVE_METRICS_PORT",
        ];
        let mut stack = Self {
            name: format!("qkd-test-{}-{number}", std::process::id()),
            // The engine chooses free ones.
            variables: ports.map(|port| (port, "0".to_owned())).into(),
        };
        if std::env::var_os("QKD_IMAGE").is_none() {
            stack.set("QKD_IMAGE", "qkd:test");
            stack.compose(&["build", "--quiet", "alice"]);
        }
        stack
    }

    /// What `docker-compose.yml` finds in the environment from now on.
    pub fn set(&mut self, variable: &'static str, value: &str) {
        self.variables.retain(|(name, _)| *name != variable);
        self.variables.push((variable, value.to_owned()));
    }

    /// Standard output of a `docker-compose` that must succeed.
    pub fn compose(&self, arguments: &[&str]) -> String {
        let output = self.try_compose(arguments);
        assert!(
            output.status.success(),
            "docker-compose {arguments:?}: {}\n{}",
            text(&output.stderr),
            self.story()
        );
        text(&output.stdout)
    }

    /// A `docker-compose` that may fail.
    pub fn try_compose(&self, arguments: &[&str]) -> Output {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let mut command = Command::new("docker-compose");
        command
            .args(["--project-name", &self.name])
            .args(arguments)
            .current_dir(root)
            .env_remove("QKD_FIBRE")
            .env_remove("QKD_CLIENT")
            .stdin(Stdio::null());
        for (variable, value) in &self.variables {
            command.env(variable, value);
        }
        command.output().expect("docker-compose is installed")
    }

    /// Standard output of a command of the application whose profile is `/pki/WHO.toml`.
    pub fn client(&self, who: &str, arguments: &[&str]) -> String {
        let profile = format!("QKD_CLIENT=/pki/{who}.toml");
        let run = ["run", "--rm", "-T", "-e", &profile, "client"];
        self.compose(&[&run, arguments].concat())
    }

    /// What a command of an application prints with `--json`.
    pub fn json(&self, who: &str, arguments: &[&str]) -> Value {
        let printed = self.client(who, &[arguments, &["--json"]].concat());
        let parsed = serde_json::from_str(printed.trim());
        // Not the text itself: it might be a key.
        parsed.unwrap_or_else(|error| panic!("{arguments:?} printed no JSON: {error}"))
    }

    /// What a node says of itself, once it answers at all.
    pub fn status(&self, service: &str) -> Value {
        let config = format!("/etc/qkd/{service}.toml");
        let command = ["qkd", "status", "--config", &config, "--json"];
        let ask = [&["exec", "-T", service], &command[..]].concat();
        let printed = self.until(&format!("status of {service}"), || {
            let output = self.try_compose(&ask);
            output.status.success().then(|| text(&output.stdout))
        });
        serde_json::from_str(printed.trim())
            .unwrap_or_else(|error| panic!("{service}: {error}: {printed}"))
    }

    /// A count in a node's status, such as `/blocks/aborted`.
    pub fn count(&self, service: &str, place: &str) -> u64 {
        let status = self.status(service);
        let count = status.pointer(place).and_then(Value::as_u64);
        count.unwrap_or_else(|| panic!("{service} has no {place}: {status}"))
    }

    /// The number of a service's container.
    pub fn container(&self, service: &str) -> String {
        let number = self.compose(&["ps", "-q", service]).trim().to_owned();
        assert!(!number.is_empty(), "{service} has no container");
        number
    }

    /// What the engine knows of a service's container.
    pub fn inspect(&self, service: &str) -> Value {
        let printed = docker(&["inspect", &self.container(service)]);
        let mut all: Value = serde_json::from_str(&printed).expect("the engine speaks JSON");
        all[0].take()
    }

    /// Waits until the health checks of these services succeed.
    pub fn wait_healthy(&self, services: &[&str]) {
        for service in services {
            self.until(&format!("healthy {service}"), || {
                let health = &self.inspect(service)["State"]["Health"]["Status"];
                (health == "healthy").then_some(())
            });
        }
    }

    /// Looks until `found` has what is called `what`; fails the test when that takes too long.
    pub fn until<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        LOOKING.until(what, found, || self.story())
    }

    /// The lines that a service has logged, without anything before them.
    pub fn log(&self, service: &str) -> Vec<String> {
        let output = Command::new("docker")
            .args(["logs", &self.container(service)])
            .output()
            .expect("docker is installed");
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        stdout
            .lines()
            .chain(stderr.lines())
            .map(str::to_owned)
            .collect()
    }

    /// What to read when a test failed.
    fn story(&self) -> String {
        let part = |arguments: &[&str]| text(&self.try_compose(arguments).stdout);
        format!(
            "{}\n{}",
            part(&["ps"]),
            part(&["logs", "--no-color", "--tail", "30"])
        )
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let all = ["--profile", "eve", "--profile", "client"];
        let down = ["down", "--volumes", "--remove-orphans"];
        let output = self.try_compose(&[&all[..], &down[..]].concat());
        if !output.status.success() && !std::thread::panicking() {
            panic!("{} is left over: {}", self.name, text(&output.stderr));
        }
    }
}

/// Standard output of a `docker` that must succeed.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output();
    let output = output.expect("docker is installed");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Bytes of a program's output, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
