//! Real connections over loopback: who is served, how, and who delays whom.

mod client;

use std::net::SocketAddr;

use qkd_delivery::{Answer, Directory, FetchRequest, KeySource, Kme, KmeId, Pool, RequestLimits};
use qkd_keystore::{DeliveredKey, KeyRequest, RequestError, StoreLimits};
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::pki::{KeptPki, LabPki, NewSet, Party};
use crate::shutdown::{self, ShutdownTrigger, StopReason};
use crate::tls::{LiveTls, incoming_http};
use client::{Version, answer_on, connect, get, http2};

/// What takes longer than this on loopback never happens.
const PATIENCE: Duration = Duration::from_secs(30);

const STATUS: &str = "/api/v1/keys/b/status";

/// A store that has a status and no keys.
struct Empty(watch::Sender<()>);

impl KeySource for Empty {
    fn pool(&self) -> Answer<'_, Pool> {
        let limits = StoreLimits::default();
        Box::pin(async move {
            Ok(Pool {
                key_size_bits: limits.key_size_bits,
                key_size_min_bits: limits.key_size_min_bits,
                key_size_max_bits: limits.key_size_max_bits,
                keys_per_request_max: limits.keys_per_request_max,
                slaves_per_request_max: limits.slaves_per_request_max,
                stored_key_count: 0,
                key_count_max: 1,
            })
        })
    }

    fn limits(&self) -> RequestLimits {
        RequestLimits::from(&StoreLimits::default())
    }

    fn get_key(&self, _request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async { Err(RequestError::PeerUnavailable) })
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }

    fn alarms(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn get_key_with_ids(&self, _request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async { Err(RequestError::NotFound) })
    }
}

/// The service of `kme-alice` for the applications `a` and `c`; `b` is at the other end, and
/// `stranger` has a certificate and nothing else.
struct Server {
    address: SocketAddr,
    pki: LabPki,
    stop: ShutdownTrigger,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let folder = tempdir().unwrap();
        let kept = KeptPki::in_folder(folder.path(), None);
        let day = Duration::from_secs(24 * 3600);
        let applications = ["a", "c", "stranger"].map(Party::application);
        let parties = std::iter::once(Party::node("kme-alice")).chain(applications);
        kept.create(&NewSet {
            parties: parties.collect(),
            validity: day,
            authority_validity: day,
            public_files: Vec::new(),
        })
        .unwrap();
        let pki = kept.files().clone();
        let saes = [("a", Kme::Local), ("b", Kme::Peer), ("c", Kme::Local)];
        let saes = saes.map(|(name, kme)| (SaeId::new(name).unwrap(), kme));
        let kme = |name| KmeId::new(name).unwrap();
        let directory = Directory::new(kme("kme-alice"), kme("kme-bob"), saes).unwrap();
        let source = Arc::new(Empty(watch::Sender::new(())));
        let service = Etsi014::new(source, Arc::new(directory), PATIENCE);
        let times = HttpTimes::of_etsi014().unwrap();
        let server = Etsi014Server::with_limits(service, IdentityRule::default(), times, limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Arc::new(LiveTls::load(&pki.files_of("kme-alice")).unwrap());
        let (stop, shutdown) = shutdown::channel();
        let clients = incoming_http(listener, tls, |_| {});
        let serving = tokio::spawn(server.serve(clients, Duration::from_secs(1), shutdown));
        Self {
            address,
            pki,
            stop,
            serving,
            _folder: folder,
        }
    }

