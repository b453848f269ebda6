//! A connection of yesterday, played again from its first byte to daemons that were started anew.

use qkd_auth::Authentication;
use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::link::frame::Kind;
use qkd_wire::proto::link::link_server::Link;
use qkd_wire::proto::link::{Envelope, Frame};
use qkd_wire::proto::node::NodeStatus;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{quiet_link, receiver, rejects, total};
use crate::support::{
    ALICE, BOB, Direction, Interceptor, Node, Nodes, PATIENCE, agree_on_all_keys, call, serve_on,
};

/// Says in one breath what was once said to whoever calls.
struct Recording(Vec<Frame>);

#[tonic::async_trait]
impl Link for Recording {
    type ConnectStream = UnboundedReceiverStream<Result<Frame, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (answer, answers) = mpsc::unbounded_channel();
        for frame in &self.0 {
            drop(answer.send(Ok(frame.clone())));
        }
        let mut caller = request.into_inner();
        tokio::spawn(async move {
            // Until the caller hangs up.
            while let Ok(Some(_)) = caller.message().await {}
            drop(answer);
        });
        Ok(Response::new(UnboundedReceiverStream::new(answers)))
    }
}

/// What must not change: keys in store, and that there is no session and no block.
fn state(status: &NodeStatus) -> (u64, Option<u64>, u64) {
    (
        status.stored_key_count,
        status.session,
        status.blocks_attempted,
    )
}

/// The node counts a handshake that failed, and nothing else has become of it.
async fn has_refused(node: &Node, before: &NodeStatus) {
    let refused = |now: &NodeStatus| rejects(now).handshakes > rejects(before).handshakes;
    let now = node.until("a handshake that failed", refused).await;
    assert_eq!(state(&now), state(before), "{}", node.name);
    assert!(now.session.is_none(), "{}", node.name);
}

/// Plays Alice's words of the first connection to Bob, who was started again.
async fn play_to_bob(nodes: &Nodes, frames: &[Frame]) {
    let before = nodes.bob().status().await;
    let (words, said) = mpsc::unbounded_channel();
    for frame in frames {
        words.send(frame.clone()).expect("the other end is here");
    }
    let bob = nodes.bob().classical.expect("Bob has a classical address");
    let answers = call(&nodes.pki.files_of(ALICE), bob, said).await;
    let mut answers = answers.expect("TLS lets her in");
    let ended = timeout(PATIENCE, async {
        while let Ok(Some(frame)) = answers.message().await {
            let envelope = matches!(frame.kind, Some(Kind::Envelope(_)));
            assert!(!envelope, "Bob talks to a recording");
        }
    });
    ended.await.expect("Bob hangs up");
    has_refused(nodes.bob(), &before).await;
}

/// Plays Bob's words of the first connection to Alice, who was started again.
async fn play_to_alice(nodes: &mut Nodes, frames: Vec<Frame>) {
    let tls = TlsMaterial::load(&nodes.pki.files_of(BOB)).expect("Bob's certificate is good");
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let (address, server) = serve_on(listener, &tls, Recording(frames));
    nodes.alice_config.classical_peer = address.into();
    nodes.start_alice().await;
    let before = NodeStatus {
        rejects: Some(Default::default()),
        ..nodes.alice().status().await
    };
    has_refused(nodes.alice(), &before).await;
    assert!(nodes.take_alice().stop().await.success());
    server.abort();
}

/// Old envelopes in the midst of a new session.
async fn play_into_a_session(nodes: &Nodes, middle: &Interceptor, old: &[(Direction, Envelope)]) {
    for direction in Direction::BOTH {
        let node = receiver(nodes, direction);
        let before = node.until("a session", |now| now.session.is_some()).await;
        let of_old = old.iter().filter(|(to, _)| *to == direction);
        let mut sent = 0;
        for (_, envelope) in of_old {
            middle.inject(direction, envelope.clone());
            sent += 1;
        }
        assert!(sent > 5, "{sent} envelopes");
        let counted = |now: &NodeStatus| total(now) == total(&before) + sent;
        let now = node.until("all of them rejected", counted).await;
        assert_eq!(rejects(&now).malformed, rejects(&before).malformed);
        assert_eq!(state(&now), state(&before), "{}", node.name);
    }
}

#[tokio::test]
async fn a_connection_that_is_played_again_after_a_restart_is_refused_and_changes_nothing() {
    let (mut nodes, middle) = quiet_link(Authentication::default()).await;
    let through_the_middle = nodes.alice_config.classical_peer.clone();
    let said = Direction::BOTH.map(|direction| (direction, middle.first_connection(direction)));
    let [(_, to_bob), (_, to_alice)] = said.clone();
    assert!(matches!(to_bob[0].kind, Some(Kind::Opening(_))));
    assert!(matches!(to_alice[0].kind, Some(Kind::Opening(_))));
    let keys = nodes.bob().status().await.stored_key_count;
    assert!(nodes.take_alice().stop().await.success());
    assert!(nodes.take_bob().stop().await.success());

    nodes.start_bob().await;
    assert_eq!(nodes.bob().status().await.stored_key_count, keys);
    play_to_bob(&nodes, &to_bob).await;
    play_to_alice(&mut nodes, to_alice).await;

    nodes.alice_config.classical_peer = through_the_middle;
    nodes.start_alice().await;
    let envelopes: Vec<_> = said
        .into_iter()
        .flat_map(|(to, frames)| frames.into_iter().map(move |frame| (to, frame)))
        .filter_map(|(to, frame)| match frame.kind {
            Some(Kind::Envelope(envelope)) => Some((to, envelope)),
            _ => None,
        })
        .collect();
    play_into_a_session(&nodes, &middle, &envelopes).await;
    assert!(!agree_on_all_keys(&nodes).await.is_empty());
}
