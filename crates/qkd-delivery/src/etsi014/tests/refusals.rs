//! What is refused: with which words, at whose cost, and that nothing is half done.

use super::*;

#[tokio::test]
async fn what_is_refused_costs_no_key_and_says_why() {
    let link = link(8);
    let before = stored(&link).await;
    for (query, body, words) in [
        ("", r#"{"size":257}"#, "size shall be a multiple of 8"),
        ("?size=7", "", "size shall be a multiple of 8"),
        (
            "",
            r#"{"size":56}"#,
            "size is 56 bits, it shall be 64 to 8192",
        ),
        ("", r#"{"size":8200}"#, "size is 8200 bits"),
        ("", r#"{"size":-256}"#, "size is -256 bits"),
        ("", r#"{"size":0}"#, "size is 0 bits"),
        ("", r#"{"size":4294967296}"#, "size is 4294967296 bits"),
        (
            "",
            r#"{"number":0}"#,
            "number of keys is 0, it shall be 1 to 4",
        ),
        ("", r#"{"number":-1}"#, "number of keys is -1"),
        ("", r#"{"number":5}"#, "number of keys is 5"),
        (
            "",
            r#"{"number":2147483648}"#,
            "number of keys is 2147483648",
        ),
        (
            "",
            r#"{"number":9223372036854775808}"#,
            "number of keys is 9223372036854775808",
        ),
        (
            "",
            r#"{"number":18446744073709551616}"#,
            "number shall be a whole number",
        ),
        ("", r#"{"number":1.5}"#, "number shall be a whole number"),
        ("", r#"{"number":"1"}"#, "number shall be a whole number"),
        ("", r#"{"size":true}"#, "size shall be a whole number"),
        ("", r#"{"number":NaN}"#, "the body is no JSON"),
        ("", "[]", "the body shall be one JSON object"),
        ("", "number=1", "the body is no JSON"),
        ("", "{\"number\":1}{}", "the body is no JSON"),
        ("?number=x", "", "number shall be a whole number"),
        ("?number=1&number=1", "", "number is in the query twice"),
        ("?number=", "", "number shall be a whole number"),
        (
            "?additional_slave_SAE_IDs=b2",
            "",
            "shall be in the body of a POST",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":"b2"}"#,
            "shall be an array of strings",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":[1]}"#,
            "shall be an array of strings",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":[""]}"#,
            "an SAE ID has 1 to 256 bytes",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":["b"]}"#,
            "named as slave twice",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":["b2","b2"]}"#,
            "named as slave twice",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":["nobody"]}"#,
            "SAE nobody is unknown",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":["a2"]}"#,
            "served by the same KME",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":["b2","b/3","b4"]}"#,
            "at most 2 (max_SAE_ID_count)",
        ),
        (
            "",
            r#"{"additional_slave_SAE_IDs":["b2\nX"]}"#,
            "holds control characters",
        ),
        (
            "",
            r#"{"extension_mandatory":[{"x":1}]}"#,
            "not all extension_mandatory parameters are supported",
        ),
        (
            "",
            r#"{"extension_mandatory":{"x":1}}"#,
            "not all extension_mandatory parameters are supported",
        ),
        (
            "",
            r#"{"extension_mandatory":[1]}"#,
            "not all extension_mandatory parameters are supported",
        ),
        (
            "",
            r#"{"extension_mandatory":1}"#,
            "extension_mandatory shall be an array of objects",
        ),
    ] {
        let (status, said) = refused(post(&link.alice, "a", &format!("{ENC}{query}"), body).await);
        assert_eq!(status, 400, "{query} {body}");
        assert!(said.contains(words), "{query} {body}: {said}");
    }
    assert_eq!(stored(&link).await, before, "a refusal has cost keys");
}

#[tokio::test]
async fn an_unsupported_mandatory_extension_is_named() {
    let body = r#"{"extension_mandatory":[{"abc_route":"direct"},{"abc_kind":1}]}"#;
    let (_, error) = post(&link(1).alice, "a", ENC, body).await;
    let name = |name: &str| json!({ "extension_mandatory_unsupported": name });
    assert_eq!(
        error["details"],
        json!([name("abc_route"), name("abc_kind")])
    );
}

#[tokio::test]
async fn a_fetch_is_whole_or_nothing() {
    let link = link(8);
    let mine = keys(post(&link.alice, "a", ENC, r#"{"number":2}"#).await);
    let entry = |id: &str| json!({ "key_ID": id });
    let good = [entry(&mine[0].0), entry(&mine[1].0)];
    let with = |more: Value| json!({ "key_IDs": [good[0], good[1], more] }).to_string();
    let stranger = "00000000-0000-0000-0000-000000000000";
    for (body, words) in [
        (with(entry(&mine[0].0)), "named twice in one request"),
        (
            with(entry(&mine[0].0.to_uppercase())),
            "named twice in one request",
        ),
        (with(entry(stranger)), "not found on KME"),
        (with(entry("x")), "a key_ID is a hyphenated UUID"),
        (
            with(json!({})),
            "shall be an array of objects with a string key_ID",
        ),
        (
            with(json!({ "key_ID": 1 })),
            "shall be an array of objects with a string key_ID",
        ),
        (
            with(json!(mine[0].0)),
            "shall be an array of objects with a string key_ID",
        ),
        (
            json!({ "key_IDs": [] }).to_string(),
            "number of key_IDs is 0",
        ),
        (
            json!({ "key_IDs": vec![&good[0]; 5] }).to_string(),
            "number of key_IDs is 5",
        ),
        (json!({ "key_IDs": {} }).to_string(), "shall be an array"),
        (json!({}).to_string(), "shall be an array"),
        (String::new(), "expected exactly one key_ID"),
    ] {
        let (status, said) = refused(post(&link.bob, "b", DEC, &body).await);
        assert_eq!(status, 400, "{body}");
        assert!(said.contains(words), "{body}: {said}");
    }
    let two = format!("{DEC}?key_ID={}&key_ID={}", mine[0].0, mine[1].0);
    assert!(
        refused(get(&link.bob, "b", &two).await)
            .1
            .contains("exactly one")
    );
    let theirs = keys(post(&link.bob, "b", DEC, &ids(&mine)).await);
    assert!(mine == theirs, "nothing was lost to the refusals");
}

#[tokio::test]
async fn a_caller_that_is_nobody_here_gets_401_with_an_error_object() {
    let link = link(8);
    for caller in ["b", "nobody"] {
        for path in [ENC, DEC, "/api/v1/keys/b/status"] {
            let (status, message) = refused(get(&link.alice, caller, path).await);
            assert_eq!(status, 401);
            assert!(message.contains("is not served by kme-alice"), "{message}");
        }
    }
    let rule = IdentityRule::SanUri;
    for error in [Error::NoCertificate, Error::NoIdentity { rule }] {
        let (status, _) = refused(said(&link.alice, Err(error), ("GET", ENC), "").await);
        assert_eq!(status, 401);
    }
}

#[tokio::test]
async fn a_partner_that_is_unknown_or_here_is_a_bad_request() {
    let link = link(1);
    for (path, words) in [
        ("/api/v1/keys/nobody/status", "SAE nobody is unknown"),
        ("/api/v1/keys/a2/enc_keys", "served by the same KME"),
        (
            "/api/v1/keys/nobody/dec_keys?key_ID=00000000-0000-0000-0000-000000000000",
            "unknown",
        ),
    ] {
        let (status, said) = refused(get(&link.alice, "a", path).await);
        assert_eq!(status, 400, "{path}");
        assert!(said.contains(words), "{path}: {said}");
    }
}

#[tokio::test]
async fn too_few_keys_and_a_lost_peer_are_503_and_pass() {
    let link = link(2);
    let (status, error) = post(&link.alice, "a", ENC, r#"{"number":3}"#).await;
    assert_eq!(status, 503);
    assert_eq!(error["message"], "too few keys in store");
    assert_eq!(
        error["details"],
        json!([{ "number": 3 }, { "available": 2 }])
    );
    link.stores.lock().unwrap().disconnect();
    let (status, said) = refused(get(&link.alice, "a", ENC).await);
    assert_eq!(status, 503);
    assert!(said.contains("cannot be reached"), "{said}");
    link.stores.lock().unwrap().connect();
    link.stores.lock().unwrap().make(4);
    assert_eq!(
        keys(post(&link.alice, "a", ENC, r#"{"number":3}"#).await).len(),
        3
    );
}

#[tokio::test]
async fn other_methods_and_paths_have_an_error_object_too() {
    let link = link(1);
    for (method, path, expected) in [
        ("POST", "/api/v1/keys/b/status", 405),
        ("DELETE", ENC, 405),
        ("PUT", DEC, 405),
        ("HEAD", ENC, 405),
        ("OPTIONS", ENC, 405),
        ("POST", "/api/v1/openapi.json", 405),
        ("GET", "/", 404),
        ("GET", "/api/v1/keys/b", 404),
        ("PATCH", "/nowhere", 404),
    ] {
        let (status, _) = refused(said(&link.alice, Ok("a"), (method, path), "").await);
        assert_eq!(status, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn the_description_is_served_to_whoever_got_in() {
    let link = link(1);
    let call = ("GET", "/api/v1/openapi.json");
    let (status, body) = said(&link.alice, Err(Error::NoCertificate), call, "").await;
    assert_eq!(status, 200);
    assert_eq!(body["openapi"], "3.1.0");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_503_in_the_end() {
    let stores = Stores::with_keys(1);
    let mut service = service(&stores, Side::Alice);
    service.source = Arc::new(stores::Silent(End::new(&stores, Side::Alice)));
    let (status, said) = refused(get(&service, "a", ENC).await);
    assert_eq!(status, 503);
    assert!(said.contains("did not answer within"), "{said}");
}
