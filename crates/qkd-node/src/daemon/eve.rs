//! Eve: light in, attack, light out, and a control service.

use std::sync::Arc;

use qkd_bits::PhysicsRng;

use super::bob::bind_quantum;
use super::{NodeError, Ready, server};
use crate::config::{EveConfig, Role};
use crate::metrics::{self, EveMetrics};
use crate::quantum::{Onward, Stand, Tap};
use crate::services::EveService;
use crate::shutdown::Shutdown;
use crate::status::StatusBoard;
use crate::tls::LiveTls;

pub(super) async fn run(
    config: EveConfig,
    shutdown: Shutdown,
    ready: impl FnOnce(&Ready) + Send,
) -> Result<(), NodeError> {
    let tls = Arc::new(LiveTls::load(&config.tls)?);
    let stand = Stand::new(config.position, config.fibre.loss_db());
    let tap = Tap::new(&config.attack, stand)?;
    let listening = bind_quantum(&config.quantum_listen)?;
    // Nobody but the log and her page hears of her fibre and her certificate: Eve has no alarms.
    let board = StatusBoard::default();
    let told = board.clone();
    let tell = Box::new(move |fault| told.fibre(fault));
    let onward =
        Onward::start("[quantum] peer", config.quantum_peer, tell).map_err(NodeError::Thread)?;
    let (listener, services) = server::listen("[services] listen", &config.services_listen).await?;
    let metrics = metrics::bind(config.metrics_listen.as_ref()).await?;
    let nature = PhysicsRng::from_seed(getrandom::u64()?);
    ready(&Ready {
        role: Role::Eve,
        quantum: listening.local_addr().ok(),
        classical: None,
        services,
        etsi014: None,
        metrics: metrics.address(),
    });
    tracing::info!(
        attack = tap.spec(),
        site = tap.site().name(),
        "in the fibre"
    );
    let (running, sender) = (tap.clone(), onward.sender());
    let thread = std::thread::Builder::new()
        .name("quantum-tap".into())
        .spawn(move || running.run(listening, sender, nature))
        .map_err(NodeError::Thread)?;
    let control = EveService::new(tap.clone());
    let page = EveMetrics {
        name: config.name,
        tap: tap.clone(),
        board: board.clone(),
    };
    let served = async {
        tokio::try_join!(
            server::eve_services(tls.clone(), control, listener, shutdown.clone()),
            async {
                metrics.serve(page, shutdown).await;
                Ok(())
            },
        )
    };
    let served = tokio::select! {
        served = served => served,
        never = tls.watch(&board) => match never {},
    };
    tap.stop();
    match thread.join() {
        Ok(tapped) => tapped.map_err(NodeError::Thread)?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    served.map(|((), ())| ())
}
