//! The calls as an application makes them, over a key store in memory and without a socket.

use std::collections::BTreeMap;
use std::sync::Mutex;

use qkd_bits::SecretBytes;
use qkd_keystore::KeyId;
use tokio::sync::watch;

use super::*;
use crate::{Answer, Kme, KmeId, Pool, RequestLimits};

/// Keys handed out, by identity, with the master and the slaves they are for.
type Assigned = BTreeMap<KeyId, (Vec<u8>, SaeId, Vec<SaeId>)>;

/// The keys of an answer as (identity, bytes), or the refusal as (code, text).
type Answered = Result<Vec<(String, Vec<u8>)>, (Code, String)>;

/// A store with the rules of a real one, and failures on demand.
#[derive(Default)]
struct MemorySource {
    made: Mutex<u8>,
    assigned: Mutex<Assigned>,
    failure: Mutex<Option<RequestError>>,
    silent: bool,
    changes: watch::Sender<()>,
    alarms: Mutex<Vec<String>>,
}

const POOL: Pool = Pool {
    key_size_bits: 256,
    key_size_min_bits: 64,
    key_size_max_bits: 1024,
    keys_per_request_max: 4,
    slaves_per_request_max: 2,
    stored_key_count: 10,
    key_count_max: 100,
};

impl MemorySource {
    fn make(&self, request: &KeyRequest) -> Result<Vec<DeliveredKey>, RequestError> {
        let &KeyRequest {
            number, size_bits, ..
        } = request;
        if let Some(failure) = self.failure.lock().unwrap().clone() {
            return Err(failure);
        }
        if number > POOL.keys_per_request_max {
            let max = POOL.keys_per_request_max;
            return Err(RequestError::BadNumber { number, max });
        }
        if size_bits % 8 != 0 {
            return Err(RequestError::SizeNotBytes { size_bits });
        }
        if !(POOL.key_size_min_bits..=POOL.key_size_max_bits).contains(&size_bits) {
            return Err(RequestError::BadSize {
                size_bits,
                min_bits: POOL.key_size_min_bits,
                max_bits: POOL.key_size_max_bits,
            });
        }
        let mut made = self.made.lock().unwrap();
        let mut keys = Vec::new();
        for _ in 0..number {
            *made += 1;
            let key_id = KeyId::from_bytes([*made; 16]);
            let key = vec![*made; size_bits as usize / 8];
            let entry = (key.clone(), request.master.clone(), request.slaves.clone());
            self.assigned.lock().unwrap().insert(key_id, entry);
            let key = SecretBytes::from(key);
            keys.push(DeliveredKey { key_id, key });
        }
        Ok(keys)
    }

    fn take(&self, request: &FetchRequest) -> Result<Vec<DeliveredKey>, RequestError> {
        let mut assigned = self.assigned.lock().unwrap();
        let distinct: BTreeSet<_> = request.key_ids.iter().collect();
        if distinct.len() != request.key_ids.len() {
            return Err(RequestError::DuplicateKeyId);
        }
        for id in &request.key_ids {
            let (_, master, slaves) = assigned.get(id).ok_or(RequestError::NotFound)?;
            if !slaves.contains(&request.caller) {
                let caller = request.caller.clone();
                return Err(RequestError::NotNamedAsSlave { caller });
            }
            if *master != request.master {
                return Err(RequestError::NotFound);
            }
        }
        let take = |key_id: &KeyId| {
            let (key, _, _) = assigned.remove(key_id).ok_or(RequestError::NotFound)?;
            let (key_id, key) = (*key_id, SecretBytes::from(key));
            Ok(DeliveredKey { key_id, key })
        };
        request.key_ids.iter().map(take).collect()
    }
}

impl KeySource for MemorySource {
    fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn alarms(&self) -> Answer<'_, Vec<String>> {
        Box::pin(async { Ok(self.alarms.lock().unwrap().clone()) })
    }

    fn pool(&self) -> Answer<'_, Pool> {
        Box::pin(async {
            let made = u64::from(*self.made.lock().unwrap());
            Ok(Pool {
                stored_key_count: POOL.stored_key_count.saturating_sub(made),
                ..POOL
            })
        })
    }

    fn limits(&self) -> RequestLimits {
        RequestLimits {
            key_size_bits: POOL.key_size_bits,
            key_size_min_bits: POOL.key_size_min_bits,
            key_size_max_bits: POOL.key_size_max_bits,
            keys_per_request_max: POOL.keys_per_request_max,
            slaves_per_request_max: POOL.slaves_per_request_max,
        }
    }

    fn get_key(&self, request: KeyRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async move {
            if self.silent {
                std::future::pending::<()>().await;
            }
            self.make(&request)
        })
    }

    fn get_key_with_ids(&self, request: FetchRequest) -> Answer<'_, Vec<DeliveredKey>> {
        Box::pin(async move { self.take(&request) })
    }
}

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

