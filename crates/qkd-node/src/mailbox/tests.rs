//! What a mailbox keeps, in which order, and what it refuses.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use qkd_messaging::SealedMessage;
use tempfile::{TempDir, tempdir};

use super::*;

/// What takes longer never happens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Room for everything in a test that is not about room.
const ROOM: u64 = 1 << 30;

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

fn message(sequence: u64, ciphertext: &[u8]) -> RelayedMessage {
    RelayedMessage {
        from: sae("sae-alice"),
        to: sae("sae-bob"),
        sealed: SealedMessage {
            key_id: [7; 16],
            sender: 1,
            sequence,
            ciphertext: ciphertext.to_vec(),
        },
    }
}

/// The mailboxes of `sae-bob` and `sae-carol` in a folder of their own.
struct Node {
    folder: TempDir,
    bytes_max: u64,
    is_disk_full: Arc<AtomicBool>,
    board: StatusBoard,
    mailboxes: Option<Mailboxes>,
}

impl Node {
    fn with_room(bytes_max: u64) -> Self {
        let mut node = Self {
            folder: tempdir().unwrap(),
            bytes_max,
            is_disk_full: Arc::default(),
            board: StatusBoard::default(),
            mailboxes: None,
        };
        node.restart();
        node
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data/messages.redb")
    }

    fn restart(&mut self) {
        self.mailboxes = None;
        let local = [sae("sae-bob"), sae("sae-carol")];
        let full = self.is_disk_full.clone();
        let room = Box::new(move || !full.load(Ordering::SeqCst));
        let limits = (self.bytes_max, room as RoomCheck);
        let opened = Mailboxes::open(self.path(), local, limits, self.board.clone());
        self.mailboxes = Some(opened.unwrap_or_else(|error| panic!("{error}")));
    }

    fn boxes(&self) -> &Mailboxes {
        self.mailboxes.as_ref().unwrap()
    }

    async fn put(&self, message: RelayedMessage) -> RelayOutcome {
        let (done, outcome) = oneshot::channel();
        self.boxes().put(message, |outcome| {
            done.send(outcome).unwrap();
        });
        outcome.await.unwrap()
    }

    fn receiver(&self) -> Receiver {
        self.boxes().receive(&sae("sae-bob")).unwrap()
    }

    /// Number, sequence and ciphertext of the next `count` messages of a fresh receiver.
    async fn waiting(&self, count: usize) -> Vec<(u64, u64, Vec<u8>)> {
        let mut receiver = self.receiver();
        let mut waiting = Vec::new();
        for _ in 0..count {
            let (number, message) = next(&mut receiver).await;
            waiting.push((number, message.sealed.sequence, message.sealed.ciphertext));
        }
        waiting
    }

    async fn acknowledge(&self, number: u64) -> Result<u64, AcknowledgeFault> {
        self.boxes().acknowledge(&sae("sae-bob"), number).await
    }
}

