//! `qkd send` and `qkd receive` between real daemons: what is sent arrives once, in order and as it
//! was, whoever is killed meanwhile, and what is not genuine is told.

mod kills;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use qkd_bits::PhysicsRng;
use qkd_node::config::{ClientProfile, HostPort};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::Running;
use crate::support::{ALICE, BOB, Nodes, SAE_ALICE, SAE_BOB};

/// The longest that a transfer takes on a busy machine.
const TRANSFER_WITHIN: Duration = Duration::from_secs(180);

/// Two daemons with keys, an application at each, and a folder of theirs.
struct Mail {
    nodes: Nodes,
    folder: TempDir,
}

impl Mail {
    async fn start() -> Self {
        let mut nodes = Nodes::builder().prepare();
        nodes.start_bob().await;
        nodes.start_alice().await;
        let mail = Self {
            nodes,
            folder: tempfile::tempdir().unwrap(),
        };
        for (sae, node, services) in [
            (SAE_ALICE, ALICE, mail.nodes.alice().services),
            (SAE_BOB, BOB, mail.nodes.bob().services),
        ] {
            let profile = ClientProfile {
                name: sae.to_owned(),
                node: node.to_owned(),
                services: HostPort::from(services),
                tls: mail.nodes.pki.files_of(sae),
            };
            fs::write(mail.profile(sae), profile.to_toml()).unwrap();
            fs::create_dir(mail.inbox(sae)).unwrap();
        }
        for node in [mail.nodes.alice(), mail.nodes.bob()] {
            node.until("keys", |status| status.stored_key_count >= 20)
                .await;
        }
        mail
    }

    fn profile(&self, sae: &str) -> PathBuf {
        self.folder.path().join(format!("{sae}.toml"))
    }

    /// Where `sae`'s files go.
    fn inbox(&self, sae: &str) -> PathBuf {
        self.folder.path().join(format!("{sae}-inbox"))
    }

    fn command(&self, command: &str, sae: &str, more: &[&str]) -> Running {
        let state = self.folder.path().join("state");
        let mut arguments = vec![
            command.to_owned(),
            "--json".to_owned(),
            format!("--client={}", self.profile(sae).display()),
            format!("--state={}", state.display()),
        ];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        Running::start(&arguments)
    }

    /// `qkd send` as `from`.
    fn send(&self, from: &str, to: &str, more: &[&str]) -> Running {
        let more = [&[to], more].concat();
        self.command("send", from, &more)
    }

    /// `qkd receive` as `sae`.
    fn receive(&self, sae: &str, more: &[&str]) -> Running {
        let inbox = format!("--output={}", self.inbox(sae).display());
        let more = [&[inbox.as_str()], more].concat();
        self.command("receive", sae, &more)
    }

    /// A file of random bytes.
    fn file(&self, name: &str, bytes: usize) -> PathBuf {
        let mut rng = PhysicsRng::from_seed(bytes as u64);
        let words = (0..bytes.div_ceil(8)).flat_map(|_| rng.next_u64().to_le_bytes());
        let content: Vec<u8> = words.take(bytes).collect();
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

/// Waits for the good end of a command; returns the objects that it printed.
fn finish(mut command: Running) -> Vec<Value> {
    let status = command.end_within(TRANSFER_WITHIN);
    assert_eq!(status.code(), Some(0), "{}", command.story());
    objects(&command)
}

fn objects(command: &Running) -> Vec<Value> {
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {}", command.story()))
    };
    command.stdout().lines().map(parse).collect()
}

/// The objects of a kind.
fn of_kind<'v>(objects: &'v [Value], event: &str) -> Vec<&'v Value> {
    let is = |object: &&Value| object["event"] == event;
    objects.iter().filter(is).collect()
}

/// The texts, in order.
fn texts(objects: &[Value]) -> Vec<&str> {
    let texts = of_kind(objects, "text").into_iter();
    texts.filter_map(|text| text["text"].as_str()).collect()
}

fn are_equal(left: &Path, right: &Path) -> bool {
    fs::read(left).unwrap() == fs::read(right).unwrap()
}

#[tokio::test]
async fn texts_and_files_go_both_ways_at_once_under_many_keys() {
    let mail = Mail::start().await;
    let file = mail.file("photo.raw", 6_000_001);
    let path = file.to_str().unwrap();
    let ends = [(SAE_ALICE, SAE_BOB), (SAE_BOB, SAE_ALICE)];
    let receivers = ends.map(|(sae, _)| mail.receive(sae, &["--count=4", "--timeout=60"]));
    let mut key_ids = Vec::new();
    let senders =
        ends.map(|(from, to)| mail.send(from, to, &["--file", path, "--messages-per-key=2"]));
    for (sender, (from, to)) in senders.into_iter().zip(ends) {
        let sent = finish(sender).remove(0);
        assert_eq!(sent["bytes"], 6_000_001);
        assert_eq!(sent["messages"], 6);
        assert_eq!(sent["name"], "photo.raw");
        key_ids.extend(sent["key_IDs"].as_array().unwrap().clone());
        for text in ["first", "ünd\n", ""] {
            let text = format!("--text={text}");
            finish(mail.send(from, to, &[&text]));
        }
    }
    // Six messages, two under every key, in both directions.
    let distinct: std::collections::BTreeSet<_> =
        key_ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!((key_ids.len(), distinct.len()), (6, 6));
    for (receiver, (sae, partner)) in receivers.into_iter().zip(ends) {
        let received = finish(receiver);
        assert_eq!(texts(&received), ["first", "ünd\n", ""]);
        let files = of_kind(&received, "file");
        assert_eq!(files[0]["from"], partner);
        assert!(are_equal(&file, &mail.inbox(sae).join("photo.raw")));
        let end = &of_kind(&received, "end")[0];
        assert_eq!((&end["messages"], &end["refused"]), (&4.into(), &0.into()));
    }
}

#[tokio::test]
async fn a_message_waits_for_its_receiver_and_files_of_one_name_stay_apart() {
    let mail = Mail::start().await;
    for bytes in [10, 20, 0] {
        let path = mail.file("a.txt", bytes);
        finish(mail.send(SAE_ALICE, SAE_BOB, &["--file", path.to_str().unwrap()]));
    }
    let received = finish(mail.receive(SAE_BOB, &["--count=3"]));
    let files = of_kind(&received, "file");
    let sizes: Vec<u64> = files.iter().filter_map(|f| f["bytes"].as_u64()).collect();
    assert_eq!(sizes, [10, 20, 0]);
    for (name, bytes) in [("a.txt", 10), ("a (1).txt", 20), ("a (2).txt", 0)] {
        let path = mail.inbox(SAE_BOB).join(name);
        assert_eq!(fs::metadata(path).unwrap().len(), bytes, "{name}");
    }
    // What was acknowledged does not come again.
    let mut nothing = mail.receive(SAE_BOB, &["--timeout=1"]);
    let status = nothing.end_within(TRANSFER_WITHIN);
    assert_eq!(status.code(), Some(1), "{}", nothing.story());
    assert!(
        nothing.stderr().contains("no message came"),
        "{}",
        nothing.story()
    );
}

#[tokio::test]
async fn ctrl_c_is_the_normal_end_of_receiving() {
    let mail = Mail::start().await;
    finish(mail.send(SAE_BOB, SAE_ALICE, &["--text=hello"]));
    let mut receiver = mail.receive(SAE_ALICE, &[]);
    receiver.line(0);
    receiver.signal("INT");
    let received = finish(receiver);
    assert_eq!(texts(&received), ["hello"]);
    assert_eq!(of_kind(&received, "end").len(), 1);
}