/// The services of both ends over one store: what Alice's hands out, Bob's finds.
fn both_ends(source: MemorySource) -> (GrpcKeyDelivery, GrpcKeyDelivery) {
    both_ends_of(Arc::new(source))
}

fn both_ends_of(source: Arc<MemorySource>) -> (GrpcKeyDelivery, GrpcKeyDelivery) {
    let end = |local: &str, peer: &str, own: [&str; 2], other: [&str; 2]| {
        let own = own.map(|name| (sae(name), Kme::Local));
        let other = other.map(|name| (sae(name), Kme::Peer));
        let kme = |name| KmeId::new(name).unwrap();
        let directory = Directory::new(kme(local), kme(peer), own.into_iter().chain(other));
        let limit = Duration::from_secs(5);
        GrpcKeyDelivery::new(source.clone(), Arc::new(directory.unwrap()), limit)
    };
    let (a, b) = (["sae-a", "sae-a2"], ["sae-b", "sae-b2"]);
    (
        end("kme-alice", "kme-bob", a, b),
        end("kme-bob", "kme-alice", b, a),
    )
}

fn by<T>(caller: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller(sae(caller)));
    request
}

fn get_key(slave: &str) -> proto::GetKeyRequest {
    proto::GetKeyRequest {
        slave_sae_id: slave.into(),
        ..Default::default()
    }
}

