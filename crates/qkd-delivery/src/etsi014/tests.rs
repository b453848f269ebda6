//! The calls as clients make them, over two real key stores in memory and without a socket.

mod abuse;
mod fuzz;
mod refusals;
mod stores;

use std::sync::Mutex;

use qkd_keystore::{KeyId, Side};
use serde_json::{Value, json};

use super::*;
use crate::{IdentityRule, Kme, KmeId};
use stores::{End, Stores};

fn sae(name: &str) -> SaeId {
    SaeId::new(name).unwrap()
}

/// A node with `a` and `a2` here and `b`, `b2`, `b/3` there, or the other way round.
fn service(stores: &Arc<Mutex<Stores>>, side: Side) -> Etsi014 {
    let kme = |name| KmeId::new(name).unwrap();
    let place = |of: Side| match of == side {
        true => Kme::Local,
        false => Kme::Peer,
    };
    let names = [
        ("a", Side::Alice),
        ("a2", Side::Alice),
        ("b", Side::Bob),
        ("b2", Side::Bob),
        ("b/3", Side::Bob),
    ];
    let saes = names.map(|(name, of)| (sae(name), place(of)));
    let (local, peer) = match side {
        Side::Alice => ("kme-alice", "kme-bob"),
        Side::Bob => ("kme-bob", "kme-alice"),
    };
    let directory = Directory::new(kme(local), kme(peer), saes).unwrap();
    let source = Arc::new(End::new(stores, side));
    Etsi014::new(source, Arc::new(directory), Duration::from_secs(10))
}

/// Both nodes over stores with `keys` keys for each direction.
struct Link {
    stores: Arc<Mutex<Stores>>,
    alice: Etsi014,
    bob: Etsi014,
}

fn link(keys: usize) -> Link {
    let stores = Stores::with_keys(keys);
    Link {
        alice: service(&stores, Side::Alice),
        bob: service(&stores, Side::Bob),
        stores,
    }
}

/// Status and body of an answer, whose form is checked.
async fn said(
    service: &Etsi014,
    caller: Result<&str, Error>,
    (method, path): (&str, &str),
    body: &str,
) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Bytes::copy_from_slice(body.as_bytes()));
    let response = service.answer(&caller.map(sae), &request.unwrap()).await;
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("cache-control"), Some("no-store"));
    let status = response.status().as_u16();
    assert_eq!(
        header("retry-after").is_some(),
        matches!(status, 429 | 503),
        "{path}"
    );
    assert_eq!(header("allow").is_some(), status == 405, "{path}");
    let value: Value = serde_json::from_slice(response.body()).expect("every body is JSON");
    if status != 200 {
        let message = value["message"].as_str().expect("an Error object");
        assert!(!message.is_empty());
        let details = value.get("details");
        assert!(
            details.is_none_or(|details| details.as_array().unwrap().iter().all(Value::is_object))
        );
    }
    (status, value)
}

async fn get(service: &Etsi014, caller: &str, path: &str) -> (u16, Value) {
    said(service, Ok(caller), ("GET", path), "").await
}

async fn post(service: &Etsi014, caller: &str, path: &str, body: &str) -> (u16, Value) {
    said(service, Ok(caller), ("POST", path), body).await
}

const ENC: &str = "/api/v1/keys/b/enc_keys";
const DEC: &str = "/api/v1/keys/a/dec_keys";

