//! What the keys are for: one message from Alice to Bob, and keys compared at both ends.
//!
//! Two applications do it through the same gRPC services as anybody's would: each one talks only to
//! its own node. Bob's application learns the key's identity from the message.

use std::time::{Duration, Instant};

use qkd_bits::SecretBytes;
use qkd_messaging::{Opener, SealedMessage, Sealer};
use qkd_wire::proto::delivery::{
    GetKeyRequest, GetKeyWithIdsRequest, GetStatusRequest, Key, KeyContainer,
};
use qkd_wire::proto::messaging::{self, AcknowledgeRequest, Delivery, ReceiveRequest};
use subtle::ConstantTimeEq;
use tonic::{Code, Status};
use uuid::Uuid;

use super::clients::{Application, answer, refused};
use super::fault::Fault;
use crate::client::within;

/// What is sent.
const TEXT: &str = "Nobody but you can read this, Bob. Yours, Alice.";

/// Size of a key for AES-256, bits.
const KEY_SIZE_BITS: u32 = 256;

/// Alice's application is the only one that seals under the key.
const SENDER: u32 = 1;

/// A key that the other end has may be a moment on its way to this end's store.
const KEY_WITHIN: Duration = Duration::from_secs(10);
const KEY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Relaying one message on loopback takes no longer, even while blocks are distilled.
const MESSAGE_WITHIN: Duration = Duration::from_secs(20);

/// What happened.
pub struct Exchange {
    /// What was sent, and read the same at the other end.
    pub text: &'static str,
    /// Identity of the key it was sealed under.
    pub key_id: Uuid,
    /// Keys that were fetched at both ends and found to be the same.
    pub compared: u32,
}

/// Sends one message from `alice` to `bob` under a distilled key, and compares further keys, one
/// for each direction that has any.
///
/// # Errors
/// When no key can be had, keys differ, or the message does not arrive as it was.
pub async fn exchange(alice: &Application, bob: &Application) -> Result<Exchange, Fault> {
    let (key_id, mut compared) = (send(alice, bob).await?, 1);
    for (master, slave) in [(alice, bob), (bob, alice)] {
        if available(master, slave.id).await? {
            let (id, key) = fresh_key(master, slave.id).await?;
            let other = key_by_id(slave, master.id, id).await?;
            compare(id, &key, &other)?;
            compared += 1;
        }
    }
    Ok(Exchange {
        text: TEXT,
        key_id,
        compared,
    })
}

/// Fetches a key at Alice, seals, relays, fetches the same key at Bob, opens.
async fn send(alice: &Application, bob: &Application) -> Result<Uuid, Fault> {
    let (key_id, key) = fresh_key(alice, bob.id).await?;
    let failed = |error: qkd_messaging::Error| Fault::Message {
        reason: error.to_string(),
    };
    let at_alice = SecretBytes::from(key.expose().to_vec());
    let mut sealer = Sealer::new(*key_id.as_bytes(), key, SENDER).map_err(failed)?;
    let sealed = sealer.seal(TEXT.as_bytes()).map_err(failed)?;
    let submission = messaging::SealedMessage {
        from_sae_id: alice.id.to_owned(),
        to_sae_id: bob.id.to_owned(),
        key_id: key_id.to_string(),
        sender: sealed.sender,
        sequence: sealed.sequence,
        ciphertext: sealed.ciphertext,
    };
    submit(alice, submission).await?;
    let (number, received) = receive(bob, &key_id.to_string()).await?;
    let named = parse_id(&received.key_id, bob.node)?;
    let at_bob = key_by_id(bob, &received.from_sae_id, named).await?;
    compare(named, &at_alice, &at_bob)?;
    let sealed = SealedMessage {
        key_id: *named.as_bytes(),
        sender: received.sender,
        sequence: received.sequence,
        ciphertext: received.ciphertext,
    };
    let mut opener = Opener::new(*named.as_bytes(), at_bob, SENDER).map_err(failed)?;
    let opened = opener.open(&sealed).map_err(failed)?;
    let what = format!("acknowledge the message at {}", bob.node);
    let request = AcknowledgeRequest { number };
    answer(what, bob.messaging.clone().acknowledge(request)).await?;
    if opened.expose() == TEXT.as_bytes() {
        Ok(key_id)
    } else {
        Err(Fault::Message {
            reason: "what came out is not what went in".to_owned(),
        })
    }
}

