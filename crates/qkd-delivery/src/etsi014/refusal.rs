//! Refusals: a status of HTTP and the Error object of clause 6.5.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};
use qkd_keystore::RequestError;
use serde_json::{Value, json};

use super::{ALLOW, respond};
use crate::Error;
use crate::access::Fault;

/// When a caller may hope for keys that are not there now, in seconds: about a block's time.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Why a request was not answered with what it asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// 400, 401, 503 as the standard says; 404, 405, 408, 413, 429 where it is silent.
    pub(super) status: StatusCode,
    /// `message` of the Error object: the standard's words where it has some.
    pub(super) message: String,
    /// `details` of the Error object; left out when empty.
    details: Vec<Value>,
    /// What would do.
    advice: Advice,
}

/// What a header of a refusal advises.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Advice {
    /// Nothing.
    None,
    /// One of these methods.
    Methods(&'static [Method]),
    /// To come again after so many seconds.
    Later(u64),
}

impl Refusal {
    /// A refusal without details.
    pub(super) fn new(status: StatusCode, message: String) -> Self {
        Self {
            status,
            message,
            details: Vec::new(),
            advice: Advice::None,
        }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.into())
    }

    /// 404.
    pub(super) fn no_such_path() -> Self {
        let expected = "/api/v1/keys/{SAE_ID}/status, /enc_keys or /dec_keys";
        let message = format!("there is nothing at this path, expected {expected}");
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 405, with the methods that are answered.
    pub(super) fn method(allowed: &'static [Method]) -> Self {
        let names = listed(allowed);
        let message = format!("this path does not answer this method, expected {names}");
        let mut refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, message);
        refusal.advice = Advice::Methods(allowed);
        refusal
    }

    /// With name and value pairs for whoever looks into it.
    pub(super) fn with_details(mut self, details: impl IntoIterator<Item = Value>) -> Self {
        self.details.extend(details);
        self
    }

    /// 503: it may be better in a while.
    pub(super) fn later(message: impl Into<String>) -> Self {
        let mut refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, message.into());
        refusal.advice = Advice::Later(RETRY_AFTER_SECONDS);
        refusal
    }

    /// 429 (RFC 6585): this caller alone has to wait. The standard's 503 says that the KME has a
    /// shortage or an outage, upon which a client may rightly turn to another one or raise an alarm.
    fn too_many(message: String, retry_after: Duration) -> Self {
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, message);
        // Whoever comes again must not be too early.
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        refusal.advice = Advice::Later(seconds.max(1));
        refusal
    }

    /// Whose fault it is, as the audit log sorts refusals.
    pub(super) fn fault(&self) -> Fault {
        match self.status {
            StatusCode::UNAUTHORIZED => Fault::Identity,
            StatusCode::TOO_MANY_REQUESTS => Fault::Quota,
            StatusCode::SERVICE_UNAVAILABLE => Fault::Unavailable,
            // Not our enum: whatever else is answered, the request was no good.
            _ => Fault::Request,
        }
    }
}

fn listed(methods: &[Method]) -> String {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    names.join(", ")
}

impl From<Refusal> for Response<Bytes> {
    fn from(refusal: Refusal) -> Self {
        let mut body = json!({ "message": refusal.message });
        if !refusal.details.is_empty() {
            body["details"] = Value::Array(refusal.details);
        }
        let mut response = respond(refusal.status, Bytes::from(body.to_string()));
        let headers = response.headers_mut();
        match refusal.advice {
            Advice::None => {}
            Advice::Methods(allowed) => {
                // Names of methods are tokens, which a header always takes.
                if let Ok(names) = HeaderValue::from_str(&listed(allowed)) {
                    headers.insert(ALLOW, names);
                }
            }
            Advice::Later(seconds) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Name { .. }
            | Error::KeyIdCount { .. }
            | Error::UnknownSae { .. }
            | Error::SameSide { .. }
            | Error::DuplicateSlave { .. } => Self::bad(message),
            Error::Certificate { .. }
            | Error::NoCertificate
            | Error::NoIdentity { .. }
            | Error::AmbiguousIdentity { .. }
            | Error::UnusableIdentity { .. }
            | Error::NotServedHere { .. } => Self::new(StatusCode::UNAUTHORIZED, message),
            Error::OverQuota { retry_after, .. } => Self::too_many(message, retry_after),
            Error::Audit { .. }
            | Error::KmeName { .. }
            | Error::DuplicateSae { .. }
            | Error::DeadlineExceeded { .. } => Self::later(message),
            Error::Request(error) => error.into(),
        }
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        let message = error.to_string();
        match error {
            RequestError::BadNumber { .. }
            | RequestError::SizeNotBytes { .. }
            | RequestError::BadSize { .. }
            | RequestError::BadSlaves { .. }
            | RequestError::DuplicateKeyId
            | RequestError::NotFound => Self::bad(message),
            RequestError::TooManyUnfetched => Self::too_many(message, Duration::from_secs(5)),
            RequestError::NotNamedAsSlave { .. } => Self::new(StatusCode::UNAUTHORIZED, message),
            RequestError::TooFewKeys { available, wanted } => Self::later("too few keys in store")
                .with_details([
                    json!({ "number": wanted }),
                    json!({ "available": available }),
                ]),
            RequestError::TooManyRequests
            | RequestError::PeerUnavailable
            | RequestError::PeerRefused { .. }
            | RequestError::Sealed => Self::later(message),
        }
    }
}
