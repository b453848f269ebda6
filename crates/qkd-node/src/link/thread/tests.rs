//! What a peer that reads nothing can make this side keep: no more than its limits. And what a node that
//! stops leaves undone.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use qkd_bits::SecretRng;
use qkd_delivery::{Directory, KmeId};
use qkd_keystore::{KeyStore, MemoryStorage, SaeId, Side, StoreLimits};
use qkd_messaging::SealedMessage;
use tempfile::{TempDir, tempdir};
use tokio_stream::StreamExt as _;

use super::super::engine::tests::pair;
use super::super::{Frames, LinkHandle, frames};
use super::*;
use crate::hub::KeyHub;
use crate::mailbox::Mailboxes;
use crate::shutdown::{self, StopReason};
use crate::status::StatusBoard;

const PATIENCE: Duration = Duration::from_secs(60);

/// Bob's link, with a network that takes only what the test takes.
struct Bob {
    link: LinkHandle,
    network: Frames,
    commands: Receiver<Command>,
    thread: JoinHandle<String>,
    _folder: TempDir,
}

impl Bob {
    fn start(waiting_bytes_max: usize) -> Self {
        Self::start_until(waiting_bytes_max, Shutdown::never())
    }

    /// Until `shutdown`.
    fn start_until(waiting_bytes_max: usize, shutdown: Shutdown) -> Self {
        let (_alice, engine) = pair();
        let folder = tempdir().unwrap();
        let (outgoing, network) = frames(waiting_bytes_max);
        let (link, events) = LinkHandle::new(outgoing.clone());
        let (commands, receiver) = channel();
        let thread = LinkThread {
            engine,
            began: Instant::now(),
            shared: instruments(&folder),
            outgoing,
            commands,
            answers: link.answers(),
            workers: Workers::start(NonZeroUsize::MIN, &link, &shutdown).unwrap(),
            shutdown,
            clock: None,
            worked: VecDeque::new(),
            computing: 0,
        };
        Self {
            link,
            network,
            commands: receiver,
            thread: std::thread::spawn(move || thread.run(events)),
            _folder: folder,
        }
    }

    /// Whether light is wanted after another look at it.
    fn wants_light(&self) -> bool {
        self.link.queue(Queueable::Tick, None);
        match self.commands.recv_timeout(PATIENCE) {
            Ok(Command::Transmit { wanted }) => wanted,
            Ok(Command::Recall { .. } | Command::Clock { .. }) => panic!("not at Bob"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn instruments(folder: &TempDir) -> Instruments {
    let board = StatusBoard::default();
    let rng = SecretRng::from_seed([9; 32]);
    let storage = Box::new(MemoryStorage::new());
    let limits = StoreLimits::default();
    let store = KeyStore::open(Side::Bob, storage, vec![8; 32].into(), rng, limits).unwrap();
    let path = folder.path().join("messages.redb");
    let mailboxes = Mailboxes::open(path, [], (1 << 20, Box::new(|| true)), board.clone());
    let [here, there] = ["kme-bob", "kme-alice"].map(|name| KmeId::new(name).unwrap());
    Instruments {
        hub: Arc::new(KeyHub::new(store, 1 << 20, Box::new(|| true), board.clone()).unwrap()),
        board,
        mailboxes: Arc::new(mailboxes.unwrap_or_else(|error| panic!("{error}"))),
        relay: Arc::default(),
        worker_threads: NonZeroUsize::MIN,
        directory: Arc::new(Directory::new(here, there, []).unwrap()),
    }
}

fn relayed(bytes: usize) -> LinkEvent {
    LinkEvent::Outgoing(LinkMessage::Relay {
        number: 1,
        message: RelayedMessage {
            from: SaeId::new("sae-bob").unwrap(),
            to: SaeId::new("sae-alice").unwrap(),
            sealed: SealedMessage {
                key_id: [1; 16],
                sender: 1,
                sequence: 0,
                ciphertext: vec![2; bytes],
            },
        },
    })
}

#[tokio::test]
async fn nothing_new_is_begun_and_no_light_is_wanted_while_a_peer_reads_nothing() {
    let mut bob = Bob::start(128 << 20);
    assert!(bob.wants_light());
    let mut taken = 0;
    while bob.link.try_tell(relayed(1 << 20)).is_ok() {
        taken += 1;
        assert!(taken <= 128, "MiB that nobody reads");
    }
    assert!(!bob.wants_light());
    assert!(bob.link.try_tell(relayed(1)).is_err());
    for _ in 1..taken {
        assert!(bob.network.next().await.is_some());
    }
    assert!(bob.link.try_tell(relayed(1)).is_ok());
    assert!(bob.wants_light());
    bob.link.end("enough".into());
    assert_eq!(bob.thread.join().unwrap(), "enough");
}

/// Answers cannot wait; but who makes this side answer and hears nothing of it is no peer.
#[test]
fn a_peer_that_asks_for_answers_and_reads_none_loses_its_link() {
    let bob = Bob::start(10_000);
    let answer = LinkMessage::RelayAnswer {
        number: 1,
        outcome: RelayOutcome::Stored,
    };
    let answers = bob.link.answers();
    while !bob.thread.is_finished() {
        answers.say(answer.clone());
    }
    let reason = bob.thread.join().unwrap();
    assert!(
        reason.contains("the peer takes nothing of what is said"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_waits_when_the_node_is_asked_to_stop_is_not_handled_any_more() {
    let (trigger, shutdown) = shutdown::channel();
    trigger.stop(StopReason::Requested);
    let mut bob = Bob::start_until(1 << 20, shutdown);
    bob.link.tell(relayed(1));
    assert_eq!(bob.thread.join().unwrap(), "this node is shutting down");
    drop(bob.link);
    assert!(bob.network.next().await.is_none());
}
