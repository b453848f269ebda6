//! The status of a pool as it changes.

use std::time::Duration;

use qkd_keystore::SaeId;
use qkd_wire::proto::delivery as proto;
use tokio::sync::mpsc;
use tonic::Status;

use super::{GrpcKeyDelivery, within};
use crate::Error;
use crate::access::Open;

/// Shortest distance of two answers when the caller names none.
const INTERVAL: Duration = Duration::from_millis(500);

/// The shortest that is granted.
const INTERVAL_MIN: Duration = Duration::from_millis(50);

/// Longest time that a change goes unnoticed, should no event tell of it: alarms have none.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One caller who watches the pool.
pub(super) struct Watch {
    pub(super) service: GrpcKeyDelivery,
    pub(super) caller: SaeId,
    pub(super) slave: SaeId,
    /// Shortest distance of two answers.
    pub(super) interval: Duration,
    /// It counts as a request for as long as it lasts.
    pub(super) _open: Open,
}

/// What a caller wants, within what is granted.
pub(super) fn interval(wanted_ms: u32) -> Duration {
    match wanted_ms {
        0 => INTERVAL,
        ms => Duration::from_millis(ms.into()).max(INTERVAL_MIN),
    }
}

impl Watch {
    /// Answers at once, and then whenever there is something else to say, until the caller hangs
    /// up.
    pub(super) async fn run(self, answers: mpsc::Sender<Result<proto::PoolStatus, Status>>) {
        let mut changes = self.service.source.changes();
        let mut said = None;
        loop {
            changes.mark_unchanged();
            let status = match self.look().await {
                Ok(status) => status,
                Err(error) => {
                    let _hung_up = answers.send(Err(error.into())).await;
                    return;
                }
            };
            if said.as_ref() != Some(&status) {
                if answers.send(Ok(status.clone())).await.is_err() {
                    return;
                }
                said = Some(status);
            }
            let something_new = async {
                tokio::time::sleep(self.interval).await;
                let _changed_or_due = tokio::time::timeout(LOOK_EVERY, changes.changed()).await;
            };
            tokio::select! {
                () = something_new => {}
                () = answers.closed() => return,
            }
        }
    }

    async fn look(&self) -> Result<proto::PoolStatus, Error> {
        let Self {
            service,
            caller,
            slave,
            ..
        } = self;
        // It may have been taken out meanwhile.
        service.directory.check_caller(caller)?;
        let limit = service.answer_time_max;
        let pool = within(limit, service.source.pool()).await?;
        Ok(proto::PoolStatus {
            status: Some(service.status_of(&pool, caller, slave)),
            healthy: pool.is_healthy(),
            alarms: within(limit, service.source.alarms()).await?,
        })
    }
}
