//! The way in: every connection shakes hands on its own, with the certificate of that moment.
//!
//! A client that stalls holds up nobody, a client that is refused is told why by TLS and named in
//! the log, and a certificate that was renewed is shown to whoever comes next.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use super::buffered::{Buffered, WRITE_AT_ONCE_BYTES};
use super::explain::{explain_peer, kind_of};
use super::facts::Facts;
use super::guard::Accepted;
use super::live::LiveTls;
use super::peer::harmless;
use super::{ALPN_H2, ALPN_HTTP1, HANDSHAKE_TIMEOUT};

/// Handshakes under way at once; one more, and the oldest is given up.
const HANDSHAKES_MAX: usize = 256;

/// Finished handshakes that wait to be served.
const READY_MAX: usize = 16;

/// Time for a refusal to reach the client before the connection closes.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(500);

/// Pause when the system gives no connection, as when all file descriptors are in use.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// A complaint of the same kind about the same address is not logged again for so long.
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Complaints that are remembered for that.
const SAID_MAX: usize = 64;

/// Somebody who did not get in, or whose certificate was revoked since.
pub(crate) struct Refused {
    /// Where it came from.
    pub(crate) from: SocketAddr,
    /// Whether the connection was open until now.
    pub(crate) was_open: bool,
    /// What the certificate says that was not taken.
    shown: Option<Facts>,
    /// Why, in one sentence.
    pub(crate) reason: String,
}

impl Refused {
    /// The name in the refused certificate, made harmless; nobody vouches for it.
    pub(crate) fn name(&self) -> String {
        let shown = self.shown.as_ref();
        shown
            .map(|facts| harmless(facts.name()))
            .unwrap_or_default()
    }

    /// Whether the refused certificate carries `name`; nobody vouches for it.
    pub(crate) fn claims(&self, name: &str) -> bool {
        let mut names = self.shown.iter().flat_map(|facts| &facts.dns_names);
        names.any(|dns| dns.eq_ignore_ascii_case(name))
    }
}

/// The connections that come in over `listener` with a certificate that is taken; `on_refusal` hears
/// of the others. Ends when the stream is dropped.
pub(crate) fn incoming(
    listener: TcpListener,
    tls: Arc<LiveTls>,
    on_refusal: impl Fn(&Refused) + Send + Sync + 'static,
) -> ReceiverStream<io::Result<Accepted>> {
    incoming_with(listener, tls, &[ALPN_H2], on_refusal)
}

/// As [`incoming`], for clients that speak HTTP/2, HTTP/1.1, or do not say what they speak.
pub(crate) fn incoming_http(
    listener: TcpListener,
    tls: Arc<LiveTls>,
    on_refusal: impl Fn(&Refused) + Send + Sync + 'static,
) -> ReceiverStream<io::Result<Accepted>> {
    incoming_with(listener, tls, &[ALPN_H2, ALPN_HTTP1], on_refusal)
}

fn incoming_with(
    listener: TcpListener,
    tls: Arc<LiveTls>,
    protocols: &'static [&'static [u8]],
    on_refusal: impl Fn(&Refused) + Send + Sync + 'static,
) -> ReceiverStream<io::Result<Accepted>> {
    let (ready, accepted) = mpsc::channel(READY_MAX);
    let door = Arc::new(Door {
        tls,
        protocols,
        on_refusal: Box::new(on_refusal),
        said: Mutex::default(),
    });
    tokio::spawn(door.keep(listener, ready));
    ReceiverStream::new(accepted)
}

struct Door {
    tls: Arc<LiveTls>,
    /// What is spoken behind it, as TLS names it, best first.
    protocols: &'static [&'static [u8]],
    on_refusal: Box<dyn Fn(&Refused) + Send + Sync>,
    /// What was logged lately.
    said: Mutex<VecDeque<(String, Instant)>>,
}

