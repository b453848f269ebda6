//! A machine of its own with systemd as its first process: a container, gone when dropped.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::root;
use crate::support::{Looking, PATIENCE};

/// Made by `.ci/systemd-image`.
const IMAGE: &str = "qkd-systemd:bookworm";

/// Each look is a process in the container.
const LOOKING: Looking = Looking {
    within: PATIENCE,
    every: Duration::from_millis(200),
};

/// systemd wants to write in its own part of the control groups, which it was given to read only.
const INIT: &str = "for group in $(findmnt -rno TARGET -t cgroup,cgroup2); do \
     mount -o remount,bind,rw $group; done; exec /sbin/init";

/// A running machine.
pub struct Machine {
    id: String,
}

impl Machine {
    /// Boots a machine and waits until it is up.
    pub fn boot() -> Self {
        said(Command::new(root().join(".ci/systemd-image")).arg(IMAGE));
        let id = said(
            docker("run")
                // To mount, and to look at the processes that it locks up: not everything.
                .args(["--detach", "--cap-add=SYS_ADMIN", "--cap-add=SYS_PTRACE"])
                .args([
                    "--security-opt=seccomp=unconfined",
                    "--security-opt=apparmor=unconfined",
                ])
                .args(["--cgroupns=private", "--network=none"])
                .args(["--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp"])
                .args([IMAGE, "sh", "-c", INIT]),
        );
        let machine = Self {
            id: id.trim_end().to_owned(),
        };
        machine.until("running system", || {
            let state = machine.try_run("systemctl is-system-running");
            state
                .is_ok_and(|state| state.trim_end() == "running")
                .then_some(())
        });
        machine
    }

    /// Copies a file into it.
    pub fn copy(&self, from: &Path, to: &str) {
        said(docker("cp").arg(from).arg(format!("{}:{to}", self.id)));
    }

    /// What a shell command prints that ends well.
    pub fn run(&self, command: &str) -> String {
        self.try_run(command)
            .unwrap_or_else(|complaint| panic!("{command}: {complaint}\n{}", self.story()))
    }

    /// What a shell command prints.
    ///
    /// # Errors
    /// What it prints on both outputs when it ends badly.
    pub fn try_run(&self, command: &str) -> Result<String, String> {
        let output = output(docker("exec").args([&self.id, "sh", "-c", command]));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(text)
        } else {
            Err(text + &String::from_utf8_lossy(&output.stderr))
        }
    }

    /// A property of a service, as `systemctl show` has it.
    pub fn state(&self, role: &str, property: &str) -> String {
        let text = self.run(&format!("systemctl show -P {property} qkd@{role}"));
        text.trim_end().to_owned()
    }

    /// Looks until `found` has what is called `what`.
    pub fn until<T>(&self, what: &str, found: impl FnMut() -> Option<T>) -> T {
        LOOKING.until(what, found, || self.story())
    }

    fn story(&self) -> String {
        let log = self.try_run("journalctl --no-pager -n 60 -o short-monotonic");
        log.unwrap_or_else(|complaint| complaint)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        output(docker("rm").args(["--force", "--volumes", &self.id]));
    }
}

fn docker(command: &str) -> Command {
    let mut docker = Command::new("docker");
    docker.arg(command);
    docker
}

fn output(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// What a program prints that ends well.
pub fn said(command: &mut Command) -> String {
    let output = output(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}\n{complaint}");
    text
}
