//! Sealed application messages on their way: between the nodes, and between a node and its
//! applications.

use qkd_keystore::{KeyId, SaeId};
use qkd_messaging::SealedMessage;

use super::field::{array, at_most, out_of_range, sae_id};
use crate::DecodeError;
use crate::proto::link as proto;
use crate::proto::messaging;

/// Longest ciphertext that is relayed, in bytes: a message of 1 MiB and its tag.
pub const CIPHERTEXT_BYTES_MAX: usize = (1 << 20) + qkd_messaging::TAG_BYTES;

/// Shortest ciphertext that is relayed, in bytes: an empty message's tag.
pub const CIPHERTEXT_BYTES_MIN: usize = qkd_messaging::TAG_BYTES;

/// A message that one application sealed for another. The nodes cannot open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedMessage {
    /// The application that sealed it.
    pub from: SaeId,
    /// The application that is to open it.
    pub to: SaeId,
    /// What it sealed.
    pub sealed: SealedMessage,
}

/// What became of a relayed message at its receiver's node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayOutcome {
    /// It is on disk there.
    Stored,
    /// There is no room for it now: in the mailbox, or in the queue before the disk.
    MailboxFull,
    /// Its receiver does not sit there, or its sender not at the node it came from.
    UnknownApplication,
    /// It could not be written, or nobody can say whether it was.
    StorageFailed,
}

pub(super) fn encode(number: u64, message: &RelayedMessage) -> proto::Relay {
    proto::Relay {
        number,
        from_sae_id: message.from.as_str().to_owned(),
        to_sae_id: message.to.as_str().to_owned(),
        key_id: message.sealed.key_id.to_vec(),
        sender: message.sealed.sender,
        sequence: message.sealed.sequence,
        ciphertext: message.sealed.ciphertext.clone(),
    }
}

pub(super) fn decode(relay: proto::Relay) -> Result<(u64, RelayedMessage), DecodeError> {
    let message = RelayedMessage {
        from: sae_id("relay.from_sae_id", relay.from_sae_id)?,
        to: sae_id("relay.to_sae_id", relay.to_sae_id)?,
        sealed: SealedMessage {
            key_id: array("relay.key_id", &relay.key_id)?,
            sender: relay.sender,
            sequence: relay.sequence,
            ciphertext: ciphertext("relay.ciphertext", relay.ciphertext)?,
        },
    };
    Ok((relay.number, message))
}

pub(super) fn encode_answer(number: u64, outcome: RelayOutcome) -> proto::RelayAnswer {
    let outcome = match outcome {
        RelayOutcome::Stored => proto::RelayOutcome::Stored,
        RelayOutcome::MailboxFull => proto::RelayOutcome::MailboxFull,
        RelayOutcome::UnknownApplication => proto::RelayOutcome::UnknownApplication,
        RelayOutcome::StorageFailed => proto::RelayOutcome::StorageFailed,
    };
    proto::RelayAnswer {
        number,
        outcome: outcome.into(),
    }
}

pub(super) fn decode_answer(
    answer: &proto::RelayAnswer,
) -> Result<(u64, RelayOutcome), DecodeError> {
    let outcome = match proto::RelayOutcome::try_from(answer.outcome) {
        Ok(proto::RelayOutcome::Stored) => RelayOutcome::Stored,
        Ok(proto::RelayOutcome::MailboxFull) => RelayOutcome::MailboxFull,
        Ok(proto::RelayOutcome::UnknownApplication) => RelayOutcome::UnknownApplication,
        Ok(proto::RelayOutcome::StorageFailed) => RelayOutcome::StorageFailed,
        Ok(proto::RelayOutcome::Unspecified) | Err(_) => {
            return Err(out_of_range(
                "relay_answer.outcome",
                answer.outcome,
                "an outcome of this protocol, 1 to 4",
            ));
        }
    };
    Ok((answer.number, outcome))
}

/// As an application receives it.
impl From<RelayedMessage> for messaging::SealedMessage {
    fn from(message: RelayedMessage) -> Self {
        Self {
            from_sae_id: message.from.as_str().to_owned(),
            to_sae_id: message.to.as_str().to_owned(),
            key_id: KeyId::from_bytes(message.sealed.key_id).to_string(),
            sender: message.sealed.sender,
            sequence: message.sealed.sequence,
            ciphertext: message.sealed.ciphertext,
        }
    }
}

/// As an application submits it. Whether the caller is the application in `from_sae_id` is for the
/// service to check.
impl TryFrom<messaging::SealedMessage> for RelayedMessage {
    type Error = DecodeError;

    fn try_from(message: messaging::SealedMessage) -> Result<Self, DecodeError> {
        let key_id: KeyId = message.key_id.parse().map_err(|_| {
            let found = "no UUID";
            out_of_range("key_id", found, "a hyphenated UUID of 36 characters")
        })?;
        Ok(Self {
            from: sae_id("from_sae_id", message.from_sae_id)?,
            to: sae_id("to_sae_id", message.to_sae_id)?,
            sealed: SealedMessage {
                key_id: *key_id.as_bytes(),
                sender: message.sender,
                sequence: message.sequence,
                ciphertext: ciphertext("ciphertext", message.ciphertext)?,
            },
        })
    }
}

fn ciphertext(field: &'static str, bytes: Vec<u8>) -> Result<Vec<u8>, DecodeError> {
    at_most(field, bytes.len() as u64, CIPHERTEXT_BYTES_MAX)?;
    if bytes.len() < CIPHERTEXT_BYTES_MIN {
        let found = format!("{} bytes long", bytes.len());
        return Err(out_of_range(
            field,
            found,
            "a ciphertext with its 16 bytes of tag",
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submitted() -> messaging::SealedMessage {
        messaging::SealedMessage {
            from_sae_id: "sae-alice".into(),
            to_sae_id: "sae-bob".into(),
            key_id: "0F0E0D0C-0B0A-4908-8706-050403020100".into(),
            sender: 1,
            sequence: 2,
            ciphertext: vec![3; 20],
        }
    }

    #[test]
    fn a_submitted_message_is_received_as_it_was() {
        let relayed = RelayedMessage::try_from(submitted()).unwrap();
        let received = messaging::SealedMessage::from(relayed);
        let expected = messaging::SealedMessage {
            key_id: submitted().key_id.to_lowercase(),
            ..submitted()
        };
        assert_eq!(received, expected);
    }

    #[test]
    fn a_submitted_message_with_a_bad_field_is_refused_by_its_name() {
        type Spoil = fn(&mut messaging::SealedMessage);
        let cases: [(&str, Spoil); 6] = [
            ("from_sae_id", |m| m.from_sae_id.clear()),
            ("to_sae_id", |m| m.to_sae_id = "x".repeat(257)),
            ("key_id", |m| m.key_id.truncate(35)),
            ("ciphertext", |m| {
                m.ciphertext = vec![0; CIPHERTEXT_BYTES_MAX + 1]
            }),
            ("ciphertext", |m| m.ciphertext.truncate(15)),
            ("ciphertext", |m| m.ciphertext.clear()),
        ];
        for (field, spoil) in cases {
            let mut message = submitted();
            spoil(&mut message);
            let error = RelayedMessage::try_from(message).unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
        }
    }
}