    /// What `who` is answered on a new connection.
    async fn status_of(&self, who: &str, version: Version) -> u16 {
        let mut stream = connect(self.address, &self.pki, who, version)
            .await
            .unwrap();
        get(&mut stream, STATUS).await.0
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_tls_and_of_http_are_spoken_and_connections_are_kept() {
    let server = Server::start(Limits::default()).await;
    for version in [Version::Tls12, Version::Tls13] {
        let mut stream = connect(server.address, &server.pki, "a", version)
            .await
            .unwrap();
        for _ in 0..3 {
            let (status, body) = soon(get(&mut stream, STATUS)).await;
            assert_eq!(status, 200);
            assert_eq!(body["master_SAE_ID"], "a");
        }
        assert_eq!(
            soon(http2(server.address, &server.pki, "a", version, STATUS)).await,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_nobody_here_is_told_so_and_who_has_no_certificate_does_not_get_in() {
    let server = Server::start(Limits::default()).await;
    let mut stream = connect(server.address, &server.pki, "stranger", Version::Tls13)
        .await
        .unwrap();
    let (status, body) = soon(get(&mut stream, STATUS)).await;
    assert_eq!(status, 401);
    assert!(body["message"].as_str().unwrap().contains("not served by"));
    // The certificate of another authority, which is what a fresh set has.
    let other = Server::start(Limits::default()).await;
    let refused = connect(server.address, &other.pki, "a", Version::Tls12).await;
    assert!(refused.is_err(), "the other authority is not this one's");
    // Plain HTTP is no handshake.
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _reset = soon(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "no answer outside TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stall_delay_nobody() {
    let server = Server::start(Limits::default()).await;
    let mut stalled = Vec::new();
    for _ in 0..40 {
        // Before the handshake.
        stalled.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut halves = Vec::new();
    for half in [
        "",
        "GET /api/v1/keys/b/st",
        "POST /api/v1/keys/b/enc_keys HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ] {
        for _ in 0..8 {
            let stream = connect(server.address, &server.pki, "a", Version::Tls13);
            let mut stream = stream.await.unwrap();
            stream.write_all(half.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            halves.push(stream);
        }
    }
    // The same SAE and another one: both are answered while all of those wait.
    for who in ["a", "c"] {
        let began = Instant::now();
        assert_eq!(soon(server.status_of(who, Version::Tls13)).await, 200);
        let limit = Limits::default().head_within / 2;
        assert!(began.elapsed() < limit, "{:?}", began.elapsed());
    }
    drop((stalled, halves));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_arrive_or_is_too_long_ends_with_its_connection() {
    let limits = Limits {
        head_within: Duration::from_millis(300),
        body_within: Duration::from_millis(300),
        idle_max: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let stream = || connect(server.address, &server.pki, "a", Version::Tls13);
    // Half a head: cut off.
    let mut half = stream().await.unwrap();
    half.write_all(b"GET /api/v1/keys/b/st").await.unwrap();
    let mut rest = Vec::new();
    let _reset = soon(half.read_to_end(&mut rest)).await;
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
    // Half a body: 408.
    let mut half = stream().await.unwrap();
    let head = "POST /api/v1/keys/b/enc_keys HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";
    half.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(soon(answer_on(&mut half)).await.0, 408);
    // Too much of one, announced or not: 413.
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    for (header, body) in [
        ("Content-Length: 100000", "{".to_owned()),
        ("Transfer-Encoding: chunked", chunk.repeat(2)),
    ] {
        let mut long = stream().await.unwrap();
        let head = format!("POST /api/v1/keys/b/enc_keys HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
        long.write_all(head.as_bytes()).await.unwrap();
        // It may be answered before all of it was taken.
        let _cut = long.write_all(body.as_bytes()).await;
        assert_eq!(soon(answer_on(&mut long)).await.0, 413, "{header}");
    }
    // Nothing at all, over HTTP/2: closed once it was idle for long enough.
    let mut silent = client::connect_http2(server.address, &server.pki, "a").await;
    let _reset = soon(silent.read_to_end(&mut Vec::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_never_idle_ends_with_its_age_and_with_whole_answers() {
    let limits = Limits {
        age_max: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut busy = connect(server.address, &server.pki, "a", Version::Tls13)
        .await
        .unwrap();
    let request = format!("GET {STATUS} HTTP/1.1\r\nHost: kme-alice\r\n\r\n");
    let mut answers = 0;
    soon(async {
        // What is asked after the last answer finds the connection closed.
        while busy.write_all(request.as_bytes()).await.is_ok() {
            let mut first = [0];
            match busy.read(&mut first).await {
                Ok(1) => {}
                Ok(_) | Err(_) => break,
            }
            assert_eq!(answer_on(&mut busy).await.0, 200);
            answers += 1;
        }
    })
    .await;
    assert!(answers > 0);
    assert_eq!(soon(server.status_of("a", Version::Tls13)).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sae_that_takes_all_it_can_leaves_the_others_theirs() {
    let limits = Limits {
        connections_each_max: 2,
        ..Limits::default()
    };
    let server = Server::start(limits).await;
    let mut taken = Vec::new();
    for _ in 0..2 {
        let stream = connect(server.address, &server.pki, "a", Version::Tls13);
        let mut stream = stream.await.unwrap();
        assert_eq!(soon(get(&mut stream, STATUS)).await.0, 200);
        taken.push(stream);
    }
    assert_eq!(soon(server.status_of("a", Version::Tls13)).await, 429);
    assert_eq!(soon(server.status_of("c", Version::Tls13)).await, 200);
    drop(taken);
    // Its place is free again once the server has seen the connection end.
    soon(async {
        while server.status_of("a", Version::Tls13).await != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_ends_connections_that_are_idle_and_waits_for_nobody_long() {
    let server = Server::start(Limits::default()).await;
    let mut idle = connect(server.address, &server.pki, "a", Version::Tls13)
        .await
        .unwrap();
    assert_eq!(soon(get(&mut idle, STATUS)).await.0, 200);
    server.stop.stop(StopReason::Requested);
    soon(server.serving).await.unwrap();
    let _reset = soon(idle.read_to_end(&mut Vec::new())).await;
}
