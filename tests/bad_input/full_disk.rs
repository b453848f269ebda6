//! A disk that is full, or may not be written to. Both need a file system of their own.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use qkd_node::config::NodeConfig;
use qkd_wire::proto::messaging::{AcknowledgeRequest, ReceiveRequest, SealedMessage};
use qkd_wire::proto::node::NodeStatus;
use tonic::Code;

use super::{Installation, refusal};
use crate::support::{Node, Nodes, PATIENCE, SAE_ALICE, SAE_BOB, agree_on_all_keys, messaging};

/// A file system in memory; gone when dropped.
struct Tmpfs {
    path: PathBuf,
}

impl Tmpfs {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        run(
            "mount",
            &["-t", "tmpfs", "-o", "size=192m,mode=0700", "tmpfs"],
            path,
        );
        Self {
            path: path.to_path_buf(),
        }
    }

    /// Takes as much room as leaves less than a key store wants, and more than it needs.
    fn nearly_fill(&self) {
        fs::write(self.ballast(), vec![0; 150 << 20]).unwrap();
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        let mut size = 1 << 16;
        while size > 0 {
            if ballast.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Gives it back.
    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro"], &self.path);
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.path);
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {}: {said}",
        path.display()
    );
}

#[test]
#[ignore = "needs root to mount a tmpfs"]
fn a_data_folder_that_may_not_be_written_to_is_refused() {
    let installation = Installation::new();
    let bob = &installation.nodes.bob_config;
    let disk = Tmpfs::mount(&bob.link.data_dir);
    disk.make_read_only();
    let text = NodeConfig::Bob(bob.clone()).to_toml();
    let said = refusal("bob", &installation.write("bob.toml", &text));
    assert!(
        said.contains("keys.redb") && said.contains("Read-only file system"),
        "{said}"
    );
}

fn is_sealed(status: &NodeStatus) -> bool {
    status.alarms.iter().any(|alarm| alarm.contains("sealed"))
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs"]
async fn a_full_disk_refuses_messages_with_an_alarm_until_there_is_room_again() {
    let mut nodes = Nodes::builder().block_bits(10_000).blocks_max(1).prepare();
    let disk = Tmpfs::mount(&nodes.bob_config.link.data_dir);
    nodes.start_bob().await;
    nodes.start_alice().await;
    for node in [nodes.alice(), nodes.bob()] {
        // Afterwards the key store has nothing to write.
        node.until("block", |status| status.blocks_attempted == 1)
            .await;
    }
    let message = |sequence| SealedMessage {
        from_sae_id: SAE_ALICE.to_owned(),
        to_sae_id: SAE_BOB.to_owned(),
        key_id: "0f0e0d0c-0b0a-4908-8706-050403020100".to_owned(),
        sender: 1,
        sequence,
        ciphertext: vec![sequence as u8; 1 << 20],
    };
    let mut alice = messaging(&nodes, nodes.alice(), SAE_ALICE).await;
    disk.fill();
    let status = alice.submit(message(0)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("no room now"), "{status:?}");
    let alarms = nodes.bob().status().await.alarms.join("\n");
    let nearly_full = "messages: the disk is nearly full";
    assert!(alarms.contains(nearly_full), "{alarms}");
    assert!(!alarms.contains("sealed"), "{alarms}");

    disk.free();
    let began = Instant::now();
    while let Err(status) = alice.submit(message(0)).await {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(began.elapsed() < PATIENCE, "{status:?}");
        // The daemon looks at its disk again only so often.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let alarms = nodes.bob().status().await.alarms.join("\n");
    assert!(!alarms.contains(nearly_full), "{alarms}");
    let mut bob = messaging(&nodes, nodes.bob(), SAE_BOB).await;
    let request = ReceiveRequest {
        sae_id: SAE_BOB.to_owned(),
    };
    let mut stream = bob.receive(request).await.unwrap().into_inner();
    let delivery = stream.message().await.unwrap().unwrap();
    assert_eq!(delivery.number, 1);
    assert_eq!(delivery.message, Some(message(0)));
    let left = bob.acknowledge(AcknowledgeRequest { number: 1 }).await;
    assert_eq!(left.unwrap().into_inner().waiting_count, 0);
}

/// Whose disk is full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Alice,
    Bob,
}

impl Side {
    /// The one with the full disk, and its peer.
    fn nodes(self, nodes: &Nodes) -> (&Node, &Node) {
        match self {
            Side::Alice => (nodes.alice(), nodes.bob()),
            Side::Bob => (nodes.bob(), nodes.alice()),
        }
    }
}

async fn a_full_disk_stops_intake_and_loses_nothing(side: Side) {
    let mut nodes = Nodes::builder().prepare();
    let disk = Tmpfs::mount(match side {
        Side::Alice => &nodes.alice_config.link.data_dir,
        Side::Bob => &nodes.bob_config.link.data_dir,
    });
    nodes.start_bob().await;
    nodes.start_alice().await;
    for node in [nodes.alice(), nodes.bob()] {
        node.until("key", |status| status.stored_key_count > 0)
            .await;
    }
    let (node, peer) = side.nodes(&nodes);
    disk.nearly_fill();
    let full = |status: &NodeStatus| {
        status
            .alarms
            .iter()
            .any(|alarm| alarm.contains("nearly full"))
    };
    let alarmed = node.until("alarm", full).await;
    assert!(!is_sealed(&alarmed), "{:?}", alarmed.alarms);
    assert!(node.log().contains("the disk is nearly full"));
    // What is there is delivered all the same, and then no more comes.
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
    // But for a block that had been taken in at one end when the disk was full.
    agree_on_all_keys(&nodes).await;
    assert_eq!(node.status().await.stored_key_count, 0);

    disk.free();
    for node in [node, peer] {
        node.until("key once there is room", |status| {
            status.stored_key_count > 0
        })
        .await;
    }
    let stored = node.status().await.stored_key_count;
    assert!(!is_sealed(&node.status().await));
    let status = match side {
        Side::Alice => nodes.take_alice().stop().await,
        Side::Bob => nodes.take_bob().stop().await,
    };
    assert_eq!(status.code(), Some(0), "it ends as it should");
    match side {
        Side::Alice => nodes.start_alice().await,
        Side::Bob => nodes.start_bob().await,
    }
    let (node, _) = side.nodes(&nodes);
    assert!(node.status().await.stored_key_count >= stored);
    for node in [nodes.alice(), nodes.bob()] {
        let more = |status: &NodeStatus| status.session.is_some() && status.blocks_with_key > 0;
        node.until("key after the restart", more).await;
    }
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
    let alarms = side.nodes(&nodes).0.status().await.alarms;
    assert!(alarms.is_empty(), "{alarms:?}");
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs"]
async fn a_full_disk_at_alice_stops_intake_and_loses_nothing() {
    a_full_disk_stops_intake_and_loses_nothing(Side::Alice).await;
}

#[tokio::test]
#[ignore = "needs root to mount a tmpfs"]
async fn a_full_disk_at_bob_stops_intake_and_loses_nothing() {
    a_full_disk_stops_intake_and_loses_nothing(Side::Bob).await;
}
