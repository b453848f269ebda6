//! ETSI GS QKD 014 over HTTPS: connections, what they may take, and how they end.
//!
//! Every connection is a task of its own, so that a client that stalls delays nobody. What a request
//! means is [`qkd_delivery::etsi014`]'s business.

mod crowd;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use qkd_delivery::etsi014::{BODY_BYTES_MAX, call_name, refuse};
use qkd_delivery::{Error, Etsi014, IdentityRule, Origin, serial_of};
use qkd_keystore::SaeId;
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt as _};

use crate::metrics::HttpTimes;
use crate::shutdown::Shutdown;
use crate::tls::Accepted;
use crowd::{Crowd, Entered};

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; further ones are closed.
    connections_max: usize,
    /// Connections of one SAE; on further ones there is nothing but 429.
    connections_each_max: usize,
    /// Requests of one SAE under way whose bodies may still come; further ones are 429.
    requests_each_max: usize,
    /// Time for the head of a request to arrive: with HTTP/1.1, also for the next one.
    head_within: Duration,
    /// Time for its body.
    body_within: Duration,
    /// A connection without requests, or on which no answer gets away, is closed.
    idle_max: Duration,
    /// So old a connection is closed once its open calls are answered, however busy it is: a client
    /// shows its certificate again before it goes on.
    age_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            connections_each_max: 128,
            requests_each_max: 256,
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            idle_max: Duration::from_secs(60),
            age_max: Duration::from_secs(3600),
        }
    }
}

/// Requests at once on one connection of HTTP/2.
const STREAMS_MAX: u32 = 32;

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Life of a connection that is one too many.
const CROWDED_FOR: Duration = Duration::from_secs(1);

/// Time for the last answers on a connection that is closed.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Distance of two signs of life on a connection of HTTP/2, and the time to answer one.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Key delivery on a port of its own.
pub(crate) struct Etsi014Server {
    service: Etsi014,
    rule: IdentityRule,
    times: HttpTimes,
    limits: Limits,
    connections: Crowd,
    requests: Crowd,
}

impl Etsi014Server {
    /// Serves `service` to whom certificates name as `rule` says; `times` hears of every call.
    pub(crate) fn new(service: Etsi014, rule: IdentityRule, times: HttpTimes) -> Self {
        Self::with_limits(service, rule, times, Limits::default())
    }

    pub(super) fn with_limits(
        service: Etsi014,
        rule: IdentityRule,
        times: HttpTimes,
        limits: Limits,
    ) -> Self {
        Self {
            service,
            rule,
            times,
            limits,
            connections: Crowd::new(limits.connections_each_max),
            requests: Crowd::new(limits.requests_each_max),
        }
    }

    /// Serves `clients`, whose certificates were checked, until shutdown. Calls that are open then
    /// have `patience` to end.
    pub(crate) async fn serve(
        self,
        mut clients: impl Stream<Item = io::Result<Accepted>> + Unpin,
        patience: Duration,
        shutdown: Shutdown,
    ) {
        let server = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = clients.next() => accepted,
                _ended = connections.join_next(), if !connections.is_empty() => continue,
                () = shutdown.requested() => break,
            };
            match accepted {
                Some(Ok(_)) if connections.len() >= server.limits.connections_max => {
                    tracing::warn!("ETSI 014: too many connections, one is closed");
                }
                Some(Ok(stream)) => {
                    connections.spawn(server.clone().converse(stream, shutdown.clone()));
                }
                Some(Err(error)) => tracing::debug!(%error, "ETSI 014: no connection"),
                None => break,
            }
        }
        drop(clients);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::info!("ETSI 014: calls that are still open are cut off");
        }
    }

    /// One connection from its handshake to its end.
    async fn converse(self: Arc<Self>, stream: Accepted, shutdown: Shutdown) {
        let session = stream.get_ref().1;
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        // The first certificate of the chain is the caller's own.
        let own = session.peer_certificates().and_then(<[_]>::first);
        let caller = own.map_or(Err(Error::NoCertificate), |own| self.rule.identify(own));
        let origin = Origin {
            address: stream.get_ref().0.peer_addr().ok(),
            certificate: own.map(|own| serial_of(own)).unwrap_or_default(),
        };
        let who = caller.as_ref().map_or("", SaeId::as_str);
        let place = self.connections.enter(who);
        let life = match place {
            Some(_) => self.limits.age_max,
            None => CROWDED_FOR,
        };
        let client = Arc::new(Client {
            server: self.clone(),
            caller,
            origin,
            place,
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        });
        let router = Router::new().fallback(answer).with_state(client.clone());
        let service = TowerToHyperService::new(router);
        let builder = self.builder(is_http2);
        let mut connection =
            std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let closing = async {
            tokio::select! {
                () = client.idle(self.limits.idle_max) => {}
                () = tokio::time::sleep(life) => {}
                () = shutdown.requested() => {}
            }
        };
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = closing => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(LAST_ANSWERS_WITHIN, connection).await {
                    Ok(served) => served,
                    Err(_) => return tracing::debug!("ETSI 014: a stalled connection is cut off"),
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(error, "ETSI 014: a connection ended badly");
        }
    }

    /// For one connection, whose protocol TLS has settled: to find it out by its first bytes would
    /// have no time limit.
    fn builder(&self, is_http2: bool) -> Builder<TokioExecutor> {
        let builder = Builder::new(TokioExecutor::new());
        let mut builder = match is_http2 {
            true => builder.http2_only(),
            false => builder.http1_only(),
        };
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_within)
            .max_buf_size(HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_BYTES_MAX as u32);
        builder
    }
}

