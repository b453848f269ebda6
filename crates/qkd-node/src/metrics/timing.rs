//! How long calls take, as their callers see it.

use std::task::{Context, Poll};
use std::time::Instant;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, Result};
use tonic::Code;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

/// From a status, which asks nobody, to a key that waits for the other side.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Durations of a service's calls by method and outcome. Cheap to clone.
#[derive(Clone)]
pub struct CallTimes {
    times: HistogramVec,
    /// Calls that are told apart; whatever else a caller may call is `other`.
    methods: &'static [&'static str],
}

impl CallTimes {
    /// Of key delivery; no calls yet.
    ///
    /// # Errors
    /// When the library does not take a name.
    pub fn of_delivery() -> Result<Self> {
        Self::new(
            "qkd_delivery_request_duration_seconds",
            "Time until a call for keys was answered, by method and gRPC status code; for a stream, \
             until it began.",
            &["GetStatus", "GetKey", "GetKeyWithIds", "WatchPool"],
        )
    }

    /// Of messaging; no calls yet.
    ///
    /// # Errors
    /// When the library does not take a name.
    pub fn of_messaging() -> Result<Self> {
        Self::new(
            "qkd_messaging_request_duration_seconds",
            "Time until a call about messages was answered, by method and gRPC status code; for a \
             stream, until it began.",
            &["Submit", "Receive", "Acknowledge"],
        )
    }

    fn new(name: &str, help: &str, methods: &'static [&'static str]) -> Result<Self> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        let times = HistogramVec::new(options, &["method", "code"])?;
        // Calls that did not happen yet are 0, and not unknown.
        for method in methods {
            times.get_metric_with_label_values(&[*method, code_name(Code::Ok)])?;
        }
        Ok(Self { times, methods })
    }

    fn observe(&self, path: &str, code: Code, seconds: f64) {
        let called = path.rsplit('/').next().unwrap_or_default();
        let method = self.methods.iter().find(|method| **method == called);
        let labels = [method.copied().unwrap_or("other"), code_name(code)];
        if let Ok(times) = self.times.get_metric_with_label_values(&labels) {
            times.observe(seconds);
        }
    }
}

impl Collector for CallTimes {
    fn desc(&self) -> Vec<&prometheus::core::Desc> {
        self.times.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.times.collect()
    }
}

/// Durations of calls over HTTP by call and status. Cheap to clone.
#[derive(Clone)]
pub struct HttpTimes(HistogramVec);

impl HttpTimes {
    /// Of key delivery by ETSI GS QKD 014; no calls yet.
    ///
    /// # Errors
    /// When the library does not take a name.
    pub fn of_etsi014() -> Result<Self> {
        let options = HistogramOpts::new(
            "qkd_etsi014_request_duration_seconds",
            "Time until a call of ETSI GS QKD 014 was answered, by call and HTTP status.",
        );
        let times = HistogramVec::new(options.buckets(SECONDS.to_vec()), &["call", "status"])?;
        // Calls that did not happen yet are 0, and not unknown.
        for call in ["status", "enc_keys", "dec_keys"] {
            times.get_metric_with_label_values(&[call, "200"])?;
        }
        Ok(Self(times))
    }

    /// One call, by a name from a closed set, and what became of it.
    pub fn observe(&self, call: &'static str, status: http::StatusCode, seconds: f64) {
        if let Ok(times) = self
            .0
            .get_metric_with_label_values(&[call, status.as_str()])
        {
            times.observe(seconds);
        }
    }
}

impl Collector for HttpTimes {
    fn desc(&self) -> Vec<&prometheus::core::Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.collect()
    }
}

/// A service whose calls are timed.
#[derive(Clone)]
pub struct Timed<S> {
    service: S,
    times: CallTimes,
}

impl<S> Timed<S> {
    /// Times the calls of `service`.
    pub fn new(service: S, times: CallTimes) -> Self {
        Self { service, times }
    }
}

impl<S: NamedService> NamedService for Timed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, Q, A> Service<http::Request<Q>> for Timed<S>
where
    S: Service<http::Request<Q>, Response = http::Response<A>>,
    S::Future: Send + 'static,
    A: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Q>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let times = self.times.clone();
        let began = Instant::now();
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = match &answer {
                Ok(answer) => code(answer.headers()),
                Err(_) => Code::Unknown,
            };
            times.observe(&path, code, began.elapsed().as_secs_f64());
            answer
        })
    }
}

/// A call that failed says so in its first headers; one that succeeded, after its answer.
fn code(headers: &http::HeaderMap) -> Code {
    match headers.get("grpc-status") {
        Some(status) => Code::from_bytes(status.as_bytes()),
        None => Code::Ok,
    }
}

/// The code as the gRPC specification writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
