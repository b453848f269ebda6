//! `qkd key watch`: how many keys there are, again and again.

use qkd_wire::proto::delivery::{PoolStatus, WatchPoolRequest};
use serde::Serialize;
use tonic::{Code, Status, Streaming};

use super::{Error, WatchArgs, delivery};
use crate::client::{self, within};
use crate::exit::Exit;
use crate::live::{Live, until_stopped};
use crate::output::{one_line, print};
use crate::words::{counted, grouped};

/// What a look has shown; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Look {
    /// The node's answer, with the names of ETSI GS QKD 014, 6.1, and how its store is.
    Pool(Box<Pool>),
    /// There was none.
    Nothing {
        /// Why.
        error: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Pool {
    #[serde(rename = "source_KME_ID")]
    source_kme_id: String,
    #[serde(rename = "target_KME_ID")]
    target_kme_id: String,
    #[serde(rename = "master_SAE_ID")]
    master_sae_id: String,
    #[serde(rename = "slave_SAE_ID")]
    slave_sae_id: String,
    key_size: u32,
    stored_key_count: u64,
    max_key_count: u64,
    max_key_per_request: u32,
    max_key_size: u32,
    min_key_size: u32,
    #[serde(rename = "max_SAE_ID_count")]
    max_sae_id_count: u32,
    healthy: bool,
    alarms: Vec<String>,
}

impl From<PoolStatus> for Pool {
    fn from(pool: PoolStatus) -> Self {
        let status = pool.status.unwrap_or_default();
        Self {
            healthy: pool.healthy,
            alarms: pool.alarms,
            source_kme_id: status.source_kme_id,
            target_kme_id: status.target_kme_id,
            master_sae_id: status.master_sae_id,
            slave_sae_id: status.slave_sae_id,
            key_size: status.key_size,
            stored_key_count: status.stored_key_count,
            max_key_count: status.max_key_count,
            max_key_per_request: status.max_key_per_request,
            max_key_size: status.max_key_size,
            min_key_size: status.min_key_size,
            max_sae_id_count: status.max_sae_id_count,
        }
    }
}

impl Look {
    fn lines(&self) -> Vec<String> {
        let pool = match self {
            Look::Pool(pool) => pool,
            Look::Nothing { error } => return vec![format!("not reachable: {error}")],
        };
        let keys = format!(
            "{} → {}: {} of {} bits at {}, room for {}",
            pool.master_sae_id,
            pool.slave_sae_id,
            counted(pool.stored_key_count, "key"),
            pool.key_size,
            pool.source_kme_id,
            grouped(pool.max_key_count),
        );
        let alarms = pool.alarms.iter().map(|alarm| format!("ALARM: {alarm}"));
        let lines = std::iter::once(keys).chain(alarms);
        lines.map(|line| one_line(&line)).collect()
    }

    fn json(&self) -> String {
        // Texts and numbers: none of them can be refused.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"error":"no JSON"}"#.to_owned())
    }
}

/// Watches until somebody stops it.
pub(super) async fn watch(args: &WatchArgs) -> Result<Exit, Error> {
    // What is wrong with the profile, or with the partner's name, does not get better by waiting.
    args.client.profile()?;
    let stream = match open(args).await {
        Ok(stream) => Ok(stream),
        Err(error) if may_pass(&error) => Err(error),
        Err(error) => return Err(error),
    };
    Ok(until_stopped(again(args, stream)).await?)
}

/// Shows what comes, and opens the stream again whenever it ends.
async fn again(args: &WatchArgs, stream: Result<Pools, Error>) -> Result<(), client::Error> {
    let mut shown = Shown::new(args);
    let mut next = Some(stream);
    loop {
        let stream = match next.take() {
            Some(stream) => stream,
            // Profile and certificates are read again: they may be new ones.
            None => open(args).await,
        };
        let ended = match stream {
            Ok(mut stream) => loop {
                match stream.next().await {
                    Ok(pool) => shown.show(Look::Pool(Box::new(pool)))?,
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        let error = one_line(&ended.to_string());
        shown.show(Look::Nothing { error })?;
        tokio::time::sleep(args.interval).await;
    }
}

/// Where looks are shown, and what was shown last.
struct Shown {
    json: bool,
    live: Live,
    last: Option<Look>,
}

impl Shown {
    fn new(args: &WatchArgs) -> Self {
        Self {
            json: args.json,
            live: Live::new(),
            last: None,
        }
    }

    fn show(&mut self, look: Look) -> Result<(), client::Error> {
        let shown = if !self.json {
            self.live.show(&look.lines(), &look.lines().join("; "))
        } else if self.last.as_ref() != Some(&look) {
            print(&format!("{}\n", look.json()))
        } else {
            Ok(())
        };
        self.last = Some(look);
        shown.map_err(client::Error::io("print the number of keys"))
    }
}

/// What a node tells of a pool.
struct Pools {
    what: String,
    stream: Streaming<PoolStatus>,
}

impl Pools {
    async fn next(&mut self) -> Result<Pool, Error> {
        let status = match self.stream.message().await {
            Ok(Some(pool)) => return Ok(pool.into()),
            Ok(None) => Status::unavailable("the node ended the stream"),
            Err(status) => status,
        };
        Err(Error::Refused {
            what: self.what.clone(),
            status,
        })
    }
}

async fn open(args: &WatchArgs) -> Result<Pools, Error> {
    let connected = args.client.connect().await?;
    let what = format!(
        "ask {} how many keys {} and {} have",
        connected.node, connected.name, args.to
    );
    let request = WatchPoolRequest {
        slave_sae_id: args.to.clone(),
        // The longest interval of the command line is far below 2³² ms.
        interval_ms: u32::try_from(args.interval.as_millis()).unwrap_or(u32::MAX),
    };
    match within(delivery(&connected).watch_pool(request)).await {
        Ok(stream) => Ok(Pools { what, stream }),
        Err(status) => Err(Error::Refused { what, status }),
    }
}

/// Whether an error may be over at the next look. Names and rights do not change by themselves.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Refused { status, .. } => !matches!(
            status.code(),
            Code::InvalidArgument | Code::PermissionDenied | Code::Unauthenticated
        ),
        Error::Client(client::Error::Unreachable { .. }) => true,
        Error::Client(
            client::Error::Config(_)
            | client::Error::Tls(_)
            | client::Error::AnyPort { .. }
            | client::Error::NoProfile { .. }
            | client::Error::Named { .. }
            | client::Error::Refused { .. }
            | client::Error::Io { .. },
        )
        | Error::OtherKeys { .. }
        | Error::Output { .. }
        | Error::Lost { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let status = qkd_wire::proto::delivery::Status {
            source_kme_id: "kme-alice".to_owned(),
            target_kme_id: "kme-bob".to_owned(),
            master_sae_id: "sae-alice".to_owned(),
            slave_sae_id: "sae-bob".to_owned(),
            key_size: 256,
            stored_key_count: 1720,
            max_key_count: 10_000,
            max_key_per_request: 128,
            max_key_size: 1024,
            min_key_size: 64,
            max_sae_id_count: 15,
        };
        Pool::from(PoolStatus {
            status: Some(status),
            healthy: true,
            alarms: vec!["mind\nthe gap".to_owned()],
        })
    }

    #[test]
    fn a_pool_has_the_names_of_the_standard() {
        let expected = serde_json::json!({
            "source_KME_ID": "kme-alice", "target_KME_ID": "kme-bob", "master_SAE_ID": "sae-alice",
            "slave_SAE_ID": "sae-bob", "key_size": 256, "stored_key_count": 1720,
            "max_key_count": 10_000, "max_key_per_request": 128, "max_key_size": 1024,
            "min_key_size": 64, "max_SAE_ID_count": 15, "healthy": true,
            "alarms": ["mind\nthe gap"],
        });
        let json: serde_json::Value =
            serde_json::from_str(&Look::Pool(Box::new(pool())).json()).unwrap();
        assert_eq!(json, expected);
        let error = "connection refused".to_owned();
        assert_eq!(
            Look::Nothing { error }.json(),
            r#"{"error":"connection refused"}"#
        );
    }

    #[test]
    fn a_person_reads_how_many_keys_there_are_for_whom() {
        assert_eq!(
            Look::Pool(Box::new(pool())).lines(),
            [
                "sae-alice → sae-bob: 1,720 keys of 256 bits at kme-alice, room for 10,000",
                "ALARM: mind the gap",
            ]
        );
    }
}
