//! Daemons that must not start: each says in one line what is wrong, where, and what was expected,
//! before it opens a socket.

mod configuration;
mod files;
mod full_disk;
mod key_store;
mod ports;

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use qkd_node::config::{EveConfig, EveFibre, EvePosition, HostPort, NodeConfig};

use crate::process::{PATIENCE, Running};
use crate::support::{EVE, Nodes};

/// A port of every kind that is taken: whoever opens a socket there complains of that.
struct Taken {
    address: SocketAddr,
    _stream: TcpListener,
    _datagram: UdpSocket,
}

impl Taken {
    fn take() -> Self {
        // The system's choice for one kind may be in use for the other.
        for _ in 0..100 {
            let stream = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = stream.local_addr().unwrap();
            if let Ok(datagram) = UdpSocket::bind(address) {
                return Self {
                    address,
                    _stream: stream,
                    _datagram: datagram,
                };
            }
        }
        panic!("no port is free for both kinds");
    }
}

/// Good configurations of all three, but for their ports, which are taken.
struct Installation {
    nodes: Nodes,
    taken: Taken,
}

impl Installation {
    fn new() -> Self {
        Self {
            nodes: Nodes::builder().prepare(),
            taken: Taken::take(),
        }
    }

    /// The configuration of a role, as text.
    fn text(&self, role: &str) -> String {
        let taken = HostPort::from(self.taken.address);
        let config = match role {
            "alice" => {
                let mut alice = self.nodes.alice_config.clone();
                alice.link.services_listen = taken;
                NodeConfig::Alice(alice)
            }
            "bob" => {
                let mut bob = self.nodes.bob_config.clone();
                bob.quantum_listen = taken.clone();
                bob.classical_listen = taken.clone();
                bob.link.services_listen = taken;
                NodeConfig::Bob(bob)
            }
            "eve" => NodeConfig::Eve(EveConfig {
                name: EVE.to_owned(),
                quantum_listen: taken.clone(),
                quantum_peer: taken.clone(),
                services_listen: taken,
                metrics_listen: None,
                tls: self.nodes.pki.files_of(EVE),
                attack: "intercept-resend:0.5".to_owned(),
                position: EvePosition::default(),
                fibre: EveFibre {
                    distance_km: 0.0,
                    attenuation_db_per_km: 0.2,
                },
            }),
            other => panic!("there is no role {other}"),
        };
        config.to_toml()
    }

    /// Writes a configuration of this name into the folder.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.nodes.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// Starts a daemon that must not start, and returns what it says after its name.
fn refusal(role: &str, config: &Path) -> String {
    let mut daemon = Running::start(&[role, "--config", config.to_str().unwrap()]);
    let status = daemon.end_within(PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", daemon.story());
    assert_eq!(daemon.stdout(), "", "it said that it was ready");
    let said = daemon.stderr();
    assert_eq!(said.lines().count(), 1, "not one line: {said}");
    match said.trim_end().strip_prefix(&format!("qkd {role}: ")) {
        Some(said) => said.to_owned(),
        None => panic!("does not begin with the name: {said}"),
    }
}

/// The refusal of a configuration: at its file, line, column and key.
fn refused_at(role: &str, config: &Path, (line, column): (usize, usize), key: &str) -> String {
    let said = refusal(role, config);
    let place = format!("{}:{line}:{column}: {key}: ", config.display());
    match said.strip_prefix(&place) {
        Some(said) => said.to_owned(),
        None => panic!("not at {place:?}: {said}"),
    }
}

/// Line and column, from 1, at which the value of `section.key` stands in a configuration, with
/// the byte at which its line begins.
fn place_of(text: &str, key: &str) -> (usize, usize, usize) {
    let (section, key) = key.rsplit_once('.').unwrap();
    let header = text
        .find(&format!("[{section}]"))
        .unwrap_or_else(|| panic!("no [{section}]"));
    let start = format!("\n{key} = ");
    let at = text[header..]
        .find(&start)
        .unwrap_or_else(|| panic!("no {key}"));
    let begins = header + at + 1;
    let line = text[..begins].matches('\n').count() + 1;
    (line, key.len() + " = ".len() + 1, begins)
}
