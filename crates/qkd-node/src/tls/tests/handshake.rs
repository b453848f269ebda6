//! Who gets through a real handshake, over loopback, and what both sides say of those who do not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Server;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::config::HostPort;
use crate::pki::{KeptPki, NewSet, Party};
use crate::shutdown::{self, ShutdownTrigger};
use crate::status::StatusBoard;
use crate::tls::accept::incoming;

/// A set whose authority can sign again.
fn kept() -> (TempDir, KeptPki) {
    let folder = tempdir().unwrap();
    let pki = KeptPki::in_folder(folder.path(), None);
    let day = Duration::from_secs(24 * 3600);
    pki.create(&NewSet {
        parties: vec![
            Party::node("kme-alice"),
            Party::node("kme-bob"),
            Party::application("app-a"),
        ],
        validity: day,
        authority_validity: 10 * day,
        public_files: Vec::new(),
    })
    .unwrap();
    (folder, pki)
}

/// The material, whatever its dates.
fn material(pki: &LabPki, name: &str) -> TlsMaterial {
    let looked = TlsMaterial::look(&pki.files_of(name), Dates::Ignored);
    looked.unwrap_or_else(|error| panic!("{error}"))
}

/// A health service that shows the certificate of `kme-bob`.
struct Bob {
    address: SocketAddr,
    tls: Arc<LiveTls>,
    /// Why clients were refused.
    refusals: Arc<Mutex<Vec<String>>>,
    _stop: ShutdownTrigger,
}

impl Bob {
    async fn start(tls: LiveTls) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, shutdown) = shutdown::channel();
        let (_reporter, health) = tonic_health::server::health_reporter();
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let tls = Arc::new(tls);
        let heard = refusals.clone();
        let clients = incoming(listener, tls.clone(), move |refused| {
            heard.lock().unwrap().push(refused.reason.clone());
        });
        let serving = Server::builder()
            .add_service(health)
            .serve_with_incoming_shutdown(clients, shutdown.waited());
        tokio::spawn(serving);
        Self {
            address,
            tls,
            refusals,
            _stop: stop,
        }
    }

    /// Connects and makes one call.
    async fn call(&self, client: &TlsMaterial, server_name: &str) -> Result<(), String> {
        let address = HostPort::from(self.address);
        let channel = client.connect(&address, server_name, |endpoint| endpoint);
        let channel = channel.await.map_err(|error| error.to_string())?;
        let request = HealthCheckRequest {
            service: String::new(),
        };
        let answer = HealthClient::new(channel).check(request).await;
        answer.map(|_| ()).map_err(|status| explain(&status))
    }

    /// The certificate that it shows to `client`.
    async fn shown(&self, client: &TlsMaterial) -> Facts {
        let connector = TlsConnector::from(Arc::new(client.client_config().unwrap()));
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = "kme-bob".try_into().unwrap();
        let stream = connector.connect(name, tcp).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        Facts::of(&chain[0]).unwrap()
    }

    fn last_refusal(&self) -> String {
        let refusals = self.refusals.lock().unwrap();
        refusals.last().cloned().unwrap_or_default()
    }
}

