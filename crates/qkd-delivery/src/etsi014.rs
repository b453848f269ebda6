//! ETSI GS QKD 014 V1.1.1, the REST-based key delivery API: requests to answers, and nothing else.
//!
//! A request is read and checked to its last member before the key store hears of it, so what is
//! refused costs no key, and what the store answers leaves in full. Whoever holds the socket brings
//! the name in the client's certificate and the request's whole body, and carries the answer away.
//! No socket is opened here, no clock is read, and no key is logged.
//!
//! Where the standard is silent: too few keys and a peer that cannot be reached are 503 with
//! `Retry-After`, unknown paths are 404, other methods 405, unknown members and unknown parameters
//! are ignored, an empty body asks for what the query says, and every refusal has an Error object
//! for its body, a 401 too.

mod body;
mod openapi;
mod refusal;
mod route;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use qkd_keystore::{KeyRequest, SaeId};

use crate::access::{Access, Api, Origin, Rejection, Visit};
use crate::grpc::within;
use crate::{Directory, Error, FetchRequest, KeySource, RequestLimits};
use body::{KeyOrder, container, key_ids, status};
pub use openapi::OPENAPI;
use refusal::Refusal;
use route::{Call, Route};

/// Largest body of a request in bytes: about a thousand key_IDs.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// Key delivery as ETSI GS QKD 014 describes it.
#[derive(Clone)]
pub struct Etsi014 {
    source: Arc<dyn KeySource>,
    directory: Arc<Directory>,
    answer_time_max: Duration,
    access: Access,
}

impl Etsi014 {
    /// A service over a key store and a directory of applications. The store has `answer_time_max`
    /// to answer. There are no quotas and no audit log until [`behind`](Self::behind).
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

    /// The answer to one request of `caller`: whom the certificate of the connection names, or why
    /// it names nobody. A request that was refused has an Error object for its body, as in clause
    /// 6.5 of the standard. Where the call comes from is an extension of the request, an [`Origin`].
    /// Dropping the future abandons the request: its keys may be burnt.
    pub async fn answer(
        &self,
        caller: &Result<SaeId, Error>,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        match self.call(caller, request).await {
            Ok(body) => respond(StatusCode::OK, body),
            Err(refusal) => {
                let (call, status) = (call_name(request.uri().path()), refusal.status.as_u16());
                tracing::info!(call, status, refusal = %refusal.message, "refused a call for keys");
                self.access.refused(&Rejection {
                    api: Api::Etsi014,
                    call,
                    caller: caller.as_ref().ok(),
                    origin: &origin(request),
                    fault: refusal.fault(),
                    reason: &refusal.message,
                });
                refusal.into()
            }
        }
    }

    async fn call(
        &self,
        caller: &Result<SaeId, Error>,
        request: &Request<Bytes>,
    ) -> Result<Bytes, Refusal> {
        let route = Route::of(request.uri().path())?;
        route.check_method(request.method())?;
        let (call, named) = match route {
            Route::OpenApi => return Ok(Bytes::from_static(OPENAPI.as_bytes())),
            Route::Keys { call, sae } => (call, sae),
        };
        let caller = caller.clone()?;
        self.directory.check_caller(&caller)?;
        let _open = self.access.enter(&caller)?;
        let origin = origin(request);
        let caller = (&caller, &origin);
        let query = request.uri().query().unwrap_or_default();
        // What a GET carries beside its query means nothing (RFC 9110, 9.3.1).
        let body = match *request.method() {
            Method::POST => request.body().trim_ascii(),
            _ => b"",
        };
        match call {
            Call::Status => self.status(caller.0, named).await,
            Call::EncKeys => self.fresh_keys(caller, named, (query, body)).await,
            Call::DecKeys => self.named_keys(caller, named, (query, body)).await,
        }
    }

    async fn status(&self, caller: &SaeId, slave: SaeId) -> Result<Bytes, Refusal> {
        self.directory.check_partner(&slave)?;
        let pool = within(self.answer_time_max, self.source.pool()).await?;
        Ok(status(&self.directory, &pool, (caller, &slave)))
    }

