//! Daemons and programs are killed in the middle of a transfer.

use std::fs;
use std::path::Path;

use super::{Mail, TRANSFER_WITHIN, are_equal, finish, objects, of_kind, texts};
use crate::process::Running;
use crate::support::{SAE_ALICE, SAE_BOB};

const FILE_BYTES: usize = 100_000_000;

/// Waits until so many bytes of a file are in the folder, under its temporary name.
fn until_received(receiver: &mut Running, folder: &Path, bytes: u64) {
    receiver.until(TRANSFER_WITHIN, "beginning of the file", |_| {
        let files = fs::read_dir(folder).unwrap().flatten();
        let lengths = files.filter_map(|file| Some(file.metadata().ok()?.len()));
        (lengths.sum::<u64>() >= bytes).then_some(())
    });
}

/// Waits until message `number` of Alice's application is begun and has so many bytes in the folder.
fn until_begun(receiver: &mut Running, folder: &Path, (number, bytes): (u64, u64)) {
    let part = folder.join(format!(".qkd-{SAE_ALICE}-{SAE_BOB}-{number}.part"));
    receiver.until(TRANSFER_WITHIN, "beginning of the message", |_| {
        let length = fs::metadata(&part).ok()?.len();
        (length >= bytes).then_some(())
    });
}

/// The sizes at which somebody is killed.
fn parts() -> [u64; 4] {
    [1, 3, 5, 7].map(|eighths| FILE_BYTES as u64 * eighths / 8)
}

#[tokio::test]
async fn a_file_of_100_mb_survives_kills_of_both_daemons() {
    let mut mail = Mail::start().await;
    let file = mail.file("big.bin", FILE_BYTES);
    let inbox = mail.inbox(SAE_BOB);
    let mut receiver = mail.receive(SAE_BOB, &["--count=2"]);
    let path = file.to_str().unwrap();
    let sender = mail.send(
        SAE_ALICE,
        SAE_BOB,
        &["--file", path, "--messages-per-key=30"],
    );
    for (index, bytes) in parts().into_iter().enumerate() {
        until_received(&mut receiver, &inbox, bytes);
        if index % 2 == 0 {
            mail.nodes.take_bob().kill();
            mail.nodes.start_bob().await;
        } else {
            mail.nodes.take_alice().kill();
            mail.nodes.start_alice().await;
        }
    }
    let sent = finish(sender).remove(0);
    assert_eq!(sent["bytes"], FILE_BYTES);
    assert_eq!(sent["key_IDs"].as_array().unwrap().len(), 4);
    finish(mail.send(SAE_ALICE, SAE_BOB, &["--text=that was all"]));
    let received = finish(receiver);
    assert!(are_equal(&file, &inbox.join("big.bin")));
    assert_eq!(texts(&received), ["that was all"]);
    // A number that came twice with another content would have been refused.
    assert_eq!(of_kind(&received, "end")[0]["refused"], 0);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_survives_kills_of_its_receiver() {
    let mail = Mail::start().await;
    let file = mail.file("big.bin", FILE_BYTES);
    let inbox = mail.inbox(SAE_BOB);
    let path = file.to_str().unwrap();
    let sender = mail.send(SAE_ALICE, SAE_BOB, &["--file", path]);
    for bytes in parts() {
        let mut receiver = mail.receive(SAE_BOB, &[]);
        until_received(&mut receiver, &inbox, bytes);
        receiver.kill();
        assert!(of_kind(&objects(&receiver), "refused").is_empty());
    }
    finish(sender);
    // The last one killed may have had the whole file already: only the text is sure to come.
    finish(mail.send(SAE_ALICE, SAE_BOB, &["--text=that was all"]));
    let mut receiver = mail.receive(SAE_BOB, &[]);
    receiver.until(TRANSFER_WITHIN, "text after the file", |receiver| {
        receiver.stdout().contains("that was all").then_some(())
    });
    receiver.signal("INT");
    let received = finish(receiver);
    assert_eq!(texts(&received), ["that was all"]);
    assert!(are_equal(&file, &inbox.join("big.bin")));
    assert_eq!(of_kind(&received, "end")[0]["refused"], 0);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 1);
}

#[tokio::test]
async fn a_killed_sender_leaves_no_gap_and_its_message_is_told_to_be_incomplete() {
    let mail = Mail::start().await;
    let file = mail.file("big.bin", FILE_BYTES);
    let inbox = mail.inbox(SAE_BOB);
    let path = file.to_str().unwrap();
    let mut receiver = mail.receive(SAE_BOB, &["--count=1"]);
    for begun in [(1, 1_000_000), (2, 9_000_000)] {
        let mut sender = mail.send(SAE_ALICE, SAE_BOB, &["--file", path]);
        until_begun(&mut receiver, &inbox, begun);
        sender.kill();
    }
    finish(mail.send(SAE_ALICE, SAE_BOB, &["--text=never mind"]));
    receiver.end_within(TRANSFER_WITHIN);
    let said = receiver.stderr();
    assert!(
        said.contains("stopped in the middle of message 2"),
        "{said}"
    );
    let received = finish(receiver);
    assert_eq!(texts(&received), ["never mind"]);
    assert_eq!(of_kind(&received, "end")[0]["refused"], 0);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 0, "nothing is left");
}
