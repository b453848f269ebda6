//! Anything at all as a request: an answer of the right form, never a panic, never a key too many.

use proptest::prelude::*;
use tokio::runtime::Builder;

use super::*;

/// Pieces that requests are made of, good and bad.
const PIECES: &[&str] = &[
    "/api/v1/keys/",
    "b",
    "a",
    "/enc_keys",
    "/dec_keys",
    "/status",
    "?",
    "&",
    "number=",
    "size=",
    "key_ID=",
    "1",
    "256",
    "-1",
    "%",
    "%2F",
    "%00",
    "%C3",
    "ü",
    "=",
    "/",
    "..",
    "1e400",
];
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"number\"",
    "\"size\"",
    "\"key_IDs\"",
    "\"key_ID\"",
    "1",
    "256",
    "1e999",
    "-0",
    "null",
    "true",
    "\"b2\"",
    "\"additional_slave_SAE_IDs\"",
    "\"extension_mandatory\"",
    "\"\\ud800\"",
    "\"\u{0}\"",
    " ",
    "\\",
];

fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 0..12).prop_map(|all| all.concat())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        text(JSON).prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..64),
        (0..100_000usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
        (1..200u32).prop_map(|n| format!(r#"{{"number":{n},"size":{}}}"#, n * 8).into_bytes()),
    ]
}

/// The answer, whose form is checked: bad requests are never a server's fault.
fn answered(link: &Link, method: &str, path: &str, body: &[u8]) -> Option<u16> {
    let request = Request::builder().method(method).uri(path);
    // What is no request target never gets past the server's own parser.
    let request = request.body(Bytes::copy_from_slice(body)).ok()?;
    let response = run(link.alice.answer(&Ok(sae("a")), &request));
    let value: Value = serde_json::from_slice(response.body()).unwrap();
    let status = response.status().as_u16();
    match status {
        200 => {}
        400 | 401 | 404 | 405 => assert!(value["message"].is_string()),
        // Keys run out sooner or later, and that is all that may.
        503 => assert_eq!(value["message"], "too few keys in store"),
        other => panic!("{method} {path}: {other}"),
    }
    Some(status)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_request_breaks_the_service(
        method in proptest::sample::select(&["GET", "POST", "PUT"][..]),
        rest in text(PIECES),
        rooted in any::<bool>(),
        body in body(),
    ) {
        let link = link(4);
        let before = run(stored(&link));
        let path = match rooted {
            true => format!("{ENC}?{rest}"),
            false => format!("/{rest}"),
        };
        let status = answered(&link, method, &path, &body);
        if status != Some(200) {
            prop_assert_eq!(run(stored(&link)), before, "a refusal has cost keys");
        }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}