    async fn fresh_keys(
        &self,
        (master, origin): (&SaeId, &Origin),
        slave: SaeId,
        (query, body): (&str, &[u8]),
    ) -> Result<Bytes, Refusal> {
        let limits = self.source.limits();
        let order = KeyOrder::read(query, body)?;
        let (number, size_bits) = order.check(&limits)?;
        let unhandled = order.unhandled;
        let slaves = self.slaves(slave, order.additional_slaves, &limits)?;
        let request = KeyRequest {
            number,
            size_bits,
            master: master.clone(),
            slaves: slaves.clone(),
        };
        let visit = Visit {
            api: Api::Etsi014,
            call: Call::EncKeys.name(),
            caller: master,
            partners: &slaves,
            origin,
            number,
            limit: self.answer_time_max,
        };
        let ask = async { Ok(self.source.get_key(request).await?) };
        let keys = self.access.keys(&visit, ask).await?;
        tracing::info!(%master, keys = keys.len(), "delivered fresh keys to their master");
        Ok(container(&keys, &unhandled))
    }

    /// All slaves of a request, each at the other end of the link and named once.
    fn slaves(
        &self,
        first: SaeId,
        additional: Vec<SaeId>,
        limits: &RequestLimits,
    ) -> Result<Vec<SaeId>, Refusal> {
        let most = limits.additional_slaves_max() as usize;
        if additional.len() > most {
            return Err(Refusal::bad(format!(
                "additional_slave_SAE_IDs holds {} SAE IDs, it shall hold at most {most} \
                 (max_SAE_ID_count)",
                additional.len()
            )));
        }
        let mut slaves = Vec::with_capacity(1 + additional.len());
        let mut seen = BTreeSet::new();
        for sae in std::iter::once(first).chain(additional) {
            self.directory.check_partner(&sae)?;
            if !seen.insert(sae.clone()) {
                return Err(Error::DuplicateSlave { sae }.into());
            }
            slaves.push(sae);
        }
        Ok(slaves)
    }

    async fn named_keys(
        &self,
        (caller, origin): (&SaeId, &Origin),
        master: SaeId,
        (query, body): (&str, &[u8]),
    ) -> Result<Bytes, Refusal> {
        let key_ids = key_ids(query, body, self.source.limits().keys_per_request_max)?;
        self.directory.check_partner(&master)?;
        let request = FetchRequest {
            caller: caller.clone(),
            master: master.clone(),
            key_ids,
        };
        let visit = Visit {
            api: Api::Etsi014,
            call: Call::DecKeys.name(),
            caller,
            partners: &[master],
            origin,
            number: u32::try_from(request.key_ids.len()).unwrap_or(u32::MAX),
            limit: self.answer_time_max,
        };
        let ask = async { Ok(self.source.get_key_with_ids(request).await?) };
        let keys = self.access.keys(&visit, ask).await?;
        tracing::info!(slave = %caller, keys = keys.len(), "delivered named keys to their slave");
        Ok(container(&keys, &[]))
    }
}

/// Where a request comes from, as far as whoever holds the socket has said.
fn origin(request: &Request<Bytes>) -> Origin {
    let known = request.extensions().get::<Origin>();
    known.cloned().unwrap_or_default()
}

/// The call that a path is for, by its name in the path: `status`, `enc_keys`, `dec_keys`,
/// `openapi`, or `other`. For metrics and logs, whose words no caller may choose.
pub fn call_name(path: &str) -> &'static str {
    match Route::of(path) {
        Ok(Route::OpenApi) => "openapi",
        Ok(Route::Keys { call, .. }) => call.name(),
        Err(_) => "other",
    }
}

/// A refusal with an Error object that says `message`, for what goes wrong before a request is whole.
pub fn refuse(status: StatusCode, message: &str) -> Response<Bytes> {
    Refusal::new(status, message.to_owned()).into()
}

/// Every answer is JSON that nobody may keep.
fn respond(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
