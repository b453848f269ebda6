//! What may change while a node runs: its applications and what each of them may take.
//!
//! On SIGHUP the configuration is read again. `[[sae]]` and the quotas of `[delivery]` are taken over at
//! once: an application that is gone from it is refused with its next call, also on a connection that
//! is open. Everything else needs a restart, and the log says so.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use qkd_delivery::SaeQuota;
use qkd_keystore::SaeId;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::NodeError;
use super::link_node::{LinkNode, places};
use crate::audit::{Event, Kind};
use crate::config::{LinkConfig, NodeConfig, Role, SaeConfig};

/// SIGHUP since the node was opened; unheard it would end the daemon.
pub(super) struct Hangup(Mutex<Option<Signal>>);

impl Hangup {
    /// Hears from now on. Must be called on a Tokio runtime with signals enabled.
    pub(super) fn listen() -> Self {
        Self(Mutex::new(signal(SignalKind::hangup()).ok()))
    }

    /// To be called once: a second listener hears nothing.
    fn take(&self) -> Option<Signal> {
        let signal = self.0.lock();
        signal.unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Takes changes over whenever SIGHUP says so, for ever.
pub(super) async fn watch(node: &LinkNode, role: Role) -> Infallible {
    let (Some(mut hangup), Some(file)) = (node.hangup.take(), node.config.file.clone()) else {
        return std::future::pending().await;
    };
    let mut current = node.config.clone();
    loop {
        if hangup.recv().await.is_none() {
            return std::future::pending().await;
        }
        let path = file.clone();
        // It reads files, and may wait for a renewal in progress.
        let read = tokio::task::spawn_blocking(move || NodeConfig::load(&path, role)).await;
        let refused = match read {
            Ok(Ok(NodeConfig::Alice(config))) => take_over(node, &mut current, config.link),
            Ok(Ok(NodeConfig::Bob(config))) => take_over(node, &mut current, config.link),
            Ok(Ok(NodeConfig::Eve(_))) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = refused {
            tracing::error!(
                reason,
                "SIGHUP: the configuration is refused; the one before stays"
            );
        }
    }
}

/// Makes what may change of `new` true.
fn take_over(node: &LinkNode, current: &mut LinkConfig, new: LinkConfig) -> Result<(), String> {
    let said = |error: NodeError| error.to_string();
    let quotas = quotas(&new).map_err(said)?;
    let places = places(&new).map_err(said)?;
    let directory = &node.shared.directory;
    (directory.replace(places)).map_err(|error| error.to_string())?;
    node.access.set_quotas(new.delivery.quota, quotas);
    let rest = LinkConfig {
        saes: new.saes.clone(),
        delivery: new.delivery,
        ..current.clone()
    };
    let needs_restart =
        rest != new || new.delivery.unfetched_share_max != current.delivery.unfetched_share_max;
    if needs_restart {
        tracing::warn!(
            "SIGHUP: the applications and their quotas are those of the configuration now; its other \
             changes need a restart"
        );
    } else {
        tracing::info!(
            "SIGHUP: the applications and their quotas are those of the configuration now"
        );
    }
    let event = Event::new(Kind::ConfigurationChanged)
        .list("added", missing(&new.saes, &current.saes))
        .list("removed", missing(&current.saes, &new.saes))
        .text("configuration", &new.digest());
    node.audit.note(event);
    *current = LinkConfig {
        saes: new.saes,
        delivery: new.delivery,
        ..current.clone()
    };
    Ok(())
}

/// Who is in `these` and not in `those`.
fn missing(these: &[SaeConfig], those: &[SaeConfig]) -> Vec<String> {
    let these = these
        .iter()
        .filter(|sae| those.iter().all(|other| other.id != sae.id));
    these.map(|sae| sae.id.clone()).collect()
}

/// What those applications may take whose `[[sae]]` says so.
pub(super) fn quotas(config: &LinkConfig) -> Result<BTreeMap<SaeId, SaeQuota>, NodeError> {
    let of = config.saes.iter().filter_map(|sae| {
        let quota = sae.quota?;
        Some(sae_id(sae).map(|id| (id, quota)))
    });
    of.collect()
}

pub(super) fn sae_id(sae: &SaeConfig) -> Result<SaeId, NodeError> {
    SaeId::new(sae.id.as_str()).map_err(|source| NodeError::Sae {
        id: sae.id.clone(),
        source,
    })
}
