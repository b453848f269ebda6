//! The services under a service manager, and the Debian package that brings them.

mod machine;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qkd_node::config::{NodeConfig, Role};
use serde_json::Value;

use self::machine::Machine;
pub use self::machine::said;
use crate::support::{Nodes, PATIENCE};

/// `systemd-analyze security` counts from 0, locked up, to 10, open to everything. What is left is
/// what a network service is: sockets of its own on the machine's network.
const EXPOSURE_MAX: f64 = 1.1;

/// Whose processes the services are.
const USER: &str = "qkd";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Makes the package in `folder`, as documented, of the program under test.
fn build_package(folder: &Path) -> PathBuf {
    let built = said(
        Command::new(root().join("deploy/debian/build"))
            .arg(env!("CARGO_BIN_EXE_qkd"))
            .arg(folder),
    );
    PathBuf::from(built.trim_end())
}

#[test]
fn a_service_manager_hears_when_a_service_is_ready_and_when_it_stops() {
    let nodes = Nodes::builder().prepare();
    let config = nodes.folder().join("bob.toml");
    fs::write(&config, NodeConfig::Bob(nodes.bob_config.clone()).to_toml()).unwrap();
    let socket = nodes.folder().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let news = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let mut bob = Command::new(env!("CARGO_BIN_EXE_qkd"))
        .args(["bob", "--exit-with-parent", "--config"])
        .arg(&config)
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = news();
    assert!(
        ready.starts_with("READY=1\nSTATUS=services at 127.0.0.1:"),
        "{ready}"
    );
    drop(bob.stdin.take());
    assert_eq!(news(), "STOPPING=1\nSTATUS=stopping\n");
    assert!(bob.wait().unwrap().success());
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_unit_takes_away_what_the_services_do_not_need() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("qkd@alice.service");
    fs::copy(root().join("deploy/systemd/qkd@.service"), &unit).unwrap();
    let report = said(
        Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&unit),
    );
    let (_, score) = report.rsplit_once("qkd@alice.service: ").unwrap();
    let exposure: f64 = score.split_whitespace().next().unwrap().parse().unwrap();
    assert!(exposure <= EXPOSURE_MAX, "{report}");
}

#[test]
#[ignore = "needs dpkg-dev, binutils and lintian"]
fn the_package_is_sound_and_made_the_same_twice() {
    let folder = tempfile::tempdir().unwrap();
    let package = build_package(&folder.path().join("first"));
    let again = build_package(&folder.path().join("second"));
    assert!(fs::read(&package).unwrap() == fs::read(again).unwrap());
    // Whatever it warns of is either right or explained in deploy/debian/lintian-overrides.
    let lintian = ["--fail-on", "error,warning", "--allow-root"];
    said(Command::new("lintian").args(lintian).arg(&package));

    let tree = folder.path().join("tree");
    said(Command::new("dpkg-deb").arg("-x").args([&package, &tree]));
    for (name, role) in [
        ("alice", Role::Alice),
        ("bob", Role::Bob),
        ("eve", Role::Eve),
    ] {
        let path = tree.join(format!("usr/share/doc/qkd/examples/{name}.toml"));
        let text = fs::read_to_string(&path).unwrap();
        NodeConfig::parse(&text, &path, role).unwrap_or_else(|error| panic!("{error}"));
        let state = format!("data_dir = \"/var/lib/qkd/{name}\"");
        assert_eq!(text.contains(&state), role != Role::Eve, "{text}");
    }
    for file in [
        "usr/share/man/man1/qkd.1.gz",
        "usr/share/bash-completion/completions/qkd",
        "usr/share/zsh/vendor-completions/_qkd",
        "usr/share/fish/vendor_completions.d/qkd.fish",
        "usr/lib/sysusers.d/qkd.conf",
        "usr/lib/tmpfiles.d/qkd.conf",
    ] {
        let length = fs::metadata(tree.join(file)).map(|file| file.len());
        assert!(length.is_ok_and(|length| length > 50), "{file}");
    }
    assert!(
        !tree.join("etc").exists(),
        "no configuration, so no service"
    );
}

/// A machine with the package, not configured.
fn installed(package: &Path) -> Machine {
    let machine = Machine::boot();
    machine.copy(package, "/root/qkd.deb");
    machine.run("dpkg -i /root/qkd.deb");
    machine
}

/// A key fetched at Alice's node, and the same at Bob's.
fn agree_on_a_key(machine: &Machine) {
    let key = |command: &str| -> Option<Value> {
        let text = machine.try_run(&format!("qkd key {command} --json")).ok()?;
        let mut container: Value = serde_json::from_str(&text).ok()?;
        Some(container["keys"][0].take())
    };
    let ours = machine.until("a key at Alice's node", || {
        key("get sae-bob --client /etc/qkd/pki/sae-alice.toml")
    });
    let fetch = format!(
        "fetch sae-alice {} --client /etc/qkd/pki/sae-bob.toml",
        ours["key_ID"].as_str().unwrap()
    );
    let theirs = machine.until("the same key at Bob's node", || key(&fetch));
    assert!(ours == theirs && ours["key"].is_string());
}