fn live(pki: &LabPki) -> LiveTls {
    LiveTls::load(&pki.files_of("kme-bob")).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn only_parties_of_one_authority_under_the_right_name_talk() {
    let (_folder, pki) = lab();
    let (_other_folder, other) = lab();
    let bob = Bob::start(live(&pki)).await;
    for (name, server_name) in [("kme-alice", "kme-bob"), ("app-a", "127.0.0.1")] {
        let client = material(&pki, name);
        assert_eq!(bob.call(&client, server_name).await, Ok(()), "{name}");
    }
    let mut trusting = material(&other, "kme-alice");
    trusting.roots = material(&pki, "kme-bob").roots;
    let strangers = [
        (
            material(&pki, "kme-alice"),
            "kme-carol",
            "is for \"kme-bob\", \"localhost\"",
        ),
        (
            material(&other, "kme-alice"),
            "kme-bob",
            "the certificate of kme-bob was not signed by the authority of [tls] authority",
        ),
        (
            trusting,
            "kme-bob",
            "kme-bob refuses the certificate shown to it, because its own authority did not sign it",
        ),
    ];
    for (client, server_name, complaint) in strangers {
        let said = bob.call(&client, server_name).await.unwrap_err();
        assert!(said.contains(complaint), "{said}");
    }
    let said = bob.last_refusal();
    assert!(
        said.contains("the certificate of kme-alice was not signed by"),
        "{said}"
    );
    let good = material(&pki, "app-a");
    assert_eq!(
        bob.call(&good, "kme-bob").await,
        Ok(()),
        "strangers do no harm"
    );
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_that_one_is_required() {
    let (_folder, pki) = lab();
    let bob = Bob::start(live(&pki)).await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(material(&pki, "app-a").roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(bob.address).await.unwrap();
    let name = "kme-bob".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let read = tokio::io::AsyncReadExt::read_u8(&mut stream).await;
    let said = explain(&read.unwrap_err());
    assert!(
        said.contains("demands a certificate, and none was shown"),
        "{said}"
    );
    until(|| {
        bob.last_refusal()
            .contains("the client shows no certificate")
    })
    .await;
}

#[tokio::test]
async fn an_expired_certificate_is_named_with_its_date_on_both_sides() {
    let (_folder, kept) = kept();
    let pki = kept.files();
    let bob = Bob::start(live(pki)).await;
    kept.renew("app-a", Some(Duration::ZERO)).unwrap();
    let app = material(pki, "app-a");
    let over = app.facts().validity.not_after;
    while now_seconds() <= over {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let said = bob.call(&app, "kme-bob").await.unwrap_err();
    let date = utc(over);
    assert!(
        said.contains(&format!("of app-a, shown by this side, expired on {date}")),
        "{said}"
    );
    let said = bob.last_refusal();
    assert!(
        said.contains(&format!("the certificate of app-a expired on {date}")),
        "{said}"
    );
    assert!(said.contains("or is a clock wrong?"), "{said}");
    // Now the server's: a client that it would take says whose certificate it is.
    kept.renew("kme-bob", Some(Duration::ZERO)).unwrap();
    let expired = material(pki, "kme-bob");
    let over = expired.facts().validity.not_after;
    while now_seconds() <= over {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bob.tls.show(expired);
    let said = bob
        .call(&material(pki, "kme-alice"), "kme-bob")
        .await
        .unwrap_err();
    let expected = format!("the certificate of kme-bob expired on {}", utc(over));
    assert!(said.contains(&expected), "{said}");
    // The server hears of it a little later.
    let heard = "the client refuses the certificate shown to it";
    until(|| bob.last_refusal().contains(heard)).await;
}

#[tokio::test]
async fn clients_that_say_nothing_delay_nobody() {
    let (_folder, pki) = lab();
    let bob = Bob::start(live(&pki)).await;
    let mut silent = Vec::new();
    // More than there may be handshakes under way.
    for _ in 0..300 {
        silent.push(TcpStream::connect(bob.address).await.unwrap());
    }
    let began = std::time::Instant::now();
    let client = material(&pki, "app-a");
    assert_eq!(bob.call(&client, "kme-bob").await, Ok(()));
    assert!(
        began.elapsed() < HANDSHAKE_TIMEOUT / 2,
        "{:?}",
        began.elapsed()
    );
    drop(silent);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_spoilt_one_is_not() {
    let (_folder, kept) = kept();
    let pki = kept.files().clone();
    let bob = Bob::start(live(&pki)).await;
    let board = StatusBoard::default();
    let (watched, watching) = (bob.tls.clone(), board.clone());
    let watch = tokio::spawn(async move { watched.watch(&watching).await });
    let client = material(&pki, "app-a");
    let before = bob.shown(&client).await;
    let renewed = kept
        .renew("kme-bob", Some(Duration::from_secs(7_200)))
        .unwrap();
    until(|| {
        board.snapshot().certificate.not_after == u64::try_from(renewed.validity.not_after).ok()
    })
    .await;
    let after = bob.shown(&client).await;
    assert_eq!(after, renewed);
    assert_ne!(after.public_key, before.public_key);
    assert!(board.snapshot().certificate.alarms.is_empty());

    let files = pki.files_of("kme-bob");
    let good = fs::read(&files.private_key).unwrap();
    fs::copy(pki.files_of("kme-alice").private_key, &files.private_key).unwrap();
    until(|| !board.snapshot().certificate.alarms.is_empty()).await;
    let alarms = board.snapshot().certificate.alarms;
    assert!(
        alarms[0].contains("does not belong to the certificate"),
        "{alarms:?}"
    );
    assert_eq!(bob.shown(&client).await, after, "what was good stays");
    fs::write(&files.private_key, good).unwrap();
    until(|| board.snapshot().certificate.alarms.is_empty()).await;
    watch.abort();
}

#[tokio::test]
async fn a_hang_up_between_loading_and_watching_is_heard_and_ends_nothing() {
    let (_folder, pki) = lab();
    let tls = Arc::new(live(&pki));
    let before = tls.current();
    let me = std::process::id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-HUP", &me])
        .status();
    assert!(sent.unwrap().success());
    let watched = tls.clone();
    let watch = tokio::spawn(async move { watched.watch(&StatusBoard::default()).await });
    until(|| !Arc::ptr_eq(&before, &tls.current())).await;
    watch.abort();
}

async fn until(is: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it never happens"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
