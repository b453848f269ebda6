//! No key ever shows outside the stores and the applications: not to a tap on the plain envelopes
//! inside TLS, not in the logs, not in the files.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use qkd_wire::proto::messaging::SealedMessage;

use crate::support::{
    ALICE, Agreed, BOB, Direction, Interceptor, KeySearch, Nodes, Recorded, SAE_ALICE, SAE_BOB,
    agree_on_all_keys, messaging, shifted, texts,
};

/// The plain envelopes of both directions in which any part of a key is found.
fn hits(search: &KeySearch, record: &[Recorded]) -> usize {
    let payloads = record.iter().map(|recorded| &recorded.envelope.payload);
    payloads
        .filter(|payload| search.find(payload).is_some())
        .count()
}

/// Files that the daemons write, and what is in them.
fn written(nodes: &Nodes) -> Vec<(String, Vec<u8>)> {
    let read = |path| fs::read(path).expect("a daemon's file can be read");
    let mut files = Vec::new();
    for node in [ALICE, BOB] {
        let store = nodes.store_file(node);
        let messages = read(store.with_file_name("messages.redb"));
        files.push((format!("messages of {node}"), messages));
        files.push((format!("store of {node}"), read(store)));
    }
    for node in [nodes.alice(), nodes.bob()] {
        files.push((format!("log of {}", node.name), node.log().into_bytes()));
    }
    files
}

/// Lets Alice's application send `ciphertext` to Bob's through the daemons.
async fn mail(nodes: &Nodes, sequence: u64, key_id: &str, ciphertext: Vec<u8>) {
    let message = SealedMessage {
        from_sae_id: SAE_ALICE.to_owned(),
        to_sae_id: SAE_BOB.to_owned(),
        key_id: key_id.to_owned(),
        sender: 1,
        sequence,
        ciphertext,
    };
    let mut client = messaging(nodes, nodes.alice(), SAE_ALICE).await;
    client.submit(message).await.expect("a message is relayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_on_the_plain_envelopes_finds_no_key_but_one_that_is_mailed() {
    let mut nodes = Nodes::builder()
        .distance_km(10.0)
        .blocks_max(2)
        .log_level("trace")
        .prepare();
    nodes.start_bob().await;
    let middle = Interceptor::between(&mut nodes).await;
    nodes.start_alice().await;
    for node in [nodes.alice(), nodes.bob()] {
        node.until("both blocks in store", |now| {
            now.blocks_with_key == 2 && now.stored_key_count > 60
        })
        .await;
    }
    // The keys of both blocks are in both stores, and none of them has been delivered.
    let undelivered = written(&nodes);
    let agreed = agree_on_all_keys(&nodes).await;
    assert!(
        agreed.len() > 150,
        "only {} keys of two blocks",
        agreed.len()
    );
    let search = KeySearch::new(agreed.iter().map(|agreed| agreed.key.as_slice()));

    let record = middle.record();
    for direction in Direction::BOTH {
        let bytes = record.iter().filter(|r| r.direction == direction);
        let bytes: usize = bytes.map(|r| r.envelope.payload.len()).sum();
        assert!(
            bytes > 100_000,
            "{direction:?}: only {bytes} bytes were seen"
        );
    }
    assert_eq!(hits(&search, &record), 0);
    for (what, bytes) in undelivered.into_iter().chain(written(&nodes)) {
        assert!(bytes.len() > 10_000, "{what}: only {} bytes", bytes.len());
        assert_eq!(search.find(&bytes), None, "{what}");
    }
    every_way_of_mailing_a_key_is_found(&nodes, &middle, &search, &agreed[0]).await;
}

/// Mails a key in every disguise that the search claims to see through, and looks for it in what
/// the tap has recorded.
async fn every_way_of_mailing_a_key_is_found(
    nodes: &Nodes,
    middle: &Interceptor,
    search: &KeySearch,
    Agreed { key_id, key }: &Agreed,
) {
    let mut mails = vec![key.clone(), key[7..23].to_vec(), shifted(key, 3)];
    mails.extend(texts(key).into_iter().map(String::into_bytes));
    for before in [&b""[..], b"?", b"?!"] {
        mails.push(BASE64_STANDARD.encode([before, key].concat()).into_bytes());
    }
    for (sequence, mail_text) in mails.into_iter().enumerate() {
        let begun = middle.record().len();
        mail(nodes, sequence as u64, key_id, mail_text.clone()).await;
        let relayed = |record: &[Recorded]| {
            let mut since = record[begun..].iter();
            let holds = |r: &Recorded| {
                let mut windows = r.envelope.payload.windows(mail_text.len());
                windows.any(|window| window == mail_text)
            };
            since.any(holds)
        };
        middle.until("the mailed key", relayed).await;
        let said = &middle.record()[begun..];
        assert_eq!(hits(search, said), 1, "mail {sequence} was not found");
    }
    // The daemons relay what they are given and do not log it.
    for node in [nodes.alice(), nodes.bob()] {
        assert_eq!(search.find(node.log().as_bytes()), None, "{}", node.name);
    }
}
