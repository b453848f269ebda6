//! `GET /metrics` over plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::Metrics;
use crate::config::HostPort;
use crate::daemon::{NodeError, listen};
use crate::shutdown::Shutdown;

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
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, metrics: impl Metrics, shutdown: Shutdown) -> Result<(), NodeError> {
        let Some((listener, address)) = self.0 else {
            return Ok(());
        };
        let metrics: Arc<dyn Metrics> = Arc::new(metrics);
        let router = Router::new()
            .route("/metrics", get(page))
            .with_state(metrics);
        tracing::info!(%address, "metrics at /metrics");
        tokio::select! {
            served = axum::serve(listener, router) => served.map_err(NodeError::Metrics),
            // Whoever scrapes just now will come again, or not: nothing is lost.
            () = shutdown.requested() => Ok(()),
        }
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
