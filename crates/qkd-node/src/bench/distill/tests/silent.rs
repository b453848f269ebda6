//! Peers that shake hands and then leave this side alone with its blocks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use qkd_session::Message;
use qkd_wire::link::{Frame, LinkMessage, decode_payload};

use super::*;

/// What a side announced until it hung up.
async fn announced(alice: Node, peer: SocketAddr) -> BTreeSet<u64> {
    let (outgoing, mut incoming) = alice.connect(peer).await.unwrap();
    let shaken = alice.shake_hands(&outgoing, &mut incoming).await;
    let mut channel = shaken.unwrap().channel;
    let mut blocks = BTreeSet::new();
    while let Ok(Some(frame)) = incoming.message().await {
        let Frame::Envelope(envelope) = Frame::try_from(frame).unwrap() else {
            continue;
        };
        let opened = channel.open_parts(
            envelope.epoch,
            envelope.sequence,
            envelope.payload,
            &envelope.tag,
        );
        for message in decode_payload(&opened.unwrap()).unwrap() {
            if let LinkMessage::Session(Message::Announcement { block, .. }) = message {
                blocks.insert(block);
            }
        }
    }
    blocks
}

/// Why the side hangs up on a peer, and how long it waited before.
async fn serve(bob: Answering) -> (String, Duration) {
    let began = Instant::now();
    // Nobody asks it to stop.
    let (_stop, shutdown) = crate::shutdown::channel();
    let reason = bob.serve(shutdown).await.unwrap();
    (reason, began.elapsed())
}

/// As long as it takes a link to give a silent peer up: ten seconds, in which nothing is computed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_answers_gets_no_block_beyond_those_in_flight_and_loses_its_link() {
    let folder = tempfile::tempdir().unwrap();
    // Each pair has files of its own.
    let [first, second] = ["first", "second"].map(|pair| settings(&folder.path().join(pair)));
    let in_flight = first.blocks_in_flight_max;
    let alice = |settings| Node::open(settings, qkd_keystore::Side::Alice).unwrap();

    let listens = Answering::listen(&first).await.unwrap();
    let (hears, answers_nothing) = (listens.address(), alice(&first));
    let reads_nothing = Answering::listen(&second).await.unwrap();
    let (deaf, peer) = (alice(&second), reads_nothing.address());
    let deaf = async move {
        let (outgoing, mut incoming) = deaf.connect(peer).await.unwrap();
        let shaken = deaf.shake_hands(&outgoing, &mut incoming).await;
        // Held open, and never looked at, until the other side has given it up.
        (shaken.unwrap(), outgoing, incoming)
    };
    let (heard, _held, answered, read) = tokio::join!(
        announced(answers_nothing, hears),
        deaf,
        serve(listens),
        serve(reads_nothing),
    );
    assert_eq!(heard, BTreeSet::from_iter(0..in_flight as u64));
    for (reason, after) in [answered, read] {
        assert!(reason.contains("no genuine envelope for 10 s"), "{reason}");
        assert!(after < Duration::from_secs(60), "{after:?}");
    }
}