/// Hands the message over until Bob's node has it.
async fn submit(alice: &Application, message: messaging::SealedMessage) -> Result<(), Fault> {
    let what = format!("submit the message at {}", alice.node);
    let submitting = patiently(&what, || {
        let (mut messaging, message) = (alice.messaging.clone(), message.clone());
        async move { messaging.submit(message).await }
    });
    match tokio::time::timeout(MESSAGE_WITHIN, submitting).await {
        Ok(submitted) => submitted.map(drop),
        Err(_) => Err(too_slow(alice.node)),
    }
}

/// The message under the key `key_id`, and its number. What waited before it is of an earlier run,
/// whose keys are gone.
async fn receive(
    bob: &Application,
    key_id: &str,
) -> Result<(u64, messaging::SealedMessage), Fault> {
    let request = ReceiveRequest {
        sae_id: bob.id.to_owned(),
    };
    let what = format!("receive the message at {}", bob.node);
    let mut stream = answer(what.clone(), bob.messaging.clone().receive(request)).await?;
    let receiving = async {
        loop {
            match stream.message().await {
                Ok(Some(Delivery {
                    number,
                    message: Some(message),
                })) => {
                    if message.key_id == key_id {
                        return Ok((number, message));
                    }
                }
                Ok(Some(Delivery { message: None, .. })) => {
                    return Err(unexpected(&what, "a delivery without a message came"));
                }
                Ok(None) => return Err(unexpected(&what, "the stream of messages ended")),
                Err(status) => return Err(refused(what.clone(), &status)),
            }
        }
    };
    match tokio::time::timeout(MESSAGE_WITHIN, receiving).await {
        Ok(received) => received,
        Err(_) => Err(too_slow(bob.node)),
    }
}

fn too_slow(node: &str) -> Fault {
    Fault::Message {
        reason: format!("{node} relayed none within {} s", MESSAGE_WITHIN.as_secs()),
    }
}

/// Whether `master` could have a key for use with `slave` now.
async fn available(master: &Application, slave: &str) -> Result<bool, Fault> {
    let request = GetStatusRequest {
        slave_sae_id: slave.to_owned(),
    };
    let what = format!("ask {} how many keys it has for {slave}", master.node);
    let status = answer(what, master.delivery.clone().get_status(request)).await?;
    Ok(status.stored_key_count > 0)
}

async fn fresh_key(master: &Application, slave: &str) -> Result<(Uuid, SecretBytes), Fault> {
    let what = format!(
        "fetch a key for {} and {slave} at {}",
        master.id, master.node
    );
    let request = GetKeyRequest {
        slave_sae_id: slave.to_owned(),
        number: Some(1),
        size: Some(KEY_SIZE_BITS),
        additional_slave_sae_ids: Vec::new(),
    };
    let delivery = &master.delivery;
    let keys = patiently(&what, || {
        let (mut delivery, request) = (delivery.clone(), request.clone());
        async move { within(delivery.get_key(request)).await }
    })
    .await?;
    let mut key = single(keys, &what)?;
    Ok((
        parse_id(&key.key_id, master.node)?,
        SecretBytes::from(std::mem::take(&mut key.key)),
    ))
}

