//! Who may take how much, in what order, and what is written down of it: one gate for every delivery
//! standard.
//!
//! A request that is over its application's quota is refused before the store hears of it. What is
//! left waits for its turn, in one line for each application, so that a storm of one delays the
//! others by one request and not by all of them. Keys leave when the line in the audit log that says
//! so is durable: the store has forgotten them by then, so a line that cannot be written burns keys,
//! and no key ever leaves without one.

mod audit;
mod quota;
mod turns;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qkd_keystore::{DeliveredKey, KeyId, RequestError, SaeId};
use tokio::time::Instant;

pub use audit::{Api, Audit, Fault, Grant, NoAudit, Origin, Rejection, Written};
use quota::Quotas;
pub use quota::{OverQuota, SaeQuota};
use turns::Turns;

use crate::Error;
use crate::grpc::within;

/// Requests at the key store at once: what one of its commits takes together.
const TURNS_MAX: usize = 256;

/// When a caller may come again who has too many requests under way.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// How long a master is refused here once the other side has refused its keys: each request that
/// the other side refuses burns what it asked for.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// The gate in front of the key store. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    quotas: Mutex<Quotas>,
    /// Masters whose keys the other side does not take, and until when.
    refused: Mutex<BTreeMap<SaeId, Instant>>,
    turns: Turns,
    audit: Arc<dyn Audit>,
    began: Instant,
}

/// One call for keys, as far as the gate is concerned.
pub(crate) struct Visit<'a> {
    pub(crate) api: Api,
    pub(crate) call: &'static str,
    pub(crate) caller: &'a SaeId,
    pub(crate) partners: &'a [SaeId],
    pub(crate) origin: &'a Origin,
    /// Keys wanted.
    pub(crate) number: u32,
    /// Time for the answer.
    pub(crate) limit: Duration,
}

/// A request that is under way; dropping it ends it.
pub(crate) struct Open {
    access: Access,
    sae: SaeId,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.access.quotas().leave(&self.sae);
    }
}

impl Default for Access {
    /// No quota but the usual number of requests at once, and no log.
    fn default() -> Self {
        Self::new(SaeQuota::default(), BTreeMap::new(), Arc::new(NoAudit))
    }
}

impl Access {
    /// A gate with the quotas `of` some applications, those of `everybody` else, and a log.
    pub fn new(everybody: SaeQuota, of: BTreeMap<SaeId, SaeQuota>, audit: Arc<dyn Audit>) -> Self {
        Self {
            inner: Arc::new(Inner {
                quotas: Mutex::new(Quotas::new(everybody, of)),
                refused: Mutex::default(),
                turns: Turns::new(TURNS_MAX),
                audit,
                began: Instant::now(),
            }),
        }
    }

    /// Replaces the quotas; what was taken lately still counts.
    pub fn set_quotas(&self, everybody: SaeQuota, of: BTreeMap<SaeId, SaeQuota>) {
        self.quotas().set(everybody, of);
    }

    /// Counts one more request of `sae`, until what is returned is dropped.
    pub(crate) fn enter(&self, sae: &SaeId) -> Result<Open, Error> {
        let now = self.inner.began.elapsed();
        match self.quotas().enter(sae, now) {
            Ok(()) => Ok(Open {
                access: self.clone(),
                sae: sae.clone(),
            }),
            Err(quota) => Err(over(sae, quota, OPEN_AGAIN)),
        }
    }

    /// What the store answers to `ask`, for a caller that may have it, once that is written down.
    pub(crate) async fn keys(
        &self,
        visit: &Visit<'_>,
        ask: impl Future<Output = Result<Vec<DeliveredKey>, Error>>,
    ) -> Result<Vec<DeliveredKey>, Error> {
        let audit = &self.inner.audit;
        let unwritten = |reason| Error::Audit { reason };
        self.check_refused(visit.caller)?;
        audit.check().map_err(unwritten)?;
        let now = self.inner.began.elapsed();
        (self.quotas().take(visit.caller, visit.number, now))
            .map_err(|(quota, wait)| over(visit.caller, quota, wait))?;
        let turn_and_answer = async {
            let _turn = self.inner.turns.next(visit.caller).await;
            ask.await
        };
        let answer = within(visit.limit, turn_and_answer).await;
        let keys = answer.map_err(|error| self.note_refusal(visit.caller, error))?;
        let key_ids: Vec<KeyId> = keys.iter().map(|key| key.key_id).collect();
        let bytes = keys.first().map_or(0, |key| key.key.expose().len());
        let grant = Grant {
            api: visit.api,
            call: visit.call,
            caller: visit.caller,
            partners: visit.partners,
            origin: visit.origin,
            key_ids: &key_ids,
            // A key has 2^13 bits at most.
            size_bits: u32::try_from(bytes * 8).unwrap_or(u32::MAX),
        };
        // The keys are dropped, and so wiped, when it cannot be written.
        audit.granted(&grant).await.map_err(unwritten)?;
        Ok(keys)
    }

    /// Tells the log that a call was refused.
    pub(crate) fn refused(&self, rejection: &Rejection<'_>) {
        self.inner.audit.refused(rejection);
    }

    fn check_refused(&self, caller: &SaeId) -> Result<(), Error> {
        let mut refused = self.refused_lately();
        let Some(until) = refused.get(caller) else {
            return Ok(());
        };
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            refused.remove(caller);
            return Ok(());
        }
        Err(over(caller, OverQuota::Unfetched, wait))
    }

    /// Remembers a master whose keys the other side has no room for.
    fn note_refusal(&self, caller: &SaeId, error: Error) -> Error {
        match error {
            Error::Request(RequestError::TooManyUnfetched) => {
                let until = Instant::now() + REFUSED_FOR;
                self.refused_lately().insert(caller.clone(), until);
                over(caller, OverQuota::Unfetched, REFUSED_FOR)
            }
            other => other,
        }
    }

    fn quotas(&self) -> MutexGuard<'_, Quotas> {
        let quotas = self.inner.quotas.lock();
        quotas.unwrap_or_else(PoisonError::into_inner)
    }

    fn refused_lately(&self) -> MutexGuard<'_, BTreeMap<SaeId, Instant>> {
        let refused = self.inner.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner)
    }
}

fn over(sae: &SaeId, quota: OverQuota, retry_after: Duration) -> Error {
    Error::OverQuota {
        sae: sae.clone(),
        quota,
        retry_after,
    }
}

#[cfg(test)]
mod tests;
