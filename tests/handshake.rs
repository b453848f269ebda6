//! A peer who is not whom it should be, or not as it should be: refused for a reason that an
//! operator understands, while the daemon waits for the right one.

mod liar;

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use qkd_node::config::TlsFiles;
use qkd_node::pki::LabPki;
use qkd_node::tls::TlsMaterial;
use qkd_wire::proto::link::Frame;
use qkd_wire::proto::link::link_client::LinkClient;
use qkd_wire::proto::link::link_server::Link;
use qkd_wire::proto::node::NodeStatus;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use crate::support::{
    ALICE, BOB, EVE, Node, Nodes, SAE_ALICE, SAE_BOB, agree_on_all_keys, call, make_pki, serve_on,
};
use liar::{LIES, Liar, Lie};

/// What a node that has met only wrong peers must look like.
fn assert_untouched(status: &NodeStatus) {
    assert_eq!(status.stored_key_count, 0);
    assert_eq!(status.blocks_attempted, 0);
    assert_eq!(status.alarms, Vec::<String>::new());
}

fn handshakes(status: &NodeStatus) -> u64 {
    status.rejects.map_or(0, |rejects| rejects.handshakes)
}

fn malformed(status: &NodeStatus) -> u64 {
    status.rejects.map_or(0, |rejects| rejects.malformed)
}

/// The right peers make a key.
async fn a_key_is_made(nodes: &Nodes) {
    for node in [nodes.alice(), nodes.bob()] {
        let stored = |now: &NodeStatus| now.stored_key_count > 0;
        node.until("a key in store", stored).await;
    }
    assert!(!agree_on_all_keys(nodes).await.is_empty());
}

#[tokio::test]
async fn bob_refuses_every_wrong_alice_by_its_cause_and_takes_the_right_one() {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.start_bob().await;
    let bob = nodes.bob();
    let address = bob.classical.expect("Bob has a classical address");
    let alice = nodes.pki.files_of(ALICE);
    for lie in LIES {
        let before = bob.status().await;
        let heard = lie_to_bob(&nodes, &alice, lie).await;
        let heard = heard.unwrap_or_else(|status| format!("{status:?}"));
        assert!(heard.contains(lie.complaint()), "{lie:?}: {heard}");
        bob.until_log(lie.complaint()).await;
        let (failed, garbled) = lie.counts();
        let counted = |now: &NodeStatus| {
            (handshakes(now), malformed(now))
                == (
                    handshakes(&before) + u64::from(failed),
                    malformed(&before) + u64::from(garbled),
                )
                && now.session.is_none()
        };
        let now = bob.until(&format!("{lie:?} counted"), counted).await;
        assert_untouched(&now);
    }
    // Wrong certificates of the right authority, by their names.
    for stranger in [SAE_ALICE, EVE, BOB] {
        let files = nodes.pki.files_of(stranger);
        let refused = lie_to_bob(&nodes, &files, Lie::OtherKey).await;
        let refused = refused.expect_err("a stranger is refused");
        let refused = refused.message();
        let complaint = format!("the peer's certificate is for \"{stranger}\"");
        assert!(refused.contains(&complaint), "{refused}");
        assert!(refused.contains("expected \"kme-alice\""), "{refused}");
        bob.until_log(&complaint).await;
    }
    strangers_without_a_certificate_are_refused(&nodes, address).await;
    let before = handshakes(&bob.status().await);
    nodes.start_alice().await;
    a_key_is_made(&nodes).await;
    a_second_alice_does_not_disturb(&nodes).await;
    assert_eq!(handshakes(&nodes.bob().status().await), before);
}