impl Door {
    /// Accepts until nobody wants connections any more.
    async fn keep(
        self: Arc<Self>,
        listener: TcpListener,
        ready: mpsc::Sender<io::Result<Accepted>>,
    ) {
        let mut underway: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ready.closed() => break,
            };
            let (tcp, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if self.is_news(format!("accept: {error}")) {
                        tracing::warn!(%error, "no connection can be accepted");
                    }
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            underway.retain(|handshake| !handshake.is_finished());
            if underway.len() >= HANDSHAKES_MAX {
                underway.pop_front().iter().for_each(AbortHandle::abort);
            }
            let shaking = self.clone().shake_hands((tcp, from), ready.clone());
            underway.push_back(tokio::spawn(shaking).abort_handle());
        }
        underway.iter().for_each(AbortHandle::abort);
    }

    /// One connection, from its first byte to its place in the queue or its end.
    async fn shake_hands(
        self: Arc<Self>,
        (tcp, from): (TcpStream, SocketAddr),
        ready: mpsc::Sender<io::Result<Accepted>>,
    ) {
        // Without it small messages wait for one another; a connection works without all the same.
        let _ = tcp.set_nodelay(true);
        let witness = match self.tls.current().verifier() {
            Ok(verifier) => Arc::new(Witness {
                verifier,
                refused: Mutex::default(),
            }),
            Err(error) => return tracing::error!(%error, "no client can be checked"),
        };
        let config = match self
            .tls
            .current()
            .server_config(witness.clone(), self.protocols)
        {
            Ok(config) => Arc::new(config),
            Err(error) => return tracing::error!(%error, "no client can be served"),
        };
        let accepting = TlsAcceptor::from(config)
            .accept_with(Buffered::new(tcp), |tls| {
                tls.set_buffer_limit(Some(WRITE_AT_ONCE_BYTES));
            })
            .into_fallible();
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, accepting).await {
            // Nobody waits for it when the server has stopped.
            Ok(Ok(stream)) => {
                let own = stream.get_ref().1.peer_certificates();
                let shown = own
                    .and_then(<[_]>::first)
                    .and_then(|own| Facts::of(own).ok());
                let door = self.clone();
                let on_end = move || door.end(from, shown);
                let accepted = Accepted::new(stream, self.tls.clone(), on_end);
                drop(ready.send(Ok(accepted)).await);
            }
            Ok(Err((error, tcp))) => {
                self.refuse(from, &error, witness.take());
                farewell(tcp).await;
            }
            Err(_) => {
                let reason = format!("no TLS handshake within {} s", HANDSHAKE_TIMEOUT.as_secs());
                self.complain(from.ip(), "too slow", &reason);
            }
        }
    }

    fn refuse(&self, from: SocketAddr, error: &io::Error, shown: Option<Facts>) {
        if error.kind() == io::ErrorKind::UnexpectedEof && shown.is_none() {
            // Somebody looks whether the port is open.
            return tracing::debug!(%from, "a connection ended before its TLS handshake");
        }
        let name = match &shown {
            Some(facts) => harmless(facts.name()),
            None => "the client".to_owned(),
        };
        let reason = explain_peer(error, &name);
        self.complain(from.ip(), &kind_of(error), &reason);
        (self.on_refusal)(&Refused {
            from,
            was_open: false,
            shown,
            reason,
        });
    }

    /// A connection that was open is over.
    fn end(&self, from: SocketAddr, shown: Option<Facts>) {
        let name = shown.as_ref().map(|facts| harmless(facts.name()));
        let name = name.unwrap_or_else(|| "the client".to_owned());
        let reason = format!("the certificate of {name} was revoked");
        tracing::warn!(%from, reason, "a connection is ended");
        (self.on_refusal)(&Refused {
            from,
            was_open: true,
            shown,
            reason,
        });
    }

    /// A line in the log, unless there was one of this kind about `from` a moment ago: clients try
    /// again and again, and what a stranger writes into certificates must not make more lines.
    fn complain(&self, from: IpAddr, kind: &str, reason: &str) {
        if self.is_news(format!("{from} {kind}")) {
            tracing::warn!(%from, reason, "a connection is refused");
        } else {
            tracing::debug!(%from, reason, "a connection is refused again");
        }
    }

    fn is_news(&self, what: String) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(_, when)| when.elapsed() < SAID_AGAIN_AFTER);
        if said.iter().any(|(text, _)| *text == what) {
            return false;
        }
        if said.len() == SAID_MAX {
            said.pop_front();
        }
        said.push_back((what, Instant::now()));
        true
    }
}

/// Lets the reason that TLS has just sent arrive: closing a connection with unread bytes in it would
/// make the client's system throw the reason away.
async fn farewell(mut tcp: Buffered) {
    let goodbye = async {
        tcp.shutdown().await?;
        let mut rest = [0; 1024];
        while tcp.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that is gone needs no goodbye.
    let _ = tokio::time::timeout(FAREWELL_TIME_MAX, goodbye).await;
}

/// Decides as the verifier does, and remembers whom it refused.
#[derive(Debug)]
struct Witness {
    verifier: Arc<dyn ClientCertVerifier>,
    refused: Mutex<Option<Facts>>,
}

impl Witness {
    fn take(&self) -> Option<Facts> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take()
    }
}

impl ClientCertVerifier for Witness {
    fn offer_client_auth(&self) -> bool {
        self.verifier.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .verifier
            .verify_client_cert(end_entity, intermediates, now);
        if verified.is_err() {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Facts::of(end_entity).ok();
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
