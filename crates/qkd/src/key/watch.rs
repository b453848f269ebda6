//! `qkd key watch`: how many keys there are, again and again.

use qkd_wire::proto::delivery::{GetStatusRequest, Status};
use serde::Serialize;
use tonic::Code;

use super::{Error, WatchArgs, delivery};
use crate::client::{self, Connected, within};
use crate::exit::Exit;
use crate::live::{Live, until_stopped};
use crate::output::{one_line, print};
use crate::words::{counted, grouped};

/// What a look has shown; its serialized fields are what `--json` promises.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Look {
    /// The node's answer, with the names of ETSI GS QKD 014, 6.1.
    Pool(Pool),
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
}

impl From<Status> for Pool {
    fn from(status: Status) -> Self {
        Self {
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
    fn text(&self) -> String {
        match self {
            Look::Pool(pool) => one_line(&format!(
                "{} → {}: {} of {} bits at {}, room for {}",
                pool.master_sae_id,
                pool.slave_sae_id,
                counted(pool.stored_key_count, "key"),
                pool.key_size,
                pool.source_kme_id,
                grouped(pool.max_key_count),
            )),
            Look::Nothing { error } => format!("not reachable: {error}"),
        }
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
    let mut connected = None;
    match look(args, &mut connected).await {
        Err(error) if !may_pass(&error) => return Err(error),
        Ok(_) | Err(_) => {}
    }
    Ok(until_stopped(again(args, connected)).await?)
}

async fn again(args: &WatchArgs, mut connected: Option<Connected>) -> Result<(), client::Error> {
    let mut live = Live::new();
    let mut last = None;
    loop {
        let look = match look(args, &mut connected).await {
            Ok(pool) => Look::Pool(pool),
            Err(error) => {
                // The next look reads profile and certificates again: they may be new ones.
                connected = None;
                let error = one_line(&error.to_string());
                Look::Nothing { error }
            }
        };
        let shown = if !args.json {
            live.show(&[look.text()], &look.text())
        } else if last.as_ref() != Some(&look) {
            print(&format!("{}\n", look.json()))
        } else {
            Ok(())
        };
        shown.map_err(client::Error::io("print the number of keys"))?;
        last = Some(look);
        tokio::time::sleep(args.interval).await;
    }
}

async fn look(args: &WatchArgs, connected: &mut Option<Connected>) -> Result<Pool, Error> {
    let connected = match connected {
        Some(connected) => connected,
        None => connected.insert(args.client.connect().await?),
    };
    let request = GetStatusRequest {
        slave_sae_id: args.to.clone(),
    };
    match within(delivery(connected).get_status(request)).await {
        Ok(status) => Ok(status.into()),
        Err(status) => Err(Error::Refused {
            what: format!(
                "ask {} how many keys {} and {} have",
                connected.node, connected.name, args.to
            ),
            status,
        }),
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
        Pool::from(Status {
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
        })
    }

    #[test]
    fn a_pool_has_the_names_of_the_standard() {
        let expected = serde_json::json!({
            "source_KME_ID": "kme-alice", "target_KME_ID": "kme-bob", "master_SAE_ID": "sae-alice",
            "slave_SAE_ID": "sae-bob", "key_size": 256, "stored_key_count": 1720,
            "max_key_count": 10_000, "max_key_per_request": 128, "max_key_size": 1024,
            "min_key_size": 64, "max_SAE_ID_count": 15,
        });
        let json: serde_json::Value = serde_json::from_str(&Look::Pool(pool()).json()).unwrap();
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
            Look::Pool(pool()).text(),
            "sae-alice → sae-bob: 1,720 keys of 256 bits at kme-alice, room for 10,000"
        );
    }
}