/// The right name under another authority, and nothing at all.
async fn strangers_without_a_certificate_are_refused(nodes: &Nodes, bob: SocketAddr) {
    let files = foreign_but_trusting(nodes, ALICE);
    let refused = lie_to_bob(nodes, &files, Lie::OtherKey).await;
    refused.expect_err("another authority's Alice is refused");
    nodes
        .bob()
        .until_log("was not signed by the authority")
        .await;

    let authority = fs::read(nodes.pki.authority()).expect("it was just written");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority))
        .domain_name(BOB);
    let endpoint = Endpoint::from_shared(format!("https://{bob}")).expect("it is an address");
    let endpoint = endpoint.tls_config(tls).expect("it is a configuration");
    if let Ok(channel) = endpoint.connect().await {
        let answer = LinkClient::new(channel)
            .connect(tokio_stream::empty())
            .await;
        answer.expect_err("nobody without a certificate is served");
    }
    nodes
        .bob()
        .until_log("the client shows no certificate")
        .await;
}

/// One who holds everything that Alice holds is refused while she has a session.
async fn a_second_alice_does_not_disturb(nodes: &Nodes) {
    let before = nodes.bob().status().await;
    let alice = nodes.pki.files_of(ALICE);
    let heard = lie_to_bob(nodes, &alice, Lie::AuthenticGarbage).await;
    let heard = heard.expect("the connection itself is taken");
    assert!(heard.contains("a session is running already"), "{heard}");
    let now = nodes.bob().status().await;
    assert_eq!(
        (now.session, malformed(&now)),
        (before.session, malformed(&before))
    );
}

/// Calls Bob with a lie, and returns the hint that he gives.
async fn lie_to_bob(nodes: &Nodes, files: &TlsFiles, lie: Lie) -> Result<String, Status> {
    let bob = nodes.bob().classical.expect("Bob has a classical address");
    let (outgoing, frames) = mpsc::unbounded_channel();
    let mut incoming = call(files, bob, frames).await?;
    let liar = Liar::alice(nodes, lie);
    Ok(liar
        .talk(&mut incoming, |frame| drop(outgoing.send(frame)))
        .await)
}

/// A false Bob at the address where Alice calls; gone when stopped.
struct FakeBob {
    server: JoinHandle<()>,
    hints: Arc<Mutex<Vec<String>>>,
}

struct Answerer {
    liar: Liar,
    hints: Arc<Mutex<Vec<String>>>,
}

impl FakeBob {
    /// Listens at `address` with the certificate in `files`.
    async fn start(nodes: &Nodes, address: SocketAddr, files: &TlsFiles, lie: Lie) -> Self {
        let tls = TlsMaterial::load(files).expect("the certificates of a test are good");
        let hints = Arc::default();
        let answerer = Answerer {
            liar: Liar::bob(nodes, lie),
            hints: Arc::clone(&hints),
        };
        let listener = TcpListener::bind(address).await.expect("a port is free");
        let (_address, server) = serve_on(listener, &tls, answerer);
        Self { server, hints }
    }

    async fn stop(self) -> Vec<String> {
        self.server.abort();
        let _aborted = self.server.await;
        std::mem::take(&mut self.hints.lock().unwrap())
    }
}

#[tonic::async_trait]
impl Link for Answerer {
    type ConnectStream = UnboundedReceiverStream<Result<Frame, Status>>;

    async fn connect(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (outgoing, frames) = mpsc::unbounded_channel();
        let (liar, hints) = (self.liar.clone(), self.hints.clone());
        tokio::spawn(async move {
            let mut incoming = request.into_inner();
            let heard = liar.talk(&mut incoming, |frame| drop(outgoing.send(Ok(frame))));
            let heard = heard.await;
            hints.lock().unwrap().push(heard);
        });
        Ok(Response::new(UnboundedReceiverStream::new(frames)))
    }
}

