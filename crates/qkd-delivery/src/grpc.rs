//! The gRPC standard, `qkd.delivery.v1`: fields and texts of ETSI GS QKD 014 V1.1.1.

mod deadline;
mod watch;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use proto::key_delivery_server::{KeyDelivery, KeyDeliveryServer};
use qkd_keystore::{DeliveredKey, KeyRequest, RequestError, SaeId};
use qkd_wire::proto::delivery as proto;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Code, Request, Response, Status};

use crate::access::{Access, Api, Open, Origin, Rejection, Visit};
use crate::{
    Caller, CallerInterceptor, Directory, Error, FetchRequest, IdentityRule, KeySource, Pool,
};
use watch::Watch;

/// Largest request in bytes: room for thousands of identities.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// The service with the identification of callers in front, ready for a tonic router.
pub type Server = InterceptedService<KeyDeliveryServer<GrpcKeyDelivery>, CallerInterceptor>;

/// Key delivery over gRPC.
#[derive(Clone)]
pub struct GrpcKeyDelivery {
    source: Arc<dyn KeySource>,
    directory: Arc<Directory>,
    answer_time_max: Duration,
    access: Access,
}

impl GrpcKeyDelivery {
    /// A service over a key store and a directory of applications. The store has the caller's
    /// deadline to answer, but never longer than `answer_time_max`. There are no quotas and no audit
    /// log until [`behind`](Self::behind).
    pub fn new(
        source: Arc<dyn KeySource>,
        directory: Arc<Directory>,
        answer_time_max: Duration,
    ) -> Self {
        Self {
            source,
            directory,
            answer_time_max,
            access: Access::default(),
        }
    }

