//! What is replayed, forged or missing is refused and told, and what to do is said.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use qkd_wire::proto::messaging::{AcknowledgeRequest, Delivery, ReceiveRequest, SealedMessage};
use tokio::time::timeout;

use super::{Mail, TRANSFER_WITHIN, finish, of_kind, texts};
use crate::support::{PATIENCE, SAE_ALICE, SAE_BOB, messaging};

/// The first messages in Bob's application's mailbox; they stay there.
async fn peek(mail: &Mail, count: usize) -> Vec<Delivery> {
    let mut client = messaging(&mail.nodes, mail.nodes.bob(), SAE_BOB).await;
    let request = ReceiveRequest {
        sae_id: SAE_BOB.to_owned(),
    };
    let mut stream = client.receive(request).await.unwrap().into_inner();
    let mut found = Vec::new();
    while found.len() < count {
        let next = timeout(PATIENCE, stream.message()).await.unwrap();
        found.push(next.unwrap().unwrap());
    }
    found
}

/// Alice's application submits a message of its own making.
async fn inject(mail: &Mail, message: SealedMessage) {
    let mut client = messaging(&mail.nodes, mail.nodes.alice(), SAE_ALICE).await;
    client.submit(message).await.unwrap();
}

fn text(mail: &Mail, more: &[&str]) {
    finish(mail.send(SAE_ALICE, SAE_BOB, more));
}

#[tokio::test]
async fn a_replayed_and_a_forged_message_are_refused_and_told() {
    let mail = Mail::start().await;
    text(&mail, &["--text=one"]);
    text(&mail, &["--text=two"]);
    let first = peek(&mail, 1).await.remove(0).message.unwrap();
    inject(&mail, first.clone()).await;
    let mut forged = first;
    forged.sequence = 2;
    inject(&mail, forged).await;
    text(&mail, &["--text=three"]);
    let mut receiver = mail.receive(SAE_BOB, &["--count=3"]);
    receiver.end_within(TRANSFER_WITHIN);
    let said = receiver.stderr();
    let received = finish(receiver);
    assert_eq!(texts(&received), ["one", "two", "three"]);
    let refused = of_kind(&received, "refused");
    let reasons: Vec<&str> = refused
        .iter()
        .filter_map(|r| r["reason"].as_str())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].contains("opened before"), "{reasons:?}");
    assert!(reasons[1].contains("tag does not fit"), "{reasons:?}");
    for reason in reasons {
        let lines = said.lines().filter(|line| line.contains(reason)).count();
        assert_eq!(lines, 1, "{said}");
    }
}

#[tokio::test]
async fn a_missing_message_is_told_and_a_new_chain_mends_it() {
    let mail = Mail::start().await;
    for one in ["--text=1", "--text=2", "--text=3"] {
        text(&mail, &[one, "--messages-per-key=2"]);
    }
    // Somebody takes the second message away, the last one under the first key.
    finish(mail.receive(SAE_BOB, &["--count=1"]));
    let second = peek(&mail, 1).await.remove(0).number;
    let mut client = messaging(&mail.nodes, mail.nodes.bob(), SAE_BOB).await;
    let request = AcknowledgeRequest { number: second };
    client.acknowledge(request).await.unwrap();
    text(&mail, &["--text=4"]);
    text(&mail, &["--text=5", "--new-chain"]);

    let mut receiver = mail.receive(SAE_BOB, &["--count=1"]);
    receiver.end_within(TRANSFER_WITHIN);
    let said = receiver.stderr();
    assert!(said.contains("2 messages were sealed, 1 came"), "{said}");
    assert!(said.contains("--new-chain"), "{said}");
    assert!(said.contains("has begun a new chain"), "{said}");
    let received = finish(receiver);
    assert_eq!(texts(&received), ["5"]);
    assert_eq!(of_kind(&received, "refused").len(), 2);
}

#[tokio::test]
async fn whoever_cannot_be_reached_is_told_in_one_line() {
    let mail = Mail::start().await;
    for (to, more, words) in [
        ("sae-nobody", "--text=x", "sae-nobody"),
        (SAE_BOB, "--file=/nowhere/at/all", "/nowhere/at/all"),
        (SAE_BOB, "--file=/", "folder"),
    ] {
        let mut sender = mail.send(SAE_ALICE, to, &[more]);
        let status = sender.end_within(PATIENCE);
        let said = sender.stderr();
        assert_eq!(status.code(), Some(1), "{}", sender.story());
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with("qkd send: ") && said.contains(words),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_sender_waits_for_the_other_node_and_gives_up_in_time() {
    let mut mail = Mail::start().await;
    text(&mail, &["--text=1"]);
    mail.nodes.take_bob().kill();
    let mut sender = mail.send(SAE_ALICE, SAE_BOB, &["--text=2", "--timeout=2"]);
    let status = sender.end_within(PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", sender.story());
    for words in ["no progress for 2 s", "do not send it again"] {
        assert!(sender.stderr().contains(words), "{}", sender.story());
    }
    let patient = mail.send(SAE_ALICE, SAE_BOB, &["--text=3"]);
    let mut third = mail.send(SAE_ALICE, SAE_BOB, &["--text=4"]);
    mail.nodes.start_bob().await;
    finish(patient);
    third.end_within(TRANSFER_WITHIN);
    let received = finish(mail.receive(SAE_BOB, &["--count=4"]));
    let mut texts = texts(&received);
    texts[2..].sort_unstable();
    assert_eq!(texts, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_text_that_could_not_be_printed_comes_again() {
    let mail = Mail::start().await;
    text(&mail, &["--text=1"]);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let state = mail.folder.path().join("state");
    let output = Command::new(env!("CARGO_BIN_EXE_qkd"))
        .arg("receive")
        .arg(format!("--client={}", mail.profile(SAE_BOB).display()))
        .arg(format!("--state={}", state.display()))
        .args(["--count=1", "--timeout=60"])
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot print the message"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let received = finish(mail.receive(SAE_BOB, &["--count=1"]));
    assert_eq!(texts(&received), ["1"]);
    assert_eq!(of_kind(&received, "end")[0]["refused"], 0);
}