/// The keys of an answer as (key_ID, base64).
fn keys((status, body): (u16, Value)) -> Vec<(String, String)> {
    assert_eq!(status, 200, "{}", body["message"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = body["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(&key["key_ID"]), text(&key["key"])))
        .collect()
}

fn refused((status, body): (u16, Value)) -> (u16, String) {
    assert_ne!(status, 200);
    (status, body["message"].as_str().unwrap().to_owned())
}

async fn stored(link: &Link) -> u64 {
    let (_, status) = get(&link.alice, "a", "/api/v1/keys/b/status").await;
    status["stored_key_count"].as_u64().unwrap()
}

fn ids(keys: &[(String, String)]) -> String {
    let list: Vec<Value> = keys.iter().map(|(id, _)| json!({ "key_ID": id })).collect();
    json!({ "key_IDs": list }).to_string()
}

#[tokio::test]
async fn a_status_has_the_members_of_the_standard_and_of_the_description() {
    let link = link(8);
    let (status, body) = get(&link.alice, "a", "/api/v1/keys/b/status").await;
    let expected = json!({
        "source_KME_ID": "kme-alice", "target_KME_ID": "kme-bob",
        "master_SAE_ID": "a", "slave_SAE_ID": "b",
        "key_size": 256, "stored_key_count": 8, "max_key_count": 100_000,
        "max_key_per_request": 4, "max_key_size": 8192, "min_key_size": 64,
        "max_SAE_ID_count": 2,
    });
    assert_eq!((status, &body), (200, &expected));
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schema = &document["components"]["schemas"]["Status"]["properties"];
    let described: BTreeSet<&String> = schema.as_object().unwrap().keys().collect();
    assert_eq!(
        body.as_object().unwrap().keys().collect::<BTreeSet<_>>(),
        described
    );
    // A name with a slash arrives percent-encoded.
    let (_, body) = get(&link.alice, "a", "/api/v1/keys/b%2F3/status").await;
    assert_eq!(body["slave_SAE_ID"], "b/3");
}

/// The members of `answer`, and those that the description gives to `schema`.
fn members<'a>(answer: &'a Value, schema: &'a Value) -> [BTreeSet<&'a String>; 2] {
    [answer, &schema["properties"]].map(|object| object.as_object().unwrap().keys().collect())
}

#[tokio::test]
async fn keys_and_refusals_have_the_members_of_the_description() {
    let link = link(8);
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = &document["components"]["schemas"];
    let order = r#"{"extension_optional":[{"x":1}]}"#;
    let (_, body) = post(&link.alice, "a", ENC, order).await;
    let [said, described] = members(&body, &schemas["KeyContainer"]);
    assert_eq!(said, described);
    let key = &schemas["KeyContainer"]["properties"]["keys"]["items"];
    let [said, described] = members(&body["keys"][0], key);
    assert_eq!(said, described);
    let order = r#"{"extension_mandatory":[{"x":1}]}"#;
    let (_, body) = post(&link.alice, "a", ENC, order).await;
    let [said, described] = members(&body, &schemas["Error"]);
    assert_eq!(said, described);
}

#[tokio::test]
async fn a_key_goes_to_master_and_slave_once_each() {
    let link = link(8);
    let mine = keys(post(&link.alice, "a", ENC, r#"{"number": 3}"#).await);
    assert_eq!(mine.len(), 3);
    let theirs = keys(post(&link.bob, "b", DEC, &ids(&mine)).await);
    assert!(mine == theirs, "the keys differ");
    let again = refused(post(&link.bob, "b", DEC, &ids(&mine)).await);
    let text = "one or more keys specified are not found on KME";
    assert_eq!(again, (400, text.to_owned()));
    // Asked again, there is another key: the same one is never served twice.
    let mut all: BTreeSet<String> = mine.into_iter().map(|(_, key)| key).collect();
    for _ in 0..5 {
        for (_, key) in keys(get(&link.alice, "a", ENC).await) {
            assert!(all.insert(key), "a key was served twice");
        }
    }
}

#[tokio::test]
async fn both_ends_are_master_and_slave_at_once() {
    let link = link(8);
    let from_alice = keys(get(&link.alice, "a", ENC).await);
    let from_bob = keys(get(&link.bob, "b", "/api/v1/keys/a/enc_keys").await);
    assert!(from_alice != from_bob);
    let at_bob = keys(post(&link.bob, "b", DEC, &ids(&from_alice)).await);
    let at_alice = keys(post(&link.alice, "a", "/api/v1/keys/b/dec_keys", &ids(&from_bob)).await);
    assert!(from_alice == at_bob && from_bob == at_alice);
}

#[tokio::test]
async fn a_key_id_is_random_and_never_derived_from_the_key() {
    // The same material under other random numbers: the same keys, other identities.
    let (first, second) = (link(8), link(8));
    // Draws of one store shift the identities and leave the material.
    let burnt = r#"{"number": 4, "size": 64}"#;
    keys(post(&first.alice, "a", ENC, burnt).await);
    keys(post(&second.alice, "a", ENC, r#"{"size": 256}"#).await);
    let one = keys(get(&first.alice, "a", ENC).await).remove(0);
    let other = keys(get(&second.alice, "a", ENC).await).remove(0);
    assert!(one.1 == other.1, "both drew the second 32 bytes");
    assert_ne!(one.0, other.0);
    assert_eq!(
        one.0.parse::<KeyId>().unwrap().to_string(),
        one.0,
        "lower-case"
    );
}

#[tokio::test]
async fn number_and_size_are_honoured_wherever_they_stand() {
    let link = link(200);
    for (method, query, body, number, size_bits) in [
        ("GET", "", "", 1, 256),
        ("GET", "?number=2&size=128", "", 2, 128),
        ("GET", "?number=2", r#"{"number": 3}"#, 2, 256),
        ("POST", "", "", 1, 256),
        ("POST", "", " \n", 1, 256),
        ("POST", "", "{}", 1, 256),
        ("POST", "?number=2&size=64", "", 2, 64),
        ("POST", "?number=2&size=64", r#"{"number":1}"#, 1, 64),
        ("POST", "", r#"{"number":4,"size":8192}"#, 4, 8192),
        (
            "POST",
            "",
            r#"{"number":null,"size":null,"additional_slave_SAE_IDs":null}"#,
            1,
            256,
        ),
        (
            "POST",
            "",
            r#"{"additional_target_sae_ids":[],"colour":{"a":[1]}}"#,
            1,
            256,
        ),
        (
            "POST",
            "",
            r#"{"extension_optional":[{"x":1}],"extension_mandatory":[]}"#,
            1,
            256,
        ),
        ("GET", "?colour=red&number=1", "", 1, 256),
    ] {
        let call = (method, &*format!("{ENC}{query}"));
        let answer = keys(said(&link.alice, Ok("a"), call, body).await);
        assert_eq!(answer.len(), number, "{query} {body}");
        for (_, key) in answer {
            assert_eq!(
                key.len(),
                (size_bits / 8usize).div_ceil(3) * 4,
                "{query} {body}"
            );
            assert!(key.ends_with('=') || size_bits % 24 == 0, "padded");
        }
    }
}

#[tokio::test]
async fn optional_extensions_cost_nothing_and_are_said_to_be_unhandled() {
    let link = link(200);
    let order = r#"{"extension_optional":[{"route":"any","x":1},{"y":2},3]}"#;
    let (status, body) = post(&link.alice, "a", ENC, order).await;
    assert_eq!((status, body["keys"].as_array().unwrap().len()), (200, 1));
    let remark = &body["key_container_extension"];
    let text = "not all extension_optional request options handled";
    assert_eq!(remark["message"], text);
    let named = remark["details"].as_array().unwrap().iter();
    let named: BTreeSet<_> = named
        .map(|detail| detail["extension_optional_unhandled"].as_str())
        .collect();
    assert_eq!(named, BTreeSet::from([Some("route"), Some("x"), Some("y")]));
    for order in [
        "{}",
        r#"{"extension_optional":[]}"#,
        r#"{"extension_optional":7}"#,
    ] {
        let (_, body) = post(&link.alice, "a", ENC, order).await;
        assert!(body.get("key_container_extension").is_none(), "{order}");
    }
}

#[tokio::test]
async fn key_ids_are_read_in_either_case_from_body_or_query() {
    let link = link(8);
    for (method, upper) in [
        ("GET", false),
        ("GET", true),
        ("POST", false),
        ("POST", true),
    ] {
        let mine = keys(get(&link.alice, "a", ENC).await);
        let id = match upper {
            true => mine[0].0.to_uppercase(),
            false => mine[0].0.clone(),
        };
        let path = format!("{DEC}?key_ID={id}");
        let theirs = keys(said(&link.bob, Ok("b"), (method, &path), "").await);
        assert!(mine == theirs, "{method} {upper}");
    }
    let mine = keys(post(&link.alice, "a", ENC, r#"{"number":2}"#).await);
    let body = json!({
        "key_IDs": [
            { "key_ID": mine[1].0, "key_ID_extension": "x" },
            { "key_ID": mine[0].0, "colour": 1 },
        ],
        "key_IDs_extension": {},
    });
    let theirs = keys(post(&link.bob, "b", DEC, &body.to_string()).await);
    assert!(
        [&mine[1], &mine[0]] == [&theirs[0], &theirs[1]],
        "in the order asked for"
    );
}

#[tokio::test]
async fn only_the_named_slave_gets_a_key_and_its_master_never_again() {
    let link = link(8);
    let mine = keys(get(&link.alice, "a", ENC).await);
    let body = ids(&mine);
    let (status, said) = refused(post(&link.bob, "b2", DEC, &body).await);
    assert_eq!(status, 401);
    assert!(said.contains("not named as slave"), "{said}");
    // As the one probe of a known tester does that asks one KME for both roles.
    let both = refused(post(&link.alice, "a", "/api/v1/keys/b/dec_keys", &body).await);
    assert_eq!(both.0, 400);
    // The slave names another master than the one whose key it is.
    let wrong = refused(post(&link.bob, "b", "/api/v1/keys/a2/dec_keys", &body).await);
    assert_eq!(wrong.0, 400);
    assert!(keys(post(&link.bob, "b", DEC, &body).await) == mine);
}

#[tokio::test]
async fn each_of_several_slaves_gets_the_same_key_once() {
    let link = link(8);
    let order = r#"{"additional_slave_SAE_IDs":["b2","b/3"]}"#;
    let mine = keys(post(&link.alice, "a", ENC, order).await);
    let body = ids(&mine);
    for slave in ["b2", "b", "b/3"] {
        assert!(keys(post(&link.bob, slave, DEC, &body).await) == mine);
        assert_eq!(refused(post(&link.bob, slave, DEC, &body).await).0, 400);
    }
}

#[test]
fn calls_are_told_apart_by_words_that_no_caller_chooses() {
    assert_eq!(call_name("/api/v1/keys/x/status"), "status");
    assert_eq!(call_name("/api/v1/keys/enc_keys/dec_keys"), "dec_keys");
    assert_eq!(call_name("/api/v1/openapi.json"), "openapi");
    assert_eq!(call_name("/api/v1/keys/x/whatever"), "other");
}