async fn key_by_id(slave: &Application, master: &str, key_id: Uuid) -> Result<SecretBytes, Fault> {
    let what = format!("fetch the key {key_id} for {} at {}", slave.id, slave.node);
    let request = GetKeyWithIdsRequest {
        master_sae_id: master.to_owned(),
        key_ids: vec![key_id.to_string()],
    };
    let delivery = &slave.delivery;
    let keys = patiently(&what, || {
        let (mut delivery, request) = (delivery.clone(), request.clone());
        async move { within(delivery.get_key_with_ids(request)).await }
    })
    .await?;
    let mut key = single(keys, &what)?;
    if parse_id(&key.key_id, slave.node)? == key_id {
        Ok(SecretBytes::from(std::mem::take(&mut key.key)))
    } else {
        Err(unexpected(&what, "another key came"))
    }
}

/// Calls again for a while when there is no such key *yet*.
async fn patiently<T, F>(what: &str, call: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Status>>,
{
    let deadline = Instant::now() + KEY_WITHIN;
    loop {
        let status = match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        let not_yet = matches!(
            status.code(),
            Code::NotFound | Code::Unavailable | Code::ResourceExhausted
        );
        if !not_yet || Instant::now() > deadline {
            return Err(refused(what, &status));
        }
        tokio::time::sleep(KEY_AGAIN_AFTER).await;
    }
}

fn single(keys: KeyContainer, what: &str) -> Result<Key, Fault> {
    let count = keys.keys.len();
    match <[Key; 1]>::try_from(keys.keys) {
        Ok([key]) => Ok(key),
        Err(_) => Err(unexpected(
            what,
            &format!("{count} keys came, expected one"),
        )),
    }
}

fn parse_id(text: &str, node: &str) -> Result<Uuid, Fault> {
    Uuid::try_parse(text).map_err(|error| {
        unexpected(
            &format!("use the key identity {text:?} of {node}"),
            &error.to_string(),
        )
    })
}

fn compare(key_id: Uuid, ours: &SecretBytes, theirs: &SecretBytes) -> Result<(), Fault> {
    if bool::from(ours.ct_eq(theirs)) {
        Ok(())
    } else {
        Err(Fault::KeysDiffer {
            key_id: key_id.to_string(),
        })
    }
}

fn unexpected(what: &str, reason: &str) -> Fault {
    Fault::Call {
        what: what.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretBytes {
        SecretBytes::from(vec![byte; 32])
    }

    #[test]
    fn different_keys_are_a_fault_that_names_the_identity_and_no_byte() {
        assert!(compare(Uuid::nil(), &key(7), &key(7)).is_ok());
        let said = compare(Uuid::nil(), &key(7), &key(0xab))
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("00000000-0000-0000-0000-000000000000"),
            "{said}"
        );
        assert!(!said.contains("ab"), "{said}");
    }

    #[test]
    fn only_exactly_one_key_will_do() {
        for count in [0, 2] {
            let keys = (0..count).map(|_| Key::default()).collect();
            let Err(fault) = single(KeyContainer { keys }, "fetch a key") else {
                panic!("{count} keys were accepted");
            };
            assert!(
                fault.to_string().contains(&format!("{count} keys came")),
                "{fault}"
            );
        }
    }

    #[tokio::test]
    async fn a_key_that_is_refused_for_good_is_not_asked_for_again() {
        let calls = std::cell::Cell::new(0);
        let result: Result<(), Fault> = patiently("fetch a key", || {
            calls.set(calls.get() + 1);
            async { Err(Status::permission_denied("not your key")) }
        })
        .await;
        assert!(result.unwrap_err().to_string().contains("not your key"));
        assert_eq!(calls.get(), 1);
    }

    #[tokio::test]
    async fn a_key_that_is_not_there_yet_is_asked_for_again() {
        let calls = std::cell::Cell::new(0);
        let result = patiently("fetch a key", || {
            calls.set(calls.get() + 1);
            let there = calls.get() == 3;
            async move {
                there
                    .then_some(())
                    .ok_or_else(|| Status::not_found("not yet"))
            }
        })
        .await;
        assert!(result.is_ok());
        assert_eq!(calls.get(), 3);
    }
}