#[tokio::test]
async fn alice_refuses_every_wrong_bob_by_its_cause_and_takes_the_right_one() {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    // Bob shows where he will be, and goes.
    nodes.start_bob().await;
    let address = nodes.bob().classical.expect("Bob has a classical address");
    assert!(nodes.take_bob().stop().await.success());
    nodes.start_alice().await;
    let bob = nodes.pki.files_of(BOB);
    for lie in LIES {
        let count = |now: &NodeStatus| match lie.counts() {
            (true, _) => handshakes(now),
            (false, true) => malformed(now),
            // Nothing counts it but the fault of the link.
            (false, false) => u64::MAX,
        };
        let before = match lie.counts() {
            (false, false) => 0,
            (_, _) => count(&nodes.alice().status().await),
        };
        let fake = FakeBob::start(&nodes, address, &bob, lie).await;
        let now = blames(nodes.alice(), lie.complaint(), (&count, before)).await;
        assert_untouched(&now);
        nodes.alice().until_log(lie.complaint()).await;
        let hints = fake.stop().await;
        let told = hints.iter().any(|hint| hint.contains(lie.complaint()));
        assert!(told, "{lie:?}: {hints:?}");
    }
    let foreign = make_pki(&nodes.folder().join("foreign"));
    for (files, complaint) in [
        (nodes.pki.files_of(EVE), "is for \"eve\", \"localhost\""),
        (nodes.pki.files_of(SAE_BOB), "expected \"kme-bob\""),
        (
            foreign.files_of(BOB),
            "was not signed by the authority of [tls] authority",
        ),
    ] {
        let fake = FakeBob::start(&nodes, address, &files, Lie::OtherKey).await;
        let blamed = |now: &NodeStatus| now.link_fault.contains(complaint);
        assert_untouched(&nodes.alice().until(complaint, blamed).await);
        fake.stop().await;
    }
    nodes.start_bob().await;
    a_key_is_made(&nodes).await;
}

#[tokio::test]
async fn alice_with_a_certificate_of_another_authority_is_named_in_bobs_log() {
    let mut nodes = Nodes::builder().blocks_max(1).prepare();
    nodes.start_bob().await;
    nodes.alice_config.link.tls = foreign_but_trusting(&nodes, ALICE);
    let asked = nodes.pki.clone();
    // Her services show the same certificate: only another of its authority can ask her.
    nodes.pki = LabPki::in_folder(&nodes.folder().join("foreign"));
    nodes.start_alice().await;
    nodes.pki = asked;
    let refusal = "kme-bob refuses the certificate shown to it, because its own authority";
    nodes.alice().until_log(refusal).await;
    let complaint = "the certificate of kme-alice was not signed by the authority";
    nodes.bob().until_log(complaint).await;
    let blamed = |now: &NodeStatus| now.link_fault.contains(complaint);
    assert_untouched(&nodes.bob().until(complaint, blamed).await);
    // The right one is taken by the same Bob.
    assert!(nodes.take_alice().stop().await.success());
    nodes.alice_config.link.tls = nodes.pki.files_of(ALICE);
    nodes.start_alice().await;
    a_key_is_made(&nodes).await;
}

/// A certificate in the name of `name` that another authority signed, and trust in both.
fn foreign_but_trusting(nodes: &Nodes, name: &str) -> TlsFiles {
    let foreign = make_pki(&nodes.folder().join("foreign"));
    let both = [foreign.authority(), nodes.pki.authority()]
        .map(|path| fs::read_to_string(path).expect("it was just written"));
    let mixed = nodes.folder().join("mixed.pem");
    fs::write(&mixed, both.concat()).expect("a file can be written");
    TlsFiles {
        authority: mixed,
        ..foreign.files_of(name)
    }
}

/// Waits until Alice names `complaint` as the fault of the link, and `counter` is above `before`.
async fn blames(
    alice: &Node,
    complaint: &str,
    (counter, before): (&dyn Fn(&NodeStatus) -> u64, u64),
) -> NodeStatus {
    let blamed = |now: &NodeStatus| now.link_fault.contains(complaint) && counter(now) > before;
    alice
        .until(&format!("fault of {complaint:?}"), blamed)
        .await
}