    /// The same service behind this gate.
    pub fn behind(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The service as a router takes it: callers are named by their certificates as `rule` says.
    pub fn into_server(self, rule: IdentityRule) -> Server {
        let interceptor = CallerInterceptor::new(rule).with_log(self.access.clone());
        let server = KeyDeliveryServer::new(self).max_decoding_message_size(REQUEST_BYTES_MAX);
        InterceptedService::new(server, interceptor)
    }

    /// Who calls, one of this entity's own applications, and how long the store may take.
    fn admit<T>(&self, request: &Request<T>) -> Result<Admitted, Error> {
        let caller = Caller::of(request)?;
        self.directory.check_caller(&caller)?;
        let open = self.access.enter(&caller)?;
        let wanted = deadline::of(request.metadata());
        let limit = wanted.map_or(self.answer_time_max, |wanted| {
            wanted.min(self.answer_time_max)
        });
        Ok(Admitted {
            caller,
            origin: origin(request),
            limit,
            open,
        })
    }

    /// An application at the other end of the link, from a field of a request.
    fn partner(&self, field: &'static str, name: String) -> Result<SaeId, Error> {
        let sae = SaeId::new(name).map_err(|source| Error::Name { field, source })?;
        self.directory.check_partner(&sae)?;
        Ok(sae)
    }

    async fn status(
        &self,
        request: Request<proto::GetStatusRequest>,
    ) -> Result<proto::Status, Error> {
        let admitted = self.admit(&request)?;
        let slave = self.partner("slave_sae_id", request.into_inner().slave_sae_id)?;
        let pool = within(admitted.limit, self.source.pool()).await?;
        Ok(self.status_of(&pool, &admitted.caller, &slave))
    }

    fn status_of(&self, pool: &Pool, caller: &SaeId, slave: &SaeId) -> proto::Status {
        proto::Status {
            source_kme_id: self.directory.local().to_string(),
            target_kme_id: self.directory.peer().to_string(),
            master_sae_id: caller.to_string(),
            slave_sae_id: slave.to_string(),
            key_size: pool.key_size_bits,
            stored_key_count: pool.stored_key_count,
            max_key_count: pool.key_count_max,
            max_key_per_request: pool.keys_per_request_max,
            max_key_size: pool.key_size_max_bits,
            min_key_size: pool.key_size_min_bits,
            max_sae_id_count: pool.additional_slaves_max(),
        }
    }

    /// What the caller is told; a refusal is logged.
    fn answered<T>(
        &self,
        who: &Who,
        call: &'static str,
        result: Result<T, Error>,
    ) -> Result<Response<T>, Status> {
        let error = match result {
            Ok(answer) => return Ok(Response::new(answer)),
            Err(error) => error,
        };
        let reason = error.to_string();
        tracing::info!(call, reason, "refused a call for keys");
        self.access.refused(&Rejection {
            api: Api::Grpc,
            call,
            caller: who.caller.as_ref(),
            origin: &who.origin,
            fault: error.fault(),
            reason: &reason,
        });
        Err(error.into())
    }

    fn watch(&self, request: Request<proto::WatchPoolRequest>) -> Result<Watch, Error> {
        let admitted = self.admit(&request)?;
        let proto::WatchPoolRequest {
            slave_sae_id,
            interval_ms,
        } = request.into_inner();
        Ok(Watch {
            service: self.clone(),
            caller: admitted.caller,
            slave: self.partner("slave_sae_id", slave_sae_id)?,
            interval: watch::interval(interval_ms),
            _open: admitted.open,
        })
    }

    async fn fresh_keys(
        &self,
        request: Request<proto::GetKeyRequest>,
    ) -> Result<proto::KeyContainer, Error> {
        let Admitted {
            caller: master,
            origin,
            limit,
            open: _open,
        } = self.admit(&request)?;
        let proto::GetKeyRequest {
            slave_sae_id,
            number,
            size,
            additional_slave_sae_ids,
        } = request.into_inner();
        let mut slaves = vec![self.partner("slave_sae_id", slave_sae_id)?];
        let mut seen = BTreeSet::from([slaves[0].clone()]);
        for name in additional_slave_sae_ids {
            let sae = self.partner("additional_slave_sae_ids", name)?;
            if !seen.insert(sae.clone()) {
                return Err(Error::DuplicateSlave { sae });
            }
            slaves.push(sae);
        }
        let limits = self.source.limits();
        let number = number.unwrap_or(0).max(1);
        let max = limits.keys_per_request_max;
        // Before it is counted against a quota.
        if number > max {
            return Err(RequestError::BadNumber { number, max }.into());
        }
        let request = KeyRequest {
            number,
            size_bits: size.unwrap_or(limits.key_size_bits),
            master: master.clone(),
            slaves: slaves.clone(),
        };
        let visit = Visit {
            api: Api::Grpc,
            call: "GetKey",
            caller: &master,
            partners: &slaves,
            origin: &origin,
            number: request.number,
            limit,
        };
        let ask = async { Ok(self.source.get_key(request).await?) };
        let keys = self.access.keys(&visit, ask).await?;
        tracing::info!(%master, keys = keys.len(), "delivered fresh keys to their master");
        Ok(container(keys))
    }

    async fn named_keys(
        &self,
        request: Request<proto::GetKeyWithIdsRequest>,
    ) -> Result<proto::KeyContainer, Error> {
        let Admitted {
            caller,
            origin,
            limit,
            open: _open,
        } = self.admit(&request)?;
        let proto::GetKeyWithIdsRequest {
            master_sae_id,
            key_ids,
        } = request.into_inner();
        let master = self.partner("master_sae_id", master_sae_id)?;
        let max = self.source.limits().keys_per_request_max;
        let number = match u32::try_from(key_ids.len()) {
            Ok(number) if (1..=max).contains(&number) => number,
            Ok(_) | Err(_) => {
                let number = key_ids.len();
                return Err(Error::KeyIdCount { number, max });
            }
        };
        let field = "key_ids";
        let key_ids = key_ids
            .iter()
            .map(|text| text.parse().map_err(|source| Error::Name { field, source }))
            .collect::<Result<_, _>>()?;
        let request = FetchRequest {
            caller: caller.clone(),
            master: master.clone(),
            key_ids,
        };
        let visit = Visit {
            api: Api::Grpc,
            call: "GetKeyWithIds",
            caller: &caller,
            partners: &[master],
            origin: &origin,
            number,
            limit,
        };
        let ask = async { Ok(self.source.get_key_with_ids(request).await?) };
        let keys = self.access.keys(&visit, ask).await?;
        tracing::info!(slave = %caller, keys = keys.len(), "delivered named keys to their slave");
        Ok(container(keys))
    }
}

#[tonic::async_trait]
impl KeyDelivery for GrpcKeyDelivery {
    type WatchPoolStream = ReceiverStream<Result<proto::PoolStatus, Status>>;

