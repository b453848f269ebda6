//! `GET /metrics` over plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Metrics;
use crate::config::HostPort;
use crate::daemon::{NodeError, listen};
use crate::shutdown::Shutdown;

/// Connections at once; further ones wait. Whoever reaches the port is a stranger.
const CONNECTIONS_MAX: usize = 32;

/// Time for a request to arrive, and for the next one on the same connection.
const REQUEST_WITHIN: Duration = Duration::from_secs(20);

/// Life of a connection, whatever happens on it.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Pause after the system could not give a connection.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Where the page will be served; nowhere when the configuration has no `[metrics]`.
pub struct MetricsListener(Option<(TcpListener, SocketAddr)>);

/// Binds the address of `[metrics] listen`, if there is one.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(address: Option<&HostPort>) -> Result<MetricsListener, NodeError> {
    Ok(MetricsListener(match address {
        Some(address) => Some(listen("[metrics] listen", address).await?),
        None => None,
    }))
}

impl MetricsListener {
    /// The address that was bound.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|(_, address)| *address)
    }

    /// Serves the page until shutdown.
    pub async fn serve(self, metrics: impl Metrics, shutdown: Shutdown) {
        let Some((listener, address)) = self.0 else {
            return;
        };
        let metrics: Arc<dyn Metrics> = Arc::new(metrics);
        let router = Router::new()
            .route("/metrics", get(page))
            .with_state(metrics);
        tracing::info!(%address, "metrics at /metrics");
        tokio::select! {
            () = accept(&listener, &router) => {}
            // Whoever scrapes just now will come again, or not: nothing is lost.
            () = shutdown.requested() => {}
        }
    }
}

async fn accept(listener: &TcpListener, router: &Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = converse(stream, router.clone());
                tokio::spawn(async move {
                    // One that takes too long is cut off: its caller sees that, nobody else.
                    let _cut = tokio::time::timeout(CONNECTION_TIME_MAX, connection).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "metrics: a connection cannot be accepted");
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    let mut builder = builder.http1();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WITHIN);
    let service = TowerToHyperService::new(router);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(error, "metrics: a connection ended badly");
    }
}

async fn page(State(metrics): State<Arc<dyn Metrics>>) -> Response {
    // The key store may be waiting for its disk.
    let text = tokio::task::spawn_blocking(move || metrics.text()).await;
    match text {
        Ok(Ok(text)) => {
            let form = [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            (form, text).into_response()
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
