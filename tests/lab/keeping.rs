//! What stays: the folder of `--keep`, and the services of `--serve`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qkd_node::config::TlsFiles;
use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::delivery::key_delivery_client::KeyDeliveryClient;
use qkd_wire::proto::delivery::{GetKeyRequest, GetKeyWithIdsRequest, Key};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

use super::{fields, finish, nothing_is_left, start};
use crate::process::{Running, STOP_WITHIN, listing};

/// The longest wait for a command that may wait for a key.
const COMMAND_WITHIN: Duration = Duration::from_secs(120);

/// What a kept folder holds after a run with Eve, with the mode of each.
#[rustfmt::skip]
const KEPT: &[(&str, u32)] = &[
    ("alice-data", 0o700),
    ("alice-data/audit.log", 0o600),
    ("alice-data/keys.redb", 0o600),
    ("alice-data/messages.redb", 0o600),
    ("alice.log", 0o600),
    ("alice.toml", 0o644),
    ("bob-data", 0o700),
    ("bob-data/audit.log", 0o600),
    ("bob-data/keys.redb", 0o600),
    ("bob-data/messages.redb", 0o600),
    ("bob.log", 0o600),
    ("bob.toml", 0o644),
    ("eve.log", 0o600),
    ("eve.toml", 0o644),
    ("operator-bob.toml", 0o644),
    ("operator-eve.toml", 0o644),
    ("operator.toml", 0o644),
    ("pki", 0o700),
    ("pki/authority.pem", 0o644),
    ("pki/eve.key", 0o600),
    ("pki/eve.pem", 0o644),
    ("pki/eve.store.key", 0o600),
    ("pki/kme-alice.key", 0o600),
    ("pki/kme-alice.pem", 0o644),
    ("pki/kme-alice.store.key", 0o600),
    ("pki/kme-bob.key", 0o600),
    ("pki/kme-bob.pem", 0o644),
    ("pki/kme-bob.store.key", 0o600),
    ("pki/lab-alice.key", 0o600),
    ("pki/lab-alice.pem", 0o644),
    ("pki/lab-bob.key", 0o600),
    ("pki/lab-bob.pem", 0o644),
    ("pki/operator.key", 0o600),
    ("pki/operator.pem", 0o644),
    ("pki/pre-shared.key", 0o600),
    ("pki/sae-alice.key", 0o600),
    ("pki/sae-alice.pem", 0o644),
    ("pki/sae-bob.key", 0o600),
    ("pki/sae-bob.pem", 0o644),
    ("report.json", 0o644),
    ("sae-alice.toml", 0o644),
    ("sae-bob.toml", 0o644),
];

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_kept_folder_has_the_documented_files_and_serves_again() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("kept/here");
    let path = folder.to_str().unwrap();
    let (status, report) = finish(start(&[
        "--json", "--blocks", "1", "--eve", "passive", "--keep", path,
    ]));
    assert_eq!(status, Some(0), "{report}");
    let expected: Vec<PathBuf> = KEPT.iter().map(|(name, _)| PathBuf::from(name)).collect();
    assert_eq!(listing(&folder), expected);
    assert_eq!(mode(&folder), 0o700);
    for (name, expected) in KEPT {
        // What others may read depends on the umask; what they may not does not.
        assert_eq!(mode(&folder.join(name)) & !expected, 0, "{name}");
    }
    let saved = fs::read_to_string(folder.join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&saved).unwrap(), report);

    // What is documented as good for the services is.
    let moved = outer.path().join("moved");
    fs::rename(&folder, &moved).unwrap();
    for role in ["bob", "alice", "eve"] {
        let config = moved.join(format!("{role}.toml"));
        let mut service = Running::start(&[role, "--config", config.to_str().unwrap()]);
        let ready: Value = serde_json::from_str(&service.line(0)).unwrap();
        assert_eq!(ready["role"], role);
        service.signal("TERM");
        let status = service.end_within(STOP_WITHIN);
        assert_eq!(status.code(), Some(0), "{}", service.story());
    }
}

/// What the first line of `--serve` names, as a client reads it.
struct Served {
    line: Value,
}