#[test]
#[ignore = "needs a container engine, debootstrap and dpkg-dev"]
fn the_package_installs_runs_recovers_stops_and_leaves_keys_behind() {
    let folder = tempfile::tempdir().unwrap();
    let machine = installed(&build_package(folder.path()));
    runs_nothing_unasked(&machine);
    runs_both_ends(&machine);
    recovers_from_a_crash(&machine);
    renews_without_a_restart(&machine);
    stops_when_told(&machine);
    upgrades_what_runs(&machine);
    removes_what_is_its_own(&machine);
}

/// What cannot run says which file it misses.
fn runs_nothing_unasked(machine: &Machine) {
    assert_eq!(machine.state("eve", "ActiveState"), "inactive");
    assert_eq!(machine.state("eve", "UnitFileState"), "disabled");
    machine.try_run("systemctl start qkd@eve").unwrap_err();
    machine.run("systemctl stop qkd@eve");
    let said = machine.run("journalctl -u qkd@eve -o cat");
    assert!(said.contains("/etc/qkd/eve.toml: cannot read"), "{said}");
}

/// As the manual says, line by line.
fn runs_both_ends(machine: &Machine) {
    machine.run(
        "qkd pki init --authority-key /root/qkd-authority.key /etc/qkd/pki \
         --services kme-alice=127.0.0.1:7001 --services kme-bob=127.0.0.1:7002",
    );
    machine.run("chown -R qkd:qkd /etc/qkd/pki");
    machine.run("cd /usr/share/doc/qkd/examples; cp alice.toml bob.toml /etc/qkd/");
    machine.run("systemctl enable --now qkd@bob qkd@alice");
    for role in ["alice", "bob"] {
        assert_eq!(machine.state(role, "ActiveState"), "active");
        let status = machine.state(role, "StatusText");
        assert!(status.starts_with("services at 127.0.0.1:"), "{status}");
        let process = machine.state(role, "MainPID");
        let user = machine.run(&format!("stat -c %U /proc/{process}"));
        assert_eq!(user.trim_end(), USER);
        let store = machine.run(&format!("stat -c '%a %U' /var/lib/qkd/{role}/keys.redb"));
        assert_eq!(store.trim_end(), format!("600 {USER}"));
    }
    agree_on_a_key(machine);
    machine.run("qkd status --client /etc/qkd/pki/operator-alice.toml --check");
}

fn renews_without_a_restart(machine: &Machine) {
    let (process, link) = (machine.state("bob", "MainPID"), "link to Alice established");
    let log = || machine.run("journalctl -u qkd@bob -o cat SYSLOG_IDENTIFIER=qkd");
    let links = log().matches(link).count();
    machine.run("qkd pki renew --authority-key /root/qkd-authority.key /etc/qkd/pki kme-bob");
    machine.run("chown qkd:qkd /etc/qkd/pki/kme-bob.*; systemctl reload qkd@bob");
    machine.until("new certificate", || {
        log().contains("a new certificate is shown").then_some(())
    });
    agree_on_a_key(machine);
    assert_eq!(machine.state("bob", "MainPID"), process);
    assert_eq!(log().matches(link).count(), links, "{}", log());
}

fn stops_when_told(machine: &Machine) {
    machine.run("systemctl stop qkd@alice");
    assert_eq!(machine.state("alice", "Result"), "success");
    assert_eq!(machine.state("alice", "ExecMainStatus"), "0");
    let log = machine.run("journalctl -u qkd@alice -o cat SYSLOG_IDENTIFIER=qkd");
    assert!(log.contains("SIGTERM"), "{log}");
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

/// The same package once more: what ran runs the new program, what did not does not.
fn upgrades_what_runs(machine: &Machine) {
    let before = machine.state("bob", "MainPID");
    machine.run("dpkg -i /root/qkd.deb");
    machine.until("Bob's new process", || {
        let new = machine.state("bob", "MainPID") != before;
        (new && machine.state("bob", "ActiveState") == "active").then_some(())
    });
    assert_eq!(machine.state("alice", "ActiveState"), "inactive");
}

fn recovers_from_a_crash(machine: &Machine) {
    let killed = machine.state("alice", "MainPID");
    machine.run(&format!("kill -9 {killed}"));
    machine.until("Alice's new process", || {
        let process = machine.state("alice", "MainPID");
        let new = process != killed && process != "0";
        (new && machine.state("alice", "ActiveState") == "active").then_some(())
    });
    assert_eq!(machine.state("alice", "NRestarts"), "1");
    agree_on_a_key(machine);
}

fn removes_what_is_its_own(machine: &Machine) {
    machine.run("dpkg -r qkd");
    assert_eq!(machine.state("bob", "ActiveState"), "inactive");
    machine.try_run("pidof qkd").unwrap_err();
    let told = machine.run("dpkg -P qkd");
    for folder in ["/etc/qkd", "/var/lib/qkd"] {
        assert!(told.contains(&format!("{folder} stays")), "{told}");
    }
    machine.run("test -e /etc/qkd/pki/kme-alice.key -a -e /var/lib/qkd/alice/keys.redb");
    let left = machine.run("find /etc/systemd /usr/lib/systemd /usr/bin -name 'qkd*'");
    assert_eq!(left, "");

    // Without anything of the operator's in them, the folders go as well.
    machine.run("rm -r /etc/qkd /var/lib/qkd");
    machine.run("dpkg -i /root/qkd.deb");
    machine.run("dpkg -P qkd");
    machine.run("test ! -e /etc/qkd -a ! -e /var/lib/qkd");
}