fn with_ids(master: &str, ids: &[&str]) -> proto::GetKeyWithIdsRequest {
    proto::GetKeyWithIdsRequest {
        master_sae_id: master.into(),
        key_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

async fn fetch(end: &GrpcKeyDelivery, caller: &str, master: &str, ids: &[&str]) -> Answered {
    let request = by(caller, with_ids(master, ids));
    keys(end.get_key_with_ids(request).await)
}

fn keys(answer: Result<Response<proto::KeyContainer>, Status>) -> Answered {
    let container = answer.map_err(|status| (status.code(), status.message().to_owned()))?;
    let keys = container.into_inner().keys.into_iter();
    Ok(keys
        .map(|key| (key.key_id.clone(), key.into_secret().expose().to_vec()))
        .collect())
}

#[tokio::test]
async fn the_slave_finds_what_the_master_got_and_finds_it_once() {
    let (alice, bob) = both_ends(MemorySource::default());
    let request = proto::GetKeyRequest {
        number: Some(2),
        size: Some(128),
        ..get_key("sae-b")
    };
    let fresh = keys(alice.get_key(by("sae-a", request)).await).unwrap();
    assert_eq!(fresh.len(), 2);
    assert!(fresh.iter().all(|(_, key)| key.len() == 16));
    let ids = [fresh[1].0.to_uppercase(), fresh[0].0.clone()];
    let ids = || with_ids("sae-a", &[&ids[0], &ids[1]]);
    let named = keys(bob.get_key_with_ids(by("sae-b", ids())).await).unwrap();
    assert_eq!(named, [fresh[1].clone(), fresh[0].clone()]);
    let again = keys(bob.get_key_with_ids(by("sae-b", ids())).await);
    let text = "one or more keys specified are not found on KME";
    assert_eq!(again, Err((Code::NotFound, text.to_owned())));
}

#[tokio::test]
async fn a_request_that_names_nothing_gets_one_key_of_the_default_size() {
    let (alice, _) = both_ends(MemorySource::default());
    for number in [None, Some(0)] {
        let request = proto::GetKeyRequest {
            number,
            ..get_key("sae-b")
        };
        let fresh = keys(alice.get_key(by("sae-a", request)).await).unwrap();
        assert_eq!((fresh.len(), fresh[0].1.len()), (1, 32));
    }
}

#[tokio::test]
async fn status_names_both_ends_and_the_limits() {
    let (alice, _) = both_ends(MemorySource::default());
    let request = proto::GetStatusRequest {
        slave_sae_id: "sae-b".into(),
    };
    let status = alice.get_status(by("sae-a", request)).await.unwrap();
    let expected = proto::Status {
        source_kme_id: "kme-alice".into(),
        target_kme_id: "kme-bob".into(),
        master_sae_id: "sae-a".into(),
        slave_sae_id: "sae-b".into(),
        key_size: 256,
        stored_key_count: 10,
        max_key_count: 100,
        max_key_per_request: 4,
        max_key_size: 1024,
        min_key_size: 64,
        max_sae_id_count: 1,
    };
    assert_eq!(status.into_inner(), expected);
}

/// The clock of this test stands still but for the waits themselves.
#[tokio::test(start_paused = true)]
async fn a_watched_pool_is_told_at_once_and_then_only_when_it_is_another() {
    use tokio_stream::StreamExt as _;
    let source = Arc::new(MemorySource::default());
    let (alice, _) = both_ends_of(source.clone());
    let watch = |caller, slave: &str| {
        let slave_sae_id = slave.to_owned();
        let request = proto::WatchPoolRequest {
            slave_sae_id,
            interval_ms: 100,
        };
        alice.watch_pool(by(caller, request))
    };
    let refused = watch("sae-b", "sae-a").await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = watch("sae-a", "sae-a2").await.err().unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let mut states = watch("sae-a", "sae-b").await.unwrap().into_inner();
    let first = states.next().await.unwrap().unwrap();
    let stored = |state: &proto::PoolStatus| state.status.clone().unwrap().stored_key_count;
    assert_eq!((stored(&first), first.healthy), (10, true));
    let idle = tokio::time::timeout(Duration::from_secs(60), states.next()).await;
    assert!(idle.is_err(), "nothing changed: {idle:?}");

    *source.made.lock().unwrap() = 10;
    source.changes.send_replace(());
    let empty = states.next().await.unwrap().unwrap();
    assert_eq!((stored(&empty), empty.healthy), (0, false));
    // No event tells of an alarm.
    source.alarms.lock().unwrap().push("look here".to_owned());
    let alarmed = states.next().await.unwrap().unwrap();
    assert_eq!(alarmed.alarms, ["look here"]);
}

#[tokio::test]
async fn only_named_slaves_of_the_right_master_get_the_keys_of_others() {
    let (alice, bob) = both_ends(MemorySource::default());
    let request = proto::GetKeyRequest {
        additional_slave_sae_ids: vec!["sae-b2".into()],
        number: Some(2),
        ..get_key("sae-b")
    };
    let shared = keys(alice.get_key(by("sae-a", request)).await).unwrap();
    let own = keys(alice.get_key(by("sae-a", get_key("sae-b"))).await).unwrap();
    let error = fetch(&bob, "sae-b2", "sae-a", &[&shared[0].0, &own[0].0])
        .await
        .unwrap_err();
    assert_eq!(error.0, Code::PermissionDenied);
    let error = fetch(&bob, "sae-b", "sae-a2", &[&own[0].0])
        .await
        .unwrap_err();
    assert_eq!(error.0, Code::NotFound);
    assert_eq!(
        fetch(&bob, "sae-b2", "sae-a", &[&shared[0].0]).await,
        Ok(vec![shared[0].clone()])
    );
    assert_eq!(fetch(&bob, "sae-b", "sae-a", &[&own[0].0]).await, Ok(own));
}

#[tokio::test]
async fn a_caller_without_certificate_or_of_another_kme_gets_nothing() {
    let (alice, _) = both_ends(MemorySource::default());
    let (code, text) = keys(alice.get_key(Request::new(get_key("sae-b"))).await).unwrap_err();
    assert_eq!(
        (code, text.as_str()),
        (Code::Unauthenticated, "a client certificate is required")
    );
    for stranger in ["sae-b", "sae-x"] {
        let answer = alice.get_key(by(stranger, get_key("sae-b2"))).await;
        let (code, text) = keys(answer).unwrap_err();
        assert_eq!(code, Code::PermissionDenied);
        assert_eq!(text, format!("SAE {stranger} is not served by kme-alice"));
    }
}

#[tokio::test]
async fn a_request_for_fresh_keys_that_breaks_a_rule_is_an_invalid_argument() {
    type Spoil = fn(&mut proto::GetKeyRequest);
    let cases: [(&str, Spoil); 10] = [
        ("slave_sae_id: an SAE ID has", |r| r.slave_sae_id.clear()),
        ("SAE sae-x is unknown", |r| r.slave_sae_id = "sae-x".into()),
        ("served by the same KME", |r| {
            r.slave_sae_id = "sae-a2".into()
        }),
        ("named as slave twice", |r| {
            r.additional_slave_sae_ids = vec!["sae-b".into()]
        }),
        ("additional_slave_sae_ids: an", |r| {
            r.additional_slave_sae_ids = vec!["x".repeat(257)]
        }),
        ("number of keys is 5", |r| r.number = Some(5)),
        ("number of keys is 4294967295", |r| {
            r.number = Some(u32::MAX)
        }),
        ("size shall be a multiple of 8", |r| r.size = Some(100)),
        ("size is 0 bits", |r| r.size = Some(0)),
        ("size is 1032 bits", |r| r.size = Some(1032)),
    ];
    let (alice, _) = both_ends(MemorySource::default());
    for (expected, spoil) in cases {
        let mut request = get_key("sae-b");
        spoil(&mut request);
        let (code, text) = keys(alice.get_key(by("sae-a", request)).await).unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{expected}: {text}");
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[tokio::test]
async fn a_request_for_named_keys_that_breaks_a_rule_is_refused_in_words() {
    let (alice, bob) = both_ends(MemorySource::default());
    let own = keys(alice.get_key(by("sae-a", get_key("sae-b"))).await).unwrap();
    let id = own[0].0.as_str();
    let never = "00000000-0000-4000-8000-000000000000";
    let cases: [(Code, &str, proto::GetKeyWithIdsRequest); 7] = [
        (
            Code::InvalidArgument,
            "number of key_IDs is 0",
            with_ids("sae-a", &[]),
        ),
        (
            Code::InvalidArgument,
            "number of key_IDs is 5",
            with_ids("sae-a", &[id; 5]),
        ),
        (
            Code::InvalidArgument,
            "named twice",
            with_ids("sae-a", &[id, id]),
        ),
        (
            Code::InvalidArgument,
            "key_ids: a key_ID is",
            with_ids("sae-a", &[id, "x"]),
        ),
        (
            Code::InvalidArgument,
            "key_ids: a key_ID is",
            with_ids("sae-a", &[&id[1..]]),
        ),
        (
            Code::InvalidArgument,
            "SAE sae-x is unknown",
            with_ids("sae-x", &[id]),
        ),
        (
            Code::NotFound,
            "are not found on KME",
            with_ids("sae-a", &[id, never]),
        ),
    ];
    for (code, expected, request) in cases {
        let error = keys(bob.get_key_with_ids(by("sae-b", request)).await).unwrap_err();
        assert_eq!(error.0, code, "{expected}: {}", error.1);
        assert!(error.1.contains(expected), "{expected}: {}", error.1);
    }
    let untouched = bob
        .get_key_with_ids(by("sae-b", with_ids("sae-a", &[id])))
        .await;
    assert_eq!(keys(untouched), Ok(own), "no refusal has used the key up");
}

#[tokio::test]
async fn shortages_and_outages_of_the_store_have_their_own_codes() {
    let cases = [
        (
            RequestError::TooFewKeys {
                available: 1,
                wanted: 2,
            },
            Code::ResourceExhausted,
        ),
        (RequestError::TooManyRequests, Code::ResourceExhausted),
        (RequestError::PeerUnavailable, Code::Unavailable),
        (
            RequestError::PeerRefused {
                reason: "full".into(),
            },
            Code::Unavailable,
        ),
        (RequestError::Sealed, Code::Unavailable),
    ];
    for (failure, code) in cases {
        let text = failure.to_string();
        let source = MemorySource {
            failure: Mutex::new(Some(failure)),
            ..Default::default()
        };
        let (alice, _) = both_ends(source);
        let answer = keys(alice.get_key(by("sae-a", get_key("sae-b"))).await);
        assert_eq!(answer, Err((code, text)));
    }
}

/// The clock of this test stands still but for the waits themselves.
#[tokio::test(start_paused = true)]
async fn a_silent_store_is_given_up_at_the_callers_deadline_or_the_services() {
    for (header, expected) in [(Some("700m"), 700), (Some("1H"), 5000), (None, 5000)] {
        let source = MemorySource {
            silent: true,
            ..Default::default()
        };
        let (alice, _) = both_ends(source);
        let mut request = by("sae-a", get_key("sae-b"));
        if let Some(header) = header {
            let header = header.parse().unwrap();
            request.metadata_mut().insert("grpc-timeout", header);
        }
        let start = tokio::time::Instant::now();
        let (code, text) = keys(alice.get_key(request).await).unwrap_err();
        assert_eq!(code, Code::DeadlineExceeded);
        assert!(text.contains(&format!("{expected} ms")), "{text}");
        let waited = start.elapsed().as_millis();
        assert!((expected..expected + 10).contains(&waited), "{waited} ms");
    }
}