impl Served {
    fn of(lab: &mut Running) -> Self {
        let line = lab.line(0);
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("no JSON ({error}): {}", lab.story());
        });
        fields(&line, &["ready", "endpoints", "files", "clients", "curl"]);
        assert_eq!(line["ready"], true);
        Self { line }
    }

    /// The application `sae` at its `node`, from nothing but this line.
    async fn application(&self, sae: &str, node: &str) -> KeyDeliveryClient<Channel> {
        let file = |value: &Value| PathBuf::from(value.as_str().unwrap());
        let files = &self.line["files"];
        let tls = TlsMaterial::load(&TlsFiles {
            certificate: file(&files[sae]["certificate"]),
            private_key: file(&files[sae]["private_key"]),
            authority: file(&files["authority"]),
            revoked: None,
        })
        .unwrap_or_else(|error| panic!("{error}"));
        let endpoint = &self.line["endpoints"][node];
        let address = endpoint["services"].as_str().unwrap();
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .unwrap()
            .tls_config(tls.client(endpoint["server_name"].as_str().unwrap()))
            .unwrap()
            .connect()
            .await
            .unwrap();
        KeyDeliveryClient::new(channel)
    }

    /// Three keys for the applications of both ends, fetched at both.
    async fn keys_of_both_ends(&self) -> (Vec<Key>, Vec<Key>) {
        let mut alice = self.application("sae_alice", "alice").await;
        let mut bob = self.application("sae_bob", "bob").await;
        let request = GetKeyRequest {
            slave_sae_id: "sae-bob".to_owned(),
            number: Some(3),
            size: Some(256),
            additional_slave_sae_ids: Vec::new(),
        };
        let ours = alice.get_key(request).await.unwrap().into_inner().keys;
        let request = GetKeyWithIdsRequest {
            master_sae_id: "sae-alice".to_owned(),
            key_ids: ours.iter().map(|key| key.key_id.clone()).collect(),
        };
        let theirs = bob.get_key_with_ids(request).await.unwrap();
        (ours, theirs.into_inner().keys)
    }
}

#[test]
fn a_serving_laboratory_delivers_keys_to_strangers_until_ctrl_c() {
    let mut lab = start(&["--serve", "--json", "--blocks", "1"]);
    let served = Served::of(&mut lab);
    // The report is the second line; from then on Ctrl-C is the normal end.
    let report: Value = serde_json::from_str(&lab.line(1)).unwrap();
    assert_eq!(report["outcome"], "key", "{report}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (ours, theirs) = runtime.block_on(served.keys_of_both_ends());
    assert_eq!(ours.len(), 3);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.key_id, theirs.key_id);
        assert!(ours.key == theirs.key && ours.key.len() == 32);
    }
    assert_eq!(theirs.len(), 3);
    let family = lab.family();
    assert_eq!(family.len(), 3, "{family:?}");

    lab.signal("INT");
    let status = lab.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", lab.story());
    nothing_is_left(&lab);
    assert_eq!(lab.stdout().lines().count(), 2, "{}", lab.story());
}

#[test]
fn the_laboratory_leaves_the_messages_of_its_applications_to_them() {
    let mut lab = start(&["--serve", "--json", "--blocks", "3"]);
    let served = Served::of(&mut lab);
    let state = format!("--state={}", lab.home().join("state").display());
    let command = |sae: &str, arguments: &[&str]| {
        let profile = served.line["clients"][sae].as_str().unwrap();
        let mut running = Running::start(&[arguments, &["--client", profile, &state]].concat());
        let status = running.end_within(COMMAND_WITHIN);
        assert_eq!(status.code(), Some(0), "{}", running.story());
        running.stdout()
    };
    // Usually before the last block, after which the laboratory sends a message of its own.
    command("sae_alice", &["send", "sae-bob", "--text", "for you only"]);
    lab.line(1);
    let heard = command("sae_bob", &["receive", "--count", "1", "--timeout", "20"]);
    assert_eq!(heard.trim_end(), "for you only");
    lab.signal("INT");
    let status = lab.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", lab.story());
}

#[test]
fn a_serving_laboratory_names_every_address_and_file() {
    let mut lab = start(&["--serve", "--blocks", "1", "--eve", "intercept-resend"]);
    let served = Served::of(&mut lab);
    let endpoints = fields(&served.line["endpoints"], &["alice", "bob", "eve"]);
    for (name, endpoint) in endpoints {
        let endpoint = fields(
            endpoint,
            &["services", "etsi014", "quantum", "classical", "server_name"],
        );
        let address: std::net::SocketAddr = endpoint["services"].as_str().unwrap().parse().unwrap();
        assert!(address.ip().is_loopback() && address.port() != 0, "{name}");
        assert!(endpoint["server_name"].is_string(), "{name}");
        assert_eq!(endpoint["etsi014"].is_string(), name != "eve", "{name}");
        assert_eq!(endpoint["quantum"].is_string(), name != "alice", "{name}");
        assert_eq!(endpoint["classical"].is_string(), name == "bob", "{name}");
    }
    let who = ["alice", "bob", "eve", "sae_alice", "sae_bob", "operator"];
    let all: Vec<&str> = ["folder", "authority"].into_iter().chain(who).collect();
    let files = fields(&served.line["files"], &all);
    let mut paths = vec![&files["folder"], &files["authority"]];
    for who in who {
        let identity = fields(&files[who], &["certificate", "private_key"]);
        paths.extend(identity.values());
    }
    for path in paths {
        let path = Path::new(path.as_str().unwrap());
        assert!(path.is_absolute() && path.exists(), "{path:?}");
    }
    // The report of an attack gives 2 when Ctrl-C ends the laboratory after it.
    lab.while_running("report", |lab| {
        lab.stderr().contains("Serving until").then_some(())
    });
    lab.signal("INT");
    let status = lab.family_ends_within(STOP_WITHIN);
    assert_eq!(status.code(), Some(2), "{}", lab.story());
    nothing_is_left(&lab);
}