    async fn get_status(
        &self,
        request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::Status>, Status> {
        let who = Who::of(&request);
        self.answered(&who, "GetStatus", self.status(request).await)
    }

    async fn get_key(
        &self,
        request: Request<proto::GetKeyRequest>,
    ) -> Result<Response<proto::KeyContainer>, Status> {
        let who = Who::of(&request);
        self.answered(&who, "GetKey", self.fresh_keys(request).await)
    }

    async fn get_key_with_ids(
        &self,
        request: Request<proto::GetKeyWithIdsRequest>,
    ) -> Result<Response<proto::KeyContainer>, Status> {
        let who = Who::of(&request);
        self.answered(&who, "GetKeyWithIds", self.named_keys(request).await)
    }

    async fn watch_pool(
        &self,
        request: Request<proto::WatchPoolRequest>,
    ) -> Result<Response<Self::WatchPoolStream>, Status> {
        let (answers, stream) = mpsc::channel(1);
        let who = Who::of(&request);
        let watching = self.answered(&who, "WatchPool", self.watch(request))?;
        let watching = watching.into_inner();
        tokio::spawn(watching.run(answers));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// What the store answers, unless that takes too long.
pub(crate) async fn within<T, E: Into<Error>>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(E::into),
        Err(_) => Err(Error::DeadlineExceeded { limit }),
    }
}

/// A call that may go on.
struct Admitted {
    caller: SaeId,
    origin: Origin,
    /// How long the store may take.
    limit: Duration,
    open: Open,
}

/// Who calls, for the log.
struct Who {
    caller: Option<SaeId>,
    origin: Origin,
}

impl Who {
    fn of<T>(request: &Request<T>) -> Self {
        Self {
            caller: Caller::of(request).ok(),
            origin: origin(request),
        }
    }
}

fn origin<T>(request: &Request<T>) -> Origin {
    let known = request.extensions().get::<Origin>();
    known.cloned().unwrap_or_default()
}

/// The keys' last step: from here they are wiped when the answer has been encoded.
fn container(keys: Vec<DeliveredKey>) -> proto::KeyContainer {
    proto::KeyContainer {
        keys: keys
            .into_iter()
            .map(|delivered| proto::Key {
                key_id: delivered.key_id.to_string(),
                key: delivered.key.expose().to_vec(),
            })
            .collect(),
    }
}

/// When to come again, as clients with a retry policy understand it (gRPC proposal A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut status = Status::new(code(&error), error.to_string());
        if let Error::OverQuota { retry_after, .. } = error {
            let ms = retry_after.as_nanos().div_ceil(1_000_000);
            let ms = i32::try_from(ms).unwrap_or(i32::MAX);
            status.metadata_mut().insert(PUSHBACK, ms.into());
        }
        status
    }
}

/// What the standard calls 400 is an argument, 401 an identity, 503 a shortage or an outage.
fn code(error: &Error) -> Code {
    match error {
        Error::Name { .. }
        | Error::KeyIdCount { .. }
        | Error::UnknownSae { .. }
        | Error::SameSide { .. }
        | Error::DuplicateSlave { .. } => Code::InvalidArgument,
        Error::Certificate { .. }
        | Error::NoCertificate
        | Error::NoIdentity { .. }
        | Error::AmbiguousIdentity { .. }
        | Error::UnusableIdentity { .. } => Code::Unauthenticated,
        Error::NotServedHere { .. } => Code::PermissionDenied,
        Error::OverQuota { .. } => Code::ResourceExhausted,
        Error::Audit { .. } => Code::Unavailable,
        Error::KmeName { .. } | Error::DuplicateSae { .. } => Code::Internal,
        Error::DeadlineExceeded { .. } => Code::DeadlineExceeded,
        Error::Request(error) => request_code(error),
    }
}

fn request_code(error: &RequestError) -> Code {
    match error {
        RequestError::BadNumber { .. }
        | RequestError::SizeNotBytes { .. }
        | RequestError::BadSize { .. }
        | RequestError::BadSlaves { .. }
        | RequestError::DuplicateKeyId => Code::InvalidArgument,
        RequestError::NotFound => Code::NotFound,
        RequestError::NotNamedAsSlave { .. } => Code::PermissionDenied,
        RequestError::TooFewKeys { .. }
        | RequestError::TooManyRequests
        | RequestError::TooManyUnfetched => Code::ResourceExhausted,
        RequestError::PeerUnavailable | RequestError::PeerRefused { .. } | RequestError::Sealed => {
            Code::Unavailable
        }
    }
}

#[cfg(test)]
mod tests;
