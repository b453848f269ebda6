//! The payloads of the classical channel: what is said inside an envelope.

mod field;
mod frame;
mod payload;
mod relay;
mod session;
mod store;

use qkd_auth::{RefreshId, Rekey};

use crate::DecodeError;
use crate::proto::link as proto;
use field::{array, required};
use proto::link_message::Kind;

pub use frame::{Frame, refusal};
pub use payload::{
    Batch, MESSAGES_PER_PAYLOAD_MAX, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_SHARED_MAX, decode_payload,
    take_payload,
};
pub use relay::{CIPHERTEXT_BYTES_MAX, CIPHERTEXT_BYTES_MIN, RelayOutcome, RelayedMessage};
pub use session::{PARITIES_PER_ROUND_MAX, PARTS_MAX};
pub use store::{
    IN_DOUBT_MAX, KEYS_PER_ASSIGNMENT_MAX, RANGES_PER_COMPARISON_MAX, RANGES_PER_KEY_MAX,
    SLAVES_PER_ASSIGNMENT_MAX,
};

/// Largest serialized [`LinkMessage`], in bytes.
pub const LINK_MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Largest serialized frame, in bytes: a payload in its envelope. The limit for the gRPC decoder.
pub const FRAME_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 1024;

/// One message between the two nodes, to be sealed into an envelope with others.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkMessage {
    /// Post-processing of a session.
    Session(qkd_session::Message),
    /// Agreement of the two key stores.
    Store(qkd_keystore::StoreMessage),
    /// The sender's next envelope is of a new epoch: the last message of its envelope.
    Rekey(Rekey),
    /// Ciphertext of an application on its way to the other side.
    Relay {
        /// The sending daemon's number for it.
        number: u64,
        /// The ciphertext and its addresses.
        message: RelayedMessage,
    },
    /// What became of such ciphertext.
    RelayAnswer {
        /// The number it came with.
        number: u64,
        /// What became of it.
        outcome: RelayOutcome,
    },
    /// Nothing but a sign of life.
    Heartbeat,
}

impl LinkMessage {
    /// Its kind, for logs and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Session(message) => message.name(),
            Self::Store(_) => "store",
            Self::Rekey(_) => "rekey",
            Self::Relay { .. } => "relay",
            Self::RelayAnswer { .. } => "relay answer",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// A message as it goes into a payload.
fn to_proto(message: LinkMessage) -> proto::LinkMessage {
    let kind = match message {
        LinkMessage::Session(message) => Kind::Session(session::encode(message)),
        LinkMessage::Store(message) => Kind::Store(store::encode(&message)),
        LinkMessage::Rekey(rekey) => Kind::Rekey(proto::Rekey {
            session: rekey.id.session,
            block: rekey.id.block,
            epoch: rekey.epoch,
            check: rekey.check.to_vec(),
        }),
        LinkMessage::Relay { number, message } => Kind::Relay(relay::encode(number, &message)),
        LinkMessage::RelayAnswer { number, outcome } => {
            Kind::RelayAnswer(relay::encode_answer(number, outcome))
        }
        LinkMessage::Heartbeat => Kind::Heartbeat(proto::Heartbeat {}),
    };
    proto::LinkMessage { kind: Some(kind) }
}

/// A message of a payload, its fields within their limits.
fn from_proto(message: proto::LinkMessage) -> Result<LinkMessage, DecodeError> {
    Ok(match required("link_message.kind", message.kind)? {
        Kind::Session(message) => LinkMessage::Session(session::decode(message)?),
        Kind::Store(message) => LinkMessage::Store(store::decode(message)?),
        Kind::Rekey(rekey) => LinkMessage::Rekey(Rekey {
            epoch: rekey.epoch,
            id: RefreshId {
                session: rekey.session,
                block: rekey.block,
            },
            check: array("rekey.check", &rekey.check)?,
        }),
        Kind::Relay(relay) => {
            let (number, message) = relay::decode(relay)?;
            LinkMessage::Relay { number, message }
        }
        Kind::RelayAnswer(answer) => {
            let (number, outcome) = relay::decode_answer(&answer)?;
            LinkMessage::RelayAnswer { number, outcome }
        }
        Kind::Heartbeat(proto::Heartbeat {}) => LinkMessage::Heartbeat,
    })
}

// The longest message of each kind that has no other limit: announcements, then bit strings, then
// relayed ciphertext.
const _: () = {
    let detections = qkd_session::DETECTIONS_PER_PART_MAX;
    assert!(
        detections * qkd_session::Gaps::BYTES_MAX + detections / 8 + 1024 <= LINK_MESSAGE_BYTES_MAX
    );
    assert!(qkd_session::SEED_BITS_PER_PART_MAX / 8 + 1024 <= LINK_MESSAGE_BYTES_MAX);
    assert!(PARITIES_PER_ROUND_MAX / 8 + 1024 <= LINK_MESSAGE_BYTES_MAX);
    assert!(CIPHERTEXT_BYTES_MAX + 2048 <= LINK_MESSAGE_BYTES_MAX);
};

#[cfg(test)]
mod tests;