/// Who is at the other end of a connection, and how busy.
struct Client {
    server: Arc<Etsi014Server>,
    caller: Result<SaeId, Error>,
    origin: Origin,
    /// Nothing when the connection is one too many.
    place: Option<Entered>,
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Client {
    /// Returns once no request was under way for `idle_max`, or up to twice that.
    async fn idle(&self, idle_max: Duration) {
        let mut before = 0;
        loop {
            tokio::time::sleep(idle_max).await;
            let begun = self.begun.load(Ordering::Relaxed);
            if begun == before && self.ended.load(Ordering::Relaxed) == begun {
                return;
            }
            before = begun;
        }
    }

    async fn answer(&self, request: Request) -> Response<Bytes> {
        if self.place.is_none() {
            return too_many("too many connections of this SAE");
        }
        let who = self.caller.as_ref().map_or("", SaeId::as_str);
        let Some(_turn) = self.server.requests.enter(who) else {
            return too_many("too many requests of this SAE are under way");
        };
        // What announces itself as too long is not waited for.
        if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
            return too_long();
        }
        let (head, body) = request.into_parts();
        let within = self.server.limits.body_within;
        match tokio::time::timeout(within, to_bytes(body, BODY_BYTES_MAX)).await {
            Ok(Ok(body)) => {
                let mut request = Request::from_parts(head, body);
                request.extensions_mut().insert(self.origin.clone());
                self.server.service.answer(&self.caller, &request).await
            }
            // Or the connection broke, and nobody reads this.
            Ok(Err(_)) => too_long(),
            Err(_) => refuse(
                StatusCode::REQUEST_TIMEOUT,
                &format!("no whole body within {} s", within.as_secs_f64()),
            ),
        }
    }
}

fn too_long() -> Response<Bytes> {
    let message = format!("a body shall have at most {BODY_BYTES_MAX} bytes");
    refuse(StatusCode::PAYLOAD_TOO_LARGE, &message)
}

/// Counts a request as ended, whether it was answered or given up.
struct Ending<'a>(&'a Client);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

async fn answer(State(client): State<Arc<Client>>, request: Request) -> Response<Body> {
    client.begun.fetch_add(1, Ordering::Relaxed);
    let _ending = Ending(&client);
    let began = Instant::now();
    let call = call_name(request.uri().path());
    let response = client.answer(request).await;
    let seconds = began.elapsed().as_secs_f64();
    client
        .server
        .times
        .observe(call, response.status(), seconds);
    response.map(Body::from)
}

/// For whoever takes too much at once: the status of a quota, as there is no shortage.
fn too_many(message: &str) -> Response<Bytes> {
    let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, message);
    let second = HeaderValue::from_static("1");
    response.headers_mut().insert(header::RETRY_AFTER, second);
    response
}
