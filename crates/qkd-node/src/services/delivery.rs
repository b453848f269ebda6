//! The key store as the delivery standards see it.

use std::sync::Arc;

use qkd_delivery::{Answer, FetchRequest, KeySource, Pool, RequestLimits};
use qkd_keystore::{DeliveredKey, KeyRequest, RequestError, StoreLimits};
use tokio::sync::watch;

use crate::hub::{KeyAnswer, KeyHub};
use crate::status::StatusBoard;

/// The hub behind the delivery port.
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
}

/// The hub drops an answer only when the process is going down.
const GOING_DOWN: KeyAnswer = Err(RequestError::Sealed);

impl KeySource for HubKeySource {
    fn pool(&self) -> Answer<'_, Pool> {
        Box::pin(async { Ok(Pool::new(&self.limits, &self.hub.status())) })
    }

    fn limits(&self) -> RequestLimits {
        RequestLimits::from(&self.limits)
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.hub.changes()
    }

    fn alarms(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(self.board.alarms(&self.hub.status().health)) })
    }

    fn get_key(&self, request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>> {
        let answer = self.hub.request(request);
        Box::pin(async { answer.await.unwrap_or(GOING_DOWN) })
    }

    fn get_key_with_ids(&self, request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>> {
        let answer = self.hub.fetch(request);
        Box::pin(async { answer.await.unwrap_or(GOING_DOWN) })
    }
}