async fn next(receiver: &mut Receiver) -> (u64, RelayedMessage) {
    let next = tokio::time::timeout(PATIENCE, receiver.next()).await;
    next.expect("a message waits")
        .unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn messages_come_out_as_they_were_in_order_of_arrival_until_acknowledged() {
    let mut node = Node::with_room(ROOM);
    let long = vec![0xab; (1 << 20) + 16];
    for (sequence, ciphertext) in [(0, &[1; 16][..]), (1, &long), (9, &[2; 17])] {
        let outcome = node.put(message(sequence, ciphertext)).await;
        assert_eq!(outcome, RelayOutcome::Stored);
    }
    let expected = [(1, 0, vec![1; 16]), (2, 1, long), (3, 9, vec![2; 17])];
    assert_eq!(node.waiting(3).await, expected);
    node.restart();
    assert_eq!(node.waiting(3).await, expected);

    assert_eq!(node.acknowledge(0).await, Ok(3));
    assert_eq!(node.acknowledge(2).await, Ok(1));
    assert_eq!(node.acknowledge(1).await, Ok(1), "an old one does nothing");
    assert_eq!(node.waiting(1).await, expected[2..]);
    node.restart();
    assert_eq!(node.waiting(1).await, expected[2..]);
    assert_eq!(node.acknowledge(3).await, Ok(0));
}

#[tokio::test]
async fn a_number_never_comes_again_even_when_the_mailbox_was_empty_at_a_restart() {
    let mut node = Node::with_room(ROOM);
    for sequence in 0..3 {
        node.put(message(sequence, &[1; 16])).await;
    }
    assert_eq!(node.acknowledge(3).await, Ok(0));
    node.restart();
    node.put(message(3, &[1; 16])).await;
    assert_eq!(node.waiting(1).await, [(4, 3, vec![1; 16])]);
}

#[tokio::test]
async fn a_message_that_is_not_there_yet_cannot_be_acknowledged() {
    let node = Node::with_room(ROOM);
    node.put(message(0, &[1; 16])).await;
    let ahead = AcknowledgeFault::Ahead { number: 2, last: 1 };
    assert_eq!(node.acknowledge(2).await, Err(ahead));
    assert_eq!(node.acknowledge(1).await, Ok(0));
    let stranger = node.boxes().acknowledge(&sae("sae-alice"), 0).await;
    assert!(matches!(stranger, Err(AcknowledgeFault::NoMailbox(_))));
    assert!(node.boxes().receive(&sae("sae-alice")).is_none());
}

#[tokio::test]
async fn an_exact_repetition_of_the_last_message_is_stored_once_for_ever() {
    let mut node = Node::with_room(ROOM);
    node.put(message(0, &[1; 16])).await;
    let last = message(1, &[2; 16]);
    let again = async |node: &Node| assert_eq!(node.put(last.clone()).await, RelayOutcome::Stored);
    again(&node).await;
    again(&node).await;
    node.restart();
    again(&node).await;
    assert_eq!(node.acknowledge(2).await, Ok(0));
    again(&node).await;
    node.restart();
    again(&node).await;
    // Another key or another sender of the same application does not make it forgotten.
    let mut other = message(0, &[3; 16]);
    other.sealed.key_id = [8; 16];
    node.put(other).await;
    let mut other = message(0, &[4; 16]);
    other.sealed.sender = 2;
    node.put(other).await;
    again(&node).await;
    let expected = [(3, 0, vec![3; 16]), (4, 0, vec![4; 16])];
    assert_eq!(node.waiting(2).await, expected);
    assert_eq!(node.acknowledge(4).await, Ok(0));
}

#[tokio::test]
async fn the_same_numbers_with_another_content_or_address_are_another_message() {
    let node = Node::with_room(ROOM);
    let first = message(5, &[1; 16]);
    let mut from_elsewhere = first.clone();
    from_elsewhere.from = sae("sae-dave");
    let mut to_elsewhere = first.clone();
    to_elsewhere.to = sae("sae-carol");
    for each in [
        first,
        message(5, &[2; 16]),
        from_elsewhere,
        message(6, &[2; 16]),
        to_elsewhere,
    ] {
        assert_eq!(node.put(each).await, RelayOutcome::Stored);
    }
    let waiting = node.waiting(4).await;
    let numbers: Vec<u64> = waiting.iter().map(|each| each.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let mut carol = node.boxes().receive(&sae("sae-carol")).unwrap();
    assert_eq!(next(&mut carol).await.0, 1, "each mailbox counts alone");
}

#[tokio::test]
async fn only_the_chains_used_last_are_remembered() {
    let node = Node::with_room(ROOM);
    let of_key = |key: u8| {
        let mut message = message(0, &[key; 16]);
        message.sealed.key_id = [key; 16];
        message
    };
    for key in 0..40 {
        node.put(of_key(key)).await;
    }
    assert_eq!(node.acknowledge(40).await, Ok(0));
    for key in 24..40 {
        node.put(of_key(key)).await;
    }
    assert_eq!(node.acknowledge(40).await, Ok(0), "all are repetitions");
    node.put(of_key(0)).await;
    assert_eq!(node.waiting(1).await[0].0, 41);
}

#[tokio::test]
async fn a_full_mailbox_refuses_and_drops_nothing_and_drains() {
    let mut node = Node::with_room(10_000);
    let take = |sequence| message(sequence, &[sequence as u8; 3000 - 1024]);
    for sequence in 0..3 {
        assert_eq!(node.put(take(sequence)).await, RelayOutcome::Stored);
    }
    assert_eq!(node.put(take(3)).await, RelayOutcome::MailboxFull);
    assert_eq!(node.put(take(2)).await, RelayOutcome::Stored, "repetition");
    let mut to_carol = take(3);
    to_carol.to = sae("sae-carol");
    assert_eq!(
        node.put(to_carol).await,
        RelayOutcome::Stored,
        "her own room"
    );
    node.restart();
    assert_eq!(node.put(take(3)).await, RelayOutcome::MailboxFull);
    assert_eq!(node.waiting(3).await.len(), 3);
    assert_eq!(node.acknowledge(1).await, Ok(2));
    assert_eq!(node.put(take(3)).await, RelayOutcome::Stored);
    assert_eq!(node.put(take(4)).await, RelayOutcome::MailboxFull);
    let numbers: Vec<u64> = node.waiting(3).await.iter().map(|each| each.0).collect();
    assert_eq!(numbers, [2, 3, 4]);
}

#[tokio::test]
async fn a_message_for_nobody_here_is_refused() {
    let node = Node::with_room(ROOM);
    let mut stranger = message(0, &[1; 16]);
    stranger.to = sae("sae-alice");
    assert_eq!(node.put(stranger).await, RelayOutcome::UnknownApplication);
}

#[tokio::test]
async fn a_receiver_waits_for_what_comes_and_ends_when_another_takes_over() {
    let node = Node::with_room(ROOM);
    let mut first = node.receiver();
    let waiting = tokio::spawn(async move {
        let (number, _) = next(&mut first).await;
        (number, first)
    });
    node.put(message(0, &[1; 16])).await;
    let (number, mut first) = waiting.await.unwrap();
    assert_eq!(number, 1);
    let waiting = tokio::spawn(async move { first.next().await });
    let mut second = node.receiver();
    let ended = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert!(matches!(ended.unwrap(), Err(ReceiveFault::TakenOver)));
    assert_eq!(next(&mut second).await.0, 1, "not acknowledged, so again");
}

/// Many at once, from many senders: none is lost, and each sender's order is kept.
#[tokio::test]
async fn what_comes_at_once_is_stored_in_order_of_each_sender() {
    let node = Node::with_room(ROOM);
    let mut waiting = std::collections::VecDeque::new();
    for sequence in 0..200u64 {
        let mut each = message(sequence / 4, &[1; 16]);
        each.sealed.sender = (sequence % 4) as u32;
        loop {
            let (done, mut outcome) = oneshot::channel();
            node.boxes().put(each.clone(), |outcome| {
                done.send(outcome).unwrap();
            });
            match outcome.try_recv() {
                // A full queue answers at once: the oldest is waited for, and this one put again.
                Ok(RelayOutcome::MailboxFull) => {
                    let oldest: oneshot::Receiver<_> = waiting.pop_front().unwrap();
                    assert_eq!(oldest.await, Ok(RelayOutcome::Stored));
                }
                Ok(outcome) => {
                    assert_eq!(outcome, RelayOutcome::Stored);
                    break;
                }
                Err(_not_yet) => {
                    waiting.push_back(outcome);
                    break;
                }
            }
        }
    }
    for outcome in waiting {
        assert_eq!(outcome.await, Ok(RelayOutcome::Stored));
    }
    let mut receiver = node.receiver();
    let mut sequences = [0; 4];
    for _ in 0..200 {
        let (_, message) = next(&mut receiver).await;
        let expected = &mut sequences[message.sealed.sender as usize];
        assert_eq!(message.sealed.sequence, *expected);
        *expected += 1;
    }
}

#[tokio::test]
async fn a_failed_disk_refuses_with_an_alarm_and_comes_back_when_it_is_good() {
    let node = Node::with_room(ROOM);
    node.put(message(0, &[1; 16])).await;
    node.boxes().records.close();
    let outcome = node.put(message(1, &[1; 16])).await;
    assert_eq!(outcome, RelayOutcome::StorageFailed);
    assert_eq!(
        node.acknowledge(1).await,
        Err(AcknowledgeFault::StorageFailed)
    );
    let alarms = node.board.snapshot().alarms;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert!(alarms[0].contains("messages.redb"), "{alarms:?}");
    let began = std::time::Instant::now();
    while node.put(message(1, &[1; 16])).await != RelayOutcome::Stored {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(node.waiting(2).await.len(), 2);
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_no_message_in_and_still_gives_those_that_wait() {
    let node = Node::with_room(ROOM);
    node.put(message(0, &[1; 16])).await;
    node.put(message(1, &[1; 16])).await;
    node.is_disk_full.store(true, Ordering::SeqCst);
    let outcome = node.put(message(2, &[1; 16])).await;
    assert_eq!(outcome, RelayOutcome::MailboxFull);
    assert_eq!(node.board.snapshot().alarms, [writer::NO_ROOM]);
    let again = node.put(message(1, &[1; 16])).await;
    assert_eq!(again, RelayOutcome::Stored, "its answer was lost");
    assert_eq!(node.waiting(2).await.len(), 2);
    assert_eq!(node.acknowledge(1).await, Ok(1));
    node.is_disk_full.store(false, Ordering::SeqCst);
    let began = std::time::Instant::now();
    while node.put(message(2, &[1; 16])).await != RelayOutcome::Stored {
        assert!(began.elapsed() < PATIENCE);
    }
    assert!(node.board.snapshot().alarms.is_empty());
    assert_eq!(node.waiting(2).await.len(), 2);
}

#[test]
fn a_file_that_is_none_of_ours_is_refused_by_its_name() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("messages.redb");
    let open = |path: &Path| {
        let board = StatusBoard::default();
        let limits = (ROOM, Box::new(|| true) as RoomCheck);
        Mailboxes::open(path.to_path_buf(), [sae("sae-bob")], limits, board)
    };
    crate::secret_file::write_new(&path, b"Dear diary").unwrap();
    let said = open(&path).err().unwrap().to_string();
    assert!(said.contains("no message store"), "{said}");
    std::fs::remove_file(&path).unwrap();
    let first = open(&path).unwrap();
    let said = open(&path).err().unwrap().to_string();
    assert!(
        said.contains("message store is in use by another process"),
        "{said}"
    );
    drop(first);
    assert!(open(&path).is_ok());
}
