//! grpc.health.v1 of Alice and Bob: what can be had from this node now.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use qkd_delivery::GrpcKeyDelivery;
use qkd_keystore::StoreStatus;
use qkd_wire::proto::delivery::key_delivery_server::KeyDeliveryServer;
use qkd_wire::proto::messaging::messaging_server::MessagingServer;
use qkd_wire::proto::node::node_server::NodeServer;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::{MessagingService, NodeService};
use crate::hub::KeyHub;
use crate::status::{LinkState, StatusBoard};

/// Longest time that a change goes unnoticed, should no event tell of it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Distance of two looks, however many events there are.
const REST: Duration = Duration::from_millis(50);

/// The node as a whole.
const OVERALL: &str = "";

/// Whether an application of this node could be given a key of the default size as master: the
/// store is sound and holds one of this side's share. Looking consumes none.
fn is_healthy(store: &StoreStatus) -> bool {
    // A store that is not sound says that nothing could be delivered.
    store.stored_key_count > 0
}

/// What each service can do.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Health {
    keys: ServingStatus,
    messages: ServingStatus,
}

impl Health {
    fn of(store: &StoreStatus, link: LinkState) -> Self {
        let serving = |yes| match yes {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        Self {
            keys: serving(is_healthy(store)),
            messages: serving(matches!(link, LinkState::Running | LinkState::Paused)),
        }
    }

    async fn report(self, reporter: &HealthReporter) {
        let delivery = KeyDeliveryServer::<GrpcKeyDelivery>::NAME;
        let messaging = MessagingServer::<MessagingService>::NAME;
        for (service, status) in [
            (OVERALL, self.keys),
            (delivery, self.keys),
            (messaging, self.messages),
            // Whoever gets an answer has been served.
            (NodeServer::<NodeService>::NAME, ServingStatus::Serving),
        ] {
            reporter.set_service_status(service, status).await;
        }
    }
}

/// Reports the health once, and returns a task that reports every change until it is dropped.
pub async fn keep_reporting(
    reporter: HealthReporter,
    hub: Arc<KeyHub>,
    board: StatusBoard,
) -> impl Future<Output = Infallible> {
    let mut changes = hub.changes();
    let mut last = look(&hub, &board).await;
    if let Some(health) = last {
        health.report(&reporter).await;
    }
    async move {
        loop {
            // The hub outlives this task: changes do not end.
            let _changed_or_due = tokio::time::timeout(LOOK_EVERY, changes.changed()).await;
            let health = look(&hub, &board).await;
            if let Some(health) = health.filter(|health| last != Some(*health)) {
                health.report(&reporter).await;
                last = Some(health);
            }
            tokio::time::sleep(REST).await;
        }
    }
}

/// `None` when the runtime is going down.
async fn look(hub: &Arc<KeyHub>, board: &StatusBoard) -> Option<Health> {
    let hub = hub.clone();
    let store = tokio::task::spawn_blocking(move || hub.status())
        .await
        .ok()?;
    Some(Health::of(&store, board.snapshot().link_state))
}

#[cfg(test)]
mod tests {
    use qkd_keystore::{Health as StoreHealth, Side};

    use super::*;

    fn store(stored_key_count: u64) -> StoreStatus {
        StoreStatus {
            side: Side::Alice,
            health: StoreHealth::Sound,
            peer_ready: false,
            boot_epoch: 1,
            commits: 1,
            spent: Default::default(),
            commits_uncounted: 0,
            committed_blocks: 1,
            undecided_blocks: 0,
            available_bits: 256 * stored_key_count,
            peer_available_bits: 256,
            stored_key_count,
            assigned_count: 0,
            expired_count: 0,
            has_room: true,
            durable_commits: 0,
            compared_bytes: 0,
            differing_blocks: 0,
            pending_requests: 0,
        }
    }

    #[test]
    fn keys_are_served_by_the_store_and_messages_by_the_link() {
        use ServingStatus::{NotServing, Serving};
        for (keys, link, expected) in [
            (0, LinkState::Connecting, (NotServing, NotServing)),
            (1, LinkState::Connecting, (Serving, NotServing)),
            (0, LinkState::Handshake, (NotServing, NotServing)),
            (0, LinkState::Running, (NotServing, Serving)),
            (9, LinkState::Paused, (Serving, Serving)),
        ] {
            let health = Health::of(&store(keys), link);
            assert!(
                (health.keys, health.messages) == expected,
                "{keys} {link:?}"
            );
        }
    }
}
