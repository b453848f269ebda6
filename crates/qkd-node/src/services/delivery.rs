//! The key store as the delivery standards see it.

use std::sync::Arc;

use qkd_delivery::{Answer, FetchRequest, KeySource, Pool};
use qkd_keystore::{DeliveredKey, KeyRequest, RequestError, StoreLimits};
use tokio::sync::watch;

use crate::hub::KeyHub;
use crate::status::StatusBoard;

/// The hub behind the delivery port. Whatever waits for the disk does so on a blocking thread.
pub struct HubKeySource {
    hub: Arc<KeyHub>,
    board: StatusBoard,
    limits: StoreLimits,
}

impl HubKeySource {
    /// Delivers from `hub`, whose store has these limits; alarms are those of `board`.
    pub fn new(hub: Arc<KeyHub>, board: StatusBoard, limits: StoreLimits) -> Self {
        Self { hub, board, limits }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeyHub) -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        let hub = self.hub.clone();
        // The thread only fails by panicking, and then the process is going down.
        tokio::task::spawn_blocking(move || work(&hub))
            .await
            .map_err(|_| RequestError::Sealed)
    }
}

impl KeySource for HubKeySource {
    fn pool(&self) -> Answer<'_, Pool> {
        Box::pin(async {
            let status = self.blocking(KeyHub::status).await?;
            Ok(Pool::new(&self.limits, &status))
        })
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.hub.changes()
    }

    fn alarms(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async {
            let status = self.blocking(KeyHub::status).await?;
            Ok(self.board.alarms(&status.health))
        })
    }

    fn get_key(&self, request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async {
            let answer = self.blocking(move |hub| hub.request(request)).await?;
            // The hub drops an answer only when the store refused the request as a whole.
            answer.await.unwrap_or(Err(RequestError::Sealed))
        })
    }

    fn get_key_with_ids(&self, request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async { self.blocking(move |hub| hub.fetch(&request)).await? })
    }
}
